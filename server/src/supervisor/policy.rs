//! Timeouts, pauses and limits of the supervisor.

use std::time::Duration;

use heapbeat_shared::Bytes;

/// Time beyond a worker's own drain timeout before it is killed.
pub(super) const AFTER_DRAIN: Duration = Duration::from_secs(2);

/// Timeouts, pauses and limits of the supervisor; `docs/supervision.md` gives the reasons.
///
/// Those that an operator can set have their default in the table of settings, [`SETTINGS`](crate::config::SETTINGS):
/// `hang_timeout`, `drain_timeout`, `restarts_per_minute` and `memory_limit`. The others have theirs in [`SupervisorPolicy::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupervisorPolicy {
    /// Time without a heartbeat after which a worker counts as hung: `HEAPBEAT_HANG_TIMEOUT`.
    pub hang_timeout: Duration,
    /// Maximum time between two steps of the supervisor.
    pub poll_interval: Duration,
    /// Minimum time for the first heartbeat of a new process, as loading it may take long on a busy machine.
    pub first_heartbeat_timeout: Duration,
    /// Maximum time from the start of a worker to its readiness.
    pub start_timeout: Duration,
    /// Time for a hung worker's last report.
    pub report_timeout: Duration,
    /// Time from the request to drain until a worker is killed: `HEAPBEAT_DRAIN_TIMEOUT` and `AFTER_DRAIN`.
    pub drain_timeout: Duration,
    /// Time from the request to drain until a worker is killed if its replacement can only start after it has exited.
    pub short_drain_timeout: Duration,
    /// Minimum time between two replacements that the guard requests; `FRONT_RECYCLE_INTERVAL` behind a front, unless the last one
    /// failed.
    pub recycle_interval: Duration,
    /// First pause after workers that did not get ready, doubled with each; the first restart is immediate.
    pub min_backoff: Duration,
    /// Longest pause before another attempt.
    pub max_backoff: Duration,
    /// Maximum number of restarts in any minute (`HEAPBEAT_RESTARTS_PER_MINUTE`), see
    /// `RestartBudget`.
    pub restarts_per_minute: u32,
    /// Uptime after which a failure no longer counts towards the backoff even if the worker never reported that it was ready, for
    /// programs that cannot; `None` to wait for the report.
    pub failure_reset_after: Option<Duration>,
    /// Longest pause in which connections wait in the kernel's queue; in a longer one, clients get a 503.
    pub unavailable_after: Duration,
    /// Number of consecutive workers that did not get ready from which the log calls it a crash loop.
    pub crash_loop_failures: u32,
    /// Number of the signal that workers are stopped with, besides SIGTERM and SIGINT.
    pub stop_signal: Option<i32>,
    /// Memory from which a replacement is refused if it would not help, see `machine::usefulness`; `None`: never.
    pub judged_from: Option<Bytes>,
    /// Number of workers that serve at the same time.
    pub instances: u32,
    /// Whether a worker that leaks is replaced while another one fits beside it, see `machine::early`.
    pub replaces_early: bool,
    /// Whether two workers must never run at the same time, as they would compete for a port.
    pub one_at_a_time: bool,
    /// The front that passes requests on to one worker, and holds them while there is none; `None` if workers accept connections.
    pub front: Option<FrontPolicy>,
    /// Memory limit of all workers together: a replacement must fit below it.
    pub memory_limit: Bytes,
    /// Memory limit that the kernel enforces: a draining worker is stopped before it is reached.
    pub enforced_memory_limit: Bytes,
}

/// Minimum time between two replacements behind a front, where one costs no request. The requests that waited for a worker can fill its
/// memory again within seconds, and would be refused until the next replacement.
pub(super) const FRONT_RECYCLE_INTERVAL: Duration = Duration::from_secs(1);

/// Times of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontPolicy {
    /// Longest time that a request waits for a worker.
    pub hold: Duration,
    /// Time after the request to stop in which the front still accepts connections: `HEAPBEAT_DRAIN_WINDOW`.
    pub drain_window: Duration,
}

impl SupervisorPolicy {
    /// Creates the policy for a memory limit and the timeouts of the configuration.
    pub fn new(
        memory_limit: Bytes,
        hang_timeout: Duration,
        drain_timeout: Duration,
        restarts_per_minute: u32,
    ) -> Self {
        SupervisorPolicy {
            hang_timeout,
            poll_interval: Duration::from_secs(1),
            first_heartbeat_timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(60),
            report_timeout: Duration::from_secs(1),
            drain_timeout: drain_timeout + AFTER_DRAIN,
            short_drain_timeout: drain_timeout.min(Duration::from_secs(5)),
            recycle_interval: Duration::from_secs(5),
            min_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            restarts_per_minute,
            failure_reset_after: None,
            unavailable_after: Duration::from_secs(2),
            crash_loop_failures: 5,
            stop_signal: None,
            judged_from: None,
            instances: 1,
            replaces_early: false,
            one_at_a_time: false,
            front: None,
            memory_limit,
            enforced_memory_limit: memory_limit,
        }
    }

    /// Returns the pause after `failures` consecutive workers that did not get ready: none at first, then doubled each time. The
    /// uniform random number `random` varies it by ±20 %, so that many servers that failed together do not restart together.
    pub fn restart_delay(&self, failures: u32, random: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(2) else { return Duration::ZERO };
        let delay = self.min_backoff.saturating_mul(1 << doublings.min(16)).min(self.max_backoff);
        delay.mul_f64(0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_vary_randomly() {
        let policy =
            SupervisorPolicy::new(Bytes::from_mb(512), Duration::from_secs(10), Duration::from_secs(25), 60);
        let middle = u32::MAX / 2;
        let delays = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100]
            .map(|failures| (policy.restart_delay(failures, middle).as_millis() + 50) / 100);
        assert_eq!(delays, [0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300], "tenths of a second");
        assert_eq!(policy.restart_delay(4, 0), Duration::from_millis(1600));
        assert_eq!(policy.restart_delay(4, u32::MAX), Duration::from_millis(2400));
    }
}
