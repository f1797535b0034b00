//! The subscriptions of the public, which are loaded from the store when they are needed first.
//!
//! Every address has confirmed its subscription before (`web/routes/subscribe.rs`). Each hub has the whole list and notifies about
//! its own monitors; the first hub changes it.

use std::rc::Rc;

use super::error::HubResult;
use super::store_handle::{Cached, StoreHandle};
use crate::domain::constant_time;
use crate::hub_api::HubError;
use crate::notify::Subscriber;
use crate::notify::subscriber::Subscription;
use crate::store::Setting;
use crate::view::{SubscriptionView, SubscriptionsView};

/// The stored subscriptions.
#[derive(Debug)]
pub(super) struct SubscriptionList {
    store: StoreHandle,
    /// The most subscriptions.
    limit: usize,
    subscribers: Cached<Vec<Subscriber>>,
}

impl SubscriptionList {
    /// Creates the list, which is loaded from `store`.
    pub(super) fn new(store: StoreHandle, limit: usize) -> Self {
        SubscriptionList { store, limit, subscribers: Cached::default() }
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
    pub(super) fn add(&self, subscription: Subscription) -> HubResult<bool> {
        let before = self.subscriptions()?;
        let mut list: Vec<_> = before.iter().filter(|other| other.url != subscription.url).cloned().collect();
        if list.len() >= self.limit {
            return Err(HubError::Conflict("the limit of subscriptions is reached".to_owned()));
        }
        list.push(subscription);
        self.store(&before, &list)
    }

    /// Removes the subscription of an address; if a browser's keys are given, only if they are those of the subscription. Returns
    /// whether the list changed.
    pub(super) fn remove(&self, url: &str, browser_keys: Option<&str>) -> HubResult<bool> {
        let before = self.subscriptions()?;
        let matches = |other: &Subscription| {
            let known = other.browser_keys().unwrap_or_default();
            other.url == url
                && browser_keys
                    .is_none_or(|given| constant_time::constant_time_eq(given.as_bytes(), known.as_bytes()))
        };
        let list: Vec<_> = before.iter().filter(|other| !matches(other)).cloned().collect();
        self.store(&before, &list)
    }

    /// Discards what is loaded, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        self.subscribers.invalidate();
    }

    fn store(&self, before: &[Subscription], list: &[Subscription]) -> HubResult<bool> {
        if list == before {
            return Ok(false);
        }
        self.store.opened()?.set(Setting::Subscriptions, &list)?;
        self.subscribers.invalidate();
        Ok(true)
    }
}
