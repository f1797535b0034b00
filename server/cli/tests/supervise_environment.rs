//! The environment of a supervisor: PID 1, systemd, and limits of open files.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use heapbeat_test_support::{
    Server, child_pids, cpu_seconds, is_alive, read_response, send_request, send_signal, wait_for,
};

/// Sets the soft limit of open files of a process.
fn set_descriptor_limit(pid: u32, limit: &str) {
    let done = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--nofile={limit}:")])
        .status()
        .unwrap();
    assert!(done.success());
}

#[test]
fn a_supervisor_without_free_descriptors_logs_it_waits_and_recovers() {
    let server = Server::start(&[]);
    let supervisor = server.pid();
    let before = soft_limit(supervisor);
    set_descriptor_limit(supervisor, "4");
    send_signal(server.worker_pid(), "KILL");
    let exit = server.wait_for_exit(0);
    // The supervisor keeps the kernel's kill counter open, but would have to open the recorder.
    assert_eq!(exit["heapbeat.exit.kind"], "crash", "{exit}");
    assert!(exit["heapbeat.exit.unreadable"].as_str().unwrap().contains("Too many open files"), "{exit}");
    server.wait_for_log("cannot start the worker: Too many open files");
    // Without a worker the supervisor answers itself, but cannot accept either. Clients wait, and it does not spin.
    let waiting = server.connect();
    server.wait_for_log("cannot accept connections: Too many open files");
    let (begun, cpu) = (Instant::now(), cpu_seconds(supervisor));
    wait_for("a second to pass", || (begun.elapsed() > Duration::from_secs(1)).then_some(()));
    let (cpu, passed) = (cpu_seconds(supervisor) - cpu, begun.elapsed().as_secs_f64());
    assert!(cpu < passed / 2.0, "{cpu} s of CPU in {passed} s");
    set_descriptor_limit(supervisor, &before);
    // A requested recycle starts a worker at once instead of after the delay.
    server.send_signal("USR2");
    let status =
        send_request(waiting, "GET", b"GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").status;
    assert!(status == 200 || status == 503, "{status}");
    wait_for("the recovery", || (server.get("/").status == 200).then_some(()));
    assert_eq!(server.pid(), supervisor);
}

#[test]
fn a_worker_without_free_descriptors_serves_its_connections_and_logs_it() {
    let server = Server::start(&[]);
    let worker = server.worker_pid();
    let kept = server.connect();
    let mut reader = BufReader::new(kept.try_clone().unwrap());
    let mut get_on_kept_connection = || {
        (&kept).write_all(b"GET /demo/work HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        read_response(&mut reader, "GET").unwrap().status
    };
    assert_eq!(get_on_kept_connection(), 200);
    let before = soft_limit(worker);
    set_descriptor_limit(worker, "4");
    let waiting = server.connect();
    server.wait_for_log("cannot accept connections: Too many open files");
    assert_eq!(get_on_kept_connection(), 200);
    set_descriptor_limit(worker, &before);
    let status =
        send_request(waiting, "GET", b"GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").status;
    assert_eq!((status, server.worker_pid(), server.exit_kinds().len()), (200, worker, 0));
}

fn soft_limit(pid: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn as_pid_1_it_reaps_orphans_and_forwards_signals() {
    if !heapbeat_test_support::privileged::can_create_pid_namespace() {
        return;
    }
    let own_ids = ["unshare", "--pid", "--fork", "--mount-proc"];
    let start = || {
        let server = Server::start_through(&own_ids, &[("HEAPBEAT_DRAIN_WINDOW", "0s")]);
        let supervisor = child_pids(server.pid())[0];
        let status = fs::read_to_string(format!("/proc/{supervisor}/status")).unwrap();
        assert!(status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")), "{status}");
        (server, supervisor)
    };
    let (mut server, supervisor) = start();
    let worker = child_pids(supervisor)[0];
    // A shell inside the namespace leaves a child behind, which becomes a child of PID 1 and exits.
    let target = supervisor.to_string();
    let run_inside = |script: &str| {
        let mut command = Command::new("nsenter");
        command.args(["--target", &target, "--pid", "--mount", "sh", "-c", script]).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    };
    run_inside("(exec sleep 0.3; exit 3) &");
    let orphan = wait_for("the orphan", || child_pids(supervisor).into_iter().find(|pid| *pid != worker));
    wait_for("the orphan to be reaped", || (!fs::exists(format!("/proc/{orphan}")).unwrap()).then_some(()));
    assert_eq!((child_pids(supervisor), server.get("/").status), (vec![worker], 200));
    // PID 1 gets the signals that it handles, also from inside the namespace.
    run_inside("kill -TERM 1");
    assert_eq!(server.wait().code(), Some(0));
    assert!(!is_alive(worker) && !is_alive(supervisor));
    assert_eq!(server.log_events("killing it").len(), 0);

    let (mut server, supervisor) = start();
    let worker = child_pids(supervisor)[0];
    send_signal(supervisor, "KILL");
    server.wait();
    wait_for("the worker to exit with the namespace", || (!is_alive(worker)).then_some(()));
}

#[test]
fn systemd_passes_the_socket_and_is_notified() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    notify.set_read_timeout(Some(heapbeat_test_support::DEADLINE)).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "LISTEN_PID=$$ exec \"$@\"",
            "sh",
            &heapbeat_test_support::binary_path(),
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
    let mut server = Server::spawn(command);
    assert_eq!(server.port, port, "the server must listen on the passed socket");
    let next_notification = || {
        let mut message = [0; 256];
        let length = notify.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap().trim().to_owned()
    };
    wait_for("READY=1", || (next_notification() == "READY=1").then_some(()));
    assert_eq!(server.get("/").status, 200);
    // A worker does not inherit systemd's notification socket and watchdog, as its messages would speak for the whole service.
    let environment = fs::read(format!("/proc/{}/environ", server.worker_pid())).unwrap();
    let has_variable =
        |name: &str| environment.split(|byte| *byte == 0).any(|it| it.starts_with(name.as_bytes()));
    assert!(
        has_variable("LISTEN_FDS=") && !has_variable("NOTIFY_SOCKET=") && !has_variable("WATCHDOG_USEC=")
    );
    wait_for("WATCHDOG=1", || (next_notification() == "WATCHDOG=1").then_some(()));
    // The exit of a worker is invisible to clients and to systemd.
    let killed = server.worker_pid();
    send_signal(killed, "KILL");
    server.wait_for_exit(0);
    wait_for("another worker", || (server.worker_pid() != killed).then_some(()));
    assert_eq!(server.get("/").status, 200);
    server.send_signal("TERM");
    wait_for("STOPPING=1", || {
        let notification = next_notification();
        assert!(notification == "WATCHDOG=1" || notification == "STOPPING=1", "{notification}");
        (notification == "STOPPING=1").then_some(())
    });
    assert_eq!(server.wait().code(), Some(0));
    // The socket belongs to systemd, and stays open for the next start.
    assert_eq!(socket.local_addr().unwrap().port(), port);
}
