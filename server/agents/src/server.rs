//! The guard's side of the agents' socket: non-blocking, without a runtime, polled by the guard's own loop.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::connection::{Connection, ReadOutcome};
use crate::protocol::{
    AgentMessage, GuardMessage, HeapSample, Hello, HolderReport, ProfileAnswer, PurgeAnswer, TypeCount,
};

/// Maximum number of connections. Further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;

/// Maximum number of connections of one process. An agent has one, and two for a moment when it connects anew.
const MAX_PER_PROCESS: usize = 4;

/// Maximum number of connections that are accepted, and of bytes that are read and parsed, in one call, so that the guard's loop goes on.
/// The rest waits for the next call.
const MAX_ACCEPTED: usize = 32;
const MAX_BYTES: usize = 256 << 10;

/// The part of these bytes that one connection may use, so that one agent does not hold up the others.
const MAX_BYTES_OF_ONE: usize = 128 << 10;

/// Time for which a process that broke the protocol cannot connect again.
const BAN: Duration = Duration::from_secs(10);

/// Shortest time between two log lines about connections that were closed.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// Pause after the kernel could not accept a connection for lack of descriptors or memory.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// The name of the socket in its directory.
const SOCKET_NAME: &str = "agent.sock";

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The directory could not be created, or is not private.
    #[error("cannot create the private directory {directory} for the agents' socket: {error}")]
    Directory {
        /// Path of the directory.
        directory: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The socket could not be created.
    #[error("cannot listen on the agents' socket {path}: {error}")]
    Socket {
        /// Path of the socket.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

/// Something that happened at one agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentEvent {
    /// Process id of the agent, from the socket's credentials.
    pub pid: u32,
    /// What happened.
    pub kind: AgentEventKind,
}

/// What happened at an agent.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEventKind {
    /// It connected, and said what it is.
    Connected(Hello),
    /// It sent heap figures.
    Sample(HeapSample),
    /// It reported the functions that hold the memory.
    Holders(HolderReport),
    /// It reported the types with the most objects.
    Types(Vec<TypeCount>),
    /// It answered a purge.
    Purged(PurgeAnswer),
    /// It answered a request for a profile.
    Profile(ProfileAnswer),
    /// Its process is about to end because of an exception of this class.
    UncaughtException(String),
    /// Its connection is closed: the process ended or replaced its program, or the agent broke the protocol.
    Disconnected,
}

/// The agents' socket and its connections.
#[derive(Debug)]
pub struct AgentServer {
    listener: UnixListener,
    path: PathBuf,
    connections: Vec<Connection>,
    per_process: usize,
    /// Processes that broke the protocol, and until when they cannot connect; at most [`MAX_CONNECTIONS`].
    banned: BTreeMap<u32, Instant>,
    paused_until: Option<Instant>,
    last_warning: Option<Instant>,
    suppressed: u64,
}

impl AgentServer {
    /// Listens on a socket in a directory, which is created with mode 0700 and belongs to the server: it is removed with the server.
    pub fn bind(directory: &Path) -> Result<Self, BindError> {
        let failed = |error| BindError::Directory { directory: directory.to_owned(), error };
        DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
        let path = directory.join(SOCKET_NAME);
        let listener = UnixListener::bind(&path)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| {
                let _ = fs::remove_dir(directory);
                BindError::Socket { path: path.clone(), error }
            })?;
        Ok(AgentServer {
            listener,
            path,
            connections: Vec::new(),
            per_process: MAX_PER_PROCESS,
            banned: BTreeMap::new(),
            paused_until: None,
            last_warning: None,
            suppressed: 0,
        })
    }

    /// Path of the socket, for `HEAPBEAT_AGENT_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the sockets to poll for reading.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listener = self.has_room().then(|| self.listener.as_fd());
        listener.into_iter().chain(self.connections.iter().map(Connection::as_fd))
    }

    /// Returns when [`serve`](Self::serve) has to be called even if no socket is ready.
    pub fn deadline(&self) -> Option<Instant> {
        self.connections.iter().filter_map(Connection::deadline).chain(self.paused_until).min()
    }

    fn has_room(&self) -> bool {
        self.connections.len() < MAX_CONNECTIONS && self.paused_until.is_none()
    }

    /// Accepts connections and reads what has arrived, without blocking and within bounds; for what is left, the sockets are ready again. A
    /// connection that breaks the protocol is closed.
    pub fn serve(&mut self, now: Instant) -> Vec<AgentEvent> {
        self.paused_until = self.paused_until.filter(|until| now < *until);
        self.banned.retain(|_, until| now < *until);
        self.accept(now);
        let mut events = Vec::new();
        let mut problems = Vec::new();
        let mut left = MAX_BYTES;
        // The first one that gets nothing is the first one of the next call.
        let mut unread = None;
        let mut position = 0;
        let banned = &mut self.banned;
        self.connections.retain_mut(|connection| {
            let mut messages = Vec::new();
            let mut budget = left.min(MAX_BYTES_OF_ONE);
            left -= budget;
            if budget == 0 && unread.is_none() {
                unread = Some(position);
            }
            let outcome = connection.read(now, &mut budget, &mut messages);
            left += budget;
            let pid = connection.pid;
            events.extend(messages.into_iter().map(|message| AgentEvent { pid, kind: message.into() }));
            if let ReadOutcome::Failed(error) = &outcome {
                problems.push(format!("closed the connection of the agent in process {pid}: {error}"));
                if banned.len() < MAX_CONNECTIONS {
                    banned.insert(pid, now + BAN);
                }
            }
            let is_open = matches!(outcome, ReadOutcome::Open);
            position += usize::from(is_open);
            if !is_open && connection.hello.is_some() {
                events.push(AgentEvent { pid, kind: AgentEventKind::Disconnected });
            }
            is_open
        });
        if let Some(unread) = unread.filter(|unread| *unread < self.connections.len()) {
            self.connections.rotate_left(unread);
        }
        for problem in problems {
            self.warn(&problem, now);
        }
        events
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..MAX_ACCEPTED {
            if !self.has_room() {
                break;
            }
            match self.listener.accept() {
                Ok((stream, _)) => match peer_pid(&stream).and_then(|pid| self.admit(pid)) {
                    Ok(pid) => self.connections.push(Connection::new(stream, pid, now)),
                    Err(reason) => self.warn(&format!("refused an agent's connection: {reason}"), now),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.paused_until = Some(now + ERROR_PAUSE);
                    self.warn(&format!("cannot accept connections of agents: {error}"), now);
                }
            }
        }
    }

    /// Returns the process if it may have another connection.
    fn admit(&self, pid: u32) -> Result<u32, String> {
        if self.banned.contains_key(&pid) {
            return Err(format!("process {pid} has broken the protocol a moment ago"));
        }
        if self.connections.iter().filter(|it| it.pid == pid).count() >= self.per_process {
            return Err(format!("process {pid} has {} already", self.per_process));
        }
        Ok(pid)
    }

    /// Logs a problem, but not each one of many.
    fn warn(&mut self, problem: &str, now: Instant) {
        if self.last_warning.is_some_and(|last| now.saturating_duration_since(last) < LOG_PAUSE) {
            self.suppressed += 1;
            return;
        }
        match std::mem::take(&mut self.suppressed) {
            0 => tracing::warn!("{problem}"),
            more => tracing::warn!("{problem}; {more} more such lines were left out"),
        }
        self.last_warning = Some(now);
    }

    /// Requests a collection; the answer is an [`AgentEventKind::Purged`]. Returns whether there is an agent in that process.
    pub fn request_purge(&mut self, pid: u32) -> bool {
        self.request(pid, GuardMessage::Purge {})
    }

    /// Requests the functions that hold the memory. Python records allocations for `seconds` first; Node answers at once.
    pub fn request_holders(&mut self, pid: u32, seconds: u32) -> bool {
        self.request(pid, GuardMessage::Holders { seconds })
    }

    /// Requests a profile of what is allocated within `seconds` and held at their end; 0: of all that is held now.
    pub fn request_profile(&mut self, pid: u32, seconds: u32) -> bool {
        self.request(pid, GuardMessage::Profile { seconds })
    }

    fn request(&mut self, pid: u32, message: GuardMessage) -> bool {
        let connection = self.connections.iter_mut().rfind(|it| it.pid == pid && it.hello.is_some());
        connection.is_some_and(|connection| connection.send(message).is_ok())
    }
}

impl Drop for AgentServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        if let Some(directory) = self.path.parent() {
            let _ = fs::remove_dir(directory);
        }
    }
}

impl From<AgentMessage> for AgentEventKind {
    fn from(message: AgentMessage) -> Self {
        match message {
            AgentMessage::Hello(hello) => AgentEventKind::Connected(hello),
            AgentMessage::Sample(sample) => AgentEventKind::Sample(sample),
            AgentMessage::Holders(report) => AgentEventKind::Holders(report),
            AgentMessage::Types(types) => AgentEventKind::Types(types),
            AgentMessage::Purge(answer) => AgentEventKind::Purged(answer),
            AgentMessage::Profile(answer) => AgentEventKind::Profile(answer),
            AgentMessage::Exception(exception) => AgentEventKind::UncaughtException(exception.name),
        }
    }
}

/// Returns the process id of a connection's other end if it belongs to the same user or to root.
fn peer_pid(stream: &UnixStream) -> Result<u32, String> {
    stream.set_nonblocking(true).map_err(|error| error.to_string())?;
    let peer = rustix::net::sockopt::socket_peercred(stream).map_err(|error| error.to_string())?;
    let own = rustix::process::geteuid();
    if peer.uid != own && !peer.uid.is_root() {
        return Err(format!(
            "process {} belongs to user {}, the guard to {}",
            peer.pid.as_raw_nonzero(),
            peer.uid.as_raw(),
            own.as_raw()
        ));
    }
    Ok(peer.pid.as_raw_nonzero().get().unsigned_abs())
}

#[cfg(test)]
mod tests;
