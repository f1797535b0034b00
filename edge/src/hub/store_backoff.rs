//! The backoff after failures of the store.
//!
//! After a failure the hub loads everything again, which reads the rows of a day. So a store that keeps failing is tried less and
//! less often.

use std::cell::Cell;

/// The most ticks in a row that are skipped.
const MAX_SKIPPED: u32 = 16;

/// The ticks that are skipped after failures of the store.
#[derive(Debug, Default)]
pub(super) struct StoreBackoff {
    /// How many ticks are still skipped.
    left: Cell<u32>,
    /// How many ticks are skipped after the next failure.
    next: Cell<u32>,
}

impl StoreBackoff {
    /// Counts a tick, and returns whether it is skipped.
    pub(super) fn skips_tick(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Records a failure: after the first failure in a row no tick is skipped, then one, two, four, at most [`MAX_SKIPPED`].
    pub(super) fn record_failure(&self) {
        let next = self.next.get();
        self.left.set(next);
        self.next.set((next * 2).clamp(1, MAX_SKIPPED));
    }

    /// Records a success.
    pub(super) fn reset(&self) {
        self.left.set(0);
        self.next.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_keeps_failing_is_tried_less_and_less_often() {
        let backoff = StoreBackoff::default();
        let skipped = || {
            backoff.record_failure();
            (0..100).take_while(|_| backoff.skips_tick()).count()
        };
        assert_eq!([0, 1, 2, 4, 8, 16, 16].map(|_| skipped()), [0, 1, 2, 4, 8, 16, 16]);
        backoff.reset();
        assert_eq!([skipped(), skipped()], [0, 1]);
    }
}
