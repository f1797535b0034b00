//! What the machine knows of a worker.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::StopReason;

use super::WorkerNumber;
use super::request_drain::RequestDrain;
use super::usefulness::HeldBack;

/// A worker that was started and has not exited.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: WorkerNumber,
    pub(super) since: Duration,
    pub(super) ready_at: Option<Duration>,
    /// Time of the last heartbeat that proves progress: a poll of its runtime, or any message before it is ready; at first, its start.
    pub(super) last_heartbeat_at: Duration,
    /// Whether it has sent a heartbeat.
    pub(super) sent_heartbeat: bool,
    pub(super) runtime_polls: u64,
    pub(super) memory: Bytes,
    pub(super) growth: Growth,
    /// Its largest memory until it was ready.
    pub(super) start_size: Bytes,
    /// Its lowest memory since it was ready.
    pub(super) lowest: Option<Bytes>,
    /// Whether the forecast says that its memory leaks.
    pub(super) is_leaking: bool,
    /// Set when its replacement was refused as it would not help.
    pub(super) held_back: Option<HeldBack>,
    /// The worker that it replaces, and runs beside until it is ready.
    pub(super) replaces: Option<WorkerNumber>,
    pub(super) succession: Succession,
    /// When its drain started.
    pub(super) drain_started: Duration,
    /// The wait for its requests in flight.
    pub(super) request_drain: Option<RequestDrain>,
    /// Since when it gets no new requests because memory is short, while it is being replaced.
    pub(super) held_since: Option<Duration>,
    /// When the requests are ended that are still in flight after it was requested to stop.
    pub(super) abort_requests_at: Option<Duration>,
    pub(super) role: Role,
    pub(super) termination: Option<Termination>,
    pub(super) stop_reason: Option<StopReason>,
    pub(super) application_done: bool,
}

/// A replacement in which two workers do not run at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Succession {
    /// None.
    #[default]
    None,
    /// The worker follows one that was drained, and is not ready yet.
    FollowsDrained,
    /// The worker is drained before its successor starts.
    DrainsFirst,
}

/// Growth of a worker's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) per_second: Bytes,
    /// When it was last compared, and the memory then.
    pub(super) compared_at: Duration,
    pub(super) memory: Bytes,
}

impl Growth {
    /// Returns the growth within a time, at this rate.
    pub(super) fn within(self, time: Duration) -> Bytes {
        let grown = u128::from(self.per_second.0) * time.as_millis() / 1000;
        Bytes(u64::try_from(grown).unwrap_or(u64::MAX))
    }
}

/// The role of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It serves, or gets ready to serve.
    Serving,
    /// It gets ready to take over.
    Replacement,
    /// It drains until this time.
    Draining(Duration),
}

/// The termination of a worker that hung or was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Termination {
    /// It hung, and may record its state until this time.
    Report(Duration),
    /// It has been killed.
    Killed,
}

impl Worker {
    /// Creates a worker that is being started.
    pub(super) fn starting(number: WorkerNumber, role: Role, now: Duration) -> Self {
        Worker {
            number,
            since: now,
            ready_at: None,
            last_heartbeat_at: now,
            sent_heartbeat: false,
            runtime_polls: 0,
            memory: Bytes::ZERO,
            growth: Growth { per_second: Bytes::ZERO, compared_at: now, memory: Bytes::ZERO },
            start_size: Bytes::ZERO,
            lowest: None,
            is_leaking: false,
            held_back: None,
            replaces: None,
            succession: Succession::default(),
            drain_started: now,
            request_drain: None,
            held_since: None,
            abort_requests_at: None,
            role,
            termination: None,
            stop_reason: None,
            application_done: false,
        }
    }
}
