//! The edge's admin API, over HTTP.

use std::time::Duration;

use heapbeat_monitors::applied::Applied;
use heapbeat_monitors::is_private_host;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Uri;

use crate::http_client::http_client;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// The edge.
#[derive(Debug)]
pub(super) struct Remote {
    agent: Agent,
    address: String,
    token: String,
}

/// Why the edge did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    /// Not an address.
    #[error("`{0}` is no address of an edge; one looks like https://heapbeat.example.workers.dev")]
    Url(String),
    /// The token would go over the network unencrypted.
    #[error("{0} is not encrypted, and the token would be read on the way; use https")]
    Plain(String),
    /// There is no token.
    #[error("HEAPBEAT_ADMIN_TOKEN is not set; it holds what the Worker has as the secret ADMIN_TOKEN")]
    NoToken,
    /// No answer.
    #[error("{0}: {1}")]
    Unreachable(String, String),
    /// An answer that says no.
    #[error("{address} answered {status}: {detail}")]
    Refused {
        /// Where.
        address: String,
        /// The status.
        status: u16,
        /// What it says, or what that status usually means.
        detail: String,
    },
}

impl Remote {
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, RemoteError> {
        let bad = || RemoteError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let (scheme, host) = (uri.scheme_str().ok_or_else(bad)?, uri.host().ok_or_else(bad)?);
        let authority = uri.authority().ok_or_else(bad)?;
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") {
            return Err(bad());
        }
        match scheme {
            "https" => {}
            "http" if is_private_host(host) => {}
            "http" => return Err(RemoteError::Plain(url.to_owned())),
            _ => return Err(bad()),
        }
        let token = token.filter(|token| !token.trim().is_empty()).ok_or(RemoteError::NoToken)?;
        let agent = http_client(TIMEOUT);
        let address = format!("{scheme}://{authority}/api/v1/admin/monitors");
        Ok(Remote { agent, address, token: token.trim().to_owned() })
    }

    /// Puts the list; the answer, and as it came.
    pub(super) fn put(&self, entries: &[Value], dry_run: bool) -> Result<(Applied, String), RemoteError> {
        let unreachable =
            |error: ureq::Error| RemoteError::Unreachable(self.address.clone(), error.to_string());
        let address = if dry_run { format!("{}?dry-run=true", self.address) } else { self.address.clone() };
        let body = json!({ "monitors": entries }).to_string();
        let request = self.agent.put(&address).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let mut response = request.send(body).map_err(unreachable)?;
        let status = response.status().as_u16();
        let text =
            response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string().map_err(unreachable)?;
        let refused = |detail: String| RemoteError::Refused { address: self.address.clone(), status, detail };
        if !matches!(status, 200 | 422) {
            return Err(refused(detail(status, &text)));
        }
        let applied =
            serde_json::from_str(&text).map_err(|_| refused("not as an edge answers".to_owned()))?;
        Ok((applied, text))
    }
}

/// What a problem document says, or what the status means.
fn detail(status: u16, text: &str) -> String {
    let told = serde_json::from_str::<Value>(text).ok();
    let told = told.as_ref().and_then(|told| told.get("detail")).and_then(Value::as_str);
    match (told, status) {
        (Some(told), _) => told.chars().filter(|c| !c.is_control()).take(300).collect(),
        (None, 404) => "there is no heapbeat edge at this address, or an older one".to_owned(),
        (None, 300..400) => {
            "a redirect, which is not followed with a token; give the final address".to_owned()
        }
        (None, _) => "no reason was given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_travel_in_the_clear() {
        let token = || Some("0123456789abcdef".to_owned());
        let good = [
            "https://edge.example",
            "https://edge.example/",
            "http://127.0.0.1:8787",
            "http://localhost:8787",
        ];
        for url in good {
            assert!(Remote::new(url, token()).is_ok(), "{url}");
        }
        assert!(matches!(Remote::new("http://edge.example", token()), Err(RemoteError::Plain(_))));
        for url in
            ["", "edge.example", "ftp://edge.example", "https://me:pw@edge.example", "https://edge.example/x"]
        {
            assert!(matches!(Remote::new(url, token()), Err(RemoteError::Url(_))), "{url}");
        }
        for none in [None, Some(String::new()), Some(" ".to_owned())] {
            assert!(matches!(Remote::new("https://edge.example", none), Err(RemoteError::NoToken)));
        }
    }

    #[test]
    fn what_an_edge_says_is_told_and_cut() {
        assert_eq!(detail(401, r#"{"detail":"wrong\n token"}"#), "wrong token");
        assert_eq!(detail(500, r#"{"detail":5}"#), "no reason was given");
        assert_eq!(detail(503, &json!({ "detail": "x".repeat(1000) }).to_string()).len(), 300);
        assert!(detail(404, "<html>").contains("no heapbeat edge"));
    }
}
