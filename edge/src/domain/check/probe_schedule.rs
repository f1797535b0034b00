//! What the schedule knows of a monitor besides its results: when it was probed, how many requests that takes, and why it waits.

use std::cmp::Reverse;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use super::request_plan::MAX_PROBE_REQUESTS;
use super::schedule::TICK;
use crate::domain::ProbeSkipped;

/// How the attempt to probe a monitor in one round ended, as far as the schedule is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// There was a response, after this many requests of one chain of redirects.
    Responded(u32),
    /// There was none.
    Failed,
    /// The probe failed, and there was no request left for the retry that the monitor asks for. The next round decides.
    RetryOwed,
    /// The requests ran out in the middle of the probe.
    OutOfRequests,
    /// The probe was not started: the requests of the round were kept for other monitors.
    NoRoom,
    /// The probe was not started: the round took too long.
    NoTime,
}

impl AttemptOutcome {
    /// Whether the monitor is to be probed in another round at once.
    pub fn needs_follow_up(self) -> bool {
        !matches!(self, AttemptOutcome::Responded(_) | AttemptOutcome::Failed)
    }
}

/// Since when a monitor that is due has no result, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProbeWait {
    /// The first tick without a result.
    #[n(0)]
    pub since: UnixMillis,
    /// The latest reason.
    #[n(1)]
    pub reason: ProbeSkipped,
    /// The last tick without a result.
    #[n(2)]
    pub last: Option<UnixMillis>,
}

/// If no tick came for so long, the time before it is that in which the edge was away, and not the schedule's.
pub const MAX_TICK_GAP: Duration = Duration::from_secs(600);

/// What the schedule knows of a monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProbeSchedule {
    /// The last tick in which its probe was started and not ended by the budget.
    #[n(0)]
    pub attempted: Option<UnixMillis>,
    /// How many requests a probe takes; 0 before the first.
    #[n(1)]
    pub requests: u32,
    /// Since when it has no result although it is due; `None` after a result.
    #[n(2)]
    pub wait: Option<ProbeWait>,
    /// Whether its last probe failed and was not retried. The next failure counts.
    #[n(3)]
    pub retry_owed: bool,
}

impl ProbeSchedule {
    /// Returns how many requests are kept for the next probe.
    pub fn demand(&self) -> u32 {
        self.requests.clamp(1, MAX_PROBE_REQUESTS)
    }

    /// Records the attempt of the tick of `at`. Results, and probes that the platform or a setting prevented, are recorded by
    /// [`ProbeSchedule::record_result`].
    pub fn record_attempt(&mut self, at: UnixMillis, outcome: AttemptOutcome) {
        match outcome {
            AttemptOutcome::Responded(requests) => self.requests = requests,
            AttemptOutcome::Failed => {}
            AttemptOutcome::RetryOwed | AttemptOutcome::NoRoom => self.wait(at, ProbeSkipped::Budget),
            AttemptOutcome::NoTime => self.wait(at, ProbeSkipped::Time),
            AttemptOutcome::OutOfRequests => {
                self.requests = (self.demand() * 2).min(MAX_PROBE_REQUESTS);
                self.wait(at, ProbeSkipped::Budget);
            }
        }
        let was_attempted = matches!(
            outcome,
            AttemptOutcome::Responded(_) | AttemptOutcome::Failed | AttemptOutcome::RetryOwed
        );
        if was_attempted {
            self.attempted = Some(at);
            self.retry_owed = outcome == AttemptOutcome::RetryOwed;
        }
    }

    /// Records the result of the tick of `at`; `skipped` is why there is none.
    pub fn record_result(&mut self, at: UnixMillis, skipped: Option<ProbeSkipped>) {
        match skipped {
            Some(reason) => self.wait(at, reason),
            None => self.wait = None,
        }
    }

    fn wait(&mut self, at: UnixMillis, reason: ProbeSkipped) {
        // The time in which the edge was offline, or away, is not the schedule's.
        let known = self.wait.filter(|wait| {
            (wait.reason == ProbeSkipped::EdgeOffline) == (reason == ProbeSkipped::EdgeOffline)
                && at.since(wait.last.unwrap_or(at)) < MAX_TICK_GAP
        });
        let since = known.map_or(at, |wait| wait.since);
        self.wait = Some(ProbeWait { since, reason, last: Some(at) });
    }

    /// Returns the precedence of a monitor that is due at `now`; the least comes first. One that has waited for more whole ticks since
    /// it was due precedes; of those that have waited equally long, one that is `healthy` precedes, as it responds soonest.
    pub fn precedence(&self, interval: Duration, healthy: bool, now: UnixMillis) -> ProbePrecedence {
        let due = self.attempted.map(|attempted| attempted.plus(interval));
        let overdue = due.map_or(u64::MAX, |due| now.since(due).as_secs() / TICK.as_secs());
        ProbePrecedence { overdue_ticks: Reverse(overdue), is_troubled: !healthy, due }
    }
}

/// The precedence of a monitor in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbePrecedence {
    overdue_ticks: Reverse<u64>,
    is_troubled: bool,
    due: Option<UnixMillis>,
}
