//! Errors of the platform's `fetch` and `connect` as failures of the probe.
//!
//! In production Cloudflare responds in the place of a target that it cannot reach, with a status of 520 to 527 or 530 and the
//! body `error code: NNNN`, see
//! <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/>.
//!
//! A self-hosted workerd opens the connections itself and throws. There is no code, only a text, and the text is ambiguous: version
//! 1.20261117 says `Network connection lost.` both for a refused port and for a response that breaks off, and `internal error;
//! reference = …` both for a name that does not resolve and for TLS that fails. There, a TCP connection ([`super::tcp`]) tells them
//! apart; in production the same texts are unambiguous. No text of the platform is ever shown.

use crate::domain::check::body_encoding::BodyEncoding;
use crate::domain::check::outcome::ProbeError;
use crate::domain::{Failure, ProbeSkipped};

/// An error as far as its text explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchError {
    /// The text says why.
    Known(ProbeError),
    /// The connection was lost, or was never made.
    ConnectionLost,
    /// Something inside the platform failed.
    Internal,
}

impl FetchError {
    /// Whether the text says why, so that no TCP connection is needed.
    pub(super) fn is_known(self) -> bool {
        matches!(self, FetchError::Known(_))
    }
}

/// The result of a TCP connection to the host and port of a target that `fetch` could not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TcpCheck {
    /// No connection was tried, or it took too long.
    Skipped,
    /// The connection was made.
    Connected {
        /// Whether the target uses TLS.
        is_tls: bool,
    },
    /// The connection was not made.
    Failed {
        /// Whether the host is a name, and not an IP address.
        is_named: bool,
    },
}

/// Classifies the text of an error.
pub(super) fn classify_error(text: &str) -> FetchError {
    let text = text.to_ascii_lowercase();
    let known = TEXTS.iter().find(|(part, _)| text.contains(part));
    known.map_or(FetchError::Known(ProbeError::Failed(Failure::Connection)), |(_, error)| *error)
}

const fn failed(failure: Failure) -> FetchError {
    FetchError::Known(ProbeError::Failed(failure))
}

const fn skipped(reason: ProbeSkipped) -> FetchError {
    FetchError::Known(ProbeError::Skipped(reason))
}

/// Parts of texts in lower case; the first that matches decides. Besides those of today: what older versions of workerd said, and
/// what <https://developers.cloudflare.com/workers/observability/errors/> lists.
const TEXTS: &[(&str, FetchError)] = &[
    ("too many subrequests", skipped(ProbeSkipped::Budget)),
    ("to prevent deadlock", skipped(ProbeSkipped::Budget)),
    ("connection limit", skipped(ProbeSkipped::Budget)),
    ("loop detected", skipped(ProbeSkipped::Forbidden)),
    ("connection lost", FetchError::ConnectionLost),
    ("disconnected", FetchError::ConnectionLost),
    ("gzip decompression", failed(Failure::Undecodable(BodyEncoding::Gzip))),
    ("decompression", failed(Failure::Undecodable(BodyEncoding::Other))),
    ("internal error", FetchError::Internal),
    ("dns lookup failed", failed(Failure::Dns)),
    ("certificate", failed(Failure::Tls)),
    ("tls handshake", failed(Failure::Tls)),
    ("connection refused", failed(Failure::ConnectionRefused)),
    ("unreachable", failed(Failure::Unreachable)),
    ("timed out", failed(Failure::Timeout)),
];

/// Explains an error by its text and the result of a TCP connection.
pub(super) fn explain_error(error: FetchError, check: TcpCheck) -> ProbeError {
    match (error, check) {
        (FetchError::Known(reason), _) => reason,
        (FetchError::ConnectionLost, TcpCheck::Skipped | TcpCheck::Connected { .. }) => {
            Failure::ConnectionLost.into()
        }
        (FetchError::ConnectionLost, TcpCheck::Failed { .. }) => Failure::ConnectionRefused.into(),
        (FetchError::Internal, TcpCheck::Failed { is_named: true }) => Failure::Dns.into(),
        (FetchError::Internal, TcpCheck::Failed { is_named: false }) => Failure::Connection.into(),
        (FetchError::Internal, TcpCheck::Connected { is_tls: true }) => Failure::Tls.into(),
        (FetchError::Internal, TcpCheck::Skipped | TcpCheck::Connected { is_tls: false }) => {
            ProbeSkipped::Platform.into()
        }
    }
}

/// Whether Cloudflare responds with this status in the place of a target that it cannot reach.
pub(super) fn is_gateway_status(status: u16) -> bool {
    matches!(status, 520..=527 | 530)
}

/// Returns the number of an error that Cloudflare names in the target's place.
pub(super) fn read_error_code(body: &[u8]) -> Option<u16> {
    std::str::from_utf8(body).ok()?.trim().strip_prefix("error code: ")?.parse().ok()
}

/// Returns the reason of a response that Cloudflare gave in the target's place; `None` if the target gave it.
pub(super) fn read_gateway_error(status: u16, code: u16) -> Option<Failure> {
    is_gateway_status(status).then_some(match code {
        1002 | 1003 | 1034 => Failure::PrivateAddress,
        1000 | 1001 | 1016 | 1018 | 1023 => Failure::Dns,
        520 => Failure::ConnectionLost,
        521 => Failure::ConnectionRefused,
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
    fn texts_of_workerd_are_classified() {
        let cases = [
            ("Error: Network connection lost.", FetchError::ConnectionLost),
            ("Error: internal error; reference = je56pg85d5couh9mfcnf0con", FetchError::Internal),
            ("Error: Too many subrequests.", skipped(ProbeSkipped::Budget)),
            ("Error: Too many subrequests by single Worker invocation.", skipped(ProbeSkipped::Budget)),
            ("Error: Response closed due to connection limit", skipped(ProbeSkipped::Budget)),
            (
                "Error: A stalled HTTP response was canceled to prevent deadlock.",
                skipped(ProbeSkipped::Budget),
            ),
            (
                "Error: TLS peer's certificate is not trusted; reason = self signed certificate",
                failed(Failure::Tls),
            ),
            ("TypeError: Gzip decompression failed.", failed(Failure::Undecodable(BodyEncoding::Gzip))),
            // Also of a port that refuses, so that it is no proof that the platform forbids the address.
            (
                "Error: proxy request failed, cannot connect to the specified address",
                failed(Failure::Connection),
            ),
            ("Error: TCP Loop detected", skipped(ProbeSkipped::Forbidden)),
            ("Error: DNS lookup failed.", failed(Failure::Dns)),
            ("Error: connect(): Connection refused", failed(Failure::ConnectionRefused)),
            ("TypeError: whatever comes next year", failed(Failure::Connection)),
            ("", failed(Failure::Connection)),
        ];
        for (text, error) in cases {
            assert_eq!(classify_error(text), error, "{text}");
        }
    }

    #[test]
    fn a_tcp_connection_tells_ambiguous_errors_apart() {
        use FetchError::{ConnectionLost, Internal};
        use TcpCheck::{Connected, Failed, Skipped};
        let cases: [(_, _, ProbeError); 10] = [
            (ConnectionLost, Skipped, Failure::ConnectionLost.into()),
            (ConnectionLost, Connected { is_tls: true }, Failure::ConnectionLost.into()),
            (ConnectionLost, Failed { is_named: false }, Failure::ConnectionRefused.into()),
            (ConnectionLost, Failed { is_named: true }, Failure::ConnectionRefused.into()),
            (Internal, Failed { is_named: true }, Failure::Dns.into()),
            (Internal, Failed { is_named: false }, Failure::Connection.into()),
            (Internal, Connected { is_tls: true }, Failure::Tls.into()),
            (Internal, Connected { is_tls: false }, ProbeSkipped::Platform.into()),
            (Internal, Skipped, ProbeSkipped::Platform.into()),
            (failed(Failure::Tls), Failed { is_named: true }, Failure::Tls.into()),
        ];
        for (error, check, reason) in cases {
            assert_eq!(explain_error(error, check), reason, "{error:?} {check:?}");
        }
    }

    #[test]
    fn responses_of_cloudflare_in_the_targets_place_are_recognized() {
        let cases: [(u16, &str, Option<Failure>); 10] = [
            (530, "error code: 1016", Some(Failure::Dns)),
            (530, "error code: 1016\n", Some(Failure::Dns)),
            (530, "error code: 1099", Some(Failure::Connection)),
            (521, "error code: 521", Some(Failure::ConnectionRefused)),
            (522, "error code: 522", Some(Failure::ConnectTimeout)),
            (525, "error code: 525", Some(Failure::Tls)),
            (530, "<html>our own page for a 530</html>", None),
            (521, "", None),
            (500, "error code: 1016", None),
            (200, "error code: 521", None),
        ];
        for (status, body, failure) in cases {
            let code = read_error_code(body.as_bytes());
            assert_eq!(code.and_then(|code| read_gateway_error(status, code)), failure, "{status} {body}");
        }
        assert_eq!(read_error_code(b"error code: \xff"), None);
    }
}
