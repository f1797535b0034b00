//! Memory over the last day, at most 288 points for each monitor.
//!
//! A point stands for a bucket of time and is the sample with the highest rss in it: a chart of means hides the peak that killed
//! the process. Buckets are short at first, so that the first minutes are a line and not a dot, and widen when there would be too
//! many. A bucket without a sample has no point.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use heapbeat_shared::{HealthMemory, UnixMillis};

use crate::domain::snapshot::ChartPoint;

/// How far back the chart goes.
pub const SPAN: Duration = Duration::from_secs(86_400);

/// The maximum number of points: a day of the widest buckets.
const MAX_POINTS: usize = 288;

/// The widths of buckets in milliseconds; each is a multiple of the one before, so that buckets merge completely.
const BUCKETS_MS: [i64; 4] = [5_000, 15_000, 60_000, 300_000];

/// The points of one monitor, oldest first, at most one a bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryChart {
    points: VecDeque<ChartPoint>,
    /// The index of the present width in [`BUCKETS_MS`].
    width: usize,
}

impl MemoryChart {
    /// Adds figures of the instant `at`. Figures that are older than the newest point are ignored.
    pub fn add(&mut self, at: UnixMillis, memory: HealthMemory) {
        self.add_point(ChartPoint { at, memory });
        while self.points.front().is_some_and(|first| self.is_too_old(*first, at)) {
            self.points.pop_front();
        }
        while self.points.len() > MAX_POINTS && self.width + 1 < BUCKETS_MS.len() {
            self.width += 1;
            for point in mem::take(&mut self.points) {
                self.add_point(point);
            }
        }
    }

    /// Returns the points of the last day at `now`, oldest first.
    pub fn points(&self, now: UnixMillis) -> Vec<ChartPoint> {
        self.points.iter().copied().filter(|point| !self.is_too_old(*point, now)).collect()
    }

    fn add_point(&mut self, point: ChartPoint) {
        let bucket = self.bucket(point.at);
        match self.points.back().copied() {
            Some(last) if point.at.0 < last.at.0 => {}
            Some(last) if self.bucket(last.at) == bucket => {
                if point.memory.rss >= last.memory.rss {
                    self.points.pop_back();
                    self.points.push_back(point);
                }
            }
            _ => self.points.push_back(point),
        }
    }

    fn bucket(&self, at: UnixMillis) -> i64 {
        at.0.div_euclid(BUCKETS_MS[self.width])
    }

    /// Whether the point's bucket is older than a day at `now`.
    fn is_too_old(&self, point: ChartPoint, now: UnixMillis) -> bool {
        self.bucket(point.at) <= self.bucket(now.minus(SPAN))
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::Megabytes;

    use super::*;

    fn rss(mb: u64) -> HealthMemory {
        HealthMemory { rss: Megabytes(mb), ..HealthMemory::default() }
    }

    fn shown(chart: &MemoryChart, now: i64) -> Vec<(i64, u64)> {
        chart.points(UnixMillis(now)).iter().map(|p| (p.at.0, p.memory.rss.0)).collect()
    }

    #[test]
    fn a_bucket_shows_its_peak_at_the_instant_of_the_peak() {
        let mut chart = MemoryChart::default();
        for (second, mb) in [(0, 10), (1, 30), (2, 20), (5, 5), (4, 99)] {
            chart.add(UnixMillis(second * 1000), rss(mb));
        }
        assert_eq!(shown(&chart, 9_000), [(1_000, 30), (5_000, 5)], "and an older one is ignored");
    }

    #[test]
    fn the_first_minutes_are_a_line() {
        let mut chart = MemoryChart::default();
        for minute in 0..5 {
            chart.add(UnixMillis(minute * 60_000), rss(1));
        }
        assert_eq!(shown(&chart, 300_000).len(), 5);
    }

    #[test]
    fn peaks_outlive_the_widening_of_their_buckets() {
        let mut chart = MemoryChart::default();
        for tick in 0..10_000 {
            chart.add(UnixMillis(tick * 5_000), rss(if tick == 777 { 99 } else { 10 }));
            assert!(chart.points.len() <= MAX_POINTS);
        }
        let points = shown(&chart, 9_999 * 5_000);
        assert!(points.len() > MAX_POINTS / 4, "{} points of fourteen hours", points.len());
        assert_eq!(points.iter().max_by_key(|(_, mb)| *mb), Some(&(777 * 5_000, 99)));
    }

    #[test]
    fn a_day_of_minutes_is_288_points_and_no_more() {
        let mut chart = MemoryChart::default();
        for minute in 0..3000 {
            chart.add(UnixMillis(minute * 60_000), rss(1));
        }
        let points = shown(&chart, 2999 * 60_000);
        assert_eq!(points.len(), 288);
        assert_eq!(shown(&chart, 6000 * 60_000), [], "a day later there is nothing left to show");
    }
}
