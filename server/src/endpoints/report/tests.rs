use heapbeat_shared::report::Report;
use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, RequestOrigin, Secret, SignedParts};
use heapbeat_shared::{InstanceId, UnixMillis};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;

use super::*;
use crate::config::HostNames;
use crate::config::{EdgeTimeout, Secrets};
use crate::dependency::{CheckDetails, CheckError, Dependencies, Dependency};
use crate::endpoints::known_hosts::KnownHosts;
use crate::flight_recorder::InstanceRecorder;
use crate::flight_recorder::directory::RecorderLocation;
use crate::instance::Instance;
use crate::sampling::Reading;

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
    let telemetry = Arc::new(Telemetry::new(
        clock,
        instance.clone(),
        None,
        Vec::new(),
        InstanceRecorder::ThisProcess,
        &first,
    ));
    let state = Arc::new(State::new(&first, dependencies));
    let edge = Arc::new(EdgeLiveness::new(EdgeTimeout::Auto, None, &instance));
    Arc::new(ReportHandler::new(
        state,
        telemetry,
        clock,
        Arc::new(RequestVerifier::new(
            secrets,
            KnownHosts::new(&HostNames::Auto, 8080, |_| None),
            &RecorderLocation::Memory,
        )),
        MetricsConfig::default(),
        Arc::default(),
        edge,
    ))
}

fn guarded() -> Arc<ReportHandler> {
    handler(Secrets { current: Some(ours()), previous: Some(secret("the secret before this one")) })
}

fn origin() -> RequestOrigin {
    "http://localhost:8080".parse().unwrap()
}

fn get<'r>(origin: &'r RequestOrigin, target: &'r str) -> SignedParts<'r> {
    SignedParts { method: "GET", origin, target }
}

fn nonce(number: u16) -> Nonce {
    let mut bytes = [0; NONCE_BYTES];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    Nonce(bytes)
}

#[tokio::test]
async fn only_health_itself_has_a_report() {
    let handler = guarded();
    for (number, endpoint) in (1..).zip([Endpoint::Live, Endpoint::Ready, Endpoint::Metrics]) {
        let path = endpoint.path();
        let mut request = Request::get(path).body(()).unwrap();
        let signature =
            ours().sign_request(get(&origin(), path), handler.clock.now().wall, nonce(number)).to_string();
        request.headers_mut().insert(HEADER, HeaderValue::from_str(&signature).unwrap());
        let response = handler.respond(endpoint, (&request).into()).await;
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
        let response = handler.respond(Endpoint::Ready, (&request).into()).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from_static("5"))
        );
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let signature =
        ours().sign_request(get(&origin(), "/health/ready"), handler.clock.now().wall, nonce(1)).to_string();
    let body: serde_json::Value = serde_json::from_slice(&ask(Some(signature)).await).unwrap();
    assert_eq!((&body["ready"], &body["status"]), (&false.into(), &"healthy".into()));
    let [database, queue] = &**body["dependencies"].as_array().unwrap() else { panic!("{body}") };
    assert_eq!((&database["name"], &database["ok"]), (&"database".into(), &false.into()));
    assert_eq!(database["error"], "no such host");
    assert_eq!((&queue["ok"], &queue["details"]["waiting"]), (&true.into(), &7.into()));
    assert!(queue.get("error").is_none());
    let stranger = ask(None).await;
    assert_eq!(stranger, handler.state().health(), "an unsigned request gets the body of /health");
}

#[tokio::test]
async fn only_requests_of_the_edge_count_as_visits() {
    let (own, other) = (ours(), secret("somebody else's secret"));
    let edge = concat!("heapbeat/0.1.0 (+", env!("CARGO_PKG_REPOSITORY"), ")");
    // name, the path, signed with, how the client calls itself; whether it is a visit
    let cases = [
        ("the edge", "/health", Some(&own), edge, true),
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
            let signature =
                with.sign_request(get(&origin(), target), handler.clock.now().wall, nonce(1)).to_string();
            request = request.header(HEADER, signature);
        }
        let endpoint = Endpoint::at(target.split('?').next().unwrap()).unwrap();
        handler.respond(endpoint, (&request.body(()).unwrap()).into()).await;
        assert_eq!(handler.edge.visits(handler.clock.now()).last.is_some(), visits, "{name}");
    }
}
