//! The table of incidents.

use heapbeat_shared::{UnixMillis, codec};
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError};
use super::tick_codec::{pack_runs, unpack_runs};
use crate::domain::history::retention;
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// Loads the incidents that are open or were closed after `since`, by monitor, oldest first.
pub(super) fn load_recent(sql: &Sql, since: UnixMillis) -> Result<Vec<Incident>, StoreError> {
    let query =
        "SELECT body FROM incident WHERE closed_ms IS NULL OR closed_ms > ? ORDER BY monitor, opened_ms";
    select(sql, query, vec![since.0.into()])
}

/// Lists at most `most` incidents of the monitors `ids`, newest first, that follow the incident of `monitor` in `second`. Incidents of
/// the same second are ordered by the monitor's id.
pub(super) fn list_before(
    sql: &Sql,
    ids: &[&str],
    (second, monitor): (i64, &str),
    most: i64,
) -> Result<Vec<Incident>, StoreError> {
    let query = "SELECT body FROM incident WHERE monitor IN (SELECT value FROM json_each(?))
        AND (opened_ms < ? OR (opened_ms < ? AND monitor > ?)) ORDER BY opened_ms / 1000 DESC, monitor LIMIT ?";
    let from = second.saturating_mul(1000);
    let to = from.saturating_add(1000);
    let ids = serde_json::to_string(ids).map_err(|error| StoreError::Platform(error.to_string()))?;
    select(sql, query, vec![ids.into(), from.into(), to.into(), monitor.into(), most.into()])
}

/// Finds an incident and the samples before it.
pub(super) fn find(sql: &Sql, id: &IncidentId) -> Result<Option<(Incident, Vec<SampleRun>)>, StoreError> {
    let query = "SELECT body, recording FROM incident WHERE monitor = ? AND opened_ms >= ? AND opened_ms < ?";
    let from = id.opened.saturating_mul(1000);
    let values = vec![id.monitor.as_str().into(), from.into(), from.saturating_add(1000).into()];
    let rows = sql.rows(query, values)?;
    let Some([SqlStorageValue::Blob(body), recording]) = rows.first().map(Vec::as_slice) else {
        return Ok(None);
    };
    let incident = codec::decode(body).map_err(|_| StoreError::Unexpected("incident"))?;
    let runs = match recording {
        SqlStorageValue::Blob(blob) => unpack_runs(blob).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Some((incident, runs)))
}

/// Inserts or updates an incident.
pub(super) fn write(sql: &Sql, incident: &Incident) -> Result<(), StoreError> {
    let closed = incident.closed.map_or(SqlStorageValue::Null, |closed| closed.0.into());
    sql.run(
        "INSERT INTO incident (monitor, opened_ms, closed_ms, body) VALUES (?, ?, ?, ?)
            ON CONFLICT (monitor, opened_ms) DO UPDATE SET closed_ms = excluded.closed_ms, body = excluded.body",
        vec![incident.monitor.as_str().into(), incident.opened.0.into(), closed, codec::encode(incident).into()],
    )
}

/// Writes the samples before an incident that begins at `now`, and deletes the monitor's expired incidents.
pub(super) fn write_recording(
    sql: &Sql,
    monitor: &MonitorId,
    opened: UnixMillis,
    runs: &[SampleRun],
    now: UnixMillis,
) -> Result<(), StoreError> {
    sql.run(
        "UPDATE incident SET recording = ? WHERE monitor = ? AND opened_ms = ?",
        vec![pack_runs(runs).into(), monitor.as_str().into(), opened.0.into()],
    )?;
    sql.run(
        "DELETE FROM incident WHERE monitor = ? AND opened_ms < ?",
        vec![monitor.as_str().into(), now.minus(retention::INCIDENTS).0.into()],
    )
}

fn select(sql: &Sql, query: &str, values: Row) -> Result<Vec<Incident>, StoreError> {
    let read = |row: &Row| match row.first() {
        Some(SqlStorageValue::Blob(body)) => codec::decode(body).ok(),
        _ => None,
    };
    let rows = sql.rows(query, values)?;
    rows.iter().map(|row| read(row).ok_or(StoreError::Unexpected("incident"))).collect()
}
