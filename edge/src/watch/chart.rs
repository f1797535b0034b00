//! Memory over the last day, at most 288 points for each monitor.
//!
//! Five minutes of samples become one point, the one with the highest rss: a chart that shows means hides the
//! peak that killed the process. A bucket in which nobody looked has no point.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::{HealthMemory, UnixMillis};

use crate::view::ChartPoint;

/// How far back the chart goes.
pub const SPAN: Duration = Duration::from_secs(86_400);

/// The time that one point stands for, in milliseconds.
const BUCKET_MS: i64 = 5 * 60_000;

/// The points of one monitor, oldest first, at most one a bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    points: VecDeque<ChartPoint>,
}

impl Chart {
    /// Takes in the figures read at `at`. What is older than the newest point is ignored.
    pub fn add(&mut self, at: UnixMillis, memory: HealthMemory) {
        let point = ChartPoint { at, memory };
        match self.points.back_mut() {
            Some(last) if at.0 < last.at.0 => return,
            Some(last) if bucket(last.at) == bucket(at) => {
                if memory.rss >= last.memory.rss {
                    *last = point;
                }
            }
            _ => self.points.push_back(point),
        }
        while self.points.front().is_some_and(|first| outside(*first, at)) {
            self.points.pop_front();
        }
    }

    /// The points that lie within the last day at `now`, oldest first.
    pub fn points(&self, now: UnixMillis) -> Vec<ChartPoint> {
        self.points.iter().copied().filter(|point| !outside(*point, now)).collect()
    }
}

fn bucket(at: UnixMillis) -> i64 {
    at.0.div_euclid(BUCKET_MS)
}

/// Whether the point's bucket is not among the newest 288 at `now`.
fn outside(point: ChartPoint, now: UnixMillis) -> bool {
    bucket(point.at) <= bucket(now.minus(SPAN))
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::Megabytes;

    use super::*;

    fn rss(mb: u64) -> HealthMemory {
        HealthMemory { rss: Megabytes(mb), ..HealthMemory::default() }
    }

    fn shown(chart: &Chart, now: i64) -> Vec<(i64, u64)> {
        chart.points(UnixMillis(now)).iter().map(|p| (p.at.0, p.memory.rss.0)).collect()
    }

    #[test]
    fn a_bucket_shows_its_peak_at_the_instant_of_the_peak() {
        let mut chart = Chart::default();
        for (second, mb) in [(0, 10), (60, 30), (120, 20), (300, 5), (240, 99)] {
            chart.add(UnixMillis(second * 1000), rss(mb));
        }
        assert_eq!(shown(&chart, 400_000), [(60_000, 30), (300_000, 5)], "and an older one is ignored");
    }

    #[test]
    fn a_day_of_minutes_is_288_points_and_no_more() {
        let mut chart = Chart::default();
        for minute in 0..3000 {
            chart.add(UnixMillis(minute * 60_000), rss(1));
        }
        let points = shown(&chart, 2999 * 60_000);
        assert_eq!(points.len(), 288);
        assert_eq!(shown(&chart, 6000 * 60_000), [], "a day later there is nothing left to show");
    }
}
