//! What is so of the watching itself, by the documentation: a monitor is not watched once it has had no result for longer than three of its
//! intervals, and channels are to be told after ten minutes in which ticks came.

use crate::script::MINUTE;

/// For how long ticks have to come without a result before channels are told. If none came for so long, the edge was away.
const LEFT_OUT: i64 = 10 * MINUTE;

/// Whether a monitor is watched, from tick to tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// The tick of the last result.
    last_result: Option<i64>,
    /// The first and the last of the ticks since then that brought none, without a long time between them, and whether the edge was
    /// offline in them.
    missed: Option<(i64, i64, bool)>,
}

impl Watch {
    /// Records a tick that brought a result.
    pub(crate) fn find(&mut self, now: i64) {
        *self = Watch { last_result: Some(now), missed: None };
    }

    /// Records a tick that brought none.
    pub(crate) fn miss(&mut self, now: i64, is_offline: bool) {
        let goes_on = self.missed.filter(|(_, last, before)| *before == is_offline && now - last < LEFT_OUT);
        self.missed = Some((goes_on.map_or(now, |(first, ..)| first), now, is_offline));
    }

    /// Whether there has been no result for longer than three intervals.
    pub(crate) fn is_unwatched(&self, now: i64, interval: i64) -> bool {
        let since = self.last_result.or(self.missed.map(|(first, ..)| first));
        since.is_some_and(|since| now - since > 3 * interval)
    }

    /// Whether ticks have come for ten minutes without a result, and not because the edge was offline.
    pub(crate) fn is_left_out(&self, now: i64) -> bool {
        self.missed.is_some_and(|(first, _, is_offline)| !is_offline && now - first >= LEFT_OUT)
    }

    /// Whether there was a result at `since` or later.
    pub(crate) fn has_result_since(&self, since: i64) -> bool {
        self.last_result.is_some_and(|last| last >= since)
    }
}
