//! The differences between what is so and what one recipient was told.

use heapbeat_shared::UnixMillis;
use heapbeat_shared::fnv::fnv1a;

use super::Situation;
use super::case::Case;
use crate::domain::engine::ResultStatus;
use crate::domain::incident::Severity;
use crate::domain::incident::notification::{EndReason, NotificationReason, NotificationState};
use crate::monitor_config::MonitorId;
use crate::notify::channel::ChannelId;
use crate::notify::circuit::Circuit;
use crate::notify::message::{ChannelNotice, IncidentNews, Message, MessageEvent, UnwatchedNews};
use crate::notify::recipient::Recipient;
use crate::notify::records::{RecipientRecord, Subject};

/// The differences of one recipient that may be closed now.
#[derive(Debug, Default)]
pub(super) struct Queue<'p> {
    pub(super) changes: Vec<Due<'p>>,
    pub(super) reminders: Vec<Due<'p>>,
}

impl Queue<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.reminders.is_empty()
    }

    /// Whether an outage waits to be told.
    pub(super) fn has_outage(&self) -> bool {
        self.changes.iter().any(|due| due.severity == Some(Severity::Down))
    }
}

/// One difference.
#[derive(Debug)]
pub(super) struct Due<'p> {
    pub(super) subject: Subject,
    pub(super) event: MessageEvent,
    /// What the message says; `None` means that it is over.
    pub(super) severity: Option<Severity>,
    /// Since when it waits.
    pub(super) since: UnixMillis,
    pub(super) about: About<'p>,
}

/// What a difference is about.
#[derive(Debug)]
pub(super) enum About<'p> {
    /// An incident; what the recipient was told before, whether it is a channel of the owner, and the names of the monitors that the
    /// incident explains.
    Incident { case: &'p Case<'p>, told: Option<Severity>, is_channel: bool, behind: Vec<&'p str> },
    /// A channel that does not accept messages, or accepts them again.
    Channel { id: ChannelId, circuit: Option<Circuit>, waiting: usize },
    /// Monitors that are not watched, or are watched again.
    Unwatched(UnwatchedNews<'p>),
}

impl Due<'_> {
    /// Whether the message has a cause beyond the way in which probes fail.
    pub(super) fn is_explained(&self) -> bool {
        matches!(&self.about, About::Incident { case, .. } if case.incident.is_explained())
    }

    /// The monitors that the message names as not watched.
    pub(super) fn unwatched_monitors(&self) -> Vec<MonitorId> {
        match &self.about {
            About::Unwatched(news) => news.unwatched.iter().map(|it| it.monitor.id.clone()).collect(),
            About::Incident { .. } | About::Channel { .. } => Vec::new(),
        }
    }

    /// Whether it is about an incident that came and went, and of which the recipient was never told for sure.
    pub(super) fn is_unknown_past(&self) -> bool {
        self.event == MessageEvent::Incident(NotificationReason::Past)
    }

    /// Whether it may be a part of a message about many incidents.
    pub(super) fn may_be_merged(&self) -> bool {
        matches!(self.about, About::Incident { .. })
    }

    fn state_name(&self) -> &'static str {
        self.severity.map_or("over", Severity::as_str)
    }

    /// A hash of what the message says, as far as it distinguishes it from other messages about the same subject.
    pub(super) fn claim(&self) -> u64 {
        let (event, state) = (self.event.as_str(), self.state_name());
        let details = match &self.about {
            About::Incident { case, .. } => {
                let reason = match self.event {
                    MessageEvent::Incident(NotificationReason::Ended(reason)) => reason.as_str(),
                    _ => "",
                };
                // An incident that opened again may end once more.
                let incident = case.incident;
                let end =
                    incident.closed.map(|closed| format!("{} {}", closed.0, incident.severity.as_str()));
                format!("{} {reason} {}", incident.is_explained(), end.unwrap_or_default())
            }
            About::Unwatched(_) => {
                self.unwatched_monitors().iter().map(MonitorId::as_str).collect::<Vec<_>>().join(" ")
            }
            About::Channel { .. } => String::new(),
        };
        fnv1a(format!("{event} {state} {details}").as_bytes())
    }

    /// Renders the message with its number ([`RecipientRecord::number_message`]).
    pub(super) fn render(
        &self,
        recipient: &ChannelId,
        number: i64,
        situation: &Situation<'_>,
        now: UnixMillis,
    ) -> Message {
        let key = |subject: &str| format!("{subject}:{recipient}:{number}:{}", self.state_name());
        match &self.about {
            About::Incident { case, told, is_channel, behind } => {
                let key = key(&case.incident.id().to_string());
                let MessageEvent::Incident(reason) = self.event else {
                    return Message::about_channel(&ChannelNotice::default(), key, now);
                };
                let news = IncidentNews {
                    incident: case.incident,
                    name: case.name(),
                    reason,
                    told: *told,
                    is_latest: case.is_latest,
                    is_channel: *is_channel,
                    behind,
                };
                Message::about_incident(&news, key, now, situation.status_page)
            }
            About::Channel { id, circuit, waiting } => {
                let notice = ChannelNotice {
                    id: id.as_str(),
                    hub: situation.hub,
                    circuit: *circuit,
                    waiting: *waiting,
                };
                Message::about_channel(&notice, key(&notice.subject()), now)
            }
            About::Unwatched(news) => {
                Message::about_unwatched(news, key(&news.name), now, situation.status_page)
            }
        }
    }
}

/// Finds the differences of a recipient that may be closed at `now`, and records since when they wait.
///
/// Trouble that a dependency explains is held back while the recipient knows of the dependency's trouble, or is told in this turn. In
/// quiet hours only incidents with an outage are notified. What is held back is not owed: it may come and go unnotified. While there is no
/// valid result of a monitor, nothing is said about its trouble, and it explains that of no other one.
pub(super) fn find_differences<'p>(
    recipient: Recipient<'_>,
    record: &mut RecipientRecord,
    cases: &'p [Case<'p>],
    now: UnixMillis,
) -> Queue<'p> {
    let (mut queue, mut announced) = (Queue::default(), Vec::<(&MonitorId, Severity)>::new());
    let mut behind: Vec<(&MonitorId, &str)> = Vec::new();
    for case in cases.iter().filter(|case| case.result != ResultStatus::EdgeOffline) {
        let incident = case.incident;
        let told = record.state(&case.subject).cloned().unwrap_or_default();
        let is_wanted = case.monitor.is_some_and(|monitor| recipient.wants(monitor));
        let reason = next_reason(case, recipient, is_wanted, &told, now)
            .filter(|reason| case.is_observed() || reason.is_end());
        let explained_by = if is_wanted { case.explained_by(&announced) } else { Vec::new() };
        behind.extend(explained_by.iter().map(|dependency| (*dependency, case.name())));
        let is_quiet = recipient.is_quiet && incident.severity != Severity::Down;
        let is_trouble = |reason| {
            matches!(
                reason,
                NotificationReason::Opened | NotificationReason::Worse | NotificationReason::Explained
            )
        };
        let due = |reason: NotificationReason, since| Due {
            subject: case.subject.clone(),
            event: MessageEvent::Incident(reason),
            severity: incident.current.filter(|_| !reason.is_end()),
            since,
            about: About::Incident {
                case,
                told: told.severity,
                is_channel: recipient.is_channel(),
                behind: Vec::new(),
            },
        };
        let mut knows = told.severity;
        match reason {
            Some(reason) if !is_quiet && (explained_by.is_empty() || !is_trouble(reason)) => {
                let since = *record.state_mut(&case.subject).owed_since.get_or_insert(now);
                queue.changes.push(due(reason, since));
                knows = incident.current;
            }
            Some(_) => {}
            None => {
                if told.owed_since.is_some() && !is_owed(case, is_wanted, &told) {
                    record.state_mut(&case.subject).owed_since = None;
                }
                let interval = recipient.reminder().filter(|_| is_wanted && case.is_observed());
                let reminds = interval.is_some_and(|interval| told.is_reminder_due(incident, interval, now));
                if reminds && !is_quiet && explained_by.is_empty() {
                    queue.reminders.push(due(NotificationReason::Reminder, told.at));
                }
            }
        }
        if let (true, None, Some(known), Some(current)) =
            (is_wanted && case.is_observed(), incident.closed, knows, incident.current)
        {
            announced.push((&incident.monitor, known.min(current)));
        }
    }
    for due in queue.changes.iter_mut().chain(&mut queue.reminders) {
        if let About::Incident { case, behind: names, .. } = &mut due.about {
            let of_case = behind.iter().filter(|(dependency, _)| **dependency == case.incident.monitor);
            names.extend(of_case.map(|(_, name)| *name));
        }
    }
    queue
}

/// The message that a recipient should get next about an incident. `is_wanted`: it is notified of the monitor at present.
fn next_reason(
    case: &Case<'_>,
    recipient: Recipient<'_>,
    is_wanted: bool,
    told: &NotificationState,
    now: UnixMillis,
) -> Option<NotificationReason> {
    // A subscriber learns nothing about a monitor that is not public any more.
    let learns_the_end = recipient.is_channel() && case.incident.closed.is_some() && told.knows_trouble();
    if is_wanted || learns_the_end {
        return told.next_change(case.incident, case.is_flapping, now);
    }
    let is_removed = case.monitor.is_none() && recipient.is_channel();
    let reason = if is_removed { EndReason::Removed } else { EndReason::Elsewhere };
    told.knows_trouble().then_some(NotificationReason::Ended(reason))
}

/// Whether a difference that was noticed before is still there, although no message can close it now: while an incident recovers, and
/// until an improvement has held for a while.
fn is_owed(case: &Case<'_>, is_wanted: bool, told: &NotificationState) -> bool {
    let is_open = case.incident.closed.is_none();
    is_wanted && is_open && !case.incident.current.is_some_and(|current| told.is_exactly(Some(current)))
}
