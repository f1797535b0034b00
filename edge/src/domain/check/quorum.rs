//! The majority verdict on a monitor that is also probed from other regions.
//!
//! With every probe of such a monitor, a Durable Object in each of its regions probes it as well. The hub's own probe and every
//! region that could probe have one vote each, and the monitor is down if more than half of them failed. If fewer failed it is
//! degraded, and the verdict of each region is shown. A region that does not respond, or could not probe, has no vote. If the hub
//! itself could not probe, the regions decide.

use serde::{Deserialize, Serialize};

use crate::domain::check::state::State;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::MonitorId;

/// The verdict from one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionVerdict {
    /// The region, one of [`crate::monitor_config::REGIONS`].
    pub region: &'static str,
    /// The verdict; `None` if the region did not respond.
    pub verdict: Option<CheckVerdict>,
    /// The latency measured there, in milliseconds.
    pub latency_ms: Option<u32>,
}

/// The result of a probe of one monitor from a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionResult {
    /// The monitor.
    pub monitor: MonitorId,
    /// The verdict.
    pub verdict: CheckVerdict,
    /// The latency measured there, in milliseconds.
    pub latency_ms: Option<u32>,
    /// How many requests the next probe needs there.
    pub requests: u32,
}

impl RegionVerdict {
    /// The state that the verdict stands for.
    pub fn state(&self) -> State {
        match self.verdict {
            Some(CheckVerdict::Up) => State::Up,
            Some(CheckVerdict::Degraded(_)) => State::Degraded,
            Some(CheckVerdict::Failed(_)) => State::Down,
            Some(CheckVerdict::Skipped(_)) | None => State::Unobserved,
        }
    }
}

/// Whether only the hub can decide: regions probe without a signature, and a monitor whose secret is missing is not probed.
fn is_decided_by_hub(verdict: CheckVerdict) -> bool {
    matches!(
        verdict,
        CheckVerdict::Failed(
            Failure::SignatureRejected | Failure::Unsigned | Failure::InvalidSignature | Failure::NotReport
        ) | CheckVerdict::Skipped(ProbeSkipped::Secret | ProbeSkipped::NoHeartbeatYet)
    )
}

/// Combines the hub's `own` verdict with those of the regions.
pub fn combine_verdicts(own: CheckVerdict, regions: &[RegionVerdict]) -> CheckVerdict {
    let all = || regions.iter().filter_map(|region| region.verdict).chain([own]);
    let votes = all().filter(|verdict| !matches!(verdict, CheckVerdict::Skipped(_))).count();
    if is_decided_by_hub(own) || votes == 0 {
        return own;
    }
    let failures = all().filter(|verdict| matches!(verdict, CheckVerdict::Failed(_))).count();
    // The hub's own reason comes first, as its figures belong to it.
    let reason = [own].into_iter().chain(all()).find_map(|verdict| match verdict {
        CheckVerdict::Failed(failure) => Some(failure),
        _ => None,
    });
    match (reason, own) {
        (Some(failure), _) if failures * 2 > votes => CheckVerdict::Failed(failure),
        (_, CheckVerdict::Degraded(_)) => own,
        (Some(failure), _) => CheckVerdict::Degraded(failure),
        (None, CheckVerdict::Skipped(_)) => {
            all().find(|verdict| matches!(verdict, CheckVerdict::Degraded(_))).unwrap_or(CheckVerdict::Up)
        }
        (None, _) => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor_config::REGIONS;

    const FAILED: CheckVerdict = CheckVerdict::Failed(Failure::Status(503));
    const REFUSED: CheckVerdict = CheckVerdict::Failed(Failure::ConnectionRefused);
    const SLOW: CheckVerdict = CheckVerdict::Degraded(Failure::Slow(900));
    const SKIPPED: CheckVerdict = CheckVerdict::Skipped(ProbeSkipped::EdgeOffline);

    fn regions(verdicts: &[Option<CheckVerdict>]) -> Vec<RegionVerdict> {
        let region_verdict = |(verdict, region): (&Option<CheckVerdict>, _)| RegionVerdict {
            region,
            verdict: *verdict,
            latency_ms: None,
        };
        verdicts.iter().zip(REGIONS).map(region_verdict).collect()
    }

    #[test]
    fn down_takes_more_than_half_of_the_votes() {
        use CheckVerdict::Up;
        let degraded = CheckVerdict::Degraded(Failure::Status(503));
        let cases: [(&str, CheckVerdict, &[Option<CheckVerdict>], CheckVerdict); 18] = [
            ("no region was asked", FAILED, &[], FAILED),
            ("all agree that it is up", Up, &[Some(Up), Some(Up)], Up),
            ("all agree that it is down", REFUSED, &[Some(FAILED), Some(FAILED)], REFUSED),
            ("the hub alone fails", FAILED, &[Some(Up), Some(Up)], degraded),
            ("one region alone fails", Up, &[Some(Up), Some(FAILED)], degraded),
            ("two of three fail, not the hub", Up, &[Some(FAILED), Some(REFUSED)], FAILED),
            ("two of three fail, the hub with them", REFUSED, &[Some(FAILED), Some(Up)], REFUSED),
            ("a tie is no majority", FAILED, &[Some(Up)], degraded),
            ("two of four are no majority", FAILED, &[Some(FAILED), Some(Up), Some(Up)], degraded),
            ("three of five are one", Up, &[Some(FAILED), Some(FAILED), Some(FAILED), Some(Up)], FAILED),
            ("a region that is silent has no vote", FAILED, &[None, Some(SKIPPED)], FAILED),
            ("one silent, one up: a tie", FAILED, &[None, Some(Up)], degraded),
            ("slow is up", FAILED, &[Some(SLOW), Some(Up)], degraded),
            ("slow stays slow", SLOW, &[Some(FAILED), Some(Up)], SLOW),
            ("a hub that could not probe follows the regions", SKIPPED, &[Some(Up), Some(Up)], Up),
            ("also if they fail", SKIPPED, &[Some(FAILED), Some(FAILED)], FAILED),
            ("and if it is slow for them", SKIPPED, &[Some(Up), Some(SLOW)], SLOW),
            ("nobody could probe", SKIPPED, &[None, Some(SKIPPED)], SKIPPED),
        ];
        for (name, own, verdicts, expected) in cases {
            assert_eq!(combine_verdicts(own, &regions(verdicts)), expected, "{name}");
        }
    }

    #[test]
    fn what_only_the_hub_can_prove_is_not_outvoted() {
        let up = regions(&[Some(CheckVerdict::Up), Some(CheckVerdict::Up), Some(CheckVerdict::Up)]);
        for own in [
            CheckVerdict::Failed(Failure::InvalidSignature),
            CheckVerdict::Failed(Failure::Unsigned),
            CheckVerdict::Failed(Failure::SignatureRejected),
            CheckVerdict::Failed(Failure::NotReport),
            CheckVerdict::Skipped(ProbeSkipped::Secret),
        ] {
            assert_eq!(combine_verdicts(own, &up), own);
        }
    }
}
