//! The recipients of a turn: the owner's channels and the public's subscribers.

use std::time::Duration;

use super::channel::{Channel, ChannelId, ChannelKind};
use super::circuit::Obstacle;
use super::subscriber::Subscriber;
use crate::monitor_config::Monitor;

/// A recipient of messages, as it is in one turn.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'r> {
    kind: RecipientKind<'r>,
    /// Whether it has quiet hours now.
    pub(super) is_quiet: bool,
    /// Why it cannot be used as it is configured; `None` if it can.
    pub(super) obstacle: Option<Obstacle>,
}

#[derive(Clone, Copy, Debug)]
enum RecipientKind<'r> {
    Channel(&'r Channel),
    Subscriber(&'r Subscriber),
}

impl<'r> Recipient<'r> {
    /// A channel of the owner.
    pub fn channel(channel: &'r Channel, is_quiet: bool, obstacle: Option<Obstacle>) -> Self {
        Recipient { kind: RecipientKind::Channel(channel), is_quiet, obstacle }
    }

    /// A subscriber.
    pub fn subscriber(subscriber: &'r Subscriber) -> Self {
        Recipient { kind: RecipientKind::Subscriber(subscriber), is_quiet: false, obstacle: None }
    }

    /// The recipient's id.
    pub fn id(&self) -> &'r ChannelId {
        match self.kind {
            RecipientKind::Channel(channel) => &channel.id,
            RecipientKind::Subscriber(subscriber) => &subscriber.id,
        }
    }

    /// Whether it is a channel of the owner.
    pub(super) fn is_channel(&self) -> bool {
        matches!(self.kind, RecipientKind::Channel(_))
    }

    /// Whether it is notified of a monitor.
    pub(super) fn wants(&self, monitor: &Monitor) -> bool {
        match self.kind {
            RecipientKind::Channel(channel) => {
                monitor.alerts.as_ref().is_none_or(|ids| ids.contains(&channel.id))
            }
            RecipientKind::Subscriber(subscriber) => subscriber.wants(monitor),
        }
    }

    /// The time between two reminders.
    pub(super) fn reminder(&self) -> Option<Duration> {
        match self.kind {
            RecipientKind::Channel(channel) => channel.reminder,
            RecipientKind::Subscriber(_) => None,
        }
    }

    /// Whether its service keeps incidents by a key, so that each incident needs a message of its own.
    pub(super) fn keeps_incidents(&self) -> bool {
        match self.kind {
            RecipientKind::Channel(channel) => {
                matches!(channel.service, ChannelKind::Pagerduty | ChannelKind::Webhook { .. })
            }
            RecipientKind::Subscriber(_) => false,
        }
    }
}
