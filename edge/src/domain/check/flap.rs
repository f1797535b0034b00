//! Detects flapping, a repeated change between serving and down. A flapping monitor is notified once.
//!
//! [`FLAP_THRESHOLD`] changes between serving and down within [`FLAP_WINDOW`] are flapping; it ends after [`FLAP_RECOVERY_TIME`] without a change.
//! While a monitor flaps its incident stays open whatever a probe finds, and the status page shows `degraded` instead of
//! `up`. The ledger records the results of the probes.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::State;

/// The number of changes that make a monitor flapping: three outages.
pub const FLAP_THRESHOLD: usize = 6;

/// The time within which the changes have to happen.
pub const FLAP_WINDOW: Duration = Duration::from_secs(3600);

/// The time without a change after which flapping ends.
pub const FLAP_RECOVERY_TIME: Duration = Duration::from_secs(1800);

/// Returns the public statement about a flapping monitor.
pub fn flapping_statement() -> Statement {
    Statement::flapping()
}

/// The recent changes of one monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct FlapDetector {
    /// The instants of the last changes, oldest first, at most [`FLAP_THRESHOLD`].
    #[n(0)]
    changes: VecDeque<UnixMillis>,
    /// Whether the monitor was down when its state was last known.
    #[n(1)]
    down: Option<bool>,
    /// Since when the monitor flaps.
    #[n(2)]
    pub since: Option<UnixMillis>,
}

impl FlapDetector {
    /// Records the state after a probe at `at`.
    pub fn record_state(&mut self, state: State, at: UnixMillis) {
        let down = match state {
            State::Down => true,
            State::Up | State::Degraded => false,
            State::Waking | State::Maintenance | State::Unobserved => return,
        };
        if self.down.replace(down).is_some_and(|before| before != down) {
            self.changes.push_back(at);
            while self.changes.len() > FLAP_THRESHOLD {
                self.changes.pop_front();
            }
        }
        let last = self.changes.back().copied();
        let many = self.changes.len() == FLAP_THRESHOLD
            && self
                .changes
                .front()
                .is_some_and(|first| last.is_some_and(|last| last.since(*first) <= FLAP_WINDOW));
        if last.is_none_or(|last| at.since(last) >= FLAP_RECOVERY_TIME) {
            self.since = None;
        } else if many {
            self.since.get_or_insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a timeline, one letter a minute: `u`p, de`g`raded, `d`own, `?` unobserved. The result has `F` where it flaps.
    fn run(minutes: &str) -> String {
        let mut flaps = FlapDetector::default();
        let record = |(minute, letter): (i64, char)| {
            let state = match letter {
                'u' => State::Up,
                'g' => State::Degraded,
                'd' => State::Down,
                _ => State::Unobserved,
            };
            flaps.record_state(state, UnixMillis(minute * 60_000));
            if flaps.since.is_some() { 'F' } else { '-' }
        };
        (0..).zip(minutes.chars()).map(record).collect()
    }

    #[test]
    fn six_changes_within_an_hour_are_flapping() {
        let long = |letter: &str, minutes: usize| letter.repeat(minutes);
        let cases = [
            ("five changes", "ududud".to_owned(), "------".to_owned()),
            ("the sixth", "udududu".to_owned(), "------F".to_owned()),
            ("degraded serves", "ugugugu".to_owned(), "-------".to_owned()),
            ("unobserved time is no change", "u?u?u?u?u?u".to_owned(), "-----------".to_owned()),
            (
                "over after half an hour",
                format!("ududud{}", long("u", 32)),
                format!("------{}--", long("F", 30)),
            ),
            (
                "down for good is calm as well",
                format!("udududu{}", long("d", 31)),
                format!("------{}-", long("F", 31)),
            ),
            (
                "three outages in a day",
                format!("ud{}ud{}ud{}", long("u", 60), long("u", 60), long("u", 60)),
                long("-", 186),
            ),
        ];
        for (name, minutes, expected) in cases {
            assert_eq!(run(&minutes), expected, "{name}");
        }
    }

    #[test]
    fn the_number_of_changes_that_are_kept_is_bounded() {
        let mut flaps = FlapDetector::default();
        for second in 0..100_000 {
            flaps.record_state(
                if second % 2 == 0 { State::Up } else { State::Down },
                UnixMillis(second * 1000),
            );
        }
        assert_eq!(flaps.changes.len(), FLAP_THRESHOLD);
        assert!(flaps.since.is_some());
    }
}
