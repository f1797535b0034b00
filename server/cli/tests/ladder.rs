//! The ladder in the real program.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::time::{Duration, Instant};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::{Bytes, Pressure};
use heapbeat_test_support::Server;
use heapbeat_test_support::owner::fetch_report;

const SECRET: &str = "a secret of the owner's";

#[test]
fn a_leak_that_cannot_be_recycled_is_shed_before_it_reaches_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("fail-readiness");
    let server = Server::start(&[
        ("HEAPBEAT_MEMORY_LIMIT", "200MB"),
        // The thresholds are low enough for a replacement worker to fit beside this one.
        ("HEAPBEAT_ALERT_AT", "60%"),
        ("HEAPBEAT_PURGE_AT", "70%"),
        ("HEAPBEAT_RECYCLE_AT", "80%"),
        ("HEAPBEAT_SECRET", SECRET),
        ("DEMO_FAIL_WHILE", broken.to_str().unwrap()),
    ]);
    std::fs::write(&broken, "").unwrap();
    let mut statuses = vec!["healthy".to_owned()];
    let (mut refused, mut peak) = (0, 0);
    let begun = Instant::now();
    for request in 1..=400_u32 {
        let response = server.get("/demo/leak?mb=1");
        if response.status == 503 {
            let after: u32 = response.header("retry-after").unwrap().parse().unwrap();
            assert!((5..=60).contains(&after), "{after}");
            refused += 1;
        }
        let status = server.health()["status"].as_str().unwrap().to_owned();
        if statuses.last() != Some(&status) {
            statuses.push(status);
        }
        peak = peak.max(server.proc_status("VmRSS"));
        // This lasts long enough for three attempts to replace the worker, all of which fail; shedding pauses during each.
        if refused >= 200 {
            break;
        }
        // The test leaks 20 MB per second, so each request waits until it is due.
        let due = begun + Duration::from_millis(50) * request;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    assert!(refused >= 200, "refused {refused}");
    assert!(peak < 200 << 20, "rss reached {peak}");
    // On a busy machine the time between two samples may be longer than "degraded" lasts.
    let order = ["healthy", "degraded", "critical"];
    assert!(statuses.is_sorted_by_key(|status| order.iter().position(|it| it == status)), "{statuses:?}");
    assert_eq!(statuses.last().map(String::as_str), Some("critical"));
    server.wait_for_log("purged:");
    assert_explained(&server);
}

/// Asserts that the log names the forecast and the route that leaks, and that the report contains the events.
fn assert_explained(server: &Server) {
    let alert = server.wait_for_log("memory is at");
    let message = alert["message"].as_str().unwrap();
    assert!(message.contains(" of 200.0 MB, ") && message.contains("GET /demo/leak keeps "), "{message}");
    assert!(alert["heapbeat.routes.growing"].as_str().unwrap().starts_with("GET /demo/leak +"), "{alert}");
    assert_eq!(alert["heapbeat.memory.limit"], 209_715_200);
    let (report, _) = fetch_report(server, SECRET, "");
    let route = &report.routes[0];
    assert_eq!(route.route, "GET /demo/leak");
    // The live bytes equal the leaked bytes of all accepted requests, within three standard errors.
    let leaked = Bytes::from_mb(route.requests).0;
    assert!(route.live.0.abs_diff(leaked) <= 3 * route.live_error.0, "{route:?}");
    let levels: Vec<Pressure> = (report.events.iter())
        .filter_map(|event| if let EventKind::Pressure { to, .. } = event.kind { Some(to) } else { None })
        .collect();
    assert!(levels.is_sorted() && levels.last() == Some(&Pressure::Shed), "{levels:?}");
    assert_eq!(report.pressure.level, Pressure::Shed);
    assert!(
        report.events.iter().any(|event| matches!(event.kind, EventKind::Purge { .. })),
        "{:?}",
        report.events
    );
}
