//! What others saw of a monitor, from elsewhere, and what all of that comes to.
//!
//! A monitor with regions is asked from each of them with every probe, by an eye: an object of ours that lives there. The hub's
//! own probe is one voice, each eye that could look is another, and down is what more than half of them say. Where fewer do, it
//! serves some of those who ask: degraded, and it is shown who says what. An eye that does not answer, or cannot see, has no
//! voice; what the hub could not see itself, the others decide.

use serde::{Deserialize, Serialize};

use crate::config::MonitorId;
use crate::domain::check::state::State;
use crate::domain::check::verdict::Verdict;
use crate::domain::{Failure, ProbeSkipped};

/// What one eye found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionVerdict {
    /// Where it is, of [`crate::config::REGIONS`].
    pub region: &'static str,
    /// What it found; `None` where nothing was heard of it.
    pub verdict: Option<Verdict>,
    /// How long the answer took there, in milliseconds.
    pub latency_ms: Option<u32>,
}

/// What a probe of one monitor from a region found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionResult {
    /// The monitor.
    pub monitor: MonitorId,
    /// The verdict.
    pub verdict: Verdict,
    /// How long the answer took there, in milliseconds.
    pub latency_ms: Option<u32>,
}

impl RegionVerdict {
    /// The state that it speaks for.
    pub fn state(&self) -> State {
        match self.verdict {
            Some(Verdict::Up) => State::Up,
            Some(Verdict::Degraded(_)) => State::Degraded,
            Some(Verdict::Failed(_)) => State::Down,
            Some(Verdict::Skipped(_)) | None => State::Unobserved,
        }
    }
}

/// Whether only the hub can judge: eyes ask without a signature, and without a secret there is nothing to ask.
fn is_its_own(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Failed(Failure::SecretRefused | Failure::Unsigned | Failure::Forged | Failure::NotReport)
            | Verdict::Skipped(ProbeSkipped::Secret | ProbeSkipped::NoHeartbeatYet)
    )
}

/// What the hub's `own` verdict and those of the eyes come to.
pub fn outcome(own: Verdict, voices: &[RegionVerdict]) -> Verdict {
    let said = || voices.iter().filter_map(|voice| voice.verdict).chain([own]);
    let heard = said().filter(|verdict| !matches!(verdict, Verdict::Skipped(_))).count();
    if is_its_own(own) || heard == 0 {
        return own;
    }
    let failures = said().filter(|verdict| matches!(verdict, Verdict::Failed(_))).count();
    // The hub's own reason where it has one: the rest of what it knows goes with that.
    let reason = [own].into_iter().chain(said()).find_map(|verdict| match verdict {
        Verdict::Failed(failure) => Some(failure),
        _ => None,
    });
    match (reason, own) {
        (Some(failure), _) if failures * 2 > heard => Verdict::Failed(failure),
        (_, Verdict::Degraded(_)) => own,
        (Some(failure), _) => Verdict::Degraded(failure),
        (None, Verdict::Skipped(_)) => {
            said().find(|verdict| matches!(verdict, Verdict::Degraded(_))).unwrap_or(Verdict::Up)
        }
        (None, _) => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::REGIONS;

    const FAILED: Verdict = Verdict::Failed(Failure::Status(503));
    const REFUSED: Verdict = Verdict::Failed(Failure::Refused);
    const SLOW: Verdict = Verdict::Degraded(Failure::Slow(900));
    const BLIND: Verdict = Verdict::Skipped(ProbeSkipped::EdgeOffline);

    fn voices(verdicts: &[Option<Verdict>]) -> Vec<RegionVerdict> {
        let voice = |(verdict, region): (&Option<Verdict>, _)| RegionVerdict {
            region,
            verdict: *verdict,
            latency_ms: None,
        };
        verdicts.iter().zip(REGIONS).map(voice).collect()
    }

    #[test]
    fn down_is_what_more_than_half_say() {
        use Verdict::Up;
        let degraded = Verdict::Degraded(Failure::Status(503));
        let cases: [(&str, Verdict, &[Option<Verdict>], Verdict); 18] = [
            ("nobody else was asked", FAILED, &[], FAILED),
            ("all agree that it is up", Up, &[Some(Up), Some(Up)], Up),
            ("all agree that it is down", REFUSED, &[Some(FAILED), Some(FAILED)], REFUSED),
            ("the hub alone fails", FAILED, &[Some(Up), Some(Up)], degraded),
            ("an eye alone fails", Up, &[Some(Up), Some(FAILED)], degraded),
            ("two of three fail, not the hub", Up, &[Some(FAILED), Some(REFUSED)], FAILED),
            ("two of three fail, the hub with them", REFUSED, &[Some(FAILED), Some(Up)], REFUSED),
            ("a tie is no majority", FAILED, &[Some(Up)], degraded),
            ("two of four are no majority", FAILED, &[Some(FAILED), Some(Up), Some(Up)], degraded),
            ("three of five are one", Up, &[Some(FAILED), Some(FAILED), Some(FAILED), Some(Up)], FAILED),
            ("an eye that is silent has no voice", FAILED, &[None, Some(BLIND)], FAILED),
            ("one silent, one up: a tie", FAILED, &[None, Some(Up)], degraded),
            ("slow is up", FAILED, &[Some(SLOW), Some(Up)], degraded),
            ("slow stays slow", SLOW, &[Some(FAILED), Some(Up)], SLOW),
            ("a blind hub hears the others", BLIND, &[Some(Up), Some(Up)], Up),
            ("and believes the worse news, too", BLIND, &[Some(FAILED), Some(FAILED)], FAILED),
            ("and what is slow to them", BLIND, &[Some(Up), Some(SLOW)], SLOW),
            ("nobody saw anything", BLIND, &[None, Some(BLIND)], BLIND),
        ];
        for (name, own, said, expected) in cases {
            assert_eq!(outcome(own, &voices(said)), expected, "{name}");
        }
    }

    #[test]
    fn what_only_the_hub_can_prove_is_not_outvoted() {
        let up = voices(&[Some(Verdict::Up), Some(Verdict::Up), Some(Verdict::Up)]);
        for own in [
            Verdict::Failed(Failure::Forged),
            Verdict::Failed(Failure::Unsigned),
            Verdict::Failed(Failure::SecretRefused),
            Verdict::Failed(Failure::NotReport),
            Verdict::Skipped(ProbeSkipped::Secret),
        ] {
            assert_eq!(outcome(own, &up), own);
        }
    }
}
