//! Every way in which a probe can fail, as a closed set.
//!
//! The public statement of each is written here and nowhere else. It never holds text that a target sent, so a hostile target
//! cannot put its words on a page. Failures of our own making are a separate type, [`ProbeSkipped`]: they say nothing about the
//! target and do not count as its downtime.

use heapbeat_shared::Statement;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Why a probe did not find what it should have: the target's doing, or that of the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Its name does not resolve.
    #[n(0)]
    Dns,
    /// Nothing listens on its port.
    #[n(1)]
    Refused,
    /// There is no way to its network.
    #[n(2)]
    Unreachable,
    /// No secure connection: no TLS there, a certificate that is not trusted, or none in common.
    #[n(3)]
    Tls,
    /// The connection was not made in time.
    #[n(4)]
    ConnectTimeout,
    /// No answer, or not its beginning, in time.
    #[n(5)]
    Timeout,
    /// The answer began, but had not ended in time.
    #[n(6)]
    BodyTimeout,
    /// The connection ended before the answer did.
    #[n(7)]
    Lost,
    /// What came back is not HTTP.
    #[n(8)]
    NotHttp,
    /// A redirect led to where the probe had been before.
    #[n(9)]
    RedirectLoop,
    /// More redirects than a probe follows.
    #[n(10)]
    TooManyRedirects,
    /// A redirect led to something that is not an http or https address.
    #[n(11)]
    RedirectRefused,
    /// The address, or one that a redirect led to, is private, and that is not allowed.
    #[n(12)]
    PrivateAddress,
    /// A status that a condition does not accept.
    #[n(13)]
    Status(#[n(0)] u16),
    /// The body should be JSON and is not.
    #[n(14)]
    NotJson,
    /// JSON, but not an answer of `/health`.
    #[n(15)]
    NotHealth,
    /// The body is longer than what a probe reads.
    #[n(16)]
    BodyTooLarge,
    /// It took this many milliseconds, longer than a condition accepts.
    #[n(17)]
    Slow(#[n(0)] u32),
    /// This condition of the configuration's list (counted from 1) does not hold.
    #[n(18)]
    Condition(#[n(0)] u16),
    /// The connection failed in a way that the platform does not tell apart.
    #[n(19)]
    Connection,
    /// A heapbeat server did not accept our signature.
    #[n(20)]
    SecretRefused,
    /// An answer that had to be signed was not.
    #[n(21)]
    Unsigned,
    /// An answer was signed for another question, or with another secret, or was changed on the way.
    #[n(22)]
    Forged,
    /// Signed, and yet not a report that this version can read.
    #[n(23)]
    NotReport,
    /// A job was not heard when it should have been.
    #[n(24)]
    JobMissed,
    /// A job takes longer than it may.
    #[n(25)]
    JobOverran,
    /// A job said that it failed; with its exit code, where it told one.
    #[n(26)]
    JobFailed(#[n(0)] Option<u16>),
}

/// Why a probe could not look: our own doing. Time without a look is `unobserved`, never `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeSkipped {
    /// The platform's allowance of requests for one tick was spent.
    #[n(0)]
    Budget,
    /// The platform failed to run the request.
    #[n(1)]
    Platform,
    /// The Worker has no secret of the name that the monitor asks for, or one that is too short.
    #[n(2)]
    Secret,
    /// A job was never heard yet.
    #[n(3)]
    NoHeartbeatYet,
    /// Everything failed at once, see [`crate::domain::check::self_check`].
    #[n(4)]
    EdgeOffline,
}

impl Failure {
    /// The failure as a statement for the public. It holds no text that a target sent, numbers excepted.
    pub fn statement(self) -> Statement {
        let (code, text) = match self {
            Failure::Dns => ("dns-failed", "DNS lookup failed"),
            Failure::Refused => ("connection-refused", "connection refused"),
            Failure::Unreachable => ("network-unreachable", "network unreachable"),
            Failure::Tls => ("tls-failed", "TLS connection failed"),
            Failure::ConnectTimeout => ("connect-timeout", "connection timed out"),
            Failure::Timeout => ("response-timeout", "no response in time"),
            Failure::BodyTimeout => ("body-timeout", "response not complete in time"),
            Failure::Lost => ("connection-lost", "connection lost before the response was complete"),
            Failure::NotHttp => ("not-http", "response is not HTTP"),
            Failure::RedirectLoop => ("redirect-loop", "redirect loop"),
            Failure::TooManyRedirects => ("too-many-redirects", "too many redirects"),
            Failure::RedirectRefused => {
                ("invalid-redirect", "redirect to something other than an http or https address")
            }
            Failure::PrivateAddress => ("private-address", "address is private"),
            Failure::NotJson => ("not-json", "response is not JSON"),
            Failure::NotHealth => ("not-health", "response is JSON, but not a health report"),
            Failure::BodyTooLarge => ("response-too-large", "response too large"),
            Failure::Connection => ("connection-failed", "connection failed"),
            Failure::SecretRefused => (
                "signature-rejected",
                "signature rejected by the server: wrong secret, or clocks more than one minute apart",
            ),
            Failure::Unsigned => {
                ("response-unsigned", "response not signed: it came from a cache or not from the server")
            }
            Failure::Forged => (
                "response-signature-invalid",
                "response signature invalid: outdated or altered response, or wrong secret",
            ),
            Failure::NotReport => ("report-unreadable", "signed report that this version cannot read"),
            Failure::JobMissed => ("heartbeat-missed", "no heartbeat in time"),
            Failure::JobOverran => ("job-overran", "job not finished in time"),
            Failure::JobFailed(None) => ("job-failed", "job reported a failure"),
            Failure::JobFailed(Some(code)) => {
                let text = format!("job failed with exit code {code}");
                return Statement::new("job-exit-code", text).with("exit_code", code);
            }
            Failure::Status(status) => {
                return Statement::new("http-status", format!("HTTP status {status}")).with("status", status);
            }
            Failure::Slow(ms) => {
                return Statement::new("response-slow", format!("response took {ms} ms")).with("took_ms", ms);
            }
            Failure::Condition(number) => {
                let text = format!("condition {number} failed");
                return Statement::new("condition-failed", text).with("number", number);
            }
        };
        Statement::new(code, text)
    }
}

impl ProbeSkipped {
    /// Why there was no probe, as a statement for the public.
    pub fn statement(self) -> Statement {
        let (code, text) = match self {
            ProbeSkipped::Budget => ("skipped-budget", "not probed: request budget of the tick exhausted"),
            ProbeSkipped::Platform => ("skipped-platform", "not probed: the probe could not run"),
            ProbeSkipped::EdgeOffline => {
                ("skipped-edge", "no data: every probe failed at once, so the monitoring itself is affected")
            }
            ProbeSkipped::NoHeartbeatYet => ("skipped-no-heartbeat", "no heartbeat received yet"),
            ProbeSkipped::Secret => {
                ("skipped-secret", "not probed: the signing secret is missing or too short")
            }
        };
        Statement::new(code, text)
    }
}
