//! Every way to end, and what is said of it: to the log at once, and by the next instance.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use heapbeat_shared::{Bytes, ExitKind};
use heapbeat_test_support::owner::report;
use heapbeat_test_support::{Server, lives, signal, until};

/// Asks for something that ends the worker before it answers. The connection has to be kept: nobody works for a client
/// that is gone.
#[must_use]
fn last_request(server: &Server, path: &str) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes()).unwrap();
    stream
}

fn evidence(exit: &serde_json::Value) -> String {
    exit["heapbeat.exit.evidence"].as_str().unwrap().to_owned()
}

#[test]
fn crashes_are_told_by_their_signal_or_code() {
    let server = Server::start(&[]);
    let cases =
        [("/demo/abort", "it was terminated by SIGABRT"), ("/demo/exit?code=3", "it exited with code 3")];
    for (index, (path, expected)) in cases.into_iter().enumerate() {
        until("the server to answer", || (server.get("/").status == 200).then_some(()));
        let _asked = last_request(&server, path);
        let exit = server.exit(index);
        assert!(evidence(&exit).starts_with(expected), "{exit}");
    }
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
    signal(server.worker(), "ILL");
    assert!(evidence(&server.exit(2)).starts_with("it was terminated by SIGILL"));
    assert_eq!(server.exits(), ["crash", "crash", "crash"]);
}

#[test]
fn an_exit_that_nobody_asked_for_is_not_explained() {
    let server = Server::start(&[]);
    let _asked = last_request(&server, "/demo/exit?code=0");
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "unknown");
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn the_owner_learns_how_the_worker_before_ended_from_the_report_and_in_the_terminal() {
    const SECRET: &str = "a secret of the owner's";
    let server = Server::start(&[("HEAPBEAT_SECRET", SECRET)]);
    assert_eq!(report(&server, SECRET, "").0.previous, None, "nobody was there before");
    let (first, killed) = (report(&server, SECRET, "").0.instance, server.worker());
    signal(killed, "KILL");
    server.exit(0);
    until("another worker", || (server.worker() != killed).then_some(()));
    let previous = until("the exit in the report", || report(&server, SECRET, "").0.previous);
    assert_eq!((previous.kind, previous.sure, previous.instance), (ExitKind::Crash, true, Some(first)));
    assert_eq!(previous.evidence[0].text, "it was terminated by SIGKILL", "{previous:?}");
    assert!(previous.last.is_some_and(|sample| sample.rss > Bytes::from_mb(1)), "{previous:?}");
    let url = format!("http://{}", server.address());
    let check = ["check-memory", "--once", "--url", &url];
    let shown = heapbeat_test_support::heapbeat(&check, &[("HEAPBEAT_SECRET", SECRET)]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let line = shown.lines().find(|line| line.contains("last exit")).unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains(" ago: crash: it was terminated by SIGKILL"), "{line}");
}

#[test]
fn a_panic_outside_of_a_request_ends_the_worker_with_its_message() {
    let server = Server::start(&[]);
    let before = server.worker();
    assert_eq!(server.get("/demo/panic").status, 500, "one in a request ends only that");
    assert_eq!(server.worker(), before);
    let _asked = last_request(&server, "/demo/panic?task=true");
    let exit = server.exit(0);
    assert_eq!((&exit["heapbeat.exit.kind"], &exit["heapbeat.exit.sure"]), (&"panic".into(), &true.into()));
    assert!(
        evidence(&exit).contains("routes.rs") && evidence(&exit).contains("a task of /demo/panic"),
        "{exit}"
    );
}

#[test]
fn a_hang_of_the_runtime_or_of_the_process_is_noticed() {
    let server = Server::start(&[("HEAPBEAT_HANG_TIMEOUT", "1s")]);
    let _asked = last_request(&server, "/demo/hang?s=60");
    let exit = server.exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "hang");
    assert!(
        evidence(&exit).contains("last report before it hung: "),
        "a hung runtime leaves a report: {exit}"
    );
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
    signal(server.worker(), "STOP");
    let exit = server.exit(1);
    assert_eq!(exit["heapbeat.exit.kind"], "hang");
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn a_busy_worker_is_not_taken_for_a_hung_one() {
    let server = Server::start(&[("HEAPBEAT_HANG_TIMEOUT", "6s")]);
    let worker = server.worker();
    // A thread of the runtime is blocked at nearly every moment, for longer than the timeout all together.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(9) {
        server.get("/demo/churn?mb=100");
    }
    assert_eq!((server.worker(), server.exits().len()), (worker, 0));
}

#[test]
fn a_stop_that_somebody_else_asked_for_is_a_stop() {
    let server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
    let old = server.worker();
    signal(old, "TERM");
    let exit = server.exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "stop");
    assert!(evidence(&exit).contains("it recorded that it was asked to stop: SIGTERM"), "{exit}");
    until("another worker", || (lives(server.worker()) && server.worker() != old).then_some(()));
}

fn with_flight(directory: &Path) -> Server {
    Server::start(&[("HEAPBEAT_FLIGHT_DIR", directory.to_str().unwrap()), ("HEAPBEAT_DRAIN_WINDOW", "0s")])
}

#[test]
fn the_next_server_says_how_the_last_one_ended() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = directory.path().join("flight");
    let mut server = with_flight(&shelf);
    server.signal("TERM");
    server.wait();

    let mut server = with_flight(&shelf);
    let told = server.exit(0);
    assert_eq!(told["heapbeat.exit.kind"], "stop");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .starts_with("the instance before this server was stopped on request"),
        "{told}"
    );
    server.kill_whole();

    let server = with_flight(&shelf);
    let told = server.exit(0);
    assert_eq!(told["heapbeat.exit.kind"], "unknown");
    assert!(evidence(&told).contains("no process observed its exit"), "{told}");
    assert!(evidence(&told).contains("the host has been up all the time"), "{told}");
}

#[test]
fn a_damaged_or_foreign_recorder_is_said_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = directory.path().join("flight");
    drop(with_flight(&shelf));
    fs::write(shelf.join("flight-0"), "something else").unwrap();
    fs::write(shelf.join("last-exit.json"), "{").unwrap();
    let server = with_flight(&shelf);
    let told = server.exit(0);
    assert_eq!(told["heapbeat.exit.kind"], "unknown");
    assert_eq!(told["heapbeat.exit.lost"], "the flight recorder has 14 bytes instead of 131072");
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn where_no_recorder_can_be_the_server_runs_on_and_says_what_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    // No directory can be made below a file, nor in /proc, which is as read-only as a file system can be to root.
    for place in [file.join("x"), "/proc/heapbeat".into()] {
        let server = with_flight(&place);
        server.said("no flight recorder in");
        let _asked = last_request(&server, "/demo/panic?task=true");
        let exit = server.exit(0);
        assert_eq!(exit["heapbeat.exit.kind"], "panic", "the supervisor's memory stands in: {exit}");
    }
}

#[test]
fn a_disk_that_cannot_be_written_any_more_is_read_and_nothing_else_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mounted) = heapbeat_test_support::privileged::small_file_system(directory.path(), "4m") else {
        return;
    };
    let shelf = directory.path().join("flight");
    let mut server = with_flight(&shelf);
    server.kill_whole();
    mounted.make_read_only();

    let server = with_flight(&shelf);
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "unknown", "what was left is still told");
    let told = server.said("it is kept in memory instead");
    assert!(told["message"].as_str().unwrap().contains("Read-only file system"), "{told}");
    let _asked = last_request(&server, "/demo/panic?task=true");
    assert_eq!(server.exit(1)["heapbeat.exit.kind"], "panic");
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn a_full_disk_costs_the_recorder_its_file_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = heapbeat_test_support::privileged::small_file_system(directory.path(), "64k") else {
        return;
    };
    let server = with_flight(&directory.path().join("flight"));
    server.said("it is kept in memory instead");
    let _asked = last_request(&server, "/demo/panic?task=true");
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "panic");
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn the_kernels_kill_for_memory_is_named_and_outlived() {
    let Some(group) = heapbeat_test_support::privileged::memory_group(160 << 20) else { return };
    let server = Server::start_by(
        &["sh", "-c", &format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.path().display()), "sh"],
        // A guard that only watches, so that the kernel is the one to act.
        &[("HEAPBEAT_OBSERVE_ONLY", "on")],
    );
    let supervisor = server.pid();
    for kill in 0..2 {
        until("the server to answer", || (server.get("/").status == 200).then_some(()));
        let _asked = last_request(&server, "/demo/leak?mb=400");
        let exit = server.exit(kill);
        assert_eq!(exit["heapbeat.exit.kind"], "oom_kill", "{exit}");
        assert_eq!(exit["heapbeat.exit.sure"], true, "{exit}");
        assert!(evidence(&exit).contains("OOM kill count of its control group rose by 1"), "{exit}");
    }
    until("the server to answer", || (server.get("/").status == 200).then_some(()));
    assert_eq!(server.pid(), supervisor);
    assert!(lives(supervisor));
}
