//! The memory of a peak is returned to the system: at once by a purge, within seconds without one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::{Duration, Instant};

use heapbeat::overload::purge;
use heapbeat::sampling::{Heap, Process};
use heapbeat_test_support::{DEADLINE, poll_for};

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

const MB: u64 = 1 << 20;

/// 300 MB in sizes from 16 bytes to a megabyte, each doubling as much memory as any other, all touched.
fn peak() -> Vec<Vec<u8>> {
    let (mut seed, mut bytes, mut held) = (7_u64, 0, Vec::new());
    while bytes < 300 << 20 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let size = 16_usize << ((seed >> 33) % 17);
        held.extend((0..(1 << 20) / size).map(|_| vec![1; size]));
        bytes += 1 << 20;
    }
    held
}

/// The heap is shared by the whole process, so this is one test.
#[test]
fn the_memory_of_a_peak_is_returned() {
    let mut process = Process::this().unwrap();
    let mut rss = || process.read().unwrap().rss.0;
    let metadata = || Heap::open().unwrap().read().unwrap().metadata.0;
    // As much as a small backend has. What is a tenth of nothing would be nothing.
    let held: Vec<Vec<u8>> = (0..64).map(|_| vec![1; 1 << 20]).collect();
    let (start, bookkeeping) = (rss(), metadata());

    let filled = peak();
    assert!(rss() > start + 290 * MB, "the peak was real");
    drop(filled);
    let begun = Instant::now();
    // As the guard does it. While jemalloc's own thread is giving back already, a purge leaves it to that thread.
    let relaxed = purge::dirty_decay().unwrap();
    purge::set_dirty_decay(0).unwrap();
    purge::purge().unwrap();
    // jemalloc keeps its bookkeeping of the highest peak for the next one: 2 % of it.
    let kept = metadata() - bookkeeping;
    let enough = start + start / 10 + kept;
    // A second on a machine of one's own; this one may be shared.
    let back = poll_for(DEADLINE, || (rss() <= enough).then(|| begun.elapsed()));
    purge::set_dirty_decay(relaxed).unwrap();
    eprintln!("start {start}, after the purge {} ({kept} of it more bookkeeping), after {back:?}", rss());
    assert!(back.is_some(), "{} after a purge, {start} before, {kept} of bookkeeping", rss());
    assert!(kept < 12 * MB, "{kept} of bookkeeping");

    let filled = peak();
    assert!(rss() > start + 290 * MB);
    drop(filled);
    let back = poll_for(Duration::from_secs(15), || {
        let now = rss();
        (now <= enough).then_some(now)
    });
    assert!(back.is_some(), "idle for 15 s and still {}, {start} before", rss());
    drop(held);
}
