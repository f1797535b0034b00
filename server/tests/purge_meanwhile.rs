//! A purge returns all unused memory even if jemalloc's background thread is returning some at the same time.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::thread;
use std::time::Duration;

use heapbeat::overload::purge;
use heapbeat::sampling::Process;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

const MB: u64 = 1 << 20;

/// Without retries, one purge in twenty returned only a part, or nothing.
#[test]
fn a_purge_beside_jemallocs_background_thread_is_complete() {
    let mut process = Process::this().unwrap();
    let mut rss = || process.read().unwrap().rss.0;
    let relaxed = purge::dirty_decay().unwrap();
    let start = rss();
    for round in 0..60 {
        let held: Vec<Vec<u8>> = (0..3200).map(|_| vec![1; 64 << 10]).collect();
        drop(held);
        #[expect(clippy::disallowed_methods, reason = "whatever jemalloc's thread is in the middle of")]
        thread::sleep(Duration::from_millis(round * 5));
        purge::set_dirty_decay(0).unwrap();
        purge::purge().unwrap();
        let left = rss().saturating_sub(start);
        purge::set_dirty_decay(relaxed).unwrap();
        assert!(left < 60 * MB, "{left} of 200 MB are left in round {round}");
    }
}
