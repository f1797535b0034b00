//! What happens to the machine.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::ProcessExit;
use serde::{Deserialize, Serialize};

use super::WorkerNumber;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineEvent {
    /// Time has passed. The first tick starts the first worker.
    Tick,
    /// A worker is ready to serve.
    Ready(WorkerNumber),
    /// A worker is alive: the number of polls of its runtime, and its memory.
    Heartbeat(WorkerNumber, u64, Bytes),
    /// Whether the forecast says that the memory of a worker leaks.
    Leaking(WorkerNumber, bool),
    /// A worker's ladder requests a replacement: the worker's memory, and the reason.
    RecycleRequested(WorkerNumber, Bytes, String),
    /// The ladder wants this share of new requests refused, in thousandths, because of the memory of a worker.
    MemoryShort(WorkerNumber, u16),
    /// A worker has sent nothing for this time although requests wait for it, and does not answer.
    Unresponsive(WorkerNumber, Duration),
    /// The front has failed.
    FrontFailed,
    /// All connections to the front have ended, after it was told to close.
    FrontClosed,
    /// A worker exits because its application has finished; it must not be restarted.
    ApplicationDone(WorkerNumber),
    /// A process could not be started.
    StartFailed(WorkerNumber, String),
    /// No requests are in flight any more to a worker for which that was awaited.
    Drained(WorkerNumber),
    /// A worker has exited.
    Exited(WorkerNumber, ProcessExit),
    /// A replacement is requested by SIGUSR2.
    ReplaceRequested,
    /// A stop is requested.
    StopRequested(StopSignal),
}

/// The signal that requests a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// SIGTERM, from the platform.
    Terminate,
    /// SIGINT, from a terminal.
    Interrupt,
}

impl StopSignal {
    /// Returns the signal's name.
    pub const fn name(self) -> &'static str {
        match self {
            StopSignal::Terminate => "SIGTERM",
            StopSignal::Interrupt => "SIGINT",
        }
    }
}
