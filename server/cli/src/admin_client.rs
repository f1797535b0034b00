//! Client of the edge's admin API.

use std::time::Duration;

use heapbeat_monitors::applied::Applied;
use heapbeat_monitors::is_private_host;
use heapbeat_shared::text::printable;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::http::Uri;
use ureq::typestate::WithBody;
use ureq::{Agent, RequestBuilder};

use crate::http_client::{build_http_client, describe_failure, suggest_address, without_userinfo};

/// Environment variable of the token. There is no flag for it, as every user of a machine can list the arguments of processes.
pub(crate) const TOKEN: &str = "HEAPBEAT_ADMIN_TOKEN";

/// Longest wait for a response. A test of the alert channels waits for each of their services.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Size limit of a response, in bytes.
const MAX_RESPONSE_BYTES: u64 = 1 << 20;

/// The admin API of one edge.
pub(crate) struct AdminClient {
    agent: Agent,
    /// The scheme and the authority.
    origin: String,
    token: String,
}

/// The reason why the edge did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// The text is not the address of an edge.
    #[error("`{0}` is not the address of an edge, which looks like {1}")]
    Url(String, String),
    /// The token would be sent unencrypted.
    #[error("{0} would send the token unencrypted; use https")]
    Plain(String),
    /// The token is missing.
    #[error("HEAPBEAT_ADMIN_TOKEN is not set; it must have the value of the Worker's secret ADMIN_TOKEN")]
    NoToken,
    /// The edge did not respond.
    #[error("{0} does not answer: {1}")]
    Unreachable(String, String),
    /// The edge responded with an error.
    #[error("{address} answered {status}: {detail}")]
    Refused {
        /// Address of the request.
        address: String,
        /// Status of the response.
        status: u16,
        /// Detail of the problem document, or the usual meaning of the status.
        detail: String,
    },
}

impl AdminClient {
    pub(crate) fn new(url: &str, token: Option<String>) -> Result<Self, AdminError> {
        let bad = || {
            let example = || "https://heapbeat.example.workers.dev".to_owned();
            AdminError::Url(without_userinfo(url).to_owned(), suggest_address(url).unwrap_or_else(example))
        };
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let (scheme, host) = (uri.scheme_str().ok_or_else(bad)?, uri.host().ok_or_else(bad)?);
        let authority = uri.authority().ok_or_else(bad)?;
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") {
            return Err(bad());
        }
        match scheme {
            "https" => {}
            "http" if is_private_host(host) => {}
            "http" => return Err(AdminError::Plain(url.to_owned())),
            _ => return Err(bad()),
        }
        let token = token.filter(|token| !token.trim().is_empty()).ok_or(AdminError::NoToken)?;
        let agent = build_http_client(TIMEOUT);
        let origin = format!("{scheme}://{authority}");
        Ok(AdminClient { agent, origin, token: token.trim().to_owned() })
    }

    /// Replaces the list of monitors. Returns the response, parsed and as text.
    pub(crate) fn put_monitors(
        &self,
        entries: &[Value],
        dry_run: bool,
    ) -> Result<(Applied, String), AdminError> {
        let query = if dry_run { "?dry-run=true" } else { "" };
        let request = self.agent.put(format!("{}/api/v1/admin/monitors{query}", self.origin));
        self.send(request, json!({ "monitors": entries }).to_string())
    }

    /// Sends a request without a body. Returns the response, parsed and as text.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<(T, String), AdminError> {
        self.send(self.agent.post(format!("{}{path}", self.origin)), String::new())
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder<WithBody>,
        body: String,
    ) -> Result<(T, String), AdminError> {
        let address = || self.origin.clone();
        let unreachable = |error: ureq::Error| AdminError::Unreachable(address(), describe_failure(&error));
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let mut response = request.send(body).map_err(unreachable)?;
        let status = response.status().as_u16();
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_RESPONSE_BYTES)
            .read_to_string()
            .map_err(unreachable)?;
        let refused = |detail: String| AdminError::Refused { address: address(), status, detail };
        if !matches!(status, 200 | 422) {
            return Err(refused(error_detail(status, &text)));
        }
        let parsed = serde_json::from_str(&text)
            .map_err(|_| refused("the response is not from a heapbeat edge".to_owned()))?;
        Ok((parsed, text))
    }
}

/// Returns the detail of a problem document, or the usual meaning of the status.
fn error_detail(status: u16, text: &str) -> String {
    let problem = serde_json::from_str::<Value>(text).ok();
    let problem = problem.as_ref().and_then(|problem| problem.get("detail")).and_then(Value::as_str);
    match (problem, status) {
        (_, 401) => "HEAPBEAT_ADMIN_TOKEN is not the Worker's ADMIN_TOKEN".to_owned(),
        (Some(detail), _) => printable(detail, 300),
        (None, 404) => "there is no heapbeat edge at this address, or an older version".to_owned(),
        (None, 300..=399) => {
            "it redirects, which is not followed with a token; use the final address".to_owned()
        }
        (None, _) => "the response has no details".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_only_over_an_encrypted_or_private_connection() {
        let token = || Some("0123456789abcdef".to_owned());
        let good = [
            "https://edge.example",
            "https://edge.example/",
            "http://127.0.0.1:8787",
            "http://localhost:8787",
        ];
        for url in good {
            assert!(AdminClient::new(url, token()).is_ok(), "{url}");
        }
        assert!(matches!(AdminClient::new("http://edge.example", token()), Err(AdminError::Plain(_))));
        for url in
            ["", "edge.example", "ftp://edge.example", "https://me:pw@edge.example", "https://edge.example/x"]
        {
            let error = AdminClient::new(url, token()).err().unwrap();
            assert!(
                matches!(error, AdminError::Url(..)) && !error.to_string().contains("pw"),
                "{url}: {error}"
            );
        }
        for none in [None, Some(String::new()), Some(" ".to_owned())] {
            assert!(matches!(AdminClient::new("https://edge.example", none), Err(AdminError::NoToken)));
        }
    }

    #[test]
    fn the_detail_of_an_error_is_shown_without_control_characters_and_cut() {
        assert_eq!(error_detail(401, ""), "HEAPBEAT_ADMIN_TOKEN is not the Worker's ADMIN_TOKEN");
        assert_eq!(error_detail(409, r#"{"detail":"try\n again"}"#), "try again");
        assert_eq!(error_detail(500, r#"{"detail":5}"#), "the response has no details");
        assert_eq!(error_detail(503, &json!({ "detail": "x".repeat(1000) }).to_string()).len(), 300);
        assert!(error_detail(404, "<html>").contains("no heapbeat edge"));
    }
}
