//! What `/health` says, and whether it is true.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use heapbeat_test_support::{Server, ask, connect, reply, until};
use serde_json::Value;

const MB: f64 = 1_048_576.0;

fn figure(health: &Value, name: &str) -> f64 {
    health["memory"][name].as_f64().unwrap()
}

#[test]
fn the_body_is_the_contracts_to_the_letter() {
    let server = Server::start(&[]);
    let answer = server.get("/health");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // Every number of the body replaced by an N: nothing may be added, left out or moved.
    let mut shape = String::new();
    for c in answer.text().chars() {
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
    // On one connection, so that a body sent by mistake would be taken for the next answer's head.
    for (method, status) in [("HEAD", 200), ("GET", 200), ("POST", 405), ("DELETE", 405), ("HEAD", 200)] {
        (&stream).write_all(format!("{method} /health HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes()).unwrap();
        let answer = reply(&mut reader, method).unwrap();
        assert_eq!(answer.status, status, "{method}");
        match status {
            200 => {
                assert!(answer.header("content-length").unwrap().parse::<usize>().unwrap() > 80, "{method}");
            }
            _ => assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method}"),
        }
    }
}

#[test]
fn rss_is_the_kernels_own() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms")]);
    for mb in [0, 100] {
        server.get(&format!("/demo/leak?mb={mb}"));
        let (told, kernel) = until("rss to be the kernel's", || {
            let (told, kernel) = (figure(&server.health(), "rss"), server.kernel("VmRSS") as f64 / MB);
            // Half a megabyte of rounding, and half of what moves between two looks.
            ((told - kernel).abs() <= 1.0).then_some((told, kernel))
        });
        assert!(told >= f64::from(mb), "{told} {kernel}");
    }
}

#[test]
fn what_is_held_shows_in_heap_used() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms")]);
    let before = server.health();
    assert_eq!(server.get("/demo/leak?mb=64").text(), r#"{"held_mb":64}"#);
    // A sample of a later second was read after the answer, so it cannot have seen half a leak.
    let leaked = server.health()["uptime"].as_u64();
    let after =
        until("a later sample", || Some(server.health()).filter(|health| health["uptime"].as_u64() > leaked));
    for name in ["heapUsed", "heapTotal", "rss"] {
        let grown = figure(&after, name) - figure(&before, name);
        assert!((62.0..=66.0).contains(&grown), "{name} grew by {grown} MB: {before} {after}");
    }
    assert!(figure(&after, "external") <= figure(&before, "external") + 2.0, "{before} {after}");
}

#[test]
fn uptime_counts_whole_seconds_from_the_start() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms")]);
    assert!(server.health()["uptime"].as_u64().unwrap() <= 5, "it has only just begun");
    until("two seconds", || (server.health()["uptime"].as_u64() >= Some(2)).then_some(()));
}

#[test]
fn both_families_are_answered() {
    let server = Server::start(&[]);
    for host in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let stream = connect(SocketAddr::new(host, server.port));
        let answer = ask(stream, "GET", b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[test]
fn a_panic_is_an_answer_and_the_server_lives_on() {
    let mut server = Server::start(&[]);
    let stream = server.connect();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..3 {
        (&stream).write_all(b"GET /demo/panic HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        let answer = reply(&mut reader, "GET").unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (500, Some("application/problem+json")));
        let told = r#"{"title":"Internal Server Error","status":500,"detail":"the handler of this request panicked"}"#;
        assert_eq!(answer.text(), told, "and not a word of what the panic said");
    }
    assert_eq!(server.get("/health").status, 200);
    assert!(server.is_running());
    let logged = until("three panics in the log", || {
        let logged = server.logged("somebody asked for /demo/panic");
        (logged.len() == 3).then_some(logged)
    });
    assert_eq!(logged[0]["exception.message"], "somebody asked for /demo/panic");
    assert!(logged[0]["code.file.path"].as_str().unwrap().ends_with("routes.rs"), "{}", logged[0]);
}

#[test]
fn a_wedged_runtime_does_not_blind_the_sampler() {
    let server = Server::start(&[("HEAPBEAT_SAMPLE_INTERVAL", "50ms"), ("HEAPBEAT_LOG_INTERVAL", "1s")]);
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/hang?s=60 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let lines = || server.logged("external").len();
    let before = lines();
    until("more lines of memory figures", || (lines() >= before + 3).then_some(()));
}
