//! Workers are replaced while clients send requests.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufReader, Read, Write};

use heapbeat_test_support::load::{Load, LoadPlan};
use heapbeat_test_support::{
    Server, child_pids, cpu_seconds, heapbeat_command, is_alive, read_response, send_signal, wait_for,
};

const WORK: LoadPlan =
    LoadPlan { clients: 4, rate: 200, keep_alive: false, path: |_| "/demo/work?ms=2&kb=4" };

/// Waits until another worker than `old` serves, and returns its process id.
fn wait_for_other_worker(server: &Server, old: u32) -> u32 {
    wait_for("another worker", || {
        Some(server.worker_pid()).filter(|worker| *worker != old && *worker != server.pid())
    })
}

#[test]
fn a_worker_that_is_killed_again_and_again_fails_only_its_own_requests_and_refuses_none() {
    const KILLS: usize = 8;
    let server = Server::start(&[]);
    let load = Load::start(server.address(), WORK);
    for kill in 0..KILLS {
        let old = server.worker_pid();
        send_signal(old, "KILL");
        wait_for_other_worker(&server, old);
        assert_eq!(server.get("/demo/work").status, 200);
        assert_eq!(server.wait_for_exit(kill)["heapbeat.exit.kind"], "crash");
    }
    let counts = load.stop();
    assert_eq!((counts.refused, counts.shed), (0, 0), "{counts:?}");
    assert!(counts.failed <= KILLS as u64 * u64::from(WORK.clients) && counts.succeeded > 0, "{counts:?}");
    assert_eq!(counts.sent, counts.succeeded + counts.failed, "{counts:?}");
    assert!(server.log_events("next attempt").is_empty(), "no kill was followed by a pause");
}

#[test]
fn a_recycle_fails_no_request_whether_connections_are_kept_or_not() {
    let server = Server::start(&[]);
    let mut streamed = server.connect();
    streamed.write_all(b"GET /demo/stream?s=3 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let loads =
        [false, true].map(|keep_alive| Load::start(server.address(), LoadPlan { keep_alive, ..WORK }));
    for recycle in 1..=3 {
        server.recycle();
        wait_for("the recycle", || (server.log_events("recycled: worker").len() == recycle).then_some(()));
    }
    let mut text = String::new();
    streamed.read_to_string(&mut text).unwrap();
    assert!(text.contains("end\n"), "the response in flight must be complete: {text}");
    wait_for("the old workers to exit", || (child_pids(server.pid()).len() == 1).then_some(()));
    for load in loads {
        let counts = load.stop();
        assert_eq!((counts.failed, counts.shed), (0, 0), "{counts:?}");
        assert!(counts.succeeded == counts.sent && counts.sent > 0, "{counts:?}");
    }
    assert_eq!(server.exit_kinds(), ["recycle", "recycle", "recycle"]);
}

#[test]
fn a_leak_is_recycled_without_a_failed_or_refused_request() {
    // Every tenth of a hundred requests per second leaks a megabyte.
    let leak = |n: u64| if n % 10 == 9 { "/demo/leak?mb=1" } else { "/demo/work?ms=2&kb=4" };
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "200MB"), ("HEAPBEAT_SAMPLE_INTERVAL", "200ms")]);
    let loads = [false, true].map(|keep_alive| {
        Load::start(server.address(), LoadPlan { keep_alive, rate: 100, path: leak, ..WORK })
    });
    wait_for("two recycles", || (server.log_events("recycled: worker").len() >= 2).then_some(()));
    for load in loads {
        let counts = load.stop();
        assert_eq!((counts.failed, counts.shed, counts.sent), (0, 0, counts.succeeded), "{counts:?}");
    }
    assert!(server.exit_kinds().iter().all(|kind| kind == "recycle"), "{:?}", server.exit_kinds());
}

#[test]
fn two_workers_that_do_not_fit_run_one_after_the_other_without_refused_connections() {
    // The limit has room for the leak, but not for a second worker beside it.
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "80MB"), ("HEAPBEAT_SAMPLE_INTERVAL", "200ms")]);
    wait_for("the startup grace period to pass", || (server.health()["uptime"].as_u64()? > 5).then_some(()));
    let load = Load::start(server.address(), WORK);
    server.get("/demo/leak?mb=60");
    wait_for("the recycle", || (server.log_events("recycled: worker").len() == 1).then_some(()));
    let counts = load.stop();
    server.wait_for_log("draining the current one first");
    // Requests above the shed threshold may be refused for a moment.
    assert_eq!((counts.failed, counts.sent), (0, counts.succeeded + counts.shed), "{counts:?}");
}

#[test]
fn a_draining_worker_answers_one_more_request_per_kept_connection() {
    let server = Server::start(&[]);
    let kept = server.connect();
    let mut reader = BufReader::new(kept.try_clone().unwrap());
    let mut send = || {
        (&kept).write_all(b"GET /health/ready HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        read_response(&mut reader, "GET")
    };
    assert_eq!(send().unwrap().header("connection"), None);
    server.recycle();
    server.wait_for_log("a replacement worker takes over");
    let last = send().unwrap();
    assert_eq!((last.status, last.header("connection")), (200, Some("close")), "the service stays ready");
    assert!(send().is_none());
}

#[test]
fn a_recycle_that_fails_keeps_the_old_worker() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let server = Server::start(&[("DEMO_FAIL_WHILE", broken.to_str().unwrap())]);
    let old = server.worker_pid();
    std::fs::write(&broken, "").unwrap();
    server.recycle();
    server.wait_for_log("the running worker keeps serving");
    assert_eq!((server.worker_pid(), server.get("/").status), (old, 200));
    std::fs::remove_file(&broken).unwrap();
    server.recycle();
    wait_for_other_worker(&server, old);
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn the_command_recycle_reports_success_and_failure() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let server = Server::start(&[("DEMO_FAIL_WHILE", broken.to_str().unwrap())]);
    let old = server.worker_pid();
    let pid = server.pid().to_string();
    let recycle = |pid: &str| heapbeat_command(&["recycle", "--pid", pid], &[]).output().unwrap();
    // The supervisor learns that its worker is ready a moment after clients do.
    let done = wait_for("a recycle", || Some(recycle(&pid)).filter(|done| done.status.code() == Some(0)));
    let output = String::from_utf8(done.stdout).unwrap();
    assert!(
        output.starts_with(&format!("process {pid} has a replacement worker; the old one exited after ")),
        "{output}"
    );
    let new = server.worker_pid();
    assert!(new != old && !is_alive(old));
    std::fs::write(&broken, "").unwrap();
    let failed = recycle(&pid);
    let errors = String::from_utf8(failed.stderr).unwrap();
    assert_eq!((failed.status.code(), server.worker_pid()), (Some(1), new), "{errors}");
    assert!(
        errors.contains("did not get ready and the old one keeps serving")
            || errors.contains("did not start"),
        "{errors}"
    );
    let not_supervisor = recycle(&std::process::id().to_string());
    assert!(
        String::from_utf8(not_supervisor.stderr).unwrap().contains("is no supervisor"),
        "{:?}",
        not_supervisor.status
    );
}

#[test]
fn in_a_crash_loop_the_supervisor_answers_503_and_does_not_spin() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let server = Server::start(&[("DEMO_FAIL_WHILE", broken.to_str().unwrap())]);
    std::fs::write(&broken, "").unwrap();
    send_signal(server.worker_pid(), "KILL");
    let response = wait_for("a crash loop", || {
        server.log_events("crash loop").first()?;
        let response = server.get("/health");
        (response.status == 503).then_some(response)
    });
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert!(response.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["status"], "down");
    assert!(body["reason"].as_str().unwrap().starts_with("the last worker crashed; "), "{body}");
    // Five attempts with their delays take at least seven seconds; a supervisor that spins would use all of them.
    let cpu = cpu_seconds(server.pid());
    assert!(cpu < 2.0, "{cpu} s of CPU");
    std::fs::remove_file(&broken).unwrap();
    // A requested recycle starts a worker at once instead of after the delay.
    server.send_signal("USR2");
    wait_for("the recovery", || (server.get("/health").status == 200).then_some(()));
}

#[test]
fn a_worker_whose_supervisor_was_killed_finishes_its_requests_and_exits() {
    let mut server = Server::start(&[]);
    let worker = server.worker_pid();
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/stream?s=1 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    server.send_signal("KILL");
    server.wait();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("end\n"), "{text}");
    wait_for("the worker to exit", || (!is_alive(worker)).then_some(()));
}

#[test]
fn an_orphaned_worker_that_hangs_exits_as_well() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_TIMEOUT", "500ms")]);
    let worker = server.worker_pid();
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/hang?s=60 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    server.send_signal("KILL");
    server.wait();
    wait_for("the worker to exit", || (!is_alive(worker)).then_some(()));
}

#[test]
fn the_kernel_prefers_to_kill_the_worker() {
    let server = Server::start(&[]);
    let score = |pid: u32| -> i32 {
        std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse().unwrap()
    };
    assert!(score(server.worker_pid()) > score(server.pid()));
}

#[test]
fn a_supervisor_releases_the_pages_that_only_its_start_needed() {
    let server = Server::start(&[]);
    let file_pages = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // The supervisor has run the same code as its worker, and the worker still needs the pages that the supervisor releases.
    let before = file_pages(server.pid());
    wait_for("the pages to be released", || (file_pages(server.pid()) < before / 2).then_some(()));
    assert!(file_pages(server.worker_pid()) > before / 2);
    send_signal(server.worker_pid(), "KILL");
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "crash", "the supervisor works without them");
}

#[test]
fn an_unguarded_server_is_one_process_with_health() {
    for variables in [
        vec![("HEAPBEAT_UNGUARDED", "on")],
        vec![("HEAPBEAT_UNGUARDED", "on"), ("HEAPBEAT_MEMORY_LIMIT", "16MB")],
    ] {
        let mut server = Server::start(&variables);
        assert_eq!(child_pids(server.pid()).len(), 0);
        assert_eq!(server.get("/demo/leak?mb=32").status, 200);
        wait_for("a later sample", || (server.health()["memory"]["rss"].as_u64()? >= 32).then_some(()));
        assert_eq!((server.health()["status"].as_str(), server.get("/").status), (Some("healthy"), 200));
        server.send_signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_stopped_server_leaves_no_process_behind() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
        let worker = server.worker_pid();
        // A terminal sends the signal to all processes of the group.
        send_signal(worker, name);
        server.send_signal(name);
        assert_eq!(server.wait().code(), Some(0));
        assert!(!is_alive(worker), "{name}");
        assert_eq!(server.log_events("killing it").len(), 0, "one Ctrl-C must not count twice");
    }
}
