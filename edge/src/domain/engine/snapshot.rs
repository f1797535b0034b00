//! The read side of the engine: the status, the statistics of a monitor in a window, its versions and exits.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};

use super::Engine;
use super::unwatched::{Unwatched, unwatched_notices};
use crate::domain::check::state::overall;
use crate::domain::history::days::Day;
use crate::domain::history::uptime;
use crate::domain::instant::rfc3339;
use crate::domain::monitor_state::{ExitRecord, MonitorState};
use crate::domain::quota::QuotaUsage;
use crate::domain::report::version_comparison::VersionComparison;
use crate::domain::snapshot::{MonitorSnapshot, StatusSnapshot, WindowUptime};
use crate::monitor_config::{Monitor, MonitorConfig, MonitorId};

/// Uptime, restarts and crashes of a monitor in a window that ends now.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowStatistics {
    /// The window's length.
    pub window: Duration,
    /// Uptime and coverage.
    pub uptime: WindowUptime,
    /// The number of restarts, of the last twenty.
    pub restarts: usize,
    /// The mean observed time between restarts.
    pub mean_time_between_restarts: Option<Duration>,
    /// The number of instances that ended without a request to stop, of the last twenty.
    pub crashes: usize,
    /// The mean observed time between crashes.
    pub mean_time_between_crashes: Option<Duration>,
    /// The observed time of the window since the last crash; all of it if there was none.
    pub time_since_crash: Duration,
}

impl Engine {
    /// Memory of the present version of `monitor` and of the one before.
    pub fn version_comparison(&self, monitor: &MonitorId) -> Option<&VersionComparison> {
        self.monitors.get(monitor)?.persisted.version_comparison.as_ref()
    }

    /// How the last instances of `monitor` ended, oldest first.
    pub fn exits(&self, monitor: &MonitorId) -> Vec<ExitRecord> {
        let exits = self.monitors.get(monitor).and_then(|state| state.persisted.exits.as_ref());
        exits.into_iter().flatten().copied().collect()
    }

    /// The statistics of `monitor` in the `window` that ends at `now`. They are empty if it was never probed.
    pub fn window_statistics(
        &self,
        monitor: &MonitorId,
        window: Duration,
        now: UnixMillis,
    ) -> WindowStatistics {
        let unobserved = MonitorState::default();
        let state = self.monitors.get(monitor).unwrap_or(&unobserved);
        let in_window = |window| uptime::in_window("", window, state.ledger.segments(now), now);
        let uptime = in_window(window);
        let begin = now.minus(window);
        let restarts = state.persisted.restarts.iter().filter(|at| **at >= begin).count();
        let crashes = state.persisted.crashes.iter().flatten().filter(|at| **at >= begin);
        let (crashes, last_crash) = crashes.fold((0, begin), |(count, last), at| (count + 1, last.max(*at)));
        let observed = uptime::observed_time(&uptime, window);
        let mean = |count: usize| observed.checked_div(u32::try_from(count).unwrap_or(u32::MAX));
        let since_crash = now.since(last_crash);
        WindowStatistics {
            window,
            uptime,
            restarts,
            mean_time_between_restarts: mean(restarts),
            crashes,
            mean_time_between_crashes: mean(crashes),
            time_since_crash: uptime::observed_time(&in_window(since_crash), since_crash),
        }
    }

    /// The last 90 days of `monitor` at `now`, oldest first.
    pub fn days(&self, monitor: &MonitorId, now: UnixMillis) -> Vec<Day> {
        self.monitors.get(monitor).unwrap_or(&MonitorState::default()).days(now)
    }

    /// Notices about the monitoring itself.
    fn notices(&self, config: &MonitorConfig, unwatched: &[Unwatched<'_>]) -> Vec<Statement> {
        let offline = config.monitors.iter().filter_map(|monitor| self.offline_since(&monitor.id)).min();
        let offline = offline.map(|since| Statement::monitoring_interrupted(&rfc3339(since)));
        offline.into_iter().chain(unwatched_notices(unwatched)).collect()
    }

    /// The public status of the monitors of `config` when the edge's own clock is at `wall`. Maintenance and quota are added by
    /// the hub.
    pub fn snapshot(&self, config: &MonitorConfig, wall: UnixMillis) -> StatusSnapshot {
        let now = self.clock(wall);
        let unobserved = MonitorState::default();
        let unwatched = self.unwatched(config, now);
        let snapshot = |monitor: &Monitor| MonitorSnapshot {
            unwatched: unwatched.iter().any(|it| it.monitor.id == monitor.id),
            ..self.monitors.get(&monitor.id).unwrap_or(&unobserved).snapshot(monitor, now)
        };
        let monitors: Vec<_> = config.monitors.iter().map(snapshot).collect();
        StatusSnapshot {
            state: overall(monitors.iter().map(|monitor| monitor.state), !unwatched.is_empty()),
            now,
            updated: self.last_tick.map(|last| last.at),
            monitors,
            problems: config.problems.clone(),
            failing_channels: 0,
            notices: self.notices(config, &unwatched),
            is_silent_hub: false,
            maintenance: Vec::new(),
            usage: QuotaUsage::default(),
        }
    }
}
