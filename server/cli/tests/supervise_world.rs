//! The world around a supervisor: what started it, and what it can run out of.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use heapbeat_test_support::{Server, ask, children, cpu_seconds, lives, reply, signal, until};

/// Lets a process have no more descriptors than this.
fn allow_descriptors(pid: u32, most: &str) {
    let done = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--nofile={most}:")])
        .status()
        .unwrap();
    assert!(done.success());
}

#[test]
fn a_supervisor_without_descriptors_says_so_waits_and_recovers() {
    let server = Server::start(&[]);
    let supervisor = server.pid();
    let before = soft_limit(supervisor);
    allow_descriptors(supervisor, "4");
    signal(server.worker(), "KILL");
    let exit = server.exit(0);
    // The kernel's count of kills is a file that it holds open; the recorder would have to be opened.
    assert_eq!(exit["heapbeat.exit.kind"], "crash", "{exit}");
    assert!(exit["heapbeat.exit.lost"].as_str().unwrap().contains("Too many open files"), "{exit}");
    server.said("cannot start a worker: Too many open files");
    // Once nobody has run for a while, it would answer itself, and cannot either: clients wait, and it does not spin.
    let waiting = server.connect();
    server.said("cannot accept connections: Too many open files");
    let (begun, cpu) = (Instant::now(), cpu_seconds(supervisor));
    until("a second to pass", || (begun.elapsed() > Duration::from_secs(1)).then_some(()));
    let (cpu, passed) = (cpu_seconds(supervisor) - cpu, begun.elapsed().as_secs_f64());
    assert!(cpu < passed / 2.0, "{cpu} s of CPU in {passed} s");
    allow_descriptors(supervisor, &before);
    // Asked for, it is tried at once instead of seconds later.
    server.signal("USR2");
    let status = ask(waiting, "GET", b"GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").status;
    assert!(status == 200 || status == 503, "{status}");
    until("the recovery", || (server.get("/").status == 200).then_some(()));
    assert_eq!(server.pid(), supervisor);
}

#[test]
fn a_worker_without_descriptors_serves_those_it_has_and_says_so() {
    let server = Server::start(&[]);
    let worker = server.worker();
    let kept = server.connect();
    let mut reader = BufReader::new(kept.try_clone().unwrap());
    let mut on_the_kept_one = || {
        (&kept).write_all(b"GET /demo/work HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        reply(&mut reader, "GET").unwrap().status
    };
    assert_eq!(on_the_kept_one(), 200);
    let before = soft_limit(worker);
    allow_descriptors(worker, "4");
    let waiting = server.connect();
    server.said("cannot accept connections: Too many open files");
    assert_eq!(on_the_kept_one(), 200);
    allow_descriptors(worker, &before);
    let status = ask(waiting, "GET", b"GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").status;
    assert_eq!((status, server.worker(), server.exits().len()), (200, worker, 0));
}

fn soft_limit(pid: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn as_pid_1_it_reaps_passes_signals_on_and_its_end_ends_all() {
    if !heapbeat_test_support::privileged::own_process_ids() {
        return;
    }
    let own_ids = ["unshare", "--pid", "--fork", "--mount-proc"];
    let start = || {
        let server = Server::start_by(&own_ids, &[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
        let supervisor = children(server.pid())[0];
        let status = fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
        assert!(status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")), "{status}");
        (server, supervisor)
    };
    let (mut server, supervisor) = start();
    let worker = children(supervisor)[0];
    // Somebody comes in and leaves a child behind, which becomes that of PID 1 and ends.
    let target = supervisor.to_string();
    let inside = |script: &str| {
        let mut command = Command::new("nsenter");
        command.args(["--target", &target, "--pid", "--mount", "sh", "-c", script]).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    };
    inside("(exec sleep 0.3; exit 3) &");
    let orphan = until("the orphan", || children(supervisor).into_iter().find(|pid| *pid != worker));
    until("the orphan to be reaped", || (!fs::exists(format!("/proc/{orphan}")).unwrap()).then_some(()));
    assert_eq!((children(supervisor), server.get("/").status), (vec![worker], 200));
    // From within, as from without, PID 1 gets the signals that it listens to.
    inside("kill -TERM 1");
    assert_eq!(server.wait().code(), Some(0));
    assert!(!lives(worker) && !lives(supervisor));
    assert_eq!(server.logged("killing it").len(), 0);

    let (mut server, supervisor) = start();
    let worker = children(supervisor)[0];
    signal(supervisor, "KILL");
    server.wait();
    until("the worker to end with the namespace", || (!lives(worker)).then_some(()));
}

#[test]
fn systemd_gives_the_socket_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    notify.set_read_timeout(Some(heapbeat_test_support::PATIENCE)).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "LISTEN_PID=$$ exec \"$@\"",
            "sh",
            &heapbeat_test_support::binary(),
            "serve",
            "--demo",
            "--port",
            "0",
        ])
        .env_clear()
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "web")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "5000000")
        .env("HEAPBEAT_DRAIN_WINDOW", "0s")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .fd_mappings(vec![FdMapping { parent_fd: socket.try_clone().unwrap().into(), child_fd: 3 }])
        .unwrap();
    let mut server = Server::up(command);
    assert_eq!(server.port, port, "it listens where it was told to, not at a port of its own");
    let said = || {
        let mut message = [0; 256];
        let length = notify.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap().trim().to_owned()
    };
    until("READY=1", || (said() == "READY=1").then_some(()));
    assert_eq!(server.get("/").status, 200);
    // A worker is neither told of systemd's socket nor of its watchdog: what it said would be the application's word.
    let environment = fs::read(format!("/proc/{}/environ", server.worker())).unwrap();
    let has = |name: &str| environment.split(|byte| *byte == 0).any(|it| it.starts_with(name.as_bytes()));
    assert!(has("LISTEN_FDS=") && !has("NOTIFY_SOCKET=") && !has("WATCHDOG_USEC="));
    until("WATCHDOG=1", || (said() == "WATCHDOG=1").then_some(()));
    // Neither the service nor systemd's view of it is disturbed by a worker's end.
    let killed = server.worker();
    signal(killed, "KILL");
    server.exit(0);
    until("another worker", || (server.worker() != killed).then_some(()));
    assert_eq!(server.get("/").status, 200);
    server.signal("TERM");
    until("STOPPING=1", || {
        let word = said();
        assert!(word == "WATCHDOG=1" || word == "STOPPING=1", "{word}");
        (word == "STOPPING=1").then_some(())
    });
    assert_eq!(server.wait().code(), Some(0));
    // The socket is systemd's and is still there for the next start.
    assert_eq!(socket.local_addr().unwrap().port(), port);
}
