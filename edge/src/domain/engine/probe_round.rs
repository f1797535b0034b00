//! A round of probes: which monitors the engine wants to be probed in a tick, and what it learns from the attempts.

use heapbeat_shared::UnixMillis;

use super::Engine;
use crate::domain::State;
use crate::domain::check::outcome::ProbeResult;
use crate::domain::check::probe_schedule::AttemptOutcome;
use crate::domain::check::request_plan::{ProbeDemand, RoundBudget, plan_requests};
use crate::domain::check::schedule;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::monitor_state::PersistedState;
use crate::monitor_config::{Monitor, MonitorConfig, MonitorId, MonitorKind};

/// A monitor that is to be probed.
#[derive(Clone, Debug)]
pub struct PlannedProbe<'c> {
    /// The monitor.
    pub monitor: &'c Monitor,
    /// The requests that are kept for it.
    pub requests: u32,
    /// Whether a failure may wait for another round if there is no request left for the retry that the monitor asks for.
    pub may_owe_retry: bool,
}

/// The monitors that a tick probes.
#[derive(Clone, Debug, Default)]
pub struct ProbeRound<'c> {
    /// The monitors to be probed, in their order.
    pub probes: Vec<PlannedProbe<'c>>,
    /// The monitors that are due, and for which there is no room.
    pub left_out: Vec<MonitorId>,
    /// The regions that are asked.
    pub regions: Vec<&'static str>,
    /// The requests that are left for all.
    pub spare: u32,
}

/// The attempt to probe a monitor in one round.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAttempt {
    /// The monitor's id.
    pub monitor: MonitorId,
    /// How it ended, as far as the schedule is concerned.
    pub outcome: AttemptOutcome,
    /// The result, if there is one.
    pub result: Option<ProbeResult>,
}

impl ProbeAttempt {
    /// The attempt of a monitor that was not probed.
    pub fn not_started(monitor: MonitorId, outcome: AttemptOutcome) -> Self {
        ProbeAttempt { monitor, outcome, result: None }
    }
}

impl Engine {
    /// Plans the round of the tick of `now`. The monitors that have waited longest come first; see
    /// [`ProbeSchedule::precedence`](crate::domain::check::probe_schedule::ProbeSchedule::precedence).
    pub fn plan_round<'c>(
        &self,
        config: &'c MonitorConfig,
        now: UnixMillis,
        budget: RoundBudget,
    ) -> ProbeRound<'c> {
        let unknown = PersistedState::default();
        let mut due = Vec::new();
        for monitor in config.monitors.iter().filter(|monitor| monitor.kind() != MonitorKind::Heartbeat) {
            let persisted = self.monitors.get(&monitor.id).map_or(&unknown, |state| &state.persisted);
            let interval = monitor.interval.max(self.min_interval);
            let last = persisted.validity.map(|validity| validity.at);
            if schedule::is_due(monitor.id.as_str(), last, interval, now) {
                let healthy = persisted.verdict == Some(CheckVerdict::Up);
                due.push((
                    persisted.schedule.precedence(interval, healthy, now),
                    monitor,
                    persisted.schedule,
                ));
            }
        }
        // The sort is stable, so monitors of equal precedence keep the order of the configuration.
        due.sort_by_key(|(precedence, ..)| *precedence);
        let demand = |monitor: &'c Monitor, requests| ProbeDemand { requests, regions: &monitor.regions };
        let demands: Vec<_> =
            due.iter().map(|(_, monitor, schedule)| demand(monitor, schedule.demand())).collect();
        let plan = plan_requests(&demands, budget);
        let planned = |&(index, requests): &(usize, u32)| {
            let (_, monitor, schedule) = due.get(index)?;
            let is_down = self.monitors.get(&monitor.id).and_then(|state| state.ledger.current_entry(now));
            let is_down = is_down.is_some_and(|entry| entry.state == State::Down);
            Some(PlannedProbe { monitor, requests, may_owe_retry: !schedule.retry_owed && !is_down })
        };
        let id_of = |index: &usize| due.get(*index).map(|(_, monitor, _)| monitor.id.clone());
        ProbeRound {
            probes: plan.granted.iter().filter_map(planned).collect(),
            left_out: plan.left_out.iter().filter_map(id_of).collect(),
            regions: plan.regions,
            spare: plan.spare,
        }
    }

    /// Records how the attempts of the tick of `at` ended. Their results are applied by [`Engine::apply_tick`].
    pub fn record_attempts(&mut self, at: UnixMillis, attempts: &[ProbeAttempt]) {
        for attempt in attempts {
            let state = self.monitors.entry(attempt.monitor.clone()).or_default();
            state.persisted.schedule.record_attempt(at, attempt.outcome);
            if attempt.outcome.needs_follow_up() {
                // It is not the edge's connection that keeps it from being probed now.
                state.persisted.offline_since = None;
            }
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
