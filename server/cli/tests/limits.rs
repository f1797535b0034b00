//! Limits on what a client may use, each tested with real connections.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use heapbeat_test_support::owner::fetch_report;
use heapbeat_test_support::{Server, read_response, send_request, wait_for};

/// Reads until the server closes the connection. Returns how long that took, and what was read.
fn read_until_closed(mut stream: TcpStream) -> (Duration, Vec<u8>) {
    let begun = Instant::now();
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server did not close"),
    }
    (begun.elapsed(), received)
}

#[test]
fn a_body_that_is_too_large_is_refused_with_413() {
    let server = Server::start(&[("HEAPBEAT_MAX_BODY", "64kB")]);
    let with_length = |length: usize| {
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
        ("exactly the limit", with_length(65_536), 200),
        ("one byte above the limit", with_length(65_537), 413),
        ("far above the limit", with_length(1 << 20), 413),
        ("exactly the limit, chunked", chunked(65_536), 200),
        ("above the limit, chunked", chunked(66_560), 413),
        ("far above the limit, chunked", chunked(1 << 20), 413),
    ];
    for (name, request, status) in cases {
        let response = send_request(server.connect(), "POST", &request);
        assert_eq!(response.status, status, "{name}");
        if status == 413 {
            let expected = r#"{"title":"Payload Too Large","status":413,"detail":"the request body is larger than 64.0 kB"}"#;
            assert_eq!(response.text(), expected, "{name}");
        }
    }
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(&[("HEAPBEAT_MAX_HEADER", "8kB")]);
    let head = |filler: usize| format!("GET / HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n", "y".repeat(filler));
    assert_eq!(send_request(server.connect(), "GET", head(7 << 10).as_bytes()).status, 200);
    assert_eq!(send_request(server.connect(), "GET", head(9 << 10).as_bytes()).status, 431);
    let many = format!("GET / HTTP/1.1\r\nhost: t\r\n{}\r\n", "x: y\r\n".repeat(101));
    assert_eq!(send_request(server.connect(), "GET", many.as_bytes()).status, 431);
}

#[test]
fn a_head_that_is_not_complete_in_time_closes_the_connection() {
    let server = Server::start(&[("HEAPBEAT_HEADER_TIMEOUT", "300ms")]);
    for sent in ["", "GET / HTTP/1.1\r\nhost: t\r\n"] {
        let mut stream = server.connect();
        stream.write_all(sent.as_bytes()).unwrap();
        let (after, received) = read_until_closed(stream);
        assert!(
            after > Duration::from_millis(200) && received.is_empty(),
            "{sent:?}: closed after {after:?}"
        );
    }
    // Single bytes do not extend the timeout.
    let mut stream = server.connect();
    let begun = Instant::now();
    wait_for("the slow connection to be closed", || stream.write_all(b"G").is_err().then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn an_idle_connection_is_closed_after_the_idle_timeout_not_the_header_timeout() {
    let server = Server::start(&[("HEAPBEAT_HEADER_TIMEOUT", "100ms"), ("HEAPBEAT_IDLE_TIMEOUT", "1s")]);
    let stream = server.connect();
    (&stream).write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut BufReader::new(stream.try_clone().unwrap()), "GET").unwrap().status, 200);
    let (after, _) = read_until_closed(stream);
    assert!(after > Duration::from_millis(700), "closed after {after:?}");
}

#[test]
fn a_body_that_stalls_is_answered_with_408() {
    let server = Server::start(&[("HEAPBEAT_BODY_TIMEOUT", "200ms")]);
    let request = b"POST /demo/echo HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nhalf";
    let response = send_request(server.connect(), "POST", request);
    assert_eq!((response.status, response.header("connection")), (408, Some("close")));
}

#[test]
fn a_handler_that_exceeds_the_request_timeout_is_dropped() {
    let server = Server::start(&[("HEAPBEAT_REQUEST_TIMEOUT", "200ms")]);
    let response = server.get("/demo/work?ms=60000");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("5")));
    assert_eq!(server.get("/demo/work?ms=1").status, 200);
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let server = Server::start(&[("HEAPBEAT_WRITE_TIMEOUT", "300ms"), ("HEAPBEAT_MAX_BODY", "64MB")]);
    let mut stream = server.connect();
    // The body is larger than the buffers of both sides.
    let length = 32 << 20;
    stream
        .write_all(
            format!("POST /demo/echo HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
        )
        .unwrap();
    stream.write_all(&vec![b'x'; length]).unwrap();
    wait_for("the connection to be closed", || (server.client_connections() == 0).then_some(()));
    let (_, received) = read_until_closed(stream);
    assert!(received.len() < length, "the response must be cut off");
}

#[test]
fn a_full_server_still_answers_health() {
    let server = Server::start(&[("HEAPBEAT_MAX_CONNECTIONS", "4"), ("HEAPBEAT_HEADER_TIMEOUT", "60s")]);
    let held: Vec<TcpStream> = (0..4).map(|_| server.connect()).collect();
    wait_for("all four connections to be accepted", || (server.client_connections() == 4).then_some(()));
    let refused = server.get("/");
    assert_eq!((refused.status, refused.header("connection")), (503, Some("close")));
    assert_eq!(server.get("/health").status, 200);
    // The connections reserved for /health cannot be held either: silent ones are closed within seconds.
    let silent: Vec<TcpStream> = (0..64).map(|_| server.connect()).collect();
    assert_eq!(server.get("/health").status, 200);
    drop((held, silent));
    wait_for("room for a connection", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn the_connection_limit_is_lowered_to_the_descriptor_limit() {
    let server = Server::start_through(
        &["sh", "-c", "ulimit -n 128 && exec \"$0\" \"$@\""],
        &[("PATH", "/usr/bin:/bin")],
    );
    let warned = server.wait_for_log("ulimit -n");
    assert_eq!(
        warned["message"],
        "accepting at most 32 connections instead of 1024: the system allows no more open files; raise it with ulimit -n"
    );
    let held: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    assert_eq!(server.get("/health").status, 200);
    assert!(server.log_events("cannot accept").is_empty());
    drop(held);
    wait_for("room for a connection", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn input_that_is_not_http_is_refused() {
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
        let (_, received) = read_until_closed(stream);
        assert!(
            received.is_empty() || received.starts_with(b"HTTP/1.1 4"),
            "{:?}",
            String::from_utf8_lossy(&received)
        );
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_request_over_its_memory_budget_is_aborted_with_507() {
    let server = Server::start(&[("HEAPBEAT_REQUEST_BUDGET", "8MB")]);
    let aborted = server.get("/demo/leak?mb=16");
    assert_eq!(aborted.status, 507);
    assert_eq!(aborted.text(), "This request exceeded its memory budget and was ended. Request less data.\n");
    assert_eq!(server.get("/demo/leak?mb=4").status, 200);
    let warning = server.wait_for_log("its budget is 8388608");
    assert_eq!((&warning["level"], &warning["route"]), (&"WARN".into(), &"GET /demo/leak".into()));
}

#[test]
fn without_attribution_no_memory_is_attributed_to_routes() {
    let variables = [("HEAPBEAT_ATTRIBUTION", "off"), ("HEAPBEAT_SECRET", "a secret of the owner's")];
    let server = Server::start(&variables);
    assert_eq!(server.get("/demo/leak?mb=64").status, 200);
    let (report, _) = fetch_report(&server, "a secret of the owner's", "");
    assert!(report.routes.iter().all(|route| route.route == "(untagged)"), "{:?}", report.routes);
}
