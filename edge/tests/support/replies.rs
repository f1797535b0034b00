//! What the edge learns from the services of a simulation in its own process.

use std::time::Duration;

use heapbeat_edge::notify::DeliveryResult;

use super::service::Service;

impl Service {
    /// Whether the service accepts messages.
    pub(crate) fn accepts(self) -> bool {
        matches!(self, Service::Works | Service::Mute)
    }

    /// What the edge learns of a message.
    pub(crate) fn result(self) -> DeliveryResult {
        match self {
            Service::Works => DeliveryResult::Accepted,
            Service::Fails => DeliveryResult::Failed(Some(500)),
            Service::Busy(seconds) => {
                DeliveryResult::Deferred(429, Some(Duration::from_secs(seconds.into())))
            }
            Service::Rejects => DeliveryResult::Rejected(404),
            Service::Mute => DeliveryResult::Failed(None),
            Service::Gone => DeliveryResult::Rejected(410),
        }
    }
}
