//! Where the memory goes, by route: two figures, each honest about what it is.
//!
//! *Churn* is what a route allocates per request, counted exactly around every poll. *Live bytes* are what it holds
//! now, estimated from a sample of allocations that the global allocator tags with the route being polled and
//! unbooks when they are freed, wherever that happens. Allocated minus freed within a route's polls is neither:
//! buffers are handed to it, and taken from it, by tasks that are not its own. See `docs/attribution.md`.

mod account;
mod body;
mod budget;
mod carry;
mod churn;
mod estimate;
mod growth;
mod histogram;
mod layer;
mod live;
mod route;
mod snapshot;
mod stacks;
mod table;
mod tag;
mod thread;

pub use body::AttributedBody;
pub use budget::{Budget, OverBudget, check_budget};
pub use carry::{Carried, carry, carry_fn};
pub use estimate::MeanDistance;
pub use layer::{Attribute, AttributeLayer, Attributed};
pub use live::{SamplingCounts, sampling_counts};
pub use snapshot::{Observer, PerRequest, RouteMemory, Snapshot};
pub use thread::{sampling, set_sampling};

pub(crate) use estimate::Booking;
pub(crate) use live::{book, booked, drop_sample, held, rebook, unbook};
pub(crate) use stacks::{StackId, Window, always_taken, take_always};
pub(crate) use tag::TAGS;
pub(crate) use thread::{chance, correct, crossed, passes, tag};

/// The label of a tag by its index.
pub(crate) fn label(index: usize) -> &'static str {
    let tag = u16::try_from(index).map_or(tag::Tag::OTHER, tag::Tag::from_number);
    &route::route(tag).label
}
