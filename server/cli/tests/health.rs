//! `GET /health`: its format, and its figures compared with the kernel's.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use heapbeat_test_support::{Server, connect, read_response, send_request, wait_for};
use serde_json::Value;

const MB: f64 = 1_048_576.0;

fn memory_figure(health: &Value, name: &str) -> f64 {
    health["memory"][name].as_f64().unwrap()
}

#[test]
fn the_body_has_exactly_the_documented_format() {
    let server = Server::start(&[]);
    let response = server.get("/health");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    // Every number is replaced by an N, so that nothing may be added, omitted or reordered.
    let mut shape = String::new();
    for c in response.text().chars() {
        match c {
            '0'..='9' if shape.ends_with('N') => {}
            '0'..='9' => shape.push('N'),
            c => shape.push(c),
        }
    }
    let contract =
        r#"{"status":"healthy","memory":{"rss":N,"heapUsed":N,"heapTotal":N,"external":N},"uptime":N}"#;
    assert_eq!(shape, contract);
    assert_eq!(server.get("/health/live").status, 200);
    assert_eq!(server.get("/health/ready").status, 200);
    assert_eq!(server.get("/health?after=1").status, 200);
    assert_eq!(server.get("/healthy").status, 404);
}

#[test]
fn head_has_no_body_and_other_methods_are_refused() {
    let server = Server::start(&[]);
    let stream = server.connect();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    // All requests use one connection, so that a body of a HEAD response would be read as the head of the next response.
    for (method, status) in [("HEAD", 200), ("GET", 200), ("POST", 405), ("DELETE", 405), ("HEAD", 200)] {
        (&stream).write_all(format!("{method} /health HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes()).unwrap();
        let response = read_response(&mut reader, method).unwrap();
        assert_eq!(response.status, status, "{method}");
        match status {
            200 => {
                assert!(
                    response.header("content-length").unwrap().parse::<usize>().unwrap() > 80,
                    "{method}"
                );
            }
            _ => assert_eq!(response.header("allow"), Some("GET, HEAD"), "{method}"),
        }
    }
}

#[test]
fn rss_equals_the_kernels_figure() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms")]);
    for mb in [0, 100] {
        server.get(&format!("/demo/leak?mb={mb}"));
        let (reported, kernel) = wait_for("rss to equal the kernel's figure", || {
            let (reported, kernel) =
                (memory_figure(&server.health(), "rss"), server.proc_status("VmRSS") as f64 / MB);
            // The tolerance covers rounding and a change between two samples, half a megabyte each.
            ((reported - kernel).abs() <= 1.0).then_some((reported, kernel))
        });
        assert!(reported >= f64::from(mb), "{reported} {kernel}");
    }
}

#[test]
fn leaked_memory_is_reported_as_heap_used() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms")]);
    let before = server.health();
    assert_eq!(server.get("/demo/leak?mb=64").text(), r#"{"held_mb":64}"#);
    // A sample of a later second was taken after the response, so it includes the whole leak.
    let leaked = server.health()["uptime"].as_u64();
    let after = wait_for("a later sample", || {
        Some(server.health()).filter(|health| health["uptime"].as_u64() > leaked)
    });
    // The first request also touches pages of the program that were not resident before.
    for (name, most) in [("heapUsed", 66.0), ("heapTotal", 66.0), ("rss", 72.0)] {
        let grown = memory_figure(&after, name) - memory_figure(&before, name);
        assert!((62.0..=most).contains(&grown), "{name} grew by {grown} MB: {before} {after}");
    }
    assert!(
        memory_figure(&after, "external") <= memory_figure(&before, "external") + 2.0,
        "{before} {after}"
    );
}

#[test]
fn uptime_counts_whole_seconds_from_the_start() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms")]);
    assert!(server.health()["uptime"].as_u64().unwrap() <= 5, "the server has just started");
    wait_for("two seconds", || (server.health()["uptime"].as_u64() >= Some(2)).then_some(()));
}

#[test]
fn ipv4_and_ipv6_are_answered() {
    let server = Server::start(&[]);
    for host in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let stream = connect(SocketAddr::new(host, server.port));
        let response =
            send_request(stream, "GET", b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        assert_eq!(response.status, 200, "{host}");
    }
}

#[test]
fn a_panic_is_answered_with_500_and_the_server_keeps_running() {
    let mut server = Server::start(&[]);
    let stream = server.connect();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        (&stream).write_all(b"GET /demo/panic HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        let response = read_response(&mut reader, "GET").unwrap();
        assert_eq!(
            (response.status, response.header("content-type")),
            (500, Some("application/problem+json"))
        );
        let expected = r#"{"title":"Internal Server Error","status":500,"detail":"the handler of this request panicked"}"#;
        assert_eq!(response.text(), expected, "the response must not contain the panic message");
    }
    assert_eq!(server.get("/health").status, 200);
    assert!(server.is_running());
    let logged = wait_for("three panics in the log", || {
        let logged = server.log_events("requested by /demo/panic");
        (logged.len() == 3).then_some(logged)
    });
    assert_eq!(logged[0]["exception.message"], "requested by /demo/panic");
    assert!(logged[0]["code.file.path"].as_str().unwrap().ends_with("routes.rs"), "{}", logged[0]);
}

#[test]
fn a_blocked_runtime_does_not_stop_the_sampler() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms"), ("HEAPBEAT_LOG_INTERVAL", "1s")]);
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/hang?s=60 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let logged_figures = || server.log_events("external").len();
    let before = logged_figures();
    wait_for("three more memory figures in the log", || (logged_figures() >= before + 3).then_some(()));
}
