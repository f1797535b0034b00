//! The record of a week: each message that a service got, and how it answered. Whatever the week took place in, it looks the same.

use heapbeat_edge::domain::incident::Severity;
use serde::{Deserialize, Serialize};

/// How a service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Accepted,
    /// It accepted the message, and the answer was lost.
    Lost,
    /// Status 500.
    Failed,
    /// Status 429, with this many seconds in `Retry-After`.
    Busy(u16),
    /// Status 404.
    Rejected,
    /// Status 410.
    Gone,
    /// The edge was killed before it had the answer; whether the service accepted the message.
    Killed(bool),
}

/// What a message says about one incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The incident's id.
    pub(crate) incident: String,
    /// The monitor's id.
    pub(crate) monitor: String,
    pub(crate) event: String,
    pub(crate) severity: Severity,
    pub(crate) title: String,
}

/// One message that a service got.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// The number of the tick.
    pub(crate) tick: usize,
    pub(crate) recipient: usize,
    pub(crate) answer: Answer,
    pub(crate) key: String,
    /// What it says as a whole.
    #[serde(flatten)]
    pub(crate) said: Claim,
    /// What it says about each of many incidents; empty if it is about one.
    #[serde(default, rename = "incidents")]
    pub(crate) parts: Vec<Claim>,
}

/// What somebody on call did after a tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Acted {
    pub(crate) tick: usize,
    pub(crate) monitor: usize,
    /// The open incident; `None` if there was none.
    pub(crate) incident: Option<String>,
}

/// A week, as the services and the person on call saw it, in its order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) heard: Vec<Heard>,
    pub(crate) acted: Vec<Acted>,
}
