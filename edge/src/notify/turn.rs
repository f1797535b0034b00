//! A turn: compares what is so with what each recipient was told last, and plans the messages that close the differences.
//!
//! Nothing waits but a difference, so every message is about the present, and a recipient that does not accept messages holds back its
//! own only. The requests of a turn are shared in rounds, in which each recipient gets one; changes go before reminders.

mod case;
mod channel_notices;
mod differences;

use std::collections::VecDeque;

use heapbeat_shared::UnixMillis;

use self::case::Case;
use self::channel_notices::add_channel_notices;
use self::differences::{Due, Queue, find_differences};
use super::channel::ChannelId;
use super::circuit::Circuit;
use super::message::Message;
use super::recipient::Recipient;
use super::records::{NotificationRecords, RecordChange, Subject};
use crate::domain::engine::IncidentStatus;
use crate::domain::fnv::fnv1a;
use crate::domain::incident::Severity;
use crate::monitor_config::MonitorConfig;

/// If one recipient would get more messages than this at once, they become one, unless its service keeps incidents by a key.
pub const MAX_SINGLE_MESSAGES: usize = 5;

/// What is so: everything that a turn compares with what was told.
#[derive(Clone, Debug)]
pub struct Situation<'s> {
    /// The monitors, with their dependencies and recipients.
    pub config: &'s MonitorConfig,
    /// The latest incident of each monitor, open or closed.
    pub incidents: Vec<IncidentStatus<'s>>,
    /// The address of the status page, to which messages link.
    pub status_page: Option<&'s str>,
}

/// A message to one recipient, and what it knows once it has accepted it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The recipient.
    pub recipient: ChannelId,
    /// The message.
    pub message: Message,
    /// What the message is about.
    pub covers: Vec<Covered>,
}

/// One subject of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The subject.
    pub subject: Subject,
    /// What the message says; `None` means that it is over.
    pub severity: Option<Severity>,
    /// Whether it has a cause beyond the way in which probes fail.
    pub is_explained: bool,
    /// Whether the same was sent before, and may have been accepted then.
    pub was_uncertain: bool,
}

/// The plan of a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// The deliveries, those of one recipient together and in their order. After one that fails, those that follow to the same
    /// recipient are not sent.
    pub deliveries: Vec<Delivery>,
    /// The records to be stored before anything is sent.
    pub changes: Vec<RecordChange>,
}

/// The messages that are planned for one recipient.
struct Lane<'p> {
    /// The place among the recipients.
    index: usize,
    /// The most deliveries of this turn.
    limit: usize,
    changes: VecDeque<Planned<'p>>,
    reminders: VecDeque<Planned<'p>>,
    chosen: Vec<Planned<'p>>,
}

/// One message: a difference, or many of them.
type Planned<'p> = Vec<Due<'p>>;

impl NotificationRecords {
    /// Plans the messages to `recipients` at `now`, at most `budget`. What the messages say is recorded as uncertain until
    /// [`NotificationRecords::record_result`] has their results.
    pub fn plan_turn(
        &mut self,
        situation: &Situation<'_>,
        recipients: &[Recipient<'_>],
        now: UnixMillis,
        budget: usize,
    ) -> Turn {
        self.remember_closed(situation);
        let closed = std::mem::take(&mut self.closed);
        let cases = Case::list(situation, &closed);
        let mut queues: Vec<Queue<'_>> = Vec::new();
        for recipient in recipients {
            let record = self.records.entry(recipient.id().clone()).or_default();
            queues.push(find_differences(*recipient, record, &cases, now));
        }
        add_channel_notices(recipients, &self.records, &mut queues, now);
        let mut lanes = Vec::new();
        for (index, (recipient, queue)) in recipients.iter().zip(queues).enumerate() {
            let limit = self.limit_of(*recipient, queue.is_empty(), now);
            if limit > 0 && !queue.is_empty() {
                let (changes, reminders) =
                    (group(*recipient, queue.changes), group(*recipient, queue.reminders));
                lanes.push(Lane { index, limit, changes, reminders, chosen: Vec::new() });
            }
        }
        choose(&mut lanes, now, budget);
        lanes.sort_by_key(|lane| lane.index);
        let mut turn = Turn::default();
        for lane in lanes {
            let recipient = recipients[lane.index];
            for planned in lane.chosen {
                turn.deliveries.push(self.prepare(recipient.id(), &planned, situation.status_page, now));
            }
        }
        for recipient in recipients {
            self.forget(recipient.id(), |entry| {
                Case::is_forgotten(&cases, &entry.subject, &entry.state, now)
            });
        }
        self.closed = closed;
        turn.changes = self.take_changes();
        turn
    }

    /// Keeps the closed incidents that a record mentions, as the next incident of the monitor replaces them.
    fn remember_closed(&mut self, situation: &Situation<'_>) {
        let is_mentioned = |book: &NotificationRecords, subject: &Subject| {
            book.records.values().any(|record| record.state(subject).is_some())
        };
        let mut closed = std::mem::take(&mut self.closed);
        closed.retain(|incident| is_mentioned(self, &Subject::of(incident)));
        for IncidentStatus { incident, .. } in &situation.incidents {
            let subject = Subject::of(incident);
            let known = closed.iter().position(|other| Subject::of(other) == subject);
            match known {
                Some(index) if closed[index] != **incident => closed[index] = (*incident).clone(),
                None if incident.closed.is_some() && is_mentioned(self, &subject) => {
                    closed.push((*incident).clone());
                }
                _ => {}
            }
        }
        self.closed = closed;
    }

    /// Returns how many messages a recipient may get in this turn. `is_idle`: there are none for it.
    fn limit_of(&mut self, recipient: Recipient<'_>, is_idle: bool, now: UnixMillis) -> usize {
        let record = self.records.entry(recipient.id().clone()).or_default();
        if let Some(obstacle) = recipient.obstacle {
            if !is_idle && record.circuit.is_none_or(|circuit| circuit.obstacle != obstacle) {
                let since = record.circuit.map_or(now, |circuit| circuit.failing_since);
                record.circuit = Some(Circuit { failing_since: since, ..Circuit::unusable(obstacle, now) });
            }
            return 0;
        }
        match &record.circuit {
            None => usize::MAX,
            Some(circuit) if is_idle && circuit.obstacle.is_setup() => {
                record.circuit = None;
                usize::MAX
            }
            // One message shows whether the service works again.
            Some(circuit) => usize::from(circuit.allows_attempt(now)),
        }
    }

    /// Renders a message, and records what it says as uncertain.
    fn prepare(
        &mut self,
        recipient: &ChannelId,
        planned: &Planned<'_>,
        status_page: Option<&str>,
        now: UnixMillis,
    ) -> Delivery {
        let record = self.records.entry(recipient.clone()).or_default();
        let (mut covers, mut messages) = (Vec::new(), Vec::new());
        for due in planned {
            let told = record.state_mut(&due.subject);
            let was_uncertain = told.uncertain.contains(due.severity);
            told.uncertain.insert(due.severity);
            covers.push(Covered {
                subject: due.subject.clone(),
                severity: due.severity,
                is_explained: due.is_explained(),
                was_uncertain,
            });
            messages.push(due.render(recipient, told.sequence.saturating_add(1), status_page, now));
        }
        let message = if messages.len() == 1 {
            messages.swap_remove(0)
        } else {
            let keys: Vec<&str> = messages.iter().map(|message| message.key.as_str()).collect();
            let key = format!("batch:{recipient}:{:016x}", fnv1a(keys.join(" ").as_bytes()));
            Message::batch(&messages, key, status_page, now)
        };
        Delivery { recipient: recipient.clone(), message, covers }
    }
}

/// Groups the differences of a recipient into messages: many at once become one, ends apart from the others.
fn group<'p>(recipient: Recipient<'_>, list: Vec<Due<'p>>) -> VecDeque<Planned<'p>> {
    // Each with its place, which decides among those that have waited equally long.
    let list = list.into_iter().enumerate();
    let (alone, rest): (Vec<_>, Vec<_>) =
        list.partition(|(_, due)| recipient.keeps_incidents() || !due.may_be_merged());
    let (ends, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, due)| due.event.is_end());
    let mut planned: Vec<(usize, Planned<'p>)> = Vec::new();
    for group in [alone, others, ends] {
        let may_be_merged = group.iter().all(|(_, due)| !recipient.keeps_incidents() && due.may_be_merged());
        match group.first() {
            Some((place, _)) if may_be_merged && group.len() > MAX_SINGLE_MESSAGES => {
                planned.push((*place, group.into_iter().map(|(_, due)| due).collect()));
            }
            _ => planned.extend(group.into_iter().map(|(place, due)| (place, vec![due]))),
        }
    }
    planned.sort_by_key(|(place, message)| (waiting_since(message), *place));
    planned.into_iter().map(|(_, message)| message).collect()
}

/// Since when a message waits.
fn waiting_since(planned: &Planned<'_>) -> UnixMillis {
    planned.iter().map(|due| due.since).min().unwrap_or_default()
}

/// Chooses at most `budget` messages in rounds, in which each recipient gets one; who has waited longest comes first. Reminders come
/// after all changes.
fn choose(lanes: &mut [Lane<'_>], now: UnixMillis, budget: usize) {
    let mut left = budget;
    if lanes.is_empty() {
        return;
    }
    // Among those that have waited equally long, each minute begins where the one before ended.
    let minute = usize::try_from(now.0.div_euclid(60_000)).unwrap_or(0);
    lanes.rotate_left(minute.wrapping_mul(budget) % lanes.len());
    let waiting = |lane: &Lane<'_>| lane.changes.iter().chain(&lane.reminders).map(waiting_since).min();
    lanes.sort_by_key(waiting);
    for reminders in [false, true] {
        loop {
            let before = left;
            for lane in lanes.iter_mut().filter(|lane| lane.chosen.len() < lane.limit) {
                if left == 0 {
                    return;
                }
                let next = if reminders && lane.changes.is_empty() {
                    lane.reminders.pop_front()
                } else {
                    lane.changes.pop_front()
                };
                if let Some(planned) = next {
                    lane.chosen.push(planned);
                    left -= 1;
                }
            }
            if left == before {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;
