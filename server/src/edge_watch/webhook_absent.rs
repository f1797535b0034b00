//! Stands in for the sender of alerts in a build without the feature `webhook`. A configuration with a webhook is refused there,
//! so no sender is ever made.

use std::convert::Infallible;

use crate::config::Webhook;

/// An alert for the webhook.
#[derive(Debug)]
pub(super) struct WebhookMessage {
    pub(super) key: String,
    pub(super) body: String,
}

/// A sender that does not exist.
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
