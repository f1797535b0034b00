//! The worker's side of the connection to its supervisor: commands, requests and heartbeats.
//!
//! A heartbeat proves progress only if the runtime has polled its tasks and the sampler has taken a sample. A process whose threads
//! are busy but poll tasks is alive; one in which nothing progresses is hung, even if the kernel shows it as running.

mod ipc_reader;

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use heapbeat_shared::Bytes;
use listenfd::ListenFd;
use rustix::fs::FileType;
use tokio::sync::mpsc::{Receiver, channel};

use super::ipc::{LineReader, WorkerMessage};
use super::machine::StopSignal;
use super::process::WORKER;
use crate::flight_recorder::PreviousRuns;
use crate::overload::ladder::ReplacementStatus;
use ipc_reader::IpcReader;

/// The worker that this process is.
#[derive(Debug)]
pub struct Worker {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) stop_requests: Receiver<StopRequest>,
    pub(crate) link: Arc<SupervisorLink>,
}

/// Counts polls of the runtime, ten in each hang timeout.
pub(crate) async fn count_runtime_polls(link: Arc<SupervisorLink>, hang: Duration) {
    loop {
        link.record_runtime_poll();
        tokio::time::sleep(hang / 10).await;
    }
}

/// A request to stop serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopRequest {
    /// Stop; it is the `n`th request.
    Stop(StopSignal, u32),
    /// Finish requests in flight within this time; a replacement has taken over.
    HandOver(Duration),
    /// The supervisor is gone.
    Orphaned,
}

/// The connection to the supervisor, as the other parts of the worker use it.
#[derive(Debug)]
pub(crate) struct SupervisorLink {
    socket: UnixStream,
    /// The index of the [`ReplacementStatus`] in [`STATUSES`].
    replacement_status: AtomicU8,
    runtime_polls: AtomicU64,
    samples: AtomicU64,
    resident: AtomicU64,
    previous: Arc<PreviousRuns>,
}

const STATUSES: [ReplacementStatus; 3] =
    [ReplacementStatus::RateLimited, ReplacementStatus::InProgress, ReplacementStatus::Available];

/// Times of the worker's connection to its supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkerTiming {
    /// Time without progress after which the worker counts as hung.
    pub(crate) hang: Duration,
    /// Maximum time between two samples.
    pub(crate) sample_interval: Duration,
    /// Time for requests in flight.
    pub(crate) drain: Duration,
}

impl Worker {
    /// Returns the worker that this process is, if a supervisor started it as one.
    pub(crate) fn adopt(timing: WorkerTiming) -> io::Result<Option<Self>> {
        if !is_worker()? {
            return Ok(None);
        }
        // Child processes of the application must neither hold the socket nor read from it.
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // A pipe that nobody writes to reads as /dev/null does, which the root of a container may not have.
        rustix::stdio::dup2_stdin(io::pipe()?.0)?;
        socket.set_nonblocking(true)?;
        let mut sockets = ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..sockets.len() {
            listeners.extend(sockets.take_tcp_listener(index)?);
        }
        be_killed_first();
        let (stop_sender, stop_requests) = channel(8);
        let link = Arc::new(SupervisorLink {
            socket: socket.try_clone()?,
            replacement_status: AtomicU8::new(0),
            runtime_polls: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            resident: AtomicU64::new(0),
            previous: Arc::default(),
        });
        let reader =
            IpcReader { socket, link: Arc::clone(&link), timing, stop_sender, lines: LineReader::default() };
        std::thread::Builder::new().name("heapbeat-ipc".to_owned()).spawn(move || reader.run())?;
        Ok(Some(Worker { listeners, stop_requests, link }))
    }
}

impl SupervisorLink {
    /// Returns whether a replacement could take over.
    pub(crate) fn replacement(&self) -> ReplacementStatus {
        STATUSES[usize::from(self.replacement_status.load(Ordering::Relaxed)) % STATUSES.len()]
    }

    /// Requests a replacement worker. Until the supervisor answers, its start counts as in progress.
    pub(crate) fn request_replacement(&self, why: &str) {
        self.replacement_status.store(1, Ordering::Relaxed);
        self.send(&WorkerMessage::RecycleRequested { memory: self.resident(), reason: why.to_owned() });
    }

    /// Counts a poll of the runtime.
    pub(crate) fn record_runtime_poll(&self) {
        self.runtime_polls.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a sample, and stores the resident memory for the next heartbeat.
    pub(crate) fn record_sample(&self, resident: Bytes) {
        self.resident.store(resident.0, Ordering::Relaxed);
        self.samples.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports that the worker is ready to serve.
    pub(crate) fn report_ready(&self) {
        self.send(&WorkerMessage::Ready { memory: self.resident() });
    }

    /// Reports that the application has finished and must not be started again.
    pub(crate) fn report_done(&self) {
        self.send(&WorkerMessage::ApplicationDone);
    }

    /// Returns the previous instances.
    pub(crate) fn previous_runs(&self) -> &Arc<PreviousRuns> {
        &self.previous
    }

    fn resident(&self) -> Bytes {
        Bytes(self.resident.load(Ordering::Relaxed))
    }

    /// Sends a message. Errors are ignored: the reader's thread notices if the supervisor is gone.
    fn send(&self, message: &WorkerMessage) {
        let _ = (&self.socket).write_all(message.to_line().as_bytes());
    }
}

/// Whether this process was started as a worker, and not by a worker's application: only a worker has the supervisor's socket as
/// standard input. An error means that the supervisor has exited already.
fn is_worker() -> io::Result<bool> {
    let Ok(value) = std::env::var(WORKER) else { return Ok(false) };
    if FileType::from_raw_mode(rustix::fs::fstat(io::stdin())?.st_mode) != FileType::Socket {
        return Ok(false);
    }
    let supervisor = value.split_once(' ').and_then(|(_, pid)| pid.parse::<u32>().ok());
    if supervisor.is_some_and(|pid| pid == std::os::unix::process::parent_id()) {
        return Ok(true);
    }
    Err(io::Error::other("it has exited already"))
}

/// Makes the kernel prefer this process to its supervisor in an OOM kill: a worker is restarted at once, a supervisor is not.
pub(super) fn be_killed_first() {
    const PATH: &str = "/proc/self/oom_score_adj";
    let now =
        std::fs::read_to_string(PATH).ok().and_then(|text| text.trim().parse::<i32>().ok()).unwrap_or(0);
    if let Err(error) = std::fs::write(PATH, (now + 300).min(1000).to_string()) {
        tracing::debug!("cannot set the OOM score: {error}");
    }
}

#[cfg(test)]
mod tests;
