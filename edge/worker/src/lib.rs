//! What is uploaded: all that `heapbeat-edge` exports, optimized as one.
//!
//! It is a crate of its own, as tests and examples link the edge as an `rlib`. Cargo optimizes nothing across crates where a
//! library is made for that too, and the Worker was 10 kB larger.

pub use heapbeat_edge as edge;
