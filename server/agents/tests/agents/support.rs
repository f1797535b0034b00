//! Real programs with agents, and the guard's side of their socket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use heapbeat_agents::injection::{inject, write_agents};
use heapbeat_agents::registry::AgentRegistry;
use heapbeat_agents::server::{AgentEvent, AgentEventKind, AgentServer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Time for anything that is waited for, on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The path of a program under test.
pub(crate) fn program(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name).to_string_lossy().into_owned()
}

pub(crate) fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Says loudly that a test did not run.
pub(crate) fn skipped(what: &str) {
    eprintln!("SKIPPED: {what}");
}

/// The installed Nodes by version: on PATH, in `node_modules`, and those in `HEAPBEAT_TEST_NODES`, separated by colons.
pub(crate) fn nodes() -> Vec<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let further = std::env::var_os("HEAPBEAT_TEST_NODES").unwrap_or_default();
    let candidates = find_on_path("node")
        .into_iter()
        .chain([repository.join("node_modules/node/bin/node")])
        .chain(std::env::split_paths(&further));
    let mut found = BTreeMap::new();
    for candidate in candidates.filter(|it| it.is_file()) {
        let Ok(output) = Command::new(&candidate).arg("--version").output() else { continue };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let major: u32 = version.trim_start_matches('v').split('.').next().unwrap().parse().unwrap_or(0);
        if major >= 18 {
            found.entry(version).or_insert(candidate);
        }
    }
    if found.is_empty() {
        skipped("no Node 18 or later on PATH or in node_modules");
    }
    found.into_values().collect()
}

/// The installed Pythons, one for each version that the agent supports.
pub(crate) fn pythons() -> Vec<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let installed: Vec<PathBuf> = std::fs::read_dir(home.join(".pyenv/versions"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    let mut found = Vec::new();
    for minor in 9..=13 {
        let name = format!("3.{minor}.");
        let pyenv = installed
            .iter()
            .find(|path| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&name)));
        let python = pyenv
            .map(|path| path.join("bin/python"))
            .or_else(|| find_on_path(&format!("python3.{minor}")))
            .filter(|it| {
                Command::new(it).arg("--version").output().is_ok_and(|output| output.status.success())
            });
        match python {
            Some(python) => found.push(python),
            None => skipped(&format!("no Python 3.{minor} in ~/.pyenv/versions or on PATH")),
        }
    }
    found
}

/// Runs a test for several runtimes side by side, as most of its time is waiting.
pub(crate) fn side_by_side(runtimes: Vec<PathBuf>, test: impl Fn(&PathBuf) + Sync) {
    std::thread::scope(|scope| {
        for runtime in runtimes {
            let test = &test;
            scope.spawn(move || test(&runtime));
        }
    });
}

/// A program's own output, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: std::process::ExitStatus,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Outcome {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status,
        }
    }
}

/// The guard: the agents' files and socket, what the agents said, and the programs that it started.
pub(crate) struct Guard {
    directory: tempfile::TempDir,
    pub(crate) server: Option<AgentServer>,
    pub(crate) registry: AgentRegistry,
    pub(crate) events: Vec<AgentEvent>,
    children: Vec<Child>,
}

impl Guard {
    pub(crate) fn new() -> Self {
        // A path with a space: many of them exist.
        let directory = tempfile::Builder::new().prefix("h b").tempdir_in("/tmp").unwrap();
        write_agents(&directory.path().join("agents")).unwrap();
        let mut guard = Guard {
            directory,
            server: None,
            registry: AgentRegistry::default(),
            events: Vec::new(),
            children: Vec::new(),
        };
        guard.listen();
        guard
    }

    /// Starts to listen, at the same path as before.
    pub(crate) fn listen(&mut self) {
        self.server = Some(AgentServer::bind(&self.directory.path().join("socket")).unwrap());
    }

    /// A folder for a program's files.
    pub(crate) fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// A command with the agents, which sample ten times a second.
    pub(crate) fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        self.command_in(program, arguments, &[])
    }

    /// The same with further variables, which the injection sees.
    pub(crate) fn command_in(
        &self,
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Command {
        let mut command = plain_command(program, arguments);
        command.envs(variables.iter().copied()).env("HEAPBEAT_AGENT_INTERVAL", "100");
        let words: Vec<OsString> = [program.as_os_str().to_owned()]
            .into_iter()
            .chain(arguments.iter().map(OsString::from))
            .collect();
        let find = |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| value.into());
        let socket = self.directory.path().join("socket/agent.sock");
        command.envs(inject(&words, find, &self.directory.path().join("agents"), &socket));
        command
    }

    /// Starts a program.
    pub(crate) fn spawn(&mut self, mut command: Command) -> u32 {
        let child = command.spawn().unwrap();
        let pid = child.id();
        self.children.push(child);
        pid
    }

    /// Starts a program whose standard output is read.
    pub(crate) fn spawn_piped(&mut self, mut command: Command) -> (u32, std::process::ChildStdout) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let pid = child.id();
        self.children.push(child);
        (pid, output)
    }

    /// Serves the agents for a while, at most until something is to be read.
    pub(crate) fn serve(&mut self, longest: Duration) {
        let Some(server) = &mut self.server else { return };
        {
            let mut sockets: Vec<PollFd> =
                server.sockets().map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)).collect();
            let timeout =
                Timespec { tv_sec: 0, tv_nsec: longest.as_nanos().min(999_999_999).try_into().unwrap() };
            let _ = poll(&mut sockets, Some(&timeout));
        }
        let now = Instant::now();
        for event in server.serve(now) {
            self.registry.record(&event, now);
            self.events.push(event);
        }
    }

    /// Serves the agents for a time.
    pub(crate) fn serve_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.serve(Duration::from_millis(50));
        }
    }

    /// Serves the agents until something is found.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut(&mut Guard) -> Option<T>) -> T {
        let end = Instant::now() + TIMEOUT;
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            if Instant::now() >= end {
                let last = self.events.len().saturating_sub(20);
                panic!("{what}: not within {TIMEOUT:?}; the last events: {:#?}", &self.events[last..]);
            }
            self.serve(Duration::from_millis(50));
        }
    }

    /// Waits for an event of one process, after those that were found before.
    pub(crate) fn wait_for_event<T>(
        &mut self,
        what: &str,
        pid: u32,
        find: impl Fn(&AgentEventKind) -> Option<T>,
    ) -> T {
        let mut seen = self.events.len();
        self.wait_for(what, |guard| {
            let fresh = &guard.events[seen..];
            seen = guard.events.len();
            fresh.iter().filter(|event| event.pid == pid).find_map(|event| find(&event.kind))
        })
    }

    pub(crate) fn wait_for_sample(&mut self, pid: u32) {
        self.wait_for("a sample", |guard| guard.registry.process(pid)?.sample.as_ref().map(|_| ()));
    }

    /// Resident set of a process, as its agent reported it last.
    pub(crate) fn resident(&self, pid: u32) -> u64 {
        let sample = self.registry.process(pid).and_then(|process| process.sample.as_ref());
        sample.and_then(|(sample, _)| sample.rss).unwrap_or(0)
    }

    /// Waits until programs have loaded their data: until then they grow.
    pub(crate) fn wait_until_loaded(&mut self, pids: &[u32]) {
        for pid in pids {
            self.wait_for_sample(*pid);
            let mut before = 0;
            while self.resident(*pid).abs_diff(before) > 1 << 20 {
                before = self.resident(*pid);
                self.serve_for(Duration::from_secs(1));
            }
        }
    }

    /// Processes with an agent.
    pub(crate) fn connected(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.registry.processes().map(|(pid, _)| pid).collect();
        pids.sort_unstable();
        pids
    }

    /// Serves the agents until a program has ended, and returns how.
    pub(crate) fn finish(&mut self, mut command: Command) -> Outcome {
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let waiting = std::thread::spawn(move || child.wait_with_output().unwrap());
        self.wait_for("the program's end", |_| waiting.is_finished().then_some(()));
        waiting.join().unwrap().into()
    }

    pub(crate) fn kill_all(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.clear();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// A command without agents.
pub(crate) fn plain_command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    for name in ["NODE_OPTIONS", "PYTHONPATH", "HEAPBEAT_AGENT", "HEAPBEAT_AGENT_SOCKET"] {
        command.env_remove(name);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Whether two figures differ by at most a share of the second.
pub(crate) fn is_near(figure: u64, expected: u64, share: f64) -> bool {
    figure.abs_diff(expected) as f64 <= share * expected as f64
}

/// Expects that a program ends about as soon with an agent as without, whether a guard serves its socket, only listens, or is not there.
pub(crate) fn assert_program_ends_in_time(runtime: &Path, arguments: &[&str]) {
    let mut guard = Guard::new();
    let run = |guard: &mut Guard, command: Command| {
        let began = Instant::now();
        assert!(guard.finish(command).status.success());
        began.elapsed()
    };
    let without = run(&mut guard, plain_command(runtime, arguments));
    let folder = tempfile::tempdir().unwrap();
    let silent_socket = folder.path().join("silent.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&silent_socket).unwrap();
    for socket in [None, Some(silent_socket.as_path()), Some(Path::new("/nowhere/agent.sock"))] {
        let mut command = guard.command(runtime, arguments);
        if let Some(socket) = socket {
            command.env("HEAPBEAT_AGENT_SOCKET", socket);
        }
        let took = run(&mut guard, command);
        assert!(
            took < without + Duration::from_secs(2),
            "{}, socket {socket:?}: {took:?} instead of {without:?}",
            runtime.display()
        );
    }
}
