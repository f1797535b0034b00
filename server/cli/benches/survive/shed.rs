//! A leak whose worker cannot be replaced: measures refused requests, the peak of memory, and the latency of `/health`.

use std::thread;
use std::time::{Duration, Instant};

use heapbeat_test_support::Server;

const MB: u64 = 1 << 20;

/// Runs `SURVIVE_TIMES` rounds, and prints the figures of each and of all.
pub(crate) fn rounds() {
    let mut slowest_of_all = Vec::new();
    let mut highest_peak = 0;
    for _ in 0..crate::times() {
        let (peak, mut latencies, refused) = round();
        latencies.sort_unstable();
        let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
        println!(
            "peak {:.1} of 200 MB, {refused} refused, {} requests of /health: median {:.1?}, p99 {:.1?}, slowest {:.1?}",
            peak as f64 / MB as f64,
            latencies.len(),
            at(50),
            at(99),
            at(100)
        );
        slowest_of_all.push(at(100));
        highest_peak = highest_peak.max(peak);
    }
    let slowest = slowest_of_all.iter().max().copied().unwrap_or_default();
    println!("in all: peak {:.1} MB, slowest /health {slowest:.1?}", highest_peak as f64 / MB as f64);
}

/// Leaks 20 MB per second for 20 s below a limit of 200 MB. Returns the peak in bytes, the latencies of `/health`, and the number of
/// refused requests.
fn round() -> (u64, Vec<Duration>, u32) {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("fail-readiness");
    let server = Server::start(&[
        ("HEAPBEAT_MEMORY_LIMIT", "200MB"),
        ("HEAPBEAT_ALERT_AT", "60%"),
        ("HEAPBEAT_PURGE_AT", "70%"),
        ("HEAPBEAT_RECYCLE_AT", "80%"),
        ("DEMO_FAIL_WHILE", broken.to_str().unwrap()),
    ]);
    std::fs::write(&broken, "").unwrap();
    let (mut peak, mut latencies, mut refused) = (0, Vec::new(), 0);
    let started = Instant::now();
    for request in 1..=400_u32 {
        refused += u32::from(server.get("/demo/leak?mb=1").status == 503);
        let begun = Instant::now();
        assert_eq!(server.get("/health").status, 200);
        latencies.push(begun.elapsed());
        peak = peak.max(server.proc_status("VmRSS"));
        let due = started + Duration::from_millis(50) * request;
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    (peak, latencies, refused)
}
