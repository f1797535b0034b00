//! What one probe brought back, before anybody has judged it.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::config::MonitorId;
use crate::domain::report::verification::VerifiedReport;
use crate::domain::{Failure, ProbeSkipped};

/// One probe: whom it asked, when the answer was heard, and what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeResult {
    /// Whom it asked.
    pub monitor: MonitorId,
    /// When it was over, by the edge's own clock. The tick's clock is another one: a cron that comes late
    /// still carries the instant it was meant for.
    pub heard: UnixMillis,
    /// What came of it.
    pub result: Result<ProbeResponse, ProbeError>,
}

/// An HTTP answer, redirects followed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeResponse {
    /// Its status code.
    pub status: u16,
    /// From the first request to the header of the last answer, redirects included.
    pub latency: Duration,
    /// Its body, as far as anybody wants to see it.
    pub body: ResponseBody,
    /// What the server signed for us, where it did.
    pub report: Option<Box<VerifiedReport>>,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// Nobody asks about it, so it was not read.
    Unread,
    /// All of it.
    Whole(Vec<u8>),
    /// Longer than a probe reads; the rest was refused.
    TooLarge,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeError {
    /// The target's doing.
    Failed(Failure),
    /// Our own.
    Skipped(ProbeSkipped),
}

impl From<Failure> for ProbeError {
    fn from(failure: Failure) -> Self {
        ProbeError::Failed(failure)
    }
}

impl From<ProbeSkipped> for ProbeError {
    fn from(blindness: ProbeSkipped) -> Self {
        ProbeError::Skipped(blindness)
    }
}
