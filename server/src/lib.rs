//! heapbeat keeps a memory-bound backend alive.
