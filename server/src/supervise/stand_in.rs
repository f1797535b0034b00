//! Answers in the workers' place while none can run: 503 and why, so that whoever watches knows.
//!
//! A few connections at a time, each with a moment to ask and no more; the rest wait in the kernel's queue for the
//! worker to come.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Connections at the same time.
const MOST: usize = 32;

/// Time for a client to ask.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most of a request that is looked at.
const LONGEST: usize = 8 << 10;

/// The connections, and what they are told.
#[derive(Debug)]
pub(super) struct StandIn {
    reason: String,
    again_at: Instant,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    until: Instant,
}

impl StandIn {
    /// Tells `reason`, which strangers may read, and when it is worth coming back.
    pub(super) fn new(reason: String, again_at: Instant) -> Self {
        StandIn { reason, again_at, clients: Vec::new() }
    }

    /// What to wait for beside the listeners.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.clients.iter().map(|client| client.stream.as_fd())
    }

    /// Whether listeners should be waited for.
    pub(super) fn has_room(&self) -> bool {
        self.clients.len() < MOST
    }

    /// When the next client's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.clients.iter().map(|client| client.until).min()
    }

    /// Does what can be done without waiting.
    pub(super) fn work(&mut self, listeners: &[TcpListener], now: Instant) {
        for listener in listeners {
            while self.has_room() {
                let Ok((stream, _)) = listener.accept() else { break };
                if stream.set_nonblocking(true).is_ok() {
                    self.clients.push(Client { stream, request: Vec::new(), until: now + PATIENCE });
                }
            }
        }
        let seconds = self.again_at.saturating_duration_since(now).as_secs() + 1;
        let reason = &self.reason;
        self.clients.retain_mut(|client| match client.read() {
            Reading::More => now < client.until,
            Reading::Gone => false,
            Reading::Asked => {
                client.answer(&answer(&client.request, reason, seconds));
                false
            }
        });
    }
}

enum Reading {
    More,
    Asked,
    Gone,
}

impl Client {
    fn read(&mut self) -> Reading {
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Reading::Gone,
                Ok(count) => self.request.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Reading::More,
                Err(_) => return Reading::Gone,
            }
            if self.request.windows(4).any(|end| end == b"\r\n\r\n") || self.request.len() > LONGEST {
                return Reading::Asked;
            }
        }
    }

    /// A short answer fits the socket's buffer. What the client may still be sending is not waited for.
    fn answer(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut waste = [0; 4096];
        while matches!(self.stream.read(&mut waste), Ok(1..)) {}
    }
}

/// The whole answer to a request.
fn answer(request: &[u8], reason: &str, seconds: u64) -> String {
    let health = request.split(|byte| *byte == b' ').nth(1).is_some_and(|path| path.starts_with(b"/health"));
    let (kind, body) = if health {
        ("application/json", serde_json::json!({ "status": "down", "reason": reason }))
    } else {
        let problem = serde_json::json!({ "title": "Service Unavailable", "status": 503, "detail": reason });
        ("application/problem+json", problem)
    };
    let body = body.to_string();
    let shown = if request.starts_with(b"HEAD ") { "" } else { &body };
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         retry-after: {seconds}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{shown}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_and_others_are_told_in_their_own_form() {
        let health = answer(b"GET /health?x=1 HTTP/1.1\r\n\r\n", "it \"crashed\"", 3);
        assert!(health.starts_with("HTTP/1.1 503 "), "{health}");
        assert!(health.contains("\r\nretry-after: 3\r\n"), "{health}");
        assert!(
            health.ends_with("\r\n\r\n{\"reason\":\"it \\\"crashed\\\"\",\"status\":\"down\"}"),
            "{health}"
        );
        let other = answer(b"GET / HTTP/1.1\r\n\r\n", "r", 3);
        assert!(
            other.contains("application/problem+json")
                && other.ends_with("\"title\":\"Service Unavailable\"}")
        );
        let head = answer(b"HEAD /health HTTP/1.1\r\n\r\n", "r", 3);
        assert!(head.contains("content-length: 30") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(answer(b"nonsense", "r", 1).contains("problem+json"));
    }

    #[test]
    fn a_client_is_answered_without_waiting_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = [listener];
        let begun = Instant::now();
        let mut stand_in = StandIn::new("why".into(), begun + Duration::from_secs(9));
        let mut asking = TcpStream::connect(address).unwrap();
        let silent = TcpStream::connect(address).unwrap();
        asking.write_all(b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        let mut told = Vec::new();
        asking.set_nonblocking(true).unwrap();
        while !told.ends_with(b"}") {
            stand_in.work(&listeners, begun);
            let mut chunk = [0; 512];
            if let Ok(count) = asking.read(&mut chunk) {
                told.extend_from_slice(&chunk[..count]);
            }
        }
        assert!(String::from_utf8(told).unwrap().contains("retry-after: 10"));
        assert_eq!(stand_in.clients.len(), 1, "the silent one may still ask");
        stand_in.work(&listeners, begun + PATIENCE);
        assert_eq!(stand_in.clients.len(), 0);
        drop(silent);
    }
}
