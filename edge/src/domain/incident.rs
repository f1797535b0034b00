//! Incidents of a monitor, with severity, cause and timeline.
//!
//! Related failures form one incident: a full memory, the crash after it and the restart are notified once. An incident closes after a
//! period without failures. A failure soon afterwards reopens it, so a flapping target is notified once.
//!
//! What is so now ([`Incident::current`], [`Incident::cause`]) follows every tick. What was so at its worst is kept beside it, and the
//! phases say for how long each state held.

pub mod actions;
pub mod cause;
mod diagnosis;
pub mod id;
pub mod notification;
pub mod phase;
mod progress;
pub mod recording;
pub mod tracker;

use std::collections::VecDeque;

use heapbeat_shared::{Statement, UnixMillis};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::incident::cause::Cause;
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::phase::{PhaseState, Phases};
use crate::monitor_config::MonitorId;

/// The maximum number of timeline entries. The first is kept; of the others the oldest are removed.
pub const MAX_TIMELINE_ENTRIES: usize = 100;

/// The severity of an incident; a later variant is worse.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Severity {
    /// Memory runs out or is forecast to; every request is served.
    #[n(0)]
    Warning,
    /// The monitor serves, but fails a `degraded` condition.
    #[n(1)]
    Degraded,
    /// The instance ended unexpectedly and was restarted.
    #[n(2)]
    Crashed,
    /// The monitor does not serve.
    #[n(3)]
    Down,
}

impl Severity {
    /// Returns the name in JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Degraded => "degraded",
            Severity::Crashed => "crashed",
            Severity::Down => "down",
        }
    }

    /// Returns the title of an incident of the monitor `name` in English, such as `API is down: connection refused`.
    pub fn title(self, name: &str, cause: &str) -> String {
        match self {
            Severity::Down => format!("{name} is down: {cause}"),
            Severity::Degraded => format!("{name} is degraded: {cause}"),
            // The cause alone says it: `API: instance crashed`, `API: memory is close to its limit`.
            Severity::Crashed if !cause.starts_with("instance ") => format!("{name} crashed: {cause}"),
            Severity::Crashed | Severity::Warning => format!("{name}: {cause}"),
        }
    }
}

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TimelineEntry {
    /// When it happened.
    #[n(0)]
    pub at: UnixMillis,
    /// What happened. May hold text of the server, cut to a length.
    #[n(1)]
    pub message: Statement,
}

/// What follows after an incident was resolved by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ManualResolution {
    /// The problem goes on, at most with the severity that it had when the incident was resolved; a worse one opens another incident.
    #[n(0)]
    ProblemPersists(#[n(0)] Severity),
    /// The monitor has been up since; the next problem opens an incident.
    #[n(1)]
    ProblemOver,
}

/// A cause with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Diagnosis {
    /// The cause.
    #[n(0)]
    pub cause: Cause,
    /// The evidence for it.
    #[n(1)]
    pub evidence: Vec<Statement>,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Incident {
    /// The monitor's id.
    #[n(0)]
    pub monitor: MonitorId,
    /// The instant of the first sign of trouble.
    #[n(1)]
    pub opened: UnixMillis,
    /// The instant at which it ended; `None` while it is open.
    #[n(2)]
    pub closed: Option<UnixMillis>,
    /// The worst severity so far.
    #[n(3)]
    pub severity: Severity,
    /// The cause of what is so now, as far as it is known; after a recovery the cause of what was so before it.
    #[n(4)]
    pub cause: Cause,
    /// The evidence for the cause of what is so now.
    #[n(5)]
    pub evidence: Vec<Statement>,
    /// What happened, oldest first, at most [`MAX_TIMELINE_ENTRIES`].
    #[n(6)]
    pub timeline: VecDeque<TimelineEntry>,
    /// The number of recurrences.
    #[n(7)]
    pub recurrences: u32,
    /// Since when all has been well; `None` while it is not.
    #[n(8)]
    pub recovering_since: Option<UnixMillis>,
    /// The monitor that this one depends on and whose trouble explains this incident.
    #[n(9)]
    pub inhibited_by: Option<MonitorId>,
    /// What follows after it was resolved by hand; `None` if it was not.
    #[n(10)]
    pub resolution: Option<ManualResolution>,
    /// Whether it was acknowledged, which stops reminders.
    #[n(11)]
    pub acknowledged: bool,
    /// The severity of what is so now; `None` if all is well, or after it closed. While nobody can tell, what was found last.
    #[n(12)]
    pub current: Option<Severity>,
    /// Which state held when.
    #[n(13)]
    pub phases: Phases,
    /// The cause when the severity was the worst, if it is another than that of now.
    #[n(14)]
    pub worst_diagnosis: Option<Diagnosis>,
    /// The times at which only the cause changed.
    #[n(15)]
    pub cause_changes: CauseChanges,
}

/// How often the cause changed while the severity stayed, and when it did last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct CauseChanges {
    /// The number of changes.
    #[n(0)]
    pub count: u32,
    /// The instant of the last one.
    #[n(1)]
    pub last: UnixMillis,
}

impl Incident {
    /// Opens an incident without a known cause.
    pub fn new(monitor: MonitorId, opened: UnixMillis, severity: Severity) -> Self {
        let mut phases = Phases::default();
        phases.begin(opened, severity.into());
        Incident {
            monitor,
            opened,
            closed: None,
            severity,
            cause: Cause::Unknown,
            evidence: Vec::new(),
            timeline: VecDeque::new(),
            recurrences: 0,
            recovering_since: None,
            inhibited_by: None,
            resolution: None,
            acknowledged: false,
            current: Some(severity),
            phases,
            worst_diagnosis: None,
            cause_changes: CauseChanges::default(),
        }
    }

    /// Closes the incident at `at`. What is so afterwards is not part of it.
    pub fn close(&mut self, at: UnixMillis) {
        self.closed = Some(at);
        self.current = None;
        self.phases.begin(at, PhaseState::Unobserved);
    }

    /// The severity and the cause that describe the incident: what is so now, and when all is well or it is closed what was so at its
    /// worst.
    pub fn headline(&self) -> (Severity, Cause) {
        match (self.current, &self.worst_diagnosis) {
            (Some(current), _) => (current, self.cause),
            (None, Some(worst)) => (self.severity, worst.cause),
            (None, None) => (self.severity, self.cause),
        }
    }

    /// The evidence for the cause of [`Incident::headline`].
    pub fn headline_evidence(&self) -> &[Statement] {
        match &self.worst_diagnosis {
            Some(worst) if self.current.is_none() => &worst.evidence,
            _ => &self.evidence,
        }
    }

    /// How long each state held until the incident closed, or until `now` if it is open, in milliseconds; the worst first.
    pub fn durations(&self, now: UnixMillis) -> Vec<(PhaseState, u64)> {
        self.phases.durations(self.closed.unwrap_or(now))
    }

    /// The incident's id.
    pub fn id(&self) -> IncidentId {
        IncidentId { monitor: self.monitor.clone(), opened: self.opened.0.div_euclid(1000) }
    }

    /// Adds an entry to the timeline, in the order of time; one that is there already is not added again.
    pub fn add_timeline_entry(&mut self, at: UnixMillis, message: Statement) {
        let entry = TimelineEntry { at, message: message.bounded() };
        let index = self.timeline.partition_point(|it| it.at <= at);
        if self.timeline.range(..index).rev().take_while(|it| it.at == at).any(|it| *it == entry) {
            return;
        }
        self.timeline.insert(index, entry);
        if self.timeline.len() > MAX_TIMELINE_ENTRIES {
            self.timeline.remove(1);
        }
    }
}

#[cfg(test)]
mod tests;
