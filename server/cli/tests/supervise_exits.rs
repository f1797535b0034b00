//! Every kind of exit: how the supervisor logs it, and how the next instance reports it.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use heapbeat_shared::{Bytes, ExitKind, InstanceId};
use heapbeat_test_support::owner::fetch_report;
use heapbeat_test_support::{Server, is_alive, read_response, send_signal, wait_for};

/// Sends a request that makes the worker exit before it responds. The connection must be kept open, as a handler is dropped when its
/// client disconnects.
#[must_use]
fn send_fatal_request(server: &Server, path: &str) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes()).unwrap();
    stream
}

fn evidence(exit: &serde_json::Value) -> String {
    exit["heapbeat.exit.evidence"].as_str().unwrap().to_owned()
}

#[test]
fn crashes_name_their_signal_or_exit_code() {
    let server = Server::start(&[]);
    let cases =
        [("/demo/abort", "it was terminated by SIGABRT"), ("/demo/exit?code=3", "it exited with code 3")];
    for (index, (path, expected)) in cases.into_iter().enumerate() {
        wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
        let _connection = send_fatal_request(&server, path);
        let exit = server.wait_for_exit(index);
        assert!(evidence(&exit).starts_with(expected), "{exit}");
    }
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
    send_signal(server.worker_pid(), "ILL");
    assert!(evidence(&server.wait_for_exit(2)).starts_with("it was terminated by SIGILL"));
    assert_eq!(server.exit_kinds(), ["crash", "crash", "crash"]);
}

#[test]
fn an_exit_with_code_0_that_was_not_requested_is_unknown() {
    let server = Server::start(&[]);
    let _connection = send_fatal_request(&server, "/demo/exit?code=0");
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "unknown");
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn the_report_and_check_memory_show_the_previous_exit() {
    const SECRET: &str = "a secret of the owner's";
    let server = Server::start(&[("HEAPBEAT_SECRET", SECRET)]);
    assert_eq!(fetch_report(&server, SECRET, "").0.previous_exit, None, "there is no previous instance");
    let first = wait_for("the first sample", || {
        let report = fetch_report(&server, SECRET, "").0;
        (report.latest.rss > Bytes::from_mb(1)).then_some(report.instance)
    });
    let killed = server.worker_pid();
    send_signal(killed, "KILL");
    server.wait_for_exit(0);
    wait_for("another worker", || (server.worker_pid() != killed).then_some(()));
    let previous = wait_for("the exit in the report", || fetch_report(&server, SECRET, "").0.previous_exit);
    assert_eq!((previous.kind, previous.sure, previous.instance), (ExitKind::Crash, true, Some(first)));
    assert_eq!(previous.evidence[0].text, "it was terminated by SIGKILL", "{previous:?}");
    assert!(previous.last.is_some_and(|sample| sample.rss > Bytes::from_mb(1)), "{previous:?}");
    let url = format!("http://{}", server.address());
    let check = ["check-memory", "--once", "--url", &url];
    let output =
        heapbeat_test_support::heapbeat_command(&check, &[("HEAPBEAT_SECRET", SECRET)]).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let line = output.lines().find(|line| line.contains("last exit")).unwrap_or_else(|| panic!("{output}"));
    assert!(line.contains(" ago: crash: it was terminated by SIGKILL"), "{line}");
}

#[test]
fn a_panic_outside_of_a_request_ends_the_worker_and_its_message_is_evidence() {
    let server = Server::start(&[]);
    let before = server.worker_pid();
    assert_eq!(server.get("/demo/panic").status, 500, "a panic in a handler ends only its request");
    assert_eq!(server.worker_pid(), before);
    let _connection = send_fatal_request(&server, "/demo/panic?task=true");
    let exit = server.wait_for_exit(0);
    assert_eq!((&exit["heapbeat.exit.kind"], &exit["heapbeat.exit.sure"]), (&"panic".into(), &true.into()));
    assert!(
        evidence(&exit).contains("routes.rs") && evidence(&exit).contains("a task of /demo/panic"),
        "{exit}"
    );
}

#[test]
fn a_hang_of_the_runtime_or_of_the_process_is_detected() {
    let server = Server::start(&[("HEAPBEAT_HANG_TIMEOUT", "1s")]);
    let _connection = send_fatal_request(&server, "/demo/hang?s=60");
    let exit = server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "hang");
    assert!(
        evidence(&exit).contains("last report before it hung: "),
        "a worker whose runtime hangs writes a report: {exit}"
    );
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
    send_signal(server.worker_pid(), "STOP");
    let exit = server.wait_for_exit(1);
    assert_eq!(exit["heapbeat.exit.kind"], "hang");
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn a_stop_that_was_requested_from_the_worker_itself_is_a_stop() {
    let server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
    let old = server.worker_pid();
    send_signal(old, "TERM");
    let exit = server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "stop");
    assert!(evidence(&exit).contains("it recorded that it was asked to stop: SIGTERM"), "{exit}");
    wait_for("another worker", || {
        (is_alive(server.worker_pid()) && server.worker_pid() != old).then_some(())
    });
}

fn start_with_recorder(directory: &Path) -> Server {
    Server::start(&[("HEAPBEAT_FLIGHT_DIR", directory.to_str().unwrap()), ("HEAPBEAT_DRAIN_WINDOW", "0s")])
}

#[test]
fn a_server_logs_how_the_previous_one_exited() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = directory.path().join("flight");
    let mut server = start_with_recorder(&recorder);
    server.send_signal("TERM");
    server.wait();

    let mut server = start_with_recorder(&recorder);
    let exit = server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "stop");
    assert!(
        exit["message"].as_str().unwrap().starts_with("the previous instance was stopped on request"),
        "{exit}"
    );
    server.kill_all();

    let server = start_with_recorder(&recorder);
    let exit = server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "unknown");
    assert!(evidence(&exit).contains("no process observed its exit"), "{exit}");
    assert!(evidence(&exit).contains("the host has been up all the time"), "{exit}");
}

#[test]
fn a_damaged_recorder_is_named_in_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = directory.path().join("flight");
    drop(start_with_recorder(&recorder));
    fs::write(recorder.join("flight-0"), "something else").unwrap();
    fs::write(recorder.join("last-exit.json"), "{").unwrap();
    let server = start_with_recorder(&recorder);
    let exit = server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "unknown");
    assert_eq!(exit["heapbeat.exit.unreadable"], "the flight recorder has 14 bytes instead of 131072");
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn a_directory_that_cannot_be_created_does_not_stop_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    // A directory can be created neither below a file nor in /proc, not even by root.
    for directory in [file.join("x"), "/proc/heapbeat".into()] {
        let server = start_with_recorder(&directory);
        server.wait_for_log("no flight recorder in");
        let _connection = send_fatal_request(&server, "/demo/panic?task=true");
        let exit = server.wait_for_exit(0);
        assert_eq!(exit["heapbeat.exit.kind"], "panic", "the supervisor keeps the records in memory: {exit}");
    }
}

#[test]
fn a_disk_that_becomes_read_only_is_still_read_and_the_server_keeps_running() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mounted) = heapbeat_test_support::privileged::mount_tmpfs(directory.path(), "4m") else {
        return;
    };
    let recorder = directory.path().join("flight");
    let mut server = start_with_recorder(&recorder);
    server.kill_all();
    mounted.make_read_only();

    let server = start_with_recorder(&recorder);
    assert_eq!(
        server.wait_for_exit(0)["heapbeat.exit.kind"],
        "unknown",
        "the records that were written must be read"
    );
    let event = server.wait_for_log("it is kept in memory instead");
    assert!(event["message"].as_str().unwrap().contains("Read-only file system"), "{event}");
    let _connection = send_fatal_request(&server, "/demo/panic?task=true");
    assert_eq!(server.wait_for_exit(1)["heapbeat.exit.kind"], "panic");
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn on_a_full_disk_the_recorder_is_kept_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mounted) = heapbeat_test_support::privileged::mount_tmpfs(directory.path(), "64k") else {
        return;
    };
    let server = start_with_recorder(&directory.path().join("flight"));
    server.wait_for_log("it is kept in memory instead");
    let _connection = send_fatal_request(&server, "/demo/panic?task=true");
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "panic");
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
}

#[test]
fn an_oom_kill_is_detected_and_the_worker_is_restarted() {
    let Some(group) = heapbeat_test_support::privileged::create_memory_cgroup(160 << 20) else { return };
    let server = Server::start_through(
        &["sh", "-c", &format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.path().display()), "sh"],
        // The guard must not act before the kernel does.
        &[("HEAPBEAT_OBSERVE_ONLY", "on")],
    );
    let supervisor = server.pid();
    for kill in 0..2 {
        wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
        let _connection = send_fatal_request(&server, "/demo/leak?mb=400");
        let exit = server.wait_for_exit(kill);
        assert_eq!(exit["heapbeat.exit.kind"], "oom_kill", "{exit}");
        assert_eq!(exit["heapbeat.exit.sure"], true, "{exit}");
        assert!(evidence(&exit).contains("OOM kill count of its control group rose by 1"), "{exit}");
    }
    wait_for("the server to answer", || (server.get("/").status == 200).then_some(()));
    assert_eq!(server.pid(), supervisor);
    assert!(is_alive(supervisor));
}

#[test]
fn a_worker_that_replaces_another_reports_the_exit_of_that_one_and_no_older_one() {
    const SECRET: &str = "a secret of the owner's";
    let server = Server::start(&[("HEAPBEAT_SECRET", SECRET)]);
    let report = |query: &str| fetch_report(&server, SECRET, query).0;
    let wait_for_other = |before: InstanceId| {
        wait_for("another instance", || Some(report("")).filter(|it| it.instance != before))
    };
    let first = report("").instance;
    send_signal(server.worker_pid(), "KILL");
    let second = wait_for_other(first);
    assert_eq!(
        second.previous_exit.map(|exit| (exit.kind, exit.instance)),
        Some((ExitKind::Crash, Some(first)))
    );

    let cursor = wait_for("a sample", || report("").cursor());
    let mut in_flight = server.connect();
    in_flight.write_all(b"GET /demo/work?ms=8000 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    // By then the worker has accepted the request.
    let newest = wait_for("more samples", || report("").cursor().filter(|it| it.sequence > cursor.sequence));
    server.recycle();
    wait_for("the recycle", || (server.log_events("recycled: worker").len() == 1).then_some(()));
    let third = wait_for_other(second.instance);
    assert_eq!(third.previous_exit, None, "the worker before still drains");
    assert_eq!((third.earlier.running, third.earlier.exits.len()), (1, 1));
    assert_eq!(third.earlier.exits[0].instance, Some(first));
    // The samples of the worker that drains are reported already, from a moment after the log says that it is being replaced.
    let left = wait_for("its samples", || report(&format!("?after={cursor}")).last_samples);
    let series = left.samples.series().unwrap();
    assert!(left.instance == second.instance && series.first == cursor.sequence + 1, "{left:?}");
    assert!(series.first + series.samples.len() as u64 > newest.sequence, "{left:?} up to {newest}");

    let exit = wait_for("the exit in the report", || report("").previous_exit);
    assert_eq!((exit.kind, exit.instance), (ExitKind::Recycle, Some(second.instance)));
    assert_eq!(report("").earlier.running, 0);
    let response = read_response(&mut BufReader::new(in_flight), "GET").unwrap();
    assert_eq!(response.status, 200);
}
