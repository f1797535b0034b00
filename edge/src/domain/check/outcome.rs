//! The result of one probe, before conditions are evaluated.

use std::time::Duration;

use heapbeat_monitors::condition::ObservedHeaders;
use heapbeat_shared::UnixMillis;

use crate::domain::check::domain_record::DomainRecord;
use crate::domain::report::verification::VerifiedReport;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::MonitorId;

/// The result of one probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeResult {
    /// The monitor's id.
    pub monitor: MonitorId,
    /// When the probe ended, by the edge's own clock. The tick's clock differs: a cron that comes late still carries the instant
    /// for which it was scheduled.
    pub received: UnixMillis,
    /// The response, or the reason why there is none.
    pub result: Result<ProbeResponse, ProbeError>,
}

/// A response, redirects followed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeResponse {
    /// The HTTP status; 0 for monitors that do not speak HTTP.
    pub status: u16,
    /// The time from the first request to the headers of the last response, redirects included.
    pub latency: Duration,
    /// The body.
    pub body: ResponseBody,
    /// The headers that conditions ask for.
    pub headers: ObservedHeaders,
    /// The response code of a DNS query.
    pub dns_rcode: Option<&'static str>,
    /// What is known of the domain, if conditions ask for it.
    pub domain: Option<DomainRecord>,
    /// The time until the registration of the domain ends, in milliseconds, if it is known.
    pub domain_left_ms: Option<i64>,
    /// The verified report, if the server signed one.
    pub report: Option<Box<VerifiedReport>>,
}

impl ProbeResponse {
    /// A response without a report, and without headers that conditions ask for.
    pub fn new(status: u16, latency: Duration, body: ResponseBody) -> Self {
        ProbeResponse {
            status,
            latency,
            body,
            headers: ObservedHeaders::default(),
            dns_rcode: None,
            domain: None,
            domain_left_ms: None,
            report: None,
        }
    }
}

/// The body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// No condition needs it, so it was not read.
    Unread,
    /// The whole body.
    Whole(Vec<u8>),
    /// The body is longer than a probe reads, or cannot be decoded.
    Unusable(Failure),
}

/// The reason why a probe has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeError {
    /// The target or the network failed.
    Failed(Failure),
    /// The edge could not probe.
    Skipped(ProbeSkipped),
}

impl From<Failure> for ProbeError {
    fn from(failure: Failure) -> Self {
        ProbeError::Failed(failure)
    }
}

impl From<ProbeSkipped> for ProbeError {
    fn from(reason: ProbeSkipped) -> Self {
        ProbeError::Skipped(reason)
    }
}
