//! When to purge again.
//!
//! A purge walks every arena and holds its locks: a purge that gives nothing back, repeated twenty times a second, is
//! worse than the pressure it is meant to relieve. So there is a least time between two, and one that was in vain is
//! not tried again until memory has grown by something that could be given back.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::Observation;

/// A purge that gives back less than this share of the limit was in vain.
const WORTHWHILE_SHARE: u64 = 100;

/// After one in vain, memory must grow by this share of the limit before the next.
const GROWN_SHARE: u64 = 50;

/// What a purge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeResult {
    /// Memory that was judged before and after, in bytes.
    pub before: Bytes,
    /// The same, after.
    pub after: Bytes,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Purging {
    /// When the first of this stretch of pressure began.
    first: Option<Duration>,
    last: Option<Duration>,
    limit: Bytes,
    /// What memory was after a purge that gave nothing back.
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

    /// For how long purging has been tried in this stretch of pressure.
    pub(super) fn tried_for(&self, now: Duration) -> Option<Duration> {
        self.first.map(|first| now.saturating_sub(first))
    }
}
