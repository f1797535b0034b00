//! Messages about monitors that are not watched.

use heapbeat_shared::{Statement, UnixMillis};

use super::batch::{list_lines, list_names};
use super::text::{MAX_TEXT, one_line};
use super::{Message, MessageEvent};
use crate::domain::ProbeSkipped;
use crate::domain::engine::Unwatched;
use crate::domain::incident::Severity;
use crate::domain::instant::rfc3339;
use crate::notify::records::Subject;

/// The maximum length of the names in a title, in bytes.
const MAX_NAMES: usize = 200;

/// What a message about monitors that are not watched says.
#[derive(Clone, Debug)]
pub struct UnwatchedNews<'n> {
    /// The name of the notice, by which services identify it. No monitor's incident has it.
    pub name: String,
    /// The second of Unix time since which the first of the monitors was not watched.
    pub began: i64,
    /// The monitors that are not watched; if there is none, all are watched again.
    pub unwatched: Vec<Unwatched<'n>>,
    /// The names of those that the recipient was told of before and that are not among them any more, and why.
    pub ended: Vec<(String, WatchEnd)>,
}

/// The reason why a monitor is not among those that are not watched any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// There are results again.
    Watched,
    /// The monitor is no longer in the configuration.
    Removed,
    /// The monitor is no longer this recipient's.
    Elsewhere,
    /// By its settings of now no result is missing.
    Changed,
}

impl WatchEnd {
    fn sentence(self) -> String {
        match self {
            WatchEnd::Watched => "checked again".to_owned(),
            WatchEnd::Removed => Statement::monitor_removed().text,
            WatchEnd::Elsewhere => "its alerts no longer go to this channel".to_owned(),
            WatchEnd::Changed => "its settings changed, and no result is missing by the new ones".to_owned(),
        }
    }
}

impl<'n> UnwatchedNews<'n> {
    /// The news about a subject.
    pub fn new(subject: &Subject, unwatched: Vec<Unwatched<'n>>, ended: Vec<(String, WatchEnd)>) -> Self {
        let (monitor, began) = match subject {
            Subject::Incident(monitor, began) | Subject::Unwatched(monitor, began) => (monitor, *began),
            Subject::Channel(channel) => (channel, 0),
        };
        UnwatchedNews { name: format!("unwatched:{monitor}:{began}"), began, unwatched, ended }
    }

    fn title(&self) -> String {
        let names = || list_names(self.unwatched.iter().map(|it| it.monitor.name.as_str()), MAX_NAMES);
        let ended = || list_names(self.ended.iter().map(|(name, _)| name.as_str()), MAX_NAMES);
        let are_watched = self.ended.iter().all(|(_, end)| *end == WatchEnd::Watched);
        match (self.unwatched.as_slice(), self.ended.as_slice()) {
            ([one], _) => format!("{}: {}", one.monitor.name, reason_for_owner(one)),
            ([_, ..], _) => format!("{} monitors are not checked: {}", self.unwatched.len(), names()),
            ([], [(name, WatchEnd::Watched)]) => format!("{name} is checked again"),
            ([], [(name, end)]) => format!("{name}: {}", end.sentence()),
            ([], list) if are_watched => format!("{} monitors are checked again: {}", list.len(), ended()),
            ([], list) => format!("{} monitors are no longer waited for: {}", list.len(), ended()),
        }
    }

    fn text(&self) -> String {
        const INTRODUCTION: &str = "An outage of a monitor that is not checked is not noticed.\n";
        let mut lines = Vec::new();
        for it in &self.unwatched {
            let (name, why) = (&it.monitor.name, reason_for_owner(it));
            let trouble = match it.trouble {
                Some(Severity::Down) => ", when it was down",
                Some(Severity::Degraded) => ", when it was degraded",
                Some(Severity::Crashed | Severity::Warning) | None => "",
            };
            lines.push(one_line(&format!("- {name}: {why}; no result since {}{trouble}", rfc3339(it.since))));
        }
        for (name, end) in &self.ended {
            lines.push(one_line(&format!("- {name}: {}", end.sentence())));
        }
        let introduction = if self.unwatched.is_empty() { "" } else { INTRODUCTION };
        [introduction, &list_lines(lines.into_iter(), MAX_TEXT - introduction.len())].concat()
    }
}

/// Returns why a monitor is not watched. The owner reads more than the public does.
fn reason_for_owner(unwatched: &Unwatched<'_>) -> String {
    match unwatched.reason {
        Some(ProbeSkipped::Secret) => "not checked: a secret is missing or too short".to_owned(),
        _ => unwatched.statement().text,
    }
}

impl Message {
    /// Renders the message about monitors that are not watched, or are watched again, at `at`.
    pub fn about_unwatched(
        news: &UnwatchedNews<'_>,
        key: String,
        at: UnixMillis,
        status_page: Option<&str>,
    ) -> Message {
        let is_end = news.unwatched.is_empty();
        let since = news.unwatched.iter().map(|it| it.since).min();
        let only = match news.unwatched.as_slice() {
            [one] => Some(one.monitor),
            _ => None,
        };
        Message {
            key,
            incident: news.name.clone(),
            monitor: only.map(|monitor| monitor.id.to_string()).unwrap_or_default(),
            name: only.map(|monitor| one_line(&monitor.name)).unwrap_or_default(),
            event: if is_end { MessageEvent::Watched } else { MessageEvent::Unwatched },
            severity: Severity::Warning,
            title: one_line(&news.title()),
            text: news.text(),
            link: status_page.map(str::to_owned),
            since: rfc3339(since.unwrap_or(UnixMillis(news.began.saturating_mul(1000)))),
            at,
            parts: Vec::new(),
        }
    }
}
