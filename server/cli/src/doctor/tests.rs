//! Deployments, and what is found.

use heapbeat_shared::report::Limit;
use heapbeat_shared::{Bytes, UnixMillis};
use serde_json::json;

use super::exit_code;
use super::findings::{Answers, EdgeAnswer, Level, ServerAnswer, ServerFailure, find, version_of};

/// 2026-01-01T00:00:00Z.
const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

fn server() -> ServerAnswer {
    ServerAnswer {
        target: "https://api.example.com/health".to_owned(),
        is_signed: true,
        note: None,
        rss: Bytes::from_mb(150),
        limit: Some(Limit { bytes: Bytes::from_mb(512), origin: "from the cgroup".to_owned() }),
        version: Some(format!("{} (abc)", env!("CARGO_PKG_VERSION"))),
        unavailable_sources: Vec::new(),
    }
}

fn failure(text: &str, status: Option<u16>) -> ServerFailure {
    ServerFailure { text: text.to_owned(), status }
}

fn edge(status: &serde_json::Value) -> Result<EdgeAnswer, String> {
    EdgeAnswer::parse("https://status.example.com/api/v1/status".to_owned(), status)
}

fn healthy() -> Answers {
    let status = json!({ "updated": "2025-12-31T23:59:00Z", "monitors": [{ "id": "api", "state": "up" }] });
    Answers {
        has_secret: true,
        skew_seconds: Some(0),
        server: Some(Ok(server())),
        edge: Some(edge(&status)),
        now: NOW,
    }
}

#[test]
fn a_healthy_deployment_is_fine() {
    let found = find(&healthy());
    assert!(found.iter().all(|finding| finding.level == Level::Fine), "{found:?}");
    assert_eq!(exit_code(&found), 0);
}

#[test]
fn a_version_that_is_not_stated_is_said_to_be_missing() {
    let unstated = ServerAnswer { version: Some("unknown".to_owned()), ..server() };
    let found = find(&Answers { server: Some(Ok(unstated)), ..healthy() });
    let version =
        found.iter().find(|finding| finding.text == "the server does not state its version").unwrap();
    assert_eq!(version.level, Level::Skipped);
    assert!(version.advice.unwrap().contains("RENDER_GIT_COMMIT"));
    assert_eq!(exit_code(&found), 0);
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let with_server = |change: fn(&mut ServerAnswer)| {
        let mut changed = server();
        change(&mut changed);
        Answers { server: Some(Ok(changed)), ..healthy() }
    };
    let with_edge = |status: serde_json::Value| Answers { edge: Some(edge(&status)), ..healthy() };
    let cases = [
        (
            "refused",
            Answers { server: Some(Err(failure("x does not answer: refused", None))), ..healthy() },
            Level::Problem,
            "x does not answer",
        ),
        (
            "clock",
            Answers { skew_seconds: Some(-75), ..healthy() },
            Level::Problem,
            "the clocks are 75 s apart",
        ),
        (
            "clock, a little",
            Answers { skew_seconds: Some(20), ..healthy() },
            Level::Warning,
            "the clocks are 20 s apart",
        ),
        (
            "another secret",
            with_server(|server| {
                (server.is_signed, server.note) = (false, Some("The server refused".to_owned()));
            }),
            Level::Problem,
            "The server refused",
        ),
        ("no limit", with_server(|server| server.limit = None), Level::Warning, "knows no memory limit"),
        (
            "a limit that nobody enforces",
            with_server(|server| {
                server.limit =
                    Some(Limit { bytes: Bytes::from_mb(1024), origin: "default cap; raise it".to_owned() });
            }),
            Level::Warning,
            "1.00 GB (default cap",
        ),
        (
            "another version",
            with_server(|server| server.version = Some("99.0.1".to_owned())),
            Level::Warning,
            "version 99.0.1",
        ),
        ("no edge", Answers { edge: None, ..healthy() }, Level::Skipped, "the edge was not checked"),
        (
            "an edge that does not answer",
            Answers { edge: Some(Err("y answered 404".to_owned())), ..healthy() },
            Level::Problem,
            "y answered 404",
        ),
        (
            "something else at the edge's address",
            with_edge(json!({ "ok": true })),
            Level::Problem,
            "is not the status of an edge",
        ),
        ("no cron", with_edge(json!({ "updated": null, "monitors": [] })), Level::Problem, "no tick yet"),
        (
            "an old tick",
            with_edge(json!({ "updated": "2025-12-31T23:00:00Z", "monitors": [] })),
            Level::Problem,
            "last tick was",
        ),
        (
            "down",
            with_edge(
                json!({ "updated": "2026-01-01T00:00:00Z", "monitors": [{ "id": "api", "state": "down", "reason": "timeout\u{1b}[2J" }] }),
            ),
            Level::Problem,
            "api is down (timeout[2J)",
        ),
        (
            "mistakes in the configuration",
            with_edge(
                json!({ "updated": "2026-01-01T00:00:00Z", "monitors": [{ "id": "a", "state": "up" }], "edge": { "config_problems": 2 } }),
            ),
            Level::Warning,
            "2 problems",
        ),
    ];
    for (name, answers, level, text) in cases {
        let found = find(&answers);
        let worst = found.iter().max_by_key(|finding| finding.level).unwrap();
        assert_eq!(worst.level, level, "{name}: {found:?}");
        let named = found.iter().find(|finding| finding.text.contains(text));
        assert!(
            named.is_some_and(|finding| finding.level == level && finding.advice.is_some()),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn a_refused_signature_is_traced_to_the_secret_or_to_the_name_of_the_server() {
    let refused = ServerAnswer { is_signed: false, note: Some("refused".to_owned()), ..server() };
    let found = find(&Answers { server: Some(Ok(refused)), ..healthy() });
    let advice =
        found.iter().find_map(|finding| finding.advice.filter(|_| finding.level == Level::Problem)).unwrap();
    assert!(advice.contains("HEAPBEAT_SECRET") && advice.contains("HEAPBEAT_HOSTS"), "{advice}");
}

#[test]
fn the_version_of_an_application_is_not_compared() {
    let answers = Answers {
        server: Some(Ok(ServerAnswer { version: Some("3f2a91c".to_owned()), ..server() })),
        ..healthy()
    };
    assert_eq!(exit_code(&find(&answers)), 0);
}

#[test]
fn an_edge_of_another_version_is_named() {
    for (version, expected) in [("99.1.0", 1), (env!("CARGO_PKG_VERSION"), 0)] {
        let mut answers = healthy();
        let Some(Ok(edge)) = &mut answers.edge else { panic!("it has an edge") };
        edge.version = version_of(&json!({ "info": { "version": version } }));
        let found = find(&answers);
        assert_eq!(exit_code(&found), expected, "{found:?}");
        let text = format!("the edge is version {version}, and this program {}", env!("CARGO_PKG_VERSION"));
        assert!(found.iter().any(|finding| finding.text == text), "{found:?}");
    }
}

#[test]
fn a_server_that_answers_an_error_is_not_searched_at_another_address() {
    for (status, expected) in [
        (Some(503), "the address answers"),
        (Some(404), "check the address: it"),
        (None, "listens on that port"),
    ] {
        let found = find(&Answers { server: Some(Err(failure("x answered", status))), ..healthy() });
        let advice = found.iter().find_map(|finding| finding.advice).unwrap();
        assert!(advice.contains(expected), "{status:?}: {advice}");
    }
}

#[test]
fn many_monitors_take_one_line_for_each_state_and_reason() {
    let mut monitors: Vec<_> = (0..300)
        .map(|index| json!({ "id": format!("m{index}"), "state": "unobserved", "reason": "DNS lookup failed" }))
        .collect();
    monitors.push(json!({ "id": "shop", "state": "down", "reason": "HTTP status 503" }));
    monitors.push(json!({ "id": "api", "state": "up" }));
    monitors.push(json!({ "id": "web", "state": "up" }));
    let status = json!({ "updated": "2025-12-31T23:59:00Z", "monitors": monitors });
    let found = find(&Answers { edge: Some(edge(&status)), ..healthy() });
    let texts: Vec<&str> = found.iter().map(|it| it.text.as_str()).filter(|it| it.contains("says")).collect();
    let expected = [
        "the edge says that api and web are up",
        "the edge says that m0, m1, m2, m3, m4, m5, m6, m7 and 292 more are unobserved (DNS lookup failed)",
        "the edge says that shop is down (HTTP status 503)",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn what_an_edge_says_is_bounded_and_nothing_that_is_down_is_left_out_unsaid() {
    let monitors = |last: &str| -> Vec<_> {
        let state = |index| if index == 39 { last } else { "degraded" };
        (0..40)
            .map(|index| json!({ "id": "m", "state": state(index), "reason": index.to_string() }))
            .collect()
    };
    for (last, level) in [("degraded", Level::Warning), ("down", Level::Problem)] {
        let status = json!({ "updated": "2025-12-31T23:59:00Z", "monitors": monitors(last) });
        let found = find(&Answers { edge: Some(edge(&status)), ..healthy() });
        let said = found.iter().filter(|it| it.text.starts_with("the edge says")).count();
        let rest = found.iter().find(|it| it.text.starts_with("the edge gives")).unwrap();
        assert_eq!((said, rest.level), (24, level), "{found:?}");
        assert_eq!(rest.text, "the edge gives 16 more monitors other states or reasons");
    }
}
