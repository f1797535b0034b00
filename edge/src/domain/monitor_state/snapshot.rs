//! The read side of a monitor's state.

use heapbeat_shared::{Statement, UnixMillis};

use super::MonitorState;
use crate::domain::State;
use crate::domain::check::flap;
use crate::domain::history::days;
use crate::domain::history::days::Day;
use crate::domain::history::uptime;
use crate::domain::history::uptime::WINDOWS;
use crate::domain::snapshot::{ForecastSnapshot, MemorySnapshot, MonitorSnapshot};
use crate::monitor_config::Monitor;

impl MonitorState {
    /// The reason for the state at `now`. Once the last finding is no longer valid, it is no reason of anything; the reason is
    /// then what keeps the edge from probing.
    fn reason(&self, now: UnixMillis) -> Option<Statement> {
        if self.ledger.current_entry(now).is_some_and(|entry| entry.state == State::Maintenance) {
            return Some(Statement::under_maintenance());
        }
        if self.ledger.is_expired(now)
            && let Some(wait) = self.persisted.schedule.wait
        {
            return Some(wait.reason.statement());
        }
        let verdict = self.persisted.verdict?;
        if self.ledger.is_expired(now) && verdict.check_result().is_some() {
            return Some(Statement::no_recent_data());
        }
        verdict.statement().or_else(|| self.flapping_since().map(|_| flap::flapping_statement()))
    }

    /// The last 90 days at `now`, oldest first.
    pub fn days(&self, now: UnixMillis) -> Vec<Day> {
        days::days(self.ledger.segments(now), now)
    }

    /// Everything that a page or the API may show of the monitor at `now`.
    pub fn snapshot(&self, monitor: &Monitor, now: UnixMillis) -> MonitorSnapshot {
        let persisted = &self.persisted;
        let current = self.ledger.current_entry(now);
        let state = match current.map_or(State::Unobserved, |entry| entry.state) {
            State::Up if self.flapping_since().is_some() => State::Degraded,
            state => state,
        };
        MonitorSnapshot {
            id: monitor.id.as_str().to_owned(),
            name: monitor.name.clone(),
            group: monitor.group.clone(),
            state,
            since: current.map_or(now, |entry| entry.from),
            checked: persisted.validity.map(|validity| validity.at),
            unwatched: false,
            reason: self.reason(now),
            latency_ms: persisted.latency_ms,
            uptime: WINDOWS
                .iter()
                .map(|(name, window)| uptime::in_window(name, *window, self.ledger.segments(now), now))
                .collect(),
            latencies: self.recent_latency.points(now),
            days: self.days(now),
            memory: persisted.memory.map(|(figures, at)| MemorySnapshot {
                figures,
                limit: persisted.last_report.as_ref().map(|report| report.limit.to_megabytes()),
                pressure: persisted.last_report.as_ref().map(|report| report.pressure),
                at,
            }),
            started: persisted.started,
            restarts: persisted.restarts.iter().copied().collect(),
            last_exit: persisted.last_exit.clone(),
            forecast: persisted.last_report.as_ref().map(ForecastSnapshot::from),
            chart: self.memory_chart.points(now),
            region_verdicts: self.region_verdicts.clone(),
        }
    }
}
