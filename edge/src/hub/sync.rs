//! Keeping the other hubs in sync: the first hub hands each of them its part of the lists.
//!
//! The first hub stores the whole lists and the assignment before it tells any other hub. From then on the change is in force;
//! a hub that does not take over its part is told again with every tick.

use std::rc::Rc;

use serde_json::Value;

use super::applied::read_applied;
use super::error::HubResult;
use super::{Hub, Turn};
use crate::config::{A_HUB, Config};
use crate::domain::engine::Engine;
use crate::fleet;
use crate::fleet::membership::Membership;
use crate::hub_api::{Audience, HubAssignment, HubError, HubRequest};
use crate::probe::wall_clock;
use crate::store::{Setting, change};
use crate::view::StatusView;

impl Hub {
    /// What the hub knows of the others; read from the store the first time.
    pub(super) fn membership(&self) -> HubResult<Rc<Membership>> {
        if let Some(membership) = &*self.membership.borrow() {
            return Ok(Rc::clone(membership));
        }
        let membership: Rc<Membership> =
            Rc::new(self.store()?.setting(Setting::Membership)?.unwrap_or_default());
        *self.membership.borrow_mut() = Some(Rc::clone(&membership));
        Ok(membership)
    }

    /// All monitors that were applied, those of the other hubs among them.
    pub(super) fn all_monitors(&self) -> HubResult<Vec<Value>> {
        match self.store()?.setting(Setting::AllMonitors)? {
            Some(list) => Ok(list),
            None => self.applied(),
        }
    }

    /// Stores a list with its assignment, and hands the other hubs their parts.
    pub(super) async fn put_in_force(&self, list: Vec<Value>, mut membership: Membership) -> HubResult<()> {
        membership.mark_out_of_sync();
        let all = match membership.hub_count {
            1 => (Setting::AllMonitors, None),
            _ => change(Setting::AllMonitors, &list)?,
        };
        self.store()?.set_all(vec![
            change(Setting::Monitors, &part(&list, &membership, 0))?,
            change(Setting::Membership, &membership)?,
            all,
        ])?;
        self.forget();
        self.sync_all_hubs().await
    }

    /// Refuses a change while the other hubs are being told of an earlier one.
    pub(super) fn refuse_while_syncing(&self) -> HubResult<()> {
        let wait = "the other hubs are being told of an earlier change; try again in a moment";
        if self.telling.get() { Err(HubError::Conflict(wait.to_owned())) } else { Ok(()) }
    }

    /// Notes that the other hubs have to take over a change.
    pub(super) fn mark_out_of_sync(&self) -> HubResult<()> {
        let mut membership = Membership::clone(&*self.membership()?);
        membership.mark_out_of_sync();
        self.store_membership(membership)
    }

    /// Hands all other hubs their parts. An error where one of them did not take it over.
    pub(super) async fn sync_all_hubs(&self) -> HubResult<()> {
        self.sync_hubs(usize::MAX).await?;
        let left = &self.membership()?.out_of_sync;
        let Some(first) = left.first() else { return Ok(()) };
        Err(HubError::Unavailable(format!(
            "the change is in force, but {} of the hubs did not take it over, hub-{first} the first of them; they are told with every tick, and sending it again does no harm",
            left.len()
        )))
    }

    /// Hands those their part who have not taken it over yet, so many at most; gives how many there were.
    pub(super) async fn sync_hubs(&self, most: usize) -> HubResult<usize> {
        let mut membership = Membership::clone(&*self.membership()?);
        let Some(_turn) = Turn::begin(&self.telling).filter(|_| !membership.out_of_sync.is_empty()) else {
            return Ok(0);
        };
        let (list, maintenance) = (self.all_monitors()?, self.stored_maintenance()?);
        let subscriptions = self.subscriptions()?;
        let hubs: Vec<usize> = membership.out_of_sync.iter().copied().take(most).collect();
        let request = |hub: usize| {
            let assignment = HubAssignment {
                number: hub,
                hub_count: membership.hub_count,
                monitors: part(&list, &membership, hub),
                maintenance: maintenance.clone(),
                subscriptions: subscriptions.clone(),
            };
            (hub, HubRequest::Sync(assignment))
        };
        let requests = hubs.iter().copied().map(request).collect();
        let answers = fleet::ask_each(&self.env, requests).await;
        let taken = |hub: &usize| hubs.iter().zip(&answers).any(|(it, answer)| it == hub && answer.is_ok());
        membership.out_of_sync.retain(|hub| !taken(hub));
        self.store_membership(membership)?;
        Ok(hubs.len())
    }

    fn store_membership(&self, membership: Membership) -> HubResult<()> {
        self.store()?.set(Setting::Membership, &membership)?;
        *self.membership.borrow_mut() = Some(Rc::new(membership));
        Ok(())
    }

    /// Takes over what the first hub assigned.
    pub(super) fn take_assignment(&self, assignment: HubAssignment) -> HubResult<()> {
        let HubAssignment { number, hub_count, monitors, maintenance, subscriptions } = assignment;
        let membership = Membership { number, hub_count, ..Membership::default() };
        self.store()?.set_all(vec![
            change(Setting::Monitors, &monitors)?,
            change(Setting::Membership, &membership)?,
            change(Setting::Maintenance, &maintenance)?,
            change(Setting::Subscriptions, &subscriptions)?,
        ])?;
        self.forget();
        Ok(())
    }

    /// What is shown of a hub that does not answer: its monitors, of which nothing is known.
    pub(super) fn status_of_silent(&self, hub: usize, audience: Audience) -> HubResult<StatusView> {
        let fixed = &self.setup.config;
        let list = part(&self.all_monitors()?, &*self.membership()?, hub);
        let mut monitors = read_applied(&list, true, fixed, A_HUB + fixed.monitors.len()).monitors;
        monitors.retain(|monitor| monitor.public || audience == Audience::Owner);
        let count = monitors.len();
        let mut snapshot = Engine::default().view(&Config { monitors, problems: Vec::new() }, wall_clock());
        snapshot.notices.push(format!(
            "A part of the edge that watches {count} of the monitors does not answer: nothing is known of them at the moment."
        ));
        Ok((&snapshot).into())
    }
}

/// The part of a list that is a hub's.
fn part(list: &[Value], membership: &Membership, hub: usize) -> Vec<Value> {
    let owner = |entry: &Value| membership.assignment.hub_of(entry.get("id")?.as_str()?);
    list.iter().filter(|entry| owner(entry) == Some(hub)).cloned().collect()
}
