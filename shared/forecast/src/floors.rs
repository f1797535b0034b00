//! The history in constant space: the minima of buckets, fine for recent readings and coarse for old ones.
//!
//! Each level keeps the last 48 buckets of one width; those of the next level are twice as wide. A bucket keeps the *floor* of every
//! figure, as requests in flight, garbage and caches come and go above the floor, while a leak raises it. The last level with more
//! than half of its buckets covers everything since the last reset, the level below it the last half, and so on.

use std::collections::VecDeque;

use super::point::CHANNELS;

/// Number of buckets per level. A level that has just become the one of everything has 24: enough for a trend, a backtest on its last
/// third, and a dozen past forecasts.
pub(super) const BUCKETS: usize = 48;

/// Number of levels: widths from 1 s to 65,536 s, so that the coarsest covers 36 days.
const LEVELS: usize = 17;

/// Width of the finest buckets.
const FINEST_MS: u64 = 1000;

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

    /// Returns the second of the lowest value of a channel in a bucket of `width` milliseconds.
    pub(super) fn second(&self, width: u64, channel: usize) -> f64 {
        let start = self.slot.saturating_mul(width);
        start.saturating_add(u64::from(self.floor_at[channel])) as f64 / 1000.0
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
    pub(super) width: u64,
    /// The bucket that is being filled.
    pub(super) open: Option<Bucket>,
    /// Complete buckets, oldest first.
    ring: VecDeque<Bucket>,
}

impl Level {
    fn new(width: u64) -> Self {
        Level { width, open: None, ring: VecDeque::with_capacity(BUCKETS) }
    }

    /// Returns whether the level has forgotten its oldest buckets, or is about to.
    pub(super) fn is_full(&self) -> bool {
        self.ring.len() == BUCKETS
    }

    /// Returns the complete buckets, oldest first.
    pub(super) fn closed(&self) -> impl DoubleEndedIterator<Item = &Bucket> {
        self.ring.iter()
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
        complete.into_iter().flatten().for_each(|bucket| self.close(bucket));
        complete
    }

    fn close(&mut self, bucket: Bucket) {
        if self.is_full() {
            self.ring.pop_front();
        }
        self.ring.push_back(bucket);
    }
}

/// All levels.
#[derive(Clone, Debug)]
pub(super) struct Floors {
    levels: Box<[Level]>,
}

impl Floors {
    pub(super) fn new() -> Self {
        Floors { levels: (0..LEVELS).map(|level| Level::new(FINEST_MS << level)).collect() }
    }

    /// Removes all buckets, and keeps the allocation.
    pub(super) fn clear(&mut self) {
        for level in &mut *self.levels {
            level.open = None;
            level.ring.clear();
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

    /// Returns the levels to examine, finest first: all that are full, and the first two that are not, which cover everything; the coarser one
    /// hides fluctuation of twice the period.
    pub(super) fn levels(&self) -> &[Level] {
        let full = self.levels.iter().take_while(|level| level.is_full()).count();
        &self.levels[..(full + 2).min(LEVELS)]
    }

    /// Returns the lowest newest value of a channel, and its second: of the newest complete bucket of `level` and of everything after it.
    pub(super) fn newest(&self, level: &Level, channel: usize) -> (f64, f64) {
        let complete = level.ring.back().map(|bucket| (level.width, bucket));
        let open = self.levels.iter().take_while(|it| it.width <= level.width);
        let open = open.filter_map(|it| Some((it.width, it.open.as_ref()?)));
        let lowest = complete.into_iter().chain(open).min_by_key(|(_, bucket)| bucket.floor[channel]);
        lowest.map_or((0.0, 0.0), |(width, bucket)| {
            (bucket.floor[channel] as f64, bucket.second(width, channel))
        })
    }

    /// Returns the size on the heap in bytes, which is constant.
    pub(super) const fn bytes() -> usize {
        LEVELS * (size_of::<Level>() + BUCKETS * size_of::<Bucket>())
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
        let mut history = Floors::new();
        let value = |second: u64| 1000 + (second * 7919) % 613;
        for half in 0..2000 {
            history.push(half * 500, [value(half / 2) + half % 2; CHANNELS]);
        }
        assert_eq!(history.levels().len(), 7, "16 s and less are full, 32 s and 64 s cover everything");
        for (index, level) in history.levels().iter().enumerate() {
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
    fn points_far_apart_reach_every_level_at_once_and_have_their_time() {
        let mut history = Floors::new();
        for minute in 0..=20u64 {
            history.push(minute * 60_000 + 250, [100 + minute; CHANNELS]);
        }
        for (index, level) in history.levels.iter().enumerate().take(7) {
            let newest = level.closed().next_back().unwrap();
            // All minutes but the last one are complete.
            assert_eq!(
                newest.slot * level.width + u64::from(newest.floor_at[0]),
                19 * 60_000 + 250,
                "level {index}"
            );
        }
    }

    #[test]
    fn a_gap_of_any_length_is_one_step() {
        let mut history = Floors::new();
        for elapsed in [0, 1, 1 << 20, 1 << 40, u64::MAX - 1, u64::MAX] {
            history.push(elapsed, [1; CHANNELS]);
        }
        assert!(history.levels.iter().all(|level| level.closed().count() <= 6));
    }
}
