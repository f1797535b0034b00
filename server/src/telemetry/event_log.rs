//! What happened lately, in order: the events of the report.
//!
//! Written from anywhere (the sampler, a handler that panicked, the end), read by the report. A bounded list: the oldest
//! event makes room, and a storm of panics takes the place of other panics only, so that it cannot push out how the
//! ladder was climbed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use heapbeat_shared::UnixMillis;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::MAX_EVENTS;

/// Most panics among the events.
const MAX_PANICS: usize = 16;

/// The last [`MAX_EVENTS`] events.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    events: Mutex<VecDeque<Event>>,
}

impl EventLog {
    /// Notes that `kind` happened `at` this instant.
    pub(crate) fn note(&self, at: UnixMillis, kind: EventKind) {
        let mut events = self.events();
        let panic = matches!(kind, EventKind::Panic { .. });
        let panics = || events.iter().filter(|event| matches!(event.kind, EventKind::Panic { .. })).count();
        if panic && panics() >= MAX_PANICS {
            if let Some(oldest) =
                events.iter().position(|event| matches!(event.kind, EventKind::Panic { .. }))
            {
                events.remove(oldest);
            }
        } else if events.len() >= MAX_EVENTS {
            events.pop_front();
        }
        events.push_back(Event { at, kind });
    }

    /// All of them, oldest first.
    pub(crate) fn latest(&self) -> Vec<Event> {
        self.events().iter().cloned().collect()
    }

    fn events(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic(number: usize) -> EventKind {
        EventKind::Panic { message: number.to_string() }
    }

    #[test]
    fn the_oldest_makes_room() {
        let journal = EventLog::default();
        for at in 0..100 {
            journal.note(UnixMillis(at), EventKind::Leave);
        }
        let told: Vec<i64> = journal.latest().iter().map(|event| event.at.0).collect();
        assert_eq!(told, (36..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_storm_of_panics_pushes_out_only_panics() {
        let journal = EventLog::default();
        journal.note(UnixMillis(0), EventKind::Started);
        for number in 0..1000 {
            journal.note(UnixMillis(1), panic(number));
        }
        journal.note(UnixMillis(2), EventKind::Leave);
        let kinds: Vec<EventKind> = journal.latest().into_iter().map(|event| event.kind).collect();
        let expected =
            std::iter::once(EventKind::Started).chain((984..1000).map(panic)).chain([EventKind::Leave]);
        assert_eq!(kinds, expected.collect::<Vec<_>>());
    }
}
