//! `heapbeat run` with the front: requests while a program is replaced, crashes, starts slowly, or takes no requests.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use heapbeat_test_support::guarded_node::{GuardedNode, front_address};
use heapbeat_test_support::load::RequestCounts;
use heapbeat_test_support::privileged::report_skipped;
use heapbeat_test_support::programs::{PATH, is_installed};
use heapbeat_test_support::{
    Server, child_pids, connect, heapbeat_command, is_alive, send_request, send_signal, wait_for,
};

/// A server that leaks `LEAK` MB each second, starts after `DELAY` ms, and needs `LAST` ms for its end. It listens on `FIXED`, and on `PORT` without that
/// or after a request for `/listen`. `/` answers with its process id, `/slow` after a second, `/stream` with a line each 100 ms for three seconds; an upgraded connection is echoed.
const NODE: &str = "const http = require('http');
const kept = [];
if (process.env.LEAK) setInterval(() => kept.push(Buffer.alloc(process.env.LEAK * 100000, 1)), 100);
const server = http.createServer((request, response) => {
  if (request.url === '/listen') http.createServer(server.listeners('request')[0]).listen(process.env.PORT);
  if (request.url === '/slow') return setTimeout(() => response.end('slow'), 1000);
  if (request.url !== '/stream') return response.end(String(process.pid));
  let lines = 0;
  const timer = setInterval(() => {
    response.write(`line ${++lines}\\n`);
    if (lines === 30) { clearInterval(timer); response.end('end\\n'); }
  }, 100);
});
const sockets = new Set();
server.on('upgrade', (request, socket) => {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  socket.pipe(socket);
});
setTimeout(() => server.listen(process.env.FIXED || process.env.PORT), process.env.DELAY || 0);
process.on('SIGTERM', () => server.close(() => setTimeout(() => process.exit(0), process.env.LAST || 0)));
";

fn start(options: &[&str], variables: &[(&str, &str)]) -> Option<GuardedNode> {
    GuardedNode::start(NODE, options, variables)
}

fn assert_all_succeeded(counts: RequestCounts) {
    assert!(counts.sent > 0 && counts.succeeded == counts.sent, "{counts:?}");
}

#[test]
fn a_program_that_leaks_is_replaced_under_load_without_a_failed_request() {
    let Some(guarded) = start(&["--limit", "128MB"], &[("LEAK", "10")]) else { return };
    let load = guarded.load();
    guarded.wait_until_recycled(2);
    assert_all_succeeded(load.stop());
}

#[test]
fn two_instances_that_fit_run_beside_each_other_until_the_old_one_has_no_requests() {
    let Some(guarded) = start(&["--limit", "512MB"], &[]) else { return };
    let load = guarded.load();
    let first = guarded.get("/");
    let mut stream = BufReader::new(connect(guarded.address()));
    let uptime = || guarded.server.health()["uptime"].as_u64();
    wait_for("an uptime that the next instance has only later", || uptime().filter(|seconds| *seconds >= 3));
    stream.get_mut().write_all(b"GET /stream HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let replaced = Instant::now();
    guarded.replace();
    guarded.wait_until_recycled(1);
    wait_for("the uptime of the one that gets requests", || {
        uptime().filter(|uptime| *uptime <= replaced.elapsed().as_secs() + 1)
    });
    assert_ne!(guarded.get("/"), first);
    assert!(is_alive(first.parse().unwrap()), "it still has a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.contains("line 30") && response.contains("end\n"), "{response}");
    wait_for("the old one to exit", || (!is_alive(first.parse().unwrap())).then_some(()));
    assert_eq!(guarded.server.wait_for_exit(0)["heapbeat.exit.kind"], "recycle");
    assert_all_succeeded(load.stop());
}

/// Opens a connection that is upgraded.
fn upgrade(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(connect(address));
    let request = b"GET /echo HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.get_mut().write_all(request).unwrap();
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0);
    }
    stream
}

#[test]
fn tunnels_last_until_the_drain_ends_and_are_then_closed() {
    let drain = [("HEAPBEAT_DRAIN_TIMEOUT", "5s")];
    let Some(guarded) = start(&["--limit", "512MB"], &drain) else { return };
    let first = guarded.get("/");
    let mut tunnels: Vec<_> = (0..10).map(|_| upgrade(guarded.address())).collect();
    guarded.replace();
    guarded.wait_until_recycled(1);
    for tunnel in &mut tunnels {
        tunnel.get_mut().write_all(b"hello\n").unwrap();
        let mut line = String::new();
        tunnel.read_line(&mut line).unwrap();
        assert_eq!(line, "hello\n", "it is whole after the replacement has taken over");
    }
    for tunnel in &mut tunnels {
        assert_eq!(tunnel.read_to_string(&mut String::new()).unwrap(), 0, "closed, not reset");
    }
    wait_for("the old one to exit", || (!is_alive(first.parse().unwrap())).then_some(()));
    assert_eq!(guarded.server.wait_for_exit(0)["heapbeat.exit.kind"], "recycle");
}

#[test]
fn requests_wait_while_a_program_with_a_fixed_port_and_a_slow_start_is_replaced() {
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port().to_string();
    let variables = [("FIXED", &*port), ("DELAY", "2000")];
    let Some(guarded) = start(&["--limit", "512MB", "--upstream", &port], &variables) else {
        return;
    };
    let load = guarded.load();
    let first = guarded.get("/");
    guarded.replace();
    guarded.wait_until_recycled(1);
    assert_ne!(guarded.get("/"), first);
    assert!(!is_alive(first.parse().unwrap()), "never two at a time");
    assert_all_succeeded(load.stop());
    assert_eq!(guarded.server.log_events("requests wait meanwhile").len(), 1);
}

#[test]
fn requests_wait_while_a_program_that_crashed_starts_again() {
    let Some(guarded) = start(&[], &[]) else { return };
    let load = guarded.load();
    for _ in 0..5 {
        let running = guarded.get("/").parse().unwrap();
        send_signal(running, "KILL");
        wait_for("the next instance", || (guarded.get("/").parse::<u32>().unwrap() != running).then_some(()));
        // By then the next instance has answered what it got from the one before.
        for _ in 0..20 {
            guarded.get("/");
        }
    }
    assert_all_succeeded(load.stop());
}

/// A server that ends by the signal `SIGNAL` at a request for `/mortal`, unless three before it have done so.
const MORTAL: &str = "const fs = require('fs');
require('http').createServer((request, response) => {
  if (request.url !== '/mortal') return response.end('ok');
  fs.appendFileSync(process.env.REQUESTS, 'x');
  if (fs.statSync(process.env.REQUESTS).size <= 3) return process.kill(process.pid, process.env.SIGNAL);
  response.end('answered');
}).listen(process.env.PORT);
";

#[test]
fn a_request_outlives_instances_that_were_killed_and_not_those_that_crashed() {
    for (signal, part, asked) in [
        ("SIGKILL", "answered", 4),
        ("SIGSEGV", "this GET was not repeated: two instances ended while they had it", 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let requests = folder.path().join("requests");
        let variables = [("SIGNAL", signal), ("REQUESTS", requests.to_str().unwrap())];
        let Some(guarded) = GuardedNode::start(MORTAL, &[], &variables) else { return };
        let response = guarded.get("/mortal");
        assert!(response.contains(part), "{signal}: {response}");
        assert_eq!(std::fs::metadata(&requests).unwrap().len(), asked, "{signal}");
    }
}

#[test]
fn a_crash_names_the_requests_that_were_in_flight() {
    let Some(guarded) = start(&[], &[]) else { return };
    let program = guarded.get("/").parse().unwrap();
    let mut slow = connect(guarded.address());
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    // The answer to a later request shows that the one before has been forwarded.
    guarded.get("/");
    send_signal(program, "KILL");
    let exit = guarded.server.wait_for_exit(0);
    let message = exit["message"].as_str().unwrap();
    assert!(message.contains("in flight: 1 x GET /slow"), "{exit}");
}

#[test]
fn a_stop_finishes_requests_in_flight_and_waits_for_the_program() {
    let Some(mut guarded) = start(&[], &[]) else { return };
    let program = guarded.get("/").parse().unwrap();
    let mut slow = BufReader::new(connect(guarded.address()));
    slow.get_mut().write_all(b"GET /slow HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    // The answer to a later request shows that the one before has been forwarded.
    guarded.get("/");
    guarded.server.send_signal("TERM");
    let mut response = String::new();
    slow.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("slow"), "{response}");
    assert_eq!(guarded.server.wait().code(), Some(0));
    assert!(!is_alive(program));
    assert_eq!(guarded.server.wait_for_exit(0)["heapbeat.exit.kind"], "stop");
}

const METRICS: (&str, &str) = ("HEAPBEAT_METRICS", "public");

/// Sends a request that waits for an instance.
fn begin_waiting_request(guarded: &GuardedNode) -> BufReader<TcpStream> {
    let mut waiting = BufReader::new(connect(guarded.address()));
    waiting.get_mut().write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    wait_for("the wait", || guarded.get("/metrics").contains("\nheapbeat_front_held 1\n").then_some(()));
    waiting
}

#[test]
fn a_request_that_waits_when_a_stop_is_requested_is_served_by_the_instance_that_starts() {
    // What happens before the stop, and whether a new connection is accepted after it.
    let delay = ("DELAY", "2000");
    for (before, window) in [("first start", "1s"), ("kill", "1s"), ("replacement", "0s")] {
        let variables = [delay, METRICS, ("HEAPBEAT_DRAIN_WINDOW", window)];
        let Some(mut guarded) = start(&["--single"], &variables) else { return };
        match before {
            "first start" => {}
            "kill" => send_signal(guarded.get("/").parse().unwrap(), "KILL"),
            _ => {
                let running: u32 = guarded.get("/").parse().unwrap();
                guarded.replace();
                wait_for("the end of the instance before", || (!is_alive(running)).then_some(()));
            }
        }
        let mut waiting = begin_waiting_request(&guarded);
        guarded.server.send_signal("TERM");
        guarded.server.wait_for_log("stopping; requests in flight: 0, waiting for an instance: 1, time");
        if window != "0s" {
            assert_ne!(guarded.get("/"), "", "{before}: the port is open during the window");
        }
        let mut response = String::new();
        waiting.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 200 "), "{before}: {response}");
        assert_eq!(guarded.server.wait().code(), Some(0), "{before}");
    }
}

#[test]
fn a_request_that_waits_for_an_instance_that_does_not_start_is_answered_at_the_end() {
    let variables = [("DELAY", "600000"), METRICS, ("HEAPBEAT_DRAIN_TIMEOUT", "2s")];
    let Some(mut guarded) = start(&[], &variables) else { return };
    let mut waiting = begin_waiting_request(&guarded);
    guarded.server.send_signal("TERM");
    let mut response = String::new();
    waiting.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("retry-after:"), "{response}");
    assert!(response.contains("the server is stopping"), "{response}");
    assert_eq!(guarded.server.wait().code(), Some(0));
}

#[test]
fn a_program_that_needs_a_while_to_stop_gets_it_after_its_last_request() {
    let Some(mut guarded) = start(&[], &[("LAST", "2500")]) else { return };
    guarded.get("/");
    guarded.server.send_signal("TERM");
    assert_eq!(guarded.server.wait().code(), Some(0));
    let exit = guarded.server.wait_for_exit(0);
    assert!(exit["message"].as_str().unwrap().contains("exited with code 0"), "{exit}");
}

#[test]
fn a_program_on_another_port_than_it_was_given_is_named_with_the_flag_that_helps() {
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port().to_string();
    let Some(guarded) = start(&["--ready-timeout", "2s", "--hold", "2s"], &[("FIXED", &port)]) else {
        return;
    };
    let warning = guarded.server.wait_for_log("listens on port")["message"].to_string();
    assert!(warning.contains(&format!("--upstream {port}")), "{warning}");
    assert!(warning.contains("instance 1 gets no requests"), "{warning}");
    // No request reaches it, so a deployment that asks for its health must fail.
    let health =
        || send_request(connect(guarded.address()), "GET", b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
    let reason = "not on the port that PORT names";
    wait_for("health to fail", || Some(health()).filter(|it| it.status == 503 && it.text().contains(reason)));
    let own = connect(SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())));
    send_request(own, "GET", b"GET /listen HTTP/1.1\r\nhost: t\r\n\r\n");
    guarded.server.wait_for_log("listens where it was told to by now");
    wait_for("health to pass", || (health().status == 200).then_some(()));
    assert!(guarded.get("/").parse::<u32>().is_ok(), "it gets its requests");
    let said = guarded.server.log_events("instance 1 gets no requests").len();
    assert_eq!(
        (said, guarded.server.log_events("instance 1 is ready").len()),
        (1, 0),
        "said once, and rightly"
    );
}

#[test]
fn health_has_figures_at_every_moment_of_a_replacement() {
    let Some(guarded) = start(&["--single", "--limit", "512MB"], &[("DELAY", "300")]) else { return };
    guarded.get("/");
    for times in 1..=3 {
        guarded.replace();
        wait_for("the next instance", || {
            let response =
                send_request(connect(guarded.address()), "GET", b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
            assert_eq!(response.status, 200, "{}", response.text());
            assert!(!response.text().contains("\"rss\":0,"), "{}", response.text());
            (guarded.server.log_events("recycled: instance").len() >= times).then_some(())
        });
    }
}

#[test]
fn a_program_that_wants_the_port_of_heapbeat_is_told_what_helps() {
    let port = TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port().to_string();
    if !is_installed("node") {
        return;
    }
    let script = format!("require('http').createServer().listen({port})");
    let run = ["run", "--side-port", "0", "--port", &port, "--", "node", "-e", &script];
    let server = Server::spawn(heapbeat_command(&run, &[("PATH", PATH), ("HEAPBEAT_AGENT", "off")]));
    let warning = server.wait_for_log("found its port taken")["message"].to_string();
    assert!(warning.contains("$PORT") && warning.contains("--upstream"), "{warning}");
}

/// Starts a program that takes no requests.
fn guard_sleeper(options: &[&str]) -> Server {
    let run = [&["run", "--side-port", "0", "--port", "0"], options, &["--", "sleep", "600"]].concat();
    Server::spawn(heapbeat_command(&run, &[("PATH", PATH), ("HEAPBEAT_DRAIN_WINDOW", "0s")]))
}

#[test]
fn a_program_that_never_listens_counts_as_ready_and_is_replaced() {
    for (option, noted) in [("--no-listen", 0), ("--ready-timeout=1s", 1)] {
        let mut server = guard_sleeper(&[option, "--ready-after", "1s"]);
        let first = wait_for("the program", || child_pids(server.pid()).into_iter().next());
        server.wait_for_log("instance 1 is ready");
        assert_eq!(server.log_events("takes no requests").len(), noted);
        server.send_signal("USR2");
        server.wait_for_log("recycled: instance 2 has taken over");
        wait_for("the old one to exit", || (!is_alive(first)).then_some(()));
        server.send_signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_request_to_a_program_that_takes_none_is_answered_at_once() {
    let server = guard_sleeper(&["--no-listen"]);
    let response = send_request(connect(front_address(&server)), "GET", b"GET / HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!(response.status, 503);
    assert!(response.text().contains("no instance of the program takes requests now"), "{}", response.text());
}

#[test]
fn bytes_are_forwarded_without_http() {
    let Some(guarded) = start(&["--front", "tcp", "--limit", "512MB"], &[]) else { return };
    let first = guarded.get("/");
    guarded.replace();
    guarded.wait_until_recycled(1);
    assert_ne!(guarded.get("/"), first);
}

/// Grows to 110 MB by 10 MB a second, and starts again at a SIGHUP, once.
const RENEWING: &str = "import signal, time
kept = []
renewed = False
def renew(*_):
  global renewed
  renewed = True
  kept.clear()
signal.signal(signal.SIGHUP, renew)
while True:
  if len(kept) < 110 and not renewed: kept.append(bytes([1]) * (1 << 20))
  time.sleep(0.1)
";

#[test]
fn a_program_that_can_renew_itself_is_asked_before_it_is_replaced() {
    let Some(python) =
        ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|it| Path::new(it).exists())
    else {
        return report_skipped("Python is not installed");
    };
    let options = ["--no-listen", "--ready-after", "1s", "--limit", "110MB", "--recycle-signal", "HUP"];
    let run =
        [&["run", "--side-port", "0", "--port", "0"], &options[..], &["--", python, "-c", RENEWING]].concat();
    let server = Server::spawn(heapbeat_command(&run, &[("PATH", PATH), ("HEAPBEAT_AGENT", "off")]));
    server.wait_for_log("to renew itself");
    server.wait_for_log("memory pressure cleared");
    assert_eq!(server.log_events("to renew itself").len(), 1);
    assert!(server.exit_kinds().is_empty(), "it was not replaced");
}

#[test]
fn arguments_that_do_not_fit_together_are_refused() {
    let cases: [(&[&str], &str); 6] = [
        (&["--listen", "0", "--front", "http"], "leave --front or --listen away"),
        (&["--priority", "/a={b"], "the form is PATTERN=PRIORITY"),
        (&["--priority", "/{a=low"], "--priority /{a: "),
        (&["--upstream", "example.org:80"], "the address is a port of this machine"),
        (&["--ready-path", "health"], "a path begins with `/`"),
        (&["--port", "http"], "--port is \"http\": a port is a number"),
    ];
    for (options, expected) in cases {
        let run = [&["run", "--side-port", "off"], options, &["--", "true"]].concat();
        let output = heapbeat_command(&run, &[("PATH", PATH)]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected) && output.status.code() == Some(2), "{options:?} {error}");
    }
}

#[test]
fn a_starter_that_closes_the_passed_socket_is_named() {
    let run = ["run", "--side-port", "0", "--listen", "0", "--", "npm", "start"];
    let server = Server::spawn(heapbeat_command(&run, &[("PATH", "/nonexistent")]));
    let warning = server.wait_for_log("closes the socket of --listen");
    assert!(warning["message"].as_str().unwrap().starts_with("npm "), "{warning}");
}
