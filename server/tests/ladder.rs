//! The ladder in the real binary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::time::{Duration, Instant};

use support::Server;

#[test]
fn a_leak_is_refused_before_it_reaches_the_limit_and_health_answers_throughout() {
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "200MB"), ("HEAPBEAT_SAMPLE_INTERVAL", "200ms")]);
    let mut words = vec!["healthy".to_owned()];
    let (mut slowest, mut refused, mut most) = (Duration::ZERO, 0, 0);
    let begun = Instant::now();
    for request in 1..=400_u32 {
        let reply = server.get("/demo/leak?mb=1");
        if reply.status == 503 {
            assert_eq!(reply.header("retry-after"), Some("5"));
            refused += 1;
        }
        let asked = Instant::now();
        let word = server.health()["status"].as_str().unwrap().to_owned();
        slowest = slowest.max(asked.elapsed());
        if words.last() != Some(&word) {
            words.push(word);
        }
        most = most.max(server.kernel("VmRSS"));
        if refused >= 100 {
            break;
        }
        // 20 MB a second: the rate is what is tried, so the next request has its time.
        let due = begun + Duration::from_millis(50) * request;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    eprintln!("most rss {most}, slowest health {slowest:?}, refused {refused}, {words:?}");
    assert!(refused >= 100, "refused {refused}");
    assert!(most < 200 << 20, "rss reached {most}");
    assert_eq!(words, ["healthy", "degraded", "critical"]);
    assert!(slowest <= Duration::from_millis(50), "{slowest:?}");
    assert!(!server.logged("purged:").is_empty());
}
