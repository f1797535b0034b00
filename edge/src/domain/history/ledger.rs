//! Which state held when, with no gap and no overlap, and nothing guessed.
//!
//! A segment is written down by its beginning alone and ends where the next one begins, so a hole or an
//! overlap cannot be expressed. The last segment ends where its last probe stops vouching for it: a probe
//! speaks for the time until the next one is due and a tolerance ([`crate::domain::check::schedule::vouching`]), and what is
//! later than that is `unobserved` until somebody looks again.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::domain::State;

/// How far back the ledger reaches; the longest window that is shown is 90 days.
pub const KEPT: Duration = Duration::from_secs(91 * 86_400);

/// Most segments kept for one monitor. One that flaps faster loses its oldest time, which then counts as not
/// observed: coverage falls, no figure is made up.
pub const MOST_SEGMENTS: usize = 4096;

/// The beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// From when, inclusive.
    pub from: UnixMillis,
    /// What held from then on.
    pub state: State,
}

/// A stretch of time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSegment {
    /// From when, inclusive.
    pub from: UnixMillis,
    /// Until when, exclusive; never before `from`.
    pub to: UnixMillis,
    /// What held.
    pub state: State,
}

/// The last probe's word: when it was given, and until when it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Validity {
    /// The instant of the probe.
    #[n(0)]
    pub at: UnixMillis,
    /// The end of the time it vouches for; later than `at`.
    #[n(1)]
    pub until: UnixMillis,
}

/// One monitor's ledger: entries in strictly rising order, two neighbours never in the same state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: VecDeque<LedgerEntry>,
    word: Option<Validity>,
}

/// What a change asks the store to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerChanges {
    /// Entries to add, oldest first.
    pub added: Vec<LedgerEntry>,
    /// Entries that begin before this instant are to be deleted.
    pub forget_before: Option<UnixMillis>,
    /// Entries that begin at this instant or later are to be deleted before `added` is added.
    pub redo_from: Option<UnixMillis>,
}

impl LedgerChanges {
    /// These changes, and `later` ones to the same ledger.
    #[must_use]
    pub fn and(mut self, later: LedgerChanges) -> LedgerChanges {
        if let Some(from) = later.redo_from {
            self.added.retain(|entry| entry.from < from);
        }
        self.added.extend(later.added);
        LedgerChanges {
            added: self.added,
            forget_before: later.forget_before.or(self.forget_before),
            redo_from: self.redo_from.into_iter().chain(later.redo_from).min(),
        }
    }
}

impl Ledger {
    /// The ledger as it was stored. Entries that break the order are skipped.
    pub fn restore(entries: impl IntoIterator<Item = LedgerEntry>, word: Option<Validity>) -> Self {
        let mut ledger = Ledger { entries: VecDeque::new(), word };
        for entry in entries {
            ledger.push(entry);
        }
        ledger
    }

    /// The last probe's word; `None` before the first probe.
    pub fn word(&self) -> Option<Validity> {
        self.word
    }

    /// Whether nobody has looked for some time at `now`: never, or the last word has run out.
    pub fn lapsed(&self, now: UnixMillis) -> bool {
        self.word.is_none_or(|word| now > word.until)
    }

    /// Books that a probe left the monitor in `state`. A word that is not newer than the last one (a tick
    /// that was doubled, or came late behind another) changes nothing.
    #[must_use]
    pub fn record(&mut self, word: Validity, state: State) -> LedgerChanges {
        if self.word.is_some_and(|last| word.at <= last.at) {
            return LedgerChanges::default();
        }
        let mut changes = self.lapse(word.at);
        changes.added.extend(self.push(LedgerEntry { from: word.at, state }));
        self.word = Some(Validity { until: word.until.max(word.at.plus(Duration::from_millis(1))), ..word });
        changes.forget_before = self.forget(word.at);
        changes
    }

    /// Books the end of the last probe's word when `now` is later than that.
    #[must_use]
    pub fn lapse(&mut self, now: UnixMillis) -> LedgerChanges {
        let ended = self.word.filter(|word| now > word.until);
        let entry =
            ended.and_then(|word| self.push(LedgerEntry { from: word.until, state: State::Unobserved }));
        LedgerChanges { added: entry.into_iter().collect(), ..LedgerChanges::default() }
    }

    /// Books afterwards what was found out about a stretch of time, where it knows better than what is booked there.
    /// Nothing is booked before the ledger begins, or from the last probe on.
    #[must_use]
    pub fn amend(&mut self, found: StateSegment) -> LedgerChanges {
        let Some(word) = self.word else { return LedgerChanges::default() };
        let from = self.entries.front().map_or(word.at, |first| first.from.max(found.from));
        let to = found.to.min(word.at);
        if from >= to {
            return LedgerChanges::default();
        }
        let old: Vec<StateSegment> = self.segments(word.at.plus(Duration::from_millis(1))).collect();
        let begins = self.entries.partition_point(|entry| entry.from < from);
        let before: Vec<LedgerEntry> = self.entries.iter().skip(begins).copied().collect();
        self.entries.truncate(begins);
        for segment in old.into_iter().filter(|segment| segment.to > from) {
            let better = segment.from < to && knows_better(found.state, segment.state);
            let state = if better { found.state } else { segment.state };
            let pieces = [(segment.from.max(from), state), (to, segment.state)];
            for (begin, state) in pieces {
                if begin >= segment.from && begin < segment.to {
                    self.push(LedgerEntry { from: begin, state });
                }
            }
        }
        let added: Vec<LedgerEntry> = self.entries.iter().skip(begins).copied().collect();
        if added == before {
            return LedgerChanges::default();
        }
        LedgerChanges { added, redo_from: Some(from), forget_before: None }
    }

    /// Appends `entry` where it says something new, and returns it then.
    fn push(&mut self, entry: LedgerEntry) -> Option<LedgerEntry> {
        let new = self.entries.back().is_none_or(|last| entry.from > last.from && entry.state != last.state);
        new.then(|| {
            self.entries.push_back(entry);
            entry
        })
    }

    /// Drops what ended before the horizon, and what is too much; says from where on the rest begins.
    fn forget(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        let horizon = now.minus(KEPT);
        let before = self.entries.len();
        while self.entries.len() > MOST_SEGMENTS
            || self.entries.get(1).is_some_and(|second| second.from <= horizon)
        {
            self.entries.pop_front();
        }
        let first = self.entries.front().filter(|_| self.entries.len() < before);
        first.map(|first| first.from)
    }

    /// What holds at `now` and since when; `None` when nothing was ever booked.
    pub fn current(&self, now: UnixMillis) -> Option<LedgerEntry> {
        let last = *self.entries.back()?;
        Some(self.ending(now).unwrap_or(last))
    }

    /// The segments up to `now`, oldest first: gapless from the first entry to `now`, each in another state
    /// than its neighbour.
    pub fn segments(&self, now: UnixMillis) -> impl Iterator<Item = StateSegment> {
        let starts = self.entries.iter().copied().chain(self.ending(now));
        let ends = starts.clone().skip(1).map(|entry| entry.from).chain([now]);
        starts
            .zip(ends)
            .map(move |(entry, to)| StateSegment { from: entry.from, to: to.min(now), state: entry.state })
            .filter(|segment| segment.from < segment.to)
    }

    /// The entry that [`Ledger::lapse`] would book at `now`.
    fn ending(&self, now: UnixMillis) -> Option<LedgerEntry> {
        let last = self.entries.back()?;
        let word = self.word.filter(|word| now > word.until && word.until > last.from)?;
        (last.state != State::Unobserved)
            .then_some(LedgerEntry { from: word.until, state: State::Unobserved })
    }
}

/// Whether `found` may stand where `booked` does: a death that is proven where it was up or nobody looked; that nobody
/// knows, where it was taken to be up. What was announced, and what a probe found down, stays.
fn knows_better(found: State, booked: State) -> bool {
    let served = matches!(booked, State::Up | State::Degraded);
    served || found == State::Down && booked == State::Unobserved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> UnixMillis {
        UnixMillis(second * 1000)
    }

    fn word(from: i64, until: i64) -> Validity {
        Validity { at: at(from), until: at(until) }
    }

    /// `(from, to, state)` in seconds.
    fn seen(ledger: &Ledger, now: i64) -> Vec<(i64, i64, State)> {
        ledger.segments(at(now)).map(|s| (s.from.0 / 1000, s.to.0 / 1000, s.state)).collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_probe() {
        let ledger = Ledger::default();
        assert_eq!(seen(&ledger, 1000), []);
        assert_eq!(ledger.current(at(1000)), None);
        assert!(ledger.lapsed(at(0)));
    }

    #[test]
    fn a_missed_tick_is_booked_as_not_observed_and_as_nothing_else() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.record(word(0, 90), State::Up).added,
            [LedgerEntry { from: at(0), state: State::Up }]
        );
        assert_eq!(ledger.record(word(60, 150), State::Up), LedgerChanges::default());
        let changes = ledger.record(word(300, 390), State::Down);
        assert_eq!(
            changes.added,
            [
                LedgerEntry { from: at(150), state: State::Unobserved },
                LedgerEntry { from: at(300), state: State::Down }
            ]
        );
        let expected = [(0, 150, State::Up), (150, 300, State::Unobserved), (300, 390, State::Down)];
        assert_eq!(seen(&ledger, 390), expected);
        assert_eq!(seen(&ledger, 400)[3], (390, 400, State::Unobserved));
        assert_eq!(ledger.current(at(390)), Some(LedgerEntry { from: at(300), state: State::Down }));
        assert_eq!(ledger.current(at(391)), Some(LedgerEntry { from: at(390), state: State::Unobserved }));
    }

    #[test]
    fn a_doubled_or_older_tick_changes_nothing() {
        let mut ledger = Ledger::default();
        let _ = ledger.record(word(60, 150), State::Up);
        let before = ledger.clone();
        assert_eq!(ledger.record(word(60, 500), State::Down), LedgerChanges::default());
        assert_eq!(ledger.record(word(0, 500), State::Down), LedgerChanges::default());
        assert_eq!(ledger, before);
    }

    #[test]
    fn what_is_too_old_is_forgotten_but_the_state_at_the_horizon_is_kept() {
        let mut ledger = Ledger::default();
        let day = 86_400;
        let _ = ledger.record(word(0, 200 * day), State::Up);
        let _ = ledger.record(word(day, 200 * day), State::Down);
        let changes = ledger.record(word(91 * day + day / 2, 200 * day), State::Up);
        assert_eq!(changes.forget_before, None, "the first entry still says what held at the horizon");
        let changes = ledger.record(word(93 * day, 200 * day), State::Down);
        assert_eq!(changes.forget_before, Some(at(day)));
        assert_eq!(seen(&ledger, 94 * day)[0].0, day);
    }

    #[test]
    fn a_flapping_monitor_stays_bounded() {
        let mut ledger = Ledger::default();
        for second in 0..10_000 {
            let state = if second % 2 == 0 { State::Up } else { State::Down };
            let _ = ledger.record(word(second, second + 10), state);
        }
        assert_eq!(ledger.entries.len(), MOST_SEGMENTS);
        assert_eq!(seen(&ledger, 10_000)[0].0, 10_000 - 4096);
    }

    /// What held in every second, found by looking at every probe for every second.
    fn model(probes: &[(i64, i64, State)], now: i64) -> Vec<State> {
        let mut accepted: Vec<(i64, i64, State)> = Vec::new();
        for probe in probes {
            if accepted.last().is_none_or(|last| probe.0 > last.0) {
                accepted.push(*probe);
            }
        }
        let first = accepted.first().map_or(now, |probe| probe.0);
        (first..now)
            .map(|second| {
                let last = accepted.iter().rev().find(|probe| probe.0 <= second).unwrap();
                if second < last.1 { last.2 } else { State::Unobserved }
            })
            .collect()
    }

    #[test]
    fn what_is_found_out_later_stands_where_it_knows_better() {
        use State::{Down, Maintenance, Unobserved, Up};
        let probes = [(0, 90, Up), (60, 150, Up), (300, 390, Maintenance), (360, 450, Up), (420, 510, Down)];
        let cases = [
            ("between two probes", (70, 90, Down), vec![(0, Up), (70, Down), (90, Up), (150, Unobserved)]),
            (
                "into the time in which nobody looked",
                (100, 200, Down),
                vec![(0, Up), (100, Down), (200, Unobserved)],
            ),
            ("nobody knows", (100, 200, Unobserved), vec![(0, Up), (100, Unobserved)]),
            ("all of it", (-50, 300, Down), vec![(0, Down)]),
            (
                "what was announced stays",
                (290, 370, Down),
                vec![(0, Up), (150, Unobserved), (290, Down), (300, Maintenance), (360, Down), (370, Up)],
            ),
        ];
        for (name, (from, to, state), expected) in cases {
            let (mut ledger, mut stored) = (Ledger::default(), Vec::new());
            for (from, until, state) in probes {
                stored.extend(ledger.record(word(from, until), state).added);
            }
            let changes = ledger.amend(StateSegment { from: at(from), to: at(to), state });
            if let Some(from) = changes.redo_from {
                stored.retain(|entry| entry.from < from);
            }
            stored.extend(changes.added);
            let begins: Vec<_> = ledger.entries.iter().map(|e| (e.from.0 / 1000, e.state)).collect();
            assert_eq!(begins[..expected.len()], expected, "{name}");
            assert_eq!(begins.last(), Some(&(420, Down)), "{name}: the last probe's word is its own");
            assert_eq!(Ledger::restore(stored, ledger.word()), ledger, "{name}: the store has all of it");
        }
    }

    proptest! {
        #[test]
        fn an_amended_second_is_what_was_found_and_every_other_what_it_was(
            probes in proptest::collection::vec((1i64..90, 1i64..60, 0usize..6), 1..20),
            (from, length, down) in (0i64..900, 1i64..200, any::<bool>()),
        ) {
            let found = if down { State::Down } else { State::Unobserved };
            let (mut ledger, mut stored, mut clock) = (Ledger::default(), Vec::new(), 0);
            for (wait, vouches, state) in probes {
                clock += wait;
                stored.extend(ledger.record(word(clock, clock + vouches), State::ALL[state]).added);
            }
            let begin = stored[0].from.0 / 1000;
            let of = |ledger: &Ledger| -> Vec<State> {
                seen(ledger, clock + 100).iter().flat_map(|s| (s.0..s.1).map(|_| s.2)).collect()
            };
            let before = of(&ledger);
            let changes = ledger.amend(StateSegment { from: at(from), to: at(from + length), state: found });
            let expected: Vec<_> = (begin..).zip(before).map(|(second, was)| {
                let inside = second >= from && second < (from + length).min(clock);
                let yields = match was {
                    State::Up | State::Degraded => true,
                    State::Unobserved => found == State::Down,
                    _ => false,
                };
                if inside && yields { found } else { was }
            }).collect();
            prop_assert_eq!(of(&ledger), expected);
            if let Some(from) = changes.redo_from {
                stored.retain(|entry| entry.from < from);
            }
            stored.extend(changes.added);
            prop_assert_eq!(&Ledger::restore(stored, ledger.word()), &ledger);
        }

        #[test]
        fn every_second_is_in_one_segment_and_in_the_right_one(
            probes in proptest::collection::vec((0i64..400, 1i64..60, 0usize..6), 0..40),
            wait in 0i64..100,
        ) {
            let probes: Vec<_> = probes.into_iter().map(|(t, v, s)| (t, t + v, State::ALL[s])).collect();
            let now = probes.iter().map(|p| p.0).max().unwrap_or(0) + wait;
            let (mut ledger, mut stored) = (Ledger::default(), Vec::new());
            for (from, until, state) in &probes {
                stored.extend(ledger.record(word(*from, *until), *state).added);
            }
            let segments = seen(&ledger, now);
            for pair in segments.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0, "gapless");
                prop_assert_ne!(pair[0].2, pair[1].2, "neighbours differ");
            }
            let seconds: Vec<_> =
                segments.iter().flat_map(|s| (s.0..s.1).map(|_| s.2)).collect();
            prop_assert_eq!(seconds, model(&probes, now));
            prop_assert_eq!(&Ledger::restore(stored, ledger.word()), &ledger, "the store has all of it");
        }
    }
}
