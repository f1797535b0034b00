//! The standard error of a program under `heapbeat run`: passed on unchanged, and evidence for its exits.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use heapbeat_test_support::owner::get_signed;
use heapbeat_test_support::programs::PATH;
use heapbeat_test_support::{Server, child_pids, heapbeat_command, wait_for};

const SECRET: &str = "a secret of the owner's";

fn is_installed(program: &str) -> bool {
    let found = PATH.split(':').any(|directory| Path::new(directory).join(program).exists());
    if !found {
        heapbeat_test_support::privileged::report_skipped(&format!("{program} is not installed"));
    }
    found
}

#[test]
fn standard_error_is_passed_on_unchanged_and_in_order() {
    // More than a pipe holds, with lines that are longer than what is written at once, and no line break at the end.
    let script = "i=0; while [ $i -lt 3000 ]; do echo \"line $i of many that fill a pipe\" >&2; i=$((i+1)); done; \
                  head -c 20000 /dev/zero | tr '\\0' x >&2; printf 'no end' >&2; echo out; exit 0";
    let run = ["run", "--front", "off", "--side-port", "off", "--", "sh", "-c", script];
    let output = heapbeat_command(&run, &[("PATH", PATH)]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let ours: Vec<&str> = stderr.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(ours.len(), 3001, "{}", &stderr[stderr.len() - 300..]);
    assert!((0..3000).all(|line| ours[line] == format!("line {line} of many that fill a pipe")));
    let last = ours[3000];
    assert!(
        last.starts_with(&"x".repeat(20000)) && last[20000..].starts_with("no end"),
        "{}",
        &last[19990..]
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "out\n");
}

#[test]
fn the_end_of_standard_error_is_kept_without_secrets_for_the_operator_only() {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let once = directory.path().join("once");
    let script = format!(
        "[ -e {0} ] && exec sleep 600; touch {0}; echo 'cannot connect to redis://u:hunter2@cache' >&2; exit 3",
        once.display()
    );
    let run = ["run", "--front", "off", "--side-port", "0", "--", "sh", "-c", &script];
    let variables =
        [("PATH", PATH), ("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap()), ("HEAPBEAT_SECRET", SECRET)];
    let server = Server::spawn(heapbeat_command(&run, &variables));
    assert_eq!(server.wait_for_exit(0)["heapbeat.exit.kind"], "crash");
    assert!(!server.get("/exits").text().contains("cannot connect"));
    // An exit is logged before it is listed.
    wait_for("the exit in the list", || {
        let exits = get_signed(&server, SECRET, "/exits");
        exits.text().contains("\"stderr_tail\":\"cannot connect to redis://***@cache\"").then_some(())
    });
    let kept: String = fs::read_dir(&flight)
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path()).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    assert!(kept.contains("cannot connect to redis://***@cache"), "{kept}");
    assert!(!kept.contains("hunter2"));
}

#[test]
fn a_heap_that_is_too_small_explains_the_abort_of_node_also_behind_a_shell() {
    if !is_installed("node") {
        return;
    }
    let leak = "const kept = []; for (;;) kept.push(new Array(1e4).fill(1.5));";
    for wrapped in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("leak.js"), leak).unwrap();
        let node = "if [ -e once ]; then exec sleep 600; fi; touch once; node leak.js";
        let script =
            if wrapped { format!("{node}; exit $?") } else { node.replace("node leak", "exec node leak") };
        let run =
            ["run", "--front", "off", "--side-port", "0", "--limit", "512MB", "--", "sh", "-c", &script];
        let variables = [("PATH", PATH), ("NODE_OPTIONS", "--max-old-space-size=24")];
        let mut command = heapbeat_command(&run, &variables);
        command.current_dir(directory.path());
        let server = Server::spawn(command);
        let exit = server.wait_for_exit(0);
        let evidence = exit["heapbeat.exit.evidence"].as_str().unwrap();
        assert_eq!(
            (&exit["heapbeat.exit.kind"], &exit["heapbeat.exit.sure"]),
            (&"out_of_memory".into(), &true.into()),
            "{exit}"
        );
        assert!(
            evidence.contains("its runtime reported: ") && evidence.contains("JavaScript heap out of memory"),
            "{evidence}"
        );
        assert!(
            evidence.contains("its heap was limited by NODE_OPTIONS=--max-old-space-size=24"),
            "{evidence}"
        );
        assert!(evidence.contains("its heap held "), "{evidence}");
    }
}

#[test]
fn the_program_has_the_guards_own_standard_error_if_the_tail_is_off() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stderr");
    for (value, is_own) in [("off", true), ("on", false)] {
        let run = ["run", "--front", "off", "--side-port", "off", "--", "sh", "-c", "readlink /proc/$$/fd/2"];
        let mut command = heapbeat_command(&run, &[("PATH", PATH), ("HEAPBEAT_STDERR_TAIL", value)]);
        let output = command.stderr(Stdio::from(fs::File::create(&path).unwrap())).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(found.trim() == path.to_str().unwrap(), is_own, "{value}: {found}");
        assert!(is_own || found.starts_with("pipe:"), "{found}");
    }
    let run = ["run", "--front", "off", "--stderr-tail", "maybe", "--", "true"];
    let output = heapbeat_command(&run, &[("PATH", PATH)]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_program_can_still_write_to_standard_error_when_the_guard_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    // Without a reader, `echo` would fail and end the script.
    let script = format!(
        "set -e; trap 'echo drains >&2; sleep 1; echo drained >&2; touch {}; exit 0' TERM; touch {}; \
         while :; do sleep 0.1; done",
        file("done"),
        file("ready")
    );
    let run = ["run", "--front", "off", "--side-port", "0", "--", "sh", "-c", &script];
    let output = directory.path().join("output");
    let mut command = heapbeat_command(&run, &[("PATH", PATH), ("HEAPBEAT_DRAIN_TIMEOUT", "8s")]);
    command.stderr(Stdio::from(fs::File::create(&output).unwrap()));
    let mut guard = command.spawn().unwrap();
    wait_for("the program to be ready", || fs::exists(file("ready")).unwrap().then_some(()));
    // It opens the pipe a moment after the program was started.
    wait_for("the watchdog to hold the pipe", || {
        let program = *child_pids(guard.id()).first()?;
        let pipe = fs::read_link(format!("/proc/{program}/fd/2")).ok()?;
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        let watchdog = |path: &Path| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0).skip(1);
            words.next() == Some(b"__watchdog") && words.next() == Some(guard.id().to_string().as_bytes())
        };
        let files = processes
            .filter(|path| watchdog(path))
            .flat_map(|path| fs::read_dir(path.join("fd")).into_iter().flatten());
        files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|it| it == pipe).then_some(())
    });
    guard.kill().unwrap();
    guard.wait().unwrap();
    wait_for("the program to drain", || fs::exists(file("done")).unwrap().then_some(()));
    wait_for("its last line", || fs::read_to_string(&output).unwrap().contains("drained\n").then_some(()));
}
