//! Labelled exits: what was done, against what was said of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use super::super::times;
use heapbeat_test_support::{Server, privileged, signal, until};

/// One label, and how to bring it about: returns what was said.
type Case = (&'static str, fn() -> Option<String>);

const CASES: [Case; 11] = [
    ("stop", || Some(two(&[], &[], |server| server.signal("TERM")))),
    ("deploy", || {
        Some(two(&[("DEMO_VERSION", "1")], &[("DEMO_VERSION", "2")], |server| server.signal("TERM")))
    }),
    ("recycle", || Some(within(&[], |server| server.signal("USR2")))),
    ("panic", || Some(asked("/demo/panic?task=true", &[]))),
    ("crash (SIGABRT)", || Some(asked("/demo/abort", &[]))),
    ("crash (SIGKILL)", || Some(within(&[], |server| signal(server.worker(), "KILL")))),
    ("crash (exit code)", || Some(asked("/demo/exit?code=7", &[]))),
    ("hang (runtime)", || Some(asked("/demo/hang?s=60", &[("HEAPBEAT_HANG_TIMEOUT", "1s")]))),
    ("hang (stopped)", || {
        Some(within(&[("HEAPBEAT_HANG_TIMEOUT", "1s")], |server| signal(server.worker(), "STOP")))
    }),
    ("oom_kill", out_of_memory),
    ("platform", || Some(vanished())),
];

/// Brings every label about `SURVIVE_TIMES` times and prints what was said.
pub(crate) fn matrix() {
    let mut wrong_but_sure = 0;
    let mut all = 0;
    for (label, run) in CASES {
        let mut said = BTreeMap::<String, usize>::new();
        for _ in 0..times() {
            let Some(word) = run() else { continue };
            let kind = label.split(' ').next().unwrap();
            let unsure = word == "unknown" || word.starts_with("probably ");
            wrong_but_sure += usize::from(!unsure && word != kind);
            all += 1;
            *said.entry(word).or_default() += 1;
        }
        println!("{label:>18}: {said:?}");
    }
    println!("{all} exits, {wrong_but_sure} wrong and said to be sure");
}

/// What is said within one server.
fn within(variables: &[(&str, &str)], end: impl FnOnce(&Server)) -> String {
    let server = Server::start(variables);
    until("an answer", || (server.get("/").status == 200).then_some(()));
    end(&server);
    server.exit(0);
    server.exits().remove(0)
}

fn asked(path: &str, variables: &[(&str, &str)]) -> String {
    let mut kept = None;
    within(variables, |server| {
        let mut stream = server.connect();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes()).unwrap();
        kept = Some(stream);
    })
}

/// What the second server says of the first.
fn two(first: &[(&str, &str)], second: &[(&str, &str)], end: impl FnOnce(&Server)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let place = [("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap()), ("HEAPBEAT_DRAIN_WINDOW", "0s")];
    let mut server = Server::start(&[first, &place].concat());
    end(&server);
    server.wait();
    let server = Server::start(&[second, &place].concat());
    server.exit(0);
    server.exits().remove(0)
}

fn out_of_memory() -> Option<String> {
    let group = privileged::memory_group(160 << 20)?;
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.path().display());
    let server = Server::start_by(&["sh", "-c", &enter, "sh"], &[("HEAPBEAT_OBSERVE_ONLY", "on")]);
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/leak?mb=400 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    server.exit(0);
    Some(server.exits().remove(0))
}

/// Everything dies at once, and the next start is on a machine with another boot id.
fn vanished() -> String {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let place = [("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap())];
    let mut server = Server::start(&place);
    server.kill_whole();
    let boot = directory.path().join("boot");
    fs::write(&boot, "00000000-0000-4000-8000-000000000000\n").unwrap();
    let other = format!("mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"", boot.display());
    let server = Server::start_by(&["unshare", "-m", "sh", "-c", &other, "sh"], &place);
    server.exit(0);
    server.exits().remove(0)
}
