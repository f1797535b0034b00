//! Responds with 503 and the reason while no worker can run.

use std::net::TcpListener;
use std::time::Instant;

use super::mini_http::{MiniHttpServer, path, response};

/// The connections, and the response that they get.
#[derive(Debug)]
pub(super) struct FallbackResponder {
    reason: String,
    again_at: Instant,
    open: bool,
    pub(super) clients: MiniHttpServer,
}

impl FallbackResponder {
    /// Creates a responder with a public `reason` and the time of the next attempt.
    pub(super) fn new(reason: String, again_at: Instant) -> Self {
        FallbackResponder { reason, again_at, open: true, clients: MiniHttpServer::default() }
    }

    /// Stops accepting connections. Connections that were accepted still get their response, as they would be reset otherwise.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// Whether all connections have been served after [`FallbackResponder::close`].
    pub(super) fn is_done(&self) -> bool {
        !self.open && self.clients.is_empty()
    }

    /// Whether connections are accepted.
    pub(super) fn accepts(&self) -> bool {
        self.open && self.clients.accepts()
    }

    /// Serves connections without blocking.
    pub(super) fn serve(&mut self, listeners: &[TcpListener], now: Instant) {
        let seconds = self.again_at.saturating_duration_since(now).as_secs() + 1;
        let listeners = if self.open { listeners } else { &[] };
        self.clients.serve(listeners, now, |request| unavailable(request, &self.reason, seconds));
    }
}

/// Creates the whole response to a request.
pub(super) fn unavailable(request: &[u8], reason: &str, seconds: u64) -> String {
    let (kind, body) = if path(request).starts_with(b"/health") {
        ("application/json", serde_json::json!({ "status": "down", "reason": reason }))
    } else {
        let problem = serde_json::json!({ "title": "Service Unavailable", "status": 503, "detail": reason });
        ("application/problem+json", problem)
    };
    let retry = format!("retry-after: {seconds}\r\n");
    response(request, "503 Service Unavailable", kind, &retry, &body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_checks_and_other_requests_get_their_own_format() {
        let health = unavailable(b"GET /health?x=1 HTTP/1.1\r\n\r\n", "it \"crashed\"", 3);
        assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
        assert!(health.contains("\r\nretry-after: 3\r\n"), "{health}");
        assert!(
            health.ends_with("\r\n\r\n{\"reason\":\"it \\\"crashed\\\"\",\"status\":\"down\"}"),
            "{health}"
        );
        let other = unavailable(b"GET / HTTP/1.1\r\n\r\n", "r", 3);
        assert!(
            other.contains("application/problem+json")
                && other.ends_with("\"title\":\"Service Unavailable\"}")
        );
        let head = unavailable(b"HEAD /health HTTP/1.1\r\n\r\n", "r", 3);
        assert!(head.contains("content-length: 30") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(unavailable(b"nonsense", "r", 1).contains("problem+json"));
    }
}
