//! Why an incident is, from the kind of failure, the ladder and how an instance ended.
//!
//! Causes are ordered by how much they explain: that memory ran full explains why connections are refused, and a kill
//! by the kernel explains both. An incident keeps the one that explains most.

use heapbeat_shared::event::EventKind;
use heapbeat_shared::exit::ExitKind;
use minicbor::{Decode, Encode};

use crate::domain::Failure;
use crate::domain::instant;
use crate::domain::report::last_report::LastReport;

/// Why; a later one explains more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Cause {
    /// Nobody knows.
    #[n(0)]
    Unknown,
    /// A probe failed like this; why it does is not known.
    #[n(1)]
    Failing(#[n(0)] Failure),
    /// Memory grows towards its limit.
    #[n(2)]
    Leak,
    /// Memory is close to its limit.
    #[n(3)]
    Memory,
    /// The instance ended like this.
    #[n(4)]
    Ended(#[n(0)] ExitKind),
    /// Memory ran full, and the instance was killed for it or ended in want of it.
    #[n(5)]
    OutOfMemory,
}

impl Cause {
    /// The one of the two that explains more; of two of a kind the first.
    #[must_use]
    pub fn or_worse(self, other: Cause) -> Cause {
        if other.explains() > self.explains() { other } else { self }
    }

    const fn explains(self) -> u8 {
        match self {
            Cause::Unknown => 0,
            Cause::Failing(_) => 1,
            Cause::Leak | Cause::Ended(ExitKind::Unknown) => 2,
            Cause::Memory => 3,
            Cause::Ended(_) => 4,
            Cause::OutOfMemory => 5,
        }
    }

    /// The cause that an ending is; `pressed`: memory was known to be short before.
    pub fn of_ending(kind: ExitKind, pressed: bool) -> Cause {
        match kind {
            ExitKind::OomKill => Cause::OutOfMemory,
            ExitKind::Unknown | ExitKind::Crash if pressed => Cause::OutOfMemory,
            kind => Cause::Ended(kind),
        }
    }

    /// Whether it is about memory.
    pub const fn is_memory(self) -> bool {
        matches!(self, Cause::Leak | Cause::Memory | Cause::OutOfMemory)
    }

    /// Whether all that is known is how probes failed.
    pub const fn is_outside(self) -> bool {
        matches!(self, Cause::Unknown | Cause::Failing(_))
    }

    /// In words, as the end of a sentence that begins with "because" or stands alone.
    pub fn sentence(self) -> String {
        match self {
            Cause::Unknown => "it is not known why".to_owned(),
            Cause::Failing(failure) => failure.sentence(),
            Cause::Ended(kind) => format!("the instance {}", kind.phrase()),
            Cause::Leak => "memory grows towards its limit".to_owned(),
            Cause::Memory => "memory is close to its limit".to_owned(),
            Cause::OutOfMemory => "it ran out of memory".to_owned(),
        }
    }
}

/// An event as a line of a timeline.
pub fn sentence_of(event: &EventKind) -> String {
    match event {
        EventKind::Started => "an instance started".to_owned(),
        EventKind::Pressure { from, to, memory } => {
            format!("pressure went from {} to {} at {memory}", from.as_str(), to.as_str())
        }
        EventKind::Purge { before, after, took_ms } => {
            format!("a purge took memory from {before} to {after} in {took_ms} ms")
        }
        EventKind::Recycle { reason } => format!("the guard asked for a fresh worker: {reason}"),
        EventKind::Leave => "the guard gave the instance up".to_owned(),
        EventKind::Shed { refused, lasted_ms } => {
            format!("{refused} requests were refused within {} s", lasted_ms / 1000)
        }
        EventKind::Panic { message } => format!("a request panicked: {message}"),
        EventKind::Limit { before, after } => format!("the memory limit changed from {before} to {after}"),
        EventKind::Other => "something happened that only a newer version of heapbeat knows".to_owned(),
        EventKind::Stop { by } => format!("it was asked to stop by {by}"),
    }
}

/// When the limit will be reached: `reaches 512.0 MB at 14:32, between 14:20 and 14:51 (UTC)`.
pub fn forecast_sentence(told: &LastReport) -> Option<String> {
    let time = told.forecast.time_to_limit?;
    let clock = |wait| instant::clock_by(told.at.plus(wait), told.at);
    let slope = told.forecast.slope.map_or(String::new(), |slope| format!(" at {}", slope.expected));
    Some(format!(
        "memory grows{slope} and reaches {} at {}, between {} and {} (UTC)",
        told.forecast.limit,
        clock(time.expected),
        clock(time.earliest),
        clock(time.latest)
    ))
}
