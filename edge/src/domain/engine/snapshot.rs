//! What of the board others see: the status, a monitor's past, its versions.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};

use super::Engine;
use crate::config::{Config, MonitorId};
use crate::domain::check::state::worst;
use crate::domain::history::days::Day;
use crate::domain::history::uptime;
use crate::domain::instant::rfc3339;
use crate::domain::monitor_state::{ExitRecord, MonitorState};
use crate::domain::quota::QuotaUsage;
use crate::domain::report::version_comparison::VersionComparison;
use crate::domain::snapshot::{StatusSnapshot, WindowUptime};

/// How a monitor did in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowStatistics {
    /// Its length; it ends now.
    pub window: Duration,
    /// Uptime and coverage.
    pub uptime: WindowUptime,
    /// Restarts that were seen, of the last twenty.
    pub restarts: usize,
    /// Mean observed time between them.
    pub between: Option<Duration>,
    /// Instances that ended without having been asked to, of the last twenty.
    pub crashes: usize,
    /// Mean observed time between those.
    pub between_crashes: Option<Duration>,
    /// The observed time of the window since the last of them; all of it where there was none.
    pub crash_free: Duration,
}

impl Engine {
    /// Memory of the present version of `monitor` and of the one before.
    pub fn growth(&self, monitor: &MonitorId) -> Option<&VersionComparison> {
        self.watched.get(monitor)?.memo.growth.as_ref()
    }

    /// How the last instances of `monitor` ended, oldest first.
    pub fn endings(&self, monitor: &MonitorId) -> Vec<ExitRecord> {
        let endings = self.watched.get(monitor).and_then(|watched| watched.memo.endings.as_ref());
        endings.into_iter().flatten().copied().collect()
    }

    /// What is known of a monitor's `window` that ends at `now`; nothing, where no tick has seen it yet.
    pub fn uptime(&self, monitor: &MonitorId, window: Duration, now: UnixMillis) -> WindowStatistics {
        let unseen = MonitorState::default();
        let watched = self.watched.get(monitor).unwrap_or(&unseen);
        let uptime = uptime::over("", window, watched.ledger.segments(now), now);
        let begin = now.minus(window);
        let restarts = watched.memo.restarts.iter().filter(|at| **at >= begin).count();
        let crashes = watched.memo.crashes.iter().flatten().filter(|at| **at >= begin);
        let (crashes, last) = crashes.fold((0, begin), |(count, last), at| (count + 1, last.max(*at)));
        let observed = uptime::observed(&uptime, window);
        let mean = |count: usize| observed.checked_div(u32::try_from(count).unwrap_or(u32::MAX));
        let since = now.since(last);
        let crash_free = uptime::observed(&uptime::over("", since, watched.ledger.segments(now), now), since);
        let (between, between_crashes) = (mean(restarts), mean(crashes));
        WindowStatistics { window, uptime, restarts, between, crashes, between_crashes, crash_free }
    }

    /// The last 90 days of `monitor` at `now`, oldest first.
    pub fn days(&self, monitor: &MonitorId, now: UnixMillis) -> Vec<Day> {
        self.watched.get(monitor).unwrap_or(&MonitorState::default()).days(now)
    }

    /// The notices about the monitoring itself.
    fn notices(&self, config: &Config) -> Vec<Statement> {
        let interrupted = config.monitors.iter().filter_map(|monitor| self.blind_since(&monitor.id)).min();
        interrupted.map(|since| Statement::monitoring_interrupted(&rfc3339(since))).into_iter().collect()
    }

    /// What the public sees when the edge's own clock says `wall`.
    pub fn view(&self, config: &Config, wall: UnixMillis) -> StatusSnapshot {
        let now = self.clock(wall);
        let nothing = MonitorState::default();
        let monitors: Vec<_> = config
            .monitors
            .iter()
            .map(|monitor| self.watched.get(&monitor.id).unwrap_or(&nothing).view(monitor, now))
            .collect();
        StatusSnapshot {
            state: worst(monitors.iter().map(|monitor| monitor.state)),
            now,
            updated: self.last.map(|last| last.at),
            monitors,
            problems: config.problems.clone(),
            notices: self.notices(config),
            work: Vec::new(),
            usage: QuotaUsage::default(),
        }
    }
}
