//! A purge gives memory back although jemalloc's own thread is giving some back already, whatever it is in the middle of.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::thread;
use std::time::Duration;

use heapbeat::overload::purge;
use heapbeat::sampling::Process;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

const MB: u64 = 1 << 20;

/// Before the purge asked again, one in twenty gave back a part, or nothing.
#[test]
fn a_purge_beside_jemallocs_own_is_whole() {
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
