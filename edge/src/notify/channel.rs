//! The owner's alert channels: `[[vars.ALERTS]]`, which names Worker secrets and never holds them.

mod parse;

use std::time::Duration;

use super::quiet_hours::QuietHours;
use crate::monitor_config::{ConfigProblem, MonitorId, SecretName};

pub use parse::ChannelError;

/// The id of a channel, written like that of a monitor.
pub type ChannelId = MonitorId;

/// The maximum number of channels.
const MAX_CHANNELS: usize = 20;

/// One alert channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The channel's unique id.
    pub id: ChannelId,
    /// The service that delivers.
    pub service: ChannelKind,
    /// The Worker secret with the address, key or token.
    pub secret: SecretName,
    /// The time between two reminders of an open incident; `None` means that there are none.
    pub reminder: Option<Duration>,
    /// The service's address, if it is not the usual one.
    pub endpoint: Option<String>,
    /// The hours in which only outages are notified.
    pub quiet: Option<QuietHours>,
}

/// The service of a channel, with its settings beside the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// A URL that accepts a POST; the secret is the URL.
    Webhook {
        /// The body, with placeholders such as `{{title}}` and `{{text}}`; `None` for heapbeat's own JSON.
        template: Option<String>,
    },
    /// An incoming webhook; the secret is its URL.
    Slack,
    /// A webhook; the secret is its URL.
    Discord,
    /// A bot; the secret is its token.
    Telegram {
        /// The chat's number, or `@name`.
        chat: String,
    },
    /// Events API v2; the secret is the integration's key.
    Pagerduty,
    /// ntfy; the secret is an access token.
    Ntfy {
        /// The topic.
        topic: String,
    },
    /// Resend's HTTP API; the secret is its key.
    Email {
        /// The sender, of a domain that Resend has verified.
        from: String,
        /// The receivers.
        to: Vec<String>,
    },
}

impl ChannelKind {
    /// Returns the name in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            ChannelKind::Webhook { .. } => "webhook",
            ChannelKind::Slack => "slack",
            ChannelKind::Discord => "discord",
            ChannelKind::Telegram { .. } => "telegram",
            ChannelKind::Pagerduty => "pagerduty",
            ChannelKind::Ntfy { .. } => "ntfy",
            ChannelKind::Email { .. } => "email",
        }
    }

    /// Whether the secret is an address.
    pub const fn has_address(&self) -> bool {
        matches!(self, ChannelKind::Webhook { .. } | ChannelKind::Slack | ChannelKind::Discord)
    }
}

/// All channels, and the problems of those that were rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// The valid channels.
    pub list: Vec<Channel>,
    /// The problems of rejected entries.
    pub problems: Vec<ConfigProblem>,
}

impl Channels {
    /// Returns the channel with this id.
    pub fn find(&self, id: &ChannelId) -> Option<&Channel> {
        self.list.iter().find(|channel| channel.id == *id)
    }
}

#[cfg(test)]
mod tests;
