//! The ledger of one monitor: which state held when, with no gap and no overlap, and nothing guessed.
//!
//! A segment is stored by its beginning alone and ends where the next one begins, so a gap or an overlap cannot be expressed. The
//! last segment ends where the result of the last probe expires ([`crate::domain::check::schedule::validity`]); later time is
//! `unobserved` until the next probe.

mod amend;

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::domain::State;
use crate::domain::history::retention;

/// The maximum number of segments of one monitor. One that flaps faster loses its oldest time: its figures
/// then begin later and say so.
pub const MAX_SEGMENTS: usize = 4096;

/// The beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The segment's first instant.
    pub from: UnixMillis,
    /// The state from then on.
    pub state: State,
}

/// A segment of time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSegment {
    /// The first instant.
    pub from: UnixMillis,
    /// The first instant after the segment; never before `from`.
    pub to: UnixMillis,
    /// The state.
    pub state: State,
}

/// For how long the result of a probe is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Validity {
    /// The instant of the probe.
    #[n(0)]
    pub at: UnixMillis,
    /// The last instant at which its result is valid; later than `at`.
    #[n(1)]
    pub until: UnixMillis,
}

/// The ledger: entries in strictly rising order, of which no two neighbors have the same state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: VecDeque<LedgerEntry>,
    validity: Option<Validity>,
}

/// The changes of a ledger, as the store writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerChanges {
    /// Entries to add, oldest first.
    pub added: Vec<LedgerEntry>,
    /// Entries that begin before this instant are to be deleted.
    pub delete_before: Option<UnixMillis>,
    /// Entries that begin at this instant or later are to be deleted before `added` is added.
    pub replace_from: Option<UnixMillis>,
}

impl LedgerChanges {
    /// Combines these changes with `later` ones of the same ledger.
    #[must_use]
    pub fn followed_by(mut self, later: LedgerChanges) -> LedgerChanges {
        if let Some(from) = later.replace_from {
            self.added.retain(|entry| entry.from < from);
        }
        self.added.extend(later.added);
        LedgerChanges {
            added: self.added,
            delete_before: later.delete_before.or(self.delete_before),
            replace_from: self.replace_from.into_iter().chain(later.replace_from).min(),
        }
    }
}

impl Ledger {
    /// Restores the ledger from what was stored. Entries that break the order are skipped.
    pub fn restore(entries: impl IntoIterator<Item = LedgerEntry>, validity: Option<Validity>) -> Self {
        let mut ledger = Ledger { entries: VecDeque::new(), validity };
        for entry in entries {
            ledger.append(entry);
        }
        ledger
    }

    /// For how long the result of the last probe is valid; `None` before the first probe.
    pub fn validity(&self) -> Option<Validity> {
        self.validity
    }

    /// Whether there is no valid result at `now`: there was no probe, or its result has expired.
    pub fn is_expired(&self, now: UnixMillis) -> bool {
        self.validity.is_none_or(|validity| now > validity.until)
    }

    /// Records the state after a probe. A probe that is not newer than the last one (a tick that was doubled, or came late)
    /// changes nothing.
    #[must_use]
    pub fn record_state(&mut self, validity: Validity, state: State) -> LedgerChanges {
        if self.validity.is_some_and(|last| validity.at <= last.at) {
            return LedgerChanges::default();
        }
        let mut changes = self.expire(validity.at);
        changes.added.extend(self.append(LedgerEntry { from: validity.at, state }));
        let until = validity.until.max(validity.at.plus(Duration::from_millis(1)));
        self.validity = Some(Validity { until, ..validity });
        changes.delete_before = self.delete_old_entries(validity.at);
        changes
    }

    /// Records that the result of the last probe has expired, if `now` is later than that.
    #[must_use]
    pub fn expire(&mut self, now: UnixMillis) -> LedgerChanges {
        let expired = self.validity.filter(|validity| now > validity.until);
        let entry = expired
            .and_then(|validity| self.append(LedgerEntry { from: validity.until, state: State::Unobserved }));
        LedgerChanges { added: entry.into_iter().collect(), ..LedgerChanges::default() }
    }

    /// Whether the monitor was up or degraded at any time that is known.
    pub fn was_up(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.state, State::Up | State::Degraded))
    }

    /// Appends an entry that is later than the last and has another state. Returns it, or `None` if it was skipped.
    fn append(&mut self, entry: LedgerEntry) -> Option<LedgerEntry> {
        let is_new =
            self.entries.back().is_none_or(|last| entry.from > last.from && entry.state != last.state);
        is_new.then(|| {
            self.entries.push_back(entry);
            entry
        })
    }

    /// Deletes entries that are too old or too many. Returns the instant at which the rest begins, if any were deleted.
    fn delete_old_entries(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        let horizon = now.minus(retention::LEDGER);
        let before = self.entries.len();
        while self.entries.len() > MAX_SEGMENTS
            || self.entries.get(1).is_some_and(|second| second.from <= horizon)
        {
            self.entries.pop_front();
        }
        let first = self.entries.front().filter(|_| self.entries.len() < before);
        first.map(|first| first.from)
    }

    /// The state at `now` and since when it holds; `None` if nothing was ever recorded.
    pub fn current_entry(&self, now: UnixMillis) -> Option<LedgerEntry> {
        let last = *self.entries.back()?;
        Some(self.expiry_entry(now).unwrap_or(last))
    }

    /// The segments up to `now`, oldest first: without gaps from the first entry to `now`, each in another state than its
    /// neighbors.
    pub fn segments(&self, now: UnixMillis) -> impl Iterator<Item = StateSegment> {
        let starts = self.entries.iter().copied().chain(self.expiry_entry(now));
        let ends = starts.clone().skip(1).map(|entry| entry.from).chain([now]);
        starts
            .zip(ends)
            .map(move |(entry, to)| StateSegment { from: entry.from, to: to.min(now), state: entry.state })
            .filter(|segment| segment.from < segment.to)
    }

    /// The entry that [`Ledger::expire`] would record at `now`.
    fn expiry_entry(&self, now: UnixMillis) -> Option<LedgerEntry> {
        let last = self.entries.back()?;
        let validity = self.validity.filter(|it| now > it.until && it.until > last.from)?;
        let entry = LedgerEntry { from: validity.until, state: State::Unobserved };
        (last.state != State::Unobserved).then_some(entry)
    }
}

#[cfg(test)]
mod tests;
