//! The end, in order.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use heapbeat_test_support::{Server, reply, until};

/// Sends a request that takes `ms` and returns when the server has surely begun with it.
fn begin(server: &Server, ms: u64) -> TcpStream {
    let mut stream = server.connect();
    stream
        .write_all(format!("GET /demo/work?ms={ms}&kb=65536 HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes())
        .unwrap();
    until("the request to hold its memory", || (server.kernel("VmRSS") > 64 << 20).then_some(()));
    stream
}

#[test]
fn sigterm_lets_a_request_finish_and_exits_with_0() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
    let stream = begin(&server, 1500);
    server.signal("TERM");
    let answer = reply(&mut BufReader::new(stream), "GET").unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(server.wait().code(), Some(0));
    server.said("all requests in flight were finished");
}

#[test]
fn within_the_window_balancers_are_told_and_everybody_is_served() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "2s")]);
    assert_eq!(server.get("/health/ready").status, 200);
    let kept = server.connect();
    server.signal("TERM");
    let answer = until("readiness to turn", || {
        Some(server.get("/health/ready")).filter(|answer| answer.status == 503)
    });
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(server.health()["status"], "draining");
    assert_eq!(server.get("/health").status, 200, "alive as long as it can serve");
    assert_eq!(server.get("/demo/work?ms=1").status, 200, "a new connection is still taken");
    (&kept).write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let answer = reply(&mut BufReader::new(kept), "GET").unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "an old one is used up");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn idle_connections_do_not_hold_the_end_up() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
    let idle = server.connect();
    (&idle).write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    assert_eq!(reply(&mut BufReader::new(idle.try_clone().unwrap()), "GET").unwrap().status, 200);
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn what_takes_longer_than_the_drain_is_cut() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s"), ("HEAPBEAT_DRAIN_TIMEOUT", "500ms")]);
    let stream = begin(&server, 60_000);
    server.signal("TERM");
    assert!(reply(&mut BufReader::new(stream), "GET").is_none(), "no answer, as it was not finished");
    assert_eq!(server.wait().code(), Some(0));
    server.said("closing requests that are still in flight");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let mut server = Server::start(&[("HEAPBEAT_DRAIN_TIMEOUT", "1h")]);
        let stream = begin(&server, 60_000);
        server.signal(first);
        until("the first signal to be heard", || {
            (server.logged("finishing requests in flight").len() == 1).then_some(())
        });
        server.signal(second);
        assert_eq!(server.wait().code(), Some(0), "{first} {second}");
        assert!(reply(&mut BufReader::new(stream), "GET").is_none());
    }
}

#[test]
fn ctrl_c_does_not_wait_for_balancers() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "1h"), ("HEAPBEAT_DRAIN_TIMEOUT", "2h")]);
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
}
