//! A turn: compares what is so with what each recipient was told last, and plans the messages that close the differences.
//!
//! Nothing waits but a difference, so every message is about the present, and a recipient that does not accept messages holds back its
//! own only. The requests of a turn are shared in rounds, in which each recipient gets one; changes go before reminders.

mod case;
mod channel_notices;
mod differences;
mod unwatched_notices;

use std::collections::{BTreeSet, VecDeque};

use heapbeat_shared::UnixMillis;
use heapbeat_shared::fnv::fnv1a;

use self::case::Case;
use self::channel_notices::add_channel_notices;
use self::differences::{Due, Queue, find_differences};
use self::unwatched_notices::find_unwatched;
use super::channel::ChannelId;
use super::circuit::Circuit;
use super::message::Message;
use super::recipient::Recipient;
use super::records::{NotificationRecords, RecordChange, Subject, SubjectState, Unanswered};
use crate::domain::engine::{Engine, IncidentStatus, WatchStatus};
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::{Incident, Severity};
use crate::monitor_config::{MonitorConfig, MonitorId};

/// The most incidents that came and went while a recipient did not accept messages, of which it is told afterwards: the last ones.
pub const MAX_PAST: usize = 100;

/// If one recipient would get more messages than this at once, they become one, unless its service keeps incidents by a key.
pub const MAX_SINGLE_MESSAGES: usize = 5;

/// What is so: everything that a turn compares with what was told.
#[derive(Clone, Debug)]
pub struct Situation<'s> {
    /// The monitors, with their dependencies and recipients.
    pub config: &'s MonitorConfig,
    /// The latest incident of each monitor, open or closed.
    pub incidents: Vec<IncidentStatus<'s>>,
    /// Whether each monitor that is probed is watched.
    pub watched: Vec<WatchStatus<'s>>,
    /// The address of the status page, to which messages link.
    pub status_page: Option<&'s str>,
    /// The number of the hub. Each hub has records of its own of the same channels.
    pub hub: usize,
}

impl<'s> Situation<'s> {
    /// The situation of an engine at `now`, in the first hub.
    pub fn new(
        engine: &'s Engine,
        config: &'s MonitorConfig,
        now: UnixMillis,
        status_page: Option<&'s str>,
    ) -> Self {
        let (incidents, watched) = (engine.incident_statuses(now), engine.watch_statuses(config, now));
        Situation { config, incidents, watched, status_page, hub: 0 }
    }
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
    /// The last message before this one whose answer has not arrived.
    pub(super) unanswered_before: Option<Unanswered>,
    /// The monitors that the message names as not watched.
    pub monitors: Vec<MonitorId>,
    /// How many monitors the messages before this one named that may have been accepted.
    pub(super) sent_before: usize,
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
    /// their results are recorded ([`SendQueue`](super::SendQueue)). `find` reads a stored incident: the one of a monitor that a newer one
    /// replaced since the last turn is known to the store only.
    pub fn plan_turn<E>(
        &mut self,
        situation: &Situation<'_>,
        recipients: &[Recipient<'_>],
        now: UnixMillis,
        budget: usize,
        find: impl FnMut(&IncidentId) -> Result<Option<Incident>, E>,
    ) -> Turn {
        self.remember_closed(situation);
        let unreadable = self.recall_replaced(situation, now, find);
        let closed = std::mem::take(&mut self.closed);
        let cases = Case::list(situation, &closed);
        let mut queues: Vec<Queue<'_>> = Vec::new();
        for recipient in recipients {
            let record = self.records.entry(recipient.id().clone()).or_default();
            let mut queue = find_differences(*recipient, record, &cases, now);
            queue.changes.extend(find_unwatched(*recipient, record, situation, now));
            queues.push(queue);
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
                turn.deliveries.push(self.prepare(recipient.id(), &planned, situation, now));
            }
        }
        for recipient in recipients {
            self.forget(recipient.id(), |entry| {
                !unreadable.contains(&entry.subject)
                    && Case::is_forgotten(&cases, &entry.subject, &entry.state, now)
            });
            self.limit_past(recipient.id(), &cases);
        }
        self.closed = closed;
        turn.changes = self.take_changes();
        turn
    }

    /// Keeps the closed incidents that a record mentions, as the next incident of the monitor replaces them.
    fn remember_closed(&mut self, situation: &Situation<'_>) {
        let mut closed = std::mem::take(&mut self.closed);
        let is_mentioned = |incident: &Incident| {
            let mut entries = self.records.values().flat_map(|record| &record.entries);
            entries.any(|entry| entry.subject.is_of(incident))
        };
        closed.retain(is_mentioned);
        for IncidentStatus { incident, .. } in &situation.incidents {
            let is_same = |other: &Incident| {
                other.monitor == incident.monitor && Subject::of(other) == Subject::of(incident)
            };
            match closed.iter().position(is_same) {
                Some(index) if closed[index] != **incident => closed[index] = (*incident).clone(),
                None if incident.closed.is_some() && is_mentioned(incident) => {
                    closed.push((*incident).clone());
                }
                _ => {}
            }
        }
        self.closed = closed;
    }

    /// Reads the incidents that a record mentions and that are not known, as a newer one replaced them between two turns: they are over. Returns
    /// those that cannot be read now.
    fn recall_replaced<E>(
        &mut self,
        situation: &Situation<'_>,
        now: UnixMillis,
        mut find: impl FnMut(&IncidentId) -> Result<Option<Incident>, E>,
    ) -> Vec<Subject> {
        let is_known = |subject: &Subject| {
            let mut latest = situation.incidents.iter().map(|status| status.incident);
            latest.any(|incident| subject.is_of(incident))
                || self.closed.iter().any(|incident| subject.is_of(incident))
        };
        let subjects = self.records.values().flat_map(|record| &record.entries).map(|entry| &entry.subject);
        let replaced: BTreeSet<IncidentId> =
            subjects.filter(|subject| !is_known(subject)).filter_map(Subject::incident).collect();
        let mut unreadable = Vec::new();
        for id in replaced {
            match find(&id) {
                Ok(Some(incident)) => {
                    let closed = incident.closed.or(Some(now));
                    self.closed.push(Incident { closed, ..incident });
                }
                Ok(None) => {}
                Err(_) => unreadable.push(Subject::Incident(id.monitor, id.opened)),
            }
        }
        unreadable
    }

    /// Forgets the oldest of more than [`MAX_PAST`] incidents that came and went, and that a recipient was never told of.
    fn limit_past(&mut self, recipient: &ChannelId, cases: &[Case<'_>]) {
        let Some(record) = self.records.get(recipient).filter(|it| it.entries.len() > MAX_PAST) else {
            return;
        };
        let is_past = |entry: &SubjectState| {
            let case = cases.iter().find(|case| case.subject == entry.subject);
            let is_owed = !entry.state.knows_trouble() && entry.state.owed_since.is_some();
            is_owed && case.is_some_and(|case| case.incident.closed.is_some())
        };
        let mut past: Vec<(i64, Subject)> = Vec::new();
        for entry in record.entries.iter().filter(|entry| is_past(entry)) {
            if let Subject::Incident(_, opened) = &entry.subject {
                past.push((*opened, entry.subject.clone()));
            }
        }
        past.sort();
        past.truncate(past.len().saturating_sub(MAX_PAST));
        let oldest: BTreeSet<Subject> = past.into_iter().map(|(_, subject)| subject).collect();
        if !oldest.is_empty() {
            self.forget(recipient, |entry| oldest.contains(&entry.subject));
        }
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
        situation: &Situation<'_>,
        now: UnixMillis,
    ) -> Delivery {
        let record = self.records.entry(recipient.clone()).or_default();
        let (mut covers, mut messages) = (Vec::new(), Vec::new());
        for due in planned {
            let monitors = due.unwatched_monitors();
            let entry = record.entry_mut(&due.subject);
            let (was_uncertain, unanswered_before) =
                (entry.state.uncertain.contains(due.severity), entry.unanswered);
            entry.state.uncertain.insert(due.severity);
            let sent_before = entry.sent.len();
            let is_new = |id: &&MonitorId| !entry.sent.contains(id);
            let more: Vec<MonitorId> = monitors.iter().filter(is_new).cloned().collect();
            entry.sent.extend(more);
            let number = record.number_message(&due.subject, due.claim(), now);
            messages.push(due.render(recipient, number, situation, now));
            covers.push(Covered {
                subject: due.subject.clone(),
                severity: due.severity,
                is_explained: due.is_explained(),
                was_uncertain,
                unanswered_before,
                monitors,
                sent_before,
            });
        }
        let message = if messages.len() == 1 {
            messages.swap_remove(0)
        } else {
            let keys: Vec<&str> = messages.iter().map(|message| message.key.as_str()).collect();
            let key = format!("batch:{recipient}:{:016x}", fnv1a(keys.join(" ").as_bytes()));
            Message::batch(&messages, key, situation.status_page, now)
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
    // What is over, and was never told, holds up nothing that goes on.
    planned.sort_by_key(|(place, message)| {
        (message.iter().all(Due::is_unknown_past), waiting_since(message), *place)
    });
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
