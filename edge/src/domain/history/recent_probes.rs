//! The probes of about the last day, in memory: what is asked about them reads no row of the store.

use std::collections::VecDeque;

use heapbeat_shared::UnixMillis;

use crate::domain::check::verdict::{CheckVerdict, Evaluation};
use crate::domain::history::latency::{LatencyAccumulator, LatencySummary};

/// The most probes that are kept of one monitor: a little more than a day at one probe per minute, and two hours at one every 5 s.
pub const MAX_PROBES: usize = 1536;

/// The latency of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyProbe {
    /// The tick.
    pub at: UnixMillis,
    /// The latency in milliseconds; `None` if there was no response.
    pub latency_ms: Option<u32>,
    /// Whether the probe failed.
    pub failed: bool,
}

/// The last probes of one monitor, oldest first, without those that were skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentProbes {
    probes: VecDeque<LatencyProbe>,
    /// Whether older probes were left out.
    is_cut: bool,
}

impl RecentProbes {
    /// Adds a probe; probes come oldest first.
    pub fn add(&mut self, at: UnixMillis, evaluation: &Evaluation) {
        if matches!(evaluation.verdict, CheckVerdict::Skipped(_)) {
            return;
        }
        let failed = matches!(evaluation.verdict, CheckVerdict::Failed(_));
        self.probes.push_back(LatencyProbe { at, latency_ms: evaluation.latency_ms, failed });
        if self.probes.len() > MAX_PROBES {
            self.probes.pop_front();
            self.is_cut = true;
        }
    }

    /// Returns the probes from `from` (inclusive) to `to` (exclusive), oldest first.
    pub fn between(&self, from: UnixMillis, to: UnixMillis) -> impl Iterator<Item = &LatencyProbe> {
        let begin = self.probes.partition_point(|probe| probe.at < from);
        self.probes.range(begin..).take_while(move |probe| probe.at < to)
    }

    /// Summarizes the probes from `from` to `to`; `None` without a probe.
    pub fn summarize(&self, from: UnixMillis, to: UnixMillis) -> Option<LatencySummary> {
        let mut hour = LatencyAccumulator::default();
        self.between(from, to).for_each(|probe| hour.add_probe(probe.latency_ms, probe.failed));
        hour.summarize()
    }

    /// Returns the oldest probe that is kept if older ones were left out.
    pub fn cut_at(&self) -> Option<UnixMillis> {
        self.probes.front().filter(|_| self.is_cut).map(|first| first.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Failure, ProbeSkipped};

    fn evaluation(verdict: CheckVerdict, latency_ms: Option<u32>) -> Evaluation {
        Evaluation { verdict, latency_ms, health: None }
    }

    #[test]
    fn the_last_probes_are_kept_and_summarized() {
        let minute = |n: usize| UnixMillis(i64::try_from(n).unwrap() * 60_000);
        let mut recent = RecentProbes::default();
        for n in 0..MAX_PROBES {
            recent.add(minute(n), &evaluation(CheckVerdict::Up, Some(u32::try_from(n).unwrap())));
        }
        recent.add(minute(MAX_PROBES), &evaluation(CheckVerdict::Skipped(ProbeSkipped::Budget), None));
        assert_eq!(recent.cut_at(), None);
        let down = CheckVerdict::Failed(Failure::ConnectionRefused);
        recent.add(minute(MAX_PROBES + 1), &evaluation(down, None));
        assert_eq!(recent.cut_at(), Some(minute(1)));
        let found: Vec<_> = recent.between(minute(3), minute(5)).map(|probe| probe.latency_ms).collect();
        assert_eq!(found, [Some(3), Some(4)]);
        let hour = recent.summarize(minute(MAX_PROBES - 1), minute(MAX_PROBES + 2));
        assert_eq!(hour, Some([Some(1535), Some(1535), Some(1535), Some(2), Some(1)]));
        assert_eq!(recent.summarize(minute(9000), minute(9001)), None);
    }
}
