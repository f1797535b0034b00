//! What is done about memory, and when.
//!
//! [`ladder`] decides: a pure function of looks at memory. Everything that acts only does what a step of the ladder
//! asks for.

pub(crate) mod controller;
pub mod hooks;
pub mod ladder;
pub mod purge;
mod retry_after;
pub mod sample_interval;
pub mod shed;
