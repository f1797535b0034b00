//! The endpoints of a program under `heapbeat run`: health, metrics, exits and the signed report at the program's own port.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{Read, Write};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::exit::InFlight;
use heapbeat_shared::{Cursor, ExitKind};
use heapbeat_test_support::owner::{fetch_report, get_signed};
use heapbeat_test_support::programs::{PATH, is_installed, start_in_directory};
use heapbeat_test_support::{Response, Server, connect, heapbeat_command, send_signal, wait_for};

const SECRET: &str = "a secret for tests of run";

/// A server that holds 30 MB of objects. `/` answers with its process id, `/health` with a text of its own and the status `HEALTH`,
/// `/hang` blocks the whole program, `/slow` never answers.
const NODE: &str = "const http = require('http');
const kept = Array.from({ length: 300000 }, (_, number) => ({ number, text: 'x' + number }));
http.createServer((request, response) => {
  if (request.url === '/hang') for (;;);
  if (request.url.startsWith('/slow')) return;
  if (request.url !== '/health') return response.end(String(process.pid));
  response.statusCode = Number(process.env.HEALTH || 200);
  response.end('the program itself');
}).listen(process.env.PORT);
";

struct Guarded {
    _directory: tempfile::TempDir,
    server: Server,
}

impl Guarded {
    /// Starts the server and waits until it is ready; `None` if Node is not installed.
    fn start(options: &[&str], variables: &[(&str, &str)]) -> Option<Self> {
        if !is_installed("node") {
            return None;
        }
        let run: Vec<&str> = [&["run", "--port", "0"], options, &["--", "node", "server.js"]].concat();
        let given = [("HEAPBEAT_SECRET", SECRET), ("HEAPBEAT_DRAIN_WINDOW", "0s")];
        let (directory, server) =
            start_in_directory(&[("server.js", NODE)], &run, &[&given, variables].concat());
        let guarded = Guarded { _directory: directory, server };
        wait_for("the program to serve", || (guarded.get("/").status == 200).then_some(()));
        Some(guarded)
    }

    fn get(&self, path: &str) -> Response {
        self.server.get(path)
    }

    fn program(&self) -> u32 {
        self.get("/").text().parse().unwrap()
    }
}

#[test]
fn a_program_has_the_health_the_metrics_and_the_report_of_an_application() {
    let Some(guarded) = Guarded::start(&["--limit", "512MB"], &[("HEAPBEAT_METRICS", "public")]) else {
        return;
    };
    let health = wait_for("the heap of the runtime", || {
        let health = guarded.server.health();
        (health["memory"]["heapUsed"].as_u64()? > 0).then_some(health)
    });
    let memory = &health["memory"];
    let figure = |name: &str| memory[name].as_u64().unwrap();
    assert_eq!((&health["status"], memory.as_object().unwrap().len()), (&"healthy".into(), 4), "{health}");
    assert!(figure("heapUsed") >= 10 && figure("heapTotal") >= figure("heapUsed"), "{health}");
    // Pages that it shares with another program count half, so this can be less than its heap.
    assert!((20..512).contains(&figure("rss")), "{health}");
    assert_eq!(guarded.get("/health/live").status, 200);
    assert_eq!(guarded.get("/health/ready").status, 200);
    assert_eq!(guarded.server.request("POST", "/health").status, 405);
    assert_eq!(guarded.get("/exits").status, 401);
    assert_eq!(get_signed(&guarded.server, SECRET, "/exits").text(), "[]");

    let metrics = guarded.get("/metrics");
    for name in [
        "heapbeat_tree_memory_bytes ",
        "heapbeat_runtime_heap_used_bytes ",
        "heapbeat_memory_limit_bytes{origin=",
        "heapbeat_forecast_verdict{",
        "heapbeat_starts_total 1",
        "heapbeat_front_requests_total{method=\"GET\",route=\"/\",outcome=\"2xx\"} ",
        "heapbeat_front_latency_seconds_count ",
    ] {
        assert!(metrics.text().lines().any(|line| line.starts_with(name)), "{name} in {}", metrics.text());
    }

    let explained = include_str!("../../../docs/metrics.md");
    for line in metrics.text().lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        let named = [format!("`{name}`"), format!("`{name}{{")].iter().any(|it| explained.contains(it));
        assert!(named, "docs/metrics.md does not explain {name}");
    }

    let mut slow = connect(guarded.server.address());
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    let report = wait_for("the request in flight", || {
        let (report, _) = fetch_report(&guarded.server, SECRET, "");
        let in_flight = report.traffic.as_ref().is_some_and(|traffic| traffic.in_flight > 0);
        (in_flight && report.samples.count > 0).then_some(report)
    });
    let traffic = report.traffic.unwrap();
    assert_eq!((traffic.routes[0].route.as_str(), traffic.routes[0].in_flight), ("GET /slow", 1));
    assert!(traffic.latency_p50_ms.is_some());
    assert_eq!(report.events[0].kind, EventKind::Started);
    assert_eq!(report.limit.bytes.to_megabytes().0, 512);
    assert!(report.unavailable_sources.is_empty(), "{:?}", report.unavailable_sources);
}

#[test]
fn health_and_the_report_are_answered_while_the_program_hangs() {
    let Some(guarded) = Guarded::start(&[], &[]) else { return };
    let mut hanging = connect(guarded.server.address());
    hanging.write_all(b"GET /hang HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    for _ in 0..3 {
        assert_eq!(guarded.get("/health").status, 200);
        let (report, _) = fetch_report(&guarded.server, SECRET, "");
        assert!(report.traffic.is_some_and(|traffic| traffic.in_flight <= 1));
    }
    drop(hanging);
}

#[test]
fn a_kill_between_two_probes_is_reported_and_loses_no_sample() {
    let Some(guarded) = Guarded::start(&[], &[]) else { return };
    let before = wait_for("samples", || {
        let (report, _) = fetch_report(&guarded.server, SECRET, "");
        (report.samples.count >= 2).then_some(report)
    });
    // The edge has the first sample only.
    let cursor = Cursor { instance: before.instance, sequence: 0 };
    let first = guarded.program();
    let mut slow: Vec<_> = (0..2).map(|_| connect(guarded.server.address())).collect();
    for client in &mut slow {
        client.write_all(b"POST /slow/7 HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
    wait_for("the requests in flight", || {
        let (report, _) = fetch_report(&guarded.server, SECRET, "");
        report.traffic.is_some_and(|traffic| traffic.in_flight == 2).then_some(())
    });
    send_signal(first, "KILL");
    wait_for("the next instance", || {
        let answer = guarded.get("/");
        (answer.status == 200 && answer.text() != first.to_string()).then_some(())
    });
    let (after, _) = fetch_report(&guarded.server, SECRET, &format!("?after={cursor}"));
    assert_ne!(after.instance, before.instance);
    let exit = after.previous_exit.unwrap();
    assert_eq!((exit.kind, exit.instance), (ExitKind::Crash, Some(before.instance)));
    // This test's own requests may have met the kill as well.
    let in_flight = InFlight { route: "POST /slow/:id".to_owned(), requests: 2 };
    assert_eq!(exit.in_flight.first(), Some(&in_flight));
    let left = after.last_samples.unwrap();
    assert_eq!((left.instance, left.samples.first, left.samples.dropped), (before.instance, 1, 0));
    assert!(left.samples.count + 1 >= before.samples.count);
}

#[test]
fn a_program_with_a_health_check_of_its_own_keeps_it_and_the_owner_learns_what_it_says() {
    // It gets requests from the start on, although its health check fails.
    let options = ["--health-path", "/health", "--ready-path", "/"];
    let Some(guarded) = Guarded::start(&options, &[("HEALTH", "500")]) else { return };
    let own = guarded.get("/health");
    assert_eq!((own.status, own.text()), (500, "the program itself"));
    assert_eq!(guarded.get("/health/ready").status, 503);
    let signed = get_signed(&guarded.server, SECRET, "/health");
    assert_eq!(signed.status, 503, "{}", signed.text());
    assert!(signed.text().starts_with("{\"status\":\"healthy\""), "{}", signed.text());
    let ready = get_signed(&guarded.server, SECRET, "/health/ready");
    assert!(ready.text().contains("GET /health") && ready.text().contains("500"), "{}", ready.text());

    let Some(guarded) = Guarded::start(&["--health-prefix", "/heapbeat"], &[]) else { return };
    assert_eq!(guarded.get("/health").text(), "the program itself");
    assert_eq!(guarded.get("/heapbeat/health").status, 200);
    assert_eq!(get_signed(&guarded.server, SECRET, "/heapbeat/health").status, 200);
}

#[test]
fn load_balancers_learn_of_a_stop_before_the_port_is_closed() {
    let Some(mut guarded) = Guarded::start(&[], &[("HEAPBEAT_DRAIN_WINDOW", "4s")]) else { return };
    assert_eq!(guarded.get("/health/ready").status, 200);
    guarded.server.send_signal("TERM");
    wait_for("the drain", || (guarded.server.health()["status"] == "draining").then_some(()));
    assert_eq!(guarded.get("/health/ready").status, 503);
    assert_eq!(guarded.get("/").status, 200, "requests are still served");
    assert_eq!(guarded.server.wait().code(), Some(0));
}

#[test]
fn the_side_port_serves_the_endpoints_alone() {
    let run = ["run", "--front", "off", "--side-port", "0", "--", "sleep", "600"];
    let server = Server::spawn(heapbeat_command(&run, &[("PATH", PATH), ("HEAPBEAT_SECRET", SECRET)]));
    let starting = server.get("/health");
    assert!([200, 503].contains(&starting.status), "{}", starting.text());
    wait_for("the program to be ready", || (server.get("/health").status == 200).then_some(()));
    let (report, _) = fetch_report(&server, SECRET, "");
    assert_eq!((report.traffic, report.unavailable_sources.len()), (None, 1));
    assert_eq!(server.get("/").status, 404);
    assert_eq!(server.get("/metrics").status, 401);
    // A client that sends nothing does not keep others waiting.
    let mut silent = connect(server.address());
    assert_eq!(server.get("/health/live").status, 200);
    silent.write_all(b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
