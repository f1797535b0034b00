//! The HTTP client of `check-memory` and `apply`.

use std::time::Duration;

use ureq::Agent;

/// Builds a client that waits at most `timeout` for a complete response and returns responses of any status. It follows no redirects,
/// as a request with a signature or a token must not be sent to another address.
pub(crate) fn build_http_client(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("heapbeat/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}
