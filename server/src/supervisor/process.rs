//! The worker's process: the same program with the same arguments, the listening sockets, and a line to its supervisor.
//!
//! Sockets go over as `LISTEN_FDS` does it (`sd_listen_fds(3)`); the line is standard input, which a server has no other
//! use for and whose end tells the worker that its supervisor is gone.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command as ProcessBuilder, Stdio};
use std::time::Instant;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, getpgrp, kill_process, kill_process_group};
use rustix::termios::tcgetpgrp;

use super::ipc::{LineReader, SupervisorMessage, WorkerMessage};
use super::machine::{Command, StopSignal, WorkerNumber};
use crate::flight_recorder::FlightRecorder;

/// Says to a program that it is a worker: its number and the process id of its supervisor.
pub(super) const WORKER: &str = "_HEAPBEAT_WORKER";

/// The subcommand that becomes another program.
pub const START: &str = "__start";

/// Who guards a program: the process id of this one, for as long as the program is not started yet.
pub(super) const GUARD: &str = "_HEAPBEAT_GUARD";

/// Where the worker's flight recorder is.
pub(crate) const FLIGHT: &str = "_HEAPBEAT_FLIGHT";

/// The first descriptor of `LISTEN_FDS`.
const FIRST_SOCKET: i32 = 3;

/// What a worker runs.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    /// Another program that knows nothing of this one: it has no line, and is told things by signals.
    external: bool,
    /// Whether the program may read from a terminal, and so has to stay in the group that the terminal knows.
    terminal: bool,
    variables: Vec<(&'static str, String)>,
}

/// A worker's process.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    pub(super) number: WorkerNumber,
    pub(super) pid: Pid,
    pub(super) flight: Option<PathBuf>,
    pub(super) since: Instant,
    /// Where the supervisor records for a program that does not do so itself.
    pub(super) recorder: Option<FlightRecorder>,
    /// Whether the terminal tells it what it tells this process.
    shares_terminal: bool,
    line: Option<UnixStream>,
    lines: LineReader,
}

impl Program {
    /// This program again. Its path rather than `/proc/self/exe`, so that a binary that was replaced is the one that
    /// the next worker runs.
    pub(super) fn this() -> io::Result<Self> {
        let arguments = std::env::args_os().skip(1).collect();
        Ok(Program {
            path: std::env::current_exe()?,
            arguments,
            external: false,
            terminal: false,
            variables: Vec::new(),
        })
    }

    /// Another program, by way of this one's [`START`], with some more variables.
    pub(super) fn external(command: &[OsString], variables: Vec<(&'static str, String)>) -> io::Result<Self> {
        let arguments = [START.into(), "--".into()].into_iter().chain(command.iter().cloned()).collect();
        Ok(Program {
            path: std::env::current_exe()?,
            arguments,
            external: true,
            terminal: io::stdin().is_terminal(),
            variables,
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
        if self.external {
            // A group of its own: what it has started can be ended with it. At a terminal only the group in front may read
            // and is told of Ctrl-C and Ctrl-Z; there the two are one job, as if the program had been started by itself.
            if !self.terminal {
                process.process_group(0);
            }
            process.envs(self.variables.iter().map(|(name, value)| (name, value)));
            process.env(GUARD, std::process::id().to_string());
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
        // Not waited for by its handle: whoever is PID 1 waits for everybody.
        let pid = process.spawn()?.id();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let flight = flight.map(Path::to_owned);
        Ok(WorkerProcess {
            number,
            pid,
            flight,
            since: Instant::now(),
            recorder: None,
            shares_terminal: self.terminal,
            line,
            lines: LineReader::default(),
        })
    }
}

/// Whether this process's group is the one that its terminal talks to.
fn is_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|front| front == getpgrp())
}

impl WorkerProcess {
    /// Says something to it. A worker that does not listen any more is not waited for.
    pub(super) fn send(&mut self, command: &SupervisorMessage, external: bool) {
        if external {
            return self.send_as_signal(command);
        }
        let Some(line) = &mut self.line else { return };
        if let Err(error) = line.write_all(command.to_line().as_bytes()) {
            tracing::debug!("worker {} does not listen: {error}", self.number);
        }
    }

    /// Says it to a program that knows signals only: what it does not know is left unsaid.
    fn send_as_signal(&self, command: &SupervisorMessage) {
        let signal = match command {
            // Ctrl-C has reached it already, and twice would mean something else to it.
            SupervisorMessage::Command(Command::Stop(StopSignal::Interrupt, 1))
                if self.shares_terminal && is_foreground() =>
            {
                return;
            }
            SupervisorMessage::Command(Command::Stop(StopSignal::Interrupt, 1)) => Signal::INT,
            SupervisorMessage::Command(Command::Stop(StopSignal::Terminate, 1) | Command::HandOver(_)) => {
                Signal::TERM
            }
            SupervisorMessage::Command(Command::Stop(_, _)) => Signal::KILL,
            SupervisorMessage::Command(Command::Replacement(_) | Command::Report)
            | SupervisorMessage::PreviousExit(_)
            | SupervisorMessage::Samples(_) => return,
        };
        if let Err(error) = kill_process(self.pid, signal) {
            tracing::debug!("process {} cannot be signalled: {error}", self.pid.as_raw_nonzero());
        }
    }

    /// What it has said since the last time.
    pub(super) fn read_messages(&mut self) -> Vec<WorkerMessage> {
        let mut messages = Vec::new();
        let collect = |line: &str| messages.extend(WorkerMessage::parse(line));
        if self.line.as_mut().is_some_and(|line| !self.lines.read(line, collect)) {
            self.line = None;
        }
        messages
    }

    /// What to wait for, while there is anything to come.
    pub(super) fn socket(&self) -> Option<&UnixStream> {
        self.line.as_ref()
    }

    /// Ends what a program has left behind that is no more: a child that nobody knows of would go on eating memory
    /// beside the one that took over.
    pub(super) fn kill_group(&self) {
        match kill_process_group(self.pid, Signal::KILL) {
            Ok(()) => tracing::info!("killed processes that program {} left running", self.number),
            // The usual case: there is nobody left in its group.
            Err(error) => tracing::debug!("nothing is left of program {}: {error}", self.number),
        }
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        if let Err(error) = kill_process(self.pid, Signal::KILL) {
            tracing::warn!("cannot kill worker {}: {error}", self.number);
        }
    }
}
