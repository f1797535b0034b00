//! Workers come and go, and nobody who asks notices.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::io::{BufReader, Read, Write};

use heapbeat_test_support::load::{Load, Plan};
use heapbeat_test_support::{Server, children, cpu_seconds, heapbeat, lives, reply, signal, until};

const WORK: Plan = Plan { clients: 4, rate: 200, keep_alive: false, path: |_| "/demo/work?ms=2&kb=4" };

/// Asks until somebody answers whose process is not `old`.
fn until_another(server: &Server, old: u32) -> u32 {
    until("another worker", || {
        Some(server.worker()).filter(|worker| *worker != old && *worker != server.pid())
    })
}

#[test]
fn a_killed_worker_costs_what_was_inside_it_and_refuses_nobody() {
    let server = Server::start(&[]);
    let load = Load::start(server.address(), WORK);
    for kill in 0..3 {
        let old = server.worker();
        signal(old, "KILL");
        until_another(&server, old);
        assert_eq!(server.get("/demo/work").status, 200);
        assert_eq!(server.exit(kill)["heapbeat.exit.kind"], "crash");
    }
    let tally = load.stop();
    assert_eq!((tally.refused, tally.shed), (0, 0), "{tally:?}");
    assert!(tally.failed <= 3 * u64::from(WORK.clients) && tally.answered > 0, "{tally:?}");
    assert_eq!(tally.sent, tally.answered + tally.failed, "{tally:?}");
}

#[test]
fn a_recycle_fails_no_request_whether_connections_are_kept_or_not() {
    let server = Server::start(&[]);
    let mut streamed = server.connect();
    streamed.write_all(b"GET /demo/stream?s=3 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let loads = [false, true].map(|keep_alive| Load::start(server.address(), Plan { keep_alive, ..WORK }));
    for recycle in 1..=3 {
        server.recycle();
        until("the recycle", || (server.logged("recycled: worker").len() == recycle).then_some(()));
    }
    let mut text = String::new();
    streamed.read_to_string(&mut text).unwrap();
    assert!(text.contains("end\n"), "the answer that was being given was given to its end: {text}");
    until("the old workers to leave", || (children(server.pid()).len() == 1).then_some(()));
    for load in loads {
        let tally = load.stop();
        assert_eq!((tally.failed, tally.shed), (0, 0), "{tally:?}");
        assert!(tally.answered == tally.sent && tally.sent > 0, "{tally:?}");
    }
    assert_eq!(server.exits(), ["recycle", "recycle", "recycle"]);
}

#[test]
fn a_leak_is_outlived_without_a_failed_or_refused_request() {
    // A hundred requests a second that leak a megabyte each tenth time.
    let leak = |n: u64| if n % 10 == 9 { "/demo/leak?mb=1" } else { "/demo/work?ms=2&kb=4" };
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "200MB"), ("HEAPBEAT_SAMPLE_INTERVAL", "200ms")]);
    let loads = [false, true]
        .map(|keep_alive| Load::start(server.address(), Plan { keep_alive, rate: 100, path: leak, ..WORK }));
    until("two recycles", || (server.logged("recycled: worker").len() >= 2).then_some(()));
    for load in loads {
        let tally = load.stop();
        assert_eq!((tally.failed, tally.shed, tally.sent), (0, 0, tally.answered), "{tally:?}");
    }
    assert!(server.exits().iter().all(|kind| kind == "recycle"), "{:?}", server.exits());
}

#[test]
fn two_that_do_not_fit_follow_one_after_the_other_and_nobody_is_refused() {
    // Room for what is leaked up to the mark, and not for a second worker beside that.
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "80MB"), ("HEAPBEAT_SAMPLE_INTERVAL", "200ms")]);
    until("the grace of the start to be over", || (server.health()["uptime"].as_u64()? > 5).then_some(()));
    let load = Load::start(server.address(), WORK);
    server.get("/demo/leak?mb=60");
    until("the recycle", || (server.logged("recycled: worker").len() == 1).then_some(()));
    let tally = load.stop();
    server.said("draining the current one first");
    // What was asked for beyond the last mark may have been shed for a moment.
    assert_eq!((tally.failed, tally.sent), (0, tally.answered + tally.shed), "{tally:?}");
}

#[test]
fn a_worker_that_leaves_gives_a_kept_connection_one_more_answer() {
    let server = Server::start(&[]);
    let kept = server.connect();
    let mut reader = BufReader::new(kept.try_clone().unwrap());
    let mut ask = || {
        (&kept).write_all(b"GET /health/ready HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        reply(&mut reader, "GET")
    };
    assert_eq!(ask().unwrap().header("connection"), None);
    server.recycle();
    server.said("a fresh worker takes over");
    let last = ask().unwrap();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close")),
        "the service is ready all the time"
    );
    assert!(ask().is_none());
}

#[test]
fn a_recycle_that_fails_leaves_the_old_worker_in_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let server = Server::start(&[("DEMO_FAIL_WHILE", broken.to_str().unwrap())]);
    let old = server.worker();
    std::fs::write(&broken, "").unwrap();
    server.recycle();
    server.said("the old one stays");
    assert_eq!((server.worker(), server.get("/").status), (old, 200));
    std::fs::remove_file(&broken).unwrap();
    server.recycle();
    until_another(&server, old);
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn the_command_line_asks_and_says_what_became_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let server = Server::start(&[("DEMO_FAIL_WHILE", broken.to_str().unwrap())]);
    let old = server.worker();
    let pid = server.pid().to_string();
    let recycle = |pid: &str| heapbeat(&["recycle", "--pid", pid], &[]).output().unwrap();
    let done = recycle(&pid);
    let told = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(
        told.starts_with(&format!("process {pid} has a fresh worker; the old one exited after ")),
        "{told}"
    );
    let new = server.worker();
    assert!(new != old && !lives(old));
    std::fs::write(&broken, "").unwrap();
    let failed = recycle(&pid);
    let told = String::from_utf8(failed.stderr).unwrap();
    assert_eq!((failed.status.code(), server.worker()), (Some(1), new), "{told}");
    assert!(
        told.contains("did not get ready and the old one stays") || told.contains("did not start"),
        "{told}"
    );
    let nobody = recycle(&std::process::id().to_string());
    assert!(String::from_utf8(nobody.stderr).unwrap().contains("is no supervisor"), "{:?}", nobody.status);
}

#[test]
fn while_nobody_can_run_the_supervisor_says_so_and_does_not_spin() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let server = Server::start(&[("DEMO_FAIL_WHILE", broken.to_str().unwrap())]);
    std::fs::write(&broken, "").unwrap();
    signal(server.worker(), "KILL");
    let told = until("a crash loop", || {
        server.logged("crash loop").first()?;
        let answer = server.get("/health");
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(told.header("content-type"), Some("application/json"));
    assert!(told.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let body: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(body["status"], "down");
    assert!(body["reason"].as_str().unwrap().starts_with("the last worker crashed; "), "{body}");
    // Five attempts and their waits took at least seven seconds; spinning would have taken all of them.
    let cpu = cpu_seconds(server.pid());
    assert!(cpu < 2.0, "{cpu} s of CPU");
    std::fs::remove_file(&broken).unwrap();
    // Asked for, it is tried at once instead of seconds later.
    server.signal("USR2");
    until("the recovery", || (server.get("/health").status == 200).then_some(()));
}

#[test]
fn a_worker_whose_supervisor_is_gone_finishes_and_leaves() {
    let mut server = Server::start(&[]);
    let worker = server.worker();
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/stream?s=1 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    server.signal("KILL");
    server.wait();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("end\n"), "{text}");
    until("the worker to leave", || (!lives(worker)).then_some(()));
}

#[test]
fn an_orphan_that_hangs_leaves_as_well() {
    let mut server = Server::start(&[("HEAPBEAT_DRAIN_TIMEOUT", "500ms")]);
    let worker = server.worker();
    let mut stream = server.connect();
    stream.write_all(b"GET /demo/hang?s=60 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    server.signal("KILL");
    server.wait();
    until("the worker to leave", || (!lives(worker)).then_some(()));
}

#[test]
fn the_kernel_would_rather_kill_the_worker() {
    let server = Server::start(&[]);
    let score = |pid: u32| -> i32 {
        std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim().parse().unwrap()
    };
    assert!(score(server.worker()) > score(server.pid()));
}

#[test]
fn a_supervisor_keeps_no_pages_that_only_its_start_needed() {
    let server = Server::start(&[]);
    let of_files = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // It has run the same code as its worker up to here, and what it gives back is the worker's as well.
    let before = of_files(server.pid());
    until("the pages to be given back", || (of_files(server.pid()) < before / 2).then_some(()));
    assert!(of_files(server.worker()) > before / 2);
    signal(server.worker(), "KILL");
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "crash", "it runs on without them");
}

#[test]
fn unguarded_is_one_process_with_health() {
    for variables in [
        vec![("HEAPBEAT_UNGUARDED", "on")],
        vec![("HEAPBEAT_UNGUARDED", "on"), ("HEAPBEAT_MEMORY_LIMIT", "16MB")],
    ] {
        let mut server = Server::start(&variables);
        assert_eq!(children(server.pid()).len(), 0);
        assert_eq!(server.get("/demo/leak?mb=32").status, 200);
        until("a later sample", || (server.health()["memory"]["rss"].as_u64()? >= 32).then_some(()));
        assert_eq!((server.health()["status"].as_str(), server.get("/").status), (Some("healthy"), 200));
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_stopped_server_leaves_nobody_behind() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(&[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
        let worker = server.worker();
        // As the terminal does it, to everybody.
        signal(worker, name);
        server.signal(name);
        assert_eq!(server.wait().code(), Some(0));
        assert!(!lives(worker), "{name}");
        assert_eq!(server.logged("killing it").len(), 0, "one Ctrl-C is one Ctrl-C");
    }
}
