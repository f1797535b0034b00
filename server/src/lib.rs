//! heapbeat keeps a memory-bound backend alive.

pub mod allocator;
pub mod attribute;
pub mod guard;
pub mod history;

pub use allocator::Allocator;
