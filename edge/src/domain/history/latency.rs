//! How long answers took: each tick for a day, the hour in six figures for two years, and the last day in half-hours.
//!
//! Latencies are not spread evenly around a middle, so an hour is told by its fewest, its median and its 95th percentile and
//! never by a mean; each is a latency that was measured (nearest rank). What counts is an answer, be it one that failed its
//! conditions; a probe without an answer is counted among the failed and has no latency, and where nobody could look there was
//! no probe.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::check::verdict::{Evaluation, Verdict};

/// How long the hours are kept.
pub const KEPT: Duration = Duration::from_secs(730 * 86_400);

/// What a point of a small picture stands for, in milliseconds.
pub const HALF_HOUR_MS: i64 = 1_800_000;
/// How many of them a day has.
pub const POINTS: i64 = 48;

/// Probes of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyAccumulator {
    count: u32,
    failed: u32,
    /// Latencies of those that were answered, in milliseconds, shortest first.
    answers: Vec<u32>,
}

/// An hour of probes: the fewest milliseconds, the median and the 95th percentile, `None` where nothing answered; then how
/// many probes there were, and how many of them failed.
pub type LatencySummary = [Option<u32>; 5];

impl LatencyAccumulator {
    /// Takes in what a probe came to.
    pub fn add(&mut self, evaluation: &Evaluation) {
        if matches!(evaluation.verdict, Verdict::Skipped(_)) {
            return;
        }
        self.count += 1;
        self.failed += u32::from(matches!(evaluation.verdict, Verdict::Failed(_)));
        if let Some(ms) = evaluation.latency_ms {
            put(&mut self.answers, ms);
        }
    }

    /// What is kept of them; `None` where there was none.
    pub fn fold(&self) -> Option<LatencySummary> {
        let rank = |percent| self.answers.get(nearest_rank(self.answers.len(), percent)).copied();
        (self.count > 0).then(|| [rank(0), rank(50), rank(95), Some(self.count), Some(self.failed)])
    }
}

/// Puts a value where it belongs in a list that rises.
fn put(sorted: &mut Vec<u32>, value: u32) {
    let place = sorted.partition_point(|other| *other <= value);
    sorted.insert(place, value);
}

/// The place of a percentile among `count` values: that of the first that this share of them is not above.
fn nearest_rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).saturating_sub(1)
}

/// Medians of the half-hours of the last day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentLatency {
    /// Those that are over, each in the place of its number's rest.
    medians: Vec<Option<u32>>,
    /// The one that is under way: its number since 1970, and its latencies, shortest first.
    number: i64,
    open: Vec<u32>,
}

impl RecentLatency {
    /// Takes in how long the answer of a tick took. Ticks come oldest first.
    pub fn add(&mut self, at: UnixMillis, ms: u32) {
        let number = at.0.div_euclid(HALF_HOUR_MS);
        self.medians.resize(place(-1) + 1, None);
        if number != self.number {
            self.medians[place(self.number)] = self.present();
            // A place is free again once its half-hour is more than a day ago.
            for passed in self.number + 1..(self.number + POINTS + 1).min(number) {
                self.medians[place(passed)] = None;
            }
            self.number = number;
            self.open.clear();
        }
        put(&mut self.open, ms);
    }

    /// The median of the half-hour that is under way.
    fn present(&self) -> Option<u32> {
        self.open.get(nearest_rank(self.open.len(), 50)).copied()
    }

    /// A median for each half-hour of the last day at `now`, oldest first, the last one under way; empty where there is none at
    /// all.
    pub fn points(&self, now: UnixMillis) -> Vec<Option<u32>> {
        let last = now.0.div_euclid(HALF_HOUR_MS);
        let mut points = Vec::new();
        for number in last - POINTS + 1..=last {
            points.push(match self.number - number {
                0 => self.present(),
                1..POINTS => self.medians.get(place(number)).copied().flatten(),
                _ => None,
            });
        }
        if points.iter().all(Option::is_none) {
            points.clear();
        }
        points
    }
}

/// Where the median of a half-hour stands.
fn place(number: i64) -> usize {
    usize::try_from(number.rem_euclid(POINTS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Failure, ProbeSkipped};

    fn evaluation(verdict: Verdict, latency_ms: Option<u32>) -> Evaluation {
        Evaluation { verdict, latency_ms, health: None }
    }

    /// A name, probes, and what is kept: how many, how many failed, fewest, median and 95th percentile.
    type Case = (&'static str, Vec<(Verdict, Option<u32>)>, Option<(u32, u32, Option<(u32, u32, u32)>)>);

    #[test]
    fn an_hour_in_six_figures() {
        let (up, slow) = (Verdict::Up, Verdict::Degraded(Failure::Slow(900)));
        let (down, busy) = (Verdict::Failed(Failure::Refused), Verdict::Failed(Failure::Status(500)));
        let blind = Verdict::Skipped(ProbeSkipped::Budget);
        let cases: Vec<Case> = vec![
            ("nobody looked", vec![(blind, None), (blind, None)], None),
            ("nothing answered", vec![(down, None), (down, None)], Some((2, 2, None))),
            ("one", vec![(up, Some(7))], Some((1, 0, Some((7, 7, 7))))),
            (
                "an answer that failed took its time too",
                vec![(up, Some(9)), (busy, Some(3)), (slow, Some(900)), (down, None), (blind, None)],
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
            assert_eq!(hour.fold(), expected, "{name}");
        }
    }

    #[test]
    fn half_hours_that_nobody_saw_are_none() {
        let minute = |n: i64| UnixMillis(n * 60_000);
        let mut lately = RecentLatency::default();
        assert_eq!(lately.points(minute(0)), [], "nothing at all");
        for (at, ms) in [(0, 5), (10, 9), (29, 7), (60, 20), (61, 40)] {
            lately.add(minute(at), ms);
        }
        let points = lately.points(minute(89));
        assert_eq!((points.len(), &points[44..]), (48, &[None, Some(7), None, Some(20)][..]));
        assert_eq!(
            lately.points(minute(90))[44..],
            [Some(7), None, Some(20), None],
            "time goes on by itself"
        );
        assert_eq!(lately.points(minute(24 * 60))[..3], [None, Some(20), None][..3].to_vec()[..]);
        assert_eq!(lately.points(minute(26 * 60)), []);
    }

    proptest! {
        #[test]
        fn a_point_is_the_median_of_its_half_hour(
            steps in proptest::collection::vec((prop_oneof![20 => 1i64..40, 1 => 40i64..3000], 0u32..500), 1..200),
        ) {
            let (mut lately, mut all, mut clock) = (RecentLatency::default(), Vec::new(), 0);
            for (wait, ms) in steps {
                clock += wait;
                lately.add(UnixMillis(clock * 60_000), ms);
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
            prop_assert_eq!(lately.points(UnixMillis(clock * 60_000)), expected);
            prop_assert_eq!(lately.medians.len(), 48);
        }
    }
}
