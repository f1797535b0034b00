//! Attribution of memory to routes, by two figures.
//!
//! *Churn* is the number of bytes that a route allocates per request, counted exactly around every poll. *Live bytes* are the bytes
//! that it holds now, estimated from a sample of allocations: the global allocator tags each of them with the route being polled,
//! and removes it when it is freed, on whichever thread. Allocated minus freed within a route's polls is neither figure, because
//! other tasks hand buffers to a route and free buffers that it allocated. See `docs/attribution.md`.

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
pub use propagate::{PropagatedFuture, propagate, propagate_fn};
pub use snapshot::{AttributionSnapshot, PerRequest, RouteMemory, RouteObserver};
pub use thread_state::{sampling, set_sampling};

pub(crate) use estimate::SampledAllocation;
pub(crate) use live_bytes::{count_dropped_sample, find_sample, record_sample, remove_sample, update_sample};
pub(crate) use stacks::{StackWindow, all_stacks_recorded, record_all_stacks};
#[cfg(feature = "heap-profile")]
pub(crate) use {live_bytes::heap_by_stack, stacks::StackId};

pub(crate) use thread_state::{correct_counter, count_allocation, current_tag, draw_bool, draw_sample};
