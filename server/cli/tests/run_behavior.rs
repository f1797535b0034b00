//! How `heapbeat run` treats programs that are not well-behaved servers, as `docs/any-program.md` says.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use heapbeat_test_support::programs::PATH;
use heapbeat_test_support::{Server, child_pids, heapbeat_command, is_alive, wait_for};

fn guard(options: &[&str], variables: &[(&str, &str)], script: &str) -> Server {
    let run: Vec<&str> =
        [&["run", "--front", "off", "--side-port", "0"], options, &["--", "sh", "-c", script]].concat();
    Server::spawn(heapbeat_command(&run, &[&[("PATH", PATH)], variables].concat()))
}

#[test]
fn a_program_gets_no_secret_of_the_guard() {
    let secrets = [
        ("PATH", PATH),
        ("HEAPBEAT_SECRET", "a secret of sixteen or more"),
        ("HEAPBEAT_SECRET_PREVIOUS", "the secret before this one"),
        ("HEAPBEAT_METRICS_TOKEN", "the token of a scraper"),
        ("HEAPBEAT_ALERT_WEBHOOK", "https://hooks.example.com/T0/B0"),
        ("DATABASE_URL", "postgres://u:p@h/d"),
    ];
    let run = ["run", "--front", "off", "--side-port", "off", "--", "sh", "-c", "env; cat /proc/$$/environ"];
    let output = heapbeat_command(&run, &secrets).output().unwrap();
    let environment = String::from_utf8(output.stdout).unwrap();
    for (name, value) in &secrets[1..5] {
        assert!(!environment.contains(name) && !environment.contains(value), "{name}: {environment}");
    }
    assert!(environment.contains("DATABASE_URL=postgres://u:p@h/d"), "its own secrets are its own");
}

#[test]
fn secrets_in_arguments_are_not_logged() {
    let run = [
        "run",
        "--side-port",
        "off",
        "--",
        "sh",
        "-c",
        "exit 0",
        "--db-password",
        "hunter2",
        "redis://u:hunter3@h",
    ];
    let output = heapbeat_command(&run, &[("PATH", PATH)]).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("guarding ") && log.contains("redis://***@h"), "{log}");
    assert!(!log.contains("hunter"), "{log}");
}

#[test]
fn a_program_reads_the_standard_input_of_the_guard() {
    let run =
        ["run", "--front", "off", "--side-port", "off", "--", "sh", "-c", "read word; echo \"got $word\""];
    let mut command = heapbeat_command(&run, &[("PATH", PATH)]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut guard = command.spawn().unwrap();
    guard.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let output = guard.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "got hello\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_after_the_drain_timeout() {
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    let script = format!("trap '' TERM; touch {}; while :; do sleep 1; done", ready.display());
    let mut server = guard(&[], &[("HEAPBEAT_DRAIN_TIMEOUT", "1s")], &script);
    wait_for("the program to be ready", || ready.exists().then_some(()));
    let program = child_pids(server.pid())[0];
    let asked = Instant::now();
    server.send_signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(!is_alive(program));
    let exit = server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "stop");
    let evidence = exit["heapbeat.exit.evidence"].as_str().unwrap();
    assert!(evidence.ends_with("it did not stop in time and was killed"), "{evidence}");
    assert_eq!(server.log_events("did not stop within 3 s").len(), 1);
}

#[test]
fn a_program_that_moves_to_the_background_is_stopped_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 600' & sleep 1; exit 0", pid.display());
    let mut server = guard(&[], &[("HEAPBEAT_DRAIN_TIMEOUT", "5s")], &script);
    let daemon = wait_for("the daemon", || fs::read_to_string(&pid).ok()?.trim().parse().ok());
    assert_eq!(server.wait().code(), Some(0));
    assert!(!is_alive(daemon));
    assert_eq!(server.log_events("start it in the foreground").len(), 1);
}

#[test]
fn a_program_that_exits_at_once_is_restarted_with_growing_pauses() {
    let server = guard(&[], &[], "exit 3");
    wait_for("the pauses", || {
        (server.log_events("next attempt to start the instance").len() >= 2).then_some(())
    });
    assert!(server.exit_kinds().len() >= 3);
    assert_eq!(server.get("/health").status, 503);
}

#[test]
fn a_program_that_listens_late_is_ready_when_it_listens() {
    let Some(python) =
        ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|it| fs::exists(it).unwrap())
    else {
        return heapbeat_test_support::privileged::report_skipped("Python is not installed");
    };
    let script =
        "import socket, time\ntime.sleep(4)\ns = socket.create_server(('127.0.0.1', 0))\ntime.sleep(600)";
    let run =
        ["run", "--front", "off", "--side-port", "0", "--ready-after", "1s", "--", python, "-c", script];
    // `PORT` says that it will listen.
    let server = Server::spawn(heapbeat_command(&run, &[("PATH", PATH), ("PORT", "1")]));
    let begun = Instant::now();
    wait_for("the program to be started", || child_pids(server.pid()).into_iter().next());
    // Python itself may start slowly.
    let requested = heapbeat_test_support::poll_for(Duration::from_secs(90), || {
        server.send_signal("USR2");
        server.log_events("requested by the operator").pop()
    });
    assert!(requested.is_some(), "no recycle was possible");
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(!server.log_events("the instance is still starting").is_empty());
}
