//! Reading: what a process that is gone has left.

use heapbeat_shared::ending::{InFlight, MAX_IN_FLIGHT};
use heapbeat_shared::event::Event;
use heapbeat_shared::wire::{self, Wire};
use heapbeat_shared::{Bytes, Pressure, Sample, UnixMillis};

use super::layout::{
    EVENTS, FINISHED, Field, HANG, HEAD, MAGIC, Opened, PANIC, ROUTES, SAMPLES, SIZE, STOP, open,
};
use super::record::{LABEL, LONGEST_LABEL};
use super::{Head, Note};

/// Everything that could be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Story {
    pub(crate) head: Option<Head>,
    pub(crate) stopping: Option<Note>,
    pub(crate) finished: Option<Note>,
    pub(crate) panic: Option<Note>,
    pub(crate) hang: Option<Note>,
    pub(crate) last: Option<Last>,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) in_flight: Vec<InFlight>,
    /// Records that were cut in half.
    pub(crate) torn: usize,
    /// Why there is nothing at all.
    pub(crate) unreadable: Option<String>,
}

/// The last look at memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) sample: Sample,
    pub(crate) pressure: Pressure,
    pub(crate) limit: Bytes,
}

impl Story {
    /// Nothing, and why.
    pub(crate) fn unreadable(why: impl Into<String>) -> Self {
        Story { unreadable: Some(why.into()), ..Story::default() }
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
        let mut story = Story::default();
        story.head = story.json(file, HEAD);
        story.stopping = story.json(file, STOP);
        story.finished = story.json(file, FINISHED);
        story.panic = story.json(file, PANIC);
        story.hang = story.json(file, HANG);
        let mut samples: Vec<(u32, Last)> = Vec::new();
        for n in 0..SAMPLES.count {
            match open(file, SAMPLES.place(n)) {
                Opened::Empty => {}
                Opened::Torn => story.torn += 1,
                Opened::Whole(payload) => samples.extend(sample(payload)),
            }
        }
        story.last = samples.into_iter().max_by_key(|(number, _)| *number).map(|(_, last)| last);
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

    fn json<T: Wire>(&mut self, file: &[u8], field: Field) -> Option<T> {
        let read = match open(file, field) {
            Opened::Empty => return None,
            Opened::Torn => None,
            Opened::Whole(payload) => wire::parse(payload).ok(),
        };
        self.torn += usize::from(read.is_none());
        read
    }
}

fn sample(payload: &[u8]) -> Option<(u32, Last)> {
    let number = |at: usize| Some(u32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?));
    let size = |index: usize| Some(Bytes(u64::from(number(12 + index * 4)?) << 12));
    let last = Last {
        sample: Sample {
            at: UnixMillis(i64::from_le_bytes(payload.get(4..12)?.try_into().ok()?)),
            rss: size(0)?,
            heap_used: size(1)?,
            heap_total: size(2)?,
            heap_resident: size(3)?,
            working_set: size(4)?,
        },
        limit: size(5)?,
        pressure: Pressure::ALL.get(usize::from(*payload.get(36)?)).copied()?,
    };
    Some((number(0)?, last))
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
