//! Why heapbeat could not start, or stopped serving.

use std::io;

use crate::config::ConfigError;
use crate::config::thresholds::ThresholdsError;
use crate::dependency::DependencyError;
use crate::listen::ListenError;

/// Why the guard could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The marks make no ladder under the limit.
    #[error("HEAPBEAT_ALERT_AT, _PURGE_AT, _RECYCLE_AT and _SHED_AT make no ladder: {0}")]
    Thresholds(#[from] ThresholdsError),
    /// The dependencies make no list.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// Memory stayed too full although requests were refused, and nobody could take over.
    #[error("memory stayed too full although requests were refused; start this process anew")]
    GaveUp,
    /// Nothing can listen on the address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system gave no thread, signal handler or socket.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
}
