//! What can be looked at.

use std::io;

use heapbeat_shared::Bytes;
use heapbeat_shared::health::HealthError;
use heapbeat_shared::report::ReportError;
use heapbeat_shared::signing::{Secret, SignatureError};

use super::outside::Outside;
use super::remote::Remote;
use super::snapshot::Picture;

/// Something to look at.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A heapbeat server, by the address of its `/health`; with the secret it tells everything.
    Url {
        /// The address; `/health` is added where there is no path.
        url: String,
        /// `HEAPBEAT_SECRET`.
        secret: Option<Secret>,
    },
    /// A process of this machine.
    Pid(u32),
}

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// Not an http address.
    #[error(
        "{0:?} is not an address to look at: it is like https://api.example.com or http://localhost:8080/health"
    )]
    BadUrl(String),
    /// No answer.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why not.
        reason: String,
    },
    /// An answer of another kind.
    #[error("{url} answered {status}{hint}")]
    Status {
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// What may be the matter.
        hint: &'static str,
    },
    /// Not a health answer.
    #[error("{url} is not a heapbeat server: {error}")]
    NotHealth {
        /// Where.
        url: String,
        /// What its body is.
        error: HealthError,
    },
    /// Not a report.
    #[error("{url} sent a report that cannot be read: {error}")]
    NotReport {
        /// Where.
        url: String,
        /// What is wrong with it.
        error: ReportError,
    },
    /// Somebody else answered.
    #[error("the answer of {url} is not signed with this secret: {error}")]
    Forged {
        /// Where.
        url: String,
        /// What is wrong with it.
        error: SignatureError,
    },
    /// No such process.
    #[error("there is no process {0} on this machine")]
    NoProcess(u32),
    /// A kernel thread, or one that has ended and was not waited for.
    #[error("process {0} has no memory of its own: it is a kernel thread, or has ended")]
    NoMemory(u32),
    /// It was there before.
    #[error("process {0} has ended")]
    Ended(u32),
    /// A process that hides its figures.
    #[error("process {pid} cannot be read: {error}")]
    Process {
        /// Its id.
        pid: u32,
        /// Why.
        error: io::Error,
    },
    /// No random numbers for a nonce.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

impl TargetError {
    /// Whether another look cannot go better: a process that has ended does not come back.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            TargetError::BadUrl(_)
                | TargetError::NoProcess(_)
                | TargetError::NoMemory(_)
                | TargetError::Ended(_)
        )
    }
}

/// Looks at one target again and again.
#[derive(Debug)]
pub(super) enum Watcher {
    Remote(Remote),
    Outside(Outside),
}

impl Watcher {
    pub(super) fn new(target: &Target, limit: Option<Bytes>) -> Result<Self, TargetError> {
        Ok(match target {
            Target::Url { url, secret } => Watcher::Remote(Remote::new(url, secret.clone(), limit)?),
            Target::Pid(pid) => Watcher::Outside(Outside::new(*pid, limit)?),
        })
    }

    pub(super) fn look(&mut self) -> Result<Picture, TargetError> {
        match self {
            Watcher::Remote(remote) => remote.look(),
            Watcher::Outside(outside) => outside.look(),
        }
    }
}
