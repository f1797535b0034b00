use std::time::Duration;

use heapbeat_shared::report::Report;
use heapbeat_shared::signing::NONCE_BYTES;
use heapbeat_shared::{InstanceId, UnixMillis};
use http_body_util::BodyExt as _;

use super::*;
use crate::config::EdgeTimeout;
use crate::dependency::{CheckDetails, CheckError, Dependencies, Dependency};
use crate::instance::Instance;
use crate::sampling::Reading;

const NOW: Now = Now { wall: UnixMillis(1_767_225_600_500), age: Duration::from_secs(100) };

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn ours() -> Secret {
    secret("a secret of the owner's")
}

fn handler(secrets: Secrets) -> Arc<ReportHandler> {
    handler_with(secrets, Dependencies::default())
}

fn handler_with(secrets: Secrets, dependencies: Dependencies) -> Arc<ReportHandler> {
    let clock = Clock::of_this_process();
    let instance = Instance { id: InstanceId(7), version: "1".into(), started: UnixMillis(0) };
    let first = Reading::default();
    let telemetry = Arc::new(Telemetry::new(clock, instance.clone(), None, Vec::new(), &first));
    let state = Arc::new(State::new(&first, dependencies));
    let edge = Arc::new(EdgeLiveness::new(EdgeTimeout::Auto, None, &instance));
    Arc::new(ReportHandler::new(
        state,
        telemetry,
        clock,
        secrets,
        MetricsConfig::default(),
        Arc::default(),
        edge,
    ))
}

fn guarded() -> Arc<ReportHandler> {
    handler(Secrets { current: Some(ours()), previous: Some(secret("the secret before this one")) })
}

fn nonce(number: u16) -> Nonce {
    let mut bytes = [0; NONCE_BYTES];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    Nonce(bytes)
}

fn signed(with: &Secret, target: &str, number: u16) -> HeaderMap {
    let signature = with.sign_request("GET", target, NOW.wall, nonce(number)).to_string();
    HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_str(&signature).unwrap())])
}

fn admit(handler: &ReportHandler, target: &str, headers: &HeaderMap) -> Admission {
    handler.admit(&Method::GET, &target.parse().unwrap(), headers, NOW)
}

#[test]
fn each_secret_signs_its_own_response() {
    let handler = guarded();
    for (number, (index, with)) in (0..).zip([(0, ours()), (1, secret("the secret before this one"))]) {
        let admission = admit(&handler, "/health", &signed(&with, "/health", number));
        assert_eq!(admission, Admission::Owner { secret: index, nonce: nonce(number), after: None });
    }
    let stranger = admit(&handler, "/health", &signed(&secret("somebody else's secret"), "/health", 9));
    assert_eq!(stranger, Admission::Refused(SignatureError::Mismatch.into()));
}

#[test]
fn the_cursor_is_part_of_what_is_signed() {
    let handler = guarded();
    let target = "/health?x=1&after=00c0ffee00c0ffee-7";
    let after = "00c0ffee00c0ffee-7".parse().ok();
    let admission = admit(&handler, target, &signed(&ours(), target, 1));
    assert_eq!(admission, Admission::Owner { secret: 0, nonce: nonce(1), after });
    let moved = admit(&handler, "/health?after=00c0ffee00c0ffee-8", &signed(&ours(), target, 2));
    assert_eq!(moved, Admission::Refused(SignatureError::Mismatch.into()));
    let bad = admit(&handler, "/health?after=yesterday", &signed(&ours(), "/health?after=yesterday", 3));
    assert_eq!(bad, Admission::Refused(CursorError::Cursor.into()));
}

#[test]
fn without_a_signature_or_a_secret_requests_are_public() {
    assert_eq!(admit(&guarded(), "/health", &HeaderMap::new()), Admission::Public);
    let open = handler(Secrets::default());
    assert_eq!(admit(&open, "/health", &signed(&ours(), "/health", 1)), Admission::Public);
}

#[test]
fn anything_but_one_signature_is_refused() {
    let handler = guarded();
    let mut twice = signed(&ours(), "/health", 1);
    twice.append(HEADER, HeaderValue::from_static("v1"));
    let cases = [
        ("two of them", twice),
        ("empty", HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_static(""))])),
        (
            "not text",
            HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_bytes(&[0xff]).unwrap())]),
        ),
    ];
    for (name, headers) in cases {
        let admission = admit(&handler, "/health", &headers);
        assert_eq!(admission, Admission::Refused(SignatureError::Malformed.into()), "{name}");
    }
}

#[tokio::test]
async fn too_many_reports_get_429_and_wrong_signatures_401() {
    let handler = guarded();
    let most = u16::try_from(MAX_NONCES).unwrap();
    for number in 0..most {
        assert!(matches!(
            admit(&handler, "/health", &signed(&ours(), "/health", number)),
            Admission::Owner { .. }
        ));
    }
    let Admission::Refused(full) = admit(&handler, "/health", &signed(&ours(), "/health", most)) else {
        panic!("the nonces should be full")
    };
    let response = handler.refuse(&full, NOW);
    assert_eq!(
        (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
        (429, &HeaderValue::from_static("60"))
    );
    let replayed = admit(&handler, "/health", &signed(&ours(), "/health", 3));
    assert_eq!(replayed, Admission::Refused(SignatureError::from(NonceError::Replayed).into()));
}

#[tokio::test]
async fn only_health_itself_has_a_report() {
    let handler = guarded();
    for (number, endpoint) in (1..).zip([Endpoint::Live, Endpoint::Ready, Endpoint::Metrics]) {
        let path = endpoint.path();
        let mut request = Request::get(path).body(()).unwrap();
        let signature = ours().sign_request("GET", path, handler.clock.now().wall, nonce(number)).to_string();
        request.headers_mut().insert(HEADER, HeaderValue::from_str(&signature).unwrap());
        let response = handler.respond(endpoint, &request).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let signed = response.headers().contains_key(HEADER);
        assert_eq!(signed, endpoint != Endpoint::Live, "{path}: the response to a signed request is signed");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(Report::parse(&body).is_err(), "{path}");
    }
}

#[tokio::test]
async fn a_signed_request_learns_which_dependency_fails() {
    let broken = Dependency::new("database", || async { Err(CheckError::failed("no such host")) });
    let well = Dependency::new("queue", || async { Ok(CheckDetails::default().with("waiting", 7)) });
    let dependencies = Dependencies::new(vec![broken, well]).unwrap();
    let handler = handler_with(Secrets { current: Some(ours()), previous: None }, dependencies);
    let ask = async |signature: Option<String>| {
        let mut request = Request::get("/health/ready").body(()).unwrap();
        if let Some(signature) = signature {
            request.headers_mut().insert(HEADER, HeaderValue::from_str(&signature).unwrap());
        }
        let response = handler.respond(Endpoint::Ready, &request).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from_static("5"))
        );
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let signature =
        ours().sign_request("GET", "/health/ready", handler.clock.now().wall, nonce(1)).to_string();
    let body: serde_json::Value = serde_json::from_slice(&ask(Some(signature)).await).unwrap();
    assert_eq!((&body["ready"], &body["status"]), (&false.into(), &"healthy".into()));
    let [database, queue] = &**body["dependencies"].as_array().unwrap() else { panic!("{body}") };
    assert_eq!((&database["name"], &database["ok"]), (&"database".into(), &false.into()));
    assert_eq!(database["fault"], "no such host");
    assert_eq!((&queue["ok"], &queue["figures"]["waiting"]), (&true.into(), &7.into()));
    assert!(queue.get("fault").is_none());
    let stranger = ask(None).await;
    assert_eq!(stranger, handler.state().health(), "an unsigned request gets the body of /health");
}

#[tokio::test]
async fn only_requests_of_the_edge_count_as_visits() {
    let (own, other) = (ours(), secret("somebody else's secret"));
    // name, the path, signed with, how the client calls itself; whether it is a visit
    let cases = [
        ("the edge", "/health", Some(&own), "heapbeat/0.1.0 (+https://github.com/heapbeat/heapbeat)", true),
        ("the edge, after a cursor", "/health?after=0000000000000007-1", Some(&own), "", true),
        ("check-memory", "/health", Some(&own), "heapbeat-check-memory/1.2.3", false),
        ("a wrong signature", "/health", Some(&other), "", false),
        ("an unsigned request", "/health", None, "", false),
        ("a readiness check", "/health/ready", Some(&own), "", false),
        ("a wrong cursor", "/health?after=7", Some(&own), "", false),
    ];
    for (name, target, with, agent, visits) in cases {
        let handler = guarded();
        let mut request = Request::builder().uri(target).header(USER_AGENT, agent);
        if let Some(with) = with {
            let signature = with.sign_request("GET", target, handler.clock.now().wall, nonce(1)).to_string();
            request = request.header(HEADER, signature);
        }
        let endpoint = Endpoint::at(target.split('?').next().unwrap()).unwrap();
        handler.respond(endpoint, &request.body(()).unwrap()).await;
        assert_eq!(handler.edge.visits(handler.clock.now()).last.is_some(), visits, "{name}");
    }
}
