//! Who gets the report of `GET /health`, and what is in it: the real binary, real sockets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use heapbeat_shared::event::EventKind;
use heapbeat_shared::signing::HEADER;
use heapbeat_shared::{Bytes, UnixMillis};
use heapbeat_test_support::owner::{nonce, now, report, secret, send};
use heapbeat_test_support::{Server, until};

const OURS: &str = "a secret of the owner's";
const BEFORE: &str = "the secret before this one";

#[test]
fn the_owner_gets_everything_since_the_last_time() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_MEMORY_LIMIT", "300MB")]);
    let (first, series) = until("two samples", || {
        let (report, series) = report(&server, OURS, "");
        (report.samples.count >= 2).then_some((report, series))
    });
    assert_eq!(first.limit.bytes, Bytes::from_mb(300));
    assert!(first.version.starts_with(env!("CARGO_PKG_VERSION")), "{}", first.version);
    assert!(first.started < first.now && first.now.since(first.started).as_secs() <= first.uptime + 2);
    assert_eq!(first.events[0].kind, EventKind::Started);
    let kernel = server.kernel("VmRSS");
    assert!(
        series.samples.iter().all(|sample| sample.rss.0.abs_diff(kernel) < 16 << 20),
        "{series:?} {kernel}"
    );
    assert!(first.system.runtime_stall_ms < Some(5000), "it beats, and nothing blocks: {:?}", first.system);
    assert!(first.system.heap_mapped > Some(Bytes::ZERO), "{:?}", first.system);
    assert!(first.system.threads > Some(1) && first.system.anon > Some(Bytes::ZERO), "{:?}", first.system);
    let cursor = first.cursor().unwrap();
    let (second, later) = until("a sample more", || {
        let (report, series) = report(&server, OURS, &format!("?after={cursor}"));
        (report.samples.count > 0).then_some((report, series))
    });
    assert_eq!(
        (second.instance, second.samples.first, second.samples.lost),
        (first.instance, cursor.sequence + 1, 0)
    );
    assert!(later.samples[0].at > series.samples.last().unwrap().at);
    assert!(later.samples.len() <= 3, "only what is new: {}", later.samples.len());
}

#[test]
fn everybody_else_gets_401_and_not_one_byte_of_it() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS)]);
    let sign = |with: &str, method: &str, target: &str, seconds: i64| {
        let at = UnixMillis(now().0 + seconds * 1000);
        secret(with).sign_request(method, target, at, nonce()).to_string()
    };
    let used = sign(OURS, "GET", "/health", 0);
    assert_eq!(send(&server, "GET", "/health", std::slice::from_ref(&used)).status, 200);
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
        ("two signatures", vec![good.clone(), good]),
        ("none at all", vec!["v1".to_owned()]),
        ("an empty one", vec![String::new()]),
    ];
    for (name, headers) in cases {
        let reply = send(&server, "GET", "/health", &headers);
        assert_eq!(reply.status, 401, "{name}");
        assert_eq!(reply.header(HEADER), None, "{name}");
        let told =
            r#"{"title":"Unauthorized","status":401,"detail":"the signature is not good here and now"}"#;
        assert_eq!(reply.text(), told, "{name}");
    }
    let public = send(&server, "GET", "/health", &[]);
    assert_eq!((public.status, public.header(HEADER)), (200, None));
    assert!(public.text().starts_with(r#"{"status":"healthy","memory":{"rss":"#) && public.body.len() < 150);
    server.said("a request for the report was refused: ");
    let warned = server.logged("a request for the report was refused: ");
    assert_eq!(warned.len(), 1, "the owner is told why, and a storm of them does not fill the log");
}

#[test]
fn two_secrets_are_good_while_one_is_replaced() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_SECRET_PREVIOUS", BEFORE)]);
    assert_eq!(report(&server, OURS, "").0.instance, report(&server, BEFORE, "").0.instance);
}

#[test]
fn without_a_secret_a_signature_changes_nothing() {
    let server = Server::start(&[]);
    let signature = secret(OURS).sign_request("GET", "/health", now(), nonce()).to_string();
    let reply = send(&server, "GET", "/health", &[signature]);
    assert_eq!((reply.status, reply.header(HEADER)), (200, None));
    assert!(reply.body.len() < 150, "{}", reply.text());
}

#[test]
fn what_happened_is_told() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_DRAIN_WINDOW", "20s")]);
    assert_eq!(server.get("/demo/panic").status, 500);
    server.signal("TERM");
    let events = until("the end to be told", || {
        let events = report(&server, OURS, "").0.events;
        matches!(events.last()?.kind, EventKind::Stop { .. }).then_some(events)
    });
    let kinds: Vec<&EventKind> = events.iter().map(|event| &event.kind).collect();
    let [EventKind::Started, EventKind::Panic { message }, EventKind::Stop { by }] = kinds[..] else {
        panic!("{events:?}")
    };
    assert!(message.starts_with("somebody asked for /demo/panic (server/demo/src/routes.rs:"), "{message}");
    assert_eq!(by, "SIGTERM");
    assert!(events.is_sorted_by_key(|event| event.at));
}

#[test]
fn a_blocked_runtime_is_told() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_SAMPLE_INTERVAL", "100ms")]);
    assert_eq!(server.get("/demo/hang?s=1").status, 200);
    let late = until("the block to be told", || {
        report(&server, OURS, "").0.system.runtime_stall_ms.filter(|late| *late >= 500)
    });
    assert!(late < 20_000, "{late}");
}
