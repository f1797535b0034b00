//! How a tick changes an open incident: its phases, its severity, its cause and its timeline.

use heapbeat_shared::{Statement, UnixMillis};

use crate::domain::State;
use crate::domain::check::flap;
use crate::domain::incident::cause::{event_statement, forecast_statement};
use crate::domain::incident::phase::PhaseState;
use crate::domain::incident::tracker::{RECOVERY_TIME, TickObservation, forecast_opens_incident};
use crate::domain::incident::{Diagnosis, Incident, Severity};

impl Incident {
    /// Begins the phases that a tick with trouble made known. `began` is when an instance crashed, or the tick; `ongoing` is what goes on
    /// at the tick, if it is not over already.
    pub(super) fn record_phases(
        &mut self,
        tick: &TickObservation<'_>,
        began: UnixMillis,
        ongoing: Option<Severity>,
    ) {
        self.record_unobserved(tick);
        let is_known =
            |state: PhaseState, since: UnixMillis| since > began || state.is_trouble() && since < began;
        if tick.crashes().next().is_some()
            && !self.phases.last().is_some_and(|last| is_known(last.state, last.since))
        {
            self.phases.begin(began, PhaseState::Crashed);
        }
        self.phases.begin(tick.at, ongoing.map_or(PhaseState::Up, PhaseState::from));
    }

    /// Begins a phase without data, if there was none before the tick or there is none in it.
    pub(super) fn record_unobserved(&mut self, tick: &TickObservation<'_>) {
        let since = tick.unobserved_since.or((tick.state == State::Unobserved).then_some(tick.at));
        if let Some(since) = since
            && self.phases.last().is_none_or(|last| last.since < since)
        {
            self.phases.begin(since, PhaseState::Unobserved);
        }
    }

    /// Records the severity and the cause of the trouble that a tick found, and adds what is new to the timeline. `known` is the
    /// incident before it, if it was open.
    pub(super) fn record_trouble(
        &mut self,
        known: Option<&Incident>,
        tick: &TickObservation<'_>,
        severity: Severity,
    ) {
        let before = Diagnosis { cause: self.cause, evidence: std::mem::take(&mut self.evidence) };
        let recovering_since = known.and_then(|known| known.recovering_since);
        let is_same_trouble = known.is_some()
            && recovering_since.is_none_or(|since| {
                // A server that has just crashed is often not available again.
                before.cause.is_exit() && tick.at.since(since) < RECOVERY_TIME
            });
        let trouble = if is_same_trouble { before.clone() } else { Diagnosis::unknown() };
        let mut now = trouble.followed_by(tick);
        let only_cause_changes = is_same_trouble
            && recovering_since.is_none()
            && self.current == Some(severity)
            && now.cause != before.cause
            && tick.crashes().next().is_none();
        if only_cause_changes && !self.cause_changes.allow(tick.at) {
            now = before.clone();
        }
        self.add_trouble_entries(known, tick, severity, &now);

        let crashed = tick.crashes().next().is_some();
        let worst = self.worst_diagnosis.take().unwrap_or(before);
        let is_as_specific = now.cause.or_more_specific(worst.cause) == now.cause;
        let describes_worst = severity > self.severity
            || is_as_specific && (severity == self.severity || crashed && is_same_trouble);
        self.worst_diagnosis = (!describes_worst && worst != now).then_some(worst);
        // A monitor that was down and is up again after an exit recovers; one that was up has crashed.
        let recovers = severity == Severity::Crashed && self.current == Some(Severity::Down);
        self.current = (!recovers).then_some(severity);
        self.severity = self.severity.max(severity);
        Diagnosis { cause: self.cause, evidence: self.evidence } = now;
    }

    /// Adds to the timeline what the tick made known. `now` is the diagnosis of the tick.
    fn add_trouble_entries(
        &mut self,
        known: Option<&Incident>,
        tick: &TickObservation<'_>,
        severity: Severity,
        now: &Diagnosis,
    ) {
        self.add_event_entries(tick);
        if let Some(report) = tick.report()
            && let Some(forecast) = forecast_statement(report).filter(|_| forecast_opens_incident(report))
            && known.is_none_or(|known| !known.cause.is_memory())
        {
            self.add_timeline_entry(report.at, forecast);
        }
        for exit in tick.crashes() {
            self.add_timeline_entry(exit.at, exit.kind.statement());
        }
        if tick.restarted && tick.crashes().next().is_none() {
            self.add_timeline_entry(tick.at, Statement::other_instance());
        }
        let ongoing = known.filter(|known| known.recovering_since.is_none());
        let fell = ongoing.and_then(|known| known.current).is_some_and(|before| severity < before);
        match severity {
            Severity::Degraded if fell => self.add_timeline_entry(tick.at, Statement::improved_to_degraded()),
            Severity::Warning if fell => self.add_timeline_entry(tick.at, Statement::improved_to_warning()),
            _ => {}
        }
        let is_new = ongoing.is_none_or(|known| known.current != Some(severity) || known.cause != now.cause);
        if is_new && let Some(failure) = tick.failure() {
            self.add_timeline_entry(tick.at, failure.statement());
        }
    }

    /// Adds the events of the tick's report, and that the monitor began to flap.
    pub(super) fn add_event_entries(&mut self, tick: &TickObservation<'_>) {
        for event in &tick.delta.events {
            self.add_timeline_entry(event.at, event_statement(&event.kind));
        }
        if tick.flapping_since == Some(tick.at) {
            self.add_timeline_entry(tick.at, flap::flapping_statement());
        }
    }
}
