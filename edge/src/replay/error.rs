//! The reasons why a timeline cannot be replayed.

use crate::monitor_config::ConfigProblem;

/// A timeline cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no first line.
    #[error("the timeline is empty; its first line should be the configuration")]
    Empty,
    /// A line is not of the format of `docs/replay.md`.
    #[error("line {line}: {error}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The configuration is rejected.
    #[error("line 1: {}: {}", .0.position, .0.reason)]
    Config(ConfigProblem),
    /// The instant of a tick is not valid.
    #[error("line {line}: `{at}` is not an instant, such as 2026-01-01T00:01:00Z")]
    Instant {
        /// The number of the line, from 1.
        line: usize,
        /// The text.
        at: String,
    },
}
