//! Reading: what a process that is gone has left.

use heapbeat_shared::UnixMillis;
use heapbeat_shared::event::Event;
use heapbeat_shared::exit::{InFlight, MAX_IN_FLIGHT};
use heapbeat_shared::series::Series;

use super::layout::{
    EVENTS, FINISHED, HANG, HEAD, LOOK, MAGIC, OpenedLayout, PANIC, ROUTES, SAMPLES, SIZE, STOP, TextField,
    open,
};
use super::sample_record::{LastSample, SampleRecord};
use super::writer::{LABEL, LONGEST_LABEL};
use super::{RecordedNote, RecordingHeader};

/// Everything that could be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recording {
    pub(crate) head: Option<RecordingHeader>,
    pub(crate) stopping: Option<RecordedNote>,
    pub(crate) finished: Option<RecordedNote>,
    pub(crate) panic: Option<RecordedNote>,
    pub(crate) hang: Option<RecordedNote>,
    /// The last look at memory.
    pub(crate) last: Option<LastSample>,
    /// The samples that the history kept or was about to, the last one included.
    pub(crate) samples: Series,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) in_flight: Vec<InFlight>,
    /// Records that were cut in half.
    pub(crate) torn: usize,
    /// Why there is nothing at all.
    pub(crate) unreadable: Option<String>,
}

impl Recording {
    /// Nothing, and why.
    pub(crate) fn unreadable(why: impl Into<String>) -> Self {
        Recording { unreadable: Some(why.into()), ..Recording::default() }
    }

    /// Reads a file. Whatever is in it, this ends in bounded time and memory.
    pub(crate) fn read(file: &[u8]) -> Self {
        if file.len() != SIZE {
            return Self::unreadable(format!(
                "the flight recorder has {} bytes instead of {SIZE}",
                file.len()
            ));
        }
        if file.iter().all(|byte| *byte == 0) {
            return Self::unreadable(
                "the flight recorder is empty: the process ended before it began to record",
            );
        }
        if file[..MAGIC.len()] != MAGIC {
            return Self::unreadable("the file of the flight recorder is not one, or of another version");
        }
        let mut story = Recording::default();
        story.head = story.json(file, HEAD);
        story.stopping = story.json(file, STOP);
        story.finished = story.json(file, FINISHED);
        story.panic = story.json(file, PANIC);
        story.hang = story.json(file, HANG);
        let mut kept: Vec<SampleRecord> =
            (0..SAMPLES.count).filter_map(|n| story.look(file, SAMPLES.place(n))).collect();
        let other = story.look(file, LOOK);
        story.last = kept.iter().chain(&other).max_by_key(|look| look.number).map(|look| look.last);
        kept.sort_unstable_by_key(|look| look.sequence);
        story.samples = newest_run(&kept);
        let mut events: Vec<(usize, Event)> =
            (0..EVENTS.count).filter_map(|n| story.json(file, EVENTS.place(n))).collect();
        events.sort_by_key(|(number, _)| *number);
        story.events = events.into_iter().map(|(_, event)| event).collect();
        story.in_flight = in_flight(file);
        story
    }

    /// The last sign of life.
    pub(crate) fn last_sign(&self) -> Option<UnixMillis> {
        let notes = [&self.stopping, &self.finished, &self.panic, &self.hang].into_iter().flatten();
        let times = notes.map(|note| note.at).chain(self.last.map(|last| last.sample.at));
        times
            .chain(self.events.last().map(|event| event.at))
            .chain(self.head.as_ref().map(|it| it.started))
            .max()
    }

    fn look(&mut self, file: &[u8], field: TextField) -> Option<SampleRecord> {
        let read = match open(file, field) {
            OpenedLayout::Empty => return None,
            OpenedLayout::Torn => None,
            OpenedLayout::Whole(payload) => SampleRecord::read(payload),
        };
        self.torn += usize::from(read.is_none());
        read
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, file: &[u8], field: TextField) -> Option<T> {
        let read = match open(file, field) {
            OpenedLayout::Empty => return None,
            OpenedLayout::Torn => None,
            OpenedLayout::Whole(payload) => serde_json::from_slice(payload).ok(),
        };
        self.torn += usize::from(read.is_none());
        read
    }
}

/// Of looks in order of their seconds, the last ones without one missing.
fn newest_run(kept: &[SampleRecord]) -> Series {
    let gap = kept.windows(2).rposition(|pair| pair[0].sequence + 1 != pair[1].sequence);
    let run = &kept[gap.map_or(0, |before| before + 1)..];
    Series {
        first: run.first().map_or(0, |look| look.sequence),
        samples: run.iter().map(|look| look.last.sample).collect(),
    }
}

/// Counters have no checksum: each is one store of the processor, whole or not there.
fn in_flight(file: &[u8]) -> Vec<InFlight> {
    let mut all: Vec<InFlight> = (0..ROUTES.count)
        .filter_map(|n| {
            let place = file.get(ROUTES.place(n).at..)?.get(..ROUTES.size)?;
            let requests = u32::from_le_bytes(place[..4].try_into().ok()?);
            let length = usize::from(place[4]).min(LONGEST_LABEL);
            let route = String::from_utf8_lossy(&place[LABEL..LABEL + length]).into_owned();
            // A count below zero is a number far above any that is real.
            (requests > 0 && requests < 1 << 24).then_some(InFlight { route, requests })
        })
        .collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.requests));
    all.truncate(MAX_IN_FLIGHT);
    all
}
