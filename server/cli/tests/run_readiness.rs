//! `heapbeat run`: what counts as ready, and signals before that.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::process::{Command, Stdio};

use heapbeat_test_support::guarded_node::GuardedNode;
use heapbeat_test_support::programs::PATH;
use heapbeat_test_support::{Server, binary_path, child_pids, heapbeat_command, send_signal, wait_for};

/// Listens after `DELAY` ms. `/healthz` answers 503 for `UNHEALTHY` ms after that; every other path says whether that time is over.
const NODE: &str = "let healthy = false;
setTimeout(() => {
  require('http').createServer((request, response) => {
    if (request.url !== '/healthz') return response.end(healthy ? 'ready' : 'early');
    response.statusCode = healthy ? 200 : 503;
    response.end();
  }).listen(process.env.PORT, '127.0.0.1');
  setTimeout(() => { healthy = true; }, Number(process.env.UNHEALTHY || 1500));
}, Number(process.env.DELAY || 0));
";

fn start(options: &[&str], variables: &[(&str, &str)]) -> Option<GuardedNode> {
    GuardedNode::start(NODE, options, variables)
}

#[test]
fn an_instance_is_ready_when_its_own_health_check_passes() {
    let Some(guarded) = start(&["--health-path", "/healthz"], &[]) else { return };
    // Sent while it starts, so it waits.
    assert_eq!(guarded.get("/"), "ready");
    let options = ["--health-path", "/healthz", "--ready-path", "/"];
    let Some(guarded) = start(&options, &[("UNHEALTHY", "3600000")]) else { return };
    assert_eq!(guarded.get("/"), "early", "a path for readiness goes first");
}

#[test]
fn health_says_that_requests_wait_for_the_next_instance_and_stays_200() {
    const SOURCE: &str = "const fs = require('fs');
const [first, go] = ['first', 'go'].map((name) => `${process.env.DIRECTORY}/${name}`);
const isFirst = !fs.existsSync(first);
fs.writeFileSync(first, String(process.pid));
const listen = () => require('http').createServer((_, response) => response.end(String(process.pid)))
  .listen(process.env.PORT, '127.0.0.1');
const wait = () => (isFirst || fs.existsSync(go) ? listen() : setTimeout(wait, 20));
wait();
";
    let directory = tempfile::tempdir().unwrap();
    let variables = [("DIRECTORY", directory.path().to_str().unwrap())];
    let Some(guarded) = GuardedNode::start(SOURCE, &[], &variables) else { return };
    let wait_for_status = |expected: &str, until_200: bool| {
        wait_for(expected, || {
            let response = guarded.server.get("/health");
            assert!(until_200 || response.status == 200, "{}", response.text());
            response.text().contains(&format!("\"status\":\"{expected}\"")).then_some(())
        });
    };
    let first: u32 = guarded.get("/").parse().unwrap();
    wait_for_status("healthy", true);
    send_signal(first, "KILL");
    wait_for_status("degraded", false);
    fs::write(directory.path().join("go"), "").unwrap();
    wait_for_status("healthy", false);
    assert_ne!(guarded.get("/"), first.to_string());
}

#[test]
fn a_program_without_requests_is_not_waited_for_at_its_port() {
    let options = ["run", "--front", "off", "--no-listen", "--ready-after", "100ms", "--ready-timeout", "1h"];
    let arguments = [&options[..], &["--side-port", "0", "--", "sleep", "600"]].concat();
    let variables = [("PATH", PATH), ("PORT", "9"), ("HEAPBEAT_AGENT", "off")];
    let server = Server::spawn(heapbeat_command(&arguments, &variables));
    wait_for("readiness", || (server.get("/health/ready").status == 200).then_some(()));
}

#[test]
fn a_request_for_a_replacement_before_the_program_is_ready_ends_nothing() {
    let Some(guarded) = start(&[], &[("DELAY", "2000")]) else { return };
    // The first one may arrive before heapbeat listens for signals.
    guarded.server.send_signal("USR2");
    guarded.server.wait_for_log("requests: listening");
    guarded.server.send_signal("USR2");
    wait_for("the program", || (guarded.get("/") == "ready").then_some(()));
    assert_eq!(guarded.server.exit_kinds(), [""; 0], "no instance has ended");
    // It is replaced when it can be.
    wait_for("a replacement", || {
        guarded.server.send_signal("USR2");
        (!guarded.server.log_events("recycled: instance").is_empty()).then_some(())
    });
}

#[test]
fn the_program_has_the_limit_on_open_files_that_it_would_have_without_heapbeat() {
    let script = "ulimit -Sn 100; exec \"$0\" run --port 0 --side-port 0 -- sh -c 'sleep 60; true'";
    let mut command = Command::new("sh");
    command.args(["-c", script, &binary_path()]).env_clear().env("HEAPBEAT_AGENT", "off").env("PATH", PATH);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let server = Server::spawn(command);
    server.wait_for_log("requests: listening");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let figures: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(figures[0], figures[1], "heapbeat itself uses what it may: {line}");
    let program = wait_for("the program", || {
        let children = child_pids(server.pid());
        children.into_iter().find(|pid| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it.starts_with("sh\0"))
        })
    });
    let limits = fs::read_to_string(format!("/proc/{program}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("100"), "{line}");
}
