//! The Worker's memory: free lists by size.
//!
//! The allocator that Rust brings along for WebAssembly is a hundredth of the upload. This one keeps blocks of a size in a list
//! of their own, four sizes to a doubling, so a block is a quarter too large at most; it takes and gives one in a few steps, and
//! never cuts or joins any. What it holds is the most that was ever in use of each size at once: a workerd with forty monitors and
//! ninety days took 2 to 10 % more memory than with the other one, through pages, ticks, an export and an import, and as much CPU.
//!
//! Safety: WebAssembly here has one thread, and nothing in this module calls anything that allocates, so there is one user of the
//! lists at any time. A block is in a list, or with who asked for it, never both. It is the first word of a free block that holds
//! the next one: a block has 16 bytes at least, begins at a multiple of 16, and lies in memory that the platform gave to nobody
//! else, because `memory.grow` only ever adds.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: Heap = Heap::new(|pages| {
    let first = std::arch::wasm32::memory_grow::<0>(pages);
    (first != usize::MAX).then(|| first * PAGE)
});

/// Sizes, up to half of the 4 GB that there can be; nobody can ask for more.
const CLASSES: usize = class(1 << 31).0 + 1;

/// A page of WebAssembly, in bytes.
const PAGE: usize = 65_536;

/// Every block begins at a multiple of it.
const ALIGNMENT: usize = 16;

struct Heap(UnsafeCell<Lists>);

/// More memory, so many pages of it, and where that begins.
type Grow = fn(usize) -> Option<usize>;

struct Lists {
    grow: Grow,
    /// The first free block of each size.
    free: [*mut u8; CLASSES],
    /// Where memory begins that was never used, and where it ends.
    top: usize,
    end: usize,
}

// One thread; see above.
unsafe impl Sync for Heap {}

impl Heap {
    const fn new(grow: Grow) -> Self {
        Heap(UnsafeCell::new(Lists { grow, free: [null_mut(); CLASSES], top: 0, end: 0 }))
    }
}

/// The list that blocks of so many bytes are in, and how many a block has.
const fn class(bytes: usize) -> (usize, usize) {
    let last = if bytes < ALIGNMENT { ALIGNMENT - 1 } else { bytes - 1 };
    let bits = (usize::BITS - last.leading_zeros()) as usize;
    let shift = if bits > 7 { bits - 3 } else { 4 };
    let steps = (last >> shift) + 1;
    ((shift - 4) * 4 + steps - 1, steps << shift)
}

impl Lists {
    /// A block of memory that was never used; null where there is no more.
    fn fresh(&mut self, bytes: usize) -> *mut u8 {
        if self.end - self.top < bytes {
            let pages = bytes.div_ceil(PAGE);
            let Some(begin) = (self.grow)(pages) else { return null_mut() };
            // Mostly it goes on where it ended.
            if begin != self.end {
                self.top = begin;
            }
            self.end = begin + pages * PAGE;
        }
        let block = self.top;
        self.top += bytes;
        block as *mut u8
    }
}

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (list, bytes) = class(layout.size());
        // Nothing here asks for more.
        if layout.align() > ALIGNMENT {
            return null_mut();
        }
        unsafe {
            let lists = &mut *self.0.get();
            let first = lists.free[list];
            if first.is_null() {
                return lists.fresh(bytes);
            }
            lists.free[list] = *first.cast();
            first
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (list, _) = class(layout.size());
        unsafe {
            let lists = &mut *self.0.get();
            *block.cast() = lists.free[list];
            lists.free[list] = block;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if class(layout.size()).0 == class(size).0 {
            return block;
        }
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use proptest::prelude::*;

    use super::*;

    /// Memory that is never given back, as that of WebAssembly.
    fn grow(pages: usize) -> Option<usize> {
        let layout = Layout::from_size_align(pages * PAGE, PAGE).ok()?;
        let begin = unsafe { System.alloc(layout) };
        (!begin.is_null()).then_some(begin as usize)
    }

    #[test]
    fn sizes() {
        for (bytes, expected) in [(0, 16), (1, 16), (16, 16), (17, 32), (128, 128), (129, 160), (257, 320)] {
            assert_eq!(class(bytes).1, expected, "{bytes}");
        }
        let (mut before, mut wasted) = ((0, 16), 0);
        for bytes in (1..100_000).chain((100_000..1 << 31).step_by(99_991)) {
            let (list, block) = class(bytes);
            assert!(block >= bytes && block % ALIGNMENT == 0, "{bytes}: {block}");
            assert!((list, block) == before || (list > before.0 && block > before.1), "{bytes}");
            wasted = if bytes > 128 { wasted.max((block - bytes) * 100 / bytes) } else { wasted };
            before = (list, block);
        }
        assert!(before.0 < CLASSES && wasted <= 25, "{before:?} {wasted} %");
    }

    #[test]
    fn what_is_given_back_is_given_again() {
        let heap = Heap::new(grow);
        let layout = Layout::from_size_align(100, 8).unwrap();
        let (one, other) = unsafe { (heap.alloc(layout), heap.alloc(layout)) };
        assert_ne!(one, other);
        unsafe { heap.dealloc(one, layout) };
        assert_eq!(unsafe { heap.alloc(layout) }, one);
        assert!(unsafe { heap.alloc(Layout::from_size_align(1, 32).unwrap()) }.is_null(), "never asked for");
        let none = Heap::new(|_| None);
        assert!(unsafe { none.alloc(layout) }.is_null());
    }

    /// A block that somebody holds, every byte of which was written with a mark.
    struct Held(*mut u8, Layout, u8);

    impl Held {
        fn new(heap: &Heap, layout: Layout, mark: u8) -> Self {
            let block = unsafe { heap.alloc(layout) };
            assert_eq!(block as usize % ALIGNMENT, 0);
            unsafe { block.write_bytes(mark, layout.size()) };
            Held(block, layout, mark)
        }

        fn is_whole(&self, size: usize) -> bool {
            unsafe { std::slice::from_raw_parts(self.0, size) }.iter().all(|byte| *byte == self.2)
        }
    }

    proptest! {
        /// Any row of asking, growing, shrinking and giving back: what somebody wrote stays what it is.
        #[test]
        fn no_two_share_a_byte(
            steps in proptest::collection::vec((any::<u8>(), any::<prop::sample::Index>(), 0_usize..1500), 1..300),
        ) {
            let heap = Heap::new(grow);
            let mut held: Vec<Held> = Vec::new();
            for (mark, index, size) in steps {
                let layout = Layout::from_size_align(size * size / 100 + 1, 16).unwrap();
                match mark % 3 {
                    0 if !held.is_empty() => {
                        let one = held.swap_remove(index.index(held.len()));
                        prop_assert!(one.is_whole(one.1.size()));
                        unsafe { heap.dealloc(one.0, one.1) };
                    }
                    1 if !held.is_empty() => {
                        let one = index.get_mut(&mut held);
                        let kept = one.1.size().min(layout.size());
                        one.0 = unsafe { heap.realloc(one.0, one.1, layout.size()) };
                        one.1 = layout;
                        prop_assert!(one.is_whole(kept));
                        unsafe { one.0.write_bytes(one.2, layout.size()) };
                    }
                    _ => held.push(Held::new(&heap, layout, mark)),
                }
            }
            prop_assert!(held.iter().all(|one| one.is_whole(one.1.size())));
        }
    }
}
