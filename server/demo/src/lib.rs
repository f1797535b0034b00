//! An example backend, with routes that get it into trouble on demand.
//!
//! `heapbeat serve` serves it. The program `heapbeat-demo` is the same without a command line; `make run` starts it, as it
//! compiles sooner.

mod routes;

pub use routes::{router, version};
