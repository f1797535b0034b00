//! Notices about channels that do not accept messages: another channel of the owner is told.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;

use super::differences::{About, Due, Queue};
use crate::domain::incident::Severity;
use crate::notify::channel::ChannelId;
use crate::notify::message::MessageEvent;
use crate::notify::recipient::Recipient;
use crate::notify::records::{RecipientRecord, Subject};

/// How long a channel does not accept messages before another one is told.
pub(super) const NOTICE_DELAY: Duration = Duration::from_secs(30 * 60);

/// Adds to the queues of channels what they should be told about other channels. `queues` are those of `recipients`.
pub(super) fn add_channel_notices(
    recipients: &[Recipient<'_>],
    records: &LiteMap<ChannelId, RecipientRecord>,
    queues: &mut [Queue<'_>],
    now: UnixMillis,
) {
    let circuit_of = |id: &ChannelId| records.get(id).and_then(|record| record.circuit);
    for (index, failing) in recipients.iter().enumerate().filter(|(_, it)| it.is_channel()) {
        let id = failing.id();
        let subject = Subject::Channel(id.clone());
        let state_of = |recipient: &Recipient<'_>| records.get(recipient.id())?.state(&subject);
        let circuit = circuit_of(id);
        let notice = |event, severity, since| Due {
            subject: subject.clone(),
            event,
            severity,
            since,
            about: About::Channel { id: id.clone(), circuit, waiting: 0 },
        };
        let Some(circuit) = circuit else {
            for (recipient, queue) in recipients.iter().zip(queues.iter_mut()) {
                if let Some(told) = state_of(recipient).filter(|told| told.knows_trouble())
                    && !recipient.is_quiet
                {
                    queue.changes.push(notice(MessageEvent::ChannelWorks, None, told.at));
                }
            }
            continue;
        };
        // One that may have been told since that it works again does not know that it fails once more.
        let is_told = recipients
            .iter()
            .any(|other| state_of(other).is_some_and(|told| told.is_exactly(Some(Severity::Warning))));
        if is_told || queues[index].is_empty() || now.since(circuit.failing_since) < NOTICE_DELAY {
            continue;
        }
        let (waiting, is_urgent) = (queues[index].changes.len(), queues[index].has_outage());
        // One that works, or else the one whose next attempt has been due for longest: it may work again, and have nothing else to be
        // told by which that would show.
        let may_be_told = |other: &Recipient<'_>| {
            let is_due = circuit_of(other.id()).is_none_or(|circuit| circuit.allows_attempt(now));
            let is_usable = other.obstacle.is_none() && is_due;
            other.is_channel() && other.id() != id && is_usable && (is_urgent || !other.is_quiet)
        };
        let others = recipients.iter().enumerate().filter(|(_, other)| may_be_told(other));
        let other =
            others.min_by_key(|(_, other)| circuit_of(other.id()).map(|circuit| circuit.next_attempt));
        if let Some((other, _)) = other {
            let since = circuit.failing_since.plus(NOTICE_DELAY);
            let mut due = notice(MessageEvent::ChannelFails, Some(Severity::Warning), since);
            if let About::Channel { waiting: count, .. } = &mut due.about {
                *count = waiting;
            }
            queues[other].changes.push(due);
        }
    }
}
