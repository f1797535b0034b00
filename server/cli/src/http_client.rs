//! The HTTP client of the commands that ask a server or the edge.

use std::time::Duration;

use ureq::Agent;

/// A client that waits at most `timeout` for a complete response, returns responses of any status, and follows no redirect: a
/// request that is signed or carries a token must not be sent to another address.
pub(crate) fn http_client(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("heapbeat/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}
