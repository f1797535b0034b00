//! The table `tick`, a ring of the last ticks.

use std::ops::ControlFlow;
use std::rc::Rc;

use heapbeat_shared::{UnixMillis, codec};
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError, integer, name_of};
use super::tick_codec::unpack_tick;
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

/// Reads the last tick that can be read; `None` before the first.
pub(super) fn load_last(sql: &Sql) -> Result<Option<LastTick>, StoreError> {
    let query = "SELECT slot, at_ms, received_ms, states, usage FROM tick ORDER BY at_ms DESC";
    let mut last = None;
    sql.for_each_row(query, vec![], |row| {
        last = read_last(&row);
        Ok(if last.is_some() {
            ControlFlow::Break(())
        } else {
            sql.set_aside("tick", &name_of(&row));
            ControlFlow::Continue(())
        })
    })?;
    Ok(last)
}

fn read_last(row: &[SqlStorageValue]) -> Option<LastTick> {
    let [slot, at, received, SqlStorageValue::Blob(states), SqlStorageValue::Blob(usage)] = row else {
        return None;
    };
    Some(LastTick {
        slot: integer(slot)?,
        tick: Tick { at: UnixMillis(integer(at)?), received: UnixMillis(integer(received)?) },
        states: codec::decode(states).ok()?,
        usage: codec::decode(usage).unwrap_or_default(),
    })
}

/// Reads the probes of all ticks, oldest first, and calls `visit` for each. Returns whether the ring is full. A tick that cannot be read
/// is set aside, so that a damaged row does not keep the hub from starting.
pub(super) fn for_each(
    sql: &Sql,
    mut visit: impl FnMut(UnixMillis, Rc<[u8]>, Vec<ProbeRecord>),
) -> Result<bool, StoreError> {
    let mut count = 0;
    sql.for_each_row("SELECT at_ms, probes FROM tick ORDER BY at_ms", vec![], |row| {
        count += 1;
        let name = name_of(&row);
        match read(row).and_then(|(at, probes)| Some((at, unpack_tick(&probes).ok()?, probes))) {
            Some((at, readings, probes)) => visit(at, probes.into(), readings),
            None => sql.set_aside("tick", &name),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count >= SLOTS)
}

/// Reads at most `most` ticks, newest first, from the slot `newest` back around the ring to the one after `current`, the slot of the last
/// tick, until `visit` breaks.
pub(super) fn walk_back(
    sql: &Sql,
    (newest, current): (i64, i64),
    most: i64,
    mut visit: impl FnMut(UnixMillis, Vec<u8>) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let query = "SELECT at_ms, probes FROM tick WHERE slot <= ? AND slot > ? ORDER BY slot DESC LIMIT ?";
    let (mut left, mut is_done) = (most, false);
    for (top, bottom) in slots_before(newest, current) {
        sql.for_each_row(query, vec![top.into(), bottom.into(), left.into()], |row| {
            left -= 1;
            let step = read(row).map_or(ControlFlow::Continue(()), |(at, probes)| visit(at, probes));
            is_done = step.is_break();
            Ok(step)
        })?;
        if is_done || left <= 0 {
            break;
        }
    }
    Ok(())
}

/// Returns the slots from `newest` back around the ring to the one after `current`, as ranges from the top (included) to the bottom
/// (excluded).
fn slots_before(newest: i64, current: i64) -> Vec<(i64, i64)> {
    if newest > current { vec![(newest, current)] } else { vec![(newest, -1), (SLOTS - 1, current)] }
}

fn read(row: Row) -> Option<(UnixMillis, Vec<u8>)> {
    let mut cells = row.into_iter();
    let (Some(SqlStorageValue::Integer(at)), Some(SqlStorageValue::Blob(probes))) =
        (cells.next(), cells.next())
    else {
        return None;
    };
    Some((UnixMillis(at), probes))
}

/// Writes a tick into its slot.
pub(super) fn write(sql: &Sql, slot: i64, commit: &TickChanges, probes: &[u8]) -> Result<(), StoreError> {
    sql.run(
        "INSERT OR REPLACE INTO tick (slot, at_ms, received_ms, probes, states, usage) VALUES (?, ?, ?, ?, ?, ?)",
        vec![
            slot.into(),
            commit.tick.at.0.into(),
            commit.tick.received.0.into(),
            probes.to_vec().into(),
            commit.persisted_states.clone().into(),
            codec::encode(&commit.usage).into(),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_back_around_the_ring_visits_each_slot_once() {
        let cases: [(i64, i64); 8] =
            [(0, 0), (0, 7), (1, 0), (5, 3), (58, 58), (60, 59), (60, 1535), (1535, 9)];
        for (in_memory, current) in cases {
            let newest = (current - in_memory).rem_euclid(SLOTS);
            let ranges = slots_before(newest, current);
            let visited: Vec<i64> =
                ranges.iter().flat_map(|(top, bottom)| (bottom + 1..=*top).rev()).collect();
            let expected: Vec<i64> =
                (in_memory..SLOTS).map(|back| (current - back).rem_euclid(SLOTS)).collect();
            assert_eq!(visited, expected, "{in_memory} {current}");
        }
    }
}
