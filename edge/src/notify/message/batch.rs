//! Messages about many incidents.

use heapbeat_shared::UnixMillis;
use serde::Serialize;

use super::text::{MAX_TEXT, one_line};
use super::{Message, MessageEvent};
use crate::domain::incident::Severity;
use crate::domain::incident::notification::NotificationReason;

/// The maximum length of the names in a title, in bytes.
const MAX_NAMES: usize = 200;

/// One incident of a message about many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessagePart {
    /// The idempotency key that a message about it alone would have.
    pub key: String,
    /// The incident's id.
    pub incident: String,
    /// The monitor's id.
    pub monitor: String,
    /// The monitor's display name.
    pub name: String,
    /// The reason.
    pub event: &'static str,
    /// The severity.
    pub severity: Severity,
    /// The title that a message about it alone would have.
    pub title: String,
    /// When the incident began, RFC 3339.
    pub since: String,
}

impl Message {
    /// Renders one message for many about incidents, which all are about trouble, all about ends, or all reminders.
    pub fn batch(all: &[Message], key: String, status_page: Option<&str>, at: UnixMillis) -> Message {
        let names = list_names(all.iter().map(|message| message.name.as_str()), MAX_NAMES);
        let all_are =
            |event: NotificationReason| all.iter().all(|it| it.event == MessageEvent::Incident(event));
        let first = all.first().map_or(MessageEvent::Test, |message| message.event);
        let count = all.len();
        let title = match first {
            _ if all_are(NotificationReason::Recovered) => {
                format!("{count} monitors have recovered: {names}")
            }
            _ if all_are(NotificationReason::Reminder) => {
                format!("Reminder: {count} monitors are affected: {names}")
            }
            first if first.is_end() => format!("{count} incidents are over: {names}"),
            _ => format!("{count} monitors are affected: {names}"),
        };
        let part = |message: &Message| MessagePart {
            key: message.key.clone(),
            incident: message.incident.clone(),
            monitor: message.monitor.clone(),
            name: message.name.clone(),
            event: message.event.as_str(),
            severity: message.severity,
            title: message.title.clone(),
            since: message.since.clone(),
        };
        Message {
            key,
            incident: String::new(),
            monitor: String::new(),
            name: String::new(),
            event: first,
            severity: all.iter().map(|message| message.severity).max().unwrap_or(Severity::Warning),
            title: one_line(&title),
            text: list_lines(all.iter().map(|message| format!("- {}", message.title)), MAX_TEXT),
            link: status_page.map(str::to_owned),
            since: all.iter().map(|message| message.since.as_str()).min().unwrap_or_default().to_owned(),
            at,
            parts: all.iter().map(part).collect(),
        }
    }
}

/// Lists lines, as many as fit into `limit` bytes, and says how many are left out.
pub(super) fn list_lines(lines: impl ExactSizeIterator<Item = String>, limit: usize) -> String {
    // The line that says how many are left out has room in any case.
    const LAST_LINE: usize = 24;
    let (count, mut text) = (lines.len(), String::new());
    for (index, line) in lines.enumerate() {
        if text.len() + line.len() + LAST_LINE > limit {
            return format!("{text}and {} more", count - index);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// Lists names, as many as fit into `limit` bytes: `API, Web and 26 more`.
pub(super) fn list_names<'n>(names: impl ExactSizeIterator<Item = &'n str>, limit: usize) -> String {
    let (count, mut list) = (names.len(), String::new());
    for (index, name) in names.enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        if index > 0 && list.len() + separator.len() + name.len() > limit {
            return format!("{list} and {} more", count - index);
        }
        list.push_str(separator);
        list.push_str(name);
    }
    list
}
