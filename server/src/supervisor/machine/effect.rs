//! What the machine decides.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::{ProcessExit, StopReason};
use serde::{Deserialize, Serialize};

use super::{StopSignal, WorkerNumber};
use crate::overload::ladder::ReplacementStatus;

/// An effect to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker.
    Start(WorkerNumber),
    /// Send a command to a worker.
    Send(WorkerNumber, Command),
    /// Kill a worker.
    Kill(WorkerNumber),
    /// Pass new requests on to a worker.
    Activate(WorkerNumber),
    /// Pass no new requests on to a worker, and await those in flight.
    Drain(WorkerNumber),
    /// Pass no new requests on to a worker for now.
    Hold(WorkerNumber),
    /// Refuse this share of new requests, in thousandths.
    Shed(u16),
    /// End the requests that are in flight to a worker.
    AbortRequests(WorkerNumber),
    /// Accept no more connections in the front, and await the open ones.
    CloseFront,
    /// Determine how a worker ended, given its exit status and why it was stopped, if it was.
    Investigate(WorkerNumber, ProcessExit, Option<StopReason>),
    /// Respond with 503 in place of the workers; `None`: leave the sockets to them.
    RespondUnavailable(Option<Outage>),
    /// Log a notice.
    Log(Notice),
    /// Exit the supervisor with this code.
    Exit(u8),
}

/// A command to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Stop gracefully; it is the `n`th request.
    Stop(StopSignal, u32),
    /// A replacement has taken over: accept no connections, finish requests in flight within this time.
    HandOver(Duration),
    /// Whether a replacement could take over.
    Replacement(ReplacementStatus),
    /// Record the state of all threads, before the worker is killed.
    Report,
}

/// Why no worker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Number of consecutive workers that did not get ready; 0 if the last one did.
    pub failures: u32,
    /// When the next attempt is made.
    pub retry_at: Duration,
}

/// A notice for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The next attempt is made after this time.
    Waiting(Duration),
    /// So many consecutive workers did not get ready.
    CrashLoop(u32),
    /// This budget of restarts per minute is spent.
    RestartBudgetSpent(u32),
    /// A worker is ready, after this time.
    Started(WorkerNumber, Duration),
    /// A replacement is being started.
    Replacing(String),
    /// Two workers cannot run at a time: the old one drains before the new one starts.
    DrainingFirst(String, OneAtATime),
    /// The replacement has taken over.
    Replaced(WorkerNumber),
    /// This replacement did not get ready; the old worker keeps serving.
    ReplacementFailed(WorkerNumber),
    /// A worker sent no heartbeat for this time.
    Hung(WorkerNumber, Duration),
    /// A worker has sent nothing for this time although requests wait for it, and does not answer.
    Unresponsive(WorkerNumber, Duration),
    /// A worker did not get ready within this time.
    StartTimedOut(WorkerNumber, Duration),
    /// A worker is killed because it did not finish its requests within this time.
    DrainTimedOut(WorkerNumber, Duration),
    /// A draining worker is stopped early: the memory of all workers is close to the enforced limit.
    DrainCutShort(WorkerNumber, Bytes, Bytes),
    /// A process cannot be started.
    StartFailed(String),
    /// A recycle was requested while the worker is starting.
    CannotReplace,
    /// A recycle was requested, but the memory limit has no headroom for two workers.
    TooLittleHeadroom,
    /// A recycle was requested, but the next worker would need as much memory.
    ReplacementUseless {
        /// The worker.
        number: WorkerNumber,
        /// Its memory.
        memory: Bytes,
        /// The memory limit.
        limit: Bytes,
        /// A limit with which the memory would be fine.
        proposed: Bytes,
    },
}

/// Why two workers cannot run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneAtATime {
    /// The memory limit has too little headroom for both.
    Memory,
    /// Both would listen on the same port.
    Port,
    /// As `Memory`; requests wait in the front until the next one is ready.
    MemoryHeld,
    /// Two must never run; requests wait in the front until the next one is ready.
    Held,
}
