//! The table `ledger`.

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError, integer, name_of};
use crate::domain::State;
use crate::domain::history::ledger::{LedgerChanges, LedgerEntry};
use crate::domain::history::retention;
use crate::monitor_config::MonitorId;

/// The ledger is kept for longer than the longest window, so that its first second is covered.
const _: () = assert!(retention::LEDGER.as_secs() > 90 * 86_400);

/// Loads the entries of every ledger, oldest first.
pub(super) fn load(sql: &Sql) -> Result<LiteMap<MonitorId, Vec<LedgerEntry>>, StoreError> {
    let mut ledgers: LiteMap<MonitorId, Vec<LedgerEntry>> = LiteMap::new();
    for row in sql.rows("SELECT monitor, from_ms, state FROM ledger ORDER BY monitor, from_ms", vec![])? {
        match read(&row) {
            Some((id, entry)) => ledgers.entry(id).or_default().push(entry),
            None => sql.set_aside("ledger", &name_of(&row)),
        }
    }
    Ok(ledgers)
}

fn read(row: &Row) -> Option<(MonitorId, LedgerEntry)> {
    let [SqlStorageValue::String(id), from, SqlStorageValue::String(state)] = row.as_slice() else {
        return None;
    };
    Some((
        id.parse().ok()?,
        LedgerEntry { from: UnixMillis(integer(from)?), state: State::from_word(state)? },
    ))
}

/// Writes the changes that a tick made in a ledger.
pub(super) fn write(sql: &Sql, monitor: &MonitorId, changes: &LedgerChanges) -> Result<(), StoreError> {
    if let Some(from) = changes.replace_from {
        sql.run(
            "DELETE FROM ledger WHERE monitor = ? AND from_ms >= ?",
            vec![monitor.as_str().into(), from.0.into()],
        )?;
    }
    for entry in &changes.added {
        sql.run(
            "INSERT INTO ledger (monitor, from_ms, state) VALUES (?, ?, ?)",
            vec![monitor.as_str().into(), entry.from.0.into(), entry.state.as_str().into()],
        )?;
    }
    if let Some(before) = changes.delete_before {
        sql.run(
            "DELETE FROM ledger WHERE monitor = ? AND from_ms < ?",
            vec![monitor.as_str().into(), before.0.into()],
        )?;
    }
    Ok(())
}
