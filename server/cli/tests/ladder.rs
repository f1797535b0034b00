//! The ladder in the real binary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::{Duration, Instant};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::{Bytes, Pressure};
use heapbeat_test_support::Server;
use heapbeat_test_support::owner::report;

const SECRET: &str = "a secret of the owner's";

#[test]
fn a_leak_that_no_fresh_worker_cures_is_refused_before_it_reaches_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("no fresh worker gets ready while this is here");
    let server = Server::start(&[
        ("HEAPBEAT_MEMORY_LIMIT", "200MB"),
        // Low enough for a fresh worker to fit beside this one.
        ("HEAPBEAT_ALERT_AT", "60%"),
        ("HEAPBEAT_PURGE_AT", "70%"),
        ("HEAPBEAT_RECYCLE_AT", "80%"),
        ("HEAPBEAT_SECRET", SECRET),
        ("DEMO_FAIL_WHILE", broken.to_str().unwrap()),
    ]);
    std::fs::write(&broken, "").unwrap();
    let mut words = vec!["healthy".to_owned()];
    let (mut refused, mut most) = (0, 0);
    let begun = Instant::now();
    for request in 1..=400_u32 {
        let reply = server.get("/demo/leak?mb=1");
        if reply.status == 503 {
            let after: u32 = reply.header("retry-after").unwrap().parse().unwrap();
            assert!((5..=60).contains(&after), "{after}");
            refused += 1;
        }
        let word = server.health()["status"].as_str().unwrap().to_owned();
        if words.last() != Some(&word) {
            words.push(word);
        }
        most = most.max(server.kernel("VmRSS"));
        // Long enough for a replacement to be tried, and to fail, three times: each time the gate opens for a moment.
        if refused >= 200 {
            break;
        }
        // 20 MB a second: the rate is what is tried, so the next request has its time.
        let due = begun + Duration::from_millis(50) * request;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    assert!(refused >= 200, "refused {refused}");
    assert!(most < 200 << 20, "rss reached {most}");
    assert_eq!(words, ["healthy", "degraded", "critical"]);
    server.said("purged:");
    explained(&server);
}

/// Whoever is woken reads when and who in the log, and what happened in the report.
fn explained(server: &Server) {
    let alert = server.said("memory is at");
    let message = alert["message"].as_str().unwrap();
    assert!(message.contains(" of 200.0 MB, ") && message.contains("GET /demo/leak keeps "), "{message}");
    assert!(alert["heapbeat.routes.growing"].as_str().unwrap().starts_with("GET /demo/leak +"), "{alert}");
    assert_eq!(alert["heapbeat.memory.limit"], 209_715_200);
    let (report, _) = report(server, SECRET, "");
    let route = &report.routes[0];
    assert_eq!(route.route, "GET /demo/leak");
    // What is held is what was asked for and not refused, within three standard errors.
    let held = Bytes::from_mb(route.requests).0;
    assert!(route.live.0.abs_diff(held) <= 3 * route.live_error.0, "{route:?}");
    let rungs: Vec<Pressure> = (report.events.iter())
        .filter_map(|event| if let EventKind::Pressure { to, .. } = event.kind { Some(to) } else { None })
        .collect();
    assert!(rungs.is_sorted() && rungs.last() == Some(&Pressure::Shed), "{rungs:?}");
    assert_eq!(report.pressure.level, Pressure::Shed);
    assert!(
        report.events.iter().any(|event| matches!(event.kind, EventKind::Purge { .. })),
        "{:?}",
        report.events
    );
}
