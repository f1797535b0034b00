//! Any program, guarded from outside. The programs are shell scripts and, where it is there, Python or Node.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use heapbeat_test_support::{Server, ask, children, connect, heapbeat, lives, signal, until};

/// `heapbeat run` with a free side port and this shell script.
fn guard(arguments: &[&str], script: &str) -> Server {
    let command: Vec<&str> = ["run", "--side-port", "0"]
        .iter()
        .chain(arguments)
        .copied()
        .chain(["--", "sh", "-c", script])
        .collect();
    Server::up(heapbeat(
        &command,
        &[("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HEAPBEAT_DRAIN_TIMEOUT", "2s")],
    ))
}

/// Where Python is. A machine without it cannot run a test's program, which is said and counted.
fn python() -> Option<&'static str> {
    let found = ["/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(|it| fs::exists(it).unwrap());
    if found.is_none() {
        heapbeat_test_support::privileged::skipped("no Python on this machine");
    }
    found
}

#[test]
fn a_program_that_is_done_is_done_and_its_code_is_kept() {
    for (script, code) in [("exit 0", 0), ("exit 2", 2), ("no-such-program-anywhere", 127)] {
        let output = heapbeat(&["run", "--side-port", "off", "--", "sh", "-c", script], &[("PATH", "/bin")]);
        assert_eq!({ output }.output().unwrap().status.code(), Some(code), "{script}");
    }
    let mut nothing = heapbeat(&["run", "--side-port", "off", "--", "/no/such/program"], &[]);
    assert_eq!(nothing.output().unwrap().status.code(), Some(127));
}

#[test]
fn the_program_is_told_what_fits_and_what_the_user_set_stays() {
    let script = "echo \"$GOMEMLIMIT\"";
    for (variables, told) in [(vec![], "460MiB\n"), (vec![("GOMEMLIMIT", "7MiB")], "7MiB\n")] {
        let run = ["run", "--limit", "512MB", "--side-port", "off", "--", "/bin/sh", "-c", script];
        let output = heapbeat(&run, &variables).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), told);
    }
}

#[test]
fn a_crash_is_restarted_told_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let once = directory.path().join("once");
    let script = format!("if [ -e {0} ]; then exec sleep 600; fi; touch {0}; kill -ILL $$", once.display());
    let mut server = guard(&[], &script);
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "crash");
    let running = until("the program", || children(server.pid()).into_iter().find(|pid| lives(*pid)));
    until("its health", || (server.get("/health").status == 200).then_some(()));
    assert!(server.get("/exits").text().contains("it was terminated by SIGILL"));
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("heapbeat_exits_total{kind=\"crash\"} 1\n"), "{}", metrics.text());
    assert!(metrics.text().contains("heapbeat_starts_total 2\n"), "{}", metrics.text());
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    until("the program to end", || (!lives(running)).then_some(()));
}

#[test]
fn how_a_program_ended_is_told_with_what_was_seen_of_it_and_by_the_next_guard() {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let guarded = || {
        let run = ["run", "--limit", "64MB", "--side-port", "0", "--", "sleep", "600"];
        let variables = [("PATH", "/usr/bin:/bin"), ("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap())];
        let server = Server::up(heapbeat(&run, &variables));
        let program = until("the program", || children(server.pid()).into_iter().next());
        until("a look at it", || {
            (!server.get("/metrics").text().contains("_memory_bytes 0\n")).then_some(())
        });
        (server, program)
    };
    let (mut server, program) = guarded();
    signal(program, "KILL");
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "crash");
    let told: serde_json::Value = serde_json::from_slice(&server.get("/exits").body).unwrap();
    let last = &told[0]["last"];
    assert!(last["rss"].as_u64().is_some_and(|rss| rss > 0 && rss < 64 << 20), "{told}");
    assert_eq!(told[0]["pressure"], "calm", "{told}");
    let evidence = told[0]["evidence"].to_string();
    assert!(evidence.contains("% of the limit when last seen"), "{evidence}");
    // Guard and program at once, as when a container is killed; then another guard in the same place.
    let program = until("the program", || children(server.pid()).into_iter().find(|it| *it != program));
    server.signal("KILL");
    server.wait();
    until("the program to end", || (!lives(program)).then_some(()));
    let (server, _) = guarded();
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "unknown");
    assert!(server.get("/exits").text().contains("no process observed its exit"));
}

/// What a person sees who types `typed` when `when` is shown, at a terminal in which `heapbeat run` guards this script.
fn at_a_terminal(script: &str, when: &str, typed: &[u8]) -> String {
    let run = format!("exec {} run --side-port off -- sh -c '{script}'", heapbeat_test_support::binary());
    let mut command = Command::new("script");
    command.args(["-qec", &run, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let shown = Arc::<Mutex<String>>::default();
    let seen = Arc::clone(&shown);
    let reader = thread::spawn(move || {
        let mut chunk = [0; 1024];
        while let Ok(count @ 1..) = screen.read(&mut chunk) {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    });
    until(when, || shown.lock().unwrap().contains(when).then_some(()));
    keys.write_all(typed).unwrap();
    let ended = heapbeat_test_support::within(heapbeat_test_support::PATIENCE, || child.try_wait().unwrap());
    let _ = child.kill();
    reader.join().unwrap();
    let shown = shown.lock().unwrap().clone();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?} {shown}");
    shown
}

#[test]
fn a_program_at_a_terminal_can_read_from_it() {
    let shown = at_a_terminal("echo ask me; read word; echo \"you said $word\"", "\r\nask me", b"hello\n");
    assert!(shown.contains("you said hello"), "{shown}");
}

#[test]
fn ctrl_c_reaches_a_program_at_a_terminal_once_and_ends_the_guard_with_it() {
    let script = "n=0; trap \"n=\\$((n+1))\" INT; echo running; while [ $n = 0 ]; do sleep 0.1; done; sleep 1; \
                  echo \"interrupted $n times\"; exit 0";
    let shown = at_a_terminal(script, "\r\nrunning", b"\x03");
    assert!(shown.contains("interrupted 1 times"), "{shown}");
}

#[test]
fn a_program_does_not_outlive_its_guard() {
    let mut server = guard(&[], "exec sleep 600");
    let running = until("the program", || children(server.pid()).into_iter().next());
    until("its health", || (server.get("/health").status == 200).then_some(()));
    server.signal("KILL");
    server.wait();
    until("the program to end", || (!lives(running)).then_some(()));
}

#[test]
fn a_tree_that_grows_is_asked_to_shrink_and_then_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let asked = directory.path().join("asked");
    let program = directory.path().join("grow.py");
    // The memory is in a child of what was started. It stops growing, and ends, should nobody end it.
    fs::write(
        &program,
        "import os, sys, time\nparent=os.getpid()\nif os.fork():\n  os.wait()\nelse:\n  \
         open(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\n  kept=[]\n  \
         while os.getppid() == parent or len(kept) < 300:\n    \
         if len(kept) < 300: kept.append(bytes([1])*(1<<20))\n    time.sleep(0.05)\n",
    )
    .unwrap();
    let Some(python) = python() else { return };
    let shrink = format!("touch {}", asked.display());
    let growing = directory.path().join("growing");
    let arguments = ["--limit", "120MB", "--ready-after", "1s", "--shrink-command", &shrink];
    let server = guard(&arguments, &format!("exec {python} {} {}", program.display(), growing.display()));
    until("the replacement", || (server.logged("recycled: worker").len() == 1).then_some(()));
    assert!(asked.exists(), "it was asked to shrink first");
    assert_eq!(server.exit(0)["heapbeat.exit.kind"], "recycle");
    let first = fs::read_to_string(&growing).unwrap().lines().next().unwrap().parse().unwrap();
    until("the child that grew to end with its parent", || (!lives(first)).then_some(()));
}

#[test]
fn a_program_that_takes_its_socket_is_replaced_without_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("serve.py");
    // As sd_listen_fds(3) has it: the socket is descriptor 3, if LISTEN_PID is this process.
    fs::write(
        &program,
        "import os, socket, signal, sys\nassert os.environ['LISTEN_PID'] == str(os.getpid())\n\
         s = socket.socket(fileno=3)\nstop = False\n\
         def leave(*_):\n  global stop\n  stop = True\n\
         signal.signal(signal.SIGTERM, leave)\ns.settimeout(0.2)\n\
         while not stop:\n  try:\n    c, _ = s.accept()\n  except (TimeoutError, BlockingIOError):\n    continue\n  c.settimeout(5)\n  c.recv(4096)\n  \
         c.sendall(b'HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: 2\\r\\n\\r\\nok')\n  c.close()\n",
    )
    .unwrap();
    let Some(python) = python() else { return };
    let server =
        guard(&["--listen", "0", "--ready-after", "1s"], &format!("exec {python} {}", program.display()));
    let port = server.said("the program is at port")["server.port"].as_u64().unwrap();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), u16::try_from(port).unwrap());
    let request = b"GET / HTTP/1.1\r\nhost: t\r\n\r\n";
    assert_eq!(ask(connect(address), "GET", request).text(), "ok");
    until("the program to be ready", || {
        server.signal("USR2");
        (!server.logged("starting a fresh worker").is_empty()).then_some(())
    });
    let mut answered = 0;
    until("the replacement", || {
        assert_eq!(ask(connect(address), "GET", request).text(), "ok");
        answered += 1;
        (!server.logged("worker 1 was recycled").is_empty()).then_some(())
    });
    assert!(answered > 0);
}
