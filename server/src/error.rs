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
    /// The thresholds are invalid under the limit.
    #[error("invalid thresholds: {0}")]
    Thresholds(#[from] ThresholdsError),
    /// The dependencies are invalid.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// Memory stayed above the shed threshold during load shedding, and no worker could take over.
    #[error(
        "memory is still above the shed threshold after load shedding; exiting so that the process is restarted"
    )]
    MemoryExhausted,
    /// The server cannot listen on the address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A thread, signal handler or socket could not be created.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
}
