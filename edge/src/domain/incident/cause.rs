//! The cause of an incident, from the kind of failure, the memory pressure, and how an instance ended.
//!
//! Causes are ordered by how specific they are: memory that runs full explains why connections are refused, and a kill by the
//! kernel explains both. While the same trouble goes on, the most specific one is kept.

use heapbeat_shared::Statement;
use heapbeat_shared::event::EventKind;
use heapbeat_shared::exit::ExitKind;
use minicbor::{Decode, Encode};

use crate::domain::Failure;
use crate::domain::instant;
use crate::domain::report::last_report::LastReport;

/// The cause of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Cause {
    /// The cause is not known.
    #[n(0)]
    Unknown,
    /// Probes fail like this; the reason is not known.
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
    Exit(#[n(0)] ExitKind),
    /// Memory ran full, and the instance was killed by the kernel, ended by its runtime, or crashed.
    #[n(5)]
    OutOfMemory,
}

impl Cause {
    /// Returns the more specific of the two; of two that are equally specific the first.
    #[must_use]
    pub fn or_more_specific(self, other: Cause) -> Cause {
        if other.specificity() > self.specificity() { other } else { self }
    }

    const fn specificity(self) -> u8 {
        match self {
            Cause::Unknown => 0,
            Cause::Failing(_) => 1,
            Cause::Leak | Cause::Exit(ExitKind::Unknown) => 2,
            Cause::Memory => 3,
            Cause::Exit(_) => 4,
            Cause::OutOfMemory => 5,
        }
    }

    /// Returns the cause that an exit stands for. `short_of_memory`: memory was known to be close to its limit before.
    pub fn from_exit(kind: ExitKind, short_of_memory: bool) -> Cause {
        match kind {
            ExitKind::OomKill | ExitKind::OutOfMemory => Cause::OutOfMemory,
            ExitKind::Unknown | ExitKind::Crash if short_of_memory => Cause::OutOfMemory,
            kind => Cause::Exit(kind),
        }
    }

    /// Whether a failure of this kind is what the cause leads to: a server whose memory is full, or that has ended, is not available.
    pub const fn explains(self, failure: Failure) -> bool {
        match self {
            Cause::Unknown | Cause::Failing(_) | Cause::Leak => false,
            Cause::Memory => failure.is_unavailability() || matches!(failure, Failure::Slow(_)),
            Cause::Exit(_) | Cause::OutOfMemory => failure.is_unavailability(),
        }
    }

    /// Whether the cause is about memory.
    pub const fn is_memory(self) -> bool {
        matches!(self, Cause::Leak | Cause::Memory | Cause::OutOfMemory)
    }

    /// Whether an instance ended.
    pub const fn is_exit(self) -> bool {
        matches!(self, Cause::Exit(_) | Cause::OutOfMemory)
    }

    /// Whether nothing is known but how probes fail.
    pub const fn is_probe_failure(self) -> bool {
        matches!(self, Cause::Unknown | Cause::Failing(_))
    }

    /// The cause as a statement.
    pub fn statement(self) -> Statement {
        match self {
            Cause::Unknown => Statement::cause_unknown(),
            Cause::Failing(failure) => failure.statement(),
            Cause::Exit(kind) => kind.statement(),
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
        EventKind::Purge { before, after, duration_ms } => Statement::purged(*before, *after, *duration_ms),
        EventKind::Recycle { reason } => Statement::replacement_requested(reason),
        EventKind::Shutdown => Statement::shut_down(),
        EventKind::Shed { refused, duration_ms } => {
            Statement::requests_rejected(*refused, duration_ms / 1000)
        }
        EventKind::Panic { message } => Statement::request_panicked(message),
        EventKind::Limit { before, after } => Statement::limit_changed(*before, *after),
        EventKind::Growth { function, growth, duration_ms } => {
            Statement::function_growing(function, *growth, duration_ms / 1000)
        }
        EventKind::Other => Statement::unknown_event(),
        EventKind::Stop { by } => Statement::stop_requested(by),
    }
}

/// The instant at which memory is forecast to reach its limit, as a statement; `None` without a forecast.
pub fn forecast_statement(report: &LastReport) -> Option<Statement> {
    let time = report.forecast.time_to_limit?;
    let clock = |wait| format!("{} UTC", instant::clock_on_day(report.at.plus(wait), report.at));
    Some(Statement::limit_forecast(report.forecast.limit, &clock(time.earliest), &clock(time.latest)))
}
