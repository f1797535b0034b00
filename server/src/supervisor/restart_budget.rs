//! The budget of restarts: bounds how many processes a crash loop may start.
//!
//! Half of the budget may be spent at once, and the other half is refilled evenly over a minute. So no minute has more restarts than
//! the budget, a server that dies now and then is always restarted at once, and a crash loop becomes a slow and steady one.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// The restarts that are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestartBudget {
    /// Restarts that may follow each other at once.
    burst: u32,
    /// Time in which one restart is refilled.
    interval: Duration,
    /// When all of the burst is available again, as of the last restart.
    full_at: Duration,
    /// Whether the last restart had to wait.
    spent: bool,
}

impl RestartBudget {
    /// Creates a full budget of at most `per_minute` restarts in any minute.
    pub(super) fn new(per_minute: u32) -> Self {
        let burst = (per_minute / 2).max(1);
        RestartBudget { burst, interval: MINUTE / burst, full_at: Duration::ZERO, spent: false }
    }

    /// Takes a restart from the budget, and returns its time: `wanted_at`, or later if the budget is spent.
    pub(super) fn reserve(&mut self, wanted_at: Duration) -> Reservation {
        let at = wanted_at.max(self.full_at.saturating_sub(self.interval * (self.burst - 1)));
        self.full_at = self.full_at.max(at) + self.interval;
        let spent_before = std::mem::replace(&mut self.spent, at > wanted_at);
        Reservation { at, newly_spent: self.spent && !spent_before }
    }
}

/// A restart that the budget allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reservation {
    /// The time of the restart.
    pub(super) at: Duration,
    /// Whether this restart has to wait for the budget, and the one before had not.
    pub(super) newly_spent: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the times of the restarts of processes that die after these times in milliseconds.
    fn restarts(per_minute: u32, lives: &[u64]) -> Vec<Duration> {
        let mut budget = RestartBudget::new(per_minute);
        let mut now = Duration::ZERO;
        let restart = |life: &u64| {
            now = budget.reserve(now + Duration::from_millis(*life)).at;
            now
        };
        lives.iter().map(restart).collect()
    }

    #[test]
    fn half_of_the_budget_is_spent_at_once_and_the_rest_evenly() {
        let starts = restarts(60, &[0; 33]);
        let seconds: Vec<u64> = starts.iter().skip(29).map(Duration::as_secs).collect();
        assert_eq!(seconds, [0, 2, 4, 6]);
        assert_eq!(restarts(1, &[0, 0])[1], MINUTE, "the smallest budget");
        let steady = restarts(60, &[2000; 100]);
        assert_eq!(
            steady[99],
            Duration::from_secs(200),
            "a death every two seconds is always restarted at once"
        );
    }

    proptest! {
        #[test]
        fn no_minute_has_more_restarts_than_the_budget(
            per_minute in 1_u32..200, lives in proptest::collection::vec(0_u64..4000, 1..400),
        ) {
            let starts = restarts(per_minute, &lives);
            for (index, start) in starts.iter().enumerate() {
                let within = starts[index..].iter().take_while(|it| **it < *start + MINUTE).count();
                prop_assert!(within <= per_minute as usize, "{within} from {start:?}");
            }
        }

        #[test]
        fn a_restart_waits_at_most_one_interval(
            per_minute in 1_u32..200, lives in proptest::collection::vec(0_u64..4000, 1..400),
        ) {
            let starts = restarts(per_minute, &lives);
            let mut before = Duration::ZERO;
            for (start, life) in starts.iter().zip(&lives) {
                let died = before + Duration::from_millis(*life);
                prop_assert!(*start <= died + RestartBudget::new(per_minute).interval);
                before = *start;
            }
        }
    }
}
