//! The text of an alert, whichever service delivers it.

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::domain::incident::notification::NotificationReason;
use crate::domain::incident::{Incident, Severity};
use crate::domain::instant;
use crate::domain::instant::rfc3339;

/// The maximum length of the text, in bytes; a line that does not fit is left out.
const MAX_TEXT: usize = 1500;

/// The maximum number of lines of evidence.
const MAX_EVIDENCE: usize = 5;

/// One message to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Message {
    /// The idempotency key: the same for every attempt, another for every message.
    #[n(0)]
    pub key: String,
    /// The incident's id, by which services identify their own incident.
    #[n(1)]
    pub incident: String,
    /// The monitor's id.
    #[n(2)]
    pub monitor: String,
    /// The monitor's display name.
    #[n(3)]
    pub name: String,
    /// The reason for the message.
    #[n(4)]
    pub reason: NotificationReason,
    /// The severity of the incident.
    #[n(5)]
    pub severity: Severity,
    /// One line: `API is down: connection refused`.
    #[n(6)]
    pub title: String,
    /// The cause, since when, and the evidence.
    #[n(7)]
    pub text: String,
    /// The monitor's page, if the address of the status page is known.
    #[n(8)]
    pub link: Option<String>,
    /// When the incident began, RFC 3339.
    #[n(9)]
    pub since: String,
    /// The instant at which the message was rendered.
    #[n(10)]
    pub at: UnixMillis,
}

impl Message {
    /// Renders the message about an incident. `status_page` is the address of the status page.
    pub fn new(
        incident: &Incident,
        name: &str,
        reason: NotificationReason,
        at: UnixMillis,
        status_page: Option<&str>,
    ) -> Message {
        let cause = incident.cause.statement().text;
        let problem = incident.severity.title(name, &cause);
        let title = match reason {
            NotificationReason::Recovered => match closing_reason(incident) {
                Some(reason) => format!("{name}: {reason}"),
                None => format!("{name} has recovered"),
            },
            NotificationReason::Reminder => format!("Reminder: {problem}"),
            _ => problem,
        };
        let link =
            status_page.map(|page| format!("{}/monitors/{}", page.trim_end_matches('/'), incident.monitor));
        let began = incident.opened;
        let period = match (reason, incident.closed) {
            (NotificationReason::Recovered, Some(closed)) => format!(
                "From {} to {} ({}).",
                rfc3339(began),
                rfc3339(closed),
                instant::format_duration_english(closed.since(began).as_secs())
            ),
            _ => match at.since(began).as_secs() {
                0 => format!("Since {}.", rfc3339(began)),
                seconds => {
                    format!("Since {} ({}).", rfc3339(began), instant::format_duration_english(seconds))
                }
            },
        };
        let mut lines = vec![format!("Cause: {cause}."), period];
        lines.extend(
            incident.evidence.iter().take(MAX_EVIDENCE).map(|line| format!("- {}", one_line(&line.text))),
        );
        let mut text = String::new();
        for line in lines {
            if text.len() + line.len() < MAX_TEXT {
                text.push_str(&line);
                text.push('\n');
            }
        }
        Message {
            key: format!("{}:{}", incident.id(), incident.notified.count),
            incident: incident.id().to_string(),
            monitor: incident.monitor.as_str().to_owned(),
            name: name.to_owned(),
            reason,
            severity: incident.severity,
            title: one_line(&title),
            text: text.trim_end().to_owned(),
            link,
            since: rfc3339(began),
            at,
        }
    }

    /// Merges messages about incidents that opened together; `None` if there is none.
    pub fn merge(all: &[Message]) -> Option<Message> {
        let first = all.first()?;
        let names: Vec<_> = all.iter().map(|message| message.name.as_str()).collect();
        let mut text = String::new();
        for message in all {
            let line = format!("- {}\n", message.title);
            if text.len() + line.len() < MAX_TEXT {
                text.push_str(&line);
            }
        }
        Some(Message {
            key: format!("{}+{}", first.key, all.len() - 1),
            title: format!("{} monitors are affected: {}", all.len(), cut(&names.join(", "), 200)),
            text: text.trim_end().to_owned(),
            severity: all.iter().map(|message| message.severity).max().unwrap_or(first.severity),
            ..first.clone()
        })
    }
}

/// Returns the reason why an incident was closed, unless that is a recovery.
fn closing_reason(incident: &Incident) -> Option<&str> {
    let closed = incident.closed?;
    let mut entries =
        incident.timeline.iter().rev().filter(|entry| entry.at == closed).map(|entry| &entry.message);
    let reason = entries.find(|what| ["maintenance-began", "resolved"].contains(&what.code.as_str()))?;
    Some(reason.text.as_str())
}

/// Replaces line breaks and other control characters by spaces, and cuts the text.
fn one_line(text: &str) -> String {
    cut(&text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>(), 300)
}

/// Cuts a text to at most `limit` bytes, between two characters.
pub fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(limit.saturating_sub(3))])
}
