//! How often a failing store is tried.
//!
//! After a failure the hub reads everything anew, which costs a day's rows. So a store that goes on failing is tried less and
//! less often.

use std::cell::Cell;

/// Most ticks in a row that are skipped.
const LONGEST: u32 = 16;

/// Ticks that are skipped after failures of the store.
#[derive(Debug, Default)]
pub(super) struct StoreBackoff {
    /// Ticks that are still to be skipped.
    left: Cell<u32>,
    /// How many the next failure skips.
    next: Cell<u32>,
}

impl StoreBackoff {
    /// Whether this tick is skipped.
    pub(super) fn skips_tick(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Notes a failure: the next tick is as usual, then one is skipped, then two, four, at most [`LONGEST`].
    pub(super) fn record_failure(&self) {
        let next = self.next.get();
        self.left.set(next);
        self.next.set((next * 2).clamp(1, LONGEST));
    }

    /// Notes that the store works.
    pub(super) fn reset(&self) {
        self.left.set(0);
        self.next.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_goes_on_failing_is_tried_less_and_less_often() {
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
