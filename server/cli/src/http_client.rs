//! The HTTP client of the commands that ask a server or an edge.

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

/// Returns an address from its host on, if it has a name and a password before that, so that a message does not repeat them.
pub(crate) fn without_userinfo(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, host)| host)
}
