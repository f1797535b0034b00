//! Responses that Cloudflare gives at once in the place of a target that a Worker may not reach, such as one in a zone of its own account.
//!
//! Without the flag `global_fetch_strictly_public` (`wrangler.toml` sets it) a request to the zone of the Worker goes past Cloudflare to the
//! origin, and one to another Worker of the zone has none. Both end in a 522, 523 or 530, which says nothing of what visitors see.
//!
//! The rule: Cloudflare says so itself (codes 1019 and 1042); or the status is 522, 523 or 530 with a code that names no other cause, came
//! within [`AT_ONCE`] (for a real 522 Cloudflare waits 15 s and more for the connection), and the monitor has never been up since it exists. The
//! time is then unobserved, unless a region finds an outage. A monitor that was up before has an outage.

use std::time::Duration;

use crate::domain::check::verdict::CheckVerdict;
use crate::domain::{Failure, ProbeSkipped};

/// The longest time in which an answer counts as given at once.
pub const AT_ONCE: Duration = Duration::from_secs(2);

/// Returns why the edge could not probe, if an answer in the target's place may be due to its zone. `code` is the number in the body.
pub fn read_own_zone(status: u16, code: u16, by_cloudflare: bool, latency: Duration) -> Option<ProbeSkipped> {
    match (status, code) {
        _ if !by_cloudflare => None,
        // https://developers.cloudflare.com/workers/observability/errors/: too recursive, and another Worker of the same zone.
        (_, 1019 | 1042) => Some(ProbeSkipped::Forbidden),
        (522, 522) | (523, 523) | (530, 530) if latency < AT_ONCE => Some(ProbeSkipped::OwnZone(status)),
        _ => None,
    }
}

/// Returns the verdict of a monitor that may be in a zone of the same account. `was_up`: it has been up since it exists, so that its zone
/// is no reason.
pub fn settle_own_zone(verdict: CheckVerdict, was_up: bool) -> CheckVerdict {
    match verdict {
        CheckVerdict::Skipped(ProbeSkipped::OwnZone(status)) if was_up => {
            CheckVerdict::Failed(match status {
                522 => Failure::ConnectTimeout,
                523 => Failure::Unreachable,
                _ => Failure::Connection,
            })
        }
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cloudflare_answers_at_once_may_be_due_to_the_zone() {
        let (fast, slow) = (Duration::from_millis(40), Duration::from_secs(19));
        let own = |status| Some(ProbeSkipped::OwnZone(status));
        let cases = [
            ("at once", 522, 522, true, fast, own(522)),
            ("unreachable at once", 523, 523, true, fast, own(523)),
            ("a 530 without another cause", 530, 530, true, fast, own(530)),
            ("after a real timeout", 522, 522, true, slow, None),
            ("from another server", 522, 522, false, fast, None),
            ("a name that does not resolve", 530, 1016, true, fast, None),
            ("a tunnel that is down", 530, 1033, true, fast, None),
            ("the origin refuses", 521, 521, true, fast, None),
            ("a bad certificate", 526, 526, true, fast, None),
            ("another Worker of the zone", 404, 1042, true, fast, Some(ProbeSkipped::Forbidden)),
            ("the same Worker again", 530, 1019, true, slow, Some(ProbeSkipped::Forbidden)),
            ("a page that says so", 404, 1042, false, fast, None),
        ];
        for (name, status, code, by_cloudflare, latency, expected) in cases {
            assert_eq!(read_own_zone(status, code, by_cloudflare, latency), expected, "{name}");
        }
    }

    #[test]
    fn a_monitor_that_was_up_has_an_outage() {
        let verdict = CheckVerdict::Skipped(ProbeSkipped::OwnZone(522));
        assert_eq!(settle_own_zone(verdict, false), verdict);
        assert_eq!(settle_own_zone(verdict, true), CheckVerdict::Failed(Failure::ConnectTimeout));
        for other in [CheckVerdict::Up, CheckVerdict::Skipped(ProbeSkipped::Forbidden)] {
            assert_eq!(settle_own_zone(other, true), other);
        }
    }
}
