//! The HTTP client of the commands that ask a server or an edge.

use std::io;
use std::time::Duration;

use heapbeat_monitors::is_private_host;
use heapbeat_shared::text::printable;
use serde_json::Value;
use ureq::http::Uri;
use ureq::{Agent, Body};

/// Size limit of a reason that another machine states, in characters.
const MAX_REASON: usize = 300;

/// Size limit of a body that is read for the reason in it, in bytes.
const MAX_PROBLEM_BYTES: u64 = 64 << 10;

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

/// Returns the address that was probably meant by one without a scheme, such as `localhost:8080`.
pub(crate) fn suggest_address(url: &str) -> Option<String> {
    if url.is_empty() || url.contains("://") || url.contains('@') {
        return None;
    }
    let uri: Uri = format!("http://{url}").parse().ok()?;
    let scheme = if is_private_host(uri.host()?) { "http" } else { "https" };
    Some(format!("{scheme}://{url}"))
}

/// Describes why there is no response, without the names of the operating system where others say more.
pub(crate) fn describe_failure(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "nothing listens on this port (connection refused)".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "its name has no address (DNS)".to_owned(),
        error => error.to_string(),
    }
}

/// Reads the reason that a response without success states: `reason` of `/health`, or `detail` of a problem document.
pub(crate) fn read_reason(body: &mut Body) -> Option<String> {
    let text = body.with_config().limit(MAX_PROBLEM_BYTES).read_to_string().ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let reason = value.get("reason").or_else(|| value.get("detail"))?.as_str()?;
    Some(printable(reason, MAX_REASON)).filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_is_completed_by_what_its_host_needs() {
        let cases = [
            ("localhost:8080", Some("http://localhost:8080")),
            ("127.0.0.1:3000/health", Some("http://127.0.0.1:3000/health")),
            ("api.example.com", Some("https://api.example.com")),
            ("", None),
            ("ftp://x", None),
            ("me:pw@x", None),
            ("a b", None),
        ];
        for (given, expected) in cases {
            assert_eq!(suggest_address(given).as_deref(), expected, "{given}");
        }
    }
}
