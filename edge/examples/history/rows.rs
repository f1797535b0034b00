//! Rows as the hub keeps them (`edge/src/store/schema.rs`).

use std::collections::BTreeMap;

use heapbeat_edge::domain::history::latency::LatencySummary;
use heapbeat_edge::domain::history::ledger::{LedgerChanges, LedgerEntry};
use heapbeat_edge::domain::history::rollup::Tier;
use heapbeat_edge::domain::incident::Incident;
use heapbeat_edge::domain::report::last_report::SampleRun;
use heapbeat_edge::monitor_config::MonitorId;
use heapbeat_edge::store::export_format::{Cell, format_row};
use heapbeat_edge::store::{MonitorHour, append_hour, latency_chunk, pack_runs};
use heapbeat_shared::{UnixMillis, codec};

use crate::HOUR;

/// Incidents by monitor and beginning, each with its recording as it is kept.
type Incidents = BTreeMap<(MonitorId, i64), (Incident, Option<Vec<u8>>)>;

/// Everything that will be written.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) ledgers: BTreeMap<MonitorId, Vec<LedgerEntry>>,
    incidents: Incidents,
    /// By the hour's beginning.
    pub(crate) hours: BTreeMap<i64, Vec<(MonitorId, LatencySummary)>>,
    out: String,
}

impl Rows {
    pub(crate) fn row(&mut self, table: &str, row: &[Cell]) {
        self.out.push_str(&format_row(table, row));
        self.out.push('\n');
    }

    /// Applies the changes of a ledger as the store does.
    pub(crate) fn change(&mut self, id: &MonitorId, changes: LedgerChanges) {
        let entries = self.ledgers.entry(id.clone()).or_default();
        if let Some(from) = changes.replace_from {
            entries.retain(|entry| entry.from < from);
        }
        entries.extend(changes.added);
    }

    pub(crate) fn incident(&mut self, incident: Incident) {
        let key = (incident.monitor.clone(), incident.opened.0);
        let recording = self.incidents.remove(&key).and_then(|(_, recording)| recording);
        self.incidents.insert(key, (incident, recording));
    }

    pub(crate) fn recording(&mut self, id: &MonitorId, opened: UnixMillis, runs: &[SampleRun]) {
        if let Some((_, recording)) = self.incidents.get_mut(&(id.clone(), opened.0)) {
            *recording = Some(pack_runs(runs));
        }
    }

    /// A chunk of memory.
    pub(crate) fn chunk(&mut self, id: &MonitorId, tier: Tier, at: i64, runs: &[SampleRun]) {
        if !runs.is_empty() {
            let (from, slot) = tier.chunk_slot(UnixMillis(at));
            self.series(id.as_str(), tier.number(), slot, from, pack_runs(runs));
        }
    }

    fn series(&mut self, id: &str, tier: i64, slot: i64, from: UnixMillis, data: Vec<u8>) {
        let cells = [
            Cell::Text(id.to_owned()),
            Cell::Integer(tier),
            Cell::Integer(slot),
            Cell::Integer(from.0),
            Cell::Bytes(data),
        ];
        self.row("series", &cells);
    }

    /// All lines.
    pub(crate) fn lines(mut self) -> String {
        for (id, entries) in std::mem::take(&mut self.ledgers) {
            for LedgerEntry { from, state } in entries {
                let cells = [
                    Cell::Text(id.to_string()),
                    Cell::Integer(from.0),
                    Cell::Text(state.as_str().to_owned()),
                ];
                self.row("ledger", &cells);
            }
        }
        for ((id, opened), (incident, recording)) in std::mem::take(&mut self.incidents) {
            let cells = [
                Cell::Text(id.to_string()),
                Cell::Integer(opened),
                incident.closed.map_or(Cell::Null, |closed| Cell::Integer(closed.0)),
                Cell::Bytes(codec::encode(&incident)),
                recording.map_or(Cell::Null, Cell::Bytes),
            ];
            self.row("incident", &cells);
        }
        let mut chunks: BTreeMap<(i64, i64, i64), Vec<u8>> = BTreeMap::new();
        for (at, hours) in std::mem::take(&mut self.hours) {
            let (tier, from, slot) = latency_chunk(UnixMillis(at));
            let chunk = chunks.entry((from.0, tier, slot)).or_default();
            let hour = u8::try_from((at - from.0) / HOUR).unwrap_or_default();
            for (monitor, figures) in hours {
                append_hour(chunk, &MonitorHour { monitor, hour, figures });
            }
        }
        for ((from, tier, slot), chunk) in chunks {
            self.series("", tier, slot, UnixMillis(from), chunk);
        }
        self.out
    }
}
