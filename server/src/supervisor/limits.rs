//! Times and sizes that the supervisor goes by.

use std::time::Duration;

use heapbeat_shared::Bytes;

/// What a worker is given beyond its own deadline before it is killed.
pub(super) const AFTER_DRAIN: Duration = Duration::from_secs(2);

/// See `docs/supervision.md` for the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A worker that gives no sign of life for so long is hung.
    pub hang: Duration,
    /// Longest time between two steps of the supervisor.
    pub tick: Duration,
    /// Least time that a new process has for its first sign of life, which loading it may delay on a busy machine.
    pub first_heartbeat: Duration,
    /// Time from the start of a worker to its readiness.
    pub start: Duration,
    /// Time for a hung worker's last report.
    pub last_report: Duration,
    /// From asking a worker to leave to killing it.
    pub drain: Duration,
    /// The same where its replacement can only begin when it is gone.
    pub short_drain: Duration,
    /// Least time between two replacements that the guard asks for.
    pub recycle_interval: Duration,
    /// First wait before another attempt, doubled with each; the very first attempt is made at once.
    pub backoff: Duration,
    /// Longest wait before another attempt.
    pub max_backoff: Duration,
    /// A worker that has been ready for so long has proved itself: earlier failures are forgotten.
    pub proven: Duration,
    /// A wait that is shorter than this is left to the kernel's queue; in a longer one clients are told.
    pub respond_after: Duration,
    /// Failures in a row that are a crash loop.
    pub crash_loop_failures: u32,
    /// There are never two: they would be in each other's way.
    pub one_at_a_time: bool,
    /// What the workers may take together: a replacement must fit below it.
    pub limit: Bytes,
    /// Where the kernel kills: a worker that finishes is cut before that.
    pub enforced: Bytes,
}

impl Limits {
    /// The usual times under `limit`.
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
            proven: Duration::from_secs(10),
            respond_after: Duration::from_secs(2),
            crash_loop_failures: 5,
            one_at_a_time: false,
            limit,
            enforced: limit,
        }
    }

    /// The wait after `failures` in a row: nothing, then twice as long each time, within a fifth up or down by
    /// `chance` (all of its values equally likely) so that many servers that fell together do not rise together.
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
    fn waits_double_up_to_a_bound_and_differ_by_chance() {
        let rules = Limits::new(Bytes::from_mb(512), Duration::from_secs(10), Duration::from_secs(25));
        let middle = u32::MAX / 2;
        let waits = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100]
            .map(|failures| (rules.wait(failures, middle).as_millis() + 50) / 100);
        assert_eq!(waits, [0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300], "tenths of a second");
        assert_eq!(rules.wait(4, 0), Duration::from_millis(1600));
        assert_eq!(rules.wait(4, u32::MAX), Duration::from_millis(2400));
    }
}
