//! The history in SQLite, and the statements that delete it.

use heapbeat_shared::{UnixMillis, codec};
use worker::SqlStorageValue;

use super::{History, HistoryPart};
use crate::domain::engine::PersistedStates;
use crate::domain::history::rollup::Tier;
use crate::store::sql::{Row, Sql, StoreError};
use crate::store::{latency_series, notifications, tick_codec};

/// The ticks whose states may go: all but the last one.
const OLD_TICKS: &str = "at_ms < ? AND at_ms < (SELECT MAX(at_ms) FROM tick)";

/// The incidents that may go: those that are closed, are not the latest of their monitor, and are not in a list of ids.
const OLD_INCIDENTS: &str = "closed_ms < ? AND opened_ms < (SELECT MAX(opened_ms) FROM incident AS latest
    WHERE latest.monitor = incident.monitor) AND monitor || '/' || (opened_ms / 1000) NOT IN (SELECT value FROM json_each(?))";

/// The entries of ledgers that may go: those whose segment ends before an instant. The segment that contains the instant stays.
const OLD_ENTRIES: &str = "from_ms < ?1 AND from_ms < (SELECT MAX(from_ms) FROM ledger AS later
    WHERE later.monitor = ledger.monitor AND later.from_ms <= ?1)";

impl HistoryPart {
    /// Returns the tier of the part in `series`, and the milliseconds of its chunks.
    fn chunks(self) -> Option<(i64, i64)> {
        match self {
            HistoryPart::Latencies => Some(latency_series::TIER_AND_CHUNK_MS),
            HistoryPart::MinutePeaks => Some((Tier::Minute.number(), Tier::Minute.ring().chunk_ms)),
            HistoryPart::HourPeaks => Some((Tier::Hour.number(), Tier::Hour.ring().chunk_ms)),
            _ => None,
        }
    }
}

impl History for Sql {
    fn size(&self) -> u64 {
        self.database_size()
    }

    fn delete_samples(&self) -> Result<Option<String>, StoreError> {
        let query = "SELECT monitor FROM series WHERE tier = ? GROUP BY monitor ORDER BY SUM(LENGTH(data)) DESC LIMIT 1";
        let rows = self.rows(query, vec![Tier::Second.number().into()])?;
        let Some([SqlStorageValue::String(monitor)]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let values = vec![monitor.as_str().into(), Tier::Second.number().into()];
        self.run("DELETE FROM series WHERE monitor = ? AND tier = ?", values)?;
        Ok(Some(monitor.clone()))
    }

    fn oldest(&self, part: HistoryPart, limit: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let at = limit.0.into();
        let (query, values) = match part {
            HistoryPart::OldStates => (
                format!("SELECT MIN(at_ms) FROM tick WHERE {OLD_TICKS} AND states <> ?"),
                vec![at, no_states()],
            ),
            HistoryPart::Probes => (
                format!("SELECT MIN(at_ms) FROM tick WHERE {OLD_TICKS} AND probes <> ?"),
                vec![at, no_probes()],
            ),
            HistoryPart::Recordings => {
                let query =
                    "SELECT MIN(closed_ms) FROM incident WHERE closed_ms < ? AND recording IS NOT NULL";
                (query.to_owned(), vec![at])
            }
            HistoryPart::Incidents => (
                format!("SELECT MIN(closed_ms) FROM incident WHERE {OLD_INCIDENTS}"),
                vec![at, mentioned(self)?],
            ),
            HistoryPart::Ledgers => {
                // The end of the oldest segment: until then there is none to delete.
                let query = "SELECT MIN(from_ms) FROM ledger WHERE from_ms <= ? AND from_ms > (SELECT MIN(from_ms) FROM ledger AS first
                    WHERE first.monitor = ledger.monitor)";
                (query.to_owned(), vec![at])
            }
            HistoryPart::Latencies | HistoryPart::MinutePeaks | HistoryPart::HourPeaks => {
                let (tier, chunk_ms) = part.chunks().unwrap_or_default();
                let query = "SELECT MIN(from_ms) + ?2 FROM series WHERE tier = ?1 AND from_ms + ?2 <= ?3";
                (query.to_owned(), vec![tier.into(), chunk_ms.into(), at])
            }
        };
        Ok(self.number(&query, values)?.map(UnixMillis))
    }

    fn delete(&self, part: HistoryPart, until: UnixMillis) -> Result<(), StoreError> {
        let at = until.0.into();
        let (statement, values): (String, Row) = match part {
            HistoryPart::OldStates => (
                format!(
                    "UPDATE tick SET states = ?2 WHERE {} AND states <> ?2",
                    OLD_TICKS.replace('?', "?1")
                ),
                vec![at, no_states()],
            ),
            HistoryPart::Probes => (
                format!(
                    "UPDATE tick SET probes = ?2 WHERE {} AND probes <> ?2",
                    OLD_TICKS.replace('?', "?1")
                ),
                vec![at, no_probes()],
            ),
            HistoryPart::Recordings => {
                let statement =
                    "UPDATE incident SET recording = NULL WHERE closed_ms < ? AND recording IS NOT NULL";
                (statement.to_owned(), vec![at])
            }
            HistoryPart::Incidents => {
                (format!("DELETE FROM incident WHERE {OLD_INCIDENTS}"), vec![at, mentioned(self)?])
            }
            HistoryPart::Ledgers => (format!("DELETE FROM ledger WHERE {OLD_ENTRIES}"), vec![at]),
            HistoryPart::Latencies | HistoryPart::MinutePeaks | HistoryPart::HourPeaks => {
                let (tier, chunk_ms) = part.chunks().unwrap_or_default();
                let statement = "DELETE FROM series WHERE tier = ?1 AND from_ms + ?2 <= ?3";
                (statement.to_owned(), vec![tier.into(), chunk_ms.into(), at])
            }
        };
        self.run(&statement, values)
    }
}

/// The encoded states of no monitor.
fn no_states() -> SqlStorageValue {
    codec::encode(&PersistedStates::new()).into()
}

/// The packed probes of a tick without any.
fn no_probes() -> SqlStorageValue {
    tick_codec::pack_tick(&[], 0).into()
}

/// Returns the ids of the incidents that a recipient was told of last, as a JSON list.
fn mentioned(sql: &Sql) -> Result<SqlStorageValue, StoreError> {
    let (_, incidents) = notifications::load(sql)?;
    let ids: Vec<String> = incidents
        .iter()
        .map(|incident| format!("{}/{}", incident.monitor, incident.opened.0.div_euclid(1000)))
        .collect();
    let text = serde_json::to_string(&ids).map_err(|error| StoreError::Platform(error.to_string()))?;
    Ok(text.into())
}
