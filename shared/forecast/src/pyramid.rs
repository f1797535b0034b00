//! The history in constant space: minima over buckets, fine for recent readings and coarse for old ones.
//!
//! Each level keeps the last 32 buckets of one width; those of the next level are twice as wide. A bucket keeps the *floor* of every figure,
//! as requests in flight, garbage and caches come and go above the floor, while a leak raises it. For every rhythm of a process there is
//! a level whose buckets are longer. Everything is allocated once.

use super::point::CHANNELS;

/// Number of buckets per level.
pub(super) const BUCKETS: usize = 32;

/// Number of levels: widths from 1 s to 65,536 s, so that the coarsest covers 24 days.
pub(super) const LEVELS: usize = 17;

/// Width of the finest buckets.
const FINEST_MS: u64 = 1000;

/// Number of buckets (64 windows) in which the memory of past rises and falls decays by a factor of e.
const MEMORY_BUCKETS: f64 = 2048.0;

/// Values before this age do not count against later growth, as a start has spikes of its own.
pub(super) const WARM_UP_MS: u64 = 60_000;

/// The figures of one time span.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// Milliseconds from the series' origin to the first instant of the bucket, divided by its width.
    pub(super) slot: u64,
    /// Lowest value of every channel.
    pub(super) floor: [u64; CHANNELS],
    /// Time of the lowest value, in milliseconds after the begin of the bucket. The widest bucket has 65,536,000.
    pub(super) floor_at: [u32; CHANNELS],
    /// Highest value of the total.
    pub(super) top: u64,
}

impl Bucket {
    /// Makes a bucket of the finest level from one point, `elapsed` milliseconds after the origin.
    fn of(elapsed: u64, figures: [u64; CHANNELS]) -> Self {
        let after = u32::try_from(elapsed % FINEST_MS).unwrap_or(0);
        Bucket { slot: elapsed / FINEST_MS, floor: figures, floor_at: [after; CHANNELS], top: figures[0] }
    }

    /// Converts the bucket to one of the next level, whose width is twice `width` milliseconds.
    fn widened(mut self, width: u64) -> Self {
        if self.slot % 2 == 1 {
            let width = u32::try_from(width).unwrap_or(u32::MAX);
            self.floor_at = self.floor_at.map(|after| after.saturating_add(width));
        }
        self.slot /= 2;
        self
    }

    /// Merges a later bucket of the same slot.
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

/// The buckets of one width.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// Width of a bucket in milliseconds.
    width: u64,
    /// The bucket that is being filled.
    open: Option<Bucket>,
    /// Complete buckets, oldest first from `next` on once the ring is full.
    ring: [Bucket; BUCKETS],
    /// Number of complete buckets in the ring.
    len: usize,
    /// Index of the next complete bucket.
    next: usize,
    /// Highest floors that have left the ring, slowly forgotten.
    ceiling: [f64; CHANNELS],
    /// Largest fall from one floor to a later one within a ring, slowly forgotten.
    largest_fall: [f64; CHANNELS],
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
            largest_fall: [0.0; CHANNELS],
        }
    }

    /// Returns the width of a bucket in milliseconds.
    pub(super) const fn width(&self) -> u64 {
        self.width
    }

    /// Returns the number of complete buckets, at most [`BUCKETS`].
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the complete buckets, oldest first.
    pub(super) fn closed(&self) -> impl Iterator<Item = &Bucket> {
        let (newer, older) = self.ring.split_at(self.next);
        let older = if self.len == BUCKETS { older } else { &[] };
        older.iter().chain(newer)
    }

    /// Returns the highest floor of a channel before the buckets in the ring.
    pub(super) fn ceiling(&self, channel: usize) -> f64 {
        self.ceiling[channel]
    }

    /// Returns the largest fall of a channel's floor so far, at this resolution.
    pub(super) fn largest_fall(&self, channel: usize) -> f64 {
        self.largest_fall[channel]
    }

    /// Adds a finer bucket; `last` means that its slot is complete. Returns the buckets that this completes, at most two and in order, for
    /// the next level.
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
            for (known, fall) in self.largest_fall.iter_mut().zip(falls) {
                *known = fall.max(*known - *known / MEMORY_BUCKETS);
            }
        }
        self.ring[self.next] = bucket;
        self.next = (self.next + 1) % BUCKETS;
        self.len = (self.len + 1).min(BUCKETS);
    }

    /// Returns whether a bucket began after the warm-up.
    fn counts(&self, bucket: &Bucket) -> bool {
        bucket.slot.saturating_mul(self.width) >= WARM_UP_MS
    }
}

/// All levels.
#[derive(Clone, Debug)]
pub(super) struct Pyramid {
    levels: Box<[Level]>,
}

impl Pyramid {
    pub(super) fn new() -> Self {
        Pyramid { levels: (0..LEVELS).map(|level| Level::new(FINEST_MS << level)).collect() }
    }

    /// Removes all buckets, and keeps the allocation.
    pub(super) fn clear(&mut self) {
        for level in &mut *self.levels {
            *level = Level::new(level.width);
        }
    }

    /// Adds a point, `elapsed` milliseconds after the origin. Points must be in order of time.
    pub(super) fn push(&mut self, elapsed: u64, figures: [u64; CHANNELS]) {
        let bucket = Bucket::of(elapsed, figures);
        if self.levels[0].open.is_some_and(|open| open.slot + 1 < bucket.slot) {
            self.flush(elapsed);
        }
        self.absorb(0, bucket, false);
    }

    /// Completes the buckets that end before `elapsed`, as nothing else completes the finer buckets if points are far apart.
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

    /// Adds a bucket to a level, and the buckets that it completes to the next. The second half of a bucket completes it at once, or every
    /// level would lag behind by the open buckets of the finer ones.
    fn absorb(&mut self, index: usize, bucket: Bucket, last: bool) {
        let Some(level) = self.levels.get_mut(index) else { return };
        let width = level.width;
        for complete in level.absorb(bucket, last).into_iter().flatten() {
            self.absorb(index + 1, complete.widened(width), complete.slot % 2 == 1);
        }
    }

    /// Returns all levels, finest first.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Returns the size on the heap in bytes, which is constant.
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
    fn every_level_has_the_minima_of_its_width() {
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
            // The newest second is still open, and so is the bucket that ends with it.
            let end = complete.len() - usize::from(1000 % width == 0);
            assert_eq!(held, complete[end - held.len()..end], "level {index}");
        }
    }

    #[test]
    fn points_far_apart_reach_every_level_at_once() {
        let mut pyramid = Pyramid::new();
        for minute in 0..=20u64 {
            pyramid.push(minute * 60_000, [100 + minute; CHANNELS]);
        }
        for (index, level) in pyramid.levels().iter().enumerate().take(7) {
            let newest = level.closed().last().unwrap();
            // All minutes but the last one are complete.
            assert_eq!(
                (newest.slot * level.width() + u64::from(newest.floor_at[0])) / 60_000,
                19,
                "level {index}"
            );
        }
    }

    #[test]
    fn a_floor_has_its_time() {
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
    fn falls_and_peaks_count_against_later_rises() {
        let mut pyramid = Pyramid::new();
        for second in 0..200u64 {
            let spike = if second == 30 || second == 100 { 1000 * (second - 20) } else { 0 };
            pyramid.push(second * 1000, [500 + spike; CHANNELS]);
        }
        let fine = &pyramid.levels()[0];
        assert!((70_000.0..80_001.0).contains(&fine.largest_fall(0)), "{}", fine.largest_fall(0));
        assert!((70_000.0..80_501.0).contains(&fine.ceiling(0)), "{}", fine.ceiling(0));
        // In buckets of two seconds, a spike of one second does not change the floor.
        assert!(pyramid.levels()[1].largest_fall(0).abs() < 1e-9);
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
