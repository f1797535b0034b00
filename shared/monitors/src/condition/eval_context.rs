//! The outcome of a probe that conditions are evaluated on.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value;

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

/// The body of a response, if it is within the size limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservedBody<'b> {
    /// The whole body; empty if there was none.
    Whole(&'b [u8]),
    /// The body exceeds the limit. Every path in it is invalid.
    TooLarge,
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
    json: OnceCell<Option<Value>>,
}

impl<'b> EvalContext<'b> {
    /// Makes the context of an outcome.
    pub fn new(outcome: Outcome<'b>) -> Self {
        EvalContext { outcome, json: OnceCell::new() }
    }

    /// Returns the bytes of the body; `None` if it was too large.
    pub(super) fn bytes(&self) -> Option<&'b [u8]> {
        match self.outcome.body {
            ObservedBody::Whole(bytes) => Some(bytes),
            ObservedBody::TooLarge => None,
        }
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
