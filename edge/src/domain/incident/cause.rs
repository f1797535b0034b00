//! Why an incident is, from the kind of failure, the ladder and how an instance ended.
//!
//! Causes are ordered by how much they explain: that memory ran full explains why connections are refused, and a kill
//! by the kernel explains both. An incident keeps the one that explains most.

use heapbeat_shared::Statement;
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

    /// The cause as a statement.
    pub fn statement(self) -> Statement {
        match self {
            Cause::Unknown => Statement::new("cause-unknown", "cause unknown"),
            Cause::Failing(failure) => failure.statement(),
            Cause::Ended(kind) => kind.statement(),
            Cause::Leak => Statement::new("memory-growing", "memory is growing towards its limit"),
            Cause::Memory => Statement::new("memory-high", "memory is close to its limit"),
            Cause::OutOfMemory => Statement::new("out-of-memory", "out of memory"),
        }
    }
}

/// An event as an entry of a timeline.
pub fn event_statement(event: &EventKind) -> Statement {
    match event {
        EventKind::Started => Statement::new("instance-started", "instance started"),
        EventKind::Pressure { from, to, memory } => {
            let (from, to) = (from.as_str(), to.as_str());
            Statement::new(
                "pressure-changed",
                format!("memory pressure changed from {from} to {to} at {memory}"),
            )
            .with("from", from)
            .with("to", to)
            .with("memory_bytes", memory.0)
        }
        EventKind::Purge { before, after, took_ms } => {
            Statement::new("purged", format!("purge reduced memory from {before} to {after} in {took_ms} ms"))
                .with("before_bytes", before.0)
                .with("after_bytes", after.0)
                .with("took_ms", *took_ms)
        }
        EventKind::Recycle { reason } => {
            let text = format!("the guard requested a replacement worker: {reason}");
            Statement::new("replacement-requested", text).with("reason", reason.as_str())
        }
        EventKind::Leave => Statement::new("gave-up", "the guard shut the instance down"),
        EventKind::Shed { refused, lasted_ms } => {
            let seconds = lasted_ms / 1000;
            Statement::new("requests-rejected", format!("{refused} requests rejected within {seconds} s"))
                .with("count", *refused)
                .with("lasted_s", seconds)
        }
        EventKind::Panic { message } => {
            Statement::new("request-panicked", format!("a request panicked: {message}"))
                .with("message", message.as_str())
        }
        EventKind::Limit { before, after } => {
            Statement::new("limit-changed", format!("memory limit changed from {before} to {after}"))
                .with("before_bytes", before.0)
                .with("after_bytes", after.0)
        }
        EventKind::Other => Statement::new("unknown-event", "event of a newer version of heapbeat"),
        EventKind::Stop { by } => {
            Statement::new("stop-requested", format!("shutdown requested by {by}")).with("by", by.as_str())
        }
    }
}

/// When memory is expected to reach its limit.
pub fn forecast_statement(told: &LastReport) -> Option<Statement> {
    let time = told.forecast.time_to_limit?;
    let clock = |wait| instant::clock_by(told.at.plus(wait), told.at);
    let (earliest, latest) = (clock(time.earliest), clock(time.latest));
    let limit = told.forecast.limit;
    let text = format!("memory is expected to reach {limit} between {earliest} and {latest} (UTC)");
    Some(
        Statement::new("limit-forecast", text)
            .with("limit_bytes", limit.0)
            .with("earliest", format!("{earliest} UTC"))
            .with("latest", format!("{latest} UTC")),
    )
}
