//! Watches the watcher: when the edge should have come, and did not.
//!
//! A *visit* is a signed `GET /health` of somebody who keeps coming, which is the edge; `check-memory` says by its user
//! agent that it is a person's. How often visits come is learned from those that came. Nobody is missed who never came, and
//! nothing is judged while this process could not have been visited: because it was stopped, or its replacement is.
//! Pure; times are the process's age, which cannot jump.

mod notify;
#[cfg(not(feature = "webhook"))]
mod webhook_absent;
#[cfg(feature = "webhook")]
mod webhook_sender;

#[cfg(not(feature = "webhook"))]
use webhook_absent as webhook_sender;

use std::time::Duration;

pub(crate) use notify::{EdgeLiveness, EdgeVisits};

use crate::config::EdgeSilence;

/// Visits closer together than this are one: the edge may come from several regions in the same tick.
const TOGETHER: Duration = Duration::from_secs(30);

/// Gaps between visits that are remembered.
const REMEMBERED: usize = 9;

/// Gaps that it takes to say how often visits come.
const ENOUGH: usize = 3;

/// So many intervals without a visit are a silence: a cron tick may be late or missing.
const INTERVALS: u32 = 3;

/// The shortest silence that is told of, where its length is learned.
const SHORTEST: Duration = Duration::from_secs(180);

/// The longest interval that is learned: what a monitor of the edge may have.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Time between two looks beyond which this process was not running: the sampler looks once a minute at least.
const STOPPED: Duration = Duration::from_secs(120);

/// What is known of the edge's visits.
#[derive(Clone, Debug, Default)]
pub(crate) struct VisitTracker {
    /// The visit that the next gap is measured from.
    counted: Option<Duration>,
    /// The latest visit.
    last: Option<Duration>,
    /// Gaps between visits, oldest first.
    gaps: Vec<Duration>,
    /// The last visit before the silence that was told of, while that lasts.
    silent_since: Option<Duration>,
    looked: Duration,
    /// From when on this process runs without a break.
    running: Duration,
}

/// What is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LivenessChange {
    /// The edge should have come.
    Silent {
        /// Its last visit.
        since: Duration,
        /// How often it came before, where that was learned.
        every: Option<Duration>,
    },
    /// It came again.
    Back {
        /// Its last visit before the silence.
        since: Duration,
        /// Its first visit after it.
        at: Duration,
    },
}

impl VisitTracker {
    /// Notes a visit.
    pub(crate) fn visit(&mut self, now: Duration) {
        self.last = Some(now);
        match self.counted {
            Some(counted) if now.saturating_sub(counted) < TOGETHER => return,
            Some(counted) => {
                if self.gaps.len() == REMEMBERED {
                    self.gaps.remove(0);
                }
                self.gaps.push(now.saturating_sub(counted).min(LONGEST));
            }
            None => {}
        }
        self.counted = Some(now);
    }

    /// Looks whether the edge is silent, or was. `reachable` is whether visits would come to this process at all.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        reachable: bool,
        patience: EdgeSilence,
    ) -> Option<LivenessChange> {
        if now.saturating_sub(self.looked) > STOPPED {
            self.running = now;
        }
        self.looked = now;
        let last = self.last?;
        if let Some(since) = self.silent_since {
            if last == since {
                return None;
            }
            self.silent_since = None;
            return Some(LivenessChange::Back { since, at: last });
        }
        let allowed = self.allowed(patience)?;
        if !reachable || now.saturating_sub(last.max(self.running)) < allowed {
            return None;
        }
        self.silent_since = Some(last);
        Some(LivenessChange::Silent { since: last, every: self.every() })
    }

    /// The latest visit.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Whether a silence was told of that still lasts.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent_since.is_some()
    }

    /// How long it may be silent; `None` as long as that is not known.
    fn allowed(&self, patience: EdgeSilence) -> Option<Duration> {
        match patience {
            EdgeSilence::Off => None,
            EdgeSilence::After(silence) => Some(silence),
            EdgeSilence::Auto => Some((self.every()? * INTERVALS).max(SHORTEST)),
        }
    }

    /// How often it comes: the median of the gaps, which a tick that was missed or doubled does not move.
    fn every(&self) -> Option<Duration> {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|_| gaps.len() >= ENOUGH)
    }
}

#[cfg(test)]
mod tests;
