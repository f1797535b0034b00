//! The failures of probes, each with its public statement.
//!
//! A statement contains no text that a target sent but the value that failed a condition of the owner's, which is one short line and is
//! escaped wherever it is shown. Failures of the edge itself
//! are a separate type, [`ProbeSkipped`], and do not count as downtime of the target.

use heapbeat_shared::Statement;
use heapbeat_shared::signing::CLOCK_TOLERANCE_S;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::check::body_encoding::BodyEncoding;
use crate::domain::check::failed_condition::FailedCondition;

/// The reason why a probe failed: a fault of the target, or of the network on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The host's name does not resolve.
    #[n(0)]
    Dns,
    /// Nothing listens on the port.
    #[n(1)]
    ConnectionRefused,
    /// The network is unreachable.
    #[n(2)]
    Unreachable,
    /// TLS failed: the target does not speak it, its certificate is not trusted, or there is no common version.
    #[n(3)]
    Tls,
    /// The connection was not made in time.
    #[n(4)]
    ConnectTimeout,
    /// The response did not begin in time.
    #[n(5)]
    Timeout,
    /// The response began, but did not end in time.
    #[n(6)]
    BodyTimeout,
    /// The connection closed before the response was complete.
    #[n(7)]
    ConnectionLost,
    /// The response is not HTTP.
    #[n(8)]
    NotHttp,
    /// A redirect led to an address that was visited before.
    #[n(9)]
    RedirectLoop,
    /// There are more redirects than a probe follows.
    #[n(10)]
    TooManyRedirects,
    /// A redirect led to an address that is not http or https.
    #[n(11)]
    RedirectRefused,
    /// The address, or one that a redirect led to, is private, and that is not allowed.
    #[n(12)]
    PrivateAddress,
    /// A condition does not accept this HTTP status.
    #[n(13)]
    Status(#[n(0)] u16),
    /// The body is not JSON.
    #[n(14)]
    NotJson,
    /// The body is JSON, but not that of `/health`.
    #[n(15)]
    NotHealth,
    /// The body is longer than a probe reads.
    #[n(16)]
    BodyTooLarge,
    /// The response took this many milliseconds, longer than a condition accepts.
    #[n(17)]
    Slow(#[n(0)] u32),
    /// This condition does not hold.
    #[n(18)]
    Condition(#[n(0)] FailedCondition),
    /// The connection failed; the platform gives no reason.
    #[n(19)]
    Connection,
    /// The heapbeat server rejected the request's signature.
    #[n(20)]
    SignatureRejected,
    /// A response that must be signed is not.
    #[n(21)]
    Unsigned,
    /// The response was signed for another request or with another secret, or was altered on the way.
    #[n(22)]
    InvalidSignature,
    /// The response is signed, but this version cannot read it as a report.
    #[n(23)]
    NotReport,
    /// A job did not report in time.
    #[n(24)]
    JobMissed,
    /// A job runs longer than it may.
    #[n(25)]
    JobTimedOut,
    /// A job reported a failure, with its exit code if it gave one.
    #[n(26)]
    JobFailed(#[n(0)] Option<u16>),
    /// The body has an encoding that the edge cannot decode.
    #[n(27)]
    Undecodable(#[n(0)] BodyEncoding),
}

/// The reason why the edge could not probe. Time without a probe is `unobserved`, never `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeSkipped {
    /// The tick's request budget was exhausted.
    #[n(0)]
    Budget,
    /// The platform failed to run the request.
    #[n(1)]
    Platform,
    /// The Worker secret that the monitor names is missing or too short.
    #[n(2)]
    Secret,
    /// The job has never reported.
    #[n(3)]
    NoHeartbeatYet,
    /// All probes failed at once, so the edge itself is offline (see [`crate::domain::check::self_check`]).
    #[n(4)]
    EdgeOffline,
    /// The probe was not started in time, as other probes took too long.
    #[n(5)]
    Time,
    /// Cloudflare answered at once with this status in the target's place, as it does for a zone of the same account (see
    /// [`crate::domain::check::own_zone`]).
    #[n(6)]
    OwnZone(#[n(0)] u16),
    /// The platform does not let a Worker connect to the address.
    #[n(7)]
    Forbidden,
}

impl Failure {
    /// Whether nothing serves the requests: there is no complete response, or a proxy in front says so.
    pub const fn is_unavailability(self) -> bool {
        matches!(
            self,
            Failure::ConnectionRefused
                | Failure::Unreachable
                | Failure::ConnectTimeout
                | Failure::Timeout
                | Failure::BodyTimeout
                | Failure::ConnectionLost
                | Failure::Connection
                | Failure::Status(502..=504)
        )
    }

    /// Whether the two failures are the same but for a measured value.
    pub fn is_same_kind(self, other: Failure) -> bool {
        match (self, other) {
            (Failure::Slow(_), Failure::Slow(_)) => true,
            (Failure::Condition(one), Failure::Condition(other)) => one.is_same_condition(other),
            _ => self == other,
        }
    }

    /// The failure as a statement for the public. It holds no text that a target sent, except for numbers and the bounded value beside a
    /// condition that failed.
    pub fn statement(self) -> Statement {
        match self {
            Failure::Dns => Statement::dns_failed(),
            Failure::ConnectionRefused => Statement::connection_refused(),
            Failure::Unreachable => Statement::network_unreachable(),
            Failure::Tls => Statement::tls_failed(),
            Failure::ConnectTimeout => Statement::connect_timeout(),
            Failure::Timeout => Statement::response_timeout(),
            Failure::BodyTimeout => Statement::body_timeout(),
            Failure::ConnectionLost => Statement::connection_lost(),
            Failure::NotHttp => Statement::not_http(),
            Failure::RedirectLoop => Statement::redirect_loop(),
            Failure::TooManyRedirects => Statement::too_many_redirects(),
            Failure::RedirectRefused => Statement::invalid_redirect(),
            Failure::PrivateAddress => Statement::private_address(),
            Failure::Status(status) => Statement::http_status(status),
            Failure::NotJson => Statement::not_json(),
            Failure::NotHealth => Statement::not_health(),
            Failure::BodyTooLarge => Statement::response_too_large(),
            Failure::Slow(ms) => Statement::response_slow(ms),
            Failure::Condition(condition) => Statement::condition_failed(condition.as_str()),
            Failure::Connection => Statement::connection_failed(),
            Failure::SignatureRejected => Statement::signature_rejected(CLOCK_TOLERANCE_S),
            Failure::Unsigned => Statement::response_unsigned(),
            Failure::InvalidSignature => Statement::response_signature_invalid(),
            Failure::NotReport => Statement::report_unreadable(),
            Failure::JobMissed => Statement::heartbeat_missed(),
            Failure::JobTimedOut => Statement::job_timed_out(),
            Failure::JobFailed(None) => Statement::job_failed(),
            Failure::JobFailed(Some(code)) => Statement::job_exit_code(code),
            Failure::Undecodable(BodyEncoding::Charset) => Statement::body_charset_unknown(),
            Failure::Undecodable(BodyEncoding::Other) => Statement::body_encoding_unknown(),
            Failure::Undecodable(encoding) => Statement::body_undecodable(encoding.as_str()),
        }
    }
}

impl ProbeSkipped {
    /// The reason why there was no probe, as a statement for the public.
    pub fn statement(self) -> Statement {
        match self {
            ProbeSkipped::Budget => Statement::skipped_budget(),
            ProbeSkipped::Time => Statement::skipped_time(),
            ProbeSkipped::Platform => Statement::skipped_platform(),
            ProbeSkipped::EdgeOffline => Statement::skipped_edge(),
            ProbeSkipped::NoHeartbeatYet => Statement::skipped_no_heartbeat(),
            // What exactly is missing is for the owner, not for strangers.
            ProbeSkipped::Secret => Statement::skipped_configuration(),
            ProbeSkipped::OwnZone(status) => Statement::skipped_own_zone(status),
            ProbeSkipped::Forbidden => Statement::skipped_forbidden(),
        }
    }
}
