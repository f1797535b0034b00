//! Times and sizes of the supervisor.

use std::time::Duration;

use heapbeat_shared::Bytes;

/// Time beyond a worker's own drain timeout before it is killed.
pub(super) const AFTER_DRAIN: Duration = Duration::from_secs(2);

/// Times and sizes of the supervisor; `docs/supervision.md` gives the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time without a sign of life after which a worker counts as hung.
    pub hang: Duration,
    /// Maximum time between two steps of the supervisor.
    pub tick: Duration,
    /// Minimum time for the first sign of life of a new process, as loading it may take long on a busy machine.
    pub first_heartbeat: Duration,
    /// Maximum time from the start of a worker to its readiness.
    pub start: Duration,
    /// Time for a hung worker's last report.
    pub last_report: Duration,
    /// Time from asking a worker to drain until it is killed.
    pub drain: Duration,
    /// The same if its replacement can only start after it has exited.
    pub short_drain: Duration,
    /// Minimum time between two replacements that the guard requests.
    pub recycle_interval: Duration,
    /// First pause after workers that did not get ready, doubled with each; the first restart is immediate.
    pub backoff: Duration,
    /// Longest pause before another attempt.
    pub max_backoff: Duration,
    /// Maximum number of restarts in any minute, see [`RestartBudget`](super::restart_budget::RestartBudget).
    pub restarts_per_minute: u32,
    /// Time after which a worker counts as having been ready even if it never reported so: for programs that cannot.
    pub proven: Option<Duration>,
    /// Longest pause in which connections wait in the kernel's queue; in a longer one, clients get a 503.
    pub respond_after: Duration,
    /// Number of workers in a row that did not get ready that are a crash loop.
    pub crash_loop_failures: u32,
    /// Never run two workers at a time, as they would compete for a port.
    pub one_at_a_time: bool,
    /// Memory limit of all workers together: a replacement must fit below it.
    pub limit: Bytes,
    /// Limit that the kernel enforces: a draining worker is killed before it is reached.
    pub enforced: Bytes,
}

impl Limits {
    /// Creates the default limits under a memory limit.
    pub fn new(limit: Bytes, hang: Duration, drain: Duration) -> Self {
        Limits {
            hang,
            tick: Duration::from_secs(1),
            first_heartbeat: Duration::from_secs(10),
            start: Duration::from_secs(60),
            last_report: Duration::from_secs(1),
            drain: drain + AFTER_DRAIN,
            short_drain: drain.min(Duration::from_secs(5)),
            recycle_interval: Duration::from_secs(5),
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            restarts_per_minute: 60,
            proven: None,
            respond_after: Duration::from_secs(2),
            crash_loop_failures: 5,
            one_at_a_time: false,
            limit,
            enforced: limit,
        }
    }

    /// Returns the pause after `failures` of workers in a row to get ready: none at first, then doubled each time. The uniform random number `chance` varies it
    /// by a fifth, so that many servers that failed together do not restart together.
    pub fn wait(&self, failures: u32, chance: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(2) else { return Duration::ZERO };
        let wait = self.backoff.saturating_mul(1 << doublings.min(16)).min(self.max_backoff);
        wait.mul_f64(0.8 + 0.4 * f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_vary_randomly() {
        let rules = Limits::new(Bytes::from_mb(512), Duration::from_secs(10), Duration::from_secs(25));
        let middle = u32::MAX / 2;
        let waits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100]
            .map(|failures| (rules.wait(failures, middle).as_millis() + 50) / 100);
        assert_eq!(waits, [0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300], "tenths of a second");
        assert_eq!(rules.wait(4, 0), Duration::from_millis(1600));
        assert_eq!(rules.wait(4, u32::MAX), Duration::from_millis(2400));
    }
}
