//! The last hour of samples, one a second, so that a ping that was missed loses nothing.
//!
//! The ring is allocated once and never grows. Near the limit memory is read up to twenty times a second; a second
//! still takes one place, that of its highest reading, so that an hour stays an hour when it matters most.

use heapbeat_shared::report::Block;
use heapbeat_shared::series;
use heapbeat_shared::series::MAX_SAMPLES;
use heapbeat_shared::{Cursor, InstanceId, Sample};

pub use crate::flight_recorder::SampleSlot;

/// Samples that are kept: 68 minutes at one a second.
pub const CAPACITY: usize = 4096;

const _: () = assert!(CAPACITY <= MAX_SAMPLES, "the whole ring has to fit one block");

/// Width of a place in the ring, in milliseconds.
const PLACE_MILLIS: i64 = 1000;

/// A ring of the last [`CAPACITY`] samples of one instance, numbered from 0.
#[derive(Debug)]
pub struct History {
    instance: InstanceId,
    ring: Vec<Sample>,
    /// Sequence number of the next sample to be kept.
    next: u64,
    /// The highest reading of the second that is not over yet.
    pending: Option<Sample>,
}

/// What somebody who holds a cursor has not seen yet: a copy, so that nobody waits while it is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadSamples {
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
    /// Sequence number of the first sample, or of the next one when there is none.
    pub first: u64,
    /// How many samples were pushed out of the ring before they were asked for.
    pub lost: u64,
}

impl UnreadSamples {
    /// As the report carries it.
    pub fn block(&self) -> Block {
        Block {
            first: self.first,
            count: self.samples.len() as u64,
            lost: self.lost,
            data: series::encode(self.first, &self.samples),
        }
    }
}

impl History {
    /// An empty ring; takes its memory at once.
    pub fn new(instance: InstanceId) -> Self {
        History { instance, ring: Vec::with_capacity(CAPACITY), next: 0, pending: None }
    }

    /// Bytes that the ring holds, from the first sample to the last day.
    pub const fn bytes() -> usize {
        CAPACITY * size_of::<Sample>()
    }

    /// Takes a reading and says where it went. The second that it begins closes the one before.
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

    /// Everything after `cursor`; from the beginning of the ring when there is none, or when it is of another
    /// instance. A cursor ahead of this ring (a forged one) is answered with nothing new.
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
        UnreadSamples { samples, first, lost: first - wanted }
    }

    /// The samples of the ring, oldest first.
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

/// Where in the ring a sample stands.
fn place(sequence: u64) -> usize {
    usize::try_from(sequence % CAPACITY as u64).expect("a remainder is smaller than its divisor")
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::{Bytes, UnixMillis};
    use proptest::prelude::*;

    use super::*;

    const INSTANCE: InstanceId = InstanceId(7);

    /// A reading of `pages` at `millis`.
    fn reading(millis: i64, pages: u64) -> Sample {
        let figure = Bytes(pages * series::PAGE);
        Sample { at: UnixMillis(millis), rss: figure, working_set: figure, ..Sample::default() }
    }

    /// A ring with `seconds` closed seconds; second `n` holds `n` pages.
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
        (tail.first, series.samples.iter().map(|s| s.rss.0 / series::PAGE).collect(), tail.lost)
    }

    fn at(sequence: u64) -> Cursor {
        Cursor { instance: INSTANCE, sequence }
    }

    #[test]
    fn a_cursor_gets_what_came_after_it() {
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
    fn what_was_pushed_out_is_counted() {
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
        // At this millisecond so many pages: which second that is, and whether it is the one to keep.
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
    fn a_clock_that_jumps_loses_nothing_and_is_told_as_it_was() {
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
        /// Whoever comes back with the last cursor, however late, sees every sample once or is told how many are gone.
        #[test]
        fn nothing_is_lost_unsaid(pauses in prop::collection::vec(0u64..6000, 1..8)) {
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
                lost += tail.lost;
                if count > 0 {
                    held = Some(at(tail.first + count - 1));
                }
            }
            prop_assert_eq!(got + lost, second.cast_unsigned().saturating_sub(1));
        }
    }
}
