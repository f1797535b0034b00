//! The reader of the recording of a process that has ended.

use heapbeat_shared::UnixMillis;
use heapbeat_shared::event::Event;
use heapbeat_shared::exit::{InFlight, MAX_IN_FLIGHT};
use heapbeat_shared::series::Series;

use super::layout::{
    EVENTS, FINISHED, HANG, HEAD, LATEST, MAGIC, PANIC, ROUTES, RecordField, RecordSeal, RecordState,
    SAMPLES, SIZE, STOP,
};
use super::sample_record::{LastSample, SampleRecord};
use super::writer::{LABEL, MAX_LABEL_BYTES};
use super::{RecordedNote, RecordingHeader};

/// A file, and what its checksums depend on.
#[derive(Clone, Copy)]
struct SealedFile<'f> {
    bytes: &'f [u8],
    seal: RecordSeal,
}

/// The content of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recording {
    pub(crate) header: Option<RecordingHeader>,
    pub(crate) stopping: Option<RecordedNote>,
    pub(crate) finished: Option<RecordedNote>,
    pub(crate) panic: Option<RecordedNote>,
    pub(crate) hang: Option<RecordedNote>,
    /// The last sample.
    pub(crate) last: Option<LastSample>,
    /// The samples that the history kept or was about to keep, the last one included.
    pub(crate) samples: Series,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) in_flight: Vec<InFlight>,
    /// Number of incomplete records.
    pub(crate) torn: usize,
    /// Why nothing could be read.
    pub(crate) unreadable: Option<String>,
}

impl Recording {
    /// Creates an empty recording with the reason.
    pub(crate) fn unreadable(why: impl Into<String>) -> Self {
        Recording { unreadable: Some(why.into()), ..Recording::default() }
    }

    /// Reads a file, in bounded time and memory whatever its content.
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
            return Self::unreadable("the file is not a flight recorder, or of another version");
        }
        let mut recording = Recording::default();
        let file = SealedFile { bytes: file, seal: RecordSeal::read(file) };
        recording.header = recording.read_json(file, HEAD);
        recording.stopping = recording.read_json(file, STOP);
        recording.finished = recording.read_json(file, FINISHED);
        recording.panic = recording.read_json(file, PANIC);
        recording.hang = recording.read_json(file, HANG);
        let mut kept: Vec<SampleRecord> =
            (0..SAMPLES.count).filter_map(|n| recording.read_sample(file, SAMPLES.place(n))).collect();
        let other = recording.read_sample(file, LATEST);
        recording.last =
            kept.iter().chain(&other).max_by_key(|record| record.number).map(|record| record.last);
        kept.sort_unstable_by_key(|record| record.sequence);
        recording.samples = newest_run(&kept);
        let mut events: Vec<(usize, Event)> =
            (0..EVENTS.count).filter_map(|n| recording.read_json(file, EVENTS.place(n))).collect();
        events.sort_by_key(|(number, _)| *number);
        recording.events = events.into_iter().map(|(_, event)| event).collect();
        recording.in_flight = in_flight(file.bytes);
        recording
    }

    /// Returns the time of the last record.
    pub(crate) fn last_activity(&self) -> Option<UnixMillis> {
        let notes = [&self.stopping, &self.finished, &self.panic, &self.hang].into_iter().flatten();
        let times = notes.map(|note| note.at).chain(self.last.map(|last| last.sample.at));
        times
            .chain(self.events.last().map(|event| event.at))
            .chain(self.header.as_ref().map(|it| it.started))
            .max()
    }

    fn read_sample(&mut self, file: SealedFile, field: RecordField) -> Option<SampleRecord> {
        let read = match file.seal.open(file.bytes, field) {
            RecordState::Empty => return None,
            RecordState::Torn => None,
            RecordState::Whole(payload) => SampleRecord::read(payload),
        };
        self.torn += usize::from(read.is_none());
        read
    }

    fn read_json<T: serde::de::DeserializeOwned>(
        &mut self,
        file: SealedFile,
        field: RecordField,
    ) -> Option<T> {
        let read = match file.seal.open(file.bytes, field) {
            RecordState::Empty => return None,
            RecordState::Torn => None,
            RecordState::Whole(payload) => serde_json::from_slice(payload).ok(),
        };
        self.torn += usize::from(read.is_none());
        read
    }
}

/// Returns the last samples without a gap; `kept` is ordered by sequence number.
fn newest_run(kept: &[SampleRecord]) -> Series {
    let gap = kept.windows(2).rposition(|pair| pair[0].sequence + 1 != pair[1].sequence);
    let run = &kept[gap.map_or(0, |before| before + 1)..];
    Series {
        first: run.first().map_or(0, |record| record.sequence),
        samples: run.iter().map(|record| record.last.sample).collect(),
    }
}

/// Reads the counters, which need no checksum as each is written by a single store.
fn in_flight(file: &[u8]) -> Vec<InFlight> {
    let mut all: Vec<InFlight> = (0..ROUTES.count)
        .filter_map(|n| {
            let place = file.get(ROUTES.place(n).at..)?.get(..ROUTES.size)?;
            let requests = u32::from_le_bytes(place[..4].try_into().ok()?);
            let length = usize::from(place[4]).min(MAX_LABEL_BYTES);
            // A label is written before its length, and has no control characters.
            let route = str::from_utf8(&place[LABEL..LABEL + length]).ok()?;
            let is_label = !route.is_empty() && !route.contains(char::is_control);
            // A count below zero is a number far above any that is real.
            (is_label && requests > 0 && requests < 1 << 24)
                .then(|| InFlight { route: route.to_owned(), requests })
        })
        .collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.requests));
    all.truncate(MAX_IN_FLIGHT);
    all
}
