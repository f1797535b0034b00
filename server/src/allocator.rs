//! jemalloc with sampling, so that live bytes can be attributed to routes.
//!
//! An allocation costs one more subtraction and branch, a free one test of the address's low bits. A sampled object is aligned to
//! 4096 bytes, which few others are, so only those few are looked up in the table of samples.
//! A sampled object smaller than a page takes a page: at most 0.8 % more memory at the default distance.
#![allow(unsafe_code)]

mod settings;

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_int;
use std::ptr;

use tikv_jemalloc_sys as ffi;
use tikv_jemallocator::Jemalloc;

use crate::attribution;
use crate::attribution::{MeanDistance, SampledAllocation};

/// Alignment of sampled allocations in bytes; it need not be the system's page size.
const SAMPLE_ALIGN: usize = 4096;

/// Number of addresses that are tried for a sample when the table refuses one.
const TRIES: usize = 4;

/// The sampling allocator: `#[global_allocator] static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;`
///
/// Memory comes from jemalloc by way of `tikv-jemallocator`, whose settings and statistics keep their meaning.
/// [`set_sampling`](crate::attribution::set_sampling) changes the distance between samples, or turns sampling off, at any time.
///
/// Resizing follows the bytes: growth is sampled by the bytes that it adds, and a sampled object that shrinks stays sampled with the
/// quotient of the probabilities. So an object is always sampled with the probability that belongs to its size. It is attributed to
/// the route that resized it last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

// SAFETY: Every method forwards to jemalloc, which keeps the contract of `GlobalAlloc`, with one difference: a sampled
// object was allocated with its alignment raised to `SAMPLE_ALIGN`, which satisfies the layout asked for. jemalloc
// needs the size and alignment of the allocation again when it is given back or resized. They are right because:
//   - an object is raised if and only if its address is in the table: `allocate_sampled` is the only function that
//     raises, and it enters the address before handing it out, or gives the memory back itself; `free_sampled` takes
//     it out before giving the memory back, so the table never holds an address that jemalloc could hand out again;
//   - a raised object's address is a multiple of `SAMPLE_ALIGN`, so an address that is not need not be looked up;
//   - the size of a layout is never changed, and the caller passes the layout's own size back.
// Nothing here allocates, locks, unwinds or has a destructor: the table and the counters are static, the thread-local
// state is constant-initialised and needs no drop, so the methods may be called before `main` and while a thread ends.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if attribution::count_allocation(charge(layout)) {
            // SAFETY: the caller's promises are passed on.
            unsafe { Jemalloc.alloc(layout) }
        } else {
            // SAFETY: as above.
            unsafe { allocate_crossed(layout, Contents::Any) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if attribution::count_allocation(charge(layout)) {
            // SAFETY: the caller's promises are passed on.
            unsafe { Jemalloc.alloc_zeroed(layout) }
        } else {
            // SAFETY: as above.
            unsafe { allocate_crossed(layout, Contents::Zero) }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        if may_be_sampled(object) {
            // SAFETY: the caller's promises are passed on.
            unsafe { free_aligned(object, layout) }
        } else {
            // SAFETY: as above, and an object at such an address is not raised.
            unsafe { Jemalloc.dealloc(object, layout) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if may_be_sampled(object) {
            // SAFETY: the caller's promises are passed on.
            unsafe { resize_aligned(object, layout, new_size) }
        } else {
            // SAFETY: as above, and an object at such an address is not raised.
            unsafe { resize_plain(object, layout, new_size) }
        }
    }
}

#[derive(Clone, Copy)]
enum Contents {
    Any,
    Zero,
}

#[inline]
fn may_be_sampled(object: *mut u8) -> bool {
    object.addr().is_multiple_of(SAMPLE_ALIGN)
}

/// Returns the bytes by which an allocation lowers the countdown: its size, but at least a share of the memory that it really takes,
/// as a sample would stand for too many bytes otherwise.
#[inline]
fn charge(layout: Layout) -> usize {
    layout.size().max(layout.align()).max(8)
}

/// Returns jemalloc's flags for an object with raised alignment.
fn raised(align: usize) -> c_int {
    ffi::MALLOCX_ALIGN(align.max(SAMPLE_ALIGN))
}

/// Returns the bytes that the layout takes if it is not sampled, with the flags that `tikv-jemallocator` chooses.
fn plain_size(layout: Layout) -> usize {
    let natural = layout.align() <= 16 && layout.align() <= layout.size();
    let flags = if natural { 0 } else { ffi::MALLOCX_ALIGN(layout.align()) };
    // SAFETY: a pure computation; the size is not 0 by the contract of `GlobalAlloc`.
    unsafe { ffi::nallocx(layout.size(), flags) }
}

/// Returns the bytes that the layout takes if it is sampled.
fn raised_size(layout: Layout) -> usize {
    // SAFETY: as for `plain_size`.
    unsafe { ffi::nallocx(layout.size(), raised(layout.align())) }
}

/// # Safety
/// As for [`GlobalAlloc::alloc`].
#[cold]
#[inline(never)]
unsafe fn allocate_crossed(layout: Layout, contents: Contents) -> *mut u8 {
    if let Some(mean) = attribution::draw_sample(charge(layout)) {
        // SAFETY: the caller's promises are passed on.
        if let Some(object) = unsafe { allocate_sampled(layout, mean, contents) } {
            return object;
        }
    }
    // SAFETY: the caller's promises are passed on.
    unsafe {
        match contents {
            Contents::Any => Jemalloc.alloc(layout),
            Contents::Zero => Jemalloc.alloc_zeroed(layout),
        }
    }
}

/// Returns an object with raised alignment that is in the table, or `None` if there is no memory or no slot in the table.
///
/// # Safety
/// As for [`GlobalAlloc::alloc`].
unsafe fn allocate_sampled(layout: Layout, mean: MeanDistance, contents: Contents) -> Option<*mut u8> {
    let flags = raised(layout.align());
    let zero = match contents {
        Contents::Any => 0,
        Contents::Zero => ffi::MALLOCX_ZERO,
    };
    let usable = plain_size(layout);
    let sample =
        SampledAllocation::new(attribution::current_tag(), mean, charge(layout), usable).with_current_stack();
    // A nearly full table has no room for some addresses while it has for others. What it refuses is held on to until
    // the end, and does not go to the thread's cache, or jemalloc would offer the same again and again.
    let mut refused = [ptr::null_mut(); TRIES];
    let mut object = ptr::null_mut();
    for place in &mut refused {
        // SAFETY: the size is not 0.
        object = unsafe { ffi::mallocx(layout.size(), flags | zero) };
        if object.is_null() || attribution::record_sample(object.addr(), sample) {
            break;
        }
        *place = std::mem::replace(&mut object, ptr::null_mut());
    }
    for unused in refused.into_iter().filter(|it| !it.is_null()) {
        attribution::correct_counter(raised_size(layout), 0);
        // SAFETY: allocated just above with this size and these flags, not in the table, and handed to nobody.
        unsafe { ffi::sdallocx(unused, layout.size(), flags | ffi::MALLOCX_TCACHE_NONE) };
    }
    if object.is_null() {
        attribution::count_dropped_sample(sample);
        return None;
    }
    attribution::correct_counter(raised_size(layout), usable);
    Some(object.cast())
}

/// # Safety
/// As for [`GlobalAlloc::dealloc`].
#[inline(never)]
unsafe fn free_aligned(object: *mut u8, layout: Layout) {
    if attribution::remove_sample(object.addr()) {
        // SAFETY: it was in the table, so it is raised; it no longer is, and the caller gives it up.
        unsafe { ffi::sdallocx(object.cast(), layout.size(), raised(layout.align())) }
    } else {
        // SAFETY: not in the table, so not raised.
        unsafe { Jemalloc.dealloc(object, layout) }
    }
}

/// # Safety
/// As for [`GlobalAlloc::realloc`], and `object` is not raised.
#[inline]
unsafe fn resize_plain(object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    // SAFETY: the caller promises that the new size makes a layout.
    let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
    if attribution::count_allocation(charge(new).saturating_sub(charge(layout))) {
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.realloc(object, layout, new_size) }
    } else {
        // SAFETY: as above.
        unsafe { resize_crossed(object, layout, new) }
    }
}

/// # Safety
/// As for [`resize_plain`]; `new` is a layout of the same alignment.
#[cold]
#[inline(never)]
unsafe fn resize_crossed(object: *mut u8, layout: Layout, new: Layout) -> *mut u8 {
    if let Some(mean) = attribution::draw_sample(charge(new).saturating_sub(charge(layout))) {
        // SAFETY: the size is not 0. Both objects are at least as long as what is copied, and distinct; the old one is
        // not raised, and the caller no longer uses it once this succeeds.
        unsafe {
            if let Some(target) = allocate_sampled(new, mean, Contents::Any) {
                ptr::copy_nonoverlapping(object, target, layout.size().min(new.size()));
                Jemalloc.dealloc(object, layout);
                return target;
            }
        }
    }
    // SAFETY: the caller's promises are passed on.
    unsafe { Jemalloc.realloc(object, layout, new.size()) }
}

/// # Safety
/// As for [`GlobalAlloc::realloc`].
#[inline(never)]
unsafe fn resize_aligned(object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    let Some(sample) = attribution::find_sample(object.addr()) else {
        // SAFETY: not in the table, so not raised; the caller's promises are passed on.
        return unsafe { resize_plain(object, layout, new_size) };
    };
    // SAFETY: the caller promises that the new size makes a layout.
    let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
    let mean = sample.mean;
    let stays = charge(new) >= charge(layout)
        || attribution::draw_bool(mean.probability(charge(new)) / mean.probability(charge(layout)));
    // SAFETY: `object` is raised and stays allocated until its content is copied; a failed attempt leaves it as it was.
    // The sizes are not 0. What is copied fits into both objects, which are distinct.
    unsafe {
        if stays && resize_in_place(object, layout, new) {
            let usable = plain_size(new);
            attribution::update_sample(
                object.addr(),
                sample,
                SampledAllocation::new(attribution::current_tag(), mean, charge(new), usable)
                    .with_current_stack(),
            );
            return object;
        }
        let sampled = if stays { allocate_sampled(new, mean, Contents::Any) } else { None };
        let target = sampled.unwrap_or_else(|| Jemalloc.alloc(new));
        if !target.is_null() {
            ptr::copy_nonoverlapping(object, target, layout.size().min(new_size));
            free_aligned(object, layout);
        }
        target
    }
}

/// Resizes an object with raised alignment in place, to exactly the size class that `new` will be freed with.
///
/// # Safety
/// `object` is a live raised object of `layout`; `new` is of the same alignment and its size is not 0.
unsafe fn resize_in_place(object: *mut u8, layout: Layout, new: Layout) -> bool {
    let (old_size, wanted) = (raised_size(layout), raised_size(new));
    // SAFETY: `xallocx` never moves the object; without `extra` it is resized to the class of `new` or left as it is.
    let got = unsafe { ffi::xallocx(object.cast(), new.size(), 0, raised(new.align())) };
    if got == wanted {
        // jemalloc counts a resize that changed something as an allocation of the whole, and one that did not as none.
        attribution::correct_counter(if got == old_size { 0 } else { got }, plain_size(new));
    }
    got == wanted
}
