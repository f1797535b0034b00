//! Notices about monitors that are not watched: one message to a channel for all of its monitors.
//!
//! A channel is told once that monitors are not watched, and once that all of them are watched again. While others join them or some
//! are watched again, it is told at most every [`UPDATE_INTERVAL`]. What came and went while a channel could not be reached is not told.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::Situation;
use super::differences::{About, Due};
use crate::domain::engine::{Unwatched, WatchStatus};
use crate::domain::incident::Severity;
use crate::domain::incident::notification::StateSet;
use crate::monitor_config::MonitorId;
use crate::notify::message::{MessageEvent, UnwatchedNews, WatchEnd};
use crate::notify::recipient::Recipient;
use crate::notify::records::{RecipientRecord, Subject, SubjectState};

/// The shortest time between two messages to a channel while only some of the monitors change.
pub(super) const UPDATE_INTERVAL: Duration = Duration::from_secs(30 * 60);

/// Finds what a channel should be told at `now` about its monitors that are not watched. A subscriber is told nothing.
pub(super) fn find_unwatched<'p>(
    recipient: Recipient<'_>,
    record: &mut RecipientRecord,
    situation: &Situation<'p>,
    now: UnixMillis,
) -> Option<Due<'p>> {
    if !recipient.is_channel() {
        return None;
    }
    let known = record.unwatched();
    let told = known.map(|entry| entry.state.clone()).unwrap_or_default();
    let heard = known.map(heard_of).unwrap_or_default();
    let mut unwatched: Vec<Unwatched<'p>> = Vec::new();
    for it in situation.watched.iter().filter_map(|status| status.unwatched) {
        // Of those that it was told of, each stays until it is watched again, whatever keeps the edge from watching it then.
        if recipient.wants(it.monitor) && (it.alerts || heard.contains(&it.monitor.id)) {
            unwatched.push(it);
        }
    }
    let first = unwatched.first().map(|it| Subject::Unwatched(it.monitor.id.clone(), second_of(it.since)));
    let subject = known.map(|entry| entry.subject.clone()).or(first)?;
    // What was sent since may have arrived: the channel may believe that.
    let is_as_told = told.uncertain == StateSet::default()
        && known.is_some_and(|entry| {
            entry.named.len() == unwatched.len()
                && unwatched.iter().all(|it| entry.named.contains(&it.monitor.id))
        });
    let is_due = match (told.severity, unwatched.is_empty()) {
        (_, true) => told.knows_trouble(),
        (None, false) => true,
        // The answer to another message was lost: the channel may believe that all are watched.
        (Some(_), false) if told.uncertain.contains(None) => true,
        (Some(_), false) => !is_as_told && now >= told.at.plus(UPDATE_INTERVAL),
    };
    if !is_due {
        if told.owed_since.is_some() && (is_as_told || !told.knows_trouble()) {
            record.state_mut(&subject).owed_since = None;
        }
        return None;
    }
    if recipient.is_quiet {
        return None;
    }
    let since = *record.state_mut(&subject).owed_since.get_or_insert(now);
    let gone = heard.iter().filter(|id| !unwatched.iter().any(|it| it.monitor.id == **id));
    let ended = gone.map(|id| end_of(id, recipient, situation, told.at)).collect();
    let event = if unwatched.is_empty() { MessageEvent::Watched } else { MessageEvent::Unwatched };
    Some(Due {
        event,
        severity: (!unwatched.is_empty()).then_some(Severity::Warning),
        since,
        about: About::Unwatched(UnwatchedNews::new(&subject, unwatched, ended)),
        subject,
    })
}

/// The monitors that a recipient was told of, or may have been.
fn heard_of(entry: &SubjectState) -> Vec<MonitorId> {
    let mut heard = entry.named.clone();
    heard.extend(entry.sent.iter().filter(|id| !entry.named.contains(id)).cloned());
    heard
}

fn second_of(at: UnixMillis) -> i64 {
    at.0.div_euclid(1000)
}

/// Why a monitor is not among those that are not watched any more. `told` is when the channel was told last.
fn end_of<'p>(
    id: &MonitorId,
    recipient: Recipient<'_>,
    situation: &Situation<'p>,
    told: UnixMillis,
) -> (String, WatchEnd) {
    let monitor = situation.config.monitors.iter().find(|monitor| monitor.id == *id);
    let status: Option<&WatchStatus<'p>> = situation.watched.iter().find(|it| it.monitor.id == *id);
    let end = match (monitor, status) {
        (None, _) => WatchEnd::Removed,
        (Some(monitor), _) if !recipient.wants(monitor) => WatchEnd::Elsewhere,
        (_, Some(status)) if status.last_result.is_some_and(|at| at >= told) => WatchEnd::Watched,
        _ => WatchEnd::Changed,
    };
    (monitor.map_or_else(|| id.to_string(), |monitor| monitor.name.clone()), end)
}
