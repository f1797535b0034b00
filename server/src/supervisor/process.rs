//! The worker's process: the same program with the same arguments, the listening sockets, and a socket to its supervisor.
//!
//! Listening sockets are passed as `LISTEN_FDS` (`sd_listen_fds(3)`). The socket to the supervisor is standard input, which a server
//! does not use otherwise; when it closes, the worker knows that its supervisor is gone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command as ProcessBuilder, Stdio};
use std::sync::Arc;
use std::time::Instant;

use command_fds::{CommandFdExt, FdMapping};
use heapbeat_shared::exit::SupervisorKill;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::termios::tcgetpgrp;

use super::event_loop::ProgramStop;
use super::external::ExternalProgram;
use super::family;
use super::gateway::Variable;
use super::ipc::{LineReader, SupervisorMessage, WorkerMessage};
use super::machine::WorkerNumber;
use super::stderr_tail::StderrTail;
use crate::config::SETTINGS;
use crate::flight_recorder::PreviousRuns;

/// Variable that makes a program a worker: its number and the process id of its supervisor.
pub(super) const WORKER: &str = "_HEAPBEAT_WORKER";

/// Subcommand that replaces itself by another program.
pub const START: &str = "__start";

/// Variable with the process id of the supervisor, the signal that the program gets if that is killed, and its limit on open files; until the
/// program is started.
pub(super) const GUARD: &str = "_HEAPBEAT_GUARD";

/// Variable with the path of the worker's flight recorder.
pub(crate) const FLIGHT: &str = "_HEAPBEAT_FLIGHT";

/// The first descriptor of `LISTEN_FDS`.
const FIRST_SOCKET: i32 = 3;

/// The program that workers run.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    /// Whether it is another program, which has no socket to the supervisor and gets signals instead.
    external: bool,
    /// Whether the program may read from a terminal, and so must stay in the terminal's process group.
    terminal: bool,
    variables: BTreeMap<&'static str, OsString>,
    /// The signal that asks another program to stop.
    stop_signal: Signal,
    /// Whether the end of another program's standard error is kept.
    keeps_stderr: bool,
    /// Soft limit on open files of another program.
    open_files: Option<u64>,
}

/// A worker's process.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    pub(super) number: WorkerNumber,
    pub(super) pid: Pid,
    pub(super) flight: Option<PathBuf>,
    pub(super) since: Instant,
    /// What is known of earlier instances of another program, which a worker would be sent.
    pub(super) previous: Option<Arc<PreviousRuns>>,
    /// Whether the process gets the same signals from the terminal as the supervisor.
    pub(super) shares_terminal: bool,
    /// The stop of another program.
    pub(super) stop: ProgramStop,
    /// Why it was killed from here, if it was.
    pub(super) kill: Option<SupervisorKill>,
    /// The worker that served before this one.
    pub(super) predecessor: Option<WorkerNumber>,
    /// Whether it was ever ready.
    pub(super) was_ready: bool,
    /// Whether it was asked to finish its requests because another worker takes over.
    pub(super) handed_over: bool,
    /// The end of another program's standard error.
    pub(super) stderr: Option<StderrTail>,
    line: Option<UnixStream>,
    lines: LineReader,
}

impl Program {
    /// Returns this program. It uses the path instead of `/proc/self/exe`, so that the next worker runs a binary that was replaced.
    pub(super) fn this() -> io::Result<Self> {
        let arguments = std::env::args_os().skip(1).collect();
        Ok(Program {
            path: std::env::current_exe()?,
            arguments,
            external: false,
            terminal: false,
            variables: BTreeMap::new(),
            stop_signal: Signal::TERM,
            keeps_stderr: false,
            open_files: None,
        })
    }

    /// Returns another program, started through [`START`] of this one, with additional variables.
    pub(super) fn external(
        guarded: &ExternalProgram,
        variables: BTreeMap<&'static str, OsString>,
        stop_signal: Signal,
    ) -> io::Result<Self> {
        let command = guarded.command.iter().cloned();
        let arguments = [START.into(), "--".into()].into_iter().chain(command).collect();
        Ok(Program {
            path: std::env::current_exe()?,
            arguments,
            external: true,
            terminal: io::stdin().is_terminal(),
            variables,
            stop_signal,
            keeps_stderr: guarded.stderr_tail,
            open_files: guarded.open_files,
        })
    }

    /// Returns the signal that asks another program to stop.
    pub(super) fn stop_signal(&self) -> Signal {
        self.stop_signal
    }

    /// Returns the word for one process of the program.
    pub(super) fn noun(&self) -> &'static str {
        if self.external { "instance" } else { "worker" }
    }

    /// Returns the setting that limits V8's heap, as it is in the arguments or in the environment.
    pub(super) fn heap_setting(&self) -> Option<String> {
        let is_setting = |word: &&str| {
            let value = word
                .strip_prefix("--max-old-space-size=")
                .or_else(|| word.strip_prefix("--max_old_space_size="));
            value.is_some_and(|value| value.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let find = |text: &str| text.split_ascii_whitespace().find(is_setting).map(str::to_owned);
        let argument = self.arguments.iter().find_map(|argument| find(&argument.to_string_lossy()));
        argument.or_else(|| {
            let ours = self.variables.get("NODE_OPTIONS").cloned();
            let options = ours.or_else(|| std::env::var_os("NODE_OPTIONS"))?;
            Some(format!("NODE_OPTIONS={}", find(&options.to_string_lossy())?))
        })
    }

    /// Whether it is another program.
    pub(super) fn is_external(&self) -> bool {
        self.external
    }

    /// Starts a worker.
    pub(super) fn start(
        &self,
        number: WorkerNumber,
        listeners: &[TcpListener],
        flight: Option<&Path>,
        variables: &[Variable],
    ) -> io::Result<WorkerProcess> {
        let sockets = listeners.iter().zip(FIRST_SOCKET..).map(|(listener, child_fd)| {
            Ok(FdMapping { parent_fd: listener.as_fd().try_clone_to_owned()?, child_fd })
        });
        let mut process = ProcessBuilder::new(&self.path);
        process
            .args(&self.arguments)
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .fd_mappings(sockets.collect::<io::Result<_>>()?)
            .map_err(io::Error::other)?;
        if listeners.is_empty() {
            process.env_remove("LISTEN_FDS");
        } else {
            process.env("LISTEN_FDS", listeners.len().to_string());
        }
        let mut line = None;
        let mut stderr = None;
        if self.external {
            // They are the guard's, and error reports of programs often contain the environment.
            for setting in SETTINGS.iter().filter(|setting| setting.secret) {
                process.env_remove(setting.variable);
            }
            if self.keeps_stderr
                && let Some((descriptor, tail)) = StderrTail::open()?
            {
                process.stderr(Stdio::from(descriptor));
                stderr = Some(tail);
            }
            // A process group of its own, so that all its children can be killed with it. At a terminal only the foreground group may read
            // and gets Ctrl-C and Ctrl-Z; there both are one job, as if the program had been started directly.
            if !self.terminal {
                process.process_group(0);
            }
            process.envs(&self.variables);
            for (name, value) in variables {
                match value {
                    Some(value) => process.env(name, value),
                    None => process.env_remove(name),
                };
            }
            let guard = std::process::id();
            let open_files = self.open_files.map(|limit| format!(" {limit}")).unwrap_or_default();
            process.env(GUARD, format!("{guard} {}{open_files}", self.stop_signal.as_raw()));
            process.env(family::MARKER, family::marker(guard, number));
        } else {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            line = Some(ours);
            process.env(WORKER, format!("{number} {}", std::process::id()));
            process.stdin(Stdio::from(OwnedFd::from(theirs)));
            match flight {
                Some(path) => process.env(FLIGHT, path),
                None => process.env_remove(FLIGHT),
            };
        }
        // The handle is not waited for: the loop reaps all children.
        let pid = process.spawn()?.id();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let flight = flight.map(Path::to_owned);
        Ok(WorkerProcess {
            number,
            pid,
            flight,
            since: Instant::now(),
            previous: self.external.then(Arc::default),
            shares_terminal: self.terminal,
            stop: ProgramStop::default(),
            kill: None,
            predecessor: None,
            was_ready: false,
            handed_over: false,
            stderr,
            line,
            lines: LineReader::default(),
        })
    }
}

/// Whether this process's group is the terminal's foreground group.
pub(super) fn is_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|front| front == getpgrp())
}

impl WorkerProcess {
    /// Sends a message, without waiting if the worker does not read. For another program, which gets no messages, what it tells about
    /// earlier instances is kept.
    pub(super) fn send(&mut self, command: &SupervisorMessage) {
        if let Some(previous) = &self.previous {
            command.clone().record_in(previous);
        }
        let Some(line) = &mut self.line else { return };
        if let Err(error) = line.write_all(command.to_line().as_bytes()) {
            tracing::debug!("cannot send a message to worker {}: {error}", self.number);
        }
    }

    /// Returns the process id as `/proc` has it.
    pub(super) fn process_id(&self) -> u32 {
        u32::try_from(self.pid.as_raw_nonzero().get()).unwrap_or(0)
    }

    /// Returns the messages since the last call.
    pub(super) fn read_messages(&mut self) -> Vec<WorkerMessage> {
        let mut messages = Vec::new();
        let collect = |line: &str| messages.extend(WorkerMessage::parse(line));
        if self.line.as_mut().is_some_and(|line| !self.lines.read(line, collect)) {
            self.line = None;
        }
        messages
    }

    /// Returns the socket to poll, while it is open.
    pub(super) fn socket(&self) -> Option<&UnixStream> {
        self.line.as_ref()
    }

    /// Kills the process.
    pub(super) fn kill(&self) {
        if let Err(error) = kill_process(self.pid, Signal::KILL) {
            tracing::warn!("cannot kill process {}: {error}", self.pid.as_raw_nonzero());
        }
    }
}
