//! The table `tick`, a ring of the last ticks.

use std::ops::ControlFlow;

use heapbeat_shared::{UnixMillis, codec};
use worker::SqlStorageValue;

use super::sql::{Sql, StoreError, integer};
use super::tick_codec::{pack_tick, unpack_tick};
use crate::domain::engine::{PersistedStates, ProbeRecord, Tick, TickChanges};
use crate::domain::quota::QuotaUsage;

/// The number of slots: a little more than one day at one tick per minute.
pub(super) const SLOTS: i64 = 1536;

/// The last tick that was stored.
pub(super) struct LastTick {
    /// The slot in the ring.
    pub(super) slot: i64,
    /// The scheduled and the actual time.
    pub(super) tick: Tick,
    /// The state of all monitors after the tick.
    pub(super) states: PersistedStates,
    /// The quota that was used on its day.
    pub(super) usage: QuotaUsage,
}

/// Reads the last tick; `None` before the first.
pub(super) fn load_last(sql: &Sql) -> Result<Option<LastTick>, StoreError> {
    let query = "SELECT slot, at_ms, received_ms, states, usage FROM tick ORDER BY at_ms DESC LIMIT 1";
    let rows = sql.rows(query, vec![])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let [slot, at, received, SqlStorageValue::Blob(states), SqlStorageValue::Blob(usage)] = row.as_slice()
    else {
        return Err(StoreError::Unexpected("tick"));
    };
    let (Some(slot), Some(at), Some(received)) = (integer(slot), integer(at), integer(received)) else {
        return Err(StoreError::Unexpected("tick"));
    };
    Ok(Some(LastTick {
        slot,
        tick: Tick { at: UnixMillis(at), received: UnixMillis(received) },
        states: codec::decode(states).map_err(|_| StoreError::Unexpected("tick"))?,
        usage: codec::decode(usage).unwrap_or_default(),
    }))
}

/// Reads the probes of the ticks after `since`, oldest first, and calls `visit` for each. A tick that cannot be read is skipped, so that a
/// damaged row does not keep the hub from starting.
pub(super) fn for_each_since(
    sql: &Sql,
    since: UnixMillis,
    mut visit: impl FnMut(UnixMillis, Vec<ProbeRecord>),
) -> Result<(), StoreError> {
    let query = "SELECT at_ms, probes FROM tick WHERE at_ms > ? ORDER BY at_ms";
    sql.for_each_row(query, vec![since.0.into()], |row| {
        let (Some(at), Some(SqlStorageValue::Blob(blob))) = (row.first().and_then(integer), row.get(1))
        else {
            return Err(StoreError::Unexpected("tick"));
        };
        if let Ok(readings) = unpack_tick(blob) {
            visit(UnixMillis(at), readings);
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// Writes a tick into its slot.
pub(super) fn write(sql: &Sql, slot: i64, commit: &TickChanges) -> Result<(), StoreError> {
    sql.run(
        "INSERT OR REPLACE INTO tick (slot, at_ms, received_ms, probes, states, usage) VALUES (?, ?, ?, ?, ?, ?)",
        vec![
            slot.into(),
            commit.tick.at.0.into(),
            commit.tick.received.0.into(),
            pack_tick(&commit.probes).into(),
            commit.persisted_states.clone().into(),
            codec::encode(&commit.usage).into(),
        ],
    )
}
