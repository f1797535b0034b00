//! The samples of the last hour, one a second, so that a missed probe of the edge loses none.
//!
//! The ring is allocated once and never grows. Near the limit memory is read up to twenty times a second; each second still takes one
//! place, with its highest reading, so that the ring always holds an hour.

use heapbeat_shared::report::Block;
use heapbeat_shared::series;
use heapbeat_shared::series::MAX_SAMPLES;
use heapbeat_shared::{Cursor, InstanceId, Sample};

pub use crate::flight_recorder::SampleSlot;

/// Number of samples in the ring: 68 minutes at one a second.
pub const CAPACITY: usize = 4096;

const _: () = assert!(CAPACITY <= MAX_SAMPLES, "the whole ring has to fit one block");

/// Time that one place in the ring covers, in milliseconds.
const PLACE_MILLIS: i64 = 1000;

/// A ring of the last [`CAPACITY`] samples of one instance, numbered from 0.
#[derive(Debug)]
pub struct History {
    instance: InstanceId,
    ring: Vec<Sample>,
    /// Sequence number of the next sample.
    next: u64,
    /// The highest reading of the current second.
    pending: Option<Sample>,
}

/// The samples after a cursor. It is a copy, so that the ring is not locked while it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadSamples {
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
    /// Sequence number of the first sample, or of the next one when there is none.
    pub first: u64,
    /// Number of samples after the cursor that the ring no longer holds.
    pub dropped: u64,
}

impl UnreadSamples {
    /// Encodes the samples for the report.
    pub fn block(&self) -> Block {
        Block {
            first: self.first,
            count: self.samples.len() as u64,
            dropped: self.dropped,
            data: series::encode(self.first, &self.samples),
        }
    }
}

impl History {
    /// Creates an empty ring, and allocates all of its memory.
    pub fn new(instance: InstanceId) -> Self {
        History { instance, ring: Vec::with_capacity(CAPACITY), next: 0, pending: None }
    }

    /// Returns the size of the ring in bytes, which is constant.
    pub const fn bytes() -> usize {
        CAPACITY * size_of::<Sample>()
    }

    /// Records a reading and returns its slot. The first reading of a second closes the previous second.
    pub fn record(&mut self, sample: Sample) -> SampleSlot {
        let place = |s: &Sample| s.at.0.div_euclid(PLACE_MILLIS);
        match &mut self.pending {
            Some(pending) if place(pending) == place(&sample) => {
                let highest = sample.working_set > pending.working_set;
                if highest {
                    *pending = sample;
                }
                SampleSlot { sequence: self.next, highest }
            }
            pending => {
                if let Some(closed) = pending.replace(sample) {
                    self.keep(closed);
                }
                SampleSlot { sequence: self.next, highest: true }
            }
        }
    }

    /// Closes the current second, as no reading will follow.
    pub fn close(&mut self) {
        if let Some(closed) = self.pending.take() {
            self.keep(closed);
        }
    }

    /// Returns the samples after `cursor`, or all samples if there is no cursor or it belongs to another instance. A cursor ahead of the
    /// ring, which is forged, gets no samples.
    pub fn after(&self, cursor: Option<Cursor>) -> UnreadSamples {
        let oldest = self.next - self.ring.len() as u64;
        let wanted = match cursor {
            Some(cursor) if cursor.instance == self.instance => {
                cursor.sequence.saturating_add(1).min(self.next)
            }
            _ => 0,
        };
        let first = wanted.max(oldest);
        let samples = (first..self.next).map(|sequence| self.ring[place(sequence)]).collect();
        UnreadSamples { samples, first, dropped: first - wanted }
    }

    /// Iterates over the samples, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        (self.next - self.ring.len() as u64..self.next).map(|sequence| &self.ring[place(sequence)])
    }

    fn keep(&mut self, sample: Sample) {
        match self.ring.get_mut(place(self.next)) {
            Some(old) => *old = sample,
            None => self.ring.push(sample),
        }
        self.next += 1;
    }
}

/// Returns the index of a sample in the ring.
fn place(sequence: u64) -> usize {
    usize::try_from(sequence % CAPACITY as u64).expect("a remainder is smaller than its divisor")
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::{Bytes, UnixMillis};
    use proptest::prelude::*;

    use super::*;

    const INSTANCE: InstanceId = InstanceId(7);

    /// Creates a reading of `pages` at `millis`.
    fn reading(millis: i64, pages: u64) -> Sample {
        let figure = Bytes(pages * series::PAGE);
        Sample { at: UnixMillis(millis), rss: figure, working_set: figure, ..Sample::default() }
    }

    /// Creates a ring with `seconds` closed seconds; second `n` holds `n` pages.
    fn after_seconds(seconds: u64) -> History {
        let mut history = History::new(INSTANCE);
        for second in 0..=seconds {
            history.record(reading(second.cast_signed() * 1000, second));
        }
        history
    }

    fn seen(history: &History, cursor: Option<Cursor>) -> (u64, Vec<u64>, u64) {
        let tail = history.after(cursor);
        let block = tail.block();
        let series = series::decode(&block.data).unwrap();
        assert_eq!((series.first, series.samples.len() as u64), (block.first, block.count));
        (tail.first, series.samples.iter().map(|s| s.rss.0 / series::PAGE).collect(), tail.dropped)
    }

    fn at(sequence: u64) -> Cursor {
        Cursor { instance: INSTANCE, sequence }
    }

    #[test]
    fn a_cursor_gets_the_samples_after_it() {
        let history = after_seconds(5);
        let cases = [
            ("no cursor", None, (0, vec![0, 1, 2, 3, 4], 0)),
            ("the second", Some(at(1)), (2, vec![2, 3, 4], 0)),
            ("the last", Some(at(4)), (5, vec![], 0)),
            ("one that cannot be", Some(at(u64::MAX)), (5, vec![], 0)),
            (
                "of another run",
                Some(Cursor { instance: InstanceId(8), sequence: 3 }),
                (0, vec![0, 1, 2, 3, 4], 0),
            ),
        ];
        for (name, cursor, expected) in cases {
            assert_eq!(seen(&history, cursor), expected, "{name}");
        }
    }

    #[test]
    fn the_last_second_of_an_instance_counts_when_it_has_ended() {
        let mut history = after_seconds(2);
        history.close();
        history.close();
        assert_eq!(seen(&history, Some(at(0))), (1, vec![1, 2], 0));
    }

    #[test]
    fn samples_that_left_the_ring_are_counted_as_lost() {
        let capacity = CAPACITY as u64;
        let history = after_seconds(capacity + 100);
        let (first, pages, lost) = seen(&history, Some(at(49)));
        assert_eq!((first, pages.len(), lost), (100, CAPACITY, 50));
        assert_eq!((pages[0], pages[CAPACITY - 1]), (100, capacity + 99));
        assert_eq!(seen(&history, Some(at(capacity))).2, 0);
        assert_eq!(history.iter().count(), CAPACITY);
    }

    #[test]
    fn a_second_keeps_its_highest_reading() {
        let mut history = History::new(INSTANCE);
        // Millisecond and pages; the second it belongs to, and whether it is the sample to keep.
        let looks = [
            (0, 5, (0, true)),
            (50, 9, (0, true)),
            (100, 7, (0, false)),
            (150, 9, (0, false)),
            (1000, 1, (1, true)),
            (1050, 2, (1, true)),
            (2000, 0, (2, true)),
        ];
        for (millis, pages, (sequence, highest)) in looks {
            let slot = history.record(reading(millis, pages));
            assert_eq!(slot, SampleSlot { sequence, highest }, "at {millis} ms");
        }
        assert_eq!(seen(&history, None).1, [9, 2]);
    }

    #[test]
    fn a_clock_that_jumps_loses_no_sample_and_keeps_its_times() {
        const YEAR: i64 = 365 * 86_400_000;
        let mut history = History::new(INSTANCE);
        // Back by an hour, ahead by a year, back again, before 1970, and as late as there is.
        let times =
            [0, 1000, -3_599_000, -3_598_000, YEAR, YEAR + 1000, 2000, -YEAR, i64::MAX / 2, 3000, 4000];
        for (page, millis) in (1..).zip(times) {
            history.record(reading(millis, page));
        }
        let tail = history.after(None);
        let kept: Vec<i64> = tail.samples.iter().map(|sample| sample.at.0).collect();
        assert_eq!(kept, times[..10], "the last second is not closed yet");
        assert_eq!(seen(&history, None), (0, (1..=10).collect(), 0));
        assert_eq!(seen(&history, Some(at(7))).1, [9, 10], "a cursor counts samples, not seconds");
    }

    #[test]
    fn the_ring_never_grows() {
        let mut history = after_seconds(10);
        let capacity = history.ring.capacity();
        for second in 11..10_000 {
            history.record(reading(second * 1000, 1));
        }
        assert_eq!(history.ring.capacity(), capacity);
        assert_eq!(History::bytes(), 4096 * 48);
    }

    proptest! {
        /// A reader that returns with its last cursor, however late, gets each sample once or the number of lost ones.
        #[test]
        fn every_sample_is_returned_once_or_counted_as_lost(pauses in prop::collection::vec(0u64..6000, 1..8)) {
            let mut history = History::new(INSTANCE);
            let (mut held, mut second, mut got, mut lost) = (None, 0i64, 0, 0);
            for pause in pauses {
                for _ in 0..pause {
                    history.record(reading(second * 1000, 1));
                    second += 1;
                }
                let tail = history.after(held);
                let count = tail.samples.len() as u64;
                got += count;
                lost += tail.dropped;
                if count > 0 {
                    held = Some(at(tail.first + count - 1));
                }
            }
            prop_assert_eq!(got + lost, second.cast_unsigned().saturating_sub(1));
        }
    }
}
