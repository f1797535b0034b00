//! Memory history in three resolutions: every second, the peak of a minute, the peak of an hour.
//!
//! A chart of means hides the peak that killed the process, so a coarser resolution keeps the sample with the highest working set at
//! its own instant. Samples of different instances are never merged: a restart or a gap between two runs stays one.

use std::time::Duration;

use heapbeat_shared::series::{MAX_SAMPLES, Series};
use heapbeat_shared::{Sample, UnixMillis};

use crate::domain::history::retention;
use crate::domain::history::ring::Ring;
use crate::domain::report::last_report::SampleRun;

/// A resolution of the memory history, with its retention and the length of its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Every sample.
    Second,
    /// One sample a minute.
    Minute,
    /// One sample an hour.
    Hour,
}

impl Tier {
    /// Every tier, finest first.
    pub const ALL: [Tier; 3] = [Tier::Second, Tier::Minute, Tier::Hour];

    /// The tier's number in the store.
    pub const fn number(self) -> i64 {
        match self {
            Tier::Second => 0,
            Tier::Minute => 1,
            Tier::Hour => 2,
        }
    }

    /// Returns the name in JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tier::Second => "1s",
            Tier::Minute => "1m",
            Tier::Hour => "1h",
        }
    }

    /// The length of a chunk.
    pub const fn chunk_length(self) -> Duration {
        Duration::from_secs(match self {
            Tier::Second => 3600,
            Tier::Minute => 86_400,
            Tier::Hour => 30 * 86_400,
        })
    }

    /// How long samples of the tier are kept.
    pub const fn retention(self) -> Duration {
        match self {
            Tier::Second => retention::SAMPLES,
            Tier::Minute => retention::MINUTE_PEAKS,
            Tier::Hour => retention::HOUR_PEAKS,
        }
    }

    /// Returns the ring of its chunks.
    pub fn ring(self) -> Ring {
        let chunk_ms = i64::try_from(self.chunk_length().as_millis()).unwrap_or(i64::MAX);
        let places = i64::try_from(self.retention().as_millis()).unwrap_or(i64::MAX) / chunk_ms + 2;
        Ring { chunk_ms, places }
    }

    /// Returns the chunk that contains `at`: its beginning, and its slot in the ring.
    pub fn chunk_slot(self, at: UnixMillis) -> (UnixMillis, i64) {
        self.ring().slot(at)
    }

    /// Returns the finest tier that still has samples of this age.
    pub fn for_age(age: Duration) -> Tier {
        Tier::ALL.into_iter().find(|tier| age <= tier.retention()).unwrap_or(Tier::Hour)
    }

    /// Returns the finest tier that shows `span` in a reasonable number of points.
    pub fn for_span(span: Duration) -> Tier {
        match span.as_secs() {
            0..=10_800 => Tier::Second,
            10_801..=691_200 => Tier::Minute,
            _ => Tier::Hour,
        }
    }
}

/// Merges consecutive runs of an instance; the order stays.
pub fn merge_runs(runs: impl IntoIterator<Item = SampleRun>) -> Vec<SampleRun> {
    let mut merged: Vec<SampleRun> = Vec::new();
    for run in runs {
        match merged.last_mut() {
            Some(last)
                if last.instance == run.instance
                    && last.series.first + last.series.samples.len() as u64 == run.series.first
                    && last.series.samples.len() + run.series.samples.len() <= MAX_SAMPLES =>
            {
                last.series.samples.extend(run.series.samples);
            }
            _ => merged.push(run),
        }
    }
    merged
}

/// Keeps the sample with the highest working set of every `bucket` of time and instance, in runs of at most [`MAX_SAMPLES`].
/// Sequence numbers are lost.
pub fn keep_peaks(runs: &[SampleRun], bucket: Duration) -> Vec<SampleRun> {
    let bucket = i64::try_from(bucket.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut out: Vec<SampleRun> = Vec::new();
    for run in runs {
        for sample in &run.series.samples {
            let same = out.last_mut().filter(|last| last.instance == run.instance);
            match same.map(|last| &mut last.series.samples) {
                Some(peaks)
                    if peaks.last().is_some_and(|last| {
                        last.at.0.div_euclid(bucket) == sample.at.0.div_euclid(bucket)
                    }) =>
                {
                    if let Some(last) = peaks.last_mut().filter(|last| sample.working_set >= last.working_set)
                    {
                        *last = *sample;
                    }
                }
                // The clock of a server may jump, so the number of buckets is not bounded by the time that the runs cover.
                Some(peaks) if peaks.len() < MAX_SAMPLES => peaks.push(*sample),
                _ => {
                    let series = Series { first: 0, samples: vec![*sample] };
                    out.push(SampleRun { instance: run.instance, series });
                }
            }
        }
    }
    out
}

/// The line of a memory chart: samples, and the gaps between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryLine {
    /// The samples within the window, oldest first, each with whether another instance begins with it.
    pub samples: Vec<(Sample, bool)>,
    /// Gaps in which samples were taken but not received: from, to, how many.
    pub gaps: Vec<(UnixMillis, UnixMillis, u64)>,
}

/// Builds the line of `runs`, oldest first, from `from` (inclusive) to `to` (exclusive). `numbered`: whether sequence numbers are
/// valid.
pub fn build_line(runs: &[SampleRun], from: UnixMillis, to: UnixMillis, numbered: bool) -> MemoryLine {
    let mut line = MemoryLine::default();
    let mut last: Option<(&SampleRun, UnixMillis)> = None;
    for run in runs {
        let Some(first) = run.series.samples.first() else { continue };
        let same = last.filter(|(before, _)| before.instance == run.instance);
        if let Some((before, until)) = same.filter(|_| numbered) {
            let expected = before.series.first + before.series.samples.len() as u64;
            let missing = run.series.first.saturating_sub(expected);
            if missing > 0 && until < to && first.at >= from {
                line.gaps.push((until, first.at, missing));
            }
        }
        for (index, sample) in run.series.samples.iter().enumerate() {
            if sample.at >= from && sample.at < to {
                line.samples.push((*sample, index == 0 && same.is_none()));
            }
        }
        last = run.series.samples.last().map(|sample| (run, sample.at));
    }
    line
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::{Bytes, InstanceId, series};
    use proptest::prelude::*;

    use super::*;

    fn sample(second: i64, pages: u64) -> Sample {
        let figure = |n: u64| Bytes(n * series::PAGE);
        Sample {
            at: UnixMillis(second * 1000),
            rss: figure(pages + 2000),
            heap_used: figure(pages),
            heap_total: figure(pages + 300),
            heap_resident: figure(pages + 700),
            working_set: figure(pages + 1500),
        }
    }

    fn run(instance: u64, first: u64, samples: impl IntoIterator<Item = Sample>) -> SampleRun {
        SampleRun {
            instance: InstanceId(instance),
            series: Series { first, samples: samples.into_iter().collect() },
        }
    }

    #[test]
    fn consecutive_runs_are_merged_and_others_are_not() {
        let piece = |instance, first: u64| {
            run(instance, first, (first..first + 60).map(|n| sample(n.cast_signed(), n)))
        };
        let merged = merge_runs([piece(1, 0), piece(1, 60), piece(1, 180), piece(2, 240), piece(2, 300)]);
        let shape: Vec<_> =
            merged.iter().map(|run| (run.instance.0, run.series.first, run.series.samples.len())).collect();
        assert_eq!(shape, [(1, 0, 120), (1, 180, 60), (2, 240, 120)]);
        let line = build_line(&merged, UnixMillis(0), UnixMillis(1_000_000), true);
        assert_eq!(line.gaps, [(UnixMillis(119_000), UnixMillis(180_000), 60)]);
        let begins: Vec<_> = line.samples.iter().filter(|(_, begins)| *begins).map(|(s, _)| s.at.0).collect();
        assert_eq!(begins, [0, 240_000], "another instance is no gap");
    }

    #[test]
    fn a_peak_is_the_sample_that_was_highest() {
        let runs = [
            run(1, 0, (0..180).map(|n| sample(n, if n == 77 { 900 } else { 100 }))),
            run(2, 0, [sample(180, 5)]),
        ];
        let peaks = keep_peaks(&runs, Duration::from_secs(60));
        let seen: Vec<Vec<i64>> = peaks
            .iter()
            .map(|run| run.series.samples.iter().map(|s| s.at.0 / 1000).collect::<Vec<_>>())
            .collect();
        assert_eq!(seen, [vec![59, 77, 179], vec![180]]);
    }

    #[test]
    fn peaks_of_a_clock_that_jumps_are_split_into_runs_that_can_be_encoded() {
        let most = i64::try_from(MAX_SAMPLES).unwrap();
        let hostile = |minutes: std::ops::Range<i64>| run(1, 0, minutes.map(|n| sample(n * 60, 1)));
        let peaks = keep_peaks(&[hostile(1..most), hostile(most..2 * most)], Duration::from_secs(60));
        let lengths: Vec<_> = peaks.iter().map(|run| run.series.samples.len()).collect();
        assert_eq!(lengths, [MAX_SAMPLES, MAX_SAMPLES - 1]);
        for run in peaks {
            series::encode(run.series.first, &run.series.samples);
        }
    }

    #[test]
    fn a_chunk_replaces_one_that_is_too_old() {
        for tier in Tier::ALL {
            let step = tier.chunk_length();
            let places: Vec<_> =
                (0..1000u32).map(|n| tier.chunk_slot(UnixMillis(0).plus(step * n)).1).collect();
            let kept = usize::try_from(tier.retention().as_secs() / step.as_secs()).unwrap();
            for n in kept..places.len() {
                let newer = &places[n - kept..n];
                assert!(!newer.contains(&places[n]), "{tier:?}: chunk {n} overwrites one that is still kept");
            }
            assert_eq!(tier.chunk_slot(UnixMillis(-1)).0.0, -i64::try_from(step.as_millis()).unwrap());
        }
    }

    proptest! {
        #[test]
        fn merging_keeps_every_sample(
            pieces in proptest::collection::vec((1u64..4, 0u64..300, 0u64..80), 0..20),
        ) {
            let runs: Vec<_> = pieces
                .into_iter()
                .map(|(id, first, n)| run(id, first, (first..first + n).map(|n| sample(n.cast_signed(), n))))
                .collect();
            let all = |runs: &[SampleRun]| -> Vec<_> {
                let numbered = |run: &SampleRun| {
                    let (id, first) = (run.instance.0, run.series.first);
                    run.series.samples.iter().zip(first..).map(move |(s, n)| (id, n, *s)).collect::<Vec<_>>()
                };
                runs.iter().flat_map(numbered).collect()
            };
            prop_assert_eq!(all(&merge_runs(runs.clone())), all(&runs));
        }
    }
}
