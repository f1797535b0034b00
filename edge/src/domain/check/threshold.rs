//! From single verdicts to a state: thresholds in both directions.
//!
//! Thresholds mean what they mean in Gatus: so many failures in a row before `down`, so many successes in a
//! row before it is over. While a streak is too short to decide, the state stays what it was, and the ledger
//! books that; a failure that did not reach its threshold is never turned into downtime afterwards.
//!
//! After time in which nobody looked, what held before is no longer evidence. The first verdict then either
//! confirms it (and it resumes at once), or the state is `unobserved` until a streak decides.

use crate::config::Thresholds;
use crate::domain::State;
use minicbor::{Decode, Encode};

/// What one probe says, as far as the state is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// Every condition holds.
    Up,
    /// It serves, but fails a `degraded` condition.
    Degraded,
    /// It does not serve as it should.
    Failed,
}

/// Where a monitor stands between two probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ThresholdState {
    /// The state that the last decision gave; `Unobserved` before the first.
    #[n(0)]
    pub held: State,
    /// Whether `held` still counts. Cleared by a gap that no verdict has confirmed it over yet.
    #[n(1)]
    pub decided: bool,
    /// Failures in a row up to now; 0 after a success.
    #[n(2)]
    pub failures: u16,
    /// Successes in a row up to now; 0 after a failure.
    #[n(3)]
    pub successes: u16,
}

impl ThresholdState {
    /// The state that holds.
    pub fn state(self) -> State {
        if self.decided { self.held } else { State::Unobserved }
    }

    /// The standing after one more vote. `gap`: nobody looked for some time before this vote.
    #[must_use]
    pub fn next(self, vote: CheckResult, gap: bool, thresholds: Thresholds) -> ThresholdState {
        let before = if gap { ThresholdState { held: self.held, ..ThresholdState::default() } } else { self };
        let (failures, successes) = match vote {
            CheckResult::Failed => (before.failures.saturating_add(1), 0),
            CheckResult::Up | CheckResult::Degraded => (0, before.successes.saturating_add(1)),
        };
        let held = match vote {
            CheckResult::Up => State::Up,
            CheckResult::Degraded => State::Degraded,
            CheckResult::Failed => State::Down,
        };
        let was_down = before.held == State::Down;
        let decided = match vote {
            CheckResult::Failed => was_down || failures >= thresholds.failure.get(),
            CheckResult::Up | CheckResult::Degraded => !was_down || successes >= thresholds.success.get(),
        };
        if decided {
            ThresholdState { held, decided, failures, successes }
        } else {
            ThresholdState { failures, successes, ..before }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn thresholds(failure: u16, success: u16) -> Thresholds {
        Thresholds { failure: NonZeroU16::new(failure).unwrap(), success: NonZeroU16::new(success).unwrap() }
    }

    /// One letter a probe: `u`p, `d`egraded, `f`ailed; `|` is a gap before the next probe. The answer has one
    /// letter a probe: `U`p, `D`egraded, `X` down, `?` unobserved.
    fn run(probes: &str, failure: u16, success: u16) -> String {
        let (mut standing, mut gap, mut states) = (ThresholdState::default(), false, String::new());
        for letter in probes.chars() {
            let vote = match letter {
                '|' => {
                    gap = true;
                    continue;
                }
                'u' => CheckResult::Up,
                'd' => CheckResult::Degraded,
                _ => CheckResult::Failed,
            };
            standing = standing.next(vote, gap, thresholds(failure, success));
            gap = false;
            states.push(match standing.state() {
                State::Up => 'U',
                State::Degraded => 'D',
                State::Down => 'X',
                _ => '?',
            });
        }
        states
    }

    #[test]
    fn timelines() {
        let cases = [
            ("the first success is enough", "u", 2, 2, "U"),
            ("one failure at threshold one", "uf", 1, 1, "UX"),
            ("one failure below the threshold changes nothing", "ufu", 2, 1, "UUU"),
            ("as many in a row as the threshold", "uffu", 2, 1, "UUXU"),
            ("a success begins the count anew", "uffuff", 3, 1, "UUUUUU"),
            ("back only after enough successes", "uffuuu", 2, 3, "UUXXXU"),
            ("a failure begins that count anew", "uffuufuuu", 2, 3, "UUXXXXXXU"),
            ("degraded needs no threshold, in either direction", "udud", 3, 3, "UDUD"),
            ("degraded counts as serving", "ffdd", 2, 2, "?XXD"),
            ("never seen up and failing below the threshold: nobody knows", "f", 2, 1, "?"),
            ("never seen up and failing", "fff", 2, 1, "?XX"),
            ("degraded stays while failures are too few", "dfd", 2, 1, "DDD"),
            ("up, gap, up", "u|u", 2, 2, "UU"),
            ("up, gap, failing: what held is no evidence any more", "u|ff", 2, 1, "U?X"),
            ("up, gap, one failure, up", "u|fu", 2, 1, "U?U"),
            ("down, gap, failing: confirmed at once", "uff|f", 2, 2, "UUXX"),
            ("down, gap, success below the threshold", "uff|uu", 2, 2, "UUX?U"),
            ("failures before a gap do not count after it", "uf|ff", 3, 1, "UU??"),
        ];
        for (name, probes, failure, success, states) in cases {
            assert_eq!(run(probes, failure, success), states, "{name}");
        }
    }
}
