//! The table of incidents.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use heapbeat_shared::{UnixMillis, codec};
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError, name_of};
use super::tick_codec::{pack_recording, unpack_runs};
use crate::domain::history::retention;
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// Loads the incidents that are open, and of each of `monitors` the latest if it is closed, however long ago: somebody may have resolved
/// it while its trouble lasts, and then that opens no other one.
pub(super) fn load_latest<'m>(
    sql: &Sql,
    monitors: impl Iterator<Item = &'m MonitorId>,
) -> Result<Vec<Incident>, StoreError> {
    let open = "SELECT monitor, opened_ms, body FROM incident WHERE closed_ms IS NULL";
    let mut incidents = select(sql, open, vec![])?;
    let query = "SELECT monitor, opened_ms, body FROM json_each(?) AS id
        JOIN incident ON monitor = id.value AND closed_ms IS NOT NULL
        AND opened_ms = (SELECT MAX(opened_ms) FROM incident WHERE monitor = id.value)";
    let ids = serde_json::to_string(&monitors.map(MonitorId::as_str).collect::<BTreeSet<_>>())
        .map_err(|error| StoreError::Platform(error.to_string()))?;
    incidents.extend(select(sql, query, vec![ids.into()])?);
    Ok(incidents)
}

/// Lists at most `most` incidents of the monitors `ids`, newest first, that follow the incident of `monitor` in `second`. Incidents of
/// the same second are ordered by the monitor's id. It reads one row for each of `ids`, and one for each incident but the last.
pub(super) fn list_before(
    sql: &Sql,
    ids: &[&str],
    (second, monitor): (i64, &str),
    most: usize,
) -> Result<Vec<Incident>, StoreError> {
    let from = second.saturating_mul(1000);
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut next = Vec::new();
    for id in ids {
        let end = if id > monitor { from.saturating_add(1000) } else { from };
        next.extend(read_before(sql, id, end)?);
    }
    let mut found = Vec::new();
    while found.len() < most {
        // Of equal seconds the first one, whose monitor's id is the lowest.
        let newest = (0..next.len()).min_by_key(|index| Reverse(next[*index].opened.0.div_euclid(1000)));
        let Some(index) = newest else { break };
        let incident = next.remove(index);
        if found.len() + 1 < most
            && let Some(older) = read_before(sql, incident.monitor.as_str(), incident.opened.0)?
        {
            next.insert(index, older);
        }
        found.push(incident);
    }
    Ok(found)
}

/// Reads the last incident of a monitor that opened before an instant. One that cannot be read is set aside.
fn read_before(sql: &Sql, id: &str, end: i64) -> Result<Option<Incident>, StoreError> {
    // A cursor reads a row ahead unless it has the last one.
    let query = "SELECT monitor, opened_ms, body FROM incident WHERE monitor = ? AND opened_ms < ?
        ORDER BY opened_ms DESC LIMIT 1";
    let mut end = end;
    loop {
        let rows = sql.rows(query, vec![id.into(), end.into()])?;
        let Some([_, SqlStorageValue::Integer(opened), body]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        if let SqlStorageValue::Blob(body) = body
            && let Ok(incident) = codec::decode(body)
        {
            return Ok(Some(incident));
        }
        sql.set_aside("incident", &name_of(&rows[0]));
        end = *opened;
    }
}

/// Whether there is an incident. Reads at most one row.
pub(super) fn exists(sql: &Sql, id: &IncidentId) -> Result<bool, StoreError> {
    let query =
        "SELECT opened_ms FROM incident WHERE monitor = ? AND opened_ms >= ? AND opened_ms < ? LIMIT 1";
    let from = id.opened.saturating_mul(1000);
    let values = vec![id.monitor.as_str().into(), from.into(), from.saturating_add(1000).into()];
    Ok(sql.number(query, values)?.is_some())
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
    let Ok(incident) = codec::decode(body) else {
        sql.set_aside("incident", &id.to_string());
        return Ok(None);
    };
    let runs = match recording {
        SqlStorageValue::Blob(blob) => unpack_runs(blob).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Some((incident, runs)))
}

/// Inserts or updates an incident. The index is a row of its own, which is written only if the incident opens or closes: an update that
/// names its column would write it each time.
pub(super) fn write(sql: &Sql, incident: &Incident) -> Result<(), StoreError> {
    let closed = || incident.closed.map_or(SqlStorageValue::Null, |closed| closed.0.into());
    let (monitor, opened, body) = (incident.monitor.as_str(), incident.opened.0, codec::encode(incident));
    sql.run(
        "UPDATE incident SET body = ? WHERE monitor = ? AND opened_ms = ? AND closed_ms IS ?",
        vec![body.clone().into(), monitor.into(), opened.into(), closed()],
    )?;
    sql.run(
        "INSERT INTO incident (monitor, opened_ms, closed_ms, body) VALUES (?, ?, ?, ?)
            ON CONFLICT (monitor, opened_ms) DO UPDATE SET closed_ms = excluded.closed_ms, body = excluded.body
            WHERE closed_ms IS NOT excluded.closed_ms",
        vec![monitor.into(), opened.into(), closed(), body.into()],
    )
}

/// Writes the samples before an incident that begins at `now`, and deletes the monitor's expired incidents, and those beyond
/// [`retention::MAX_INCIDENTS`].
pub(super) fn write_recording(
    sql: &Sql,
    monitor: &MonitorId,
    opened: UnixMillis,
    runs: &[SampleRun],
    now: UnixMillis,
) -> Result<(), StoreError> {
    sql.run(
        "UPDATE incident SET recording = ? WHERE monitor = ? AND opened_ms = ?",
        vec![pack_recording(runs).into(), monitor.as_str().into(), opened.0.into()],
    )?;
    sql.run(
        "DELETE FROM incident WHERE monitor = ? AND opened_ms < ?",
        vec![monitor.as_str().into(), now.minus(retention::INCIDENTS).0.into()],
    )?;
    sql.run(
        "DELETE FROM incident WHERE monitor = ?1 AND opened_ms <= (
            SELECT opened_ms FROM incident WHERE monitor = ?1 ORDER BY opened_ms DESC LIMIT 1 OFFSET ?2)",
        vec![monitor.as_str().into(), retention::MAX_INCIDENTS.into()],
    )
}

/// Reads the incidents of a query for a monitor, an instant and a body. One that cannot be read is set aside.
fn select(sql: &Sql, query: &str, values: Row) -> Result<Vec<Incident>, StoreError> {
    let read = |row: &Row| match row.get(2) {
        Some(SqlStorageValue::Blob(body)) => codec::decode(body).ok(),
        _ => None,
    };
    let mut found = Vec::new();
    for row in sql.rows(query, values)? {
        match read(&row) {
            Some(incident) => found.push(incident),
            None => sql.set_aside("incident", &name_of(&row)),
        }
    }
    Ok(found)
}
