//! The subscriptions of the public, which are loaded from the store when they are needed first.
//!
//! Every address has confirmed its subscription before (`web/routes/subscribe.rs`). Each hub has the whole list and notifies about
//! its own monitors; the first hub changes it.

use std::cell::RefCell;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;

use super::error::HubResult;
use super::store_handle::{Cached, StoreHandle};
use crate::domain::constant_time;
use crate::hub_api::HubError;
use crate::notify::Subscriber;
use crate::notify::subscriber::{Subscription, places_of_a_client};
use crate::notify::subscription_pace::SubscriptionPace;
use crate::store::Setting;
use crate::view::{SubscriptionView, SubscriptionsView};

/// The stored subscriptions.
#[derive(Debug)]
pub(super) struct SubscriptionList {
    store: StoreHandle,
    /// The most subscriptions.
    limit: usize,
    subscribers: Cached<Vec<Subscriber>>,
    pace: RefCell<SubscriptionPace>,
}

/// Who changes the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Changer {
    /// The owner, or a hub that removes what has expired.
    Trusted,
    /// Anybody, from the network of this hash, at this instant, in a deployment of so many hubs.
    Stranger { client: u16, now: UnixMillis, hub_count: usize },
}

impl SubscriptionList {
    /// Creates the list, which is loaded from `store`.
    pub(super) fn new(store: StoreHandle, limit: usize) -> Self {
        SubscriptionList { store, limit, subscribers: Cached::default(), pace: RefCell::default() }
    }

    /// Returns the subscribers; none if subscriptions are disabled.
    pub(super) fn subscribers(&self) -> HubResult<Rc<Vec<Subscriber>>> {
        self.subscribers.get_or_load(|| {
            if self.limit == 0 {
                return Ok(Vec::new());
            }
            Ok(self.subscriptions()?.into_iter().filter_map(Subscriber::new).collect())
        })
    }

    /// Returns the list as it is stored.
    pub(super) fn subscriptions(&self) -> HubResult<Vec<Subscription>> {
        Ok(self.store.opened()?.setting(Setting::Subscriptions)?.unwrap_or_default())
    }

    /// Returns the list without secrets.
    pub(super) fn view(&self) -> HubResult<SubscriptionsView> {
        let view = |one: &Subscriber| SubscriptionView {
            url: one.url().to_owned(),
            monitors: one.monitors().iter().map(ToString::to_string).collect(),
            push: one.browser_keys().is_some(),
        };
        Ok(SubscriptionsView { subscriptions: self.subscribers()?.iter().map(view).collect() })
    }

    /// Adds a subscription, or replaces the one of the same address. Returns whether the list changed.
    pub(super) fn add(&self, subscription: Subscription, by: Changer) -> HubResult<bool> {
        let before = self.subscriptions()?;
        let mut list: Vec<_> = before.iter().filter(|other| other.url != subscription.url).cloned().collect();
        if list.len() >= self.limit {
            return Err(HubError::Conflict("the limit of subscriptions is reached".to_owned()));
        }
        let same_client = list.iter().filter(|other| other.client == subscription.client).count();
        let places = places_of_a_client(self.limit, list.len() - same_client);
        // Who has a place keeps it, however full the list has become.
        let is_renewal =
            before.iter().any(|other| (&other.url, other.client) == (&subscription.url, subscription.client));
        if subscription.client != 0 && !is_renewal && same_client >= places {
            return Err(HubError::Conflict(
                "this network has as many subscriptions as one may have".to_owned(),
            ));
        }
        list.push(subscription);
        self.store(&before, &list, by)
    }

    /// Removes the subscription of an address; if a browser's keys are given, only if they are those of the subscription. Returns
    /// whether the list changed.
    pub(super) fn remove(&self, url: &str, browser_keys: Option<&str>, by: Changer) -> HubResult<bool> {
        let before = self.subscriptions()?;
        let matches = |other: &Subscription| {
            let known = other.browser_keys().unwrap_or_default();
            other.url == url
                && browser_keys
                    .is_none_or(|given| constant_time::constant_time_eq(given.as_bytes(), known.as_bytes()))
        };
        let list: Vec<_> = before.iter().filter(|other| !matches(other)).cloned().collect();
        self.store(&before, &list, by)
    }

    /// Discards what is loaded, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        self.subscribers.invalidate();
    }

    fn store(&self, before: &[Subscription], list: &[Subscription], by: Changer) -> HubResult<bool> {
        if list == before {
            return Ok(false);
        }
        if let Changer::Stranger { client, now, hub_count } = by {
            let counted = self.pace.borrow_mut().count_change(client, now, hub_count);
            counted.map_err(|wait| HubError::TooMany { retry_after_seconds: wait.as_secs().max(1) })?;
        }
        self.store.opened()?.set(Setting::Subscriptions, &list)?;
        self.subscribers.invalidate();
        Ok(true)
    }
}
