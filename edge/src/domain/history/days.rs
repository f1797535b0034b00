//! The last 90 days: the worst state of each day, and its uptime with coverage.
//!
//! Days are those of UTC, oldest first; the last one is today up to now. All of them are filled in one pass over the ledger, as
//! many monitors are shown at once and each may have flapped some thousand times.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::check::state::{State, worst};
use crate::domain::history::ledger::StateSegment;
use crate::domain::history::uptime::ObservedTime;

/// The number of days.
pub const DAYS: u32 = 90;

/// The length of a day, without leap seconds.
const DAY: Duration = Duration::from_millis(DAY_MS.unsigned_abs());
const DAY_MS: i64 = 86_400_000;

/// One day of a monitor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// The day's first instant, midnight UTC.
    pub from: UnixMillis,
    /// The worst state of the day; `Unobserved` if it was not observed at all.
    pub state: State,
    /// The share of its observed time that was up or degraded, in percent; `None` if nothing was observed.
    pub percent: Option<f64>,
    /// The share of the day that was observed, in percent; of today up to now, of the first day since the monitor was first observed.
    pub coverage: f64,
}

/// Returns the last [`DAYS`] days at `now`, oldest first. Even a short time in a state counts for the day's worst.
pub fn days(segments: impl Iterator<Item = StateSegment>, now: UnixMillis) -> Vec<Day> {
    let today = UnixMillis(now.0 - now.0.rem_euclid(DAY_MS));
    let mut begins = today.minus(DAY * (DAYS - 1));
    let mut days = Vec::new();
    let mut segments = segments.peekable();
    let first = segments.peek().map(|segment| segment.from);
    for _ in 0..DAYS {
        let ends = begins.plus(DAY);
        let (mut state, mut observed) = (State::Unobserved, ObservedTime::default());
        while let Some(segment) = segments.peek().copied().filter(|segment| segment.from < ends) {
            let (from, to) = (segment.from.max(begins), segment.to.min(ends).min(now));
            if from < to {
                observed.add(segment.state, to.since(from));
                state = worst([state, segment.state]);
            }
            if segment.to > ends {
                // The rest of the segment belongs to the next day.
                break;
            }
            segments.next();
        }
        let exists_from = first.filter(|first| *first < ends).map_or(begins, |first| first.max(begins));
        let elapsed = ends.min(now).since(exists_from).max(Duration::from_millis(1));
        days.push(Day {
            from: begins,
            state,
            percent: observed.percent(),
            coverage: observed.coverage(elapsed),
        });
        begins = ends;
    }
    days
}

/// Returns one letter a day (see [`State::letter`]).
pub fn letters(days: &[Day]) -> String {
    days.iter().map(|day| day.state.letter()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// A name, the ledger, the hour that it is, and what the last days are then.
    type Case = (&'static str, Vec<(i64, i64, State)>, i64, Vec<(char, Option<i64>, i64)>);

    /// `(from, to, state)` in hours of Unix time.
    fn segments(list: &[(i64, i64, State)]) -> Vec<StateSegment> {
        let segment = |&(from, to, state): &(i64, i64, State)| StateSegment {
            from: UnixMillis(from * HOUR_MS),
            to: UnixMillis(to * HOUR_MS),
            state,
        };
        list.iter().map(segment).collect()
    }

    /// The last days at this hour, as many as are asked for: letter, percent and coverage in thousandths.
    fn last(count: usize, list: &[(i64, i64, State)], now: i64) -> Vec<(char, Option<i64>, i64)> {
        let days = days(segments(list).into_iter(), UnixMillis(now * HOUR_MS));
        assert_eq!(days.len(), 90);
        #[allow(clippy::cast_possible_truncation)]
        let thousandths = |share: f64| (share * 1000.0).round() as i64;
        days[90 - count..]
            .iter()
            .map(|day| (day.state.letter(), day.percent.map(thousandths), thousandths(day.coverage)))
            .collect()
    }

    #[test]
    fn a_day_has_the_worst_state_of_any_moment() {
        use State::{Degraded, Down, Maintenance, Unobserved, Up, Waking};
        let full = Some(100_000);
        // Days 100 and on: hour 2400 is midnight.
        let cases: [Case; 9] = [
            ("nothing was ever seen", vec![], 2424, vec![('.', None, 0), ('.', None, 0)]),
            (
                "it exists since yesterday noon",
                vec![(2412, 2430, Up)],
                2430,
                vec![('.', None, 0), ('u', full, 100_000), ('u', full, 100_000)],
            ),
            (
                "today has just begun",
                vec![(2400, 2424, Up)],
                2424,
                vec![('u', full, 100_000), ('.', None, 0)],
            ),
            (
                "an hour down in a day of which half was seen",
                vec![(2400, 2401, Down), (2401, 2412, Up), (2412, 2424, Unobserved)],
                2424,
                vec![('d', Some(91_667), 50_000), ('.', None, 0)],
            ),
            (
                "an outage over midnight is on both days",
                vec![(2400, 2418, Up), (2418, 2430, Down), (2430, 2448, Up)],
                2448,
                vec![('d', Some(75_000), 100_000), ('d', Some(75_000), 100_000), ('.', None, 0)],
            ),
            (
                "one that ends at midnight is not",
                vec![(2400, 2418, Up), (2418, 2424, Down), (2424, 2448, Up)],
                2448,
                vec![('d', Some(75_000), 100_000), ('u', full, 100_000), ('.', None, 0)],
            ),
            (
                "maintenance is seen and counts for nothing",
                vec![(2400, 2412, Up), (2412, 2424, Maintenance), (2424, 2448, Maintenance)],
                2447,
                vec![('m', full, 100_000), ('m', None, 100_000)],
            ),
            (
                "degraded is served, waking is not",
                vec![(2400, 2424, Degraded), (2424, 2430, Waking), (2430, 2448, Up)],
                2447,
                vec![('~', full, 100_000), ('w', Some(73_913), 100_000)],
            ),
            (
                "what is older than the first day is left out, and what reaches into it is cut",
                vec![(0, 2400 - 24 * 88, Down), (2400 - 24 * 88, 2424, Up)],
                2424,
                vec![('u', full, 100_000), ('.', None, 0)],
            ),
        ];
        for (name, list, now, expected) in cases {
            assert_eq!(last(expected.len(), &list, now), expected, "{name}");
        }
    }

    #[test]
    fn every_state_has_a_letter_of_its_own() {
        let up = days(segments(&[(0, 240_000, State::Up)]).into_iter(), UnixMillis(240_000 * HOUR_MS));
        assert_eq!(letters(&up), format!("{}.", "u".repeat(89)), "the day has not begun yet");
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert!(State::ALL[index + 1..].iter().all(|other| other.letter() != state.letter()));
        }
    }

    proptest! {
        /// Every hour of every day, looked up in the list of hours.
        #[test]
        fn equals_a_count_of_hours(
            lengths in proptest::collection::vec((1i64..90, 0usize..6), 0..80),
            start in 0i64..3000,
        ) {
            let (mut list, mut hours, mut clock) = (Vec::new(), Vec::new(), start);
            for (length, state) in lengths {
                list.push((clock, clock + length, State::ALL[state]));
                hours.extend((0..length).map(|hour| (clock + hour, State::ALL[state])));
                clock += length;
            }
            let seen = days(segments(&list).into_iter(), UnixMillis(clock * HOUR_MS));
            let today = clock.div_euclid(24);
            for (day, number) in seen.iter().zip(today - 89..) {
                prop_assert_eq!(day.from.0, number * 24 * HOUR_MS);
                let of_day: Vec<State> =
                    hours.iter().filter(|(hour, _)| hour.div_euclid(24) == number).map(|(_, s)| *s).collect();
                let count = |states: &[State]| of_day.iter().filter(|s| states.contains(s)).count() as f64;
                let served = count(&[State::Up, State::Degraded]);
                let judged = served + count(&[State::Down, State::Waking]);
                let looked = judged + count(&[State::Maintenance]);
                let order = [State::Down, State::Degraded, State::Waking, State::Maintenance, State::Up];
                let worst = order.into_iter().find(|s| of_day.contains(s)).unwrap_or(State::Unobserved);
                prop_assert_eq!(day.state, worst);
                let gone = (clock - start.max(number * 24)).clamp(0, 24).min(clock.min(number * 24 + 24) - start.max(number * 24)) as f64;
                if gone > 0.0 {
                    prop_assert!((day.coverage - 100.0 * looked / gone).abs() < 1e-6);
                }
                match day.percent {
                    None => prop_assert!(judged < 0.5),
                    Some(percent) => prop_assert!((percent - 100.0 * served / judged).abs() < 1e-6),
                }
            }
        }
    }
}
