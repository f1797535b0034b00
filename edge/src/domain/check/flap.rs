//! A monitor that cannot decide: told of once, not with every turn.
//!
//! The rule: [`CHANGES`] turns between serving and down within [`WITHIN`] are flapping, and it is over once [`CALM`] has
//! passed without a turn. Meanwhile its incident stays open whatever a probe finds, so there is no recovery to announce and
//! nothing to open anew, and the public is shown `degraded` where it happens to serve. The ledger books what was seen.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::State;

/// Turns that make it flapping: three outages.
pub const CHANGES: usize = 6;

/// The time in which they have to happen.
pub const WITHIN: Duration = Duration::from_secs(3600);

/// The time without a turn after which it is over.
pub const CALM: Duration = Duration::from_secs(1800);

/// Flapping as a statement for the public.
pub fn statement() -> Statement {
    Statement::flapping()
}

/// The turns of one monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct FlapDetector {
    /// The last turns, oldest first, at most [`CHANGES`].
    #[n(0)]
    turns: VecDeque<UnixMillis>,
    /// Whether it was down when something was last known of it.
    #[n(1)]
    down: Option<bool>,
    /// Since when it flaps.
    #[n(2)]
    pub since: Option<UnixMillis>,
}

impl FlapDetector {
    /// Takes in what holds after a probe at `at`.
    pub fn take(&mut self, state: State, at: UnixMillis) {
        let down = match state {
            State::Down => true,
            State::Up | State::Degraded => false,
            State::Waking | State::Maintenance | State::Unobserved => return,
        };
        if self.down.replace(down).is_some_and(|before| before != down) {
            self.turns.push_back(at);
            while self.turns.len() > CHANGES {
                self.turns.pop_front();
            }
        }
        let last = self.turns.back().copied();
        let many = self.turns.len() == CHANGES
            && self.turns.front().is_some_and(|first| last.is_some_and(|last| last.since(*first) <= WITHIN));
        if last.is_none_or(|last| at.since(last) >= CALM) {
            self.since = None;
        } else if many {
            self.since.get_or_insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a minute: `u`p, `d`own, `?` nobody knows; the answer has `F` where it flaps.
    fn run(minutes: &str) -> String {
        let mut flaps = FlapDetector::default();
        let take = |(minute, letter): (i64, char)| {
            let state = match letter {
                'u' => State::Up,
                'g' => State::Degraded,
                'd' => State::Down,
                _ => State::Unobserved,
            };
            flaps.take(state, UnixMillis(minute * 60_000));
            if flaps.since.is_some() { 'F' } else { '-' }
        };
        (0..).zip(minutes.chars()).map(take).collect()
    }

    #[test]
    fn timelines() {
        let long = |letter: &str, minutes: usize| letter.repeat(minutes);
        let cases = [
            ("five turns", "ududud".to_owned(), "------".to_owned()),
            ("the sixth", "udududu".to_owned(), "------F".to_owned()),
            ("degraded serves", "ugugugu".to_owned(), "-------".to_owned()),
            ("what nobody saw is no turn", "u?u?u?u?u?u".to_owned(), "-----------".to_owned()),
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
    fn it_remembers_a_bounded_number() {
        let mut flaps = FlapDetector::default();
        for second in 0..100_000 {
            flaps.take(if second % 2 == 0 { State::Up } else { State::Down }, UnixMillis(second * 1000));
        }
        assert_eq!(flaps.turns.len(), CHANGES);
        assert!(flaps.since.is_some());
    }
}
