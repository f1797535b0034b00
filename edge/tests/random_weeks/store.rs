//! What an edge has stored, as it would be read back after it was stopped.

use std::collections::BTreeMap;

use heapbeat_edge::domain::engine::{Engine, Tick, TickChanges};
use heapbeat_edge::domain::history::ledger::{LedgerChanges, LedgerEntry};
use heapbeat_edge::domain::incident::Incident;
use heapbeat_edge::domain::incident::id::IncidentId;
use heapbeat_edge::monitor_config::MonitorId;
use heapbeat_edge::notify::{ChannelId, NotificationRecords, RecordChange};
use heapbeat_shared::codec;

/// The rows of one hub, encoded as in its tables.
#[derive(Debug, Default)]
pub(crate) struct Store {
    last: Option<Tick>,
    states: Vec<u8>,
    ledgers: BTreeMap<MonitorId, Vec<LedgerEntry>>,
    incidents: BTreeMap<(MonitorId, i64), Vec<u8>>,
    recipients: BTreeMap<ChannelId, Vec<u8>>,
}

impl Store {
    /// Writes a tick.
    pub(crate) fn commit(&mut self, changes: TickChanges) {
        self.last = Some(changes.tick);
        self.states = changes.persisted_states;
        for (monitor, LedgerChanges { added, delete_before, replace_from }) in changes.ledgers {
            let ledger = self.ledgers.entry(monitor).or_default();
            if let Some(from) = replace_from {
                ledger.retain(|entry| entry.from < from);
            }
            ledger.extend(added);
            if let Some(before) = delete_before {
                ledger.retain(|entry| entry.from >= before);
            }
        }
        changes.incidents.iter().for_each(|incident| self.write_incident(incident));
    }

    pub(crate) fn write_incident(&mut self, incident: &Incident) {
        self.incidents.insert((incident.monitor.clone(), incident.opened.0), codec::encode(incident));
    }

    /// Reads an incident.
    pub(crate) fn incident(&self, id: &IncidentId) -> Option<Incident> {
        let all = self.incidents.values().map(|body| codec::decode::<Incident>(body).unwrap());
        all.into_iter().find(|incident| incident.id() == *id)
    }

    /// Writes what recipients were told.
    pub(crate) fn write_records(&mut self, changes: Vec<RecordChange>) {
        for RecordChange { recipient, record } in changes {
            match record {
                Some(record) => self.recipients.insert(recipient, codec::encode(&record)),
                None => self.recipients.remove(&recipient),
            };
        }
    }

    /// Reads everything back.
    pub(crate) fn load(&self) -> (Engine, NotificationRecords) {
        let states = if self.states.is_empty() { Vec::new() } else { codec::decode(&self.states).unwrap() };
        let ledgers = self.ledgers.iter().map(|(id, entries)| (id.clone(), entries.clone())).collect();
        let mut engine = Engine::restore(self.last, states, ledgers);
        let incidents: Vec<Incident> =
            self.incidents.values().map(|body| codec::decode(body).unwrap()).collect();
        assert_eq!(engine.restore_incidents(incidents.clone()).len(), 0, "one is open beside a later one");
        let decoded = self.recipients.iter().map(|(id, body)| (id.clone(), codec::decode(body).unwrap()));
        let rows: Vec<(ChannelId, heapbeat_edge::notify::RecipientRecord)> = decoded.collect();
        let is_mentioned = |it: &Incident| {
            let mentioned = rows.iter().flat_map(|(_, record)| record.incidents());
            mentioned
                .into_iter()
                .any(|(id, opened, _)| *id == it.monitor && opened == it.opened.0.div_euclid(1000))
        };
        let mentioned = incidents.iter().filter(|it| is_mentioned(it)).cloned().collect();
        (engine, NotificationRecords::restore(rows, mentioned))
    }
}
