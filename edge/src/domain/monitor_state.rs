//! All that the hub keeps about one monitor, and how a probe changes it.

mod persisted;
mod snapshot;

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::exit::Exit;
use heapbeat_shared::{HealthMemory, UnixMillis};

pub use persisted::{ExitRecord, PersistedState};

use super::incident::recording::RECORDING_LENGTH;
use super::incident::tracker::IncidentTracker;
use super::{ProbeSkipped, State};
use crate::domain::check::outcome::{ProbeResponse, ProbeResult};
use crate::domain::check::own_zone::settle_own_zone;
use crate::domain::check::quorum::{RegionVerdict, combine_verdicts};
use crate::domain::check::schedule;
use crate::domain::check::threshold::ThresholdState;
use crate::domain::check::verdict::{CheckVerdict, Evaluation, evaluate};
use crate::domain::history::latency::RecentLatency;
use crate::domain::history::ledger::{Ledger, LedgerChanges, Validity};
use crate::domain::history::memory_chart::MemoryChart;
use crate::domain::history::recent_probes::RecentProbes;
use crate::domain::report::exit_matching::InstanceExit;
use crate::domain::report::last_report::{LastReport, ReportDelta, SampleRun};
use crate::domain::report::restart::{MAX_RESTARTS, UptimeReading};
use crate::domain::report::restart_gap::GAP_RATE;
use crate::domain::report::verification::VerifiedReport;
use crate::domain::snapshot::ExitSummary;
use crate::monitor_config::Monitor;

/// One monitor: its persisted state, its ledger, its charts and its incident.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorState {
    /// The part that changes with every probe.
    pub persisted: PersistedState,
    /// Which state held when.
    pub ledger: Ledger,
    /// Memory over the last day.
    pub memory_chart: MemoryChart,
    /// Latencies of the last day.
    pub recent_latency: RecentLatency,
    /// The latency of each probe of about the last day.
    pub recent_probes: RecentProbes,
    /// The incident that is open or closed last.
    pub incidents: IncidentTracker,
    /// The samples of the last minutes, for the recording before an incident.
    pub recent_runs: VecDeque<SampleRun>,
    /// The last verdicts from other regions. They are not stored, as the next probe brings them again.
    pub region_verdicts: Vec<RegionVerdict>,
}

/// The circumstances of a probe that do not come from the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickContext {
    /// The tick's instant.
    pub at: UnixMillis,
    /// Whether the monitor is under announced maintenance.
    pub under_maintenance: bool,
    /// Nothing is probed more often than this at present.
    pub min_interval: Duration,
}

/// How a probe changed a monitor.
#[derive(Clone, Debug, PartialEq)]
pub struct StateUpdate {
    /// The verdict and the figures.
    pub evaluation: Evaluation,
    /// The changes of the ledger, for the store.
    pub changes: LedgerChanges,
    /// Whether another process responded than before.
    pub restarted: bool,
    /// What is new in the report, if the response was signed.
    pub delta: ReportDelta,
}

impl MonitorState {
    /// Applies the result of a probe.
    pub fn apply_probe(
        &mut self,
        monitor: &Monitor,
        probe: &ProbeResult,
        context: TickContext,
    ) -> StateUpdate {
        let TickContext { at, under_maintenance, min_interval } = context;
        let mut evaluation = evaluate(monitor, &probe.result);
        self.region_verdicts.retain(|region| monitor.regions.contains(&region.region));
        if let Ok(ProbeResponse { domain: Some(domain), .. }) = &probe.result {
            self.persisted.domain = Some(domain.clone());
        }
        let was_up = self.ledger.was_up();
        evaluation.verdict = settle_own_zone(evaluation.verdict, was_up);
        for region in &mut self.region_verdicts {
            region.verdict = region.verdict.map(|verdict| settle_own_zone(verdict, was_up));
        }
        evaluation.verdict = combine_verdicts(evaluation.verdict, &self.region_verdicts);
        self.persisted.verdict = Some(evaluation.verdict);
        self.persisted.schedule.record_result(at, evaluation.verdict.skipped());
        let is_offline = evaluation.verdict == CheckVerdict::Skipped(ProbeSkipped::EdgeOffline);
        self.persisted.offline_since = is_offline.then(|| self.persisted.offline_since.unwrap_or(at));
        let Some(result) = evaluation.verdict.check_result() else {
            let changes = if evaluation.verdict == CheckVerdict::Skipped(ProbeSkipped::NoHeartbeatYet) {
                self.forget_state(
                    at,
                    schedule::validity(monitor.interval.max(min_interval)),
                    under_maintenance,
                )
            } else {
                self.ledger.expire(at)
            };
            return StateUpdate { evaluation, changes, restarted: false, delta: ReportDelta::default() };
        };
        if !under_maintenance {
            let was_under_maintenance =
                self.ledger.current_entry(at).is_some_and(|entry| entry.state == State::Maintenance);
            let gap = self.ledger.is_expired(at) || was_under_maintenance;
            self.persisted.threshold = self.persisted.threshold.next(result, gap, monitor.thresholds);
        }
        let state = if under_maintenance { State::Maintenance } else { self.persisted.threshold.state() };
        let until = at.plus(schedule::validity(monitor.interval.max(min_interval)));
        let mut changes = self.ledger.record_state(Validity { at, until }, state);
        self.persisted.validity = self.ledger.validity();
        self.persisted.flaps.get_or_insert_default().record_state(state, at);
        self.persisted.latency_ms = evaluation.latency_ms;
        self.add_latency(at, &evaluation);
        let (mut restarted, mut delta) = (false, ReportDelta::default());
        if let Some(health) = evaluation.health {
            self.persisted.memory = Some((health.memory, at));
            let uptime = UptimeReading { at: probe.received, uptime: health.uptime };
            let report = probe.result.as_ref().ok().and_then(|response| response.report.as_deref());
            if let Some(report) = report {
                (restarted, delta) = self.apply_report(report, at);
                self.persisted.uptime = Some(uptime);
                for gap in &delta.gaps {
                    let Ok(reached) = GAP_RATE.admit(self.persisted.recorded_gaps, at) else { break };
                    self.persisted.recorded_gaps = Some(reached);
                    changes = changes.followed_by(self.ledger.amend(*gap));
                }
            } else {
                restarted = self.apply_uptime(uptime, at);
            }
            self.add_memory(at, health.memory, &delta.runs);
        }
        StateUpdate { evaluation, changes, restarted, delta }
    }

    /// Forgets the state of a job that was added again or rescheduled: nothing is known of it from `at` on, but that maintenance is
    /// announced for it.
    fn forget_state(&mut self, at: UnixMillis, validity: Duration, under_maintenance: bool) -> LedgerChanges {
        self.persisted.threshold = ThresholdState::default();
        let state = if under_maintenance { State::Maintenance } else { State::Unobserved };
        let before = self.ledger.current_entry(at).map_or(State::Unobserved, |entry| entry.state);
        if before == State::Unobserved && state == before {
            return self.ledger.expire(at);
        }
        let changes = self.ledger.record_state(Validity { at, until: at.plus(validity) }, state);
        self.persisted.validity = self.ledger.validity();
        changes
    }

    /// Applies a signed report. Returns whether it is from another instance than the last, and what is new in it.
    fn apply_report(&mut self, verified: &VerifiedReport, at: UnixMillis) -> (bool, ReportDelta) {
        let state = &mut self.persisted;
        let (report, delta) = LastReport::from_report(state.last_report.as_ref(), verified, at);
        let restarted = !delta.restarts.is_empty();
        for started in &delta.restarts {
            push_bounded(&mut state.restarts, *started);
        }
        state.book_exits(&delta.exits);
        if state.last_exit.is_none() && !restarted {
            // The exit of an instance before the first report.
            state.last_exit = verified.report.previous_exit.clone().map(|previous| {
                let at = UnixMillis(previous.at.0.saturating_add(report.clock_shift));
                ExitSummary::from(&Exit { at, ..previous })
            });
        }
        let comparison = state.version_comparison.get_or_insert_default();
        let is_own = |run: &&SampleRun| run.instance == report.instance;
        let of_previous = delta.runs.iter().find(|run| !is_own(run));
        if let (Some(last), Some(run)) = (&state.last_report, of_previous) {
            comparison.add_samples(last, Some(run));
        }
        comparison.add_samples(&report, delta.runs.iter().find(is_own));
        state.started = Some(report.started);
        state.last_report = Some(report);
        (restarted, delta)
    }

    /// Applies the uptime of an unsigned response. Returns whether it is that of another process than before.
    fn apply_uptime(&mut self, reading: UptimeReading, at: UnixMillis) -> bool {
        let state = &mut self.persisted;
        let started = at.minus(Duration::from_secs(reading.uptime));
        let restarted = state.uptime.is_some_and(|before| reading.restarted_since(before));
        if restarted {
            push_bounded(&mut state.restarts, started);
        }
        if restarted || state.started.is_none() {
            state.started = Some(started);
        }
        state.uptime = Some(reading);
        restarted
    }

    /// Adds memory figures to the chart: every sample of a report, or else those of the response.
    pub fn add_memory(&mut self, at: UnixMillis, memory: HealthMemory, runs: &[SampleRun]) {
        if runs.is_empty() {
            self.memory_chart.add(at, memory);
        }
        for run in runs {
            self.recent_runs.push_back(run.clone());
            let oldest = at.minus(RECORDING_LENGTH.saturating_mul(2));
            self.recent_runs.retain(|run| run.series.samples.last().is_some_and(|last| last.at >= oldest));
            for sample in &run.series.samples {
                self.memory_chart.add(sample.at, sample.to_health_memory());
            }
        }
    }

    /// Adds the latency of the tick at `at`, if there was a response.
    pub fn add_latency(&mut self, at: UnixMillis, evaluation: &Evaluation) {
        self.recent_probes.add(at, evaluation);
        if let Some(ms) = evaluation.latency_ms {
            self.recent_latency.add(at, ms);
        }
    }

    /// Since when the monitor flaps.
    pub fn flapping_since(&self) -> Option<UnixMillis> {
        self.persisted.flaps.as_ref()?.since
    }
}

impl PersistedState {
    /// Books exits, each under its restart. One that became known late may be older than those that are booked.
    fn book_exits(&mut self, exits: &[InstanceExit]) {
        for InstanceExit { exit, restarted } in exits {
            let &Exit { at, kind, sure, .. } = exit;
            let records = self.exits.get_or_insert_default();
            push_bounded(records, ExitRecord { at, kind, sure, restarted: Some(*restarted) });
            records.make_contiguous().sort_by_key(|record| record.at);
            if kind.is_failure() {
                let crashes = self.crashes.get_or_insert_default();
                push_bounded(crashes, at);
                crashes.make_contiguous().sort();
            }
            if self.last_exit.as_ref().is_none_or(|last| last.at <= at) {
                self.last_exit = Some(ExitSummary::from(exit));
            }
        }
    }
}

/// Appends an item and removes the oldest beyond [`MAX_RESTARTS`].
fn push_bounded<T>(list: &mut VecDeque<T>, item: T) {
    list.push_back(item);
    while list.len() > MAX_RESTARTS {
        list.pop_front();
    }
}
