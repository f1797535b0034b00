//! Writing.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use heapbeat_shared::event::Event;
use heapbeat_shared::{Bytes, Pressure, Sample};
use serde::Serialize;

use super::layout::{EVENTS, Field, HEAD, MAGIC, ROUTES, SAMPLES, seal};
use super::map::Map;
use super::{Head, Note};

/// Most bytes of a stack in a note.
const LONGEST_STACK: usize = 4096;

/// Most bytes of a note's text.
const LONGEST_TEXT: usize = 300;

/// Where a route's label begins behind its counter, and how long it can be.
pub(super) const LABEL: usize = 5;
pub(super) const LONGEST_LABEL: usize = 59;

/// Writes what happens into its places.
#[derive(Debug)]
pub(crate) struct Recorder {
    map: Map,
    samples: AtomicUsize,
    events: AtomicUsize,
}

impl Recorder {
    /// Into a file that a shelf made.
    pub(super) fn begin(file: &File, head: &Head) -> io::Result<Self> {
        let recorder =
            Recorder { map: Map::of(file)?, samples: AtomicUsize::new(0), events: AtomicUsize::new(0) };
        recorder.map.store(0, &MAGIC);
        recorder.json(HEAD, head);
        Ok(recorder)
    }

    /// A look at memory.
    pub(crate) fn sample(&self, sample: &Sample, pressure: Pressure, limit: Bytes) {
        let number = self.samples.fetch_add(1, Ordering::Relaxed);
        let mut payload = Vec::with_capacity(56);
        payload.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        payload.extend_from_slice(&sample.at.0.to_le_bytes());
        // In pages of 4 kB, so that all of it fits one cache line.
        for bytes in
            [sample.rss, sample.heap_used, sample.heap_total, sample.heap_resident, sample.working_set]
        {
            payload.extend_from_slice(&pages(bytes).to_le_bytes());
        }
        payload.extend_from_slice(&pages(limit).to_le_bytes());
        payload.push(pressure as u8);
        self.put(SAMPLES.place(number), &payload);
    }

    pub(super) fn event(&self, event: &Event) {
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        self.json(EVENTS.place(number), &(number, event));
    }

    pub(super) fn note(&self, field: Field, note: &Note) {
        let cut = |text: &str, longest: usize| text[..text.floor_char_boundary(longest)].to_owned();
        let note =
            Note { at: note.at, text: cut(&note.text, LONGEST_TEXT), stack: cut(&note.stack, LONGEST_STACK) };
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

    fn json(&self, field: Field, value: &impl Serialize) {
        if let Ok(payload) = serde_json::to_vec(value) {
            self.put(field, &payload);
        }
    }

    /// The checksum goes first, as nothing matches it until the rest is there as well.
    fn put(&self, field: Field, payload: &[u8]) {
        if let Some(record) = seal(payload, field) {
            self.map.store(field.at, &record);
        }
    }
}

fn pages(bytes: Bytes) -> u32 {
    u32::try_from(bytes.0 >> 12).unwrap_or(u32::MAX)
}
