//! The result of a leak forecast, as reports carry it and pages show it.
//!
//! The engine that makes one is the crate `heapbeat-forecast`, which the edge does not compile.

mod assessment;
mod prose;

pub use assessment::{Assessment, Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};
