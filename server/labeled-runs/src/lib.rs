//! Measures the accuracy of the leak forecast on real processes whose behavior is known.
//!
//! The test of this package runs a few of them; its program prints a table of `docs/forecast.md`.

pub mod process;
pub mod verdict_counts;
