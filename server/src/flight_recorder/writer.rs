//! The writer of the recording process.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use heapbeat_shared::event::Event;
use heapbeat_shared::{Bytes, Pressure, Sample};
use serde::Serialize;

use super::layout::{EVENTS, HEAD, LATEST, MAGIC, ROUTES, RecordField, RecordSeal, SAMPLES, SEALS};
use super::map::MappedFile;
use super::sample_record::{LastSample, SampleRecord, SampleSlot};
use super::{RecordedNote, RecordingHeader};

/// Maximum length of a stack in a note.
const MAX_STACK_BYTES: usize = 4096;

/// Maximum length of a note's text.
const MAX_TEXT_BYTES: usize = 300;

/// Offset of a route's label behind its counter, and its maximum length.
pub(super) const LABEL: usize = 5;
pub(super) const MAX_LABEL_BYTES: usize = 59;

/// Writes records into their places.
#[derive(Debug)]
pub(crate) struct FlightRecorder {
    map: MappedFile,
    seal: RecordSeal,
    readings: AtomicU32,
    events: AtomicUsize,
}

impl FlightRecorder {
    /// Creates a recorder on a file that a recorder directory created.
    pub(super) fn create(file: &File, header: &RecordingHeader) -> io::Result<Self> {
        let recorder = FlightRecorder {
            map: MappedFile::of(file)?,
            seal: RecordSeal::of(header.instance),
            readings: AtomicU32::new(0),
            events: AtomicUsize::new(0),
        };
        recorder.map.store(0, &MAGIC);
        for at in SEALS {
            recorder.map.store(at, &recorder.seal.to_bytes());
        }
        recorder.write_json(HEAD, header);
        Ok(recorder)
    }

    /// Records a sample without allocating. The sample that the history keeps of a second is stored at the place of its number, so the
    /// ring holds the same number of seconds even if there are many samples a second. Other samples overwrite each other.
    pub(crate) fn sample(&self, sample: &Sample, slot: SampleSlot, pressure: Pressure, limit: Bytes) {
        let number = self.readings.fetch_add(1, Ordering::Relaxed);
        let place = if slot.highest { SAMPLES.place_of(slot.sequence) } else { LATEST };
        let last = LastSample { sample: *sample, pressure, limit };
        let record = SampleRecord { number, sequence: slot.sequence, last }.to_record(self.seal, place);
        self.map.store(place.at, &record);
    }

    pub(super) fn event(&self, event: &Event) {
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        self.write_json(EVENTS.place(number), &(number, event));
    }

    pub(super) fn note(&self, field: RecordField, note: &RecordedNote) {
        let cut = |text: &str, longest: usize| text[..text.floor_char_boundary(longest)].to_owned();
        let note = RecordedNote {
            at: note.at,
            text: cut(&note.text, MAX_TEXT_BYTES),
            stack: cut(&note.stack, MAX_STACK_BYTES),
        };
        self.write_json(field, &note);
    }

    pub(super) fn request_started<'a>(&self, tag: usize, label: impl FnOnce() -> &'a str) {
        let place = ROUTES.place(tag).at;
        if self.map.byte(place + 4) == 0 {
            let label = label();
            let label = &label[..label.floor_char_boundary(MAX_LABEL_BYTES)];
            self.map.store(place + LABEL, label.as_bytes());
            self.map.store(place + 4, &[u8::try_from(label.len()).unwrap_or(0)]);
        }
        self.map.counter(place).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request_ended(&self, tag: usize) {
        self.map.counter(ROUTES.place(tag).at).fetch_sub(1, Ordering::Relaxed);
    }

    fn write_json(&self, field: RecordField, value: &impl Serialize) {
        if let Ok(payload) = serde_json::to_vec(value) {
            self.write_record(field, &payload);
        }
    }

    /// Stores the record, checksum first: it does not match until the rest is stored as well.
    fn write_record(&self, field: RecordField, payload: &[u8]) {
        if let Some(record) = self.seal.seal(payload, field) {
            self.map.store(field.at, &record);
        }
    }
}
