//! jemalloc's background thread returns the memory of a peak to the system.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::time::Duration;

use heapbeat_test_support::{Server, poll_for};

const MB: u64 = 1 << 20;

#[test]
fn an_idle_process_returns_its_peak_within_15_seconds() {
    let server = Server::start(&[]);
    let before = server.proc_status("VmRSS");
    server.get("/demo/churn?mb=200");
    assert!(server.proc_status("VmHWM") > before + 190 * MB, "the request did not reach the peak");
    let returned = poll_for(Duration::from_secs(15), || {
        let now = server.proc_status("VmRSS");
        (now < before + 10 * MB).then_some(now)
    });
    assert!(
        returned.is_some(),
        "15 s after the peak rss is {} MB, was {} MB",
        server.proc_status("VmRSS") / MB,
        before / MB
    );
}
