//! heapbeat keeps a memory-bound backend alive.

pub mod guard;
pub mod history;
