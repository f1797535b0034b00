//! A peak that is over goes back to the system, without anybody asking.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::Duration;

use heapbeat_test_support::{Server, within};

const MB: u64 = 1 << 20;

#[test]
fn an_idle_process_gives_its_peak_back_within_15_seconds() {
    let server = Server::start(&[]);
    let before = server.kernel("VmRSS");
    server.get("/demo/churn?mb=200");
    assert!(server.kernel("VmHWM") > before + 190 * MB, "the peak was real");
    let back = within(Duration::from_secs(15), || {
        let now = server.kernel("VmRSS");
        (now < before + 10 * MB).then_some(now)
    });
    assert!(
        back.is_some(),
        "15 s after the peak rss is {} MB, was {} MB",
        server.kernel("VmRSS") / MB,
        before / MB
    );
}
