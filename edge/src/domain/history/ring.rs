//! Rings of the store: a chunk of time replaces one that is too old, so that nothing has to be deleted, and the rows of an interval are
//! found by their slots, without reading others.

use heapbeat_shared::UnixMillis;

/// A ring of chunks of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The length of a chunk in milliseconds.
    pub chunk_ms: i64,
    /// The number of slots.
    pub places: i64,
}

impl Ring {
    /// Returns the beginning of the chunk that contains `at`, and its slot.
    pub fn slot(self, at: UnixMillis) -> (UnixMillis, i64) {
        let number = at.0.div_euclid(self.chunk_ms);
        (UnixMillis(number * self.chunk_ms), number.rem_euclid(self.places))
    }

    /// Returns the slots of the chunks from the one that contains `from` to the one that contains `to`, as at most two ranges with both
    /// ends included.
    pub fn slots_between(self, from: UnixMillis, to: UnixMillis) -> Vec<(i64, i64)> {
        if to < from {
            return Vec::new();
        }
        let (first, last) = (from.0.div_euclid(self.chunk_ms), to.0.div_euclid(self.chunk_ms));
        if last.saturating_sub(first) >= self.places - 1 {
            return vec![(0, self.places - 1)];
        }
        match (first.rem_euclid(self.places), last.rem_euclid(self.places)) {
            (first, last) if first <= last => vec![(first, last)],
            (first, last) => vec![(first, self.places - 1), (0, last)],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_slots_of_an_interval_are_those_of_its_chunks(
            (chunk_ms, places) in (1i64..50, 1i64..40),
            (from, span) in (-2000i64..2000, -100i64..3000),
        ) {
            let ring = Ring { chunk_ms, places };
            let (begin, end) = (UnixMillis(from), UnixMillis(from + span));
            let ranges = ring.slots_between(begin, end);
            let mut found: Vec<i64> = ranges.iter().flat_map(|(first, last)| *first..=*last).collect();
            let count = found.len();
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found.len(), count, "no slot twice");
            let mut expected: Vec<i64> = (from..=from + span).map(|at| ring.slot(UnixMillis(at)).1).collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_interval_of_any_length_has_at_most_all_slots() {
        let ring = Ring { chunk_ms: 3_600_000, places: 170 };
        let ranges = ring.slots_between(UnixMillis(1), UnixMillis(253_402_300_799_999));
        assert_eq!(ranges, [(0, 169)]);
        assert_eq!(ring.slots_between(UnixMillis(i64::MIN), UnixMillis(i64::MAX)), [(0, 169)]);
    }
}
