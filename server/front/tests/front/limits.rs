//! Limits on clients, each against something that would hold memory at no cost.

use std::time::Duration;

use heapbeat_front::{FrontConfig, FrontLimits, Priorities, Priority};

use crate::support::{Program, TestFront, ok, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn front_with(limits: FrontLimits) -> TestFront {
    TestFront::start(FrontConfig { limits, ..FrontConfig::default() })
}

#[tokio::test]
async fn slow_clients_are_dropped() {
    let short = Duration::from_millis(100);
    let front =
        front_with(FrontLimits { header_timeout: short, idle_timeout: short, ..FrontLimits::default() });
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    let mut silent = front.connect().await;
    assert_eq!(silent.rest().await, b"", "a connection without a request");
    let mut slow = front.connect().await;
    slow.send("GET / HT").await;
    assert_eq!(slow.rest().await, b"", "a head that does not end");
    let mut idle = front.connect().await;
    idle.send(GET).await;
    assert_eq!(idle.response().await.unwrap().text(), "hello");
    assert_eq!(idle.rest().await, b"", "a connection without a second request");
}

#[tokio::test]
async fn bodies_have_limits() {
    let front = front_with(FrontLimits {
        body_timeout: Duration::from_millis(100),
        max_body: Some(10),
        ..FrontLimits::default()
    });
    let program = Program::answering(|request| ok(&request.text()));
    front.handle.activate(program.upstream(1));
    let cases = [
        ("Content-Length: 10\r\n\r\n0123456789", 200),
        ("Content-Length: 11\r\n\r\n01234567890", 413),
        ("Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n", 200),
        ("Transfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n", 413),
        ("Content-Length: 5\r\n\r\n123", 408),
    ];
    for (rest, status) in cases {
        let response = front.request(&format!("POST / HTTP/1.1\r\nHost: x\r\n{rest}")).await;
        assert_eq!(response.status(), status, "{rest:?}");
    }
}

#[tokio::test]
async fn a_program_that_does_not_answer_times_out_if_wanted() {
    let program = Program::start(|mut peer| async move { drop(peer.rest().await) });
    let front = front_with(FrontLimits {
        response_timeout: Some(Duration::from_millis(100)),
        ..FrontLimits::default()
    });
    front.handle.activate(program.upstream(1));
    assert_eq!(front.request(GET).await.status(), 504);
    assert_eq!(front.handle.statistics().failed, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_slows_the_program_down() {
    let program = Program::start(|mut peer| async move {
        peer.request().await.unwrap();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = format!("10000\r\n{}\r\n", "a".repeat(65_536));
        // Ends only if the connection is closed; a front that buffers would take everything.
        while peer.try_send(chunk.as_bytes()).await {}
    });
    let front =
        front_with(FrontLimits { write_timeout: Duration::from_millis(200), ..FrontLimits::default() });
    front.handle.activate(program.upstream(1));
    let mut client = front.connect().await;
    client.send(GET).await;
    client.head().await.unwrap();
    until("the end", || front.handle.in_flight(1) == 0 && front.handle.statistics().in_flight == 0).await;
}

#[tokio::test]
async fn a_refused_upload_can_read_why() {
    let front = front_with(FrontLimits { max_body: Some(10), ..FrontLimits::default() });
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n").await;
    client.send("a".repeat(3_000_000)).await;
    assert_eq!(client.response().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_share_of_requests_is_shed_by_priority() {
    let mut priorities = Priorities::default();
    priorities.add("/checkout", Priority::High).unwrap();
    priorities.add("/report/{id}", Priority::Low).unwrap();
    let front = TestFront::start(FrontConfig { priorities, ..FrontConfig::default() });
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    front.handle.shed(500);
    let mut client = front.connect().await;
    for (path, refused) in [("/", 10), ("/checkout", 0), ("/report/7", 20)] {
        let mut statuses = Vec::new();
        for _ in 0..20 {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            let response = client.response().await.unwrap();
            if response.status() == 503 {
                assert_eq!(response.header("retry-after"), Some("5"));
            }
            statuses.push(response.status());
        }
        assert_eq!(statuses.iter().filter(|status| **status == 503).count(), refused, "{path}");
    }
    front.handle.shed(0);
    client.send(GET).await;
    assert_eq!(client.response().await.unwrap().status(), 200);
    assert_eq!(front.handle.statistics().shed, 30);
}

#[tokio::test]
async fn requests_are_counted_by_pattern() {
    let program = Program::answering(|request| {
        let missing = request.start.contains("missing");
        let status = if missing { "404 Not Found" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")
    });
    let front = TestFront::before(&program);
    for path in ["/users/1", "/users/2?a=b", "/missing"] {
        front.request(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    }
    until("the last end", || front.handle.statistics().in_flight == 0).await;
    let statistics = front.handle.statistics();
    let routes: Vec<(&str, &str, [u64; 6])> = statistics
        .routes
        .iter()
        .map(|route| (route.method, route.pattern.as_str(), route.outcomes))
        .collect();
    assert_eq!(routes, [("GET", "/users/:id", [0, 2, 0, 0, 0, 0]), ("GET", "other", [0, 0, 0, 1, 0, 0])]);
    assert_eq!((statistics.latency.iter().sum::<u64>(), statistics.active), (3, vec![1]));
}
