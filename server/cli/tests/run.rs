//! `heapbeat run` with shell scripts and, where it is installed, Python.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use heapbeat_test_support::owner::get_signed;
use heapbeat_test_support::{
    Server, child_pids, connect, heapbeat_command, is_alive, send_request, send_signal, wait_for,
};

const SECRET: &str = "a secret for tests of run";

/// Starts `heapbeat run` with this shell script and a free side port.
fn guard_script(arguments: &[&str], script: &str) -> Server {
    let command: Vec<&str> = ["run", "--front", "off", "--side-port", "0"]
        .iter()
        .chain(arguments)
        .copied()
        .chain(["--", "sh", "-c", script])
        .collect();
    Server::spawn(heapbeat_command(
        &command,
        &[
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HEAPBEAT_DRAIN_TIMEOUT", "2s"),
            ("HEAPBEAT_METRICS", "public"),
            ("HEAPBEAT_SECRET", SECRET),
        ],
    ))
}

/// Returns the path of Python. Without Python, the test is reported as skipped.
fn find_python() -> Option<&'static str> {
    let found = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|it| fs::exists(it).unwrap());
    if found.is_none() {
        heapbeat_test_support::privileged::report_skipped("Python is not installed");
    }
    found
}

#[test]
fn a_program_that_exits_by_itself_ends_the_guard_with_its_exit_code() {
    for (script, code) in [("exit 0", 0), ("exit 2", 2), ("no-such-program-anywhere", 127)] {
        let output = heapbeat_command(
            &["run", "--front", "off", "--side-port", "off", "--", "sh", "-c", script],
            &[("PATH", "/bin")],
        );
        assert_eq!({ output }.output().unwrap().status.code(), Some(code), "{script}");
    }
    let mut nothing =
        heapbeat_command(&["run", "--front", "off", "--side-port", "off", "--", "/no/such/program"], &[]);
    assert_eq!(nothing.output().unwrap().status.code(), Some(127));
}

#[test]
fn the_runtime_gets_a_memory_limit_unless_the_user_set_one() {
    let script = "echo \"$GOMEMLIMIT\"";
    for (variables, expected) in [(vec![], "460MiB\n"), (vec![("GOMEMLIMIT", "7MiB")], "7MiB\n")] {
        let run = [
            "run",
            "--front",
            "off",
            "--limit",
            "512MB",
            "--side-port",
            "off",
            "--",
            "/bin/sh",
            "-c",
            script,
        ];
        let output = heapbeat_command(&run, &variables).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
}

#[test]
fn a_crash_is_restarted_logged_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let once = directory.path().join("once");
    let script = format!("if [ -e {0} ]; then exec sleep 600; fi; touch {0}; kill -ILL $$", once.display());
    let mut server = guard_script(&[], &script);
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "crash");
    let running = wait_for("the program", || child_pids(server.pid()).into_iter().find(|pid| is_alive(*pid)));
    wait_for("/health to answer", || (server.get("/health").status == 200).then_some(()));
    assert_eq!(server.get("/exits").status, 401, "strangers do not learn why it ended");
    wait_for("the exit in the list", || {
        let exits = get_signed(&server, SECRET, "/exits");
        exits.text().contains("it was terminated by SIGILL").then_some(())
    });
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("heapbeat_exits_total{kind=\"crash\"} 1\n"), "{}", metrics.text());
    assert!(metrics.text().contains("heapbeat_starts_total 2\n"), "{}", metrics.text());
    server.send_signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    wait_for("the program to exit", || (!is_alive(running)).then_some(()));
}

#[test]
fn exits_are_reported_with_the_last_sample_and_by_the_next_guard() {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let start = || {
        let run = ["run", "--front", "off", "--limit", "64MB", "--side-port", "0", "--", "sleep", "600"];
        let variables = [
            ("PATH", "/usr/bin:/bin"),
            ("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap()),
            ("HEAPBEAT_METRICS", "public"),
            ("HEAPBEAT_SECRET", SECRET),
        ];
        let server = Server::spawn(heapbeat_command(&run, &variables));
        let program = wait_for("the program", || child_pids(server.pid()).into_iter().next());
        wait_for("the first sample of the program", || {
            let metrics = server.get("/metrics");
            let tree =
                metrics.text().lines().find_map(|it| it.strip_prefix("heapbeat_tree_memory_bytes "))?;
            (tree.parse::<f64>().ok()? > 0.0).then_some(())
        });
        (server, program)
    };
    let (mut server, program) = start();
    send_signal(program, "KILL");
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "crash");
    // It is logged first, and listed a moment later.
    let exits = wait_for("the exit in the list", || {
        let exits: serde_json::Value =
            serde_json::from_slice(&get_signed(&server, SECRET, "/exits").body).unwrap();
        exits[0].is_object().then_some(exits)
    });
    let last = &exits[0]["last"];
    assert!(last["rss"].as_u64().is_some_and(|rss| rss > 0 && rss < 64 << 20), "{exits}");
    assert_eq!(exits[0]["pressure"], "calm", "{exits}");
    let evidence = exits[0]["evidence"].to_string();
    assert!(evidence.contains("% of the limit when last seen"), "{evidence}");
    // Guard and program are killed together, as with their container. Then another guard starts with the same directory.
    let program = wait_for("the program", || child_pids(server.pid()).into_iter().find(|it| *it != program));
    server.send_signal("KILL");
    server.wait();
    wait_for("the program to exit", || (!is_alive(program)).then_some(()));
    let (server, _) = start();
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "unknown");
    wait_for("the exit in the list", || {
        let exits = get_signed(&server, SECRET, "/exits");
        exits.text().contains("no process observed its exit").then_some(())
    });
}

/// Runs `heapbeat run` with this script at a terminal, types `input` once `prompt` is on the screen, and returns the screen.
fn run_at_terminal(script: &str, prompt: &str, input: &[u8]) -> String {
    let run = format!(
        "exec {} run --front off --side-port off -- sh -c '{script}'",
        heapbeat_test_support::binary_path()
    );
    let mut command = Command::new("script");
    command.args(["-qec", &run, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keyboard, mut terminal) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let output = Arc::<Mutex<String>>::default();
    let written = Arc::clone(&output);
    let reader = thread::spawn(move || {
        let mut chunk = [0; 1024];
        while let Ok(count @ 1..) = terminal.read(&mut chunk) {
            written.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    });
    wait_for(prompt, || output.lock().unwrap().contains(prompt).then_some(()));
    keyboard.write_all(input).unwrap();
    let exited =
        heapbeat_test_support::poll_for(heapbeat_test_support::DEADLINE, || child.try_wait().unwrap());
    let _ = child.kill();
    reader.join().unwrap();
    let screen = output.lock().unwrap().clone();
    assert!(exited.is_some_and(|status| status.success()), "{exited:?} {screen}");
    screen
}

#[test]
fn a_program_at_a_terminal_can_read_from_it() {
    let screen = run_at_terminal("echo ask me; read word; echo \"you said $word\"", "\r\nask me", b"hello\n");
    assert!(screen.contains("you said hello"), "{screen}");
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_program_once_and_ends_the_guard() {
    let script = "n=0; trap \"n=\\$((n+1))\" INT; echo running; while [ $n = 0 ]; do sleep 0.1; done; sleep 1; \
                  echo \"interrupted $n times\"; exit 0";
    let screen = run_at_terminal(script, "\r\nrunning", b"\x03");
    assert!(screen.contains("interrupted 1 times"), "{screen}");
}

#[test]
fn a_program_does_not_outlive_its_guard() {
    let mut server = guard_script(&[], "exec sleep 600");
    let running = wait_for("the program", || child_pids(server.pid()).into_iter().next());
    wait_for("/health to answer", || (server.get("/health").status == 200).then_some(()));
    server.send_signal("KILL");
    server.wait();
    wait_for("the program to exit", || (!is_alive(running)).then_some(()));
}

#[test]
fn a_process_tree_that_grows_is_asked_to_shrink_and_then_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let shrink_requested = directory.path().join("asked");
    let program = directory.path().join("grow.py");
    // The memory is held by a child of the started process, which stops growing at 300 MB and exits if the test fails. Until it was asked to
    // shrink it goes slowly where that is due, so that a busy machine leaves the time for it.
    fs::write(
        &program,
        "import os, sys, time\nparent=os.getpid()\nif os.fork():\n  os.wait()\nelse:\n  \
         open(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\n  kept=[]\n  \
         while os.getppid() == parent or len(kept) < 300:\n    \
         if len(kept) < 300: kept.append(bytes([1])*(1<<20))\n    \
         time.sleep(0.05 if len(kept) < 95 or os.path.exists(sys.argv[2]) else 2)\n",
    )
    .unwrap();
    let Some(python) = find_python() else { return };
    let shrink = format!("touch {}", shrink_requested.display());
    let growing = directory.path().join("growing");
    let arguments = ["--limit", "120MB", "--ready-after", "1s", "--shrink-command", &shrink];
    let server = guard_script(
        &arguments,
        &format!("exec {python} {} {} {}", program.display(), growing.display(), shrink_requested.display()),
    );
    wait_for("the replacement", || (server.log_events("recycled: instance").len() == 1).then_some(()));
    assert!(shrink_requested.exists(), "the program was not asked to shrink first");
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "recycle");
    let first = fs::read_to_string(&growing).unwrap().lines().next().unwrap().parse().unwrap();
    wait_for("the child that grew to exit with its parent", || (!is_alive(first)).then_some(()));
}

#[test]
fn a_java_virtual_machine_is_asked_for_a_collection_through_its_jcmd() {
    let directory = tempfile::tempdir().unwrap();
    // A process whose executable is called java, and what a JDK has beside that.
    let (java, jcmd) = (directory.path().join("java"), directory.path().join("jcmd"));
    let asked = directory.path().join("asked");
    fs::copy("/bin/sleep", &java).unwrap();
    fs::write(&jcmd, format!("#!/bin/sh\necho \"$@\" >> {}\n", asked.display())).unwrap();
    fs::set_permissions(&jcmd, fs::Permissions::from_mode(0o755)).unwrap();
    let Some(python) = find_python() else { return };
    // Above the threshold of purge, 450 MB, and with room for jcmd below the limit.
    let grow = "kept = bytes([1]) * (446 << 20); import time; time.sleep(600)";
    let server = guard_script(
        &["--limit", "512MB", "--ready-after", "1s"],
        &format!("{} 600 & exec {python} -c '{grow}'", java.display()),
    );
    let arguments =
        wait_for("the call of jcmd", || fs::read_to_string(&asked).ok().filter(|it| it.ends_with('\n')));
    let pid = arguments.split_whitespace().rev().nth(1).unwrap();
    assert!(arguments.trim().ends_with("GC.run"), "{arguments}");
    assert_eq!(fs::read_link(format!("/proc/{pid}/exe")).unwrap(), java.canonicalize().unwrap());
    drop(server);
}

#[test]
fn a_program_with_a_passed_socket_is_replaced_without_a_failed_request() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("serve.py");
    // The socket is descriptor 3 if LISTEN_PID is this process; see sd_listen_fds(3).
    fs::write(
        &program,
        "import os, socket, signal, sys\nassert os.environ['LISTEN_PID'] == str(os.getpid())\n\
         s = socket.socket(fileno=3)\nstop = False\n\
         def stop_serving(*_):\n  global stop\n  stop = True\n\
         signal.signal(signal.SIGTERM, stop_serving)\ns.settimeout(0.2)\n\
         while not stop:\n  try:\n    c, _ = s.accept()\n  except (TimeoutError, BlockingIOError):\n    continue\n  c.settimeout(5)\n  c.recv(4096)\n  \
         c.sendall(b'HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: 2\\r\\n\\r\\nok')\n  c.close()\n",
    )
    .unwrap();
    let Some(python) = find_python() else { return };
    let server = guard_script(
        &["--listen", "0", "--ready-after", "1s"],
        &format!("exec {python} {}", program.display()),
    );
    let port = server.wait_for_log("the program: listening on port")["server.port"].as_u64().unwrap();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), u16::try_from(port).unwrap());
    let request = b"GET / HTTP/1.1\r\nhost: t\r\n\r\n";
    assert_eq!(send_request(connect(address), "GET", request).text(), "ok");
    wait_for("the program to be ready", || {
        server.send_signal("USR2");
        (!server.log_events("starting a replacement instance").is_empty()).then_some(())
    });
    let mut answered = 0;
    wait_for("the replacement", || {
        assert_eq!(send_request(connect(address), "GET", request).text(), "ok");
        answered += 1;
        (!server.log_events("instance 1 was recycled").is_empty()).then_some(())
    });
    assert!(answered > 0);
}

#[test]
fn health_answers_beside_hundreds_of_idle_connections() {
    let server = guard_script(&[], "exec sleep 600");
    wait_for("/health to answer", || (server.get("/health").status == 200).then_some(()));
    let address = server.address();
    let idle: Vec<_> = (0..8)
        .map(|_| thread::spawn(move || (0..100).map(|_| connect(address)).collect::<Vec<_>>()))
        .flat_map(|opening| opening.join().unwrap())
        .collect();
    let asked = std::time::Instant::now();
    assert_eq!(server.get("/health").status, 200);
    assert!(asked.elapsed() < std::time::Duration::from_secs(2), "{:?}", asked.elapsed());
    drop(idle);
}

#[test]
fn errors_name_what_was_given_and_what_is_meant() {
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases: [(&[&str], &str); 4] = [
        (&["--side-port", &port], "choose another with --side-port (0 takes a free one)"),
        (&["--limit", "512"], "--limit is \"512\": a size needs a unit; did you mean 512MB?"),
        (&["--limit", "x"], "--limit is \"x\": "),
        (&["--limit", "512MB"], "heapbeat: cannot run nosuch: "),
    ];
    for (options, expected) in cases {
        let off: &[&str] = if options[0] == "--side-port" { &[] } else { &["--side-port", "off"] };
        let run: Vec<&str> = [&["run", "--front", "off"], off, options, &["--", "nosuch"]].concat();
        // `PORT` belongs to the program.
        let output = heapbeat_command(&run, &[("PORT", "xyz")]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn gunicorn_is_not_given_its_socket_twice() {
    let run = ["run", "--listen", "0", "--", "gunicorn", "-b", "fd://3", "app:app"];
    let output = heapbeat_command(&run, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("gunicorn takes the socket of --listen by itself; leave `-b fd://3` away"),
        "{error}"
    );
}

#[test]
fn a_flight_directory_of_somebody_else_is_refused_at_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let settings = [("HEAPBEAT_FLIGHT_DIR", open.to_str().unwrap()), ("PORT", "0")];
    for command in [&["serve"][..], &["run", "--front", "off", "--side-port", "off", "--", "true"]] {
        let output = heapbeat_command(command, &settings).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains("HEAPBEAT_FLIGHT_DIR"), "{command:?}: {error}");
        assert!(error.contains("a directory below it"), "{command:?}: {error}");
    }
}
