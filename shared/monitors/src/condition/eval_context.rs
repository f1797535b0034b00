//! The outcome of a probe that conditions are evaluated on.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value;

use super::header::ObservedHeaders;

/// The byte order mark of UTF-8, which some programs write before JSON.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Most characters of a body that is not JSON in a description.
const MAX_BEGINNING: usize = 24;

/// The outcome of one probe. Without a connection the status is 0, as in Gatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'b> {
    /// Whether the target responded.
    pub connected: bool,
    /// The HTTP status, after redirects.
    pub status: u16,
    /// The time from the first request to the header of the last response.
    pub duration: Duration,
    /// The body of the response.
    pub body: ObservedBody<'b>,
}

/// The body of a response, if conditions can be evaluated on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservedBody<'b> {
    /// The whole body; empty if there was none.
    Whole(&'b [u8]),
    /// The body is too large, or cannot be decoded. No condition on it holds.
    Unusable,
}

impl Outcome<'_> {
    /// The target did not respond.
    pub const UNREACHED: Outcome<'static> =
        Outcome { connected: false, status: 0, duration: Duration::ZERO, body: ObservedBody::Whole(b"") };

    /// Returns the duration in milliseconds.
    pub fn millis(&self) -> u32 {
        u32::try_from(self.duration.as_millis()).unwrap_or(u32::MAX)
    }
}

/// An outcome that conditions are evaluated on. The body is parsed as JSON at most once for all of them, when the first one needs it.
#[derive(Debug)]
pub struct EvalContext<'b> {
    /// The outcome of the probe.
    pub outcome: Outcome<'b>,
    headers: Option<&'b ObservedHeaders>,
    dns_rcode: Option<&'b str>,
    domain_expiration: Option<i64>,
    json: OnceCell<Option<Value>>,
}

impl<'b> EvalContext<'b> {
    /// Makes the context of an outcome.
    pub fn new(outcome: Outcome<'b>) -> Self {
        EvalContext {
            outcome,
            headers: None,
            dns_rcode: None,
            domain_expiration: None,
            json: OnceCell::new(),
        }
    }

    /// Adds the headers of the response.
    #[must_use]
    pub fn with_headers(self, headers: &'b ObservedHeaders) -> Self {
        EvalContext { headers: Some(headers), ..self }
    }

    /// Adds the response code of a DNS query.
    #[must_use]
    pub fn with_dns_rcode(self, dns_rcode: Option<&'b str>) -> Self {
        EvalContext { dns_rcode, ..self }
    }

    /// Returns the response code of a DNS query; `None` without an answer.
    pub(super) fn dns_rcode(&self) -> Option<&'b str> {
        self.dns_rcode
    }

    /// Adds the time until the registration of the domain ends, in milliseconds, if it is known.
    #[must_use]
    pub fn with_domain_expiration(self, domain_expiration: Option<i64>) -> Self {
        EvalContext { domain_expiration, ..self }
    }

    /// Returns the time until the registration of the domain ends, in milliseconds; `None` if it is not known.
    pub(super) fn domain_expiration(&self) -> Option<i64> {
        self.domain_expiration
    }

    /// Returns the headers of the response, if there are some.
    pub(super) fn headers(&self) -> Option<&'b ObservedHeaders> {
        self.headers
    }

    /// Returns the bytes of the body without a byte order mark; `None` if it is not usable.
    pub(super) fn bytes(&self) -> Option<&'b [u8]> {
        match self.outcome.body {
            ObservedBody::Whole(bytes) => Some(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)),
            ObservedBody::Unusable => None,
        }
    }

    /// Describes a body that is not JSON, with its beginning; `None` if it is JSON, empty, or not usable.
    pub(super) fn describe_no_json(&self) -> Option<String> {
        if self.json().is_some() {
            return None;
        }
        let text = self.text()?;
        if text.is_empty() {
            return None;
        }
        // Parentheses divide values from conditions.
        let plain = |c: char| if c.is_control() || matches!(c, '(' | ')') { ' ' } else { c };
        let mut beginning: String = text.chars().take(MAX_BEGINNING).map(plain).collect();
        if text.chars().nth(MAX_BEGINNING).is_some() {
            beginning.push('…');
        }
        Some(format!("not JSON: {beginning}"))
    }

    /// Returns the body as text, without surrounding white space. Invalid UTF-8 is replaced.
    pub(super) fn text(&self) -> Option<Cow<'b, str>> {
        Some(match String::from_utf8_lossy(self.bytes()?) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    /// Returns the body as JSON; `None` if it is invalid, or is nested deeper than the 128 levels that `serde_json` allows.
    pub(super) fn json(&self) -> Option<&Value> {
        let parse = || serde_json::from_slice(self.bytes()?).ok();
        self.json.get_or_init(parse).as_ref()
    }
}
