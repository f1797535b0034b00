//! The error of the guard.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::ConfigError;
use crate::config::thresholds::ThresholdsError;
use crate::dependency::DependencyError;
use crate::listen::ListenError;

/// Why the guard could not start, or stopped serving. `Debug` is the same text, as Rust prints the error of a `main` that returns one.
#[derive(thiserror::Error)]
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
    /// The directory of the flight recorder is somebody else's.
    #[error(
        "HEAPBEAT_FLIGHT_DIR: {0} is a link, belongs to another user, or may be written by others, who could replace what is recorded \
         there: name a directory below it, which heapbeat creates for this user alone"
    )]
    ForeignDirectory(PathBuf),
    /// A thread, signal handler or socket could not be created.
    #[error("cannot {0}: {1}")]
    System(&'static str, #[source] io::Error),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
