//! Measures the accuracy of the leak forecast on simulated processes whose behavior is known.
//!
//! The test of this package bounds the accuracy from below; its program prints the tables of `docs/forecast.md`.

pub mod accuracy;
pub mod matrix;
pub mod process;
pub mod recorded;
