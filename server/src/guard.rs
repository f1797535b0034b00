//! What is done about memory, and when.
//!
//! [`ladder`] decides: a pure function of looks at memory. Everything that acts only does what a step of the ladder
//! asks for.

pub(crate) mod act;
pub mod cadence;
pub mod heap;
pub mod hooks;
pub mod ladder;
pub mod marks;
mod retry;
pub mod shed;
