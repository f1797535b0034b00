//! What one recipient was told about an incident, and which message closes the difference to what is so.
//!
//! Alerts are level-triggered: no message waits in a queue. Each turn compares what a recipient was told last with the incident as it
//! is now, so that a message is always about the present. The notifier (`notify`) decides who the recipients are, and when a
//! difference may be closed.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::domain::check::flap::{FLAP_RECOVERY_TIME, FLAP_THRESHOLD, FLAP_WINDOW};
use crate::domain::incident::phase::PhaseState;
use crate::domain::incident::{Incident, Severity};

/// How long a lower severity has to hold before it is notified, so that a monitor that is slow and down in turns is not notified
/// with each probe.
pub const IMPROVEMENT_TIME: Duration = Duration::from_secs(120);

/// How long an incident that came and went unnotified is still worth a message.
pub const PAST_PERIOD: Duration = Duration::from_secs(86_400);

/// How long the end of an incident that was notified is tried to be notified.
pub const RECOVERY_PERIOD: Duration = Duration::from_secs(7 * 86_400);

/// What one recipient was told last about one incident. A severity of `None` stands for "it is over", or for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct NotificationState {
    /// The severity of the last message that was accepted; `None` before the first, and after the end was accepted.
    #[n(0)]
    pub severity: Option<Severity>,
    /// Whether the last message had a cause beyond the way in which probes fail.
    #[n(1)]
    pub explained: bool,
    /// The instant at which the last message was accepted.
    #[n(2)]
    pub at: UnixMillis,
    /// Since when there is a difference that the recipient should be told; `None` if there is none.
    #[n(3)]
    pub owed_since: Option<UnixMillis>,
    /// The states that were sent since, and that may have been accepted, as no answer arrived.
    #[n(4)]
    pub uncertain: StateSet,
}

/// A set of what a recipient may have been told: severities, and that it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct StateSet(#[n(0)] u8);

impl StateSet {
    const fn bit(state: Option<Severity>) -> u8 {
        match state {
            None => 1,
            Some(Severity::Warning) => 2,
            Some(Severity::Degraded) => 4,
            Some(Severity::Crashed) => 8,
            Some(Severity::Down) => 16,
        }
    }

    /// Adds a state.
    pub fn insert(&mut self, state: Option<Severity>) {
        self.0 |= Self::bit(state);
    }

    /// Removes a state.
    pub fn remove(&mut self, state: Option<Severity>) {
        self.0 &= !Self::bit(state);
    }

    /// Whether a state is in the set.
    pub const fn contains(self, state: Option<Severity>) -> bool {
        self.0 & Self::bit(state) != 0
    }

    /// Whether no other state than this one is in the set.
    pub const fn is_at_most(self, state: Option<Severity>) -> bool {
        self.0 & !Self::bit(state) == 0
    }
}

/// The reason for a message about an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationReason {
    /// There is trouble, and the recipient does not know of it.
    Opened,
    /// The severity rose.
    Worse,
    /// The severity fell, and there is still trouble.
    Better,
    /// The cause is known, which it was not before.
    Explained,
    /// The trouble goes on, and a reminder is due.
    Reminder,
    /// The trouble is over.
    Recovered,
    /// The recipient gets no further messages about the incident, and not because the monitor recovered.
    Ended(EndReason),
    /// The incident came and went, and the recipient was not told, or may not have been.
    Past,
}

/// The reason why messages about an incident end without a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Somebody resolved the incident.
    Resolved,
    /// Announced maintenance began.
    Maintenance,
    /// The monitor is no longer in the configuration.
    Removed,
    /// The monitor is a job that was added again or rescheduled.
    Rescheduled,
    /// A later incident of the monitor continues it.
    Superseded,
    /// The monitor is no longer this recipient's.
    Elsewhere,
}

impl EndReason {
    /// Returns the name, by which messages about different ends are distinguished.
    pub const fn as_str(self) -> &'static str {
        match self {
            EndReason::Resolved => "resolved",
            EndReason::Maintenance => "maintenance",
            EndReason::Removed => "removed",
            EndReason::Rescheduled => "rescheduled",
            EndReason::Superseded => "superseded",
            EndReason::Elsewhere => "elsewhere",
        }
    }
}

impl NotificationReason {
    /// Returns the name in JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            NotificationReason::Opened => "opened",
            NotificationReason::Worse => "worse",
            NotificationReason::Better => "better",
            NotificationReason::Explained => "cause",
            NotificationReason::Reminder => "reminder",
            NotificationReason::Recovered => "recovered",
            NotificationReason::Ended(_) => "ended",
            NotificationReason::Past => "past",
        }
    }

    /// Whether the recipient has nothing to wait for after the message.
    pub const fn is_end(self) -> bool {
        matches!(
            self,
            NotificationReason::Recovered | NotificationReason::Ended(_) | NotificationReason::Past
        )
    }
}

impl NotificationState {
    /// Whether the recipient knows of trouble, or may know of it.
    pub fn knows_trouble(&self) -> bool {
        self.severity.is_some() || !self.uncertain.is_at_most(None)
    }

    /// Whether the recipient was told exactly this state last.
    pub fn is_exactly(&self, state: Option<Severity>) -> bool {
        self.severity == state && self.uncertain.is_at_most(state)
    }

    /// Records that the recipient accepted a message at `at` that says `state`.
    pub fn accept(&mut self, state: Option<Severity>, explained: bool, at: UnixMillis) {
        *self = NotificationState {
            severity: state,
            explained,
            at,
            owed_since: None,
            uncertain: StateSet::default(),
        };
    }

    /// Returns the reason for a message at `now` that closes the difference to `incident`; `None` if there is no difference, or none
    /// yet. While `is_flapping`, improvements are not notified.
    pub fn next_change(
        &self,
        incident: &Incident,
        is_flapping: bool,
        now: UnixMillis,
    ) -> Option<NotificationReason> {
        if let Some(closed) = incident.closed {
            return self.end_of(incident, now.since(closed));
        }
        // An incident that recovers is neither over nor is anything wrong.
        let current = incident.current?;
        match self.severity {
            None => Some(NotificationReason::Opened),
            Some(told) if told < current => Some(NotificationReason::Worse),
            Some(told) if told > current => {
                let is_steady = !is_flapping && incident.held_for(now) >= incident.improvement_time(now);
                is_steady.then_some(NotificationReason::Better)
            }
            // The answer to another message was lost: the recipient may believe that.
            Some(_) if self.uncertain.contains(None) => Some(NotificationReason::Opened),
            Some(_) if !self.uncertain.is_at_most(Some(current)) => Some(NotificationReason::Worse),
            Some(_) => (!self.explained && incident.is_explained()).then_some(NotificationReason::Explained),
        }
    }

    /// The message that ends an incident that closed this long ago.
    fn end_of(&self, incident: &Incident, age: Duration) -> Option<NotificationReason> {
        let (reason, period) = if self.severity.is_some() {
            let reason =
                incident.end_reason().map_or(NotificationReason::Recovered, NotificationReason::Ended);
            (reason, RECOVERY_PERIOD)
        } else if self.knows_trouble() {
            // It may have arrived, so the end is owed in any case; the words are right for both.
            (NotificationReason::Past, RECOVERY_PERIOD)
        } else {
            self.owed_since?;
            (NotificationReason::Past, PAST_PERIOD)
        };
        (age <= period).then_some(reason)
    }

    /// Whether a reminder is due at `now`, for a recipient that has one each `interval`.
    pub fn is_reminder_due(&self, incident: &Incident, interval: Duration, now: UnixMillis) -> bool {
        incident.closed.is_none()
            && !incident.acknowledged
            && incident.current.is_some()
            && self.severity == incident.current
            && now >= self.at.plus(interval)
    }
}

impl Incident {
    /// Whether the cause says more than how probes fail.
    pub fn is_explained(&self) -> bool {
        !self.cause.is_probe_failure()
    }

    /// The reason why a closed incident ended; `None` if the monitor recovered, or if it is open.
    pub fn end_reason(&self) -> Option<EndReason> {
        let closed = self.closed?;
        if self.resolution.is_some() {
            return Some(EndReason::Resolved);
        }
        let codes = self.timeline.iter().rev().filter(|entry| entry.at == closed);
        codes.map(|entry| entry.message.code.as_str()).find_map(|code| match code {
            "maintenance-began" => Some(EndReason::Maintenance),
            "monitor-removed" => Some(EndReason::Removed),
            "job-rescheduled" => Some(EndReason::Rescheduled),
            "incident-superseded" => Some(EndReason::Superseded),
            _ => None,
        })
    }

    /// How long a lower severity has to hold at `now` before it is notified. One that changes as often as a flapping monitor has to hold
    /// as long.
    fn improvement_time(&self, now: UnixMillis) -> Duration {
        let changes = self.phases.changes_since(now.minus(FLAP_WINDOW));
        if changes >= FLAP_THRESHOLD { FLAP_RECOVERY_TIME } else { IMPROVEMENT_TIME }
    }

    /// How long the present severity has held at `now`; zero while nobody can tell.
    fn held_for(&self, now: UnixMillis) -> Duration {
        let phase = self.phases.last().filter(|last| self.current.map(PhaseState::from) == Some(last.state));
        phase.map_or(Duration::ZERO, |phase| now.since(phase.since))
    }
}

#[cfg(test)]
pub(crate) mod tests;
