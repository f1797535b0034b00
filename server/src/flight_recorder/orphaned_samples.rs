//! The last samples of instances that have ended, for a reader whose cursor belongs to one of them.

use std::collections::VecDeque;

use heapbeat_shared::report::{Block, LastSamples};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Cursor, InstanceId};

use super::Recording;

/// Maximum number of instances: in a crash loop several may end between two reports.
const MAX_INSTANCES: usize = 8;

/// Maximum bytes of one instance's encoded samples. About 2 kB are usual; a message to a worker has room for this in base64.
const MAX_BYTES: usize = 20 << 10;

/// Maximum bytes of all encoded samples: a socket's buffer holds this before the worker has begun to read.
const MAX_BYTES_TOTAL: usize = 48 << 10;

/// Maximum length of [`OrphanedSamples::to_text`].
pub(super) const MAX_TEXT_BYTES: usize = MAX_BYTES_TOTAL / 3 * 4 + MAX_INSTANCES * 256;

/// The samples of the instances that ended last, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OrphanedSamples(VecDeque<LastSamples>);

/// Returns the samples of a recording; `None` if there are none or their instance is not known.
pub(super) fn samples_of(recording: &Recording) -> Option<LastSamples> {
    last_samples(recording.header.as_ref()?.instance, recording.samples.clone())
}

/// Encodes the newest samples of an instance, in at most [`MAX_BYTES`]; `None` if there are none.
pub(crate) fn last_samples(instance: InstanceId, mut series: Series) -> Option<LastSamples> {
    loop {
        let samples = Block::of(&series, 0);
        if samples.count == 0 {
            return None;
        }
        if samples.data.len() <= MAX_BYTES {
            return Some(LastSamples { instance, samples });
        }
        // Samples that do not compress: keep the newer half.
        series.skip(series.samples.len().div_ceil(2));
    }
}

impl OrphanedSamples {
    /// Adds the samples of one more instance.
    pub(crate) fn add(&mut self, more: LastSamples) {
        self.0.retain(|it| it.instance != more.instance);
        self.0.push_back(more);
        while self.0.len() > MAX_INSTANCES || self.bytes() > MAX_BYTES_TOTAL {
            self.0.pop_front();
        }
    }

    /// Iterates over the instances, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LastSamples> {
        self.0.iter()
    }

    /// Returns the samples after the cursor; `None` if its instance is not known or has no later samples.
    pub(crate) fn after(&self, cursor: Cursor) -> Option<LastSamples> {
        let held = self.0.iter().find(|it| it.instance == cursor.instance)?;
        let mut series = held.samples.series().ok()?;
        let lost = series.keep_after(cursor.sequence);
        (!series.samples.is_empty())
            .then(|| LastSamples { instance: held.instance, samples: Block::of(&series, lost) })
    }

    /// Writes one line of JSON per instance.
    pub(super) fn to_text(&self) -> String {
        self.0.iter().filter_map(|it| serde_json::to_string(it).ok()).map(|line| line + "\n").collect()
    }

    /// Reads such lines; invalid lines are skipped.
    pub(super) fn parse(text: &str) -> Self {
        let mut orphaned = OrphanedSamples::default();
        text.lines().filter_map(read_line).for_each(|it| orphaned.add(it));
        orphaned
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|it| it.samples.data.len()).sum()
    }
}

fn read_line(line: &str) -> Option<LastSamples> {
    serde_json::from_str::<LastSamples>(line).ok().filter(fits_one_message)
}

/// Whether the samples fit into one message between supervisor and worker.
pub(crate) fn fits_one_message(samples: &LastSamples) -> bool {
    samples.samples.data.len() <= MAX_BYTES
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::series;
    use heapbeat_shared::{Bytes, Sample, UnixMillis};

    use super::*;
    use crate::flight_recorder::RecordingHeader;

    fn recording(instance: u64, first: u64, samples: impl IntoIterator<Item = u64>) -> Recording {
        let header = RecordingHeader {
            instance: InstanceId(instance),
            version: String::new(),
            started: UnixMillis(0),
            boot: String::new(),
        };
        let sample =
            |(at, rss): (i64, u64)| Sample { at: UnixMillis(at), rss: Bytes(rss), ..Sample::default() };
        let samples = (0..).zip(samples).map(sample).collect();
        Recording { header: Some(header), samples: Series { first, samples }, ..Recording::default() }
    }

    fn orphan(instance: u64, first: u64, count: u64) -> LastSamples {
        samples_of(&recording(instance, first, (first..first + count).map(|n| n * series::PAGE))).unwrap()
    }

    /// Returns the first sequence number, count, lost, and the figures in pages.
    fn after(orphaned: &OrphanedSamples, instance: u64, sequence: u64) -> Option<(u64, u64, u64, Vec<u64>)> {
        let found = orphaned.after(Cursor { instance: InstanceId(instance), sequence })?;
        assert_eq!(found.instance, InstanceId(instance));
        let series = found.samples.series().unwrap();
        let pages = series.samples.iter().map(|sample| sample.rss.0 / series::PAGE).collect();
        Some((found.samples.first, found.samples.count, found.samples.dropped, pages))
    }

    #[test]
    fn a_cursor_gets_the_later_samples_of_its_own_instance() {
        let mut orphaned = OrphanedSamples::default();
        orphaned.add(orphan(1, 100, 4));
        orphaned.add(orphan(2, 0, 2));
        let cases = [
            ("in the middle", (1, 101), Some((102, 2, 0, vec![102, 103]))),
            ("right before", (1, 99), Some((100, 4, 0, vec![100, 101, 102, 103]))),
            ("longer ago", (1, 90), Some((100, 4, 9, vec![100, 101, 102, 103]))),
            ("all of it", (1, 103), None),
            ("more than there is", (1, u64::MAX), None),
            ("the other", (2, 0), Some((1, 1, 0, vec![1]))),
            ("an unknown instance", (3, 0), None),
        ];
        for (name, (instance, sequence), expected) in cases {
            assert_eq!(after(&orphaned, instance, sequence), expected, "{name}");
        }
    }

    #[test]
    fn a_recording_without_header_or_samples_has_no_orphaned_samples() {
        assert_eq!(samples_of(&Recording { header: None, ..recording(1, 0, [5]) }), None);
        assert_eq!(samples_of(&recording(1, 7, [])), None);
    }

    #[test]
    fn instances_and_bytes_are_bounded() {
        let mut orphaned = OrphanedSamples::default();
        for instance in 0..20 {
            orphaned.add(orphan(instance, 0, 3));
        }
        orphaned.add(orphan(15, 0, 4));
        let held: Vec<_> = orphaned.iter().map(|it| (it.instance.0, it.samples.count)).collect();
        assert_eq!(held, [(12, 3), (13, 3), (14, 3), (16, 3), (17, 3), (18, 3), (19, 3), (15, 4)]);

        // Random figures, which do not compress.
        let mut seed = 7u64;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed >> 1
        });
        let noise: Vec<u64> = noise.take(4096).collect();
        for instance in 0..20 {
            let long = samples_of(&recording(instance, 0, noise.iter().copied())).unwrap();
            assert!(
                long.samples.data.len() <= MAX_BYTES && long.samples.count >= 512,
                "{}",
                long.samples.count
            );
            assert_eq!(long.samples.first + long.samples.count, 4096, "the newest");
            orphaned.add(long);
        }
        assert!(orphaned.bytes() <= MAX_BYTES_TOTAL && orphaned.iter().count() >= 2);
        let text = orphaned.to_text();
        assert!(text.len() <= MAX_TEXT_BYTES, "{}", text.len());
        assert_eq!(OrphanedSamples::parse(&text), orphaned);
        assert_eq!(
            OrphanedSamples::parse(&format!("{{\nx\n{text}{{}}")),
            orphaned,
            "invalid lines are skipped"
        );
    }
}
