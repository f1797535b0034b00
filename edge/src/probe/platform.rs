//! What the platform says when a request fails, as one of our own reasons.
//!
//! There is no code to go by, only text; which texts is tried against real broken servers in workerd (the
//! tests name the version). In production Cloudflare answers in the target's place: statuses 520 to 527 and 530
//! with the body `error code: NNNN`, see
//! <https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/>.
//! A text that is not known is `the connection failed`; it is never shown.

use crate::watch::answer::Missed;
use crate::watch::{Blindness, Failure};

/// The reason behind an error that `fetch` threw.
pub fn classify_error(message: &str) -> Missed {
    let message = message.to_ascii_lowercase();
    let has = |needle: &str| message.contains(needle);
    if has("too many subrequests") || has("subrequest limit") {
        return Blindness::Budget.into();
    }
    for (needle, failure) in KNOWN {
        if has(needle) {
            return (*failure).into();
        }
    }
    Failure::Connection.into()
}

/// Parts of messages, lower case, in the order in which they are looked for.
const KNOWN: &[(&str, Failure)] = &[
    ("dns", Failure::Dns),
    ("name or service not known", Failure::Dns),
    ("refused", Failure::Refused),
    ("unreachable", Failure::Unreachable),
    ("no route to host", Failure::Unreachable),
    ("tls", Failure::Tls),
    ("ssl", Failure::Tls),
    ("certificate", Failure::Tls),
    ("handshake", Failure::Tls),
    ("timed out", Failure::Timeout),
    ("timeout", Failure::Timeout),
    ("connection lost", Failure::Lost),
    ("disconnected", Failure::Lost),
    ("reset", Failure::Lost),
    ("prematurely", Failure::Lost),
    ("http", Failure::NotHttp),
];

/// Whether Cloudflare answers with this status in the place of a target it could not reach.
pub(super) fn may_stand_in(status: u16) -> bool {
    matches!(status, 520..=527 | 530)
}

/// The reason behind an answer that Cloudflare gave in the target's place; `None` when the target gave it.
pub fn classify_stand_in(status: u16, body: &[u8]) -> Option<Failure> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let code: u16 = text.strip_prefix("error code: ")?.parse().ok()?;
    if !may_stand_in(status) {
        return None;
    }
    Some(match code {
        1000..=1004 | 1034 => Failure::PrivateAddress,
        1016 | 1018 | 1023 => Failure::Dns,
        520 => Failure::NotHttp,
        521 => Failure::Refused,
        522 => Failure::ConnectTimeout,
        523 => Failure::Unreachable,
        524 => Failure::Timeout,
        525 | 526 => Failure::Tls,
        _ => Failure::Connection,
    })
}
