//! The last samples of instances that are gone, for whoever has read one of them up to some sample and asks for the rest.

use std::collections::VecDeque;

use heapbeat_shared::Cursor;
use heapbeat_shared::report::{Block, LastSamples};

use super::Recording;

/// Most instances: in a crash loop several may end between two questions.
const MOST: usize = 8;

/// Most bytes of one instance's samples, encoded: some 2 kB are usual, and the line to a worker holds this in base 64.
const LONGEST: usize = 20 << 10;

/// Most bytes of all together: what a socket takes before its worker has begun to read.
const LONGEST_TOGETHER: usize = 48 << 10;

/// Most bytes of [`OrphanedSamples::to_text`].
pub(super) const LONGEST_TEXT: usize = LONGEST_TOGETHER / 3 * 4 + MOST * 256;

/// What is left of the instances that ended last, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OrphanedSamples(VecDeque<LastSamples>);

/// What a story holds of its instance's samples; nothing where it is not known whose they are.
pub(super) fn of(story: &Recording) -> Option<LastSamples> {
    let instance = story.head.as_ref()?.instance;
    let mut series = story.samples.clone();
    loop {
        let samples = Block::of(&series, 0);
        if samples.count == 0 {
            return None;
        }
        if samples.data.len() <= LONGEST {
            return Some(LastSamples { instance, samples });
        }
        // Noise of the worst kind: the newer half.
        series.skip(series.samples.len().div_ceil(2));
    }
}

impl OrphanedSamples {
    /// Adds those of one more instance.
    pub(crate) fn add(&mut self, more: LastSamples) {
        self.0.retain(|it| it.instance != more.instance);
        self.0.push_back(more);
        while self.0.len() > MOST || self.bytes() > LONGEST_TOGETHER {
            self.0.pop_front();
        }
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &LastSamples> {
        self.0.iter()
    }

    /// What came after the cursor in its instance; nothing where that is another, or there is nothing more.
    pub(crate) fn after(&self, cursor: Cursor) -> Option<LastSamples> {
        let held = self.0.iter().find(|it| it.instance == cursor.instance)?;
        let mut series = held.samples.series().ok()?;
        let lost = series.keep_after(cursor.sequence);
        (!series.samples.is_empty())
            .then(|| LastSamples { instance: held.instance, samples: Block::of(&series, lost) })
    }

    /// A line each.
    pub(super) fn to_text(&self) -> String {
        self.0.iter().filter_map(|it| serde_json::to_string(it).ok()).map(|line| line + "\n").collect()
    }

    /// Reads such lines; one that is something else is passed over.
    pub(super) fn parse(text: &str) -> Self {
        let mut remnants = OrphanedSamples::default();
        text.lines().filter_map(read_line).for_each(|it| remnants.add(it));
        remnants
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|it| it.samples.data.len()).sum()
    }
}

fn read_line(line: &str) -> Option<LastSamples> {
    serde_json::from_str::<LastSamples>(line).ok().filter(fits_one_message)
}

/// Whether the samples are no more than one instance's are when they are written.
pub(crate) fn fits_one_message(samples: &LastSamples) -> bool {
    samples.samples.data.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::series;
    use heapbeat_shared::series::Series;
    use heapbeat_shared::{Bytes, InstanceId, Sample, UnixMillis};

    use super::*;
    use crate::flight_recorder::RecordingHeader;

    fn story(instance: u64, first: u64, samples: impl IntoIterator<Item = u64>) -> Recording {
        let head = RecordingHeader {
            instance: InstanceId(instance),
            version: String::new(),
            started: UnixMillis(0),
            boot: String::new(),
        };
        let sample =
            |(at, rss): (i64, u64)| Sample { at: UnixMillis(at), rss: Bytes(rss), ..Sample::default() };
        let samples = (0..).zip(samples).map(sample).collect();
        Recording { head: Some(head), samples: Series { first, samples }, ..Recording::default() }
    }

    fn remnant(instance: u64, first: u64, count: u64) -> LastSamples {
        of(&story(instance, first, (first..first + count).map(|n| n * series::PAGE))).unwrap()
    }

    /// First number, count, lost, and the figures in pages.
    fn after(remnants: &OrphanedSamples, instance: u64, sequence: u64) -> Option<(u64, u64, u64, Vec<u64>)> {
        let told = remnants.after(Cursor { instance: InstanceId(instance), sequence })?;
        assert_eq!(told.instance, InstanceId(instance));
        let series = told.samples.series().unwrap();
        let pages = series.samples.iter().map(|sample| sample.rss.0 / series::PAGE).collect();
        Some((told.samples.first, told.samples.count, told.samples.lost, pages))
    }

    #[test]
    fn a_cursor_gets_what_its_own_instance_took_after_it() {
        let mut remnants = OrphanedSamples::default();
        remnants.add(remnant(1, 100, 4));
        remnants.add(remnant(2, 0, 2));
        let cases = [
            ("in the middle", (1, 101), Some((102, 2, 0, vec![102, 103]))),
            ("right before", (1, 99), Some((100, 4, 0, vec![100, 101, 102, 103]))),
            ("longer ago", (1, 90), Some((100, 4, 9, vec![100, 101, 102, 103]))),
            ("all of it", (1, 103), None),
            ("more than there is", (1, u64::MAX), None),
            ("the other", (2, 0), Some((1, 1, 0, vec![1]))),
            ("one that nobody knows", (3, 0), None),
        ];
        for (name, (instance, sequence), expected) in cases {
            assert_eq!(after(&remnants, instance, sequence), expected, "{name}");
        }
    }

    #[test]
    fn a_story_without_a_head_or_without_samples_leaves_nothing() {
        assert_eq!(of(&Recording { head: None, ..story(1, 0, [5]) }), None);
        assert_eq!(of(&story(1, 7, [])), None);
    }

    #[test]
    fn they_are_few_and_short_whatever_happens() {
        let mut remnants = OrphanedSamples::default();
        for instance in 0..20 {
            remnants.add(remnant(instance, 0, 3));
        }
        remnants.add(remnant(15, 0, 4));
        let held: Vec<_> = remnants.iter().map(|it| (it.instance.0, it.samples.count)).collect();
        assert_eq!(held, [(12, 3), (13, 3), (14, 3), (16, 3), (17, 3), (18, 3), (19, 3), (15, 4)]);

        // Figures of which nothing can be foretold.
        let mut seed = 7u64;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed >> 1
        });
        let noise: Vec<u64> = noise.take(4096).collect();
        for instance in 0..20 {
            let long = of(&story(instance, 0, noise.iter().copied())).unwrap();
            assert!(
                long.samples.data.len() <= LONGEST && long.samples.count >= 512,
                "{}",
                long.samples.count
            );
            assert_eq!(long.samples.first + long.samples.count, 4096, "the newest");
            remnants.add(long);
        }
        assert!(remnants.bytes() <= LONGEST_TOGETHER && remnants.iter().count() >= 2);
        let text = remnants.to_text();
        assert!(text.len() <= LONGEST_TEXT, "{}", text.len());
        assert_eq!(OrphanedSamples::parse(&text), remnants);
        assert_eq!(
            OrphanedSamples::parse(&format!("{{\nx\n{text}{{}}")),
            remnants,
            "what is not understood is passed over"
        );
    }
}
