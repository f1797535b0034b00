//! How this program asks others over HTTP: one that is signed or carries a token must not follow a redirect with it.

use std::time::Duration;

use ureq::Agent;

/// What `check-memory` calls itself when it asks for the report: a person's look, and no visit of the edge's.
pub(crate) const PERSON: &str = concat!("heapbeat-check-memory/", env!("CARGO_PKG_VERSION"));

/// An agent that waits so long for a whole answer, takes any status for an answer, and follows no redirect.
pub fn agent(patience: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("heapbeat/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}
