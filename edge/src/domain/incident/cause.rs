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
            Cause::Unknown => Statement::cause_unknown(),
            Cause::Failing(failure) => failure.statement(),
            Cause::Ended(kind) => kind.statement(),
            Cause::Leak => Statement::memory_growing(),
            Cause::Memory => Statement::memory_high(),
            Cause::OutOfMemory => Statement::out_of_memory(),
        }
    }
}

/// An event as an entry of a timeline.
pub fn event_statement(event: &EventKind) -> Statement {
    match event {
        EventKind::Started => Statement::instance_started(),
        EventKind::Pressure { from, to, memory } => Statement::pressure_changed(*from, *to, *memory),
        EventKind::Purge { before, after, took_ms } => Statement::purged(*before, *after, *took_ms),
        EventKind::Recycle { reason } => Statement::replacement_requested(reason),
        EventKind::Leave => Statement::gave_up(),
        EventKind::Shed { refused, lasted_ms } => Statement::requests_rejected(*refused, lasted_ms / 1000),
        EventKind::Panic { message } => Statement::request_panicked(message),
        EventKind::Limit { before, after } => Statement::limit_changed(*before, *after),
        EventKind::Other => Statement::unknown_event(),
        EventKind::Stop { by } => Statement::stop_requested(by),
    }
}

/// When memory is expected to reach its limit.
pub fn forecast_statement(told: &LastReport) -> Option<Statement> {
    let time = told.forecast.time_to_limit?;
    let clock = |wait| format!("{} UTC", instant::clock_by(told.at.plus(wait), told.at));
    Some(Statement::limit_forecast(told.forecast.limit, &clock(time.earliest), &clock(time.latest)))
}
