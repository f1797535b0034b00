//! Changes of the lists that all hubs share, and their synchronization with the other hubs.
//!
//! The first hub stores a change before it sends it to any other hub. From then on the change is in force; to a hub that has not
//! stored its part, it is sent again with every tick.

use std::cell::RefCell;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use serde_json::Value;
use worker::Env;

use super::applied::read_applied;
use super::config_state::ConfigState;
use super::error::HubResult;
use super::membership_state::{MembershipState, entries_of_hub};
use super::store_handle::StoreHandle;
use super::subscription_list::{Changer, SubscriptionList};
use super::try_lock::TryLock;
use super::unknown_zones::remove_unknown_zones;
use crate::fleet;
use crate::fleet::assignment::Assignment;
use crate::fleet::membership::Membership;
use crate::fleet::subscription_round::SubscriptionRound;
use crate::hub_api::{HubAssignment, HubError, HubRequest};
use crate::monitor_config::MAX_MONITORS;
use crate::monitor_config::applied::{Applied, Difference};
use crate::notify::ChannelId;
use crate::notify::subscriber::Subscription;
use crate::settings::report_unknown_channels;
use crate::store::{Setting, encode_setting};
use crate::view::{AppliedMonitorsView, MaintenanceListView, MaintenanceResultView};

/// The lists of monitors, maintenance and subscriptions.
pub(super) struct SharedLists {
    env: Env,
    store: StoreHandle,
    config: Rc<ConfigState>,
    membership: Rc<MembershipState>,
    subscriptions: Rc<SubscriptionList>,
    /// Held while a change is sent to the other hubs.
    syncing: TryLock,
    /// The rounds in which changed subscriptions are sent to the other hubs; `None` until the membership is loaded.
    round: RefCell<Option<SubscriptionRound>>,
}

impl SharedLists {
    /// Creates the lists, which are changed in the parts of the hub that hold them.
    pub(super) fn new(
        env: Env,
        store: StoreHandle,
        config: Rc<ConfigState>,
        membership: Rc<MembershipState>,
        subscriptions: Rc<SubscriptionList>,
    ) -> Self {
        SharedLists {
            env,
            store,
            config,
            membership,
            subscriptions,
            syncing: TryLock::default(),
            round: RefCell::default(),
        }
    }

    /// Returns the applied monitors of all hubs, and the ids of those in `wrangler.toml`.
    pub(super) fn applied_monitors(&self) -> HubResult<AppliedMonitorsView> {
        let fixed = self.config.settings().config.monitors.iter().map(|monitor| monitor.id.to_string());
        Ok(AppliedMonitorsView { monitors: self.config.applied_in_all_hubs()?, wrangler: fixed.collect() })
    }

    /// Applies a list of monitors, unless it has problems or `dry_run` asks only for the difference.
    pub(super) async fn apply_monitors(&self, list: Vec<Value>, dry_run: bool) -> HubResult<Applied> {
        let settings = self.config.settings();
        let fixed = &settings.config;
        let mut wanted =
            read_applied(&list, settings.allow_private, fixed, MAX_MONITORS, &settings.applied_secrets);
        remove_unknown_zones(&mut wanted);
        report_unknown_channels(&mut wanted, &settings.channels);
        let warnings = self.config.warnings_of(&wanted.monitors);
        let mut problems = wanted.problems;
        let mut membership = Membership::clone(&*self.membership.current()?);
        if problems.is_empty() {
            // The assignment is empty as long as there is only one hub.
            if membership.assignment == Assignment::default() {
                membership.assignment = Assignment::to_first_hub(self.config.monitors()?.monitors.iter());
            }
            match membership.assignment.reassign(&fixed.monitors, &wanted.monitors) {
                Ok(assignment) => {
                    membership = Membership { hub_count: assignment.hub_count(), assignment, ..membership };
                }
                Err(problem) => problems.push(problem),
            }
        }
        self.refuse_while_syncing()?;
        if !problems.is_empty() {
            return Ok(Applied {
                applied: false,
                difference: Difference::default(),
                problems,
                warnings: Vec::new(),
            });
        }
        let difference = Difference::between(&self.config.applied_in_all_hubs()?, &list);
        if !dry_run {
            self.store_monitors(&list, membership).await?;
        }
        Ok(Applied { applied: !dry_run, difference, problems, warnings })
    }

    /// Returns the maintenance that the owner set.
    pub(super) fn maintenance(&self) -> HubResult<MaintenanceListView> {
        Ok(MaintenanceListView { maintenance: self.config.stored_maintenance()? })
    }

    /// Replaces the list of maintenance at `now`, unless the new one has problems.
    pub(super) async fn set_maintenance(
        &self,
        list: Vec<Value>,
        now: UnixMillis,
    ) -> HubResult<MaintenanceResultView> {
        let problems = self.config.maintenance_problems(&list, now)?;
        self.refuse_while_syncing()?;
        let applied = problems.is_empty();
        if applied {
            self.store.opened()?.set(Setting::Maintenance, &list)?;
            self.config.invalidate();
            self.membership.mark_out_of_sync()?;
            self.sync_all().await?;
        }
        Ok(MaintenanceResultView { applied, problems })
    }

    /// Adds a subscription at `now`. It is sent to the other hubs in rounds.
    pub(super) fn subscribe(&self, subscription: Subscription, now: UnixMillis) -> HubResult<()> {
        self.refuse_while_syncing()?;
        let client = subscription.client;
        if self.subscriptions.add(subscription, self.stranger(client, now)?)? {
            self.record_change()?;
        }
        Ok(())
    }

    /// Removes the subscription of an address, for a stranger of this network at this instant, or for the owner or a hub. The change is
    /// sent to the other hubs in rounds.
    pub(super) fn unsubscribe(
        &self,
        url: &str,
        browser_keys: Option<&str>,
        stranger: Option<(u16, UnixMillis)>,
    ) -> HubResult<()> {
        self.refuse_while_syncing()?;
        let by = match stranger {
            Some((client, now)) => self.stranger(client, now)?,
            None => Changer::Trusted,
        };
        if self.subscriptions.remove(url, browser_keys, by)? {
            self.record_change()?;
        }
        Ok(())
    }

    fn stranger(&self, client: u16, now: UnixMillis) -> HubResult<Changer> {
        Ok(Changer::Stranger { client, now, hub_count: self.membership.current()?.hub_count })
    }

    /// Records that the other hubs lack a change of the subscriptions.
    fn record_change(&self) -> HubResult<()> {
        self.with_round(SubscriptionRound::record_change)?;
        self.membership.set_subscriptions_changed(true)
    }

    /// Works with the rounds. A round that a restart of the hub has interrupted begins anew.
    fn with_round<T>(&self, work: impl FnOnce(&mut SubscriptionRound) -> T) -> HubResult<T> {
        let mut round = self.round.borrow_mut();
        if round.is_none() {
            let mut begun = SubscriptionRound::default();
            if self.membership.current()?.subscriptions_changed {
                begun.record_change();
            }
            *round = Some(begun);
        }
        Ok(work(round.get_or_insert_default()))
    }

    /// Whether the next tick sends subscriptions to another hub.
    pub(super) fn sends_subscriptions(&self, now: UnixMillis) -> HubResult<bool> {
        let hub_count = self.membership.current()?.hub_count;
        self.with_round(|round| round.next_hub(hub_count, now).is_some())
    }

    /// Sends the subscriptions to the hub whose turn it is, and returns how many requests were made.
    pub(super) async fn sync_subscriptions(&self, now: UnixMillis) -> HubResult<usize> {
        let hub_count = self.membership.current()?.hub_count;
        let Some(_guard) = self.syncing.try_lock() else { return Ok(0) };
        let Some(hub) = self.with_round(|round| round.next_hub(hub_count, now))? else { return Ok(0) };
        let results = self.send_assignments(&[hub]).await?;
        let is_settled = self.with_round(|round| {
            round.record_result(results.iter().all(Result::is_ok));
            round.is_settled()
        })?;
        if is_settled {
            self.membership.set_subscriptions_changed(false)?;
        }
        Ok(1)
    }

    /// Removes one of the `expired` subscriptions, and returns those that are left for the next tick.
    pub(super) async fn remove_expired(&self, expired: Vec<ChannelId>) -> HubResult<Vec<ChannelId>> {
        let subscribers = self.subscriptions.subscribers()?;
        let Some(one) = subscribers.iter().find(|one| expired.contains(&one.id)) else {
            return Ok(Vec::new());
        };
        let removed = if self.membership.current()?.number == 0 {
            self.unsubscribe(one.url(), None, None).is_ok()
        } else {
            let (url, client) = (one.url().to_owned(), None);
            let request = HubRequest::Unsubscribe { url, browser_keys: None, client };
            let results = fleet::request_each_hub(&self.env, vec![(0, request)]).await;
            // The first hub sends its list later.
            results.iter().all(Result::is_ok)
                && self.subscriptions.remove(one.url(), None, Changer::Trusted).is_ok()
        };
        Ok(expired.into_iter().filter(|id| *id != one.id || !removed).collect())
    }

    /// Sends their part to at most `limit` hubs that have not stored it yet, and returns to how many.
    pub(super) async fn sync_hubs(&self, limit: usize) -> HubResult<usize> {
        let mut membership = Membership::clone(&*self.membership.current()?);
        let Some(_guard) = self.syncing.try_lock().filter(|_| !membership.out_of_sync.is_empty()) else {
            return Ok(0);
        };
        let hubs: Vec<usize> = membership.out_of_sync.iter().copied().take(limit).collect();
        let results = self.send_assignments(&hubs).await?;
        let is_synced =
            |hub: &usize| hubs.iter().zip(&results).any(|(it, result)| it == hub && result.is_ok());
        membership.out_of_sync.retain(|hub| !is_synced(hub));
        self.membership.save(membership)?;
        Ok(hubs.len())
    }

    /// Sends their part of all lists to hubs, and returns the results in their order.
    async fn send_assignments(&self, hubs: &[usize]) -> HubResult<Vec<fleet::HubResult>> {
        let membership = self.membership.current()?;
        let (list, maintenance) = (self.config.applied_in_all_hubs()?, self.config.stored_maintenance()?);
        let subscriptions = self.subscriptions.subscriptions()?;
        let request = |hub: usize| {
            let assignment = HubAssignment {
                number: hub,
                hub_count: membership.hub_count,
                monitors: entries_of_hub(&list, &membership, hub),
                maintenance: maintenance.clone(),
                subscriptions: subscriptions.clone(),
            };
            (hub, HubRequest::Sync(assignment))
        };
        Ok(fleet::request_each_hub(&self.env, hubs.iter().copied().map(request).collect()).await)
    }

    /// Stores what the first hub assigned to this one.
    pub(super) fn store_assignment(&self, assignment: HubAssignment) -> HubResult<()> {
        let HubAssignment { number, hub_count, monitors, maintenance, subscriptions } = assignment;
        let membership = Membership { number, hub_count, ..Membership::default() };
        self.store.opened()?.set_all(vec![
            encode_setting(Setting::Monitors, &monitors)?,
            encode_setting(Setting::Membership, &membership)?,
            encode_setting(Setting::Maintenance, &maintenance)?,
            encode_setting(Setting::Subscriptions, &subscriptions)?,
        ])?;
        self.invalidate();
        Ok(())
    }

    /// Discards all lists, so that they are loaded again when they are needed next.
    pub(super) fn invalidate(&self) {
        self.config.invalidate();
        self.membership.invalidate();
        self.subscriptions.invalidate();
    }

    /// Stores a list of monitors with its assignment, and sends the other hubs their parts.
    async fn store_monitors(&self, list: &[Value], mut membership: Membership) -> HubResult<()> {
        membership.mark_out_of_sync();
        let all = match membership.hub_count {
            1 => (Setting::AllMonitors, None),
            _ => encode_setting(Setting::AllMonitors, &list)?,
        };
        self.store.opened()?.set_all(vec![
            encode_setting(Setting::Monitors, &entries_of_hub(list, &membership, 0))?,
            encode_setting(Setting::Membership, &membership)?,
            all,
        ])?;
        self.invalidate();
        self.sync_all().await
    }

    /// Refuses a change while an earlier one is sent to the other hubs.
    fn refuse_while_syncing(&self) -> HubResult<()> {
        let wait = "an earlier change is being sent to the other hubs; retry in a moment";
        if self.syncing.is_locked() { Err(HubError::Conflict(wait.to_owned())) } else { Ok(()) }
    }

    /// Sends all other hubs their parts. Fails if one of them did not store it.
    async fn sync_all(&self) -> HubResult<()> {
        self.sync_hubs(usize::MAX).await?;
        let left = &self.membership.current()?.out_of_sync;
        let Some(first) = left.first() else { return Ok(()) };
        Err(HubError::Unavailable(format!(
            "the change is in force, but {} of the hubs did not store it (first: hub-{first}); it is sent to them again with every tick, and may be repeated safely",
            left.len()
        )))
    }
}
