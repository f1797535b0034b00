//! The endpoints of heapbeat: `/health` and below, `/metrics`, `/debug/heap`, and the signed report.
//!
//! They know neither who serves them (the server of an application, or the front of a guarded program) nor who records what they
//! report.

mod access;
pub(crate) mod admission;
pub(crate) mod health;
mod known_hosts;
mod metrics_cache;
mod operator;
pub(crate) mod problem;
pub(crate) mod profile_queue;
pub(crate) mod program;
pub(crate) mod report;
mod spent_nonces;

pub(crate) use access::is_served;
