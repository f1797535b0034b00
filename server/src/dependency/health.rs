//! What is known of one dependency, and whether it is time to ask again. Pure.

use std::time::Duration;

use super::{CheckDetails, CheckError};

/// What a check said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CachedResult {
    /// When it came. On whatever clock the caller keeps, as all times here.
    pub(super) at: Duration,
    /// How long it took.
    pub(super) took: Duration,
    pub(super) outcome: Result<CheckDetails, CheckError>,
}

/// The last answer, and the check that is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) last: Option<CachedResult>,
    /// Since when.
    pub(super) underway: Option<Duration>,
}

impl Seen {
    /// Marks a check as begun, if it is time for one: the last answer is old and none is being waited for.
    pub(super) fn begin(&mut self, now: Duration, fresh_for: Duration) -> bool {
        let fresh = self.last.as_ref().is_some_and(|last| now.saturating_sub(last.at) < fresh_for);
        let due = !fresh && self.underway.is_none();
        if due {
            self.underway = Some(now);
        }
        due
    }

    /// A check that was begun has come to its end.
    pub(super) fn end(&mut self, answer: CachedResult) {
        self.underway = None;
        self.last = Some(answer);
    }

    /// The latest that can be said: the last answer, unless a check is overdue, which no answer outweighs. `None`
    /// before the first.
    pub(super) fn answer(&self, now: Duration, timeout: Duration) -> Option<CachedResult> {
        match self.underway {
            Some(since) if now.saturating_sub(since) >= timeout => {
                let took = now.saturating_sub(since);
                Some(CachedResult { at: now, took, outcome: Err(CheckError::TimedOut(timeout)) })
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
    fn one_check_at_a_time_and_none_while_the_last_answer_is_fresh() {
        let mut seen = Seen::default();
        let well = |at| CachedResult { at, took: s(1), outcome: Ok(CheckDetails::default()) };
        assert_eq!(seen.answer(s(0), TIMEOUT), None);
        assert!(seen.begin(s(0), FRESH), "nothing is known");
        assert!(!seen.begin(s(1), FRESH), "one is on its way");
        seen.end(well(s(1)));
        let times = [(s(1), false), (s(50), false), (s(51), true), (s(52), false)];
        for (now, begins) in times {
            assert_eq!(seen.begin(now, FRESH), begins, "{now:?}");
        }
        assert_eq!(
            seen.answer(s(55), TIMEOUT),
            Some(well(s(1))),
            "the old answer counts while it is asked anew"
        );
    }

    #[test]
    fn a_check_that_never_comes_back_is_told_and_not_repeated() {
        let mut seen = Seen::default();
        seen.end(CachedResult { at: s(0), took: s(0), outcome: Ok(CheckDetails::default()) });
        assert!(seen.begin(s(60), FRESH));
        assert!(seen.answer(s(69), TIMEOUT).unwrap().outcome.is_ok());
        let late = seen.answer(s(70), TIMEOUT).unwrap();
        assert_eq!((late.outcome, late.took), (Err(CheckError::TimedOut(TIMEOUT)), s(10)));
        assert!(!seen.begin(s(9000), FRESH), "the thread it holds is the only one that it gets");
        seen.end(CachedResult { at: s(9001), took: s(8941), outcome: Ok(CheckDetails::default()) });
        assert!(seen.answer(s(9001), TIMEOUT).unwrap().outcome.is_ok(), "it came back after all");
    }
}
