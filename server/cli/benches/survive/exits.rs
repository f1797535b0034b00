//! Compares the exit that is reported with the exit that was caused.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use super::super::times;
use heapbeat_test_support::{Server, privileged, send_signal, wait_for};

/// A kind of exit, and a function that causes it and returns the reported kind.
type Case = (&'static str, fn() -> Option<String>);

const CASES: [Case; 11] = [
    ("stop", || Some(report_by_next_server(&[], &[], |server| server.send_signal("TERM")))),
    ("deploy", || {
        Some(report_by_next_server(&[("DEMO_VERSION", "1")], &[("DEMO_VERSION", "2")], |server| {
            server.send_signal("TERM");
        }))
    }),
    ("recycle", || Some(report_by_supervisor(&[], |server| server.send_signal("USR2")))),
    ("panic", || Some(report_of_request("/demo/panic?task=true", &[]))),
    ("crash (SIGABRT)", || Some(report_of_request("/demo/abort", &[]))),
    ("crash (SIGKILL)", || {
        Some(report_by_supervisor(&[], |server| send_signal(server.worker_pid(), "KILL")))
    }),
    ("crash (exit code)", || Some(report_of_request("/demo/exit?code=7", &[]))),
    ("hang (runtime)", || Some(report_of_request("/demo/hang?s=60", &[("HEAPBEAT_HANG_TIMEOUT", "1s")]))),
    ("hang (stopped)", || {
        Some(report_by_supervisor(&[("HEAPBEAT_HANG_TIMEOUT", "1s")], |server| {
            send_signal(server.worker_pid(), "STOP");
        }))
    }),
    ("oom_kill", report_of_oom_kill),
    ("platform", || Some(report_after_lost_host())),
];

/// Causes every exit `SURVIVE_TIMES` times, and prints how often each kind was reported.
pub(crate) fn matrix() {
    let mut wrong_but_sure = 0;
    let mut all = 0;
    for (label, run) in CASES {
        let mut reported = BTreeMap::<String, usize>::new();
        for _ in 0..times() {
            let Some(word) = run() else { continue };
            let kind = label.split(' ').next().unwrap();
            let unsure = word == "unknown" || word.starts_with("probably ");
            wrong_but_sure += usize::from(!unsure && word != kind);
            all += 1;
            *reported.entry(word).or_default() += 1;
        }
        println!("{label:>18}: {reported:?}");
    }
    println!("{all} exits, {wrong_but_sure} reported as certain and wrong");
}

/// Starts a server, ends its worker, and returns the exit that the supervisor reports.
fn report_by_supervisor(variables: &[(&str, &str)], end: impl FnOnce(&Server)) -> String {
    let server = Server::start(variables);
    wait_for("a response", || (server.get("/").status == 200).then_some(()));
    end(&server);
    server.wait_for_exit(0);
    server.exit_kinds().remove(0)
}

/// Sends a request that ends the worker, and returns the exit that the supervisor reports.
fn report_of_request(path: &str, variables: &[(&str, &str)]) -> String {
    let mut connection = None;
    report_by_supervisor(variables, |server| {
        let mut stream = server.connect();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes()).unwrap();
        connection = Some(stream);
    })
}

/// Starts and ends a server, and returns the exit that the next server reports.
fn report_by_next_server(
    first: &[(&str, &str)],
    second: &[(&str, &str)],
    end: impl FnOnce(&Server),
) -> String {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let place = [("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap()), ("HEAPBEAT_DRAIN_WINDOW", "0s")];
    let mut server = Server::start(&[first, &place].concat());
    end(&server);
    server.wait();
    let server = Server::start(&[second, &place].concat());
    server.wait_for_exit(0);
    server.exit_kinds().remove(0)
}

fn report_of_oom_kill() -> Option<String> {
    let group = privileged::create_memory_cgroup(160 << 20)?;
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.path().display());
    let server = Server::start_through(&["sh", "-c", &enter, "sh"], &[("HEAPBEAT_OBSERVE_ONLY", "on")]);
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/leak?mb=400 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    server.wait_for_exit(0);
    Some(server.exit_kinds().remove(0))
}

/// Kills all processes, starts another server under a different boot id, and returns the exit that it reports.
fn report_after_lost_host() -> String {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let place = [("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap())];
    let mut server = Server::start(&place);
    server.kill_all();
    let boot = directory.path().join("boot");
    fs::write(&boot, "00000000-0000-4000-8000-000000000000\n").unwrap();
    let other = format!("mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"", boot.display());
    let server = Server::start_through(&["unshare", "-m", "sh", "-c", &other, "sh"], &place);
    server.wait_for_exit(0);
    server.exit_kinds().remove(0)
}
