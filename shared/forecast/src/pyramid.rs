//! The history in constant space: minima over buckets, fine for recent readings and coarse for old ones.
//!
//! Each level keeps the last 32 buckets of one width; the next one's are twice as wide. A bucket keeps the *floor* of
//! every figure, as requests in flight, garbage and caches add to the floor and go away again, while a leak lifts it.
//! Whatever rhythm a process has, there is a level whose buckets are longer than it. Everything is allocated once.

use super::point::CHANNELS;

/// Buckets a level keeps.
pub(super) const BUCKETS: usize = 32;

/// Levels: widths from 1 s to 65,536 s, so the coarsest looks back 24 days.
pub(super) const LEVELS: usize = 17;

/// Width of the finest buckets.
const FINEST_MS: u64 = 1000;

/// How slowly a level forgets what it has seen rise and fall: by a factor of e in so many buckets (64 windows).
const MEMORY_BUCKETS: f64 = 2048.0;

/// Nothing that was seen before this age is held against later growth: a start has its own spikes.
pub(super) const WARM_UP_MS: u64 = 60_000;

/// Everything kept of one stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// Milliseconds from the series' origin to the first instant of the bucket, divided by its width.
    pub(super) slot: u64,
    /// Least value of every channel.
    pub(super) floor: [u64; CHANNELS],
    /// When that was: milliseconds after the bucket's first instant. The widest bucket has 65,536,000.
    pub(super) floor_at: [u32; CHANNELS],
    /// Greatest value of the total.
    pub(super) top: u64,
}

impl Bucket {
    /// One reading, `elapsed` milliseconds after the origin, as a bucket of the finest level.
    fn of(elapsed: u64, figures: [u64; CHANNELS]) -> Self {
        let after = u32::try_from(elapsed % FINEST_MS).unwrap_or(0);
        Bucket { slot: elapsed / FINEST_MS, floor: figures, floor_at: [after; CHANNELS], top: figures[0] }
    }

    /// This bucket as one of the next level, whose width is twice `width` milliseconds.
    fn widened(mut self, width: u64) -> Self {
        if self.slot % 2 == 1 {
            let width = u32::try_from(width).unwrap_or(u32::MAX);
            self.floor_at = self.floor_at.map(|after| after.saturating_add(width));
        }
        self.slot /= 2;
        self
    }

    /// Takes in a later bucket of the same slot.
    fn merge(&mut self, later: &Bucket) {
        for channel in 0..CHANNELS {
            if later.floor[channel] < self.floor[channel] {
                self.floor[channel] = later.floor[channel];
                self.floor_at[channel] = later.floor_at[channel];
            }
        }
        self.top = self.top.max(later.top);
    }
}

/// One resolution.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// Milliseconds a bucket lasts.
    width: u64,
    /// The bucket that is being filled.
    open: Option<Bucket>,
    /// Complete buckets, oldest first from `next` on once the ring is full.
    ring: [Bucket; BUCKETS],
    /// Complete buckets in the ring.
    len: usize,
    /// Where the next complete bucket goes.
    next: usize,
    /// Highest floors that have left the ring, slowly forgotten.
    ceiling: [f64; CHANNELS],
    /// Largest fall from one floor to a later one within a ring, slowly forgotten.
    given_back: [f64; CHANNELS],
}

impl Level {
    fn new(width: u64) -> Self {
        Level {
            width,
            open: None,
            ring: [Bucket::default(); BUCKETS],
            len: 0,
            next: 0,
            ceiling: [0.0; CHANNELS],
            given_back: [0.0; CHANNELS],
        }
    }

    /// Milliseconds a bucket lasts.
    pub(super) const fn width(&self) -> u64 {
        self.width
    }

    /// Complete buckets held, at most [`BUCKETS`].
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The complete buckets, oldest first.
    pub(super) fn closed(&self) -> impl Iterator<Item = &Bucket> {
        let (newer, older) = self.ring.split_at(self.next);
        let older = if self.len == BUCKETS { older } else { &[] };
        older.iter().chain(newer)
    }

    /// Highest floor of a channel in what the ring no longer holds.
    pub(super) fn ceiling(&self, channel: usize) -> f64 {
        self.ceiling[channel]
    }

    /// Largest fall of a channel's floor that was ever seen at this resolution.
    pub(super) fn given_back(&self, channel: usize) -> f64 {
        self.given_back[channel]
    }

    /// Puts a reading or a finer bucket in, `last` when nothing more will come for its slot. The buckets that this
    /// completes, at most two and in order, are for the next level.
    fn absorb(&mut self, bucket: Bucket, last: bool) -> [Option<Bucket>; 2] {
        let mut complete = [None, None];
        match &mut self.open {
            Some(open) if open.slot == bucket.slot => open.merge(&bucket),
            open => complete[0] = open.replace(bucket),
        }
        if last {
            complete[1] = self.open.take();
        }
        for bucket in complete.into_iter().flatten() {
            self.close(bucket);
        }
        complete
    }

    fn close(&mut self, bucket: Bucket) {
        if self.len == BUCKETS {
            let leaving = self.ring[self.next];
            if self.counts(&leaving) {
                for (ceiling, floor) in self.ceiling.iter_mut().zip(leaving.floor) {
                    let floor = floor as f64;
                    *ceiling = floor.max(*ceiling - (*ceiling - floor) / MEMORY_BUCKETS);
                }
            }
        }
        if self.counts(&bucket) {
            let oldest = bucket.slot.saturating_sub(BUCKETS as u64);
            let mut highest = bucket.floor;
            for earlier in self.closed().filter(|b| b.slot > oldest && self.counts(b)) {
                for (highest, floor) in highest.iter_mut().zip(earlier.floor) {
                    *highest = floor.max(*highest);
                }
            }
            let falls = highest.iter().zip(bucket.floor).map(|(highest, floor)| (highest - floor) as f64);
            for (known, fall) in self.given_back.iter_mut().zip(falls) {
                *known = fall.max(*known - *known / MEMORY_BUCKETS);
            }
        }
        self.ring[self.next] = bucket;
        self.next = (self.next + 1) % BUCKETS;
        self.len = (self.len + 1).min(BUCKETS);
    }

    /// Whether a bucket began after the start's own spikes.
    fn counts(&self, bucket: &Bucket) -> bool {
        bucket.slot.saturating_mul(self.width) >= WARM_UP_MS
    }
}

/// Every resolution.
#[derive(Clone, Debug)]
pub(super) struct Pyramid {
    levels: Box<[Level]>,
}

impl Pyramid {
    pub(super) fn new() -> Self {
        Pyramid { levels: (0..LEVELS).map(|level| Level::new(FINEST_MS << level)).collect() }
    }

    /// Forgets everything, keeps the space.
    pub(super) fn clear(&mut self) {
        for level in &mut *self.levels {
            *level = Level::new(level.width);
        }
    }

    /// Takes in a reading `elapsed` milliseconds after the origin; readings come in order of time.
    pub(super) fn push(&mut self, elapsed: u64, figures: [u64; CHANNELS]) {
        let bucket = Bucket::of(elapsed, figures);
        if self.levels[0].open.is_some_and(|open| open.slot + 1 < bucket.slot) {
            self.flush(elapsed);
        }
        self.absorb(0, bucket, false);
    }

    /// Closes what is over by `elapsed`: where readings are far apart, nothing else would complete the finer buckets.
    fn flush(&mut self, elapsed: u64) {
        for index in 0..self.levels.len() {
            let level = &mut self.levels[index];
            let width = level.width;
            if let Some(open) = level.open.take_if(|open| open.slot < elapsed / width) {
                level.close(open);
                self.absorb(index + 1, open.widened(width), open.slot % 2 == 1);
            }
        }
    }

    /// Puts a bucket into a level, and what it completes into the next. The second half of a bucket completes it at
    /// once; else every level would lag behind by what the finer ones have open.
    fn absorb(&mut self, index: usize, bucket: Bucket, last: bool) {
        let Some(level) = self.levels.get_mut(index) else { return };
        let width = level.width;
        for complete in level.absorb(bucket, last).into_iter().flatten() {
            self.absorb(index + 1, complete.widened(width), complete.slot % 2 == 1);
        }
    }

    /// Every resolution, finest first.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Bytes on the heap, whatever was pushed.
    pub(super) const fn bytes() -> usize {
        LEVELS * size_of::<Level>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(level: &Level) -> Vec<u64> {
        level.closed().map(|b| b.floor[0]).collect()
    }

    #[test]
    fn every_level_holds_the_minima_of_its_own_width() {
        let mut pyramid = Pyramid::new();
        let value = |second: u64| 1000 + (second * 7919) % 613;
        for half in 0..2000 {
            pyramid.push(half * 500, [value(half / 2) + half % 2; CHANNELS]);
        }
        for (index, level) in pyramid.levels().iter().enumerate().take(6) {
            let width = 1u64 << index;
            let complete: Vec<u64> = (0..1000 / width)
                .map(|slot| (slot * width..(slot + 1) * width).map(value).min().unwrap())
                .collect();
            let held = floors(level);
            // The newest second is still open, and with it the bucket that it is the end of.
            let end = complete.len() - usize::from(1000 % width == 0);
            assert_eq!(held, complete[end - held.len()..end], "level {index}");
        }
    }

    #[test]
    fn readings_far_apart_reach_every_level_at_once() {
        let mut pyramid = Pyramid::new();
        for minute in 0..=20u64 {
            pyramid.push(minute * 60_000, [100 + minute; CHANNELS]);
        }
        for (index, level) in pyramid.levels().iter().enumerate().take(7) {
            let newest = level.closed().last().unwrap();
            // All but the last minute are over.
            assert_eq!(
                (newest.slot * level.width() + u64::from(newest.floor_at[0])) / 60_000,
                19,
                "level {index}"
            );
        }
    }

    #[test]
    fn a_floor_remembers_its_instant() {
        let mut pyramid = Pyramid::new();
        for second in 0..64u64 {
            pyramid.push(second * 1000 + 250, [second.abs_diff(21) + 5; CHANNELS]);
        }
        let level = &pyramid.levels()[4];
        let bucket = level.closed().nth(1).unwrap();
        assert_eq!((bucket.slot, bucket.floor[0]), (1, 5));
        assert_eq!(bucket.slot * level.width() + u64::from(bucket.floor_at[0]), 21_250);
    }

    #[test]
    fn what_was_given_back_is_held_against_later_rises() {
        let mut pyramid = Pyramid::new();
        for second in 0..200u64 {
            let spike = if second == 30 || second == 100 { 1000 * (second - 20) } else { 0 };
            pyramid.push(second * 1000, [500 + spike; CHANNELS]);
        }
        let fine = &pyramid.levels()[0];
        assert!((70_000.0..80_001.0).contains(&fine.given_back(0)), "{}", fine.given_back(0));
        assert!((70_000.0..80_501.0).contains(&fine.ceiling(0)), "{}", fine.ceiling(0));
        // Two seconds wide, the floor under a spike of one second is what it was.
        assert!(pyramid.levels()[1].given_back(0).abs() < 1e-9);
    }

    #[test]
    fn a_gap_of_any_length_is_one_step() {
        let mut pyramid = Pyramid::new();
        for elapsed in [0, 1, 1 << 20, 1 << 40, u64::MAX - 1, u64::MAX] {
            pyramid.push(elapsed, [1; CHANNELS]);
        }
        assert!(pyramid.levels().iter().all(|level| level.closed().count() <= 6));
    }
}
