//! The text of a message, whichever service delivers it.

mod batch;
mod text;
mod unwatched;

use heapbeat_shared::UnixMillis;

use self::text::{describe_incident, title_of_incident};
use super::circuit::Circuit;
use crate::domain::incident::notification::NotificationReason;
use crate::domain::incident::{Incident, Severity};
use crate::domain::instant::{format_duration_english, rfc3339};

pub use self::batch::MessagePart;
use self::text::one_line;
pub use self::unwatched::{UnwatchedNews, WatchEnd};

/// One message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The idempotency key: the same for every attempt to say the same, another for everything else.
    pub key: String,
    /// The incident's id, by which services identify their own incident; empty for a message about many.
    pub incident: String,
    /// The monitor's id; empty for a message about many, or about none.
    pub monitor: String,
    /// The monitor's display name.
    pub name: String,
    /// The reason for the message.
    pub event: MessageEvent,
    /// The severity that the message is about; of what is over the worst.
    pub severity: Severity,
    /// One line: `API is down: connection refused`.
    pub title: String,
    /// The cause, since when, and the evidence.
    pub text: String,
    /// The monitor's page, if the address of the status page is known.
    pub link: Option<String>,
    /// When the incident began, RFC 3339.
    pub since: String,
    /// The instant at which the message was rendered.
    pub at: UnixMillis,
    /// The incidents of a message about many.
    pub parts: Vec<MessagePart>,
}

/// The reason for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEvent {
    /// An incident.
    Incident(NotificationReason),
    /// Another channel does not accept messages.
    ChannelFails,
    /// Another channel accepts messages again.
    ChannelWorks,
    /// Monitors have had no result for a while, although they should be watched.
    Unwatched,
    /// They are watched again.
    Watched,
    /// The owner tests the channel.
    Test,
}

impl MessageEvent {
    /// Returns the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            MessageEvent::Incident(reason) => reason.as_str(),
            MessageEvent::ChannelFails => "channel-fails",
            MessageEvent::ChannelWorks => "channel-works",
            MessageEvent::Unwatched => "unwatched",
            MessageEvent::Watched => "watched",
            MessageEvent::Test => "test",
        }
    }

    /// Whether the recipient has nothing to wait for after the message.
    pub const fn is_end(self) -> bool {
        match self {
            MessageEvent::Incident(reason) => reason.is_end(),
            MessageEvent::ChannelWorks | MessageEvent::Watched => true,
            MessageEvent::ChannelFails | MessageEvent::Unwatched | MessageEvent::Test => false,
        }
    }
}

/// What a message about an incident says.
#[derive(Clone, Copy, Debug)]
pub struct IncidentNews<'n> {
    /// The incident as it is now.
    pub incident: &'n Incident,
    /// The monitor's display name.
    pub name: &'n str,
    /// The reason for the message.
    pub reason: NotificationReason,
    /// The severity that the recipient was told before.
    pub told: Option<Severity>,
    /// Whether the monitor has no newer incident.
    pub is_latest: bool,
    /// Whether the recipient is a channel of the owner.
    pub is_channel: bool,
    /// The names of monitors that depend on this one and have trouble that it explains.
    pub behind: &'n [&'n str],
}

/// What a message about another channel says.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelNotice<'n> {
    /// The channel's id.
    pub id: &'n str,
    /// The number of the hub whose messages the channel does not accept, or accepts again.
    pub hub: usize,
    /// Its circuit; `None` if it accepts messages again.
    pub circuit: Option<Circuit>,
    /// The number of messages that wait for it.
    pub waiting: usize,
}

impl ChannelNotice<'_> {
    /// The name by which services identify it. No monitor's incident and no other hub's notice has it.
    pub(super) fn subject(&self) -> String {
        format!("channel:{}:{}", self.id, self.hub)
    }
}

impl Message {
    /// Renders the message about an incident at `at`. `status_page` is the address of the status page.
    pub fn about_incident(
        news: &IncidentNews<'_>,
        key: String,
        at: UnixMillis,
        status_page: Option<&str>,
    ) -> Message {
        let IncidentNews { incident, name, reason, .. } = *news;
        let page = status_page.map(|page| page.trim_end_matches('/'));
        Message {
            key,
            incident: incident.id().to_string(),
            monitor: incident.monitor.as_str().to_owned(),
            name: one_line(name),
            event: MessageEvent::Incident(reason),
            severity: if reason.is_end() { incident.severity } else { incident.headline().0 },
            title: one_line(&title_of_incident(news)),
            text: describe_incident(news, at),
            link: page.map(|page| format!("{page}/monitors/{}", incident.monitor)),
            since: rfc3339(incident.opened),
            at,
            parts: Vec::new(),
        }
    }

    /// Renders the message about another channel.
    pub fn about_channel(notice: &ChannelNotice<'_>, key: String, at: UnixMillis) -> Message {
        let ChannelNotice { id, circuit, waiting, .. } = *notice;
        let (event, title, text, since) = match circuit {
            Some(circuit) => {
                let verb = match circuit.obstacle {
                    obstacle if obstacle.is_setup() => "could not be used",
                    obstacle if obstacle.is_rejection() => "has refused alerts",
                    _ => "has not accepted alerts",
                };
                let lasted = format_duration_english(at.since(circuit.failing_since).as_secs());
                let title = format!("{id} {verb} for {lasted}: {}", circuit.obstacle.describe());
                let alerts =
                    if waiting == 1 { "1 alert waits".to_owned() } else { format!("{waiting} alerts wait") };
                let since = rfc3339(circuit.failing_since);
                let text = format!(
                    "The alert channel {id} has accepted nothing since {since}. {alerts} for it, and what is so then is sent when it accepts alerts again."
                );
                (MessageEvent::ChannelFails, title, text, since)
            }
            None => (
                MessageEvent::ChannelWorks,
                format!("{id} accepts alerts again"),
                format!("The alert channel {id} has accepted what waited for it."),
                rfc3339(at),
            ),
        };
        Message {
            key,
            incident: notice.subject(),
            monitor: String::new(),
            name: id.to_owned(),
            event,
            severity: Severity::Warning,
            title,
            text,
            link: None,
            since,
            at,
            parts: Vec::new(),
        }
    }

    /// Renders the message by which the owner tests the channel `id`.
    pub fn test(id: &str, at: UnixMillis, status_page: Option<&str>) -> Message {
        Message {
            key: format!("test:{id}:{}", at.0),
            incident: format!("test:{id}:{}", at.0.div_euclid(1000)),
            monitor: String::new(),
            name: id.to_owned(),
            event: MessageEvent::Test,
            severity: Severity::Warning,
            title: format!("Test of the alert channel {id}: nothing is wrong"),
            text: "Somebody with the owner's token has asked heapbeat to test its alert channels.".to_owned(),
            link: status_page.map(str::to_owned),
            since: rfc3339(at),
            at,
            parts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
