//! Reduces samples to as many as a chart can show without losing a peak.

use heapbeat_shared::{Sample, UnixMillis};

use crate::domain::history::rollup::build_line;
use crate::domain::report::last_report::SampleRun;

/// The maximum number of points of a chart.
pub const MAX_POINTS: usize = 240;

/// Samples for a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Downsampled {
    /// The samples, oldest first.
    pub samples: Vec<Sample>,
    /// The instants of the samples with which another instance begins.
    pub instances: Vec<UnixMillis>,
}

impl Downsampled {
    /// Keeps the sample with the highest working set in each bucket of time. Each sample comes with whether an instance begins with
    /// it; samples of two instances are never merged.
    pub fn from_samples(
        samples: impl IntoIterator<Item = (Sample, bool)>,
        from: UnixMillis,
        to: UnixMillis,
    ) -> Self {
        let width = ((to.0 - from.0) / i64::try_from(MAX_POINTS).unwrap_or(1)).max(1);
        let mut downsampled = Downsampled::default();
        let mut bucket = None;
        for (sample, begins) in samples {
            let bucket_of_sample = Some((sample.at.0 - from.0).div_euclid(width));
            match downsampled.samples.last_mut() {
                Some(last) if bucket == bucket_of_sample && !begins => {
                    if sample.working_set > last.working_set {
                        // The beginning of an instance moves with its sample.
                        if let Some(mark) = downsampled.instances.last_mut().filter(|mark| **mark == last.at)
                        {
                            *mark = sample.at;
                        }
                        *last = sample;
                    }
                }
                _ => {
                    if begins {
                        downsampled.instances.push(sample.at);
                    }
                    downsampled.samples.push(sample);
                    bucket = bucket_of_sample;
                }
            }
        }
        downsampled
    }

    /// Downsamples runs, oldest first.
    pub fn from_runs(runs: &[SampleRun]) -> Self {
        let samples = || runs.iter().flat_map(|run| &run.series.samples);
        let at = |sample: Option<&Sample>| sample.map_or(UnixMillis(0), |sample| sample.at);
        let (from, to) = (at(samples().next()), at(samples().last()));
        let all = build_line(runs, from, UnixMillis(to.0.saturating_add(1)), false);
        Downsampled::from_samples(all.samples, from, to)
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn sample(second: i64, working_set: u64) -> Sample {
        Sample { at: UnixMillis(second * 1000), working_set: Bytes(working_set), ..Sample::default() }
    }

    #[test]
    fn peaks_are_kept_and_instances_are_not_merged() {
        let day =
            (0..86_400).map(|n| (sample(n, if n == 50_000 { 900 } else { 100 }), n == 0 || n == 43_210));
        let downsampled = Downsampled::from_samples(day, UnixMillis(0), UnixMillis(86_400_000));
        assert!(downsampled.samples.len() <= MAX_POINTS + 2, "{}", downsampled.samples.len());
        assert!(downsampled.samples.contains(&sample(50_000, 900)));
        assert_eq!(downsampled.instances, [UnixMillis(0), UnixMillis(43_210_000)]);
    }

    #[test]
    fn consecutive_runs_of_an_instance_begin_once() {
        use heapbeat_shared::InstanceId;
        use heapbeat_shared::series::Series;
        let run = |instance, first: i64| SampleRun {
            instance: InstanceId(instance),
            series: Series { first: 0, samples: (first..first + 3).map(|n| sample(n, 1)).collect() },
        };
        let downsampled = Downsampled::from_runs(&[run(1, 0), run(1, 3), run(2, 6)]);
        assert_eq!(downsampled.instances, [UnixMillis(0), UnixMillis(6000)]);
        assert_eq!(downsampled.samples.len(), 9);
        assert_eq!(Downsampled::from_runs(&[]), Downsampled::default());
    }

    proptest! {
        #[test]
        fn every_point_is_a_sample_and_the_peak_is_kept(
            steps in proptest::collection::vec((1i64..4000, 0u64..1000, proptest::bool::weighted(0.02)), 1..900),
        ) {
            let mut at = 0;
            let all: Vec<_> = steps.into_iter().map(|(step, n, begins)| { at += step; (sample(at, n), begins) }).collect();
            let (from, to) = (all[0].0.at, all[all.len() - 1].0.at);
            let downsampled = Downsampled::from_samples(all.iter().copied(), from, to);
            prop_assert!(downsampled.samples.iter().all(|it| all.iter().any(|(other, _)| other == it)));
            prop_assert!(downsampled.samples.windows(2).all(|pair| pair[0].at < pair[1].at));
            let highest = |it: &mut dyn Iterator<Item = u64>| it.max();
            prop_assert_eq!(
                highest(&mut downsampled.samples.iter().map(|it| it.working_set.0)),
                highest(&mut all.iter().map(|(it, _)| it.working_set.0))
            );
            prop_assert_eq!(downsampled.instances.len(), all.iter().filter(|(_, begins)| *begins).count());
            prop_assert!(downsampled.instances.iter().all(|at| downsampled.samples.iter().any(|it| it.at == *at)));
        }
    }
}
