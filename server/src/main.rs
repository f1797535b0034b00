//! The heapbeat binary: the library with an example backend.

fn main() {}
