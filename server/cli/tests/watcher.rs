//! The edge stays away from the real binary, which tells a real receiver.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use heapbeat_test_support::owner::report;
use heapbeat_test_support::{PATIENCE, Server, ask, until};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

const OURS: &str = "a secret of the owner's";
const TOKEN: &str = "the-secret-part-of-the-address";

/// What came with one request that the receiver would take.
#[derive(Debug, PartialEq)]
struct Alert {
    key: String,
    body: Value,
}

/// A port that refuses connections until it is told to listen.
fn closed_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Takes alerts as `statuses` say, one a request, and then with 204. A request that is no alert ends the receiver.
fn receive(socket: Socket, statuses: &'static [&'static str]) -> Receiver<Alert> {
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let (alerts, received) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
            let Some(alert) = read(&mut stream) else { return };
            let status = statuses.get(number).unwrap_or(&"204 No Content");
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if alerts.send(alert).is_err() {
                return;
            }
        }
    });
    received
}

/// Reads one request and holds it to the format of `docs/watching-the-watcher.md`.
fn read(stream: &mut BufReader<std::net::TcpStream>) -> Option<Alert> {
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

/// A server that tells a port which nobody listens at yet of a second's silence.
fn watched(more: &[(&str, &str)]) -> (Server, Socket) {
    let (socket, address) = closed_port();
    let webhook = format!("http://{address}/hooks/{TOKEN}");
    let settings = [
        ("HEAPBEAT_SECRET", OURS),
        ("HEAPBEAT_SAMPLE_INTERVAL", "50ms"),
        ("HEAPBEAT_WATCHER_SILENCE", "1s"),
        ("HEAPBEAT_ALERT_WEBHOOK", &webhook),
    ];
    (Server::start(&[&settings, more].concat()), socket)
}

#[test]
fn a_silence_reaches_a_receiver_that_was_down_and_so_does_its_end() {
    let (server, socket) = watched(&[("HEAPBEAT_LOG", "trace")]);
    report(&server, OURS, "");
    server.said("an alert did not reach HEAPBEAT_ALERT_WEBHOOK yet: connection refused");
    assert_eq!(server.get("/health").status, 200, "nobody waits for it");

    let received = receive(socket, &["503 Service Unavailable"]);
    let next = || received.recv_timeout(PATIENCE).unwrap();
    let (refused, taken) = (next(), next());
    assert_eq!(refused, taken, "the same alert again, and by its key it can be told");
    server.said("an alert was delivered");
    let (first, _) = report(&server, OURS, "");
    let body = &taken.body;
    assert_eq!(
        (&body["event"], &body["severity"], &body["monitor"]),
        (&"opened".into(), &"warning".into(), &"watcher".into())
    );
    assert_eq!(body["instance"], first.instance.to_string());
    assert_eq!(body["version"], first.version);
    assert!(
        body["text"].as_str().unwrap().starts_with("the edge has not asked for a signed /health for "),
        "{body}"
    );

    let back = next();
    assert_eq!((&back.body["event"], &back.body["incident"]), (&"recovered".into(), &body["incident"]));
    assert_ne!(back.key, taken.key);
    assert!(back.body["text"].as_str().unwrap().starts_with("the edge asked again, after "), "{}", back.body);

    let told = server.logged("the watcher is ");
    assert!(told[0]["message"].as_str().unwrap().starts_with("the watcher is silent: the edge has not"));
    assert!(told[1]["message"].as_str().unwrap().starts_with("the watcher is back: the edge asked again"));
    assert!(told.iter().all(|event| event["level"] == "WARN"));
    let whole = server.logged("");
    assert!(whole.iter().all(|event| !event.to_string().contains(TOKEN)), "the address is a secret");
}

#[test]
fn strangers_and_wrong_signatures_are_no_visits() {
    let (server, socket) = watched(&[("HEAPBEAT_METRICS", "public")]);
    assert_eq!(server.get("/health").status, 200);
    let forged = "GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\nheapbeat-signature: v1\r\n\r\n";
    assert_eq!(ask(server.connect(), "GET", forged.as_bytes()).status, 401);
    let begun = server.health()["uptime"].as_u64().unwrap();
    until("more than the silence that is allowed", || {
        (server.health()["uptime"].as_u64()? >= begun + 3).then_some(())
    });
    let metrics = server.get("/metrics");
    assert!(!metrics.text().contains("heapbeat_watcher"), "{}", metrics.text());
    assert!(metrics.text().contains("heapbeat_alerts_total{outcome=\"lost\"} 0"), "{}", metrics.text());
    assert_eq!(server.logged("the watcher is "), Vec::<Value>::new());

    // One visit, and it is missed.
    report(&server, OURS, "");
    let received = receive(socket, &[]);
    assert_eq!(received.recv_timeout(PATIENCE).unwrap().body["event"], "opened");
    until("the delivery in the metrics", || {
        let metrics = server.get("/metrics");
        let counted = metrics.text().contains("heapbeat_alerts_total{outcome=\"delivered\"} 1");
        (counted && metrics.text().contains("heapbeat_watcher_silent 1")).then_some(())
    });
}
