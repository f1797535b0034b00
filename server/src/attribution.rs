//! Where the memory goes, by route: two figures, each honest about what it is.
//!
//! *Churn* is what a route allocates per request, counted exactly around every poll. *Live bytes* are what it holds
//! now, estimated from a sample of allocations that the global allocator tags with the route being polled and
//! unbooks when they are freed, wherever that happens. Allocated minus freed within a route's polls is neither:
//! buffers are handed to it, and taken from it, by tasks that are not its own. See `docs/attribution.md`.

mod allocation_counter;
mod body;
mod budget;
mod estimate;
mod growth;
mod histogram;
mod layer;
mod live_bytes;
mod propagate;
mod request_account;
mod route;
mod snapshot;
mod stacks;
mod table;
mod tag;
mod thread_state;

pub use body::AttributedBody;
pub use budget::{Budget, OverBudget, check_budget};
pub use estimate::MeanDistance;
pub use layer::{Attribute, AttributeLayer, Attributed};
pub use live_bytes::{SamplingCounts, sampling_counts};
pub use propagate::{PropagatedFuture, carry, carry_fn};
pub use snapshot::{Observer, PerRequest, RouteMemory, Snapshot};
pub use thread_state::{sampling, set_sampling};

pub(crate) use estimate::Booking;
pub(crate) use live_bytes::{book, booked, drop_sample, rebook, unbook};
pub(crate) use stacks::{Window, always_taken, take_always};
#[cfg(feature = "heap-profile")]
pub(crate) use {live_bytes::held, stacks::StackId};

pub(crate) use thread_state::{chance, correct, crossed, passes, tag};
