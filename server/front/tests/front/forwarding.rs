//! Requests and responses on their way through.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heapbeat_front::{Front, FrontConfig, NoOperatorRoutes};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::{Message, Peer, Program, TestFront, ok, soon, until};

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let program = Program::named("hello");
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    for _ in 0..5 {
        client.send("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(client.response().await.unwrap().text(), "hello");
    }
    assert_eq!(program.accepted(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let program = Program::answering(|request| ok(request.start.split(' ').nth(1).unwrap()));
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    let chunked = "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let sized = "POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    client
        .send(format!("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n{chunked}{sized}GET /4 HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    for path in ["/1", "/2", "/3", "/4"] {
        assert_eq!(client.response().await.unwrap().text(), path);
    }
}

#[tokio::test]
async fn the_program_learns_who_its_client_is() {
    let program = Program::answering(|request| ok(&format!("{request:?}")));
    let front = TestFront::before(&program);
    let response = front
        .request("GET http://Shop.example/p?q HTTP/1.1\r\nHost: shop.example\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        .await
        .text();
    for part in [
        "GET /p?q HTTP/1.1",
        "(\"host\", \"shop.example\")",
        "(\"x-forwarded-for\", \"1.2.3.4, 127.0.0.1\")",
        "(\"x-forwarded-proto\", \"http\")",
        "(\"forwarded\", \"for=127.0.0.1;host=\\\"shop.example\\\";proto=http\")",
    ] {
        assert!(response.contains(part), "{part} is missing in {response}");
    }
    assert!(!response.contains("x-hop"), "{response}");
}

#[tokio::test]
async fn a_program_on_a_unix_socket_is_reached_by_ipv6_clients() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start_unix(&directory.path().join("socket"), |mut peer| async move {
        while peer.request().await.is_some() {
            peer.send(ok("unix")).await;
        }
    });
    let listeners = ["127.0.0.1:0", "[::1]:0"].map(|address| TcpListener::bind(address).unwrap());
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let front = Front::start(FrontConfig::default(), listeners.into(), Arc::new(NoOperatorRoutes)).unwrap();
    front.handle().activate(program.upstream(1));
    for address in addresses {
        let mut client = Peer::new(TcpStream::connect(address).await.unwrap());
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(client.response().await.unwrap().text(), "unix", "{address}");
    }
    assert_eq!(program.accepted(), 1);
}

/// Client and program take turns, so any buffering on the way would stop both.
#[tokio::test]
async fn bodies_stream_in_both_directions_at_once() {
    let program = Program::start(|mut peer| async move {
        peer.head().await.unwrap();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for _ in 0..20 {
            let chunk = peer.exactly(10).await.unwrap();
            assert_eq!(chunk, b"5\r\nhello\r\n");
            peer.send("3\r\nyes\r\n").await;
        }
        assert_eq!(peer.exactly(5).await.unwrap(), b"0\r\n\r\n");
        peer.send("0\r\n\r\n").await;
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.head().await.unwrap();
    for _ in 0..20 {
        client.send("5\r\nhello\r\n").await;
        assert_eq!(client.exactly(8).await.unwrap(), b"3\r\nyes\r\n");
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.exactly(5).await.unwrap(), b"0\r\n\r\n");
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let (next, events) = mpsc::channel::<String>(1);
    let events = Arc::new(tokio::sync::Mutex::new(events));
    let program = Program::start(move |mut peer| {
        let events = Arc::clone(&events);
        async move {
            peer.head().await.unwrap();
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
            while let Some(event) = events.lock().await.recv().await {
                peer.send(event).await;
            }
        }
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap().header("content-type"), Some("text/event-stream"));
    for number in 0..3 {
        next.send(format!("data: {number}\n\n")).await.unwrap();
        assert!(client.through(&format!("data: {number}\n\n")).await.is_some());
    }
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let program = Program::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        assert_eq!(request.trailers, [("x-sum".to_owned(), "7".to_owned())]);
        assert_eq!(request.header("te"), Some("trailers"));
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-took\r\n\r\n2\r\nok\r\n0\r\nX-Took: 3\r\n\r\n").await;
        peer.rest().await;
    });
    let front = TestFront::before(&program);
    let response = front
        .request("POST / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n")
        .await;
    assert_eq!(
        (response.text(), response.trailers),
        ("ok".to_owned(), vec![("x-took".to_owned(), "3".to_owned())])
    );
}

#[tokio::test]
async fn the_program_decides_whether_an_expected_body_is_sent() {
    let program = Program::start(|mut peer| async move {
        while let Some(head) = peer.head().await {
            assert_eq!(head.header("expect"), Some("100-continue"));
            if head.start.contains("/refused") {
                peer.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").await;
                assert_eq!(peer.rest().await, b"", "no byte of the body");
                return;
            }
            peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            assert_eq!(peer.exactly(4).await.unwrap(), b"body");
            peer.send(ok("taken")).await;
        }
    });
    let front = TestFront::before(&program);
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    };
    let mut client = front.connect().await;
    client.send(head("/taken")).await;
    assert_eq!(client.head().await.unwrap().start, "HTTP/1.1 100 Continue");
    client.send("body").await;
    assert_eq!(client.response().await.unwrap().text(), "taken");
    client.send(head("/refused")).await;
    assert_eq!(client.head().await.unwrap().status(), 417, "without 100 Continue before it");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_along() {
    let (to, mut from) = mpsc::unbounded_channel();
    let program = Program::start(move |mut peer| {
        let to = to.clone();
        async move {
            let head = peer.head().await.unwrap();
            if head.start.contains("/streaming") {
                peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
            }
            to.send("request").unwrap();
            peer.rest().await;
            to.send("gone").unwrap();
        }
    });
    let front = TestFront::before(&program);
    for path in ["/waiting", "/streaming"] {
        let mut client = front.connect().await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(soon("the request", from.recv()).await, Some("request"));
        assert_eq!(front.handle.in_flight(1), 1);
        if path == "/streaming" {
            client.head().await.unwrap();
        }
        drop(client);
        assert_eq!(soon("the end of the request", from.recv()).await, Some("gone"), "{path}");
        until("nothing in flight", || front.handle.statistics().in_flight == 0).await;
    }
    let aborted: u64 = front.handle.statistics().routes.iter().map(|route| route.outcomes[5]).sum();
    assert_eq!(aborted, 1, "the one that had no response yet");
}

#[tokio::test]
async fn a_response_that_breaks_off_breaks_off_for_the_client() {
    let program = Program::start(|mut peer| async move {
        let head = peer.head().await.unwrap();
        let framing =
            if head.start.contains("/sized") { "Content-Length: 100" } else { "Transfer-Encoding: chunked" };
        peer.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n3\r\nabc\r\n")).await;
    });
    let front = TestFront::before(&program);
    for path in ["/sized", "/chunked"] {
        let mut client = front.connect().await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap().status(), 200);
        let rest = String::from_utf8(client.rest().await).unwrap();
        assert!(rest.contains("abc") && !rest.ends_with("0\r\n\r\n"), "{path}: {rest:?}");
    }
}

#[tokio::test]
async fn responses_without_a_body_keep_their_headers() {
    let program = Program::start(|mut peer| async move {
        while let Some(request) = peer.request().await {
            let status = request.start.split('/').nth(1).unwrap().split(' ').next().unwrap().to_owned();
            let head = match status.as_str() {
                "200" => "200 OK\r\nContent-Length: 1234",
                "204" => "204 No Content\r\nX-A: b",
                "304" => "304 Not Modified\r\nContent-Length: 1234\r\nETag: \"x\"",
                _ => "404 Not Found\r\nTransfer-Encoding: chunked",
            };
            peer.send(format!("HTTP/1.1 {head}\r\n\r\n")).await;
        }
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    let cases = [
        ("HEAD /200", 200, Some("1234")),
        ("GET /204", 204, None),
        // RFC 9110 8.6 allows a length here, and hyper writes none.
        ("GET /304", 304, None),
        ("HEAD /404", 404, None),
    ];
    for (line, status, length) in cases {
        client.send(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status(), head.header("content-length")), (status, length), "{line}");
    }
    // A connection that announced a body which must not come is not used again; only that of the 204 is.
    assert_eq!(program.accepted(), 3);
}

#[tokio::test]
async fn clients_and_programs_of_http_1_0_are_served() {
    let program = Program::start(|mut peer| async move {
        peer.request().await.unwrap();
        peer.send("HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\nuntil the end").await;
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let head: Message = client.head().await.unwrap();
    assert_eq!((head.status(), head.header("transfer-encoding")), (200, None));
    assert_eq!(client.rest().await, b"until the end");
    let response = front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (response.header("transfer-encoding"), response.text().as_str()),
        (Some("chunked"), "until the end")
    );
}

/// After a second the front keeps only the socket of an idle connection.
#[tokio::test]
async fn a_connection_that_was_idle_serves_again() {
    let program = Program::named("hello");
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    for _ in 0..2 {
        client
            .send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
            .await;
        assert_eq!(client.response().await.unwrap().text(), "hello");
        let answered = Instant::now();
        until("the buffers to be dropped", || answered.elapsed() > Duration::from_millis(1200)).await;
    }
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.response().await.unwrap().status(), 400, "requests are still checked, and counted");
}

#[tokio::test]
async fn what_arrives_late_is_no_answer_to_the_next_client() {
    // Programs that send a body where HTTP has none, a moment after the head.
    let cases = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 48\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ];
    for (method, head) in cases {
        let program = Program::start(move |mut peer| async move {
            while let Some(request) = peer.request().await {
                if !request.start.contains("/broken") {
                    peer.try_send(ok("right").as_bytes()).await;
                    continue;
                }
                peer.send(head).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                peer.try_send(ok("wrong").as_bytes()).await;
            }
        });
        let front = TestFront::before(&program);
        let mut first = front.connect().await;
        first.send(format!("{method} /broken HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(first.head().await.is_some());
        for _ in 0..3 {
            assert_eq!(front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.text(), "right", "{head:?}");
        }
    }
}

#[tokio::test]
async fn bytes_behind_a_response_end_its_connection() {
    let program = Program::answering(|request| match request.start.as_str() {
        "GET /broken HTTP/1.1" => format!("{}{}", ok("first"), ok("wrong")),
        _ => ok("right"),
    });
    let front = TestFront::before(&program);
    assert_eq!(front.request("GET /broken HTTP/1.1\r\nHost: x\r\n\r\n").await.text(), "first");
    assert_eq!(front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.text(), "right");
    assert_eq!(program.accepted(), 2);
}

#[tokio::test]
async fn http_1_0_without_a_host_gets_one() {
    let program =
        Program::answering(|request| ok(&format!("{} {:?}", request.start, request.header("host"))));
    let front = TestFront::before(&program);
    assert_eq!(front.request("GET / HTTP/1.0\r\n\r\n").await.text(), "GET / HTTP/1.1 Some(\"localhost\")");
}
