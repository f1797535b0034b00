//! Incidents of a monitor, with severity, cause and timeline.
//!
//! Related failures form one incident: a full memory, the crash after it and the restart are notified once. An incident closes after a
//! period without failures. A failure soon afterwards reopens it, so a flapping target is notified once.

pub mod actions;
pub mod cause;
pub mod id;
pub mod notification;
pub mod tracker;

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::incident::cause::Cause;
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::notification::NotificationState;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// The maximum number of timeline entries. The first is kept; of the others the oldest are removed.
pub const MAX_TIMELINE_ENTRIES: usize = 100;

/// The length of the recording before an incident.
pub const RECORDING_LENGTH: Duration = Duration::from_secs(600);

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

/// The phase after an incident was resolved by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ManualResolution {
    /// The problem goes on; it does not open another incident unless it gets worse.
    #[n(0)]
    ProblemPersists,
    /// The monitor has been up since; the next problem opens an incident.
    #[n(1)]
    ProblemOver,
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
    /// The cause, as far as it is known.
    #[n(4)]
    pub cause: Cause,
    /// The evidence for the cause.
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
    /// What was notified last.
    #[n(9)]
    pub notified: NotificationState,
    /// The monitor that this one depends on and that had trouble as well, which is why nobody was notified of this incident.
    #[n(10)]
    pub inhibited_by: Option<MonitorId>,
    /// What follows after it was resolved by hand; `None` if it was not.
    #[n(11)]
    pub resolution: Option<ManualResolution>,
    /// Whether it was acknowledged, which stops reminders.
    #[n(12)]
    pub acknowledged: bool,
}

impl Incident {
    /// Opens an incident without a known cause.
    pub fn new(monitor: MonitorId, opened: UnixMillis, severity: Severity) -> Self {
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
            notified: NotificationState::default(),
            inhibited_by: None,
            resolution: None,
            acknowledged: false,
        }
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

/// Selects the sample runs, oldest first, that belong to the recording of an incident that opened at `opened`.
pub fn select_recording(runs: &VecDeque<SampleRun>, opened: UnixMillis) -> Vec<SampleRun> {
    let from = opened.minus(RECORDING_LENGTH);
    let overlaps = |run: &&SampleRun| run.series.samples.last().is_some_and(|last| last.at >= from);
    runs.iter().filter(overlaps).cloned().collect()
}

#[cfg(test)]
mod tests;
