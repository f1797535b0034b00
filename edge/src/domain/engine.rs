//! The engine: the state of all monitors of one hub, and how a tick changes it.
//!
//! The results of a tick's probes go in, and one [`TickChanges`] comes out: everything that the store has to write at once. An engine
//! whose commit could not be written differs from what is stored; the caller must restore it.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis, codec};
use litemap::LiteMap;

use super::incident::Incident;
use super::incident::recording::select_recording;
use super::incident::tracker::TickObservation;
use super::monitor_state::{MonitorState, PersistedState, StateUpdate, TickContext};
use super::{ProbeSkipped, State};
use crate::domain::check::domain_record::DomainRecord;
use crate::domain::check::outcome::ProbeResult;
use crate::domain::check::quorum::RegionVerdict;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::heartbeat::{UnwatchedSpan, unwatched_spans};
use crate::domain::history::ledger::{Ledger, LedgerChanges, LedgerEntry};
use crate::domain::history::retention;
use crate::domain::report::last_report::LastReport;
use crate::monitor_config::{Monitor, MonitorConfig, MonitorId};

mod incident_status;
mod probe_round;
mod snapshot;
mod tick_changes;
mod unwatched;

pub use incident_status::{IncidentStatus, ResultStatus, dependencies};
pub use probe_round::{PlannedProbe, ProbeAttempt, ProbeRound};
pub use snapshot::{ProbeHistory, WindowStatistics};
pub use tick_changes::{EngineEvent, PersistedStates, ProbeRecord, Tick, TickChanges};
pub use unwatched::{UNWATCHED_ALERT_AFTER, Unwatched, WatchStatus};

/// The state of all monitors of one hub.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    monitors: LiteMap<MonitorId, MonitorState>,
    last_tick: Option<Tick>,
    /// The oldest tick whose probes were restored or applied.
    first_tick: Option<UnixMillis>,
    /// Whether there were older ticks, which the store no longer has.
    lost_ticks: bool,
    /// The monitors that are under announced maintenance; `None` until that is known.
    under_maintenance: Option<Vec<MonitorId>>,
    /// Nothing is probed more often than this.
    min_interval: Duration,
}

impl Engine {
    /// Restores the engine from what was stored. Charts and incidents follow by [`Engine::restore_tick`] and
    /// [`Engine::restore_incidents`].
    pub fn restore(
        last_tick: Option<Tick>,
        states: PersistedStates,
        mut entries: LiteMap<MonitorId, Vec<LedgerEntry>>,
    ) -> Self {
        let mut engine = Engine { last_tick, ..Engine::default() };
        for (id, persisted) in states {
            let ledger = Ledger::restore(entries.remove(&id).unwrap_or_default(), persisted.validity);
            engine.monitors.insert(id, MonitorState { persisted, ledger, ..MonitorState::default() });
        }
        // A monitor that was removed from the configuration leaves its ledger; it is there when the monitor comes back.
        for (id, entries) in entries {
            let ledger = Ledger::restore(entries, None);
            engine.monitors.insert(id, MonitorState { ledger, ..MonitorState::default() });
        }
        engine
    }

    /// Adds the figures of a stored tick to the charts; ticks come oldest first.
    pub fn restore_tick(&mut self, at: UnixMillis, probes: &[ProbeRecord]) {
        self.first_tick.get_or_insert(at);
        for probe in probes {
            let Some(state) = self.monitors.get_mut(&probe.monitor) else { continue };
            state.add_latency(at, &probe.evaluation);
            if let Some(health) = probe.evaluation.health {
                state.add_memory(at, health.memory, &probe.runs);
            }
        }
    }

    /// Records that the store had older ticks than those that were restored.
    pub fn mark_lost_ticks(&mut self) {
        self.lost_ticks = true;
    }

    /// Restores stored incidents; of each monitor the latest is kept. It returns those that are open beside a later one, as after an
    /// import, and closes them: nothing else would. They have to be stored.
    #[must_use]
    pub fn restore_incidents(&mut self, incidents: Vec<Incident>) -> Vec<Incident> {
        let mut superseded = Vec::new();
        for incident in incidents {
            let latest = &mut self.monitors.entry(incident.monitor.clone()).or_default().incidents.latest;
            let is_older = latest.as_ref().is_some_and(|other| other.opened > incident.opened);
            let older = if is_older { Some(incident) } else { latest.replace(incident) };
            superseded.extend(older.filter(|older| older.closed.is_none()));
        }
        for incident in &mut superseded {
            let at = self.latest_incident(&incident.monitor).map_or(incident.opened, |latest| latest.opened);
            incident.close(at);
            incident.add_timeline_entry(at, Statement::incident_superseded());
        }
        superseded
    }

    /// The last signed report of `monitor`; `None` if it never signed one.
    pub fn last_report(&self, monitor: &MonitorId) -> Option<&LastReport> {
        self.monitors.get(monitor)?.persisted.last_report.as_ref()
    }

    /// The verdict of the last probe of `monitor`.
    pub fn last_verdict(&self, monitor: &MonitorId) -> Option<CheckVerdict> {
        self.monitors.get(monitor)?.persisted.verdict
    }

    /// What is known of a domain: the record of the monitor that was looked up last.
    pub fn domain_record(&self, domain: &str) -> Option<&DomainRecord> {
        let records = self.monitors.values().filter_map(|state| state.persisted.domain.as_ref());
        records.filter(|record| record.domain == domain).max_by_key(|record| record.looked_up)
    }

    /// Since which tick `monitor` cannot be probed because the edge is offline; `None` if it is online.
    pub fn offline_since(&self, monitor: &MonitorId) -> Option<UnixMillis> {
        self.monitors.get(monitor)?.persisted.offline_since
    }

    /// The last tick that was applied.
    pub fn last_tick(&self) -> Option<Tick> {
        self.last_tick
    }

    /// The incident of `monitor` that is open, or that closed last.
    pub fn latest_incident(&self, monitor: &MonitorId) -> Option<&Incident> {
        self.monitors.get(monitor)?.incidents.latest.as_ref()
    }

    /// The tick's clock when the edge's own clock is at `wall`; before the first tick, `wall` itself.
    pub fn clock(&self, wall: UnixMillis) -> UnixMillis {
        self.last_tick.map_or(wall, |last| last.scheduled_time_at(wall))
    }

    /// The instant of what arrives when the edge's own clock is at `wall`; it does not depend on how late the last tick was.
    pub fn arrival_time(&self, wall: UnixMillis) -> UnixMillis {
        self.last_tick.map_or(wall, |last| last.arrival_time(wall))
    }

    /// The spans up to `now` in which nobody watched `monitor`, oldest first.
    pub fn unwatched_spans(&self, monitor: &MonitorId, now: UnixMillis) -> Vec<UnwatchedSpan> {
        let ledger = self.monitors.get(monitor).map(|state| &state.ledger);
        unwatched_spans(ledger.into_iter().flat_map(|ledger| ledger.segments(now)), now)
    }

    /// Sets the shortest interval at which any monitor is probed.
    pub fn set_min_interval(&mut self, floor: Duration) {
        self.min_interval = floor;
    }

    /// Sets the monitors that are under announced maintenance in the next tick.
    pub fn set_maintenance(&mut self, monitors: Vec<MonitorId>) {
        self.under_maintenance = Some(monitors);
    }

    /// Sets the verdicts from other regions for the next tick.
    pub fn set_region_verdicts(&mut self, verdicts: Vec<(MonitorId, Vec<RegionVerdict>)>) {
        for (monitor, verdicts) in verdicts {
            self.monitors.entry(monitor).or_default().region_verdicts = verdicts;
        }
    }

    /// Applies the probes of a tick. Probes of monitors that are not configured are ignored.
    pub fn apply_tick(&mut self, config: &MonitorConfig, tick: Tick, probes: &[ProbeResult]) -> TickChanges {
        let mut commit = TickChanges::new(tick);
        self.under_maintenance.get_or_insert_default();
        for probe in probes {
            if let Some(monitor) = config.monitors.iter().find(|monitor| monitor.id == probe.monitor) {
                self.apply_probe(monitor, probe, &mut commit);
            }
        }
        let offline = CheckVerdict::Skipped(ProbeSkipped::EdgeOffline);
        let probes = commit.probes.iter().filter(|probe| probe.evaluation.verdict == offline).count();
        if probes > 0 {
            commit.events.push(EngineEvent::EdgeOffline { probes });
        }
        self.retire_monitors(config, tick.at, &mut commit);
        self.record_dependencies(config, &mut commit);
        self.last_tick = Some(tick);
        self.first_tick.get_or_insert(tick.at);
        commit.persisted_states = self.encode_states();
        commit
    }

    fn apply_probe(&mut self, monitor: &Monitor, probe: &ProbeResult, commit: &mut TickChanges) {
        let at = commit.tick.at;
        let state = self.monitors.entry(monitor.id.clone()).or_default();
        let state_at = |ledger: &Ledger| ledger.current_entry(at).map_or(State::Unobserved, |it| it.state);
        let before = state.ledger.current_entry(at);
        let unobserved_since = before.filter(|it| it.state == State::Unobserved).map(|it| it.from);
        let from = before.map_or(State::Unobserved, |it| it.state);
        let context = TickContext {
            at,
            under_maintenance: self.under_maintenance.as_ref().is_some_and(|it| it.contains(&monitor.id)),
            min_interval: self.min_interval,
        };
        let StateUpdate { evaluation, changes, restarted, delta } =
            state.apply_probe(monitor, probe, context);
        let to = state_at(&state.ledger);
        let id = || monitor.id.clone();
        if let CheckVerdict::Skipped(reason) = evaluation.verdict
            && reason != ProbeSkipped::EdgeOffline
        {
            let reason = reason.statement().text;
            commit.events.push(EngineEvent::ProbeSkipped { monitor: id(), reason });
        }
        if from != to {
            let reason = evaluation.verdict.statement().map(|statement| statement.text);
            commit.events.push(EngineEvent::StateChanged { monitor: id(), from, to, reason });
        }
        if restarted {
            commit.events.push(EngineEvent::Restarted { monitor: id() });
        }
        if changes != LedgerChanges::default() {
            commit.ledgers.push((id(), changes));
        }
        let unheard = CheckVerdict::Skipped(ProbeSkipped::NoHeartbeatYet);
        if evaluation.verdict == unheard && state.incidents.close(at, Statement::job_rescheduled()) {
            // A job that was added again or rescheduled is another one.
            commit.incidents.extend(state.incidents.latest.clone());
        }
        let observation = TickObservation {
            at,
            state: to,
            verdict: Some(evaluation.verdict),
            last_report: state.persisted.last_report.as_ref(),
            delta: &delta,
            restarted,
            flapping_since: state.flapping_since(),
            unobserved_since,
        };
        let before = state.incidents.latest.as_ref().map(|incident| incident.opened);
        if state.incidents.record_tick(&monitor.id, &observation)
            && let Some(incident) = &state.incidents.latest
        {
            commit.incidents.push(incident.clone());
            if before != Some(incident.opened) {
                let runs = select_recording(&state.recent_runs, incident.opened);
                commit.recordings.push((id(), incident.opened, runs));
            }
        }
        commit.probes.push(ProbeRecord { monitor: id(), evaluation, runs: delta.runs });
    }

    /// The encoded [`PersistedStates`] of the monitors that were ever probed, or wait for it.
    fn encode_states(&self) -> Vec<u8> {
        let is_known = |state: &PersistedState| state.verdict.is_some() || state.schedule.wait.is_some();
        let probed = self.monitors.iter().filter(|(_, state)| is_known(&state.persisted));
        codec::encode(&probed.map(|(id, state)| (id, &state.persisted)).collect::<Vec<_>>())
    }

    /// Closes the ledgers of monitors that are no longer configured, once their last finding has expired. The ledger stays until
    /// it is too old: a monitor that comes back under the same id continues it, and the time between is unobserved.
    fn retire_monitors(&mut self, config: &MonitorConfig, at: UnixMillis, commit: &mut TickChanges) {
        let mut retired = Vec::new();
        for (id, state) in self.monitors.iter_mut() {
            if !state.ledger.is_expired(at) || config.monitors.iter().any(|monitor| monitor.id == *id) {
                continue;
            }
            let mut changes = state.ledger.expire(at);
            state.persisted = PersistedState::default();
            if state.incidents.close(at, Statement::monitor_removed()) {
                commit.incidents.extend(state.incidents.latest.clone());
            }
            let oldest = at.minus(retention::LEDGER);
            if state.ledger.current_entry(at).is_none_or(|last| last.from <= oldest) {
                changes.delete_before = Some(at);
                retired.push(id.clone());
            }
            if changes != LedgerChanges::default() {
                commit.ledgers.push((id.clone(), changes));
            }
        }
        self.monitors.retain(|id, _| !retired.contains(id));
    }

    /// Replaces the latest incident of a monitor by a changed version of it. An incident that is not the latest is ignored.
    pub fn replace_incident(&mut self, incident: Incident) {
        if let Some(state) = self.monitors.get_mut(&incident.monitor)
            && state.incidents.latest.as_ref().is_some_and(|latest| latest.opened == incident.opened)
        {
            state.incidents.latest = Some(incident);
        }
    }
}

#[cfg(test)]
mod restart_tests;
#[cfg(test)]
pub(crate) mod tests;
