//! What requests take of memory is counted and bounded; requests that wait, and clients that are slow, take none.

use std::sync::Arc;
use std::time::Duration;

use heapbeat_front::{FrontConfig, FrontLimits, HoldLimits};

use crate::operator::Health;
use crate::support::{Peer, Program, TestFront, ok, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A head of nearly 16 kB and the beginning of a body.
fn large() -> String {
    let headers: Vec<String> = (0..60).map(|number| format!("X{number}: {}\r\n", "y".repeat(240))).collect();
    let headers = headers.concat();
    format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 200000\r\n\r\n{}", "z".repeat(60_000))
}

/// A front that has room for two requests with small heads.
fn small_front(hold: Duration) -> TestFront {
    let limits = FrontLimits { memory: 110 << 10, ..FrontLimits::default() };
    let hold = HoldLimits { time: hold, ..HoldLimits::default() };
    TestFront::with_routes(FrontConfig { limits, hold, ..FrontConfig::default() }, Arc::new(Health))
}

async fn connect_all(front: &TestFront, count: usize, request: &str) -> Vec<Peer> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = front.connect().await;
        // A part of a large body may find no room in the kernel's buffers.
        let _ = tokio::time::timeout(Duration::from_millis(20), client.try_send(request.as_bytes())).await;
        clients.push(client);
    }
    clients
}

#[tokio::test]
async fn requests_that_wait_for_the_program_take_no_memory() {
    let front = TestFront::start(FrontConfig::default());
    let mut clients = connect_all(&front, 100, GET).await;
    clients.extend(connect_all(&front, 20, &large()).await);
    until("all of them", || front.handle.statistics().held.now == 120).await;
    let statistics = front.handle.statistics();
    assert_eq!((statistics.memory, statistics.in_flight), (0, 120));
    let program = Program::start(|mut peer| async move {
        while let Some(request) = peer.head().await {
            let body = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            peer.exactly(body).await;
            peer.send(ok("hello")).await;
        }
    });
    front.handle.activate(program.upstream(1));
    for (index, client) in clients.iter_mut().enumerate() {
        if index >= 100 {
            client.send("z".repeat(140_000)).await;
        }
        assert_eq!(client.response().await.unwrap().text(), "hello");
    }
    drop(clients);
    until("the end", || front.handle.statistics().memory == 0).await;
}

#[tokio::test]
async fn slow_heads_take_no_memory_and_are_read_when_they_are_whole() {
    let program = Program::answering(|request| ok(&request.start));
    let front = TestFront::before(&program);
    let mut clients = connect_all(&front, 50, "\r\nGET /a HTTP/1.1\r\nHo").await;
    let mut whole = front.connect().await;
    whole.send("GET /b HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n").await;
    assert_eq!(whole.response().await.unwrap().text(), "GET /b HTTP/1.1");
    until("its end", || front.handle.statistics().memory == 0).await;
    for client in &mut clients {
        client.send("st: x\r").await;
    }
    for client in &mut clients {
        client.send("\n\r\n").await;
        assert_eq!(client.response().await.unwrap().text(), "GET /a HTTP/1.1");
    }
}

#[tokio::test]
async fn further_requests_wait_for_room_and_health_does_not() {
    let (finish, permission) = tokio::sync::watch::channel(false);
    let program = Program::start(move |mut peer| {
        let mut permission = permission.clone();
        async move {
            while peer.request().await.is_some() {
                permission.wait_for(|finish| *finish).await.unwrap();
                peer.send(ok("hello")).await;
            }
        }
    });
    let front = small_front(Duration::from_secs(15));
    front.handle.activate(program.upstream(1));
    let mut clients = connect_all(&front, 6, GET).await;
    until("the wait", || front.handle.statistics().in_flight == 6).await;
    until("two of them", || front.handle.in_flight(1) == 2).await;
    let statistics = front.handle.statistics();
    assert!(statistics.memory <= 110 << 10 && statistics.held.now == 4, "{statistics:?}");
    assert_eq!(front.request("GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.text(), "healthy");
    finish.send_replace(true);
    for client in &mut clients {
        assert_eq!(client.response().await.unwrap().text(), "hello");
    }
}

#[tokio::test]
async fn a_request_that_finds_no_room_in_time_is_told_so() {
    let hanging = Program::start(|mut peer| async move { drop(peer.rest().await) });
    let front = small_front(Duration::from_millis(200));
    front.handle.activate(hanging.upstream(1));
    let _clients = connect_all(&front, 2, GET).await;
    until("both", || front.handle.in_flight(1) == 2).await;
    let refused = front.request(GET).await;
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("5")));
    assert!(
        refused.text().contains("more requests are in flight than there is memory for"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn who_waits_for_its_client_gives_its_room_to_others() {
    let program = Program::start(|mut peer| async move {
        while let Some(request) = peer.head().await {
            if request.start.contains("/large") {
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
                let chunk = format!("10000\r\n{}\r\n", "a".repeat(65_536));
                while peer.try_send(chunk.as_bytes()).await {}
                return;
            }
            peer.send(ok("hello")).await;
        }
    });
    let front = small_front(Duration::from_secs(15));
    front.handle.activate(program.upstream(1));
    // Nobody reads these.
    let mut stalled = connect_all(&front, 2, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    for client in &mut stalled {
        client.head().await.unwrap();
    }
    until("both", || front.handle.in_flight(1) == 2).await;
    assert_eq!(front.request(GET).await.text(), "hello");
}

#[tokio::test]
async fn idle_connections_give_their_room_to_others_and_stay_open() {
    let program = Program::named("hello");
    let front = small_front(Duration::from_secs(15));
    front.handle.activate(program.upstream(1));
    let mut clients = connect_all(&front, 5, GET).await;
    // Each has had a request, and there is room for two.
    for _ in 0..3 {
        for client in &mut clients {
            assert_eq!(client.response().await.unwrap().text(), "hello");
        }
        for client in &mut clients {
            client.send(GET).await;
        }
    }
    for client in &mut clients {
        assert_eq!(client.response().await.unwrap().text(), "hello", "on the same connection");
    }
}
