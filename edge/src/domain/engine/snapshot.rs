//! The read side of the engine: the status, the statistics of a monitor in a window, its versions and exits.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};

use super::Engine;
use super::unwatched::{Unwatched, unwatched_notices};
use crate::domain::check::state::overall;
use crate::domain::history::days::Day;
use crate::domain::history::recent_probes::RecentProbes;
use crate::domain::history::uptime;
use crate::domain::instant::rfc3339;
use crate::domain::monitor_state::{ExitRecord, MonitorState};
use crate::domain::quota::QuotaUsage;
use crate::domain::report::version_comparison::VersionComparison;
use crate::domain::snapshot::{MonitorSnapshot, StatusSnapshot, WindowUptime};
use crate::monitor_config::{ConfigProblem, Monitor, MonitorConfig, MonitorId};

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

/// The probes of a monitor that are in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeHistory {
    /// The probes.
    pub probes: RecentProbes,
    /// Since when they are complete; `None` before the first tick.
    pub complete_since: Option<UnixMillis>,
    /// Whether they are all probes that there ever were.
    pub is_everything: bool,
}

impl ProbeHistory {
    /// The longest window that is shown by probe: as long as the ring of ticks at one tick per minute.
    const LONGEST: Duration = Duration::from_secs(26 * 3600);

    /// Whether a window is shown by probe, and not by hour. A `chart` of a history that has everything shows each probe of its first day.
    pub fn shows(&self, (from, to): (UnixMillis, UnixMillis), chart: bool) -> bool {
        let reaches = self.complete_since.is_some_and(|since| since <= from);
        to.since(from) <= Self::LONGEST && (reaches || (chart && self.is_everything))
    }
}

impl Engine {
    /// Returns the probes of `monitor` that are in memory.
    pub fn probe_history(&self, monitor: &MonitorId) -> ProbeHistory {
        let probes = self.monitors.get(monitor).map(|state| state.recent_probes.clone()).unwrap_or_default();
        let cut_at = probes.cut_at();
        ProbeHistory {
            complete_since: cut_at.max(self.first_tick),
            is_everything: cut_at.is_none() && !self.lost_ticks,
            probes,
        }
    }

    /// Memory of the present version of `monitor` and of the one before.
    pub fn version_comparison(&self, monitor: &MonitorId) -> Option<&VersionComparison> {
        self.monitors.get(monitor)?.persisted.version_comparison.as_ref()
    }

    /// How the last instances of `monitor` ended, oldest first.
    pub fn exits(&self, monitor: &MonitorId) -> Vec<ExitRecord> {
        let exits = self.monitors.get(monitor).and_then(|state| state.persisted.exits.as_ref());
        exits.into_iter().flatten().copied().collect()
    }

    /// Returns when `monitor` was first observed; `None` if it never was.
    pub fn first_observed(&self, monitor: &MonitorId, now: UnixMillis) -> Option<UnixMillis> {
        let first = self.monitors.get(monitor)?.ledger.segments(now).next();
        first.map(|segment| segment.from)
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
        let mean = |count: usize| uptime.observed.checked_div(u32::try_from(count).unwrap_or(u32::MAX));
        WindowStatistics {
            window,
            restarts,
            mean_time_between_restarts: mean(restarts),
            crashes,
            mean_time_between_crashes: mean(crashes),
            time_since_crash: in_window(now.since(last_crash)).observed,
            uptime,
        }
    }

    /// The last 90 days of `monitor` at `now`, oldest first.
    pub fn days(&self, monitor: &MonitorId, now: UnixMillis) -> Vec<Day> {
        self.monitors.get(monitor).unwrap_or(&MonitorState::default()).days(now)
    }

    /// The domains whose expiration nobody knows, for the owner.
    fn domain_problems(&self, config: &MonitorConfig) -> Vec<ConfigProblem> {
        let problem = |monitor: &Monitor| {
            let domain = monitor.observed_domain()?;
            let since = self.domain_record(&domain).and_then(|record| record.failing_since)?;
            let reason = format!(
                "the expiration of the domain `{domain}` cannot be looked up by RDAP since {}; without a date, conditions on \
                 [DOMAIN_EXPIRATION] are not judged",
                rfc3339(since)
            );
            Some(ConfigProblem { position: monitor.id.as_str().to_owned(), reason })
        };
        config.monitors.iter().filter_map(problem).collect()
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
            problems: config.problems.iter().cloned().chain(self.domain_problems(config)).collect(),
            failing_channels: 0,
            notices: self.notices(config, &unwatched),
            is_silent_hub: false,
            maintenance: Vec::new(),
            usage: QuotaUsage::default(),
        }
    }
}
