//! The webhook alert when the edge no longer requests the signed report.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use heapbeat_test_support::owner::fetch_report;
use heapbeat_test_support::{DEADLINE, Server, send_request, wait_for};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

const OURS: &str = "a secret of the owner's";
const TOKEN: &str = "the-secret-part-of-the-address";

/// One received alert.
#[derive(Debug, PartialEq)]
struct Alert {
    key: String,
    body: Value,
}

/// Binds a port that refuses connections until the socket listens.
fn bind_without_listening() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Receives alerts, and responds to them with `statuses`, then with 204. A request that is not an alert ends the receiver.
fn receive_alerts(socket: Socket, statuses: &'static [&'static str]) -> Receiver<Alert> {
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let (alerts, received) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            stream.get_ref().set_read_timeout(Some(DEADLINE)).unwrap();
            let Some(alert) = read_alert(&mut stream) else { return };
            let status = statuses.get(number).unwrap_or(&"204 No Content");
            let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(response.as_bytes()).unwrap();
            if alerts.send(alert).is_err() {
                return;
            }
        }
    });
    received
}

/// Reads one request, and checks it against the format of `docs/monitoring-the-edge.md`.
fn read_alert(stream: &mut BufReader<std::net::TcpStream>) -> Option<Alert> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        if line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    assert_eq!(head[0], format!("POST /hooks/{TOKEN} HTTP/1.1"));
    let header = |name: &str| {
        head.iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    assert_eq!(header("content-type").unwrap(), "application/json");
    let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = [
        "at", "event", "incident", "instance", "key", "monitor", "name", "severity", "since", "text",
        "title", "version",
    ];
    assert_eq!(fields, expected);
    assert!(body.as_object().unwrap().values().all(Value::is_string), "{body}");
    Some(Alert { key: header("idempotency-key").unwrap(), body })
}

/// Starts a server that alerts after one second without a signed request. Its webhook receiver does not listen yet.
fn start_with_webhook(more: &[(&str, &str)]) -> (Server, Socket) {
    let (socket, address) = bind_without_listening();
    let webhook = format!("http://{address}/hooks/{TOKEN}");
    let settings = [
        ("HEAPBEAT_SECRET", OURS),
        ("HEAPBEAT_SAMPLE_INTERVAL", "50ms"),
        ("HEAPBEAT_EDGE_TIMEOUT", "1s"),
        ("HEAPBEAT_ALERT_WEBHOOK", &webhook),
    ];
    (Server::start(&[&settings, more].concat()), socket)
}

#[test]
fn alerts_reach_a_receiver_that_was_down_and_so_do_recoveries() {
    let (server, socket) = start_with_webhook(&[("HEAPBEAT_LOG", "trace")]);
    fetch_report(&server, OURS, "");
    server.wait_for_log("cannot deliver an alert to HEAPBEAT_ALERT_WEBHOOK: connection refused");
    assert_eq!(server.get("/health").status, 200, "requests do not wait for the webhook");

    let received = receive_alerts(socket, &["503 Service Unavailable"]);
    let next = || received.recv_timeout(DEADLINE).unwrap();
    let (refused, accepted) = (next(), next());
    assert_eq!(refused, accepted, "the alert must be repeated with the same key");
    server.wait_for_log("an alert was delivered");
    let (first, _) = fetch_report(&server, OURS, "");
    let body = &accepted.body;
    assert_eq!(
        (&body["event"], &body["severity"], &body["monitor"]),
        (&"opened".into(), &"warning".into(), &"edge".into())
    );
    assert_eq!(body["instance"], first.instance.to_string());
    assert_eq!(body["version"], first.version);
    assert!(
        body["text"].as_str().unwrap().starts_with("no signed request for /health from the edge for "),
        "{body}"
    );

    let recovery = next();
    assert_eq!(
        (&recovery.body["event"], &recovery.body["incident"]),
        (&"recovered".into(), &body["incident"])
    );
    assert_ne!(recovery.key, accepted.key);
    assert!(
        recovery.body["text"]
            .as_str()
            .unwrap()
            .starts_with("the edge requests /health again, after a gap of "),
        "{}",
        recovery.body
    );

    let warnings = server.log_events("the edge ");
    assert!(warnings[0]["message"].as_str().unwrap().starts_with("the edge is overdue: no signed request"));
    assert!(warnings[1]["message"].as_str().unwrap().starts_with("the edge requests"));
    assert!(warnings.iter().all(|event| event["level"] == "WARN"));
    let whole = server.log_events("");
    assert!(
        whole.iter().all(|event| !event.to_string().contains(TOKEN)),
        "the log must not contain the address"
    );
}

#[test]
fn requests_without_a_valid_signature_do_not_count_as_the_edge() {
    let (server, socket) = start_with_webhook(&[("HEAPBEAT_METRICS", "public")]);
    assert_eq!(server.get("/health").status, 200);
    let forged = "GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\nheapbeat-signature: v1\r\n\r\n";
    assert_eq!(send_request(server.connect(), "GET", forged.as_bytes()).status, 401);
    let begun = server.health()["uptime"].as_u64().unwrap();
    wait_for("more than the allowed silence", || {
        (server.health()["uptime"].as_u64()? >= begun + 3).then_some(())
    });
    let metrics = server.get("/metrics");
    assert!(!metrics.text().contains("heapbeat_edge"), "{}", metrics.text());
    assert!(metrics.text().contains("heapbeat_alerts_total{outcome=\"failed\"} 0"), "{}", metrics.text());
    assert_eq!(server.log_events("the edge "), Vec::<Value>::new());

    // After one signed request, the next one is overdue.
    fetch_report(&server, OURS, "");
    let received = receive_alerts(socket, &[]);
    assert_eq!(received.recv_timeout(DEADLINE).unwrap().body["event"], "opened");
    wait_for("the delivery in the metrics", || {
        let metrics = server.get("/metrics");
        let counted = metrics.text().contains("heapbeat_alerts_total{outcome=\"delivered\"} 1");
        (counted && metrics.text().contains("heapbeat_edge_overdue 1")).then_some(())
    });
}
