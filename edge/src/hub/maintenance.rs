//! Announced maintenance: the entries of `wrangler.toml`, and the list that the owner set.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use serde_json::Value;

use super::Hub;
use super::error::HubResult;
use crate::config::maintenance;
use crate::config::maintenance::Maintenance;
use crate::config::{MonitorId, Problem};
use crate::domain::maintenance::{MaintenanceWindow, announced};
use crate::probe::{wall_clock, zone_offset};
use crate::store::Setting;
use crate::view::{MaintenanceListView, MaintenanceSetView};

/// The name of the list in positions.
const LIST: &str = "maintenance";

impl Hub {
    /// Everything that is announced; read from the store the first time.
    fn maintenance(&self) -> HubResult<Rc<Vec<Maintenance>>> {
        if let Some(list) = &*self.maintenance.borrow() {
            return Ok(Rc::clone(list));
        }
        let mut list = self.setup.maintenance.clone();
        list.extend(maintenance::read(LIST, &self.stored_maintenance()?).0);
        list.retain(|work| zone_offset(work.zone(), wall_clock()).is_some());
        let list = Rc::new(list);
        *self.maintenance.borrow_mut() = Some(Rc::clone(&list));
        Ok(list)
    }

    /// The list that the owner set, as it was written.
    pub(super) fn stored_maintenance(&self) -> HubResult<Vec<Value>> {
        Ok(self.store()?.setting(Setting::Maintenance)?.unwrap_or_default())
    }

    /// What is under way at `now`, or soon.
    pub(super) fn work(&self, now: UnixMillis) -> HubResult<Vec<MaintenanceWindow>> {
        Ok(announced(&self.maintenance()?, now, |zone, at| zone_offset(zone, at).unwrap_or(0)))
    }

    /// The list that the owner set.
    pub(super) fn maintenance_list(&self) -> HubResult<MaintenanceListView> {
        Ok(MaintenanceListView { maintenance: self.stored_maintenance()? })
    }

    /// Replaces the list, or says what is wrong with the new one.
    pub(super) async fn set_maintenance(&self, list: Vec<Value>) -> HubResult<MaintenanceSetView> {
        let (read, mut problems) = maintenance::read(LIST, &list);
        let (config, membership) = (self.config()?, self.membership()?);
        let watched = |id: &MonitorId| {
            config.monitors.iter().any(|monitor| monitor.id == *id)
                || membership.assignment.hub_of(id.as_str()).is_some()
        };
        problems.extend(wrong(&read, &self.setup.maintenance, watched));
        self.refuse_while_syncing()?;
        let applied = problems.is_empty();
        if applied {
            self.store()?.set(Setting::Maintenance, &list)?;
            *self.maintenance.borrow_mut() = None;
            self.mark_out_of_sync()?;
            self.sync_all_hubs().await?;
        }
        Ok(MaintenanceSetView { applied, problems })
    }
}

/// What the entries of a list cannot know by themselves.
fn wrong(read: &[Maintenance], fixed: &[Maintenance], watched: impl Fn(&MonitorId) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for work in read {
        let mut refuse = |reason| problems.push(Problem { position: format!("{LIST}.{}", work.id), reason });
        if fixed.iter().any(|other| other.id == work.id) {
            refuse("stands in wrangler.toml already; an id stands in one place".to_owned());
        }
        if zone_offset(work.zone(), wall_clock()).is_none() {
            refuse(format!("there is no time zone `{}`; one is Europe/Berlin", work.zone()));
        }
        for id in work.monitors.iter().flatten() {
            if !watched(id) {
                refuse(format!("names `{id}`, which is not watched"));
            }
        }
    }
    problems
}
