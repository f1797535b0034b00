//! What the platform says when a request fails, as one of our own reasons.
//!
//! In production Cloudflare answers in the place of a target that it cannot reach: statuses 520 to 527 and 530
//! with the body `error code: NNNN`, see
//! <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/>.
//!
//! A workerd of one's own opens the connections itself and throws. There is no code to go by, only text, and
//! the text does not tell much: version 1.20261117 says `Network connection lost.` for a port that refuses as
//! for an answer that breaks off, and `internal error; reference = …` for a name that does not resolve as for
//! TLS that fails. There, a second look ([`super::tcp_fallback`]) tells them apart; in production the same texts mean
//! what they say. No text of the platform is ever shown.

use crate::domain::check::outcome::ProbeError;
use crate::domain::{Failure, ProbeSkipped};

/// What the text of an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// All there is to know.
    Reason(ProbeError),
    /// The connection is gone, or never was.
    Lost,
    /// Something inside the platform failed.
    Internal,
}

/// What a second look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody looked.
    NotTaken,
    /// A plain connection to the same host and port was made.
    Opened,
    /// Not even that.
    Closed,
}

/// What a second look needs to know of the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    /// Whether it asks for TLS.
    pub(super) secure: bool,
    /// Whether its host is a name, and not an IP address.
    pub(super) named: bool,
}

/// Reads the text of an error that `fetch` threw.
pub(super) fn read_error(text: &str) -> Said {
    let text = text.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(part, _)| text.contains(part));
    known.map_or(Said::Reason(ProbeError::Failed(Failure::Connection)), |(_, said)| *said)
}

const fn failed(failure: Failure) -> Said {
    Said::Reason(ProbeError::Failed(failure))
}

const fn blind(blindness: ProbeSkipped) -> Said {
    Said::Reason(ProbeError::Skipped(blindness))
}

/// Parts of texts, in lower case, in the order in which they are looked for. Beside today's: what older
/// versions of workerd said, and what <https://developers.cloudflare.com/workers/observability/errors/> lists.
const KNOWN: &[(&str, Said)] = &[
    ("too many subrequests", blind(ProbeSkipped::Budget)),
    ("to prevent deadlock", blind(ProbeSkipped::Budget)),
    ("connection limit", blind(ProbeSkipped::Budget)),
    ("connection lost", Said::Lost),
    ("disconnected", Said::Lost),
    ("internal error", Said::Internal),
    ("dns lookup failed", failed(Failure::Dns)),
    ("certificate", failed(Failure::Tls)),
    ("tls handshake", failed(Failure::Tls)),
    ("connection refused", failed(Failure::Refused)),
    ("unreachable", failed(Failure::Unreachable)),
    ("timed out", failed(Failure::Timeout)),
];

/// The reason, from what was said and what a second look found.
pub(super) fn conclude(said: Said, look: Look, address: Address) -> ProbeError {
    match (said, look) {
        (Said::Reason(missed), _) => missed,
        (Said::Lost, Look::NotTaken | Look::Opened) => Failure::Lost.into(),
        (Said::Lost, Look::Closed) => Failure::Refused.into(),
        (Said::Internal, Look::Closed) if address.named => Failure::Dns.into(),
        (Said::Internal, Look::Closed) => Failure::Connection.into(),
        (Said::Internal, Look::Opened) if address.secure => Failure::Tls.into(),
        (Said::Internal, Look::NotTaken | Look::Opened) => ProbeSkipped::Platform.into(),
    }
}

/// Whether Cloudflare answers with this status in the place of a target it could not reach.
pub(super) fn may_stand_in(status: u16) -> bool {
    matches!(status, 520..=527 | 530)
}

/// The reason behind an answer that Cloudflare gave in the target's place; `None` when the target gave it.
pub(super) fn read_stand_in(status: u16, body: &[u8]) -> Option<Failure> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let code: u16 = text.strip_prefix("error code: ")?.parse().ok()?;
    may_stand_in(status).then_some(match code {
        1002 | 1003 | 1034 => Failure::PrivateAddress,
        1000 | 1001 | 1016 | 1018 | 1023 => Failure::Dns,
        520 => Failure::Lost,
        521 => Failure::Refused,
        522 => Failure::ConnectTimeout,
        523 => Failure::Unreachable,
        524 => Failure::Timeout,
        525 | 526 => Failure::Tls,
        _ => Failure::Connection,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_workerd() {
        let cases = [
            ("Error: Network connection lost.", Said::Lost),
            ("Error: internal error; reference = je56pg85d5couh9mfcnf0con", Said::Internal),
            ("Error: Too many subrequests.", blind(ProbeSkipped::Budget)),
            ("Error: Too many subrequests by single Worker invocation.", blind(ProbeSkipped::Budget)),
            ("Error: Response closed due to connection limit", blind(ProbeSkipped::Budget)),
            ("Error: A stalled HTTP response was canceled to prevent deadlock.", blind(ProbeSkipped::Budget)),
            (
                "Error: TLS peer's certificate is not trusted; reason = self signed certificate",
                failed(Failure::Tls),
            ),
            ("Error: DNS lookup failed.", failed(Failure::Dns)),
            ("Error: connect(): Connection refused", failed(Failure::Refused)),
            ("TypeError: whatever comes next year", failed(Failure::Connection)),
            ("", failed(Failure::Connection)),
        ];
        for (text, said) in cases {
            assert_eq!(read_error(text), said, "{text}");
        }
    }

    #[test]
    fn a_second_look_tells_apart_what_sounds_alike() {
        use Look::{Closed, NotTaken, Opened};
        let (http, https) = (false, true);
        let cases: [(_, _, _, _, ProbeError); 10] = [
            (Said::Lost, NotTaken, http, true, Failure::Lost.into()),
            (Said::Lost, Opened, https, true, Failure::Lost.into()),
            (Said::Lost, Closed, http, false, Failure::Refused.into()),
            (Said::Internal, Closed, http, true, Failure::Dns.into()),
            (Said::Internal, Closed, https, true, Failure::Dns.into()),
            (Said::Internal, Closed, https, false, Failure::Connection.into()),
            (Said::Internal, Opened, https, true, Failure::Tls.into()),
            (Said::Internal, Opened, http, true, ProbeSkipped::Platform.into()),
            (Said::Internal, NotTaken, https, true, ProbeSkipped::Platform.into()),
            (failed(Failure::Tls), Closed, http, true, Failure::Tls.into()),
        ];
        for (said, look, secure, named, reason) in cases {
            let address = Address { secure, named };
            assert_eq!(conclude(said, look, address), reason, "{said:?} {look:?} {address:?}");
        }
    }

    #[test]
    fn cloudflare_stands_in_for_a_target_it_cannot_reach() {
        let cases: [(u16, &str, Option<Failure>); 10] = [
            (530, "error code: 1016", Some(Failure::Dns)),
            (530, "error code: 1016\n", Some(Failure::Dns)),
            (530, "error code: 1099", Some(Failure::Connection)),
            (521, "error code: 521", Some(Failure::Refused)),
            (522, "error code: 522", Some(Failure::ConnectTimeout)),
            (525, "error code: 525", Some(Failure::Tls)),
            (530, "<html>our own page for a 530</html>", None),
            (521, "", None),
            (500, "error code: 1016", None),
            (200, "error code: 521", None),
        ];
        for (status, body, failure) in cases {
            assert_eq!(read_stand_in(status, body.as_bytes()), failure, "{status} {body}");
        }
        assert_eq!(read_stand_in(521, b"error code: \xff"), None);
    }
}
