//! Latency history: a summary of each hour for two years, and the last day in half-hours.
//!
//! Latencies are not distributed evenly around a mean, so an hour is summarized by minimum, median and 95th percentile; each is a
//! latency that was measured (nearest rank). Responses that fail their conditions count as well. A probe without a response counts
//! as failed and has no latency; a skipped probe does not count.

use heapbeat_shared::UnixMillis;

use crate::domain::check::verdict::{CheckVerdict, Evaluation};

/// The time that one point of a sparkline stands for, in milliseconds.
pub const HALF_HOUR_MS: i64 = 1_800_000;
/// The number of points of a day.
pub const POINTS: i64 = 48;

/// Collects the probes of an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyAccumulator {
    count: u32,
    failed: u32,
    /// The latencies in milliseconds, shortest first.
    latencies: Vec<u32>,
}

/// The summary of an hour: minimum, median and 95th percentile in milliseconds, `None` if there was no response; then the number of
/// probes, and how many of them failed.
pub type LatencySummary = [Option<u32>; 5];

impl LatencyAccumulator {
    /// Adds a probe.
    pub fn add(&mut self, evaluation: &Evaluation) {
        if matches!(evaluation.verdict, CheckVerdict::Skipped(_)) {
            return;
        }
        self.add_probe(evaluation.latency_ms, matches!(evaluation.verdict, CheckVerdict::Failed(_)));
    }

    /// Adds a probe that was not skipped.
    pub fn add_probe(&mut self, latency_ms: Option<u32>, failed: bool) {
        self.count += 1;
        self.failed += u32::from(failed);
        if let Some(ms) = latency_ms {
            insert_sorted(&mut self.latencies, ms);
        }
    }

    /// Returns the summary; `None` if there was no probe.
    pub fn summarize(&self) -> Option<LatencySummary> {
        let rank = |percent| self.latencies.get(nearest_rank(self.latencies.len(), percent)).copied();
        (self.count > 0).then(|| [rank(0), rank(50), rank(95), Some(self.count), Some(self.failed)])
    }
}

/// Inserts a value into a sorted list.
fn insert_sorted(sorted: &mut Vec<u32>, value: u32) {
    let place = sorted.partition_point(|other| *other <= value);
    sorted.insert(place, value);
}

/// The index of a percentile among `count` sorted values, by nearest rank.
fn nearest_rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).saturating_sub(1)
}

/// The medians of the half-hours of the last day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentLatency {
    /// The medians of past half-hours, each at the index that [`ring_index`] gives.
    medians: Vec<Option<u32>>,
    /// The number of the present half-hour since 1970.
    number: i64,
    /// The latencies of the present half-hour, shortest first.
    present: Vec<u32>,
}

impl RecentLatency {
    /// Adds the latency of a tick; ticks come oldest first.
    pub fn add(&mut self, at: UnixMillis, ms: u32) {
        let number = at.0.div_euclid(HALF_HOUR_MS);
        self.medians.resize(ring_index(-1) + 1, None);
        if number != self.number {
            self.medians[ring_index(self.number)] = self.present_median();
            // The half-hours between had no response.
            for passed in self.number + 1..(self.number + POINTS + 1).min(number) {
                self.medians[ring_index(passed)] = None;
            }
            self.number = number;
            self.present.clear();
        }
        insert_sorted(&mut self.present, ms);
    }

    /// The median of the present half-hour.
    fn present_median(&self) -> Option<u32> {
        self.present.get(nearest_rank(self.present.len(), 50)).copied()
    }

    /// Returns the median of each half-hour of the last day at `now`, oldest first, the last one incomplete; empty if there is none
    /// at all.
    pub fn points(&self, now: UnixMillis) -> Vec<Option<u32>> {
        let last = now.0.div_euclid(HALF_HOUR_MS);
        let mut points = Vec::new();
        for number in last - POINTS + 1..=last {
            points.push(match self.number - number {
                0 => self.present_median(),
                1..POINTS => self.medians.get(ring_index(number)).copied().flatten(),
                _ => None,
            });
        }
        if points.iter().all(Option::is_none) {
            points.clear();
        }
        points
    }
}

/// The index of a half-hour's median.
fn ring_index(number: i64) -> usize {
    usize::try_from(number.rem_euclid(POINTS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Failure, ProbeSkipped};

    fn evaluation(verdict: CheckVerdict, latency_ms: Option<u32>) -> Evaluation {
        Evaluation { verdict, latency_ms, health: None }
    }

    /// A name, probes, and their summary: how many, how many failed, minimum, median and 95th percentile.
    type Case = (&'static str, Vec<(CheckVerdict, Option<u32>)>, Option<(u32, u32, Option<(u32, u32, u32)>)>);

    #[test]
    fn an_hour_is_summarized_in_five_figures() {
        let (up, slow) = (CheckVerdict::Up, CheckVerdict::Degraded(Failure::Slow(900)));
        let (down, busy) =
            (CheckVerdict::Failed(Failure::ConnectionRefused), CheckVerdict::Failed(Failure::Status(500)));
        let skipped = CheckVerdict::Skipped(ProbeSkipped::Budget);
        let cases: Vec<Case> = vec![
            ("skipped", vec![(skipped, None), (skipped, None)], None),
            ("nothing answered", vec![(down, None), (down, None)], Some((2, 2, None))),
            ("one", vec![(up, Some(7))], Some((1, 0, Some((7, 7, 7))))),
            (
                "a failed response has a latency too",
                vec![(up, Some(9)), (busy, Some(3)), (slow, Some(900)), (down, None), (skipped, None)],
                Some((4, 2, Some((3, 9, 900)))),
            ),
            (
                "of sixty the 30th and the 57th",
                (1..=60).rev().map(|ms| (up, Some(ms))).collect(),
                Some((60, 0, Some((1, 30, 57)))),
            ),
        ];
        for (name, probes, expected) in cases {
            let mut hour = LatencyAccumulator::default();
            for (verdict, ms) in probes {
                hour.add(&evaluation(verdict, ms));
            }
            let expected = expected.map(|(probes, failed, answers)| {
                let answers = answers.map_or([None; 3], |(low, mid, high)| [low, mid, high].map(Some));
                [answers[0], answers[1], answers[2], Some(probes), Some(failed)]
            });
            assert_eq!(hour.summarize(), expected, "{name}");
        }
    }

    #[test]
    fn half_hours_without_a_response_have_no_median() {
        let minute = |n: i64| UnixMillis(n * 60_000);
        let mut recent = RecentLatency::default();
        assert_eq!(recent.points(minute(0)), [], "nothing at all");
        for (at, ms) in [(0, 5), (10, 9), (29, 7), (60, 20), (61, 40)] {
            recent.add(minute(at), ms);
        }
        let points = recent.points(minute(89));
        assert_eq!((points.len(), &points[44..]), (48, &[None, Some(7), None, Some(20)][..]));
        assert_eq!(
            recent.points(minute(90))[44..],
            [Some(7), None, Some(20), None],
            "time goes on by itself"
        );
        assert_eq!(recent.points(minute(24 * 60))[..3], [None, Some(20), None][..3].to_vec()[..]);
        assert_eq!(recent.points(minute(26 * 60)), []);
    }

    proptest! {
        #[test]
        fn a_point_is_the_median_of_its_half_hour(
            steps in proptest::collection::vec((prop_oneof![20 => 1i64..40, 1 => 40i64..3000], 0u32..500), 1..200),
        ) {
            let (mut recent, mut all, mut clock) = (RecentLatency::default(), Vec::new(), 0);
            for (wait, ms) in steps {
                clock += wait;
                recent.add(UnixMillis(clock * 60_000), ms);
                all.push((clock, ms));
            }
            let first = clock.div_euclid(30) - 47;
            let expected: Vec<Option<u32>> = (first..first + 48).map(|number| {
                let mut of: Vec<u32> =
                    all.iter().filter(|(at, _)| at.div_euclid(30) == number).map(|(_, ms)| *ms).collect();
                of.sort_unstable();
                // The lower of the two in the middle.
                (!of.is_empty()).then(|| of[(of.len() - 1) / 2])
            }).collect();
            prop_assert_eq!(recent.points(UnixMillis(clock * 60_000)), expected);
            prop_assert_eq!(recent.medians.len(), 48);
        }
    }
}
