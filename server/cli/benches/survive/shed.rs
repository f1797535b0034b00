//! A leak that no fresh worker cures: what is refused, how much memory there is at most, and how soon `/health` answers.

use std::thread;
use std::time::{Duration, Instant};

use heapbeat_test_support::Server;

const MB: u64 = 1 << 20;

pub(crate) fn rounds() {
    let mut slowest_of_all = Vec::new();
    let mut most_of_all = 0;
    for _ in 0..crate::times() {
        let (most, mut took, refused) = round();
        took.sort_unstable();
        let at = |share: usize| took[(took.len() - 1) * share / 100];
        println!(
            "most {:.1} of 200 MB, {refused} refused, /health asked {} times: median {:.1?}, p99 {:.1?}, slowest {:.1?}",
            most as f64 / MB as f64,
            took.len(),
            at(50),
            at(99),
            at(100)
        );
        slowest_of_all.push(at(100));
        most_of_all = most_of_all.max(most);
    }
    let slowest = slowest_of_all.iter().max().copied().unwrap_or_default();
    println!("in all: most {:.1} MB, slowest /health {slowest:.1?}", most_of_all as f64 / MB as f64);
}

/// 20 MB a second against 200 MB for 20 s, with a worker that cannot be replaced.
fn round() -> (u64, Vec<Duration>, u32) {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("no fresh worker gets ready while this is here");
    let server = Server::start(&[
        ("HEAPBEAT_MEMORY_LIMIT", "200MB"),
        ("HEAPBEAT_ALERT_AT", "60%"),
        ("HEAPBEAT_PURGE_AT", "70%"),
        ("HEAPBEAT_RECYCLE_AT", "80%"),
        ("DEMO_FAIL_WHILE", broken.to_str().unwrap()),
    ]);
    std::fs::write(&broken, "").unwrap();
    let (mut most, mut took, mut refused) = (0, Vec::new(), 0);
    let begun = Instant::now();
    for request in 1..=400_u32 {
        refused += u32::from(server.get("/demo/leak?mb=1").status == 503);
        let asked = Instant::now();
        assert_eq!(server.get("/health").status, 200);
        took.push(asked.elapsed());
        most = most.max(server.kernel("VmRSS"));
        let due = begun + Duration::from_millis(50) * request;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    (most, took, refused)
}
