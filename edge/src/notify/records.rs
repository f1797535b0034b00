//! What every recipient was told last about every incident: the table `notification`, and the results of deliveries.
//!
//! A recipient has one record, which is stored as one row. The book knows what is stored, so that a turn in which nothing changes
//! writes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use minicbor::{Decode, Encode};

use super::channel::ChannelId;
use super::circuit::{Circuit, DeliveryResult, Obstacle};
use super::subscriber::is_subscriber_id;
use super::turn::{Covered, Delivery};
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::notification::NotificationState;
use crate::domain::instant::rfc3339;
use crate::monitor_config::{ConfigProblem, MonitorId};

/// How long a service fails before that is a problem for the owner.
const PROBLEM_DELAY: Duration = Duration::from_secs(300);

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Subject {
    /// The incident of a monitor that opened in this second of Unix time.
    #[n(0)]
    Incident(#[n(0)] MonitorId, #[n(1)] i64),
    /// A channel that does not accept messages.
    #[n(1)]
    Channel(#[n(0)] ChannelId),
    /// The monitors that are not watched. It has the name of the first of them, and the second of Unix time since which that one is not
    /// watched, until all of them are watched again.
    #[n(2)]
    Unwatched(#[n(0)] MonitorId, #[n(1)] i64),
}

impl Subject {
    /// The subject of messages about an incident.
    pub fn of(incident: &Incident) -> Subject {
        Subject::Incident(incident.monitor.clone(), incident.opened.0.div_euclid(1000))
    }

    /// The id of the incident; `None` if it is about something else.
    pub(super) fn incident(&self) -> Option<IncidentId> {
        let Subject::Incident(monitor, opened) = self else { return None };
        Some(IncidentId { monitor: monitor.clone(), opened: *opened })
    }

    /// Whether it is the subject of messages about `incident`.
    pub(super) fn is_of(&self, incident: &Incident) -> bool {
        let Subject::Incident(monitor, opened) = self else { return false };
        *opened == incident.opened.0.div_euclid(1000) && *monitor == incident.monitor
    }
}

/// What one recipient was told, and whether it accepts messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RecipientRecord {
    /// The circuit; `None` while the recipient accepts messages.
    #[n(0)]
    pub circuit: Option<Circuit>,
    /// What it was told about each subject.
    #[n(1)]
    pub(super) entries: Vec<SubjectState>,
    /// The number of its last message.
    #[n(2)]
    #[cbor(default)]
    last_number: i64,
}

/// What a recipient was told about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct SubjectState {
    #[n(0)]
    pub(super) subject: Subject,
    #[n(1)]
    pub(super) state: NotificationState,
    /// The monitors that the last accepted message names; empty unless the subject has many.
    #[n(2)]
    #[cbor(default)]
    pub(super) named: Vec<MonitorId>,
    /// The monitors that messages since then name, which may have been accepted.
    #[n(3)]
    #[cbor(default)]
    pub(super) sent: Vec<MonitorId>,
    /// The last message that was sent, if it may have been accepted and its answer has not arrived.
    #[n(4)]
    pub(super) unanswered: Option<Unanswered>,
}

/// A message that may have been accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Unanswered {
    #[n(0)]
    pub(super) number: i64,
    /// A hash of what it says.
    #[n(1)]
    pub(super) claim: u64,
}

impl SubjectState {
    /// Records that the recipient did not get what was recorded before it was sent.
    fn release(&mut self, covered: &Covered) {
        self.unanswered = covered.unanswered_before;
        if !covered.was_uncertain {
            self.state.uncertain.remove(covered.severity);
        }
        self.sent.truncate(covered.sent_before);
    }
}

impl RecipientRecord {
    /// What the recipient was told about a subject.
    pub fn state(&self, subject: &Subject) -> Option<&NotificationState> {
        self.entries.iter().find(|entry| entry.subject == *subject).map(|entry| &entry.state)
    }

    /// What the recipient was told about a subject, to change it; nothing if it has no entry.
    pub(super) fn state_mut(&mut self, subject: &Subject) -> &mut NotificationState {
        &mut self.entry_mut(subject).state
    }

    /// The entry of a subject, to change it; a new one if it has none.
    pub(super) fn entry_mut(&mut self, subject: &Subject) -> &mut SubjectState {
        let known = self.entries.iter().position(|entry| entry.subject == *subject);
        let index = known.unwrap_or_else(|| {
            self.entries.push(SubjectState {
                subject: subject.clone(),
                state: NotificationState::default(),
                named: Vec::new(),
                sent: Vec::new(),
                unanswered: None,
            });
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }

    /// Returns the number of a message about `subject` that is about to be sent, and records it. `claim` is a hash of what it says.
    ///
    /// If the last message about the subject said the same, and may have been accepted, it is that number: the message is repeated with its
    /// key. Otherwise it is a number that no message to this recipient had before. Numbers are milliseconds of Unix time, so they
    /// are new even if the record was lost, or if the recipient was removed and is back.
    pub(super) fn number_message(&mut self, subject: &Subject, claim: u64, now: UnixMillis) -> i64 {
        let last = self.last_number;
        let entry = self.entry_mut(subject);
        if let Some(earlier) = entry.unanswered.filter(|earlier| earlier.claim == claim) {
            return earlier.number;
        }
        let number = now.0.max(last.saturating_add(1));
        entry.unanswered = Some(Unanswered { number, claim });
        self.last_number = number;
        number
    }

    /// What the recipient was told about monitors that are not watched.
    pub(super) fn unwatched(&self) -> Option<&SubjectState> {
        self.entries.iter().find(|entry| matches!(entry.subject, Subject::Unwatched(..)))
    }

    /// What the recipient was told about incidents: the monitor, the second in which it opened, and the rest.
    pub fn incidents(&self) -> impl Iterator<Item = (&MonitorId, i64, &NotificationState)> {
        self.entries.iter().filter_map(|entry| match &entry.subject {
            Subject::Incident(monitor, opened) => Some((monitor, *opened, &entry.state)),
            Subject::Channel(_) | Subject::Unwatched(..) => None,
        })
    }

    /// The number of messages that wait for the recipient.
    pub fn waiting(&self) -> usize {
        self.entries.iter().filter(|entry| entry.state.owed_since.is_some()).count()
    }

    fn is_empty(&self) -> bool {
        self.circuit.is_none() && self.entries.is_empty()
    }

    /// What has to be stored of the circuit of `recipient`. The failures of a subscriber are kept in memory, except for when they
    /// began: a stranger's dead address must not cost a row with each attempt.
    fn circuit_to_store(&self, recipient: &ChannelId) -> Option<Circuit> {
        let circuit = self.circuit?;
        let is_subscriber = is_subscriber_id(recipient);
        Some(if is_subscriber { Circuit::unusable(Obstacle::Silent, circuit.failing_since) } else { circuit })
    }

    /// Whether `stored` is what has to be stored of it.
    fn is_stored_as(&self, stored: &RecipientRecord, recipient: &ChannelId) -> bool {
        stored.last_number == self.last_number
            && stored.circuit == self.circuit_to_store(recipient)
            && stored.entries == self.entries
    }
}

/// A record to be written; `None` deletes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The recipient.
    pub recipient: ChannelId,
    /// Its record.
    pub record: Option<RecipientRecord>,
}

/// The records of all recipients, and the incidents that are about to be forgotten and that somebody has to be told of.
#[derive(Clone, Debug, Default)]
pub struct NotificationRecords {
    pub(super) records: LiteMap<ChannelId, RecipientRecord>,
    stored: LiteMap<ChannelId, RecipientRecord>,
    /// The recipients of whose rows nothing is known, as they could not be written.
    unwritten: BTreeSet<ChannelId>,
    /// Closed incidents that a record mentions.
    pub(super) closed: Vec<Incident>,
}

impl NotificationRecords {
    /// Restores the book from its rows. `incidents` are those that the rows mention.
    pub fn restore(rows: Vec<(ChannelId, RecipientRecord)>, incidents: Vec<Incident>) -> Self {
        let mut book = NotificationRecords::default();
        for (recipient, record) in rows {
            book.stored.insert(recipient.clone(), record.clone());
            book.records.insert(recipient, record);
        }
        book.closed = incidents.into_iter().filter(|incident| incident.closed.is_some()).collect();
        book
    }

    /// What a recipient was told; `None` if it was told nothing and accepts messages.
    pub fn record(&self, recipient: &ChannelId) -> Option<&RecipientRecord> {
        self.records.get(recipient)
    }

    /// The owner's channels that do not accept messages, with their circuits.
    pub fn failing_channels(&self) -> impl Iterator<Item = (&ChannelId, &Circuit)> {
        let failing = self.records.iter().filter(|(id, _)| !is_subscriber_id(id));
        failing.filter_map(|(id, record)| Some((id, record.circuit.as_ref()?)))
    }

    /// Returns the problems of channels at `now`, for the owner. A service that fails for a moment is none, and what is wrong with the
    /// settings is a problem of these.
    pub fn list_problems(&self, now: UnixMillis) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        for (id, circuit) in self.failing_channels() {
            let (since, what) = (rfc3339(circuit.failing_since), circuit.obstacle.describe());
            let reason = match circuit.obstacle {
                obstacle if obstacle.is_setup() => continue,
                obstacle if obstacle.is_rejection() => {
                    format!("the service has refused alerts since {since}: {what}; is the secret right?")
                }
                _ if now.since(circuit.failing_since) < PROBLEM_DELAY => continue,
                _ => format!("the service has not accepted alerts since {since}: {what}"),
            };
            problems.push(ConfigProblem { position: format!("ALERTS.{id}"), reason });
        }
        problems
    }

    /// Records the result of a delivery at `now`, and returns the changes to be stored.
    pub(super) fn record_result(
        &mut self,
        delivery: &Delivery,
        result: DeliveryResult,
        now: UnixMillis,
    ) -> Vec<RecordChange> {
        let is_channel = !is_subscriber_id(&delivery.recipient);
        let record = self.records.entry(delivery.recipient.clone()).or_default();
        record.circuit = Circuit::after(record.circuit, result, now);
        for covered in &delivery.covers {
            let entry = record.entry_mut(&covered.subject);
            match result {
                DeliveryResult::Accepted => {
                    entry.state.accept(covered.severity, covered.is_explained, now);
                    entry.named.clone_from(&covered.monitors);
                    entry.sent.clear();
                    entry.unanswered = None;
                }
                // The service says that it did not accept it. For a subscriber that is not worth a row.
                DeliveryResult::Deferred(..) | DeliveryResult::Rejected(_) if is_channel => {
                    entry.release(covered);
                }
                _ => {}
            }
        }
        self.take_changes()
    }

    /// Records that deliveries were not sent. It is stored with the next change.
    pub(super) fn release_unsent(&mut self, deliveries: &[Delivery]) {
        for Delivery { recipient, covers, .. } in deliveries {
            let record = self.records.entry(recipient.clone()).or_default();
            for covered in covers {
                record.entry_mut(&covered.subject).release(covered);
            }
        }
    }

    /// Records that a recipient accepted a message which is not about an incident: what waits for it is due at once.
    pub fn close_circuit(&mut self, recipient: &ChannelId) {
        if let Some(record) = self.records.get_mut(recipient) {
            record.circuit = None;
        }
    }

    /// Removes the recipients that do not exist any more.
    pub fn retain(&mut self, exists: impl Fn(&ChannelId) -> bool) {
        self.records.retain(|id, _| exists(id));
    }

    /// Removes an entry that says nothing any more. That alone is not worth writing a row.
    pub(super) fn forget(&mut self, recipient: &ChannelId, is_over: impl Fn(&SubjectState) -> bool) {
        for records in [&mut self.records, &mut self.stored] {
            if let Some(record) = records.get_mut(recipient) {
                record.entries.retain(|entry| !is_over(entry));
            }
        }
    }

    /// Returns what differs from what is stored, and takes it for stored.
    pub(crate) fn take_changes(&mut self) -> Vec<RecordChange> {
        let mut changes = Vec::new();
        let unwritten = std::mem::take(&mut self.unwritten);
        for (recipient, record) in self.records.iter() {
            let stored = self.stored.get(recipient);
            let is_stored =
                stored.map_or_else(|| record.is_empty(), |stored| record.is_stored_as(stored, recipient));
            if !is_stored || unwritten.contains(recipient) {
                let circuit = record.circuit_to_store(recipient);
                let record = Some(RecipientRecord { circuit, ..record.clone() });
                changes.push(RecordChange { recipient: recipient.clone(), record });
            }
        }
        let removed = self.stored.keys().chain(&unwritten);
        let removed: BTreeSet<_> =
            removed.filter(|recipient| !self.records.contains_key(recipient)).collect();
        changes.extend(removed.into_iter().map(|it| RecordChange { recipient: it.clone(), record: None }));
        for change in &changes {
            match &change.record {
                Some(record) => {
                    self.stored.insert(change.recipient.clone(), record.clone());
                }
                None => {
                    self.stored.remove(&change.recipient);
                }
            }
        }
        changes
    }

    /// Records that changes could not be written, so that the next turn writes them.
    pub fn mark_unwritten(&mut self, changes: &[RecordChange]) {
        self.unwritten.extend(changes.iter().map(|change| change.recipient.clone()));
    }
}
