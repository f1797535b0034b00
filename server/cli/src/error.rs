//! Errors of the commands that run a guarded program: `serve` and `run`.

use heapbeat::config::ConfigError;
use heapbeat::logging::LoggingError;

/// The guarded program did not start, or it stopped with an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// A setting has an invalid value.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The thresholds cannot work together.
    #[error("{0}")]
    Thresholds(String),
    /// Arguments do not fit together.
    #[error("{0}")]
    Arguments(String),
    /// The front cannot start.
    #[error("the front cannot start: {0}")]
    Front(#[source] std::io::Error),
    /// gunicorn is given its socket in two ways.
    #[error("gunicorn takes the socket of --listen by itself; leave `-b fd://3` away")]
    SocketBoundTwice,
    /// The log cannot be written.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// The async runtime cannot start its threads.
    #[error("the async runtime cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    /// The guard cannot start, or the server failed.
    #[error(transparent)]
    Guard(#[from] heapbeat::Error),
}

impl RunError {
    /// Returns whether the command line or the configuration is wrong.
    pub(crate) fn is_usage_error(&self) -> bool {
        matches!(
            self,
            RunError::Config(_)
                | RunError::Arguments(_)
                | RunError::SocketBoundTwice
                | RunError::Thresholds(_)
        )
    }
}
