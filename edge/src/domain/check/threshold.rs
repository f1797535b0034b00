//! From single verdicts to a state, by thresholds in both directions.
//!
//! The thresholds mean what they mean in Gatus: the number of failures in a row before `down`, and of successes in a row before `up`.
//! While a streak is too short to decide, the state stays what it was, and the ledger records that; a failure that did not reach
//! its threshold never becomes downtime afterwards.
//!
//! After unobserved time the state from before is no longer evidence. The first result either confirms it, and it resumes at once,
//! or the state is `unobserved` until a streak decides.

use crate::domain::State;
use crate::monitor_config::CheckThresholds;
use minicbor::{Decode, Encode};

/// The result of one probe, as far as the state is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// Every condition holds.
    Up,
    /// A `degraded` condition fails.
    Degraded,
    /// A condition fails, or there is no response.
    Failed,
}

/// The state of a monitor between two probes, and the streaks that lead to the next state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ThresholdState {
    /// The state of the last decision; `Unobserved` before the first.
    #[n(0)]
    pub held: State,
    /// Whether `held` is valid. A gap clears it until a result confirms it.
    #[n(1)]
    pub decided: bool,
    /// The number of failures in a row; 0 after a success.
    #[n(2)]
    pub failures: u16,
    /// The number of successes in a row; 0 after a failure.
    #[n(3)]
    pub successes: u16,
}

impl ThresholdState {
    /// The state that holds.
    pub fn state(self) -> State {
        if self.decided { self.held } else { State::Unobserved }
    }

    /// Returns the state after one more result. `gap`: the time before this result is unobserved.
    #[must_use]
    pub fn next(self, result: CheckResult, gap: bool, thresholds: CheckThresholds) -> ThresholdState {
        let before = if gap { ThresholdState { held: self.held, ..ThresholdState::default() } } else { self };
        let (failures, successes) = match result {
            CheckResult::Failed => (before.failures.saturating_add(1), 0),
            CheckResult::Up | CheckResult::Degraded => (0, before.successes.saturating_add(1)),
        };
        let held = match result {
            CheckResult::Up => State::Up,
            CheckResult::Degraded => State::Degraded,
            CheckResult::Failed => State::Down,
        };
        let was_down = before.held == State::Down;
        let decided = match result {
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

    fn thresholds(failure: u16, success: u16) -> CheckThresholds {
        CheckThresholds {
            failure: NonZeroU16::new(failure).unwrap(),
            success: NonZeroU16::new(success).unwrap(),
        }
    }

    /// Runs probes, one letter each: `u`p, `d`egraded, `f`ailed; `|` is a gap before the next probe. Returns one letter a probe:
    /// `U`p, `D`egraded, `X` down, `?` unobserved.
    fn run(probes: &str, failure: u16, success: u16) -> String {
        let (mut threshold, mut gap, mut states) = (ThresholdState::default(), false, String::new());
        for letter in probes.chars() {
            let result = match letter {
                '|' => {
                    gap = true;
                    continue;
                }
                'u' => CheckResult::Up,
                'd' => CheckResult::Degraded,
                _ => CheckResult::Failed,
            };
            threshold = threshold.next(result, gap, thresholds(failure, success));
            gap = false;
            states.push(match threshold.state() {
                State::Up => 'U',
                State::Degraded => 'D',
                State::Down => 'X',
                _ => '?',
            });
        }
        states
    }

    #[test]
    fn a_state_changes_once_a_streak_reaches_its_threshold() {
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
            ("never up and failing below the threshold: unobserved", "f", 2, 1, "?"),
            ("never up and failing", "fff", 2, 1, "?XX"),
            ("degraded stays while failures are too few", "dfd", 2, 1, "DDD"),
            ("up, gap, up", "u|u", 2, 2, "UU"),
            ("up, gap, failing: the state from before is no evidence", "u|ff", 2, 1, "U?X"),
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
