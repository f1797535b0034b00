//! The ticks of the present hour: from memory, and what does not fit there from the ring in the store, newest first.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;

use super::recent_ticks::RecentTicks;
use super::sql::{Sql, StoreError};
use super::ticks;

/// The instant of a tick and its packed probes.
pub(super) type PackedTick = (UnixMillis, Rc<[u8]>);

/// The position in the ring of ticks, and the last ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct TickRing {
    /// The slot of the last tick.
    slot: Rc<Cell<i64>>,
    recent: Rc<RefCell<RecentTicks>>,
}

impl TickRing {
    /// Returns the slot of the next tick.
    pub(super) fn next_slot(&self) -> i64 {
        (self.slot.get() + 1) % ticks::SLOTS
    }

    /// Discards the ticks in memory and sets the slot of the last tick; the ticks follow by [`TickRing::restore`].
    pub(super) fn reset(&self, slot: i64) {
        self.slot.set(slot);
        self.recent.borrow_mut().clear();
    }

    /// Adds a tick that was read from the store; ticks come oldest first.
    pub(super) fn restore(&self, at: UnixMillis, probes: Rc<[u8]>) {
        self.recent.borrow_mut().push(at, probes);
    }

    /// Adds a tick that was written into the next slot.
    pub(super) fn push(&self, at: UnixMillis, probes: Rc<[u8]>) {
        self.slot.set(self.next_slot());
        self.restore(at, probes);
    }

    /// Returns the ticks from `from` on, oldest first. At most `most` of them are read from the store, the newest that are not in memory.
    pub(super) fn since(
        &self,
        sql: &Sql,
        from: UnixMillis,
        most: i64,
    ) -> Result<Vec<PackedTick>, StoreError> {
        let recent = self.recent.borrow().list();
        if recent.first().is_some_and(|(at, _)| *at < from) {
            return Ok(recent.into_iter().filter(|(at, _)| *at >= from).collect());
        }
        let in_memory = i64::try_from(recent.len()).unwrap_or(i64::MAX);
        let newest = (self.slot.get() - in_memory).rem_euclid(ticks::SLOTS);
        let mut older = Vec::new();
        let current = self.slot.get();
        ticks::walk_back(sql, (newest, current), most.min(ticks::SLOTS - in_memory), |at, probes| {
            if at < from {
                return ControlFlow::Break(());
            }
            older.push((at, Rc::from(probes)));
            ControlFlow::Continue(())
        })?;
        older.reverse();
        older.extend(recent);
        Ok(older)
    }
}
