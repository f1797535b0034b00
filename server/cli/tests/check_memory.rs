//! `heapbeat check-memory` in a script: with a server that signs, with one that does not, and with any process.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;

use heapbeat_forecast::Forecaster;
use heapbeat_shared::report::{Block, Limit, PressureState, Report, RouteReport, System};
use heapbeat_shared::signing::{HEADER, RequestSignature, Secret};
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, Status, UnixMillis, series};
use heapbeat_test_support::{Server, heapbeat_command};
use serde_json::Value;

const SECRET: &str = "a secret of more than 16 bytes";
const OTHER: &str = "another secret of that length";

fn check_memory(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let all: Vec<&str> = ["check-memory"].iter().chain(arguments).copied().collect();
    heapbeat_command(&all, variables).output().unwrap()
}

fn output_texts(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// The response of the stub server to a signed request.
#[derive(Clone, Copy)]
enum StubResponse {
    /// A correctly signed report.
    Signed,
    /// A report that is signed with another secret.
    Forged,
    /// Status 401.
    Refused,
    /// Status 503, as from a program that does not start: publicly with the reason, with a signature the report.
    Down,
}

/// Starts a server that answers every request, and returns its address.
fn stub_server(response: StubResponse) -> String {
    stub_server_of(response, sample_report())
}

/// Starts a server that answers every request with this report, and returns its address.
fn stub_server_of(response: StubResponse, report: Report) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            let header = lines
                .take_while(|line| !line.is_empty())
                .find_map(|line| Some(line.strip_prefix(HEADER)?.strip_prefix(": ")?.to_owned()));
            let (status, signature, body) = build_response(response, &report, &target, header.as_deref());
            let head = format!(
                "HTTP/1.1 {status} x\r\n{signature}connection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            (&stream).write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    url
}

fn build_response(
    kind: StubResponse,
    report: &Report,
    target: &str,
    header: Option<&str>,
) -> (u16, String, Vec<u8>) {
    if matches!(kind, StubResponse::Down) && header.is_none() {
        let body = br#"{"reason":"the last instance crashed","status":"down"}"#;
        return (503, String::new(), body.to_vec());
    }
    let Some(header) = header else { return (200, String::new(), report.health().to_json()) };
    let request: RequestSignature = header.parse().unwrap();
    let secret = Secret::new(SECRET).unwrap();
    assert!(secret.matches("GET", target, &request), "signed for another target than {target}");
    let body = report.to_json();
    let status = if matches!(kind, StubResponse::Down) { 503 } else { 200 };
    let signer = match kind {
        StubResponse::Signed | StubResponse::Down => secret,
        StubResponse::Forged => Secret::new(OTHER).unwrap(),
        StubResponse::Refused => return (401, String::new(), Vec::new()),
    };
    (status, format!("{HEADER}: {}\r\n", signer.sign_response(request.nonce, &body)), body)
}

/// Returns a report with 450 of 512 MB used and one route.
fn sample_report() -> Report {
    let mb = Bytes::from_mb;
    let now = UnixMillis(1_800_000_000_000);
    let latest = Sample {
        at: now,
        rss: mb(450),
        heap_used: mb(400),
        heap_total: mb(410),
        heap_resident: mb(420),
        working_set: mb(450),
    };
    Report {
        status: Status::Degraded,
        memory: latest.to_health_memory(),
        uptime: 60,
        instance: InstanceId(7),
        version: "1.4.2".into(),
        started: now,
        now,
        limit: Limit { bytes: mb(512), origin: "cgroup".into() },
        pressure: PressureState { level: Pressure::Purge, since: now, shed: 0 },
        latest,
        system: System::default(),
        events: Vec::new(),
        routes: vec![RouteReport {
            route: "POST /upload\u{1b}[2J".into(),
            requests: 5,
            requests_per_second: 0.5,
            allocated_mean: mb(3),
            allocated_p99: mb(4),
            live: mb(300),
            live_error: mb(2),
            growth_per_minute: None,
            growth_error: None,
        }],
        functions: Vec::new(),
        forecast: Forecaster::new().assess(mb(512)),
        samples: Block { first: 1, count: 1, dropped: 0, data: series::encode(1, &[latest]) },
        unavailable_sources: Vec::new(),
        previous_exit: None,
        earlier: heapbeat_shared::report::EarlierInstances::default(),
        last_samples: None,
        instances: Vec::new(),
        traffic: None,
    }
}

#[test]
fn a_signed_report_is_printed_completely() {
    let url = stub_server(StubResponse::Signed);
    let (out, err, code) =
        output_texts(&check_memory(&["--once", "--url", &url], &[("HEAPBEAT_SECRET", SECRET)]));
    assert!(out.contains("memory        450.0 MB (87.9 % of the limit)"), "{out}");
    assert!(out.contains("limit         512.0 MB (cgroup)") && out.contains("POST /upload[2J"), "{out}");
    assert!(out.contains("warning  Memory is at 450.0 MB of 512.0 MB (87.9 %)."), "{out}");
    assert!(!out.contains('\u{1b}'), "a pipe gets no colors and no control characters: {out}");
    assert_eq!((err.as_str(), code), ("", Some(1)));
}

#[test]
fn json_is_printed_until_the_pipe_closes() {
    let url = stub_server(StubResponse::Signed);
    let arguments = ["check-memory", "--json", "--interval", "100ms", "--url", &url];
    let mut child = heapbeat_command(&arguments, &[("HEAPBEAT_SECRET", SECRET)]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let json: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!((&json["severity"], &json["detail"]), (&"warning".into(), &"full".into()));
        assert_eq!(json["limit"]["bytes"], 536_870_912);
    }
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
}

#[test]
fn a_failed_measurement_is_reported_and_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            // The second connection is closed without a response.
            if number == 1 {
                continue;
            }
            let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
            let _ = head.find(String::is_empty);
            let (_, _, body) = build_response(StubResponse::Signed, &sample_report(), "", None);
            let length = body.len();
            let head = format!("HTTP/1.1 200 x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            (&stream).write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    let arguments = ["check-memory", "--json", "--interval", "100ms", "--url", &url];
    let mut child = heapbeat_command(&arguments, &[]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        assert!(lines.next().unwrap().unwrap().starts_with('{'));
    }
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(1), "the exit code is the verdict of the last measurement");
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((errors.lines().count(), errors.ends_with("; trying again\n")), (1, true), "{errors}");
    assert!(errors.starts_with(&format!("heapbeat: {url}/health does not answer: ")), "{errors}");
}

#[test]
fn a_refused_secret_is_reported_and_the_public_figures_are_shown() {
    let url = stub_server(StubResponse::Refused);
    let (out, err, code) =
        output_texts(&check_memory(&["--once", "--url", &url], &[("HEAPBEAT_SECRET", SECRET)]));
    assert!(
        out.contains("The server refused the signature (401)") && out.contains("rss           450.0 MB"),
        "{out}"
    );
    assert_eq!((err.as_str(), code), ("", Some(1)), "the server reports status degraded");
}

#[test]
fn a_response_signed_with_another_secret_is_refused() {
    let url = stub_server(StubResponse::Forged);
    let (out, err, code) =
        output_texts(&check_memory(&["--once", "--url", &url], &[("HEAPBEAT_SECRET", SECRET)]));
    let expected = format!(
        "heapbeat: the response of {url}/health is not signed with this secret: the signature does not match\n"
    );
    assert_eq!((out.as_str(), err, code), ("", expected, Some(3)));
}

#[test]
fn the_reason_of_a_server_that_does_not_serve_is_shown_by_all_commands() {
    let url = stub_server(StubResponse::Down);
    let reason = format!("{url}/health answered 503: the last instance crashed\n");
    for variables in [&[][..], &[("HEAPBEAT_SECRET", SECRET)]] {
        let (_, err, code) = output_texts(&check_memory(&["--once", "--url", &url], variables));
        assert_eq!((err, code), (format!("heapbeat: {reason}"), Some(3)));
    }
    for variables in [&[][..], &[("HEAPBEAT_SECRET", SECRET)]] {
        let output = heapbeat_command(&["doctor", "--url", &url], variables).output().unwrap();
        let (out, _, code) = output_texts(&output);
        assert!(out.starts_with(&format!("problem {reason}        the address answers: ")), "{out}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn an_instance_that_was_not_measured_yet_shows_what_is_known_of_the_one_before() {
    let report = Report { latest: Sample::default(), ..sample_report() };
    let url = stub_server_of(StubResponse::Signed, report);
    let (out, err, code) =
        output_texts(&check_memory(&["--once", "--url", &url], &[("HEAPBEAT_SECRET", SECRET)]));
    assert!(out.starts_with(&format!("{url}/health  starting, version 1.4.2\n")), "{out}");
    assert!(out.contains("memory        450.0 MB (87.9 % of the limit)"), "{out}");
    assert!(out.contains("An instance of the program is starting") && !out.contains("Nothing"), "{out}");
    assert_eq!((err.as_str(), code), ("", Some(0)));
}

#[test]
fn growth_that_reaches_the_limit_within_a_minute_is_told_by_one_look() {
    let mb = Bytes::from_mb;
    let now = sample_report().now;
    let samples: Vec<Sample> = (0..14)
        .map(|second: u64| {
            let memory = mb(100 + 10 * second);
            let at = UnixMillis(now.0 - 1000 * (13 - second).cast_signed());
            Sample { at, rss: memory, working_set: memory, ..Sample::default() }
        })
        .collect();
    let report = Report {
        status: Status::Healthy,
        pressure: PressureState { level: Pressure::Calm, since: now, shed: 0 },
        latest: samples[13],
        samples: Block { first: 1, count: 14, dropped: 0, data: series::encode(1, &samples) },
        ..sample_report()
    };
    let url = stub_server_of(StubResponse::Signed, report);
    let (out, _, code) =
        output_texts(&check_memory(&["--once", "--url", &url], &[("HEAPBEAT_SECRET", SECRET)]));
    assert!(out.contains("warning  At the growth of the last seconds memory reaches 512.0 MB in 2"), "{out}");
    assert_eq!(code, Some(1), "{out}");
}

#[test]
fn doctor_needs_a_server_or_an_edge() {
    let (_, err, code) = output_texts(&heapbeat_command(&["doctor"], &[]).output().unwrap());
    assert!(err.contains("<--url <URL>|--edge <URL>>"), "{err}");
    assert_eq!(code, Some(3));
}

#[test]
fn doctor_asks_for_health_alone_and_not_for_a_page_of_the_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let _ = sender.send(lines.next().unwrap());
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            let response = b"HTTP/1.1 503 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            (&stream).write_all(response).unwrap();
        }
    });
    let output = heapbeat_command(&["doctor", "--url", &url], &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let asked: Vec<String> = asked.try_iter().collect();
    assert!(!asked.is_empty() && asked.iter().all(|line| line == "GET /health HTTP/1.1"), "{asked:?}");
}

#[test]
fn a_real_server_is_measured_by_its_port_and_by_its_pid() {
    let server = Server::start(&[]);
    let (port, pid) = (server.port.to_string(), server.worker_pid().to_string());
    let (out, _, code) = output_texts(&check_memory(&[], &[("PORT", &port)]));
    assert!(out.starts_with(&format!("http://127.0.0.1:{port}/health  healthy, up ")), "{out}");
    assert!(out.contains("Only the public figures are shown"), "{out}");
    assert_eq!(code, Some(0));
    let (out, _, code) =
        output_texts(&check_memory(&["--json", "--once", "--pid", &pid, "--limit", "900MB"], &[]));
    let json: Value = serde_json::from_str(&out).unwrap();
    // Other tests make the kernel kill processes of this machine, which is a warning if it happens meanwhile.
    let severity = if code == Some(1) { "warning" } else { "ok" };
    assert_eq!((&json["detail"], &json["severity"]), (&"kernel".into(), &severity.into()), "{out}");
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {out}");
    let rss = json["sample"]["rss"].as_f64().unwrap() / 1_048_576.0;
    let reported = server.health()["memory"]["rss"].as_f64().unwrap();
    assert!(
        (rss - reported).abs() <= 4.0,
        "measured {rss} MB from outside, the server reports {reported} MB"
    );
}

#[test]
fn a_process_that_exits_is_an_error() {
    let mut sleeper = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
    let pid = sleeper.id().to_string();
    let mut child = heapbeat_command(&["check-memory", "--json", "--interval", "100ms", "--pid", &pid], &[])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("(sleep)"));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(lines.all(|line| line.unwrap().starts_with('{')));
    let (_, err, code) = output_texts(&child.wait_with_output().unwrap());
    assert_eq!((err, code), (format!("heapbeat: process {pid} has exited\n"), Some(3)));
}

/// Arguments, variables, and a part of the error.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_target_that_cannot_be_measured_exits_3() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = format!("http://127.0.0.1:{free}");
    let secret = [("HEAPBEAT_SECRET", "short")];
    let cases: [Case; 6] = [
        (&["--once", "--url", &closed], &[], "does not answer: nothing listens on this port"),
        (&["--once", "--url", "localhost:1"], &[], "did you mean http://localhost:1?"),
        (&["--once", "--pid", "4194305"], &[], "there is no process 4194305 on this machine"),
        (&["--once"], &secret, "HEAPBEAT_SECRET is too short"),
        (&["--interval", "1ms"], &[], "100ms or more"),
        (&["--url", "http://x", "--pid", "1"], &[], "cannot be used with"),
    ];
    for (arguments, variables, expected) in cases {
        let (out, err, code) = output_texts(&check_memory(arguments, variables));
        assert!(err.contains(expected), "{err}");
        assert_eq!((out.as_str(), code), ("", Some(3)), "{arguments:?}");
    }
}
