//! The error of the guard.

use std::io;

use crate::config::ConfigError;
use crate::config::thresholds::ThresholdsError;
use crate::dependency::DependencyError;
use crate::listen::ListenError;

/// Why the guard could not start, or stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The thresholds cannot work under the limit.
    #[error("HEAPBEAT_ALERT_AT, _PURGE_AT, _RECYCLE_AT and _SHED_AT cannot work together: {0}")]
    Thresholds(#[from] ThresholdsError),
    /// The dependencies are invalid.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// Memory stayed too high although requests were refused, and no worker could take over.
    #[error("memory stayed too high although requests were refused; restart this process")]
    GaveUp,
    /// The server cannot listen on the address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A thread, signal handler or socket could not be created.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
}
