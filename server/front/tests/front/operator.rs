//! Operator routes are answered whatever state the program and the connections are in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use heapbeat_front::{FrontConfig, FrontLimits, OperatorResponse, OperatorRoutes};
use http::Response;
use http::request::Parts;
use http_body_util::Full;

use crate::support::{Program, TestFront, until};

pub(crate) struct Health;

impl OperatorRoutes for Health {
    fn serves(&self, request: &Parts) -> bool {
        request.uri.path() == "/health"
    }

    fn respond(&self, request: &Parts) -> Option<OperatorResponse> {
        (request.uri.path() == "/health").then(|| {
            Box::pin(async { Response::new(Full::new(Bytes::from_static(b"healthy"))) }) as OperatorResponse
        })
    }
}

/// Routes whose code has a mistake.
struct Broken;

impl OperatorRoutes for Broken {
    fn serves(&self, request: &Parts) -> bool {
        request.uri.path() == "/broken"
    }

    fn respond(&self, request: &Parts) -> Option<OperatorResponse> {
        assert_ne!(request.uri.path(), "/broken", "this test wants it");
        None
    }
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
const OTHER: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn health_needs_no_program_and_is_never_shed() {
    let front = TestFront::with_routes(FrontConfig::default(), Arc::new(Health));
    assert_eq!(front.request(HEALTH).await.text(), "healthy", "no program");
    let hanging = Program::start(|mut peer| async move { drop(peer.rest().await) });
    front.handle.activate(hanging.upstream(1));
    let mut hung = front.connect().await;
    hung.send(OTHER).await;
    until("a request", || front.handle.in_flight(1) == 1).await;
    front.handle.shed(1000);
    assert_eq!(front.request(HEALTH).await.text(), "healthy", "a program that hangs, and shedding");
    assert_eq!(front.request(OTHER).await.status(), 503);
    let ambiguous = "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n";
    assert_eq!(front.request(ambiguous).await.status(), 400);
}

#[tokio::test]
async fn a_panic_ends_the_connection_of_its_request_and_nothing_else() {
    let front = TestFront::with_routes(FrontConfig::default(), Arc::new(Broken));
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    let mut other = front.connect().await;
    other.send(OTHER).await;
    assert_eq!(other.response().await.unwrap().text(), "hello");
    let mut broken = front.connect().await;
    broken.send("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(broken.rest().await, b"");
    other.send(OTHER).await;
    assert_eq!(other.response().await.unwrap().text(), "hello");
    until("the memory of both", || front.handle.statistics().memory <= 60 << 10).await;
    assert!(!front.is_stopped());
}

#[tokio::test]
async fn requests_that_wait_leave_a_reserve_for_health() {
    let limits = FrontLimits { max_connections: 2, ..FrontLimits::default() };
    let front = TestFront::with_routes(FrontConfig { limits, ..FrontConfig::default() }, Arc::new(Health));
    let mut waiting = Vec::new();
    for number in 1..=2 {
        let mut client = front.connect().await;
        client.send(OTHER).await;
        until("a wait", || front.handle.statistics().held.now == number).await;
        waiting.push(client);
    }
    // More than the reserve has places.
    for _ in 0..40 {
        assert_eq!(front.request(OTHER).await.status(), 503, "at once");
    }
    assert_eq!(front.request(HEALTH).await.text(), "healthy");
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    for client in &mut waiting {
        assert_eq!(client.response().await.unwrap().text(), "hello");
    }
}

#[tokio::test]
async fn busy_connections_leave_a_reserve_for_health() {
    let limits = FrontLimits { max_connections: 3, ..FrontLimits::default() };
    let front = TestFront::with_routes(FrontConfig { limits, ..FrontConfig::default() }, Arc::new(Health));
    let hanging = Program::start(|mut peer| async move { drop(peer.rest().await) });
    front.handle.activate(hanging.upstream(1));
    let mut busy = Vec::new();
    for number in 1..=3 {
        let mut client = front.connect().await;
        client.send(OTHER).await;
        until("a request", || front.handle.in_flight(1) == number).await;
        busy.push(client);
    }
    for _ in 0..3 {
        let health = front.request(HEALTH).await;
        assert_eq!((health.text().as_str(), health.header("connection")), ("healthy", Some("close")));
        assert_eq!(front.request(OTHER).await.status(), 503);
    }
}

/// The limit is far below the number of connections, so that they have to give way.
#[tokio::test]
async fn health_is_answered_under_thousands_of_idle_connections() {
    let limits = FrontLimits { max_connections: 2000, ..FrontLimits::default() };
    let front = TestFront::with_routes(FrontConfig { limits, ..FrontConfig::default() }, Arc::new(Health));
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    let mut idle = Vec::new();
    for number in 0..5000 {
        let mut client = front.connect().await;
        if number % 100 == 0 {
            client.send(OTHER).await;
        }
        idle.push(client);
    }
    // Other tests run at the same time, so the best of three counts.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let asked = Instant::now();
        assert_eq!(front.request(HEALTH).await.text(), "healthy");
        assert_eq!(front.request(OTHER).await.text(), "hello");
        best = best.min(asked.elapsed());
    }
    assert!(best < Duration::from_secs(2), "{best:?}");
}

#[tokio::test]
async fn silent_connections_do_not_keep_the_reserve() {
    let limits = FrontLimits { max_connections: 1, ..FrontLimits::default() };
    let front = TestFront::with_routes(FrontConfig { limits, ..FrontConfig::default() }, Arc::new(Health));
    let hanging = Program::start(|mut peer| async move { drop(peer.rest().await) });
    front.handle.activate(hanging.upstream(1));
    let mut busy = front.connect().await;
    busy.send(OTHER).await;
    until("a request", || front.handle.in_flight(1) == 1).await;
    let mut silent = Vec::new();
    for number in 0..300 {
        let mut client = front.connect().await;
        if number % 2 == 0 {
            client.send("GET /hea").await;
        }
        silent.push(client);
    }
    let began = Instant::now();
    assert_eq!(front.request(HEALTH).await.text(), "healthy");
    // Without eviction, 32 of them pass every two seconds: 18 s.
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}
