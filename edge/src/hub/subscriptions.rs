//! Subscriptions of the public.
//!
//! That an address wants it was proven before (`routes/subscribe.rs`). The first hub keeps the list and notes that the others
//! have to take it over, which they do with the next tick; each hub notifies about its own monitors.

use std::rc::Rc;

use super::Hub;
use super::error::HubResult;
use crate::domain::constant_time;
use crate::fleet;
use crate::hub_api::{HubError, HubRequest};
use crate::notify::Subscriber;
use crate::notify::subscriber::Subscription;
use crate::store::Setting;
use crate::view::{SubscriptionView, SubscriptionsView};

impl Hub {
    /// The subscribers; read from the store the first time.
    pub(super) fn subscribers(&self) -> HubResult<Rc<Vec<Subscriber>>> {
        if let Some(subscribers) = &*self.subscribers.borrow() {
            return Ok(Rc::clone(subscribers));
        }
        let mut subscribers = Vec::new();
        if self.setup.subscriptions > 0 {
            subscribers.extend(self.subscriptions()?.into_iter().filter_map(Subscriber::new));
        }
        let subscribers = Rc::new(subscribers);
        *self.subscribers.borrow_mut() = Some(Rc::clone(&subscribers));
        Ok(subscribers)
    }

    /// The list as it is stored.
    pub(super) fn subscriptions(&self) -> HubResult<Vec<Subscription>> {
        Ok(self.store()?.setting(Setting::Subscriptions)?.unwrap_or_default())
    }

    /// The list without secrets.
    pub(super) fn subscriptions_view(&self) -> HubResult<SubscriptionsView> {
        let view = |one: &Subscriber| SubscriptionView {
            url: one.url().to_owned(),
            monitors: one.monitors().iter().map(ToString::to_string).collect(),
            push: one.browser().is_some(),
        };
        Ok(SubscriptionsView { subscriptions: self.subscribers()?.iter().map(view).collect() })
    }

    /// Adds a subscription, in the place of an earlier one of the same address.
    pub(super) fn subscribe(&self, subscription: Subscription) -> HubResult<()> {
        self.refuse_while_syncing()?;
        let before = self.subscriptions()?;
        let mut list: Vec<_> = before.iter().filter(|other| other.url != subscription.url).cloned().collect();
        if list.len() >= self.setup.subscriptions {
            return Err(HubError::Conflict("the limit of subscriptions is reached".to_owned()));
        }
        list.push(subscription);
        self.store_subscriptions(&before, &list)
    }

    /// Removes the subscription of an address; where a browser's keys are given, only if they are the right ones.
    pub(super) fn unsubscribe(&self, url: &str, browser_keys: Option<&str>) -> HubResult<()> {
        self.refuse_while_syncing()?;
        let before = self.subscriptions()?;
        let matches = |other: &Subscription| {
            let known = other.browser_keys().unwrap_or_default();
            other.url == url
                && browser_keys.is_none_or(|given| constant_time::equal(given.as_bytes(), known.as_bytes()))
        };
        let list: Vec<_> = before.iter().filter(|other| !matches(other)).cloned().collect();
        self.store_subscriptions(&before, &list)
    }

    fn store_subscriptions(&self, before: &[Subscription], list: &[Subscription]) -> HubResult<()> {
        if list != before {
            self.store()?.set(Setting::Subscriptions, &list)?;
            *self.subscribers.borrow_mut() = None;
            self.mark_out_of_sync()?;
        }
        Ok(())
    }

    /// Removes one subscription that has expired; again with the next tick, where the first hub does not answer.
    pub(super) async fn remove_expired_subscription(&self) -> HubResult<()> {
        let subscribers = self.subscribers()?;
        let gone = self.outbox.gone.take();
        let Some(one) = subscribers.iter().find(|one| gone.contains(&one.id)) else { return Ok(()) };
        let removed = if self.membership()?.number == 0 {
            self.unsubscribe(one.url(), None).is_ok()
        } else {
            let request = HubRequest::Unsubscribe { url: one.url().to_owned(), browser_keys: None };
            fleet::ask_each(&self.env, vec![(0, request)]).await.pop().is_some_and(|answer| answer.is_ok())
        };
        let mut left = self.outbox.gone.borrow_mut();
        left.extend(gone.into_iter().filter(|id| *id != one.id || !removed));
        Ok(())
    }
}
