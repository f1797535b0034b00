//! Replaces the webhook sender in a build without the feature `webhook`. Such a build refuses a configuration with a webhook, so no
//! sender is ever created.

use std::convert::Infallible;

use crate::config::Webhook;

/// A message for the webhook.
#[derive(Debug)]
pub(super) struct WebhookMessage {
    pub(super) key: String,
    pub(super) body: String,
}

/// A sender that cannot be created.
#[derive(Debug)]
pub(super) struct WebhookSender(Infallible);

impl WebhookSender {
    pub(super) fn new(webhook: Webhook) -> Self {
        WebhookSender(webhook.unavailable())
    }

    pub(super) fn send(&self, WebhookMessage { key: _key, body: _body }: WebhookMessage) {
        match self.0 {}
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        match self.0 {}
    }
}
