//! Room for requests that wait for a program, bounded in number and bytes.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::HoldLimits;

/// Bytes that a waiting request needs besides its head: hyper's buffers and the tasks. 480 requests that waited used 6.4 kB each.
const OVERHEAD: usize = 8 << 10;

/// Requests that waited which are passed on at the same time. A copy that has just started would otherwise get all of them at once: a
/// thousand requests need much memory, and fill it faster than anybody could see.
const TURNS: usize = 32;

/// The turn of a request that waited: the next one has it when this is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

/// The waiting requests.
#[derive(Debug)]
pub(crate) struct HoldRoom {
    requests: usize,
    bytes: usize,
    held: AtomicUsize,
    held_bytes: AtomicUsize,
    total: AtomicU64,
    longest_micros: AtomicU64,
    refused: AtomicU64,
    /// When a copy may be active again, if that is known.
    outage_until: Mutex<Option<Instant>>,
    /// Bytes of request bodies that may still be kept for a repetition.
    repeat_bytes: Mutex<usize>,
    turns: Arc<Semaphore>,
}

/// A request that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Arc<HoldRoom>,
    bytes: usize,
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
}

impl HoldRoom {
    pub(crate) fn new(limits: &HoldLimits) -> Arc<Self> {
        Arc::new(HoldRoom {
            requests: limits.requests,
            bytes: limits.bytes,
            held: AtomicUsize::new(0),
            held_bytes: AtomicUsize::new(0),
            total: AtomicU64::new(0),
            longest_micros: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            outage_until: Mutex::default(),
            repeat_bytes: Mutex::new(limits.repeat_total),
            turns: Arc::new(Semaphore::new(TURNS)),
        })
    }

    /// Admits a request whose head has this many bytes; `None` if there is no room.
    pub(crate) fn enter(self: &Arc<Self>, head: usize, now: Instant) -> Option<Held> {
        let bytes = head + OVERHEAD;
        let others = self.held.load(Ordering::Relaxed);
        let all_bytes = self.held_bytes.load(Ordering::Relaxed) + bytes;
        // One request may always wait, however small the limit on bytes is.
        if others >= self.requests || (others > 0 && all_bytes > self.bytes) {
            self.refuse();
            return None;
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        Some(Held { room: Arc::clone(self), bytes, since: now })
    }

    /// Waits for the turn of a request that waited, in the order of the calls. `None` never occurs, as the semaphore is not closed.
    pub(crate) async fn take_turn(&self) -> Option<Turn> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
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
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let waited = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.room.longest_micros.fetch_max(waited, Ordering::Relaxed);
        self.room.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.room.held.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_bounded_in_number_and_bytes() {
        let limits = |requests, bytes| HoldLimits { requests, bytes, ..HoldLimits::default() };
        // Requests, bytes, the head of each request; how many fit.
        let cases =
            [(3, 1 << 30, 100, 3), (100, 4 * (OVERHEAD + 100), 100, 4), (0, 1 << 30, 100, 0), (5, 0, 9, 1)];
        for (requests, bytes, head, fit) in cases {
            let room = HoldRoom::new(&limits(requests, bytes));
            let since = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
            let held: Vec<Held> =
                std::iter::from_fn(|| room.enter(head, since).inspect(|_| room.count())).collect();
            assert_eq!((held.len(), room.statistics().now), (fit, fit), "{requests} {bytes}");
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
