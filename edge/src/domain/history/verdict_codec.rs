//! Encodes verdicts as three numbers, as a tick's packed row stores them.

use crate::domain::check::body_encoding::BodyEncoding;
use crate::domain::check::failed_condition::FailedCondition;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::{Failure, ProbeSkipped};

/// The kind, the reason, and the reason's number.
pub type VerdictCode = (u8, u8, u64);

/// Encodes a verdict. A number that was stored is never given to another reason.
pub fn encode_verdict(verdict: CheckVerdict) -> VerdictCode {
    match verdict {
        CheckVerdict::Up => (0, 0, 0),
        CheckVerdict::Degraded(failure) => encode_failure(1, failure),
        CheckVerdict::Failed(failure) => encode_failure(2, failure),
        CheckVerdict::Skipped(ProbeSkipped::Budget) => (3, 0, 0),
        CheckVerdict::Skipped(ProbeSkipped::Platform) => (3, 1, 0),
        CheckVerdict::Skipped(ProbeSkipped::Secret) => (3, 2, 0),
        CheckVerdict::Skipped(ProbeSkipped::NoHeartbeatYet) => (3, 3, 0),
        CheckVerdict::Skipped(ProbeSkipped::EdgeOffline) => (3, 4, 0),
        CheckVerdict::Skipped(ProbeSkipped::Time) => (3, 5, 0),
        CheckVerdict::Skipped(ProbeSkipped::OwnZone(status)) => (3, 6, u64::from(status)),
        CheckVerdict::Skipped(ProbeSkipped::Forbidden) => (3, 7, 0),
    }
}

fn encode_failure(kind: u8, failure: Failure) -> VerdictCode {
    let (reason, number) = match failure {
        Failure::Dns => (0, 0),
        Failure::ConnectionRefused => (1, 0),
        Failure::Unreachable => (2, 0),
        Failure::Tls => (3, 0),
        Failure::ConnectTimeout => (4, 0),
        Failure::Timeout => (5, 0),
        Failure::BodyTimeout => (6, 0),
        Failure::ConnectionLost => (7, 0),
        Failure::NotHttp => (8, 0),
        Failure::RedirectLoop => (9, 0),
        Failure::TooManyRedirects => (10, 0),
        Failure::RedirectRefused => (11, 0),
        Failure::PrivateAddress => (12, 0),
        Failure::Status(status) => (13, u64::from(status)),
        Failure::NotJson => (14, 0),
        Failure::NotHealth => (15, 0),
        Failure::BodyTooLarge => (16, 0),
        Failure::Slow(ms) => (17, u64::from(ms)),
        // The condition itself is in the state and in the incident.
        Failure::Condition(_) => (18, 0),
        Failure::Connection => (19, 0),
        Failure::SignatureRejected => (20, 0),
        Failure::Unsigned => (21, 0),
        Failure::InvalidSignature => (22, 0),
        Failure::NotReport => (23, 0),
        Failure::JobMissed => (24, 0),
        Failure::JobTimedOut => (25, 0),
        Failure::Undecodable(encoding) => (27, encoding.number()),
        Failure::JobFailed(exit) => (26, exit.map_or(0, |exit| u64::from(exit) + 1)),
    };
    (kind, reason, number)
}

/// Decodes a verdict; `None` if no version writes these numbers.
pub fn decode_verdict((kind, reason, number): VerdictCode) -> Option<CheckVerdict> {
    Some(match kind {
        0 => CheckVerdict::Up,
        1 => CheckVerdict::Degraded(decode_failure(reason, number)?),
        2 => CheckVerdict::Failed(decode_failure(reason, number)?),
        3 if reason == 0 => CheckVerdict::Skipped(ProbeSkipped::Budget),
        3 if reason == 1 => CheckVerdict::Skipped(ProbeSkipped::Platform),
        3 if reason == 2 => CheckVerdict::Skipped(ProbeSkipped::Secret),
        3 if reason == 3 => CheckVerdict::Skipped(ProbeSkipped::NoHeartbeatYet),
        3 if reason == 4 => CheckVerdict::Skipped(ProbeSkipped::EdgeOffline),
        3 if reason == 5 => CheckVerdict::Skipped(ProbeSkipped::Time),
        3 if reason == 6 => CheckVerdict::Skipped(ProbeSkipped::OwnZone(u16::try_from(number).ok()?)),
        3 if reason == 7 => CheckVerdict::Skipped(ProbeSkipped::Forbidden),
        _ => return None,
    })
}

/// Decodes a failure; `None` if no version writes these numbers.
pub(crate) fn decode_failure(reason: u8, number: u64) -> Option<Failure> {
    Some(match reason {
        0 => Failure::Dns,
        1 => Failure::ConnectionRefused,
        2 => Failure::Unreachable,
        3 => Failure::Tls,
        4 => Failure::ConnectTimeout,
        5 => Failure::Timeout,
        6 => Failure::BodyTimeout,
        7 => Failure::ConnectionLost,
        8 => Failure::NotHttp,
        9 => Failure::RedirectLoop,
        10 => Failure::TooManyRedirects,
        11 => Failure::RedirectRefused,
        12 => Failure::PrivateAddress,
        13 => Failure::Status(u16::try_from(number).ok()?),
        14 => Failure::NotJson,
        15 => Failure::NotHealth,
        16 => Failure::BodyTooLarge,
        17 => Failure::Slow(u32::try_from(number).ok()?),
        18 => Failure::Condition(FailedCondition::new("")),
        19 => Failure::Connection,
        20 => Failure::SignatureRejected,
        21 => Failure::Unsigned,
        22 => Failure::InvalidSignature,
        23 => Failure::NotReport,
        24 => Failure::JobMissed,
        25 => Failure::JobTimedOut,
        27 => Failure::Undecodable(BodyEncoding::from_number(number)?),
        26 => Failure::JobFailed(number.checked_sub(1).map(u16::try_from).transpose().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_verdict_comes_back(kind in 0_u8..4, reason in 0_u8..28, number in 0_u64..70_000) {
            if let Some(verdict) = decode_verdict((kind, reason, number)) {
                prop_assert_eq!(decode_verdict(encode_verdict(verdict)), Some(verdict));
            }
        }
    }

    #[test]
    fn unknown_numbers_are_no_verdict() {
        for code in [(4, 0, 0), (3, 8, 0), (3, 6, 70_000), (2, 28, 0), (2, 27, 99)] {
            assert_eq!(decode_verdict(code), None, "{code:?}");
        }
    }
}
