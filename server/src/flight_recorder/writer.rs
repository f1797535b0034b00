//! Writing.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use heapbeat_shared::event::Event;
use heapbeat_shared::{Bytes, Pressure, Sample};
use serde::Serialize;

use super::layout::{EVENTS, HEAD, LOOK, MAGIC, ROUTES, SAMPLES, TextField, seal};
use super::map::MappedFile;
use super::sample_record::{LastSample, SampleRecord, SampleSlot};
use super::{RecordedNote, RecordingHeader};

/// Most bytes of a stack in a note.
const LONGEST_STACK: usize = 4096;

/// Most bytes of a note's text.
const LONGEST_TEXT: usize = 300;

/// Where a route's label begins behind its counter, and how long it can be.
pub(super) const LABEL: usize = 5;
pub(super) const LONGEST_LABEL: usize = 59;

/// Writes what happens into its places.
#[derive(Debug)]
pub(crate) struct FlightRecorder {
    map: MappedFile,
    looks: AtomicU32,
    events: AtomicUsize,
}

impl FlightRecorder {
    /// Into a file that a shelf made.
    pub(super) fn begin(file: &File, head: &RecordingHeader) -> io::Result<Self> {
        let recorder = FlightRecorder {
            map: MappedFile::of(file)?,
            looks: AtomicU32::new(0),
            events: AtomicUsize::new(0),
        };
        recorder.map.store(0, &MAGIC);
        recorder.json(HEAD, head);
        Ok(recorder)
    }

    /// A look at memory, on the sampler's way: nothing is allocated for it. What the history keeps of a second has the place
    /// of its number, so that near the limit, with many looks a second, the ring still holds as many seconds; any other look
    /// is the last one until the next.
    pub(crate) fn sample(&self, sample: &Sample, seat: SampleSlot, pressure: Pressure, limit: Bytes) {
        let number = self.looks.fetch_add(1, Ordering::Relaxed);
        let place = if seat.highest { SAMPLES.place_of(seat.sequence) } else { LOOK };
        let last = LastSample { sample: *sample, pressure, limit };
        self.map.store(place.at, &SampleRecord { number, sequence: seat.sequence, last }.to_record());
    }

    /// A look that no history numbers: each has a place of its own.
    pub(crate) fn sample_alone(&self, sample: &Sample, pressure: Pressure, limit: Bytes) {
        let sequence = self.looks.load(Ordering::Relaxed).into();
        self.sample(sample, SampleSlot { sequence, highest: true }, pressure, limit);
    }

    pub(super) fn event(&self, event: &Event) {
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        self.json(EVENTS.place(number), &(number, event));
    }

    pub(super) fn note(&self, field: TextField, note: &RecordedNote) {
        let cut = |text: &str, longest: usize| text[..text.floor_char_boundary(longest)].to_owned();
        let note = RecordedNote {
            at: note.at,
            text: cut(&note.text, LONGEST_TEXT),
            stack: cut(&note.stack, LONGEST_STACK),
        };
        self.json(field, &note);
    }

    pub(super) fn enter<'a>(&self, tag: usize, label: impl FnOnce() -> &'a str) {
        let place = ROUTES.place(tag).at;
        if self.map.byte(place + 4) == 0 {
            let label = label();
            let label = &label[..label.floor_char_boundary(LONGEST_LABEL)];
            self.map.store(place + LABEL, label.as_bytes());
            self.map.store(place + 4, &[u8::try_from(label.len()).unwrap_or(0)]);
        }
        self.map.counter(place).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self, tag: usize) {
        self.map.counter(ROUTES.place(tag).at).fetch_sub(1, Ordering::Relaxed);
    }

    fn json(&self, field: TextField, value: &impl Serialize) {
        if let Ok(payload) = serde_json::to_vec(value) {
            self.put(field, &payload);
        }
    }

    /// The checksum goes first, as nothing matches it until the rest is there as well.
    fn put(&self, field: TextField, payload: &[u8]) {
        if let Some(record) = seal(payload, field) {
            self.map.store(field.at, &record);
        }
    }
}
