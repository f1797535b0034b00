//! Subscriptions of the public; read from the store the first time.
//!
//! That an address wants it was proven before (`web/routes/subscribe.rs`). Each hub has the whole list and notifies about its own
//! monitors; the first hub changes it.

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
    /// Most subscriptions; 0 where there are none.
    limit: usize,
    subscribers: Cached<Vec<Subscriber>>,
}

impl SubscriptionList {
    /// Reads from `store`.
    pub(super) fn new(store: StoreHandle, limit: usize) -> Self {
        SubscriptionList { store, limit, subscribers: Cached::default() }
    }

    /// The subscribers.
    pub(super) fn subscribers(&self) -> HubResult<Rc<Vec<Subscriber>>> {
        self.subscribers.get_or_load(|| {
            if self.limit == 0 {
                return Ok(Vec::new());
            }
            Ok(self.subscriptions()?.into_iter().filter_map(Subscriber::new).collect())
        })
    }

    /// The list as it is stored.
    pub(super) fn subscriptions(&self) -> HubResult<Vec<Subscription>> {
        Ok(self.store.get()?.setting(Setting::Subscriptions)?.unwrap_or_default())
    }

    /// The list without secrets.
    pub(super) fn view(&self) -> HubResult<SubscriptionsView> {
        let view = |one: &Subscriber| SubscriptionView {
            url: one.url().to_owned(),
            monitors: one.monitors().iter().map(ToString::to_string).collect(),
            push: one.browser_keys().is_some(),
        };
        Ok(SubscriptionsView { subscriptions: self.subscribers()?.iter().map(view).collect() })
    }

    /// Adds a subscription, in the place of an earlier one of the same address; says whether that changed anything.
    pub(super) fn add(&self, subscription: Subscription) -> HubResult<bool> {
        let before = self.subscriptions()?;
        let mut list: Vec<_> = before.iter().filter(|other| other.url != subscription.url).cloned().collect();
        if list.len() >= self.limit {
            return Err(HubError::Conflict("the limit of subscriptions is reached".to_owned()));
        }
        list.push(subscription);
        self.store(&before, &list)
    }

    /// Removes the subscription of an address; where a browser's keys are given, only if they are the right ones. Says whether
    /// that changed anything.
    pub(super) fn remove(&self, url: &str, browser_keys: Option<&str>) -> HubResult<bool> {
        let before = self.subscriptions()?;
        let matches = |other: &Subscription| {
            let known = other.browser_keys().unwrap_or_default();
            other.url == url
                && browser_keys
                    .is_none_or(|given| constant_time::is_equal(given.as_bytes(), known.as_bytes()))
        };
        let list: Vec<_> = before.iter().filter(|other| !matches(other)).cloned().collect();
        self.store(&before, &list)
    }

    /// Reads anew when it is needed next.
    pub(super) fn forget(&self) {
        self.subscribers.forget();
    }

    fn store(&self, before: &[Subscription], list: &[Subscription]) -> HubResult<bool> {
        if list == before {
            return Ok(false);
        }
        self.store.get()?.set(Setting::Subscriptions, &list)?;
        self.subscribers.forget();
        Ok(true)
    }
}
