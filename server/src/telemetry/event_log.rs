//! The latest events, for the report.
//!
//! Any thread records events; the report reads them. The list is bounded: a new event displaces the oldest one. A storm of panics
//! displaces panics only, so that the changes of pressure remain.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use heapbeat_shared::UnixMillis;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::MAX_EVENTS;

/// Maximum number of panics among the events.
const MAX_PANICS: usize = 16;

/// The last [`MAX_EVENTS`] events.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    events: Mutex<VecDeque<Event>>,
}

impl EventLog {
    /// Records an event.
    pub(crate) fn record(&self, at: UnixMillis, kind: EventKind) {
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

    /// Returns the events, oldest first.
    pub(crate) fn latest_events(&self) -> Vec<Event> {
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
    fn a_new_event_displaces_the_oldest() {
        let event_log = EventLog::default();
        for at in 0..100 {
            event_log.record(UnixMillis(at), EventKind::Shutdown);
        }
        let report: Vec<i64> = event_log.latest_events().iter().map(|event| event.at.0).collect();
        assert_eq!(report, (36..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_storm_of_panics_displaces_only_panics() {
        let event_log = EventLog::default();
        event_log.record(UnixMillis(0), EventKind::Started);
        for number in 0..1000 {
            event_log.record(UnixMillis(1), panic(number));
        }
        event_log.record(UnixMillis(2), EventKind::Shutdown);
        let kinds: Vec<EventKind> = event_log.latest_events().into_iter().map(|event| event.kind).collect();
        let expected =
            std::iter::once(EventKind::Started).chain((984..1000).map(panic)).chain([EventKind::Shutdown]);
        assert_eq!(kinds, expected.collect::<Vec<_>>());
    }
}
