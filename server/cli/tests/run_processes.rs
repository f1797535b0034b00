//! `heapbeat run` with programs of many processes: who gets the stop signal, and who is left afterwards.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;

use heapbeat_test_support::owner::get_signed;
use heapbeat_test_support::programs::{PATH, is_installed, start_in_directory};
use heapbeat_test_support::{Server, child_pids, is_alive, send_signal, wait_for};

const SECRET: &str = "a secret of the owner's";

/// A server that writes its process id and `ready`, each signal that it gets, and `done` a second after the first one, to a file.
const NODE: &str =
    "const fs = require('fs'); const log = (text) => fs.appendFileSync(process.env.LOG, text + '\\n');
let stopping = false;
for (const name of ['SIGTERM', 'SIGINT', 'SIGQUIT']) process.on(name, () => {
  log('got ' + name);
  if (!stopping) setTimeout(() => { log('done'); process.exit(0); }, 1000);
  stopping = true;
});
setInterval(() => {}, 1000);
log('ready ' + process.pid);
";

/// A guarded program and the file that it writes to.
struct Guarded {
    directory: tempfile::TempDir,
    server: Server,
}

impl Guarded {
    /// Guards a command in a directory with these files.
    fn start(files: &[(&str, &str)], options: &[&str], command: &[&str]) -> Self {
        let run: Vec<&str> = ["run", "--front", "off", "--side-port", "0"]
            .iter()
            .chain(options)
            .chain(&["--"])
            .chain(command)
            .copied()
            .collect();
        let variables = [("HEAPBEAT_DRAIN_TIMEOUT", "6s"), ("npm_config_update_notifier", "false")];
        let (directory, server) = start_in_directory(files, &run, &variables);
        Guarded { directory, server }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Waits until `count` programs are ready, and returns their process ids.
    fn wait_until_ready(&self, count: usize) -> Vec<u32> {
        wait_for("the program to be ready", || {
            let log = self.log();
            let ready: Vec<u32> =
                log.lines().filter_map(|line| line.strip_prefix("ready ")?.parse().ok()).collect();
            (ready.len() >= count).then_some(ready)
        })
    }

    /// Returns how often a line was written.
    fn count(&self, line: &str) -> usize {
        self.log().lines().filter(|it| *it == line).count()
    }

    /// Requests a stop, and waits until the guard has exited with 0 and nothing is left.
    fn stop(&mut self, programs: &[u32]) {
        self.server.send_signal("TERM");
        assert_eq!(self.server.wait().code(), Some(0), "{}", self.log());
        assert!(programs.iter().all(|pid| !is_alive(*pid)), "{}", self.log());
    }
}

#[test]
fn a_stop_reaches_the_server_behind_a_wrapper_once_and_waits_for_it() {
    if !is_installed("node") || !is_installed("npm") {
        return;
    }
    let package = r#"{"name":"t","scripts":{"start":"node server.js","wrapped":"node server.js; true"}}"#;
    let script = "#!/bin/sh\nnode server.js\necho finished\n";
    let forwarding = "#!/bin/sh\nnode server.js &\ntrap 'kill -TERM $!' TERM\nwait $!\n";
    let commands: [&[&str]; 7] = [
        &["node", "server.js"],
        &["sh", "-c", "node server.js"],
        &["sh", "-c", "node server.js; true"],
        &["sh", "script.sh"],
        &["sh", "forwarding.sh"],
        &["npm", "start"],
        &["npm", "run", "wrapped"],
    ];
    let files = [
        ("server.js", NODE),
        ("package.json", package),
        ("script.sh", script),
        ("forwarding.sh", forwarding),
    ];
    for command in commands {
        let mut guarded = Guarded::start(&files, &[], command);
        let servers = guarded.wait_until_ready(1);
        guarded.stop(&servers);
        assert_eq!(
            (guarded.count("got SIGTERM"), guarded.count("done")),
            (1, 1),
            "{command:?} {}",
            guarded.log()
        );
    }
}

#[test]
fn a_cluster_gets_one_signal_for_its_primary_which_tells_its_workers() {
    if !is_installed("node") {
        return;
    }
    let primary = "const cluster = require('cluster');\nif (cluster.isPrimary) {\n  cluster.fork(); cluster.fork();\n  \
                   process.on('SIGTERM', () => { for (const it of Object.values(cluster.workers)) it.process.kill('SIGTERM'); });\n\
                   } else require('./server.js');\n";
    let mut guarded =
        Guarded::start(&[("server.js", NODE), ("primary.js", primary)], &[], &["node", "primary.js"]);
    let workers = guarded.wait_until_ready(2);
    guarded.stop(&workers);
    assert_eq!((guarded.count("got SIGTERM"), guarded.count("done")), (2, 2), "{}", guarded.log());
}

#[test]
fn the_stop_signal_can_be_chosen() {
    if !is_installed("node") {
        return;
    }
    let mut guarded = Guarded::start(
        &[("server.js", NODE)],
        &["--stop-signal", "QUIT"],
        &["sh", "-c", "node server.js; true"],
    );
    let servers = guarded.wait_until_ready(1);
    guarded.stop(&servers);
    assert_eq!((guarded.count("got SIGQUIT"), guarded.count("got SIGTERM")), (1, 0), "{}", guarded.log());
}

#[test]
fn a_killed_guard_leaves_no_server_behind() {
    if !is_installed("node") || !is_installed("npm") {
        return;
    }
    let package = r#"{"name":"t","scripts":{"start":"node server.js; true"}}"#;
    let files = [("server.js", NODE), ("package.json", package)];
    for command in [&["npm", "start"][..], &["sh", "-c", "node server.js; true"]] {
        let mut guarded = Guarded::start(&files, &[], command);
        let server = guarded.wait_until_ready(1)[0];
        guarded.server.send_signal("KILL");
        guarded.server.wait();
        wait_for("the server to exit", || (!is_alive(server)).then_some(()));
        assert_eq!(
            (guarded.count("got SIGTERM"), guarded.count("done")),
            (1, 1),
            "{command:?} {}",
            guarded.log()
        );
    }
}

/// A program that leaves a process with 60 MB behind, which is in a session of its own and has no parent, and waits.
const DAEMON: &str = "import os, sys, time
if os.fork() == 0:
  os.setsid()
  if os.fork(): os._exit(0)
  kept = bytes([1]) * (60 << 20)
  open(os.environ['LOG'], 'a').write(f'ready {os.getpid()}\\n')
  time.sleep(600)
os.wait()
time.sleep(600)
";

#[test]
fn a_process_that_has_lost_its_parent_is_measured_and_ends_with_its_instance() {
    if !is_installed("python3") {
        return;
    }
    let options = ["--limit", "512MB", "--ready-after", "1s"];
    let mut guarded = Guarded::start(&[("daemon.py", DAEMON)], &options, &["python3", "daemon.py"]);
    let orphan = guarded.wait_until_ready(1)[0];
    let measured = || {
        let rss = guarded.server.health()["memory"]["rss"].as_u64()?;
        (rss >= 60).then_some(rss)
    };
    let rss = wait_for("the orphan to be measured", measured);
    assert!(rss < 120, "it counts once: {rss} MB");
    wait_for("the program to be ready", || {
        guarded.server.send_signal("USR2");
        guarded.server.log_events("draining the current one first").pop()
    });
    let second = guarded.wait_until_ready(2)[1];
    assert!(!is_alive(orphan), "it has ended before the next instance started");
    assert_eq!(guarded.server.wait_for_exit(0)["heapbeat.exit.kind"], "recycle");
    guarded.stop(&[second]);
}

#[test]
fn orphans_are_reaped_and_killed_when_their_program_crashes() {
    if !is_installed("python3") {
        return;
    }
    let guarded = Guarded::start(&[("daemon.py", DAEMON)], &[], &["python3", "daemon.py"]);
    let orphan = guarded.wait_until_ready(1)[0];
    wait_for("it to lose its parent", || child_pids(guarded.server.pid()).contains(&orphan).then_some(()));
    let program = child_pids(guarded.server.pid()).into_iter().find(|pid| *pid != orphan).unwrap();
    send_signal(program, "KILL");
    guarded.wait_until_ready(2);
    assert!(!fs::exists(format!("/proc/{orphan}")).unwrap(), "it is gone, and no zombie");
    assert_eq!(guarded.server.log_events("that it left running").len(), 1);
}

#[test]
fn files_in_memory_count_where_the_control_group_has_a_limit() {
    let Some(group) = heapbeat_test_support::privileged::create_memory_cgroup(256 << 20) else { return };
    let enter = format!(
        "echo $$ > {}/cgroup.procs; exec {} run --front off --side-port 0 -- sh -c \"$0\"",
        group.path().display(),
        heapbeat_test_support::binary_path()
    );
    let file = format!("/dev/shm/heapbeat-test-{}", std::process::id());
    let script =
        format!("head -c 100000000 /dev/zero > {file}; trap 'rm {file}; exit' TERM; sleep 600 & wait");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &enter, &script]).env_clear().env("PATH", PATH).env("HEAPBEAT_METRICS", "public");
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut server = Server::spawn(command);
    wait_for("the file to be counted", || {
        let metrics = server.get("/metrics");
        let judged =
            metrics.text().lines().find_map(|it| it.strip_prefix("heapbeat_memory_working_set_bytes "))?;
        (judged.parse::<f64>().ok()? >= 95e6).then_some(())
    });
    server.send_signal("TERM");
    server.wait();
    let _ = fs::remove_file(file);
}

#[test]
fn an_oom_kill_of_a_child_is_told_though_the_program_lives() {
    let Some(group) = heapbeat_test_support::privileged::create_memory_cgroup(64 << 20) else { return };
    let enter = format!(
        "echo $$ > {}/cgroup.procs; exec {} run --front off --side-port 0 --ready-after 60s -- sh -c \"$0\"",
        group.path().display(),
        heapbeat_test_support::binary_path()
    );
    // `tail` keeps all of it, as it has no line break.
    let script = "trap exit TERM; \
                  (for i in $(seq 200); do head -c 1000000 /dev/zero; sleep 0.05; done) | tail > /dev/null; \
                  while :; do sleep 0.2; done";
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &enter, script])
        .env_clear()
        .env("PATH", PATH)
        .env("HEAPBEAT_METRICS", "public")
        .env("HEAPBEAT_SECRET", SECRET);
    command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let server = Server::spawn(command);
    let kill = server.wait_for_log("(tail) of instance 1: out of memory; the program itself still runs");
    assert_eq!((&kill["heapbeat.process.name"], &kill["heapbeat.oom.sure"]), (&"tail".into(), &true.into()));
    let metrics = wait_for("the kill to be counted", || {
        let metrics = server.get("/metrics");
        metrics.text().contains("heapbeat_process_exits_total{kind=\"oom_kill\"} 1\n").then_some(metrics)
    });
    assert!(!metrics.text().contains("heapbeat_exits_total{"), "{}", metrics.text());
    wait_for("the kill in the list", || {
        let exits: serde_json::Value =
            serde_json::from_slice(&get_signed(&server, SECRET, "/exits").body).unwrap();
        let listed = (&exits[0]["kind"], &exits[0]["evidence"][0]["code"]);
        (listed == (&"oom_kill".into(), &"process-oom-killed".into())).then_some(())
    });
}
