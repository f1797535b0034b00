//! When to purge again.
//!
//! A purge walks every arena and holds its locks: repeated twenty times a second without effect, it would be worse than the pressure
//! that it is meant to relieve, and a full collection of a runtime stops it meanwhile. So there is a minimum time between two purges, and
//! after ineffective ones memory must grow before the next, by twice as much after each.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::Observation;

/// Share of the limit (1 / n) that a purge must return to count as effective.
const WORTHWHILE_SHARE: u64 = 100;

/// Share of the limit (1 / n) by which memory must grow after an ineffective purge before the next; it doubles with each further one.
const GROWN_SHARE: u64 = 50;

/// Most times that it doubles.
const MAX_DOUBLINGS: u32 = 4;

/// Result of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeResult {
    /// The working set before the purge.
    pub before: Bytes,
    /// The working set after the purge.
    pub after: Bytes,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Purging {
    /// When the first purge since memory was calm started.
    first: Option<Duration>,
    last: Option<Duration>,
    limit: Bytes,
    /// Memory after the last purge, if it was ineffective, and the number of ineffective ones in a row.
    futile: Option<(Bytes, u32)>,
}

impl Purging {
    pub(super) fn is_due(&self, observation: &Observation, again: Duration) -> bool {
        let rested = self.last.is_none_or(|last| observation.now.saturating_sub(last) >= again);
        let promising = self.futile.is_none_or(|(at, count)| {
            let grown = (observation.levels.limit().0 / GROWN_SHARE) << (count - 1).min(MAX_DOUBLINGS);
            observation.memory.saturating_sub(at).0 >= grown
        });
        rested && promising
    }

    pub(super) fn begin(&mut self, observation: &Observation) {
        self.first.get_or_insert(observation.now);
        self.last = Some(observation.now);
        self.limit = observation.levels.limit();
    }

    pub(super) fn record(&mut self, PurgeResult { before, after }: PurgeResult) {
        let futile = before.saturating_sub(after).0 < self.limit.0 / WORTHWHILE_SHARE;
        let count = self.futile.map_or(0, |(_, count)| count);
        self.futile = futile.then(|| (after, count.saturating_add(1)));
    }

    /// Returns for how long purging has been tried since memory was calm.
    pub(super) fn tried_for(&self, now: Duration) -> Option<Duration> {
        self.first.map(|first| now.saturating_sub(first))
    }
}
