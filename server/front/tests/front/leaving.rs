//! Clients that have gone keep nothing, whatever of what they sent is still unread.

use std::time::Duration;

use heapbeat_front::{FrontConfig, FrontLimits};

use crate::support::{Program, TestFront, ok, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const BEGUN: &str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc";

/// A program that never answers, and ends with its connections.
fn hanging() -> Program {
    Program::start(|mut peer| async move { drop(peer.rest().await) })
}

#[tokio::test]
async fn a_client_that_has_gone_keeps_no_request() {
    let limits = FrontLimits { max_connections: 2, ..FrontLimits::default() };
    let front = TestFront::start(FrontConfig { limits, ..FrontConfig::default() });
    let program = hanging();
    front.handle.activate(program.upstream(1));
    let cases = [
        GET.to_owned(),
        format!("{GET}{GET}"),
        UPGRADE.to_owned(),
        format!("{UPGRADE}{GET}"),
        BEGUN.to_owned(),
    ];
    for sent in cases {
        // More than there are permits.
        for _ in 0..3 {
            let mut client = front.connect().await;
            client.send(&sent).await;
            until("the request", || front.handle.in_flight(1) > 0).await;
            drop(client);
            until("its end", || front.handle.in_flight(1) == 0 && front.handle.statistics().in_flight == 0)
                .await;
        }
    }
}

#[tokio::test]
async fn clients_that_have_gone_do_not_wait_for_a_program() {
    let front = TestFront::start(FrontConfig::default());
    let mut client = front.connect().await;
    client.send(format!("{GET}{GET}")).await;
    until("the wait", || front.handle.statistics().held.now == 1).await;
    drop(client);
    until("its end", || front.handle.statistics().held.now == 0).await;
    let program = Program::named("hello");
    front.handle.activate(program.upstream(1));
    assert_eq!(front.request(GET).await.text(), "hello");
    assert_eq!(program.accepted(), 1, "nobody's request was sent");
}

#[tokio::test]
async fn what_a_client_sends_before_it_goes_arrives() {
    let program = Program::answering(|request| ok(&request.text()));
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await;
    client.send(GET).await;
    client.finish().await;
    // The first of two pipelined requests is answered, although nothing follows the second.
    assert_eq!(client.response().await.unwrap().text(), "abc");
}

#[tokio::test]
async fn a_body_has_a_least_rate() {
    let program = Program::answering(|request| ok(&request.text()));
    for (least_rate, expected) in [(1_000_000, 408), (0, 200)] {
        let front = TestFront::start(FrontConfig {
            limits: FrontLimits {
                body_timeout: Duration::from_millis(400),
                least_rate,
                ..FrontLimits::default()
            },
            ..FrontConfig::default()
        });
        front.handle.activate(program.upstream(1));
        let mut client = front.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").await;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            // The front may have answered already.
            client.try_send(b"a").await;
        }
        assert_eq!(
            client.response().await.unwrap().status(),
            expected,
            "at least {least_rate} bytes a second"
        );
    }
}

#[tokio::test]
async fn who_keeps_the_front_waiting_gives_way_when_connections_are_short() {
    let limits =
        FrontLimits { max_connections: 1, body_timeout: Duration::from_secs(3600), ..FrontLimits::default() };
    let front = TestFront::start(FrontConfig { limits, ..FrontConfig::default() });
    let program = Program::answering(|request| ok(&request.start));
    front.handle.activate(program.upstream(1));
    let mut slow = front.connect().await;
    slow.send(BEGUN).await;
    until("the slow request", || front.handle.statistics().in_flight == 1).await;
    assert_eq!(front.request(GET).await.status(), 503, "not at once");
    while front.request(GET).await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(slow.rest().await, b"");
}
