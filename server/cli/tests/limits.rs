//! What a client may cost: every bound, tried over the wire.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use heapbeat_test_support::owner::report;
use heapbeat_test_support::{Server, ask, reply, until};

/// Reads until the server closes the connection, and says how long that took and what came.
fn closed(mut stream: TcpStream) -> (Duration, Vec<u8>) {
    let begun = Instant::now();
    let mut got = Vec::new();
    match stream.read_to_end(&mut got) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server did not close"),
    }
    (begun.elapsed(), got)
}

#[test]
fn a_body_that_is_too_large_is_refused_however_it_comes() {
    let server = Server::start(&[("HEAPBEAT_MAX_BODY", "64kB")]);
    let announced = |length: usize| {
        let mut request =
            format!("POST /demo/echo HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n").into_bytes();
        request.resize(request.len() + length, b'x');
        request
    };
    let chunked = |length: usize| {
        let mut request =
            b"POST /demo/echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..length / 1024 {
            request.extend(b"400\r\n");
            request.resize(request.len() + 1024, b'x');
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        request
    };
    let cases = [
        ("just small enough", announced(65_536), 200),
        ("a byte too many", announced(65_537), 413),
        ("much too large", announced(1 << 20), 413),
        ("just small enough, in pieces", chunked(65_536), 200),
        ("too large, in pieces", chunked(66_560), 413),
        ("much too large, in pieces", chunked(1 << 20), 413),
    ];
    for (name, request, status) in cases {
        let answer = ask(server.connect(), "POST", &request);
        assert_eq!(answer.status, status, "{name}");
        if status == 413 {
            let told = r#"{"title":"Payload Too Large","status":413,"detail":"the request's body is larger than 64.0 kB"}"#;
            assert_eq!(answer.text(), told, "{name}");
        }
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(&[("HEAPBEAT_MAX_HEADER", "8kB")]);
    let head = |filler: usize| format!("GET / HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n", "y".repeat(filler));
    assert_eq!(ask(server.connect(), "GET", head(7 << 10).as_bytes()).status, 200);
    assert_eq!(ask(server.connect(), "GET", head(9 << 10).as_bytes()).status, 431);
    let many = format!("GET / HTTP/1.1\r\nhost: t\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert_eq!(ask(server.connect(), "GET", many.as_bytes()).status, 431);
}

#[test]
fn a_head_that_does_not_end_is_not_waited_for() {
    let server = Server::start(&[("HEAPBEAT_HEADER_TIMEOUT", "300ms")]);
    for sent in ["", "GET / HTTP/1.1\r\nhost: t\r\n"] {
        let mut stream = server.connect();
        stream.write_all(sent.as_bytes()).unwrap();
        let (after, got) = closed(stream);
        assert!(after > Duration::from_millis(200) && got.is_empty(), "{sent:?}: closed after {after:?}");
    }
    // One byte now and then does not buy time.
    let mut stream = server.connect();
    let begun = Instant::now();
    until("the drip to be cut", || stream.write_all(b"G").is_err().then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_connection_may_rest_longer_than_a_head_may_take_but_not_for_ever() {
    let server = Server::start(&[("HEAPBEAT_HEADER_TIMEOUT", "100ms"), ("HEAPBEAT_IDLE_TIMEOUT", "1s")]);
    let stream = server.connect();
    (&stream).write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    assert_eq!(reply(&mut BufReader::new(stream.try_clone().unwrap()), "GET").unwrap().status, 200);
    let (after, _) = closed(stream);
    assert!(after > Duration::from_millis(700), "closed after {after:?}");
}

#[test]
fn a_body_that_stops_coming_is_answered_with_408() {
    let server = Server::start(&[("HEAPBEAT_BODY_TIMEOUT", "200ms")]);
    let request = b"POST /demo/echo HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhalf";
    let answer = ask(server.connect(), "POST", request);
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
}

#[test]
fn a_handler_that_takes_too_long_is_dropped() {
    let server = Server::start(&[("HEAPBEAT_REQUEST_TIMEOUT", "200ms")]);
    let answer = server.get("/demo/work?ms=60000");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(server.get("/demo/work?ms=1").status, 200);
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let server = Server::start(&[("HEAPBEAT_WRITE_TIMEOUT", "300ms"), ("HEAPBEAT_MAX_BODY", "64MB")]);
    let mut stream = server.connect();
    // More than the buffers of both sides hold.
    let length = 32 << 20;
    stream
        .write_all(
            format!("POST /demo/echo HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
        )
        .unwrap();
    stream.write_all(&vec![b'x'; length]).unwrap();
    until("the connection to be given up", || (server.clients() == 0).then_some(()));
    let (_, got) = closed(stream);
    assert!(got.len() < length, "the answer was cut, not finished");
}

#[test]
fn a_full_server_still_says_how_it_is() {
    let server = Server::start(&[("HEAPBEAT_MAX_CONNECTIONS", "4"), ("HEAPBEAT_HEADER_TIMEOUT", "60s")]);
    let held: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
    until("all four to be taken", || (server.clients() == 4).then_some(()));
    let refused = server.get("/");
    assert_eq!((refused.status, refused.header("connection")), (503, Some("close")));
    assert_eq!(server.get("/health").status, 200);
    // Nor can the reserve be held: silent connections in it are closed within seconds.
    let silent: Vec<TcpStream> = (0..64).map(|_| server.connect()).collect();
    assert_eq!(server.get("/health").status, 200);
    drop((held, silent));
    until("a place for everybody again", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn a_server_with_few_descriptors_does_not_run_out_of_them() {
    let server =
        Server::start_by(&["sh", "-c", "ulimit -n 128 && exec \"$0\" \"$@\""], &[("PATH", "/usr/bin:/bin")]);
    let warned = server.said("ulimit -n");
    assert_eq!(
        warned["message"],
        "at most 32 connections instead of 1024: the system allows no more open files (ulimit -n)"
    );
    let held: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    assert_eq!(server.get("/health").status, 200);
    assert!(server.logged("cannot accept").is_empty());
    drop(held);
    until("a place for everybody again", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn what_is_no_http_hurts_nobody() {
    let server = Server::start(&[]);
    let cases: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: t\r\ncontent-length: x\r\n\r\n",
        b"POST /demo/echo HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\0\0\0\0\r\n\r\n",
    ];
    for bytes in cases {
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let (_, got) = closed(stream);
        assert!(got.is_empty() || got.starts_with(b"HTTP/1.1 4"), "{:?}", String::from_utf8_lossy(&got));
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_request_that_allocates_too_much_is_ended_and_the_server_lives() {
    let server = Server::start(&[("HEAPBEAT_REQUEST_BUDGET", "8MB")]);
    let over = server.get("/demo/leak?mb=16");
    assert_eq!(over.status, 507);
    assert_eq!(over.text(), "This request needed more memory than it may use and was ended. Ask for less.\n");
    assert_eq!(server.get("/demo/leak?mb=4").status, 200);
    let told = server.said("its budget is 8388608");
    assert_eq!((&told["level"], &told["route"]), (&"WARN".into(), &"GET /demo/leak".into()));
}

#[test]
fn without_attribution_nothing_is_booked() {
    let variables = [("HEAPBEAT_ATTRIBUTION", "off"), ("HEAPBEAT_SECRET", "a secret of the owner's")];
    let server = Server::start(&variables);
    assert_eq!(server.get("/demo/leak?mb=64").status, 200);
    let (report, _) = report(&server, "a secret of the owner's", "");
    assert!(report.routes.iter().all(|route| route.route == "(untagged)"), "{:?}", report.routes);
}
