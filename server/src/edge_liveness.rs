//! Notices when the edge stops monitoring this server.
//!
//! A *visit* is a signed `GET /health` of the edge; requests of `check-memory` are recognized by their user agent and do not count.
//! The usual interval between visits is learned from the visits themselves. An edge that never visited is not missed, and silence
//! does not count while this process could not be visited, because it was stopped or its replacement gets the requests. Pure; times
//! are the process's age, which cannot jump.

mod notify;
#[cfg(not(feature = "webhook"))]
mod webhook_absent;
#[cfg(feature = "webhook")]
mod webhook_sender;

#[cfg(not(feature = "webhook"))]
use webhook_absent as webhook_sender;

use std::time::Duration;

pub(crate) use notify::{EdgeLiveness, EdgeVisits};

use crate::config::EdgeTimeout;

/// Visits closer together than this count as one: the edge may probe from several regions in the same tick.
const SAME_VISIT: Duration = Duration::from_secs(30);

/// Number of gaps between visits that are kept.
const MAX_GAPS: usize = 9;

/// Number of gaps that the usual interval is learned from at least.
const MIN_GAPS: usize = 3;

/// Number of intervals without a visit that are a silence: one cron tick may be late or missing.
const MISSED_INTERVALS: u32 = 3;

/// Shortest silence that is reported if the interval is learned.
const MIN_SILENCE: Duration = Duration::from_secs(180);

/// Longest interval that is learned, which is the longest that a monitor can have.
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// A longer time between two checks means that this process was stopped: the sampler checks at least once a minute.
const NOT_RUNNING: Duration = Duration::from_secs(120);

/// Tracks the edge's visits.
#[derive(Clone, Debug, Default)]
pub(crate) struct VisitTracker {
    /// The visit from which the next gap is measured.
    counted: Option<Duration>,
    /// The latest visit.
    last: Option<Duration>,
    /// Gaps between visits, oldest first.
    gaps: Vec<Duration>,
    /// The last visit before the reported silence, while it lasts.
    silent_since: Option<Duration>,
    /// When silence was checked last.
    checked: Duration,
    /// Since when this process has been running without a break.
    running: Duration,
}

/// A change of the edge's liveness that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LivenessChange {
    /// The next visit is overdue.
    Silent {
        /// The last visit.
        since: Duration,
        /// The usual interval between visits, if it is known.
        interval: Option<Duration>,
    },
    /// The edge visits again.
    Returned {
        /// The last visit before the silence.
        since: Duration,
        /// The first visit after the silence.
        at: Duration,
    },
}

impl VisitTracker {
    /// Records a visit.
    pub(crate) fn record_visit(&mut self, now: Duration) {
        self.last = Some(now);
        match self.counted {
            Some(counted) if now.saturating_sub(counted) < SAME_VISIT => return,
            Some(counted) => {
                if self.gaps.len() == MAX_GAPS {
                    self.gaps.remove(0);
                }
                self.gaps.push(now.saturating_sub(counted).min(MAX_INTERVAL));
            }
            None => {}
        }
        self.counted = Some(now);
    }

    /// Returns the change if the edge has fallen silent or has returned. `reachable` is whether visits would reach this process at all.
    pub(crate) fn check_silence(
        &mut self,
        now: Duration,
        reachable: bool,
        timeout: EdgeTimeout,
    ) -> Option<LivenessChange> {
        if now.saturating_sub(self.checked) > NOT_RUNNING {
            self.running = now;
        }
        self.checked = now;
        let last = self.last?;
        if let Some(since) = self.silent_since {
            if last == since {
                return None;
            }
            self.silent_since = None;
            return Some(LivenessChange::Returned { since, at: last });
        }
        let allowed_silence = self.allowed_silence(timeout)?;
        if !reachable || now.saturating_sub(last.max(self.running)) < allowed_silence {
            return None;
        }
        self.silent_since = Some(last);
        Some(LivenessChange::Silent { since: last, interval: self.interval() })
    }

    /// Returns the latest visit.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Whether a reported silence still lasts.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent_since.is_some()
    }

    /// Returns the longest time without a visit that is not reported; `None` while it is not known.
    fn allowed_silence(&self, timeout: EdgeTimeout) -> Option<Duration> {
        match timeout {
            EdgeTimeout::Off => None,
            EdgeTimeout::After(silence) => Some(silence),
            EdgeTimeout::Auto => Some((self.interval()? * MISSED_INTERVALS).max(MIN_SILENCE)),
        }
    }

    /// Returns the usual interval between visits: the median of the gaps, which a missed or doubled tick does not change.
    fn interval(&self) -> Option<Duration> {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|_| gaps.len() >= MIN_GAPS)
    }
}

#[cfg(test)]
mod tests;
