//! Upgrades: after 101, bytes are tunnelled.

use heapbeat_front::FrontConfig;

use crate::support::{Peer, Program, TestFront, ok, until};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n";

/// Accepts an upgrade, and greets at once.
async fn accept_upgrade(peer: &mut Peer) {
    let head = peer.head().await.unwrap();
    assert_eq!((head.header("upgrade"), head.header("connection")), (Some("websocket"), Some("upgrade")));
    peer.send(format!("{SWITCHING}welcome")).await;
}

async fn open_tunnel(front: &TestFront) -> Peer {
    let mut client = front.connect().await;
    client.send(UPGRADE).await;
    let head = client.head().await.unwrap();
    assert_eq!((head.status(), head.header("upgrade")), (101, Some("websocket")));
    assert_eq!(
        (head.header("connection"), head.header("sec-websocket-accept")),
        (Some("upgrade"), Some("a"))
    );
    assert_eq!(client.exactly(7).await.unwrap(), b"welcome");
    client
}

#[tokio::test]
async fn bytes_are_tunnelled_until_both_sides_have_ended() {
    let program = Program::start(|mut peer| async move {
        accept_upgrade(&mut peer).await;
        while let Some(part) = peer.exactly(4).await {
            peer.send(part).await;
        }
        // The client has ended its direction; this one is still open.
        peer.send("goodbye").await;
    });
    let front = TestFront::before(&program);
    let mut client = open_tunnel(&front).await;
    for part in ["GET ", "\0\r\n\r", "\n\n\n\n"] {
        client.send(part).await;
        assert_eq!(client.exactly(4).await.unwrap(), part.as_bytes());
    }
    assert_eq!((front.handle.in_flight(1), front.handle.statistics().in_flight), (1, 1));
    client.finish().await;
    assert_eq!(client.rest().await, b"goodbye");
    until("the end of the tunnel", || front.handle.in_flight(1) == 0).await;
}

#[tokio::test]
async fn the_program_may_end_its_direction_first() {
    let program = Program::start(|mut peer| async move {
        accept_upgrade(&mut peer).await;
        peer.finish().await;
        assert_eq!(peer.rest().await, b"still sending");
    });
    let front = TestFront::before(&program);
    let mut client = open_tunnel(&front).await;
    assert_eq!(client.rest().await, b"");
    client.send("still sending").await;
    client.finish().await;
    until("the end of the tunnel", || front.handle.in_flight(1) == 0).await;
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_response() {
    let program = Program::answering(|request| ok(&request.start));
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    // Sent at once: what follows waits until it is clear that it is a request.
    client.send(format!("{UPGRADE}GET /next HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert_eq!(client.response().await.unwrap().text(), "GET /ws HTTP/1.1");
    assert_eq!(client.response().await.unwrap().text(), "GET /next HTTP/1.1");
    client.send("GET /bad HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.response().await.unwrap().status(), 400, "requests after it are still checked");
}

#[tokio::test]
async fn http_2_is_not_tunnelled() {
    let program = Program::answering(|request| ok(&format!("{:?}", request.header("upgrade"))));
    let front = TestFront::before(&program);
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n";
    assert_eq!(front.request(request).await.text(), "None");
}

#[tokio::test]
async fn a_switch_that_nobody_wanted_is_a_bad_gateway() {
    let program = Program::start(|mut peer| async move {
        peer.request().await.unwrap();
        peer.send(SWITCHING).await;
        peer.rest().await;
    });
    let front = TestFront::before(&program);
    assert_eq!(front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status(), 502);
}

#[tokio::test]
async fn tunnels_outlive_a_switch_until_their_copy_is_aborted() {
    let echo = |mut peer: Peer| async move {
        accept_upgrade(&mut peer).await;
        while let Some(part) = peer.exactly(4).await {
            peer.send(part).await;
        }
    };
    let (old, new) = (Program::start(echo), Program::start(echo));
    let front = TestFront::start(FrontConfig::default());
    front.handle.activate(old.upstream(1));
    let mut first = open_tunnel(&front).await;
    front.handle.activate(new.upstream(2));
    front.handle.drain(1);
    let mut second = open_tunnel(&front).await;
    for client in [&mut first, &mut second] {
        client.send("ping").await;
        assert_eq!(client.exactly(4).await.unwrap(), b"ping");
    }
    assert_eq!((front.handle.in_flight(1), front.handle.in_flight(2)), (1, 1));
    assert_eq!(front.handle.unfinished(1), [], "the request itself was answered");
    front.handle.abort(1);
    assert_eq!(first.rest().await, b"", "closed cleanly");
    until("the end of the tunnel", || front.handle.in_flight(1) == 0).await;
    second.send("ping").await;
    assert_eq!(second.exactly(4).await.unwrap(), b"ping");
}

#[tokio::test]
async fn the_answer_to_an_earlier_request_does_not_answer_an_upgrade() {
    let program = Program::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.header("upgrade").is_some() {
                peer.send(format!("{SWITCHING}welcome")).await;
                assert_eq!(peer.exactly(4).await.unwrap(), b"\0\0\0\0");
                return;
            }
            peer.send(ok("first")).await;
        }
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nHost: x\r\n\r\n{UPGRADE}")).await;
    assert_eq!(client.response().await.unwrap().text(), "first");
    assert_eq!(client.head().await.unwrap().status(), 101);
    assert_eq!(client.exactly(7).await.unwrap(), b"welcome");
    client.send("\0\0\0\0").await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_request_with_a_body_does_not_become_the_tunnel_of_the_next() {
    let program = Program::answering(|request| ok(&format!("{:?}", request.header("upgrade"))));
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    let with_body = "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\na";
    client.send(format!("{with_body}{UPGRADE}")).await;
    assert_eq!(client.response().await.unwrap().text(), "None");
    assert_eq!(client.response().await.unwrap().text(), "Some(\"websocket\")");
}
