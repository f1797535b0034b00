//! The result of a probe, as conditions evaluate it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value;

/// One probe's outcome. Without a connection there is no status: it is 0, as in Gatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome<'b> {
    /// Whether an answer came at all.
    pub connected: bool,
    /// The status of the answer, redirects followed.
    pub status: u16,
    /// From the first request to the header of the last answer.
    pub duration: Duration,
    /// The body of the answer.
    pub body: ObservedBody<'b>,
}

/// As much of a body as a probe keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservedBody<'b> {
    /// All of it; nothing where there was none.
    Whole(&'b [u8]),
    /// Longer than what a probe reads. No path leads anywhere in it.
    TooLarge,
}

impl Outcome<'_> {
    /// There was no answer.
    pub const UNREACHED: Outcome<'static> =
        Outcome { connected: false, status: 0, duration: Duration::ZERO, body: ObservedBody::Whole(b"") };

    /// The duration as conditions count it.
    pub fn millis(&self) -> u32 {
        u32::try_from(self.duration.as_millis()).unwrap_or(u32::MAX)
    }
}

/// An outcome that conditions are asked of. The body is read as JSON at most once for all of them, and not before
/// one of them wants it.
#[derive(Debug)]
pub struct EvalContext<'b> {
    /// What the probe saw.
    pub outcome: Outcome<'b>,
    json: OnceCell<Option<Value>>,
}

impl<'b> EvalContext<'b> {
    /// The scene of an outcome.
    pub fn new(outcome: Outcome<'b>) -> Self {
        EvalContext { outcome, json: OnceCell::new() }
    }

    /// The body as it came; `None` where it was too large to keep.
    pub(super) fn bytes(&self) -> Option<&'b [u8]> {
        match self.outcome.body {
            ObservedBody::Whole(bytes) => Some(bytes),
            ObservedBody::TooLarge => None,
        }
    }

    /// The body as text, without the space around it. What is no UTF-8 is replaced.
    pub(super) fn text(&self) -> Option<Cow<'b, str>> {
        Some(match String::from_utf8_lossy(self.bytes()?) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    /// The body as JSON; `None` where it is none, or is nested deeper than the 128 levels that `serde_json` reads.
    pub(super) fn json(&self) -> Option<&Value> {
        let read = || serde_json::from_slice(self.bytes()?).ok();
        self.json.get_or_init(read).as_ref()
    }
}
