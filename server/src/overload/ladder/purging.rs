//! When to purge again.
//!
//! A purge walks every arena and holds its locks: repeated twenty times a second without effect, it would be worse than the pressure
//! that it is meant to relieve. So there is a minimum time between two purges, and after an ineffective one memory must grow before
//! the next.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::Observation;

/// Share of the limit (1 / n) that a purge must return to count as effective.
const WORTHWHILE_SHARE: u64 = 100;

/// Share of the limit (1 / n) by which memory must grow after an ineffective purge before the next.
const GROWN_SHARE: u64 = 50;

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
    /// Memory after an ineffective purge.
    futile_at: Option<Bytes>,
}

impl Purging {
    pub(super) fn is_due(&self, observation: &Observation, again: Duration) -> bool {
        let rested = self.last.is_none_or(|last| observation.now.saturating_sub(last) >= again);
        let promising = self.futile_at.is_none_or(|at| {
            observation.memory.saturating_sub(at).0 >= observation.levels.limit().0 / GROWN_SHARE
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
        self.futile_at = futile.then_some(after);
    }

    /// Returns for how long purging has been tried since memory was calm.
    pub(super) fn tried_for(&self, now: Duration) -> Option<Duration> {
        self.first.map(|first| now.saturating_sub(first))
    }
}
