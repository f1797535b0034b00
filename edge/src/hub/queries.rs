//! Queries about monitors.
//!
//! Only the owner sees a monitor that is not public: every public response is built from [`ConfigState::public_monitors`].

use std::rc::Rc;
use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};

use super::applied::read_applied;
use super::config_state::ConfigState;
use super::engine_state::EngineState;
use super::error::HubResult;
use super::membership_state::{MembershipState, entries_of_hub};
use super::outbox::Outbox;
use super::quota_meter::QuotaMeter;
use super::store_handle::StoreHandle;
use crate::domain::check::schedule;
use crate::domain::engine::Engine;
use crate::domain::history::latency_series::LatencySeriesBuilder;
use crate::domain::maintenance::MaintenanceWindow;
use crate::domain::snapshot::StatusSnapshot;
use crate::hub_api::{Audience, HubError, TimeRange};
use crate::monitor_config::{ConfigProblem, MONITORS_PER_HUB, Monitor, MonitorConfig, MonitorId};
use crate::platform::clock::wall_clock;
use crate::view::{
    DayView, LatencyHistoryView, MemoryHistoryView, MonitorDetailView, MonitorView, StatusView, Timestamp,
    TrafficView, UptimeHistoryView, VersionsView,
};

/// The default window of memory.
const MEMORY_WINDOW: Duration = Duration::from_secs(3 * 3600);

/// The default window of latency.
const LATENCY_WINDOW: Duration = Duration::from_secs(24 * 3600);

const HOUR_MS: i64 = 3_600_000;

/// Answers queries about monitors.
#[derive(Clone, Debug)]
pub(super) struct Queries {
    pub(super) config: Rc<ConfigState>,
    pub(super) membership: Rc<MembershipState>,
    pub(super) engine: Rc<EngineState>,
    pub(super) outbox: Rc<Outbox>,
    pub(super) quota: Rc<QuotaMeter>,
    pub(super) store: StoreHandle,
}

impl Queries {
    /// Returns the status of all monitors.
    pub(super) fn status(&self, audience: Audience) -> HubResult<StatusView> {
        Ok(match audience {
            Audience::Public => StatusView::public(&self.snapshot_of(&self.config.public_monitors()?)?),
            Audience::Owner => self.owners_status()?,
        })
    }

    /// Returns the status with what only the owner may see.
    fn owners_status(&self) -> HubResult<StatusView> {
        let config = self.config.monitors()?;
        let mut status = StatusView::from(&self.snapshot_of(&config)?);
        let engine = self.engine.loaded()?;
        for view in &mut status.monitors {
            let monitor = config.monitors.iter().find(|monitor| monitor.id.as_str() == view.id);
            let report = monitor.and_then(|monitor| engine.last_report(&monitor.id));
            view.traffic = report.and_then(|report| report.traffic.as_ref()).map(TrafficView::from);
        }
        Ok(status)
    }

    /// Returns the status of a hub that does not respond: its monitors, without a state.
    pub(super) fn status_of_silent(&self, hub: usize, audience: Audience) -> HubResult<StatusView> {
        let fixed = &self.config.settings().config;
        let list = entries_of_hub(&self.config.applied_in_all_hubs()?, &*self.membership.current()?, hub);
        let mut monitors = read_applied(
            &list,
            true,
            fixed,
            MONITORS_PER_HUB + fixed.monitors.len(),
            &self.config.settings().applied_secrets,
        )
        .monitors;
        monitors.retain(|monitor| monitor.public || audience == Audience::Owner);
        let count = monitors.len();
        let mut snapshot =
            Engine::default().snapshot(&MonitorConfig { monitors, problems: Vec::new() }, wall_clock());
        snapshot.is_silent_hub = true;
        snapshot.notices.push(Statement::hub_unresponsive(count as u64));
        Ok((&snapshot).into())
    }

    /// Returns the present snapshot of the monitors of `config`.
    pub(super) fn snapshot_of(&self, config: &MonitorConfig) -> HubResult<StatusSnapshot> {
        let mut snapshot = self.engine.loaded()?.snapshot(config, wall_clock());
        snapshot.problems.extend(self.outbox.list_problems(snapshot.now)?);
        let unreadable = self.store.opened()?.unreadable().into_iter();
        snapshot.problems.extend(unreadable.map(|(table, rows)| ConfigProblem {
            position: format!("store.{table}"),
            reason: format!(
                "{rows} stored rows cannot be read and are left out; import an export of a time when they could be read"
            ),
        }));
        let of_space = self.store.opened()?.list_space_problems().into_iter();
        snapshot
            .problems
            .extend(of_space.map(|reason| ConfigProblem { position: "store".to_owned(), reason }));
        snapshot.failing_channels = self.outbox.count_failing()?;
        let announced = self.config.announced_maintenance(snapshot.now)?;
        snapshot.maintenance =
            announced.into_iter().filter_map(|window| restrict_to(window, config)).collect();
        snapshot.usage = self.quota.usage();
        snapshot.notices.extend(snapshot.usage.throttle_notice());
        Ok(snapshot)
    }

    /// Returns one monitor, and the instant of its last update.
    pub(super) fn monitor_detail(&self, id: &MonitorId) -> HubResult<MonitorDetailView> {
        let config = select_monitors(&self.config.public_monitors()?, |it| it.id == *id);
        let snapshot = self.snapshot_of(&config)?;
        let monitor = snapshot.monitors.first().map(MonitorView::from).ok_or_else(monitor_not_found)?;
        Ok(MonitorDetailView { updated: snapshot.updated.map(Timestamp), monitor })
    }

    /// Returns the uptime of a monitor in a window that ends now.
    pub(super) fn uptime(&self, id: &MonitorId, window_ms: u64) -> HubResult<UptimeHistoryView> {
        self.public_monitor(id)?;
        let engine = self.engine.loaded()?;
        let statistics =
            engine.window_statistics(id, Duration::from_millis(window_ms), engine.clock(wall_clock()));
        Ok(UptimeHistoryView::new(id.as_str(), &statistics))
    }

    /// Returns the memory of a monitor.
    pub(super) fn memory(&self, id: &MonitorId, range: TimeRange) -> HubResult<MemoryHistoryView> {
        self.public_monitor(id)?;
        let (window, last) = self.window(range, MEMORY_WINDOW)?;
        let (tier, line) = self.store.opened()?.memory(id, window, last)?;
        Ok(MemoryHistoryView::new(id.as_str(), tier, window, &line))
    }

    /// Returns the latency of a monitor.
    pub(super) fn latency(&self, id: &MonitorId, range: TimeRange) -> HubResult<LatencyHistoryView> {
        let monitor = self.public_monitor(id)?;
        let (window, last) = self.window(range, LATENCY_WINDOW)?;
        self.latency_in(&monitor, window, last, false)
    }

    /// Returns the latency of a monitor in a window of two instants; `last` is the last tick. For a `chart` it is downsampled to as
    /// many rows as a chart shows.
    pub(super) fn latency_in(
        &self,
        monitor: &Monitor,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
        chart: bool,
    ) -> HubResult<LatencyHistoryView> {
        let floor = self.quota.min_interval();
        let mut series = LatencySeriesBuilder::new(schedule::validity(monitor.interval.max(floor)));
        if chart {
            series.downsample(window);
        }
        let (from, to) = window;
        let history = self.engine.loaded()?.probe_history(&monitor.id);
        if history.shows(window, chart) {
            for probe in history.probes.between(from, to) {
                series.push(probe.at, &[probe.latency_ms]);
            }
        } else {
            series.switch_to_hours();
            for (at, figures) in self.store.opened()?.latency_hours(&monitor.id, window)? {
                series.push(at, &figures);
            }
            let present = UnixMillis(last.0 - last.0.rem_euclid(HOUR_MS));
            if let Some(hour) = history.probes.summarize(present, to).filter(|_| present >= from) {
                series.push(present, &hour);
            }
        }
        Ok(LatencyHistoryView::new(monitor.id.as_str(), window, series.finish()))
    }

    /// Returns the last 90 days of a monitor.
    pub(super) fn days(&self, id: &MonitorId) -> HubResult<Vec<DayView>> {
        self.public_monitor(id)?;
        let engine = self.engine.loaded()?;
        Ok(engine.days(id, engine.clock(wall_clock())).iter().map(DayView::from).collect())
    }

    /// Returns the memory of the present version of a monitor and of the one before.
    pub(super) fn versions(&self, id: &MonitorId) -> HubResult<VersionsView> {
        self.public_monitor(id)?;
        Ok(VersionsView::new(id.as_str(), self.engine.loaded()?.version_comparison(id)))
    }

    fn public_monitor(&self, id: &MonitorId) -> HubResult<Monitor> {
        let config = self.config.monitors()?;
        let mut monitors = config.monitors.iter().filter(|monitor| monitor.public);
        monitors.find(|monitor| monitor.id == *id).cloned().ok_or_else(monitor_not_found)
    }

    /// Returns the window of `range`, which has the length `default` unless it is given, and the instant of the last tick.
    fn window(
        &self,
        range: TimeRange,
        default: Duration,
    ) -> HubResult<((UnixMillis, UnixMillis), UnixMillis)> {
        let engine = self.engine.loaded()?;
        let now = engine.clock(wall_clock());
        let to = range.to.unwrap_or(now);
        let from = range.from.unwrap_or_else(|| to.minus(default));
        Ok(((from, to), engine.last_tick().map_or(now, |last| last.at)))
    }
}

/// Returns the error for a monitor that does not exist or is not public.
pub(super) fn monitor_not_found() -> HubError {
    HubError::NotFound("monitor".to_owned())
}

/// Returns the configuration with some of its monitors.
pub(super) fn select_monitors(config: &MonitorConfig, which: impl Fn(&Monitor) -> bool) -> MonitorConfig {
    let mut config = config.clone();
    config.monitors.retain(which);
    config
}

/// Returns a maintenance window with only the monitors of `config`; `None` if it has none of them.
fn restrict_to(mut window: MaintenanceWindow, config: &MonitorConfig) -> Option<MaintenanceWindow> {
    if let Some(ids) = &mut window.monitors {
        ids.retain(|id| config.monitors.iter().any(|monitor| monitor.id == *id));
    }
    window.monitors.as_ref().is_none_or(|ids| !ids.is_empty()).then_some(window)
}
