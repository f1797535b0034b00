//! Overload protection: the decisions about memory, and the means to apply them.
//!
//! [`ladder`] decides, as a pure function of observations of memory; its controller returns effects, which the guard applies.

pub(crate) mod controller;
pub mod hooks;
pub mod ladder;
pub mod purge;
mod retry_after;
pub mod sample_interval;
pub mod shed;
