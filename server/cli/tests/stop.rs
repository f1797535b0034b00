//! Graceful shutdown.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use heapbeat_test_support::{Server, heapbeat_command, poll_for, read_response, wait_for};

/// Sends a request that takes `ms` milliseconds, and returns once its handler holds its memory.
fn begin_request(server: &Server, ms: u64) -> TcpStream {
    let mut stream = server.connect();
    stream
        .write_all(format!("GET /demo/work?ms={ms}&kb=65536 HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes())
        .unwrap();
    wait_for("the request to hold its memory", || (server.proc_status("VmRSS") > 64 << 20).then_some(()));
    stream
}

#[test]
fn sigterm_lets_a_request_finish_and_exits_with_0() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
    let stream = begin_request(&server, 1500);
    server.send_signal("TERM");
    let response = read_response(&mut BufReader::new(stream), "GET").unwrap();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    assert_eq!(server.wait().code(), Some(0));
    server.wait_for_log("all requests in flight were finished");
}

/// Requests that arrive between the opening of the port and the worker's readiness wait in the kernel's queue. A stop at that time is no reason
/// to reset them.
#[test]
fn requests_that_arrived_before_the_worker_was_ready_are_served_by_a_stop() {
    for (signal, window) in [("TERM", "0s"), ("INT", "0s"), ("TERM", "1s"), ("INT", "1s")] {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port().to_string();
        drop(free);
        let address = format!("127.0.0.1:{port}");
        let variables = [("HEAPBEAT_DRAIN_WINDOW", window), ("PORT", &port), ("HEAPBEAT_FLIGHT_DIR", "off")];
        let mut server = Server::spawn(heapbeat_command(&["serve", "--host", "127.0.0.1"], &variables));
        let first = poll_for(Duration::from_secs(30), || TcpStream::connect(&address).ok()).unwrap();
        let waiting: Vec<TcpStream> =
            [Ok(first), TcpStream::connect(&address)].into_iter().map(Result::unwrap).collect();
        for mut stream in &waiting {
            stream.write_all(b"GET /health/live HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        }
        server.send_signal(signal);
        for stream in waiting {
            let response = read_response(&mut BufReader::new(stream), "GET");
            assert_eq!(response.map(|response| response.status), Some(200), "{signal} {window}");
        }
        assert_eq!(server.wait().code(), Some(0), "{signal} {window}");
    }
}

#[test]
fn during_the_drain_window_readiness_fails_and_requests_are_served() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "2s")]);
    assert_eq!(server.get("/health/ready").status, 200);
    let kept = server.connect();
    server.send_signal("TERM");
    let response = wait_for("readiness to fail", || {
        Some(server.get("/health/ready")).filter(|response| response.status == 503)
    });
    assert_eq!(response.header("retry-after"), Some("5"));
    assert_eq!(server.health()["status"], "draining");
    assert_eq!(server.get("/health").status, 200, "the server is live as long as it can serve");
    assert_eq!(server.get("/demo/work?ms=1").status, 200, "new connections are still accepted");
    (&kept).write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let response = read_response(&mut BufReader::new(kept), "GET").unwrap();
    assert_eq!(
        (response.status, response.header("connection")),
        (200, Some("close")),
        "a kept connection is closed after its response"
    );
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn idle_connections_do_not_delay_the_exit() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
    let idle = server.connect();
    (&idle).write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut BufReader::new(idle.try_clone().unwrap()), "GET").unwrap().status, 200);
    let begun = Instant::now();
    server.send_signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn requests_longer_than_the_drain_timeout_are_aborted() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s"), ("HEAPBEAT_DRAIN_TIMEOUT", "500ms")]);
    let stream = begin_request(&server, 60_000);
    server.send_signal("TERM");
    assert!(
        read_response(&mut BufReader::new(stream), "GET").is_none(),
        "an aborted request gets no response"
    );
    assert_eq!(server.wait().code(), Some(0));
    server.wait_for_log("closing requests that are still in flight");
}

#[test]
fn a_second_signal_exits_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let mut server = Server::start(&[("HEAPBEAT_DRAIN_TIMEOUT", "1h")]);
        let stream = begin_request(&server, 60_000);
        server.send_signal(first);
        wait_for("the first signal in the log", || {
            (server.log_events("finishing requests in flight").len() == 1).then_some(())
        });
        // Twice at once is one request to stop: one that comes later is needed.
        let mut stream = BufReader::new(stream);
        let ended = thread::spawn(move || read_response(&mut stream, "GET").is_none());
        wait_for("the end of the request", || {
            server.send_signal(second);
            ended.is_finished().then_some(())
        });
        assert_eq!(server.wait().code(), Some(0), "{first} {second}");
        assert!(ended.join().unwrap());
    }
}

#[test]
fn ctrl_c_skips_the_drain_window() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "1h"), ("HEAPBEAT_DRAIN_TIMEOUT", "2h")]);
    server.send_signal("INT");
    assert_eq!(server.wait().code(), Some(0));
}
