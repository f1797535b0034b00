//! What every recipient was told last about every incident: the table `notification`, and the results of deliveries.
//!
//! A recipient has one record, which is stored as one row. The book knows what is stored, so that a turn in which nothing changes
//! writes nothing.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use minicbor::{Decode, Encode};

use super::channel::ChannelId;
use super::circuit::{Circuit, DeliveryResult, Obstacle};
use super::subscriber::is_subscriber_id;
use super::turn::Delivery;
use crate::domain::incident::Incident;
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
}

impl Subject {
    /// The subject of messages about an incident.
    pub fn of(incident: &Incident) -> Subject {
        Subject::Incident(incident.monitor.clone(), incident.opened.0.div_euclid(1000))
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
}

/// What a recipient was told about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct SubjectState {
    #[n(0)]
    pub(super) subject: Subject,
    #[n(1)]
    pub(super) state: NotificationState,
}

impl RecipientRecord {
    /// What the recipient was told about a subject.
    pub fn state(&self, subject: &Subject) -> Option<&NotificationState> {
        self.entries.iter().find(|entry| entry.subject == *subject).map(|entry| &entry.state)
    }

    /// What the recipient was told about a subject, to change it; nothing if it has no entry.
    pub(super) fn state_mut(&mut self, subject: &Subject) -> &mut NotificationState {
        let known = self.entries.iter().position(|entry| entry.subject == *subject);
        let index = known.unwrap_or_else(|| {
            self.entries.push(SubjectState { subject: subject.clone(), state: NotificationState::default() });
            self.entries.len() - 1
        });
        &mut self.entries[index].state
    }

    /// What the recipient was told about incidents: the monitor, the second in which it opened, and the rest.
    pub fn incidents(&self) -> impl Iterator<Item = (&MonitorId, i64, &NotificationState)> {
        self.entries.iter().filter_map(|entry| match &entry.subject {
            Subject::Incident(monitor, opened) => Some((monitor, *opened, &entry.state)),
            Subject::Channel(_) => None,
        })
    }

    fn is_empty(&self) -> bool {
        self.circuit.is_none() && self.entries.is_empty()
    }

    /// What has to be stored of the record of `recipient`. The failures of a subscriber are kept in memory, except for when they
    /// began: a stranger's dead address must not cost a row with each attempt.
    fn to_store(&self, recipient: &ChannelId) -> RecipientRecord {
        let mut record = self.clone();
        if is_subscriber_id(recipient)
            && let Some(circuit) = &mut record.circuit
        {
            *circuit = Circuit::unusable(Obstacle::Silent, circuit.failing_since);
        }
        record
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
    pub fn record_result(
        &mut self,
        delivery: &Delivery,
        result: DeliveryResult,
        now: UnixMillis,
    ) -> Vec<RecordChange> {
        let is_channel = !is_subscriber_id(&delivery.recipient);
        let record = self.records.entry(delivery.recipient.clone()).or_default();
        record.circuit = Circuit::after(record.circuit, result, now);
        for covered in &delivery.covers {
            let told = record.state_mut(&covered.subject);
            match result {
                DeliveryResult::Accepted => told.accept(covered.severity, covered.is_explained, now),
                // The service says that it did not accept it. For a subscriber that is not worth a row.
                DeliveryResult::Deferred(..) | DeliveryResult::Rejected(_)
                    if is_channel && !covered.was_uncertain =>
                {
                    told.uncertain.remove(covered.severity);
                }
                _ => {}
            }
        }
        self.take_changes()
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
    pub(super) fn take_changes(&mut self) -> Vec<RecordChange> {
        let mut changes = Vec::new();
        for (recipient, record) in self.records.iter() {
            let wanted = record.to_store(recipient);
            let stored = self.stored.get(recipient);
            if stored.map_or_else(|| !wanted.is_empty(), |stored| *stored != wanted) {
                changes.push(RecordChange { recipient: recipient.clone(), record: Some(wanted) });
            }
        }
        for recipient in self.stored.keys().filter(|recipient| !self.records.contains_key(recipient)) {
            changes.push(RecordChange { recipient: recipient.clone(), record: None });
        }
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
        for change in changes {
            // This equals no record that is worth storing, and is deleted if there is none.
            self.stored.insert(change.recipient.clone(), RecipientRecord::default());
        }
    }
}
