//! The worker's process: the same program with the same arguments, the listening sockets, and a line to its supervisor.
//!
//! Sockets go over as `LISTEN_FDS` does it (`sd_listen_fds(3)`); the line is standard input, which a server has no other
//! use for and whose end tells the worker that its supervisor is gone.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};

use super::machine::Number;
use super::wire::{Command, Lines, Word};

/// Says to a program that it is a worker: its number and the process id of its supervisor.
pub(super) const WORKER: &str = "_HEAPBEAT_WORKER";

/// Where the worker's flight recorder is.
pub(crate) const FLIGHT: &str = "_HEAPBEAT_FLIGHT";

/// The first descriptor of `LISTEN_FDS`.
const FIRST_SOCKET: i32 = 3;

/// What a worker runs.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

/// A worker's process.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) number: Number,
    pub(super) pid: Pid,
    pub(super) flight: Option<PathBuf>,
    line: UnixStream,
    lines: Lines,
    there: bool,
}

impl Program {
    /// This program again. Its path rather than `/proc/self/exe`, so that a binary that was replaced is the one that
    /// the next worker runs.
    pub(super) fn this() -> io::Result<Self> {
        Ok(Program { path: std::env::current_exe()?, arguments: std::env::args_os().skip(1).collect() })
    }

    /// Starts a worker.
    pub(super) fn start(
        &self,
        number: Number,
        listeners: &[TcpListener],
        flight: Option<&Path>,
    ) -> io::Result<Live> {
        let (line, theirs) = UnixStream::pair()?;
        line.set_nonblocking(true)?;
        let sockets = listeners.iter().zip(FIRST_SOCKET..).map(|(listener, child_fd)| {
            Ok(FdMapping { parent_fd: listener.as_fd().try_clone_to_owned()?, child_fd })
        });
        let mut process = Process::new(&self.path);
        process
            .args(&self.arguments)
            .env(WORKER, format!("{number} {}", std::process::id()))
            .env("LISTEN_FDS", listeners.len().to_string())
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .fd_mappings(sockets.collect::<io::Result<_>>()?)
            .map_err(io::Error::other)?;
        match flight {
            Some(path) => process.env(FLIGHT, path),
            None => process.env_remove(FLIGHT),
        };
        // Not waited for by its handle: whoever is PID 1 waits for everybody.
        let pid = process.spawn()?.id();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let flight = flight.map(Path::to_owned);
        Ok(Live { number, pid, flight, line, lines: Lines::default(), there: true })
    }
}

impl Live {
    /// Says something to it. A worker that does not listen any more is not waited for.
    pub(super) fn tell(&mut self, command: &Command) {
        if let Err(error) = self.line.write_all(command.to_line().as_bytes()) {
            tracing::debug!("worker {} does not listen: {error}", self.number);
        }
    }

    /// What it has said since the last time.
    pub(super) fn hear(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        if self.there {
            let mut hear = |line: &str| words.extend(Word::parse(line));
            self.there = self.lines.read(&mut self.line, &mut hear);
        }
        words
    }

    /// What to wait for, while there is anything to come.
    pub(super) fn socket(&self) -> Option<&UnixStream> {
        self.there.then_some(&self.line)
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        if let Err(error) = kill_process(self.pid, Signal::KILL) {
            tracing::warn!("cannot kill worker {}: {error}", self.number);
        }
    }
}
