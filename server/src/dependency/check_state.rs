//! The state of one dependency's check, and whether the check is due. Pure.

use std::time::Duration;

use super::{CheckDetails, CheckError};

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckResult {
    /// When the check ended. All times are those of the caller's clock.
    pub(super) at: Duration,
    /// Duration of the check.
    pub(super) took: Duration,
    pub(super) outcome: Result<CheckDetails, CheckError>,
}

/// The last result, and the check that is running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CheckState {
    pub(super) last: Option<CheckResult>,
    /// When the running check started.
    pub(super) running_since: Option<Duration>,
}

impl CheckState {
    /// Marks a check as running if one is due: the last result is not fresh, and no check is running. Returns whether it was due.
    pub(super) fn start_if_due(&mut self, now: Duration, fresh_for: Duration) -> bool {
        let fresh = self.last.as_ref().is_some_and(|last| now.saturating_sub(last.at) < fresh_for);
        let due = !fresh && self.running_since.is_none();
        if due {
            self.running_since = Some(now);
        }
        due
    }

    /// Stores the result of the running check.
    pub(super) fn finish_check(&mut self, result: CheckResult) {
        self.running_since = None;
        self.last = Some(result);
    }

    /// Returns the last result, or a timeout if a check has been running for longer than `timeout`. `None` before the first result.
    pub(super) fn current_result(&self, now: Duration, timeout: Duration) -> Option<CheckResult> {
        match self.running_since {
            Some(since) if now.saturating_sub(since) >= timeout => {
                let took = now.saturating_sub(since);
                Some(CheckResult { at: now, took, outcome: Err(CheckError::TimedOut(timeout)) })
            }
            _ => self.last.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_secs(1);

    fn s(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    #[test]
    fn one_check_runs_at_a_time_and_none_while_the_last_result_is_fresh() {
        let mut state = CheckState::default();
        let passed = |at| CheckResult { at, took: s(1), outcome: Ok(CheckDetails::default()) };
        assert_eq!(state.current_result(s(0), TIMEOUT), None);
        assert!(state.start_if_due(s(0), FRESH), "never checked");
        assert!(!state.start_if_due(s(1), FRESH), "a check is running");
        state.finish_check(passed(s(1)));
        let times = [(s(1), false), (s(50), false), (s(51), true), (s(52), false)];
        for (now, begins) in times {
            assert_eq!(state.start_if_due(now, FRESH), begins, "{now:?}");
        }
        assert_eq!(
            state.current_result(s(55), TIMEOUT),
            Some(passed(s(1))),
            "the old result counts while a new check runs"
        );
    }

    #[test]
    fn a_check_that_never_returns_times_out_and_is_not_repeated() {
        let mut state = CheckState::default();
        state.finish_check(CheckResult { at: s(0), took: s(0), outcome: Ok(CheckDetails::default()) });
        assert!(state.start_if_due(s(60), FRESH));
        assert!(state.current_result(s(69), TIMEOUT).unwrap().outcome.is_ok());
        let late = state.current_result(s(70), TIMEOUT).unwrap();
        assert_eq!((late.outcome, late.took), (Err(CheckError::TimedOut(TIMEOUT)), s(10)));
        assert!(!state.start_if_due(s(9000), FRESH), "it still holds a thread");
        state.finish_check(CheckResult { at: s(9001), took: s(8941), outcome: Ok(CheckDetails::default()) });
        assert!(state.current_result(s(9001), TIMEOUT).unwrap().outcome.is_ok(), "it returned after all");
    }
}
