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
        match self {
            Failure::Dns => Statement::dns_failed(),
            Failure::Refused => Statement::connection_refused(),
            Failure::Unreachable => Statement::network_unreachable(),
            Failure::Tls => Statement::tls_failed(),
            Failure::ConnectTimeout => Statement::connect_timeout(),
            Failure::Timeout => Statement::response_timeout(),
            Failure::BodyTimeout => Statement::body_timeout(),
            Failure::Lost => Statement::connection_lost(),
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
            Failure::Condition(number) => Statement::condition_failed(number),
            Failure::Connection => Statement::connection_failed(),
            Failure::SecretRefused => Statement::signature_rejected(),
            Failure::Unsigned => Statement::response_unsigned(),
            Failure::Forged => Statement::response_signature_invalid(),
            Failure::NotReport => Statement::report_unreadable(),
            Failure::JobMissed => Statement::heartbeat_missed(),
            Failure::JobOverran => Statement::job_overran(),
            Failure::JobFailed(None) => Statement::job_failed(),
            Failure::JobFailed(Some(code)) => Statement::job_exit_code(code),
        }
    }
}

impl ProbeSkipped {
    /// The reason why there was no probe, as a statement for the public.
    pub fn statement(self) -> Statement {
        match self {
            ProbeSkipped::Budget => Statement::skipped_budget(),
            ProbeSkipped::Platform => Statement::skipped_platform(),
            ProbeSkipped::EdgeOffline => Statement::skipped_edge(),
            ProbeSkipped::NoHeartbeatYet => Statement::skipped_no_heartbeat(),
            ProbeSkipped::Secret => Statement::skipped_secret(),
        }
    }
}
