//! As many samples as a picture can show, and no peak lost.

use heapbeat_shared::{Sample, UnixMillis};

use crate::domain::history::rollup::line;
use crate::domain::report::last_report::SampleRun;

/// Most samples of a picture.
pub const MOST: usize = 240;

/// What is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Downsampled {
    /// Oldest first.
    pub samples: Vec<Sample>,
    /// Those of them with which another instance begins.
    pub instances: Vec<UnixMillis>,
}

impl Downsampled {
    /// Of each stretch of time the sample with the highest working set; each comes with whether an instance begins with it.
    /// The samples of two instances are never one.
    pub fn of(samples: impl IntoIterator<Item = (Sample, bool)>, from: UnixMillis, to: UnixMillis) -> Self {
        let width = ((to.0 - from.0) / i64::try_from(MOST).unwrap_or(1)).max(1);
        let mut thinned = Downsampled::default();
        let mut bucket = None;
        for (sample, begins) in samples {
            let own = Some((sample.at.0 - from.0).div_euclid(width));
            match thinned.samples.last_mut() {
                Some(last) if bucket == own && !begins => {
                    if sample.working_set > last.working_set {
                        // The mark of an instance goes along.
                        if let Some(mark) = thinned.instances.last_mut().filter(|mark| **mark == last.at) {
                            *mark = sample.at;
                        }
                        *last = sample;
                    }
                }
                _ => {
                    if begins {
                        thinned.instances.push(sample.at);
                    }
                    thinned.samples.push(sample);
                    bucket = own;
                }
            }
        }
        thinned
    }

    /// The same of runs.
    pub fn of_runs(runs: &[SampleRun]) -> Self {
        let samples = || runs.iter().flat_map(|run| &run.series.samples);
        let at = |sample: Option<&Sample>| sample.map_or(UnixMillis(0), |sample| sample.at);
        let (from, to) = (at(samples().next()), at(samples().last()));
        let all = line(runs, from, UnixMillis(to.0.saturating_add(1)), false);
        Downsampled::of(all.samples, from, to)
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
    fn the_peak_stays_and_instances_stay_apart() {
        let day =
            (0..86_400).map(|n| (sample(n, if n == 50_000 { 900 } else { 100 }), n == 0 || n == 43_210));
        let thin = Downsampled::of(day, UnixMillis(0), UnixMillis(86_400_000));
        assert!(thin.samples.len() <= MOST + 2, "{}", thin.samples.len());
        assert!(thin.samples.contains(&sample(50_000, 900)));
        assert_eq!(thin.instances, [UnixMillis(0), UnixMillis(43_210_000)]);
    }

    #[test]
    fn a_run_that_goes_on_begins_nothing() {
        use heapbeat_shared::InstanceId;
        use heapbeat_shared::series::Series;
        let run = |instance, first: i64| SampleRun {
            instance: InstanceId(instance),
            series: Series { first: 0, samples: (first..first + 3).map(|n| sample(n, 1)).collect() },
        };
        let thin = Downsampled::of_runs(&[run(1, 0), run(1, 3), run(2, 6)]);
        assert_eq!(thin.instances, [UnixMillis(0), UnixMillis(6000)]);
        assert_eq!(thin.samples.len(), 9);
        assert_eq!(Downsampled::of_runs(&[]), Downsampled::default());
    }

    proptest! {
        #[test]
        fn nothing_is_made_up_and_the_highest_is_kept(
            steps in proptest::collection::vec((1i64..4000, 0u64..1000, proptest::bool::weighted(0.02)), 1..900),
        ) {
            let mut at = 0;
            let all: Vec<_> = steps.into_iter().map(|(step, n, begins)| { at += step; (sample(at, n), begins) }).collect();
            let (from, to) = (all[0].0.at, all[all.len() - 1].0.at);
            let thin = Downsampled::of(all.iter().copied(), from, to);
            prop_assert!(thin.samples.iter().all(|it| all.iter().any(|(other, _)| other == it)));
            prop_assert!(thin.samples.windows(2).all(|pair| pair[0].at < pair[1].at));
            let highest = |it: &mut dyn Iterator<Item = u64>| it.max();
            prop_assert_eq!(
                highest(&mut thin.samples.iter().map(|it| it.working_set.0)),
                highest(&mut all.iter().map(|(it, _)| it.working_set.0))
            );
            prop_assert_eq!(thin.instances.len(), all.iter().filter(|(_, begins)| *begins).count());
            prop_assert!(thin.instances.iter().all(|at| thin.samples.iter().any(|it| it.at == *at)));
        }
    }
}
