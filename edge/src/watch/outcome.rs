//! What a probe saw, as conditions ask about it.

use std::time::Duration;

/// One probe's outcome. Without a connection there is no status: it is 0, as in Gatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether an answer came at all.
    pub connected: bool,
    /// The status of the answer, redirects followed.
    pub status: u16,
    /// From the first request to the header of the last answer.
    pub duration: Duration,
}

impl Outcome {
    /// There was no answer.
    pub const UNREACHED: Outcome = Outcome { connected: false, status: 0, duration: Duration::ZERO };

    /// The duration as conditions count it.
    pub fn millis(&self) -> u32 {
        u32::try_from(self.duration.as_millis()).unwrap_or(u32::MAX)
    }
}
