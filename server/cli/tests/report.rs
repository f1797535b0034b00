//! The signed report of `GET /health`: its content, and which requests get it.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use heapbeat_shared::event::EventKind;
use heapbeat_shared::signing::{HEADER, SignedParts};
use heapbeat_shared::{Bytes, UnixMillis};
use heapbeat_test_support::owner::{
    fetch_report, now, parse_secret, random_nonce, send_with_signatures, sign as sign_for,
};
use heapbeat_test_support::{Server, wait_for};

const OURS: &str = "a secret of the owner's";
const BEFORE: &str = "the secret before this one";

#[test]
fn a_report_contains_the_samples_since_the_cursor() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_MEMORY_LIMIT", "300MB")]);
    let (first, series) = wait_for("two samples", || {
        let (report, series) = fetch_report(&server, OURS, "");
        (report.samples.count >= 2).then_some((report, series))
    });
    assert_eq!(first.limit.bytes, Bytes::from_mb(300));
    assert!(first.version.starts_with(env!("CARGO_PKG_VERSION")), "{}", first.version);
    assert!(first.started < first.now && first.now.since(first.started).as_secs() <= first.uptime + 2);
    assert_eq!(first.events[0].kind, EventKind::Started);
    let kernel = server.proc_status("VmRSS");
    assert!(
        series.samples.iter().all(|sample| sample.rss.0.abs_diff(kernel) < 16 << 20),
        "{series:?} {kernel}"
    );
    assert!(
        first.system.runtime_delay_ms < Some(5000),
        "the runtime reports, and nothing blocks it: {:?}",
        first.system
    );
    assert!(first.system.heap_mapped > Some(Bytes::ZERO), "{:?}", first.system);
    assert!(first.system.threads > Some(1) && first.system.anon > Some(Bytes::ZERO), "{:?}", first.system);
    let cursor = first.cursor().unwrap();
    let (second, later) = wait_for("one more sample", || {
        let (report, series) = fetch_report(&server, OURS, &format!("?after={cursor}"));
        (report.samples.count > 0).then_some((report, series))
    });
    assert_eq!(
        (second.instance, second.samples.first, second.samples.dropped),
        (first.instance, cursor.sequence + 1, 0)
    );
    assert!(later.samples[0].at > series.samples.last().unwrap().at);
    assert!(later.samples.len() <= 3, "only new samples: {}", later.samples.len());
}

#[test]
fn requests_with_a_wrong_signature_get_401_and_no_part_of_the_report() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS)]);
    let sign = |secret: &str, method: &str, target: &str, seconds: i64| {
        let at = UnixMillis(now().0 + seconds * 1000);
        sign_for(&server, &parse_secret(secret), (method, target), at, random_nonce())
    };
    let relayed = {
        let origin = "https://another.example".parse().unwrap();
        let parts = SignedParts { method: "GET", origin: &origin, target: "/health" };
        parse_secret(OURS).sign_request(parts, now(), random_nonce()).to_string()
    };
    let used = sign(OURS, "GET", "/health", 0);
    assert_eq!(send_with_signatures(&server, "GET", "/health", std::slice::from_ref(&used)).status, 200);
    let good = sign(OURS, "GET", "/health", 0);
    let cases = [
        ("another secret", vec![sign("somebody else's secret", "GET", "/health", 0)]),
        ("two minutes old", vec![sign(OURS, "GET", "/health", -120)]),
        ("two minutes ahead", vec![sign(OURS, "GET", "/health", 120)]),
        ("sent before", vec![used]),
        ("cut short", vec![good[..good.len() - 2].to_owned()]),
        ("one digit changed", vec![good.replace(" n=", " n=f")]),
        ("signed for another query", vec![sign(OURS, "GET", "/health?after=00c0ffee00c0ffee-1", 0)]),
        ("signed for another path", vec![sign(OURS, "GET", "/health/live", 0)]),
        ("signed for another method", vec![sign(OURS, "HEAD", "/health", 0)]),
        ("signed for another server, which relays it", vec![relayed]),
        ("two signatures", vec![good.clone(), good]),
        ("none at all", vec!["v2".to_owned()]),
        ("an empty one", vec![String::new()]),
    ];
    for (name, headers) in cases {
        let response = send_with_signatures(&server, "GET", "/health", &headers);
        assert_eq!(response.status, 401, "{name}");
        assert_eq!(response.header(HEADER), None, "{name}");
        let expected = r#"{"title":"Unauthorized","status":401,"detail":"the signature is not valid for this request, host and time"}"#;
        assert_eq!(response.text(), expected, "{name}");
    }
    let public = send_with_signatures(&server, "GET", "/health", &[]);
    assert_eq!((public.status, public.header(HEADER)), (200, None));
    assert!(public.text().starts_with(r#"{"status":"healthy","memory":{"rss":"#) && public.body.len() < 150);
    server.wait_for_log("rejected a request for the report: ");
    let warned = server.log_events("rejected a request for the report: ");
    assert_eq!(warned.len(), 1, "the reason is logged once, however many requests are refused");
}

#[test]
fn a_server_that_does_not_know_its_name_says_so_at_the_start() {
    let text = "this server is known as localhost only";
    let unnamed = Server::start(&[("HEAPBEAT_SECRET", OURS)]);
    unnamed.wait_for_log(text);
    for settings in [&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_HOSTS", "api.example.com")][..], &[]] {
        assert!(Server::start(settings).log_events(text).is_empty(), "{settings:?}");
    }
}

#[test]
fn the_previous_secret_is_accepted_during_rotation() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_SECRET_PREVIOUS", BEFORE)]);
    assert_eq!(fetch_report(&server, OURS, "").0.instance, fetch_report(&server, BEFORE, "").0.instance);
}

#[test]
fn a_server_without_a_secret_ignores_signatures() {
    let server = Server::start(&[]);
    let signature = sign_for(&server, &parse_secret(OURS), ("GET", "/health"), now(), random_nonce());
    let response = send_with_signatures(&server, "GET", "/health", &[signature]);
    assert_eq!((response.status, response.header(HEADER)), (200, None));
    assert!(response.body.len() < 150, "{}", response.text());
}

#[test]
fn a_report_contains_the_events() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_DRAIN_WINDOW", "20s")]);
    assert_eq!(server.get("/demo/panic").status, 500);
    server.send_signal("TERM");
    let events = wait_for("the stop in the events", || {
        let events = fetch_report(&server, OURS, "").0.events;
        matches!(events.last()?.kind, EventKind::Stop { .. }).then_some(events)
    });
    let kinds: Vec<&EventKind> = events.iter().map(|event| &event.kind).collect();
    let [EventKind::Started, EventKind::Panic { message }, EventKind::Stop { by }] = kinds[..] else {
        panic!("{events:?}")
    };
    assert!(message.starts_with("requested by /demo/panic (server/demo/src/routes.rs:"), "{message}");
    assert_eq!(by, "SIGTERM");
    assert!(events.is_sorted_by_key(|event| event.at));
}

#[test]
fn a_blocked_runtime_is_reported() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_SAMPLE_INTERVAL", "100ms")]);
    assert_eq!(server.get("/demo/hang?s=1").status, 200);
    let late = wait_for("the stall in the report", || {
        fetch_report(&server, OURS, "").0.system.runtime_delay_ms.filter(|late| *late >= 500)
    });
    assert!(late < 20_000, "{late}");
}
