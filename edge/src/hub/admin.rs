//! The configuration: the monitors of `wrangler.toml` and those that were applied; and what jobs report.

use std::rc::Rc;

use serde_json::Value;
use worker::console_warn;

use super::Hub;
use super::applied::read_applied;
use super::error::HubResult;
use crate::config::applied::{Applied, Difference};
use crate::config::{A_HUB, Config, Kind, MOST_MONITORS, MonitorId};
use crate::domain::heartbeat::{JobSignal, JobStates};
use crate::fleet::assignment::Assignment;
use crate::fleet::membership::Membership;
use crate::hub_api::HubError;
use crate::platform::env;
use crate::probe::wall_clock;
use crate::store::Setting;
use crate::view::AppliedMonitorsView;

impl Hub {
    /// The monitors of `wrangler.toml` and those that were applied; read from the store the first time.
    pub(super) fn config(&self) -> HubResult<Rc<Config>> {
        if let Some(config) = &*self.config.borrow() {
            return Ok(Rc::clone(config));
        }
        let config = Rc::new(self.with_applied(&self.applied()?, self.membership()?.number == 0));
        for problem in &config.problems {
            console_warn!("config: {}: {}", problem.position, problem.reason);
        }
        *self.config.borrow_mut() = Some(Rc::clone(&config));
        Ok(config)
    }

    /// What stands in `wrangler.toml` is the first hub's.
    fn with_applied(&self, list: &[Value], first: bool) -> Config {
        let fixed = &self.setup.config;
        let room = if first { A_HUB } else { A_HUB + fixed.monitors.len() };
        let applied = read_applied(list, self.setup.allow_private, fixed, room);
        let mut config = if first { fixed.clone() } else { Config::default() };
        // That nothing stands in wrangler.toml is no mistake where something was applied.
        if config.monitors.is_empty() && !applied.monitors.is_empty() {
            config.problems.clear();
        }
        config.monitors.extend(applied.monitors);
        config.problems.extend(applied.problems);
        super::zone_check::refuse_unknown(&mut config);
        config
    }

    pub(super) fn applied(&self) -> HubResult<Vec<Value>> {
        Ok(self.store()?.setting(Setting::Monitors)?.unwrap_or_default())
    }

    /// Puts a list in force, or says what is wrong with it or what it would change.
    pub(super) async fn apply_monitors(&self, list: Vec<Value>, dry_run: bool) -> HubResult<Applied> {
        let fixed = &self.setup.config;
        let mut wanted = read_applied(&list, self.setup.allow_private, fixed, MOST_MONITORS);
        super::zone_check::refuse_unknown(&mut wanted);
        env::check_channels(&mut wanted, &self.setup.channels);
        let mut problems = wanted.problems;
        let mut membership = Membership::clone(&*self.membership()?);
        if problems.is_empty() {
            // As long as there is one hub only, nothing is assigned.
            if membership.assignment == Assignment::default() {
                membership.assignment = Assignment::at_the_first(self.config()?.monitors.iter());
            }
            match membership.assignment.next(&fixed.monitors, &wanted.monitors) {
                Ok(assignment) => {
                    membership = Membership { hub_count: assignment.hubs(), assignment, ..membership };
                }
                Err(problem) => problems.push(problem),
            }
        }
        self.refuse_while_syncing()?;
        if !problems.is_empty() {
            return Ok(Applied { applied: false, difference: Difference::default(), problems });
        }
        let difference = Difference::between(&self.all_monitors()?, &list);
        if !dry_run {
            self.put_in_force(list, membership).await?;
        }
        Ok(Applied { applied: !dry_run, difference, problems })
    }

    /// The applied list as it was written, and the ids that `wrangler.toml` has.
    pub(super) fn applied_monitors(&self) -> HubResult<AppliedMonitorsView> {
        let fixed = self.setup.config.monitors.iter().map(|monitor| monitor.id.to_string());
        Ok(AppliedMonitorsView { monitors: self.all_monitors()?, wrangler: fixed.collect() })
    }

    /// What every job has said; read from the store the first time.
    pub(super) fn beats(&self) -> HubResult<Rc<JobStates>> {
        if let Some(beats) = &*self.beats.borrow() {
            return Ok(Rc::clone(beats));
        }
        let beats = Rc::new(self.store()?.heartbeats()?);
        *self.beats.borrow_mut() = Some(Rc::clone(&beats));
        Ok(beats)
    }

    /// Takes in what a job reports.
    pub(super) fn record_heartbeat(&self, id: MonitorId, signal: JobSignal) -> HubResult<()> {
        let config = self.config()?;
        let mut jobs = config.monitors.iter().filter(|monitor| monitor.kind() == Kind::Heartbeat);
        if !jobs.any(|monitor| monitor.id == id) {
            return Err(HubError::NotFound("heartbeat".to_owned()));
        }
        let now = self.board()?.clock(wall_clock());
        let mut beats = JobStates::clone(&*self.beats()?);
        let beat = beats.get(&id).copied().unwrap_or_default().hear(signal, now);
        self.store()?.record_heartbeat(&id, &beat)?;
        beats.insert(id, beat);
        *self.beats.borrow_mut() = Some(Rc::new(beats));
        Ok(())
    }
}
