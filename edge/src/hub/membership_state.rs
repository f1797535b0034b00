//! The membership of the hub, which is loaded from the store when it is needed first.

use std::rc::Rc;

use serde_json::Value;

use super::error::HubResult;
use super::store_handle::{Cached, StoreHandle};
use crate::fleet::membership::Membership;
use crate::hub_api::{HubError, HubRequest};
use crate::store::Setting;

/// The stored [`Membership`].
#[derive(Debug)]
pub(super) struct MembershipState {
    store: StoreHandle,
    membership: Cached<Membership>,
}

impl MembershipState {
    /// Creates the state, which is loaded from `store`.
    pub(super) fn new(store: StoreHandle) -> Self {
        MembershipState { store, membership: Cached::default() }
    }

    /// Returns the hub's number, how many hubs there are, and which hub has which monitor.
    pub(super) fn current(&self) -> HubResult<Rc<Membership>> {
        self.membership
            .get_or_load(|| Ok(self.store.opened()?.setting(Setting::Membership)?.unwrap_or_default()))
    }

    /// Stores a changed membership.
    pub(super) fn save(&self, membership: Membership) -> HubResult<()> {
        self.store.opened()?.set(Setting::Membership, &membership)?;
        self.membership.set(membership);
        Ok(())
    }

    /// Marks all other hubs as out of sync.
    pub(super) fn mark_out_of_sync(&self) -> HubResult<()> {
        let mut membership = Membership::clone(&*self.current()?);
        membership.mark_out_of_sync();
        self.save(membership)
    }

    /// Stores whether some other hub lacks the present subscriptions. The only hub has no other.
    pub(super) fn set_subscriptions_changed(&self, has_changed: bool) -> HubResult<()> {
        let current = self.current()?;
        let has_changed = has_changed && current.hub_count > 1;
        if current.subscriptions_changed == has_changed {
            return Ok(());
        }
        self.save(Membership { subscriptions_changed: has_changed, ..Membership::clone(&current) })
    }

    /// Discards what is loaded, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        self.membership.invalidate();
    }

    /// Refuses a request that is for another hub, or for a hub that has not been assigned its monitors yet. `fixed` are the
    /// monitors of `wrangler.toml`, which belong to the first hub.
    pub(super) fn check_ownership(
        &self,
        request: &HubRequest,
        hub: usize,
        fixed: &crate::monitor_config::MonitorConfig,
    ) -> HubResult<()> {
        let membership = self.current()?;
        if membership.number != hub {
            return Err(HubError::NotFound("hub".to_owned()));
        }
        let (0, Some(monitor)) = (membership.number, request.monitor()) else { return Ok(()) };
        if fixed.monitors.iter().any(|it| it.id == *monitor) {
            return Ok(());
        }
        match membership.assignment.hub_of(monitor.as_str()).filter(|hub| *hub != 0) {
            Some(owner) => Err(HubError::OtherHub(owner)),
            None => Ok(()),
        }
    }
}

/// Returns the entries of a list that are assigned to a hub.
pub(super) fn entries_of_hub(list: &[Value], membership: &Membership, hub: usize) -> Vec<Value> {
    let owner = |entry: &Value| membership.assignment.hub_of(entry.get("id")?.as_str()?);
    list.iter().filter(|entry| owner(entry) == Some(hub)).cloned().collect()
}
