use proptest::prelude::*;

use super::*;

fn at(second: i64) -> UnixMillis {
    UnixMillis(second * 1000)
}

fn validity(from: i64, until: i64) -> Validity {
    Validity { at: at(from), until: at(until) }
}

/// `(from, to, state)` in seconds.
fn segments_of(ledger: &Ledger, now: i64) -> Vec<(i64, i64, State)> {
    ledger.segments(at(now)).map(|s| (s.from.0 / 1000, s.to.0 / 1000, s.state)).collect()
}

#[test]
fn nothing_is_known_before_the_first_probe() {
    let ledger = Ledger::default();
    assert_eq!(segments_of(&ledger, 1000), []);
    assert_eq!(ledger.current_entry(at(1000)), None);
    assert!(ledger.is_expired(at(0)));
}

#[test]
fn a_missed_tick_is_unobserved() {
    let mut ledger = Ledger::default();
    assert_eq!(
        ledger.record_state(validity(0, 90), State::Up).added,
        [LedgerEntry { from: at(0), state: State::Up }]
    );
    assert_eq!(ledger.record_state(validity(60, 150), State::Up), LedgerChanges::default());
    let changes = ledger.record_state(validity(300, 390), State::Down);
    assert_eq!(
        changes.added,
        [
            LedgerEntry { from: at(150), state: State::Unobserved },
            LedgerEntry { from: at(300), state: State::Down }
        ]
    );
    let expected = [(0, 150, State::Up), (150, 300, State::Unobserved), (300, 390, State::Down)];
    assert_eq!(segments_of(&ledger, 390), expected);
    assert_eq!(segments_of(&ledger, 400)[3], (390, 400, State::Unobserved));
    assert_eq!(ledger.current_entry(at(390)), Some(LedgerEntry { from: at(300), state: State::Down }));
    assert_eq!(ledger.current_entry(at(391)), Some(LedgerEntry { from: at(390), state: State::Unobserved }));
}

#[test]
fn a_doubled_or_older_tick_changes_nothing() {
    let mut ledger = Ledger::default();
    let _ = ledger.record_state(validity(60, 150), State::Up);
    let before = ledger.clone();
    assert_eq!(ledger.record_state(validity(60, 500), State::Down), LedgerChanges::default());
    assert_eq!(ledger.record_state(validity(0, 500), State::Down), LedgerChanges::default());
    assert_eq!(ledger, before);
}

#[test]
fn old_entries_are_removed_but_the_state_at_the_horizon_is_kept() {
    let mut ledger = Ledger::default();
    let day = 86_400;
    let _ = ledger.record_state(validity(0, 200 * day), State::Up);
    let _ = ledger.record_state(validity(day, 200 * day), State::Down);
    let changes = ledger.record_state(validity(91 * day + day / 2, 200 * day), State::Up);
    assert_eq!(changes.delete_before, None, "the first entry still says what held at the horizon");
    let changes = ledger.record_state(validity(93 * day, 200 * day), State::Down);
    assert_eq!(changes.delete_before, Some(at(day)));
    assert_eq!(segments_of(&ledger, 94 * day)[0].0, day);
}

#[test]
fn a_flapping_monitor_stays_bounded() {
    let mut ledger = Ledger::default();
    for second in 0..10_000 {
        let state = if second % 2 == 0 { State::Up } else { State::Down };
        let _ = ledger.record_state(validity(second, second + 10), state);
    }
    assert_eq!(ledger.entries.len(), MAX_SEGMENTS);
    assert_eq!(segments_of(&ledger, 10_000)[0].0, 10_000 - 4096);
}

/// A model: the state in every second, found by a search of all probes for every second.
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
fn an_amended_segment_replaces_what_it_knows_better() {
    use State::{Down, Maintenance, Unobserved, Up};
    let probes = [(0, 90, Up), (60, 150, Up), (300, 390, Maintenance), (360, 450, Up), (420, 510, Down)];
    let cases = [
        ("between two probes", (70, 90, Down), vec![(0, Up), (70, Down), (90, Up), (150, Unobserved)]),
        ("into unobserved time", (100, 200, Down), vec![(0, Up), (100, Down), (200, Unobserved)]),
        ("unobserved", (100, 200, Unobserved), vec![(0, Up), (100, Unobserved)]),
        ("all of it", (-50, 300, Down), vec![(0, Down)]),
        (
            "maintenance stays",
            (290, 370, Down),
            vec![(0, Up), (150, Unobserved), (290, Down), (300, Maintenance), (360, Down), (370, Up)],
        ),
    ];
    for (name, (from, to, state), expected) in cases {
        let (mut ledger, mut stored) = (Ledger::default(), Vec::new());
        for (from, until, state) in probes {
            stored.extend(ledger.record_state(validity(from, until), state).added);
        }
        let changes = ledger.amend(StateSegment { from: at(from), to: at(to), state });
        if let Some(from) = changes.replace_from {
            stored.retain(|entry| entry.from < from);
        }
        stored.extend(changes.added);
        let begins: Vec<_> = ledger.entries.iter().map(|e| (e.from.0 / 1000, e.state)).collect();
        assert_eq!(begins[..expected.len()], expected, "{name}");
        assert_eq!(begins.last(), Some(&(420, Down)), "{name}: the last probe's finding stays");
        assert_eq!(Ledger::restore(stored, ledger.validity()), ledger, "{name}: the store has all of it");
    }
}

proptest! {
    #[test]
    fn an_amended_second_is_replaced_and_every_other_stays(
        probes in proptest::collection::vec((1i64..90, 1i64..60, 0usize..6), 1..20),
        (from, length, down) in (0i64..900, 1i64..200, any::<bool>()),
    ) {
        let found = if down { State::Down } else { State::Unobserved };
        let (mut ledger, mut stored, mut clock) = (Ledger::default(), Vec::new(), 0);
        for (wait, valid_for, state) in probes {
            clock += wait;
            stored.extend(ledger.record_state(validity(clock, clock + valid_for), State::ALL[state]).added);
        }
        let begin = stored[0].from.0 / 1000;
        let seconds_of = |ledger: &Ledger| -> Vec<State> {
            segments_of(ledger, clock + 100).iter().flat_map(|s| (s.0..s.1).map(|_| s.2)).collect()
        };
        let before = seconds_of(&ledger);
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
        prop_assert_eq!(seconds_of(&ledger), expected);
        if let Some(from) = changes.replace_from {
            stored.retain(|entry| entry.from < from);
        }
        stored.extend(changes.added);
        prop_assert_eq!(&Ledger::restore(stored, ledger.validity()), &ledger);
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
            stored.extend(ledger.record_state(validity(*from, *until), *state).added);
        }
        let segments = segments_of(&ledger, now);
        for pair in segments.windows(2) {
            prop_assert_eq!(pair[0].1, pair[1].0, "gapless");
            prop_assert_ne!(pair[0].2, pair[1].2, "neighbours differ");
        }
        let seconds: Vec<_> =
            segments.iter().flat_map(|s| (s.0..s.1).map(|_| s.2)).collect();
        prop_assert_eq!(seconds, model(&probes, now));
        prop_assert_eq!(&Ledger::restore(stored, ledger.validity()), &ledger, "the store has all of it");
    }
}
