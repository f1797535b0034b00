//! Room for requests that wait for a program, bounded in number. They wait in the kernel's buffers (see `admission`), or have their part of
//! the room in memory already (see `memory`).

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::HoldLimits;
use crate::turns::Turns;

/// The waiting requests.
#[derive(Debug)]
pub(crate) struct HoldRoom {
    requests: usize,
    held: Arc<AtomicUsize>,
    total: AtomicU64,
    longest_micros: AtomicU64,
    refused: AtomicU64,
    /// When a copy may be active again, if that is known.
    outage_until: Mutex<Option<Instant>>,
    /// Whether no copy will be active any more.
    ended: AtomicBool,
    /// Bytes of request bodies that may still be kept for a repetition.
    repeat_bytes: Mutex<usize>,
    turns: Arc<Turns>,
}

/// A request that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Arc<HoldRoom>,
    since: Instant,
}

/// Figures about requests that waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldStatistics {
    /// Requests that wait now.
    pub now: usize,
    /// Requests that have waited since the start.
    pub total: u64,
    /// Longest wait.
    pub longest: Duration,
    /// Requests that found no room, or waited in vain.
    pub refused: u64,
    /// Requests that waited which may be with the program at the same time.
    pub turns: usize,
}

impl HoldRoom {
    pub(crate) fn new(limits: &HoldLimits) -> Arc<Self> {
        let held = Arc::<AtomicUsize>::default();
        Arc::new(HoldRoom {
            requests: limits.requests,
            turns: Turns::new(Arc::clone(&held)),
            held,
            total: AtomicU64::new(0),
            longest_micros: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            outage_until: Mutex::default(),
            ended: AtomicBool::new(false),
            repeat_bytes: Mutex::new(limits.repeat_total),
        })
    }

    /// Admits a request; `None` if there is no room.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant) -> Option<Held> {
        if self.held.load(Ordering::Relaxed) >= self.requests {
            self.refuse();
            return None;
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        Some(Held { room: Arc::clone(self), since: now })
    }

    /// Returns the turns of requests that waited.
    pub(crate) const fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    /// Whether any request waits.
    pub(crate) fn is_anyone_waiting(&self) -> bool {
        self.held.load(Ordering::Relaxed) > 0
    }

    /// Counts a request that waits; once, however often it enters.
    pub(crate) fn count(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that waited in vain.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that no copy will be active before this time.
    pub(crate) fn announce_outage(&self, until: Instant) {
        *self.outage_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Notes that a copy is active.
    pub(crate) fn end_outage(&self) {
        *self.outage_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that no copy will be active any more.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether no copy will be active any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Returns how long the outage still lasts, if it lasts longer than a request may wait.
    pub(crate) fn outlasting_outage(&self, deadline: Instant, now: Instant) -> Option<Duration> {
        let until = (*self.outage_until.lock().unwrap_or_else(PoisonError::into_inner))?;
        (until > deadline).then(|| until - now)
    }

    /// Reserves bytes for a body that may be repeated; false if there are none left.
    pub(crate) fn reserve_repeat(&self, bytes: usize) -> bool {
        let mut left = self.repeat_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = *left >= bytes;
        if enough {
            *left -= bytes;
        }
        enough
    }

    /// Returns reserved bytes.
    pub(crate) fn release_repeat(&self, bytes: usize) {
        *self.repeat_bytes.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
    }

    pub(crate) fn statistics(&self) -> HoldStatistics {
        HoldStatistics {
            now: self.held.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            longest: Duration::from_micros(self.longest_micros.load(Ordering::Relaxed)),
            refused: self.refused.load(Ordering::Relaxed),
            turns: self.turns.number(),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let waited = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.room.longest_micros.fetch_max(waited, Ordering::Relaxed);
        self.room.held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_bounded_in_number() {
        for fit in [0, 3] {
            let room = HoldRoom::new(&HoldLimits { requests: fit, ..HoldLimits::default() });
            let since = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
            let held: Vec<Held> =
                std::iter::from_fn(|| room.enter(since).inspect(|_| room.count())).collect();
            assert_eq!((held.len(), room.statistics().now), (fit, fit));
            drop(held);
            let after = room.statistics();
            assert_eq!((after.now, after.total, after.refused), (0, fit as u64, 1));
            assert_eq!(after.longest >= Duration::from_secs(2), fit > 0, "{after:?}");
        }
    }

    #[test]
    fn bodies_for_repetition_share_one_budget() {
        let room = HoldRoom::new(&HoldLimits { repeat_total: 100, ..HoldLimits::default() });
        assert!(room.reserve_repeat(60) && !room.reserve_repeat(60));
        room.release_repeat(60);
        assert!(room.reserve_repeat(100));
    }
}
