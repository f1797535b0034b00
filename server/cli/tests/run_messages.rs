//! What `heapbeat run` says to those who start and stop it.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::process::Command;

use heapbeat_test_support::programs::PATH;
use heapbeat_test_support::{
    Server, binary_path, child_pids, heapbeat_command, is_alive, send_signal, wait_for,
};

/// Runs `heapbeat` with wrong arguments, and returns what it says.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let variables = [&[("PATH", PATH)], variables].concat();
    let output = heapbeat_command(arguments, &variables).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_wrong_command_line_is_answered_with_the_right_one() {
    // Arguments, a variable, and what is said.
    let cases = [
        ("run --memory-limit 512MB -- true", ("HOME", "/"), "is --limit 512MB"),
        ("run node server.js", ("HOME", "/"), "heapbeat run -- node …"),
        ("run --upstream 19085 -- true", ("PORT", "19085"), "listens on port 19085"),
        ("run --upstream 19085 --port 19085 -- true", ("HOME", "/"), "listens on port 19085"),
        ("run -- true", ("HEAPBEAT_AGENT", "maybe"), "it is on or off"),
        ("run --limit -5MB -- true", ("HOME", "/"), "--limit is \"-5MB\": a size is a number and a unit"),
        ("run --listen abc -- true", ("HOME", "/"), "a port is a number from 1 to 65535"),
        ("run --instances 65 -- true", ("HOME", "/"), "it is a number from 1 to 64"),
        ("run --client-rate -1 -- true", ("HOME", "/"), "the rate is a number of bytes a second"),
        ("run --ready-timeout 0s -- true", ("HOME", "/"), "needs --no-listen"),
        ("run --upstream unix:app.sock -- true", ("HOME", "/"), "begins with `/`"),
        ("run --stop-signal kill -- true", ("HOME", "/"), "the signal must be TERM, INT"),
    ];
    for (arguments, variable, expected) in cases {
        let words: Vec<&str> = arguments.split(' ').collect();
        let said = refusal(&words, &[variable]);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn thresholds_that_contradict_each_other_are_refused_before_anything_listens() {
    let arguments = ["run", "--port", "0", "--side-port", "0", "--limit", "256MB", "--", "sleep", "60"];
    let said = refusal(&arguments, &[("HEAPBEAT_ALERT_AT", "95%")]);
    assert!(said.contains("must be greater than HEAPBEAT_ALERT_AT=95% (243.2 MB)"), "{said}");
    assert!(!said.contains("listening"), "{said}");
}

#[test]
fn a_signal_that_heapbeat_does_not_use_does_not_end_it() {
    let mut server = guard_stubborn(&[]);
    server.wait_for_log("instance 1 is ready");
    for signal in ["USR1", "ALRM", "VTALRM", "PROF", "IO", "PWR"] {
        server.send_signal(signal);
        let line = server.wait_for_log(&format!("SIG{signal} has no effect"))["message"].to_string();
        assert!(line.contains("SIGUSR2 replaces what it guards"), "{line}");
    }
    for signal in ["PIPE", "WINCH"] {
        server.send_signal(signal);
    }
    assert!(server.is_running());
    server.send_signal("QUIT");
    server.wait_for_log("SIGQUIT stops heapbeat as SIGTERM does");
    server.wait_for_log("SIGTERM: stopping");
    server.send_signal("KILL");
    server.wait();
}

#[test]
fn recycle_says_how_a_guard_of_a_program_is_asked() {
    let server = guard_stubborn(&[]);
    server.wait_for_log("instance 1 is ready");
    let pid = server.pid().to_string();
    let output = heapbeat_command(&["recycle", "--pid", &pid], &[("PATH", PATH)]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("process {pid} guards a program with `heapbeat run`")), "{said}");
    assert!(said.contains(&format!("kill -USR2 {pid}")), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// Starts a program that takes no requests and ignores SIGTERM.
fn guard_stubborn(options: &[&str]) -> Server {
    let script = "trap '' TERM; while :; do sleep 0.1; done";
    let run =
        [&["run", "--side-port", "0", "--port", "0", "--no-listen"], options, &["--", "sh", "-c", script]];
    let variables = [("PATH", PATH), ("HEAPBEAT_DRAIN_WINDOW", "0s"), ("HEAPBEAT_AGENT", "off")];
    Server::spawn(heapbeat_command(&run.concat(), &variables))
}

#[test]
fn the_first_line_has_the_command_and_where_the_limit_comes_from() {
    let server = guard_stubborn(&["--limit", "300MB"]);
    let line = server.wait_for_log("guarding ")["message"].as_str().unwrap().to_owned();
    assert!(line.starts_with("guarding sh -c 'trap '\\'''\\'' TERM; while"), "{line}");
    assert!(line.contains("memory limit: 300.0 MB (") && line.ends_with("; --limit sets it)"), "{line}");
}

#[test]
fn a_stop_says_at_once_what_it_waits_for() {
    let mut server = guard_stubborn(&[]);
    server.wait_for_log("instance 1 is ready");
    server.send_signal("TERM");
    let line = server.wait_for_log("SIGTERM: stopping")["message"].as_str().unwrap().to_owned();
    assert!(line.contains("requests in flight: 0, time to finish: at most 25 s"), "{line}");
    wait_for("another request to stop", || {
        server.send_signal("TERM");
        (!server.log_events("SIGTERM again: ending at once").is_empty()).then_some(())
    });
    let exit = server.wait_for_exit(0);
    let evidence = exit["heapbeat.exit.evidence"].as_str().unwrap();
    assert!(evidence.ends_with("it was killed without waiting for it to stop"), "{evidence}");
    server.wait();
}

/// As `npm start` does where `sh` is dash: the shell waits for heapbeat, and ends at SIGTERM without passing it on.
#[test]
fn heapbeat_stops_when_the_shell_of_its_package_manager_ends() {
    let script = format!("{} run --side-port 0 --port 0 --no-listen -- sleep 600; true", binary_path());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &script]).env_clear().env("PATH", PATH).env("npm_lifecycle_event", "start");
    shell.envs([("HEAPBEAT_DRAIN_WINDOW", "0s"), ("HEAPBEAT_AGENT", "off")]);
    shell.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let server = Server::spawn(shell);
    let warning = server.wait_for_log("does not pass SIGTERM on")["message"].to_string();
    assert!(warning.contains("exec heapbeat run"), "{warning}");
    server.wait_for_log("instance 1 is ready");
    let guard = wait_for("heapbeat", || child_pids(server.pid()).into_iter().next());
    let program = wait_for("the program", || child_pids(guard).into_iter().next());
    send_signal(server.pid(), "TERM");
    wait_for("both to end", || (!is_alive(guard) && !is_alive(program)).then_some(()));
}

#[test]
fn an_option_that_does_nothing_is_said_to_and_a_variable_is_traced_to_its_flag() {
    let options = ["run", "--front", "off", "--side-port", "0", "--hold", "3s", "--stop-signal", "sigint"];
    let variables = [
        ("PATH", PATH),
        ("HEAPBEAT_AGENT", "off"),
        ("HEAPBEAT_HOLD", "3s"),
        ("HEAPBEAT_HANG_TIMEOUT", "1s"),
        ("HEAPBEAT_EDGE_TIMEOUT", "9m"),
    ];
    let server =
        Server::spawn(heapbeat_command(&[&options[..], &["--", "sleep", "60"]].concat(), &variables));
    server.wait_for_log("HEAPBEAT_HOLD is not a setting and has no effect; it is the flag --hold of");
    server.wait_for_log(
        "HEAPBEAT_HANG_TIMEOUT has no effect with `heapbeat run`: the option is --hang-timeout",
    );
    let warning = server.wait_for_log("--hold has no effect")["message"].to_string();
    assert!(warning.contains("without the front"), "{warning}");
    server.wait_for_log("HEAPBEAT_EDGE_TIMEOUT has no effect without HEAPBEAT_SECRET");
}

#[test]
fn options_that_contradict_each_other_end_the_start() {
    let options = ["run", "--no-listen", "--listen", "0", "--side-port", "0", "--", "sleep", "60"];
    let output = heapbeat_command(&options, &[("PATH", PATH)]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--listen passes a socket to the program"), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_program_that_is_left_to_a_daemon_is_remarked_on() {
    let options = ["run", "--no-listen", "--side-port", "0", "--"];
    let command = ["sh", "-c", "exec sleep 60; npx pm2 start app.js"];
    let variables = [("PATH", PATH), ("HEAPBEAT_AGENT", "off")];
    let server = Server::spawn(heapbeat_command(&[&options[..], &command].concat(), &variables));
    server.wait_for_log("pm2 start leaves the program to a daemon and ends");
}
