//! The targets that can be measured, and the errors of a measurement.

use std::io;
use std::path::PathBuf;

use heapbeat_shared::Bytes;
use heapbeat_shared::health::HealthError;
use heapbeat_shared::report::ReportError;
use heapbeat_shared::signing::{Secret, SignatureError};

use super::process_source::ProcessSource;
use super::server_source::ServerSource;
use super::snapshot::Snapshot;

/// A process to measure.
#[derive(Clone, Debug)]
pub(crate) enum InspectTarget {
    /// A heapbeat server, by the address of its `/health`. With the secret it reports everything.
    Url {
        /// The address; without a path, `/health` is added.
        url: String,
        /// `HEAPBEAT_SECRET`.
        secret: Option<Box<Secret>>,
    },
    /// A process of this machine.
    Pid {
        /// Its id.
        pid: u32,
        /// The file that keeps its measurements between runs.
        state: Option<PathBuf>,
    },
}

/// The target could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// The text is not an HTTP address.
    #[error(
        "{url:?} is not an address such as https://api.example.com or http://localhost:8080/health: {reason}"
    )]
    BadUrl {
        /// The address, without a name and a password.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The server does not answer.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The response has another status than 200.
    #[error("{url} answered {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: u16,
        /// The reason that the response states, or the likely cause; empty if neither is known.
        reason: String,
    },
    /// The body is not that of `/health`.
    #[error("{url} is not a heapbeat server: {error}")]
    NotHealth {
        /// The address.
        url: String,
        /// The error of the parser.
        error: HealthError,
    },
    /// The body is not a report.
    #[error("{url} sent an invalid report: {error}")]
    NotReport {
        /// The address.
        url: String,
        /// The error of the parser.
        error: ReportError,
    },
    /// The signature of the response is wrong.
    #[error("the response of {url} is not signed with this secret: {error}")]
    Forged {
        /// The address.
        url: String,
        /// The error of the parser.
        error: SignatureError,
    },
    /// There is no such process.
    #[error("there is no process {0} on this machine")]
    NoProcess(u32),
    /// The process is a kernel thread or a zombie.
    #[error("process {0} has no memory of its own: it is a kernel thread, or has exited")]
    NoMemory(u32),
    /// The process has exited since the last measurement.
    #[error("process {0} has exited")]
    Exited(u32),
    /// The figures of the process cannot be read.
    #[error("cannot read the figures of process {pid}: {error}")]
    Process {
        /// The process id.
        pid: u32,
        /// The reason.
        error: io::Error,
    },
    /// The file of `--state` cannot be used.
    #[error("{path}: {reason}")]
    State {
        /// The file.
        path: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// There are no random numbers for a nonce.
    #[error("cannot read random numbers: {0}")]
    Random(String),
}

impl TargetError {
    /// Returns whether another measurement would fail as well, as with a process that has exited.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            TargetError::BadUrl { .. }
                | TargetError::NoProcess(_)
                | TargetError::NoMemory(_)
                | TargetError::Exited(_)
                | TargetError::State { .. }
        )
    }
}

/// Measures one target repeatedly.
#[derive(Debug)]
pub(super) enum Source {
    Server(Box<ServerSource>),
    Process(Box<ProcessSource>),
}

impl Source {
    pub(super) fn new(target: &InspectTarget, limit: Option<Bytes>) -> Result<Self, TargetError> {
        Ok(match target {
            InspectTarget::Url { url, secret } => {
                Source::Server(Box::new(ServerSource::new(url, secret.as_deref().cloned(), limit)?))
            }
            InspectTarget::Pid { pid, state } => {
                Source::Process(Box::new(ProcessSource::new(*pid, limit, state.as_deref())?))
            }
        })
    }

    pub(super) fn measure(&mut self) -> Result<Snapshot, TargetError> {
        match self {
            Source::Server(server) => server.measure(),
            Source::Process(process) => process.measure(),
        }
    }
}
