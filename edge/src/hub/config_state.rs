//! The current configuration: what is in `wrangler.toml`, and what the owner applied.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use serde_json::Value;
use worker::console_warn;

use super::applied::read_applied;
use super::error::HubResult;
use super::membership_state::MembershipState;
use super::store_handle::{Cached, StoreHandle};
use super::unknown_zones::remove_unknown_zones;
use crate::domain::maintenance::{MaintenanceWindow, announced_windows};
use crate::monitor_config::maintenance;
use crate::monitor_config::maintenance::Maintenance;
use crate::monitor_config::{ConfigProblem, MONITORS_PER_HUB, Monitor, MonitorConfig, MonitorId, VARIABLE};
use crate::platform::clock::wall_clock;
use crate::platform::intl::zone_offset;
use crate::settings::{
    WorkerSettings, report_shared_secret, report_unknown_channels, report_unusable_secrets,
};
use crate::store::Setting;

/// The name of the list of maintenance in positions.
const MAINTENANCE: &str = "maintenance";

/// Monitors and maintenance, which are loaded from the store when they are needed first.
#[derive(Debug)]
pub(super) struct ConfigState {
    settings: Rc<WorkerSettings>,
    store: StoreHandle,
    membership: Rc<MembershipState>,
    monitors: Cached<MonitorConfig>,
    maintenance: Cached<Vec<Maintenance>>,
}

impl ConfigState {
    /// Creates the state; what is applied is loaded from `store`.
    pub(super) fn new(
        settings: Rc<WorkerSettings>,
        store: StoreHandle,
        membership: Rc<MembershipState>,
    ) -> Self {
        let (monitors, maintenance) = (Cached::default(), Cached::default());
        ConfigState { settings, store, membership, monitors, maintenance }
    }

    /// Returns the settings of the Worker.
    pub(super) fn settings(&self) -> &WorkerSettings {
        &self.settings
    }

    /// Returns all monitors of this hub.
    pub(super) fn monitors(&self) -> HubResult<Rc<MonitorConfig>> {
        self.monitors.get_or_load(|| {
            let mut config = self.with_applied(&self.applied()?, self.membership.current()?.number == 0);
            let stored = maintenance::parse_windows(MAINTENANCE, &self.stored_maintenance()?).0;
            for (list, windows) in
                [(maintenance::MAINTENANCE, &self.settings.maintenance), (MAINTENANCE, &stored)]
            {
                for window in windows {
                    let unknown = self.unknown_monitors(list, window, &config)?;
                    config.problems.extend(unknown);
                }
            }
            for problem in &config.problems {
                console_warn!("config: {}: {}", problem.position, problem.reason);
            }
            Ok(config)
        })
    }

    /// Returns the public monitors. The problems are those of all monitors; only their number is public.
    pub(super) fn public_monitors(&self) -> HubResult<MonitorConfig> {
        let mut config = MonitorConfig::clone(&*self.monitors()?);
        config.monitors.retain(|monitor| monitor.public);
        Ok(config)
    }

    /// Returns the applied entries of this hub's monitors, as the owner wrote them.
    pub(super) fn applied(&self) -> HubResult<Vec<Value>> {
        Ok(self.store.opened()?.setting(Setting::Monitors)?.unwrap_or_default())
    }

    /// Returns the applied entries of all hubs' monitors.
    pub(super) fn applied_in_all_hubs(&self) -> HubResult<Vec<Value>> {
        match self.store.opened()?.setting(Setting::AllMonitors)? {
            Some(list) => Ok(list),
            None => self.applied(),
        }
    }

    /// Returns the entries of maintenance that the owner set, as they were written.
    pub(super) fn stored_maintenance(&self) -> HubResult<Vec<Value>> {
        Ok(self.store.opened()?.setting(Setting::Maintenance)?.unwrap_or_default())
    }

    /// Returns the maintenance that is under way at `now`, and the next of each entry.
    pub(super) fn announced_maintenance(&self, now: UnixMillis) -> HubResult<Vec<MaintenanceWindow>> {
        let list = self.maintenance.get_or_load(|| {
            let mut list = self.settings.maintenance.clone();
            list.extend(maintenance::parse_windows(MAINTENANCE, &self.stored_maintenance()?).0);
            list.retain(|window| zone_offset(window.zone(), wall_clock()).is_some());
            Ok(list)
        })?;
        Ok(announced_windows(&list, now, |zone, at| zone_offset(zone, at).unwrap_or(0)))
    }

    /// Returns the problems of a list of maintenance that the owner sets at `now`.
    pub(super) fn maintenance_problems(
        &self,
        entries: &[Value],
        now: UnixMillis,
    ) -> HubResult<Vec<ConfigProblem>> {
        let (list, mut problems) = maintenance::parse_windows(MAINTENANCE, entries);
        let (config, stored) = (self.monitors()?, self.stored_maintenance()?);
        let kept = maintenance::parse_windows(MAINTENANCE, &stored).0;
        for window in &list {
            problems.extend(self.unknown_monitors(MAINTENANCE, window, &config)?);
            let position = format!("{MAINTENANCE}.{}", window.id);
            let mut refuse = |reason| problems.push(ConfigProblem { position: position.clone(), reason });
            // The whole list is set each time, so a window that was set before it was over may stay in it.
            if window.is_over(now) && !kept.contains(window) {
                refuse("is over already; set times that are not past, or remove it".to_owned());
            }
            if self.settings.maintenance.iter().any(|other| other.id == window.id) {
                refuse("is in wrangler.toml already; an id must be unique".to_owned());
            }
            if zone_offset(window.zone(), wall_clock()).is_none() {
                refuse(format!("there is no time zone `{}`; one is Europe/Berlin", window.zone()));
            }
        }
        Ok(problems)
    }

    /// Returns a problem for each monitor that a window names and that neither `config` nor another hub has. Only the first hub knows
    /// the monitors of all.
    fn unknown_monitors(
        &self,
        list: &str,
        window: &Maintenance,
        config: &MonitorConfig,
    ) -> HubResult<Vec<ConfigProblem>> {
        let membership = self.membership.current()?;
        let is_known = |id: &MonitorId| {
            config.monitors.iter().any(|monitor| monitor.id == *id)
                || membership.assignment.hub_of(id.as_str()).is_some()
        };
        let unknown = window.monitors.iter().flatten().filter(|id| membership.number == 0 && !is_known(id));
        let problem = |id: &MonitorId| ConfigProblem {
            position: format!("{list}.{}.monitors", window.id),
            reason: format!("names the monitor `{id}`, which does not exist"),
        };
        Ok(unknown.map(problem).collect())
    }

    /// Discards what is loaded, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        self.monitors.invalidate();
        self.maintenance.invalidate();
    }

    /// Returns what keeps monitors that are to be applied from being probed as they say.
    pub(super) fn warnings_of(&self, applied: &[Monitor]) -> Vec<ConfigProblem> {
        let mut config = MonitorConfig { monitors: applied.to_vec(), problems: Vec::new() };
        report_unusable_secrets(&mut config, &self.settings.secrets);
        config.monitors.extend(self.settings.config.monitors.iter().cloned());
        report_shared_secret(&mut config, &self.settings.secrets);
        config
            .problems
            .retain(|problem| applied.iter().any(|monitor| monitor.id.as_str() == problem.position));
        config.problems
    }

    /// Returns the configuration with the applied entries of `list`. The monitors of `wrangler.toml` belong to the `first` hub.
    fn with_applied(&self, list: &[Value], first: bool) -> MonitorConfig {
        let fixed = &self.settings.config;
        let room = if first { MONITORS_PER_HUB } else { MONITORS_PER_HUB + fixed.monitors.len() };
        let mut applied =
            read_applied(list, self.settings.allow_private, fixed, room, &self.settings.applied_secrets);
        report_unusable_secrets(&mut applied, &self.settings.secrets);
        report_unknown_channels(&mut applied, &self.settings.channels);
        let mut config = if first { fixed.clone() } else { MonitorConfig::default() };
        // An empty list in wrangler.toml is not a problem if monitors were applied.
        if config.monitors.is_empty() && !applied.monitors.is_empty() {
            config.problems.retain(|problem| problem.position != VARIABLE);
        }
        config.monitors.extend(applied.monitors);
        config.problems.extend(applied.problems);
        remove_unknown_zones(&mut config);
        report_shared_secret(&mut config, &self.settings.secrets);
        config
    }
}
