//! A minimal HTTP server without a runtime: each connection has a short time for its request. When there are too many, the one that
//! has waited longest without a request makes room, so that idle connections cannot keep a health check waiting.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Maximum number of connections.
const MAX_CONNECTIONS: usize = 64;

/// Maximum number of connections that are accepted before the supervisor does something else.
const MAX_ACCEPTED: usize = 1024;

/// Time for a client's request.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum length of a request that is read.
const MAX_REQUEST: usize = 8 << 10;

/// Pause after the kernel could not accept a connection for lack of descriptors or memory. An immediate retry would fail as well, and
/// the listener would remain readable.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// The server's connections.
#[derive(Debug, Default)]
pub(super) struct MiniHttpServer {
    all: Vec<Client>,
    /// Until when no connection is accepted, and whether that was logged.
    paused_until: Option<Instant>,
    warned: bool,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    until: Instant,
}

impl MiniHttpServer {
    /// Returns the sockets to poll besides the listeners.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.all.iter().map(|client| client.stream.as_fd())
    }

    /// Whether there are no connections.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether connections can be accepted.
    pub(super) fn accepts(&self) -> bool {
        self.paused_until.is_none()
    }

    /// Returns when the next client times out, or connections are accepted again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all.iter().map(|client| client.until).chain(self.paused_until).min()
    }

    /// Serves connections without blocking; `answer` creates the whole response to a request.
    pub(super) fn serve(
        &mut self,
        listeners: &[TcpListener],
        now: Instant,
        answer: impl Fn(&[u8]) -> String,
    ) {
        self.paused_until = self.paused_until.filter(|until| now < *until);
        for listener in listeners {
            for _ in 0..MAX_ACCEPTED {
                if !self.accepts() {
                    break;
                }
                match listener.accept() {
                    Ok((stream, _)) => {
                        if stream.set_nonblocking(true).is_ok() {
                            self.all.push(Client { stream, request: Vec::new(), until: now + TIMEOUT });
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => {
                        self.pause(&error, now);
                        break;
                    }
                }
                if self.all.len() >= MAX_CONNECTIONS {
                    self.respond_to_all(now, &answer);
                    let surplus = (self.all.len() + 1).saturating_sub(MAX_CONNECTIONS);
                    self.all.drain(..surplus);
                }
            }
        }
        self.respond_to_all(now, &answer);
    }
}

impl MiniHttpServer {
    /// Responds to complete requests, and closes connections that have timed out.
    fn respond_to_all(&mut self, now: Instant, answer: impl Fn(&[u8]) -> String) {
        self.all.retain_mut(|client| match client.read() {
            RequestState::Incomplete => now < client.until,
            RequestState::Closed => false,
            RequestState::Complete => {
                client.respond(&answer(&client.request));
                false
            }
        });
    }

    fn pause(&mut self, error: &io::Error, now: Instant) {
        self.paused_until = Some(now + ERROR_PAUSE);
        if !self.warned {
            tracing::error!(
                "cannot accept connections: {error}; they wait in the kernel's queue until the next attempt"
            );
        }
        self.warned = true;
    }
}

/// Creates a response; its body is left out for `HEAD`.
pub(super) fn response(request: &[u8], status: &str, kind: &str, headers: &str, body: &str) -> String {
    let shown = if request.starts_with(b"HEAD ") { "" } else { body };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{headers}\
         cache-control: no-store\r\nconnection: close\r\n\r\n{shown}",
        body.len()
    )
}

/// Returns the path of a request without its query.
pub(super) fn path(request: &[u8]) -> &[u8] {
    let target = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

enum RequestState {
    Incomplete,
    Complete,
    Closed,
}

impl Client {
    fn read(&mut self) -> RequestState {
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return RequestState::Closed,
                Ok(count) => self.request.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return RequestState::Incomplete,
                Err(_) => return RequestState::Closed,
            }
            if self.request.windows(4).any(|end| end == b"\r\n\r\n") || self.request.len() > MAX_REQUEST {
                return RequestState::Complete;
            }
        }
    }

    /// Sends a response that fits into the socket's buffer, and discards what the client has sent.
    fn respond(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes());
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut discarded = [0; 4096];
        while matches!(self.stream.read(&mut discarded), Ok(1..)) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_response_without_blocking_the_server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = [listener];
        let begun = Instant::now();
        let mut clients = MiniHttpServer::default();
        let mut asking = TcpStream::connect(address).unwrap();
        let silent = TcpStream::connect(address).unwrap();
        asking.write_all(b"GET /health?x=1 HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        let mut warned = Vec::new();
        asking.set_nonblocking(true).unwrap();
        while !warned.ends_with(b"}") {
            clients.serve(&listeners, begun, |request| {
                response(
                    request,
                    "200 OK",
                    "a/b",
                    "",
                    &format!("{{{}}}", String::from_utf8_lossy(path(request))),
                )
            });
            let mut chunk = [0; 512];
            if let Ok(count) = asking.read(&mut chunk) {
                warned.extend_from_slice(&chunk[..count]);
            }
        }
        assert!(String::from_utf8(warned).unwrap().ends_with("\r\n\r\n{/health}"));
        assert_eq!(clients.all.len(), 1, "the silent client still has time");
        clients.serve(&listeners, begun + TIMEOUT, |_| String::new());
        assert_eq!(clients.all.len(), 0);
        drop(silent);
    }
}
