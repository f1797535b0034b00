//! Every way in which a probe can fail, as a closed set.
//!
//! The public sentence of each is written here and nowhere else. Nothing that a target sent is ever part of
//! one (numbers excepted), so a hostile target cannot put its words on a page. Failures of our own making are
//! a type apart, [`Blindness`]: they say nothing about the target and must not be booked as its downtime.

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
pub enum Blindness {
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
    NotHeardYet,
    /// Everything failed at once, see [`crate::domain::check::self_check`].
    #[n(4)]
    Edge,
}

impl Failure {
    /// The sentence that the public reads. Fixed but for numbers.
    pub fn sentence(self) -> String {
        let fixed = match self {
            Failure::Dns => "its name could not be resolved",
            Failure::Refused => "the connection was refused",
            Failure::Unreachable => "its network could not be reached",
            Failure::Tls => "no secure (TLS) connection could be made",
            Failure::ConnectTimeout => "the connection was not made in time",
            Failure::Timeout => "there was no answer in time",
            Failure::BodyTimeout => "the answer did not end in time",
            Failure::Lost => "the connection was lost before the answer was complete",
            Failure::NotHttp => "the answer was not HTTP",
            Failure::RedirectLoop => "its redirects go round in a circle",
            Failure::TooManyRedirects => "it redirects too many times",
            Failure::RedirectRefused => "it redirects to something that is not a web address",
            Failure::PrivateAddress => "it leads to a private address",
            Failure::NotJson => "the answer was not JSON",
            Failure::NotHealth => "the answer was JSON, but not a health answer",
            Failure::BodyTooLarge => "the answer was too large",
            Failure::Connection => "the connection failed",
            Failure::SecretRefused => {
                "the server refused our signature: wrong secret, or clocks more than a minute apart"
            }
            Failure::Unsigned => "the answer was not signed: it came from a cache, or not from the server",
            Failure::Forged => "the answer's signature is wrong: an old or changed answer, or another secret",
            Failure::NotReport => "the answer was signed, but not a report that this version can read",
            Failure::JobMissed => "it did not report when it should have",
            Failure::JobOverran => "it started and has not ended in time",
            Failure::JobFailed(None) => "it reported a failure",
            Failure::JobFailed(Some(exit)) => return format!("it reported a failure: exit code {exit}"),
            Failure::Status(status) => return format!("the answer had status {status}"),
            Failure::Slow(ms) => return format!("the answer took {ms} ms"),
            Failure::Condition(number) => return format!("condition {number} does not hold"),
        };
        fixed.to_owned()
    }
}

impl Blindness {
    /// The sentence that the public reads.
    pub fn sentence(self) -> String {
        match self {
            Blindness::Budget => "not probed: the tick's allowance of requests was spent",
            Blindness::Platform => "not probed: the probe itself could not run",
            Blindness::Edge => "not seen: everything failed at once, so it is the edge that cannot see",
            Blindness::NotHeardYet => "it has never reported yet",
            Blindness::Secret => "not probed: the secret it is asked with is not set, or too short",
        }
        .to_owned()
    }
}
