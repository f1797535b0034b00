//! A load generator with a constant request rate, and the count of its results.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Number of requests by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Sent requests.
    pub sent: u64,
    /// Responses with status 2xx.
    pub succeeded: u64,
    /// Responses with status 503.
    pub shed: u64,
    /// Responses with another status, and connections that were refused, reset or closed early.
    pub failed: u64,
    /// Refused connections; they are also counted as failed.
    pub refused: u64,
}

/// A running load.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<RequestCounts>>,
}

/// The load: how many requests the clients send, and which.
#[derive(Clone, Copy)]
pub struct LoadPlan {
    /// Number of clients, each on a thread of its own.
    pub clients: u32,
    /// Requests per second of all clients together.
    pub rate: u32,
    /// Whether connections are reused.
    pub keep_alive: bool,
    /// Returns the path of the `n`th request of a client.
    pub path: fn(u64) -> &'static str,
}

impl Load {
    /// Starts the clients.
    pub fn start(address: SocketAddr, plan: LoadPlan) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = (0..plan.clients).map(|index| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || client(address, plan, index, &stop))
        });
        Load { clients: clients.collect(), stop }
    }

    /// Stops the clients after their current requests, and returns the sum of their counts.
    pub fn stop(self) -> RequestCounts {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = RequestCounts::default();
        for client in self.clients {
            all += client.join().unwrap();
        }
        all
    }
}

impl AddAssign for RequestCounts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.succeeded += other.succeeded;
        self.shed += other.shed;
        self.failed += other.failed;
        self.refused += other.refused;
    }
}

fn client(address: SocketAddr, plan: LoadPlan, index: u32, stop: &AtomicBool) -> RequestCounts {
    let mut counts = RequestCounts::default();
    let mut kept = None;
    let between = Duration::from_secs(1) * plan.clients / plan.rate;
    let mut due = Instant::now() + between * index / plan.clients;
    while !stop.load(Ordering::Relaxed) {
        wait_until(due);
        // A request that took longer than its interval must not cause a burst of requests.
        due = (due + between).max(Instant::now());
        let path = (plan.path)(counts.sent);
        counts.sent += 1;
        match send_one(address, path, plan.keep_alive, &mut kept) {
            Ok(200..=299) => counts.succeeded += 1,
            Ok(503) => counts.shed += 1,
            Ok(_) => counts.failed += 1,
            Err(kind) => {
                counts.failed += 1;
                counts.refused += u64::from(kind == ErrorKind::ConnectionRefused);
            }
        }
    }
    counts
}

#[expect(clippy::disallowed_methods, reason = "requests are sent at a constant rate")]
fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

fn send_one(
    address: SocketAddr,
    path: &str,
    keep_alive: bool,
    kept: &mut Option<BufReader<TcpStream>>,
) -> Result<u16, ErrorKind> {
    let mut stream =
        if let Some(stream) = kept.take() { stream } else { connect(address).map_err(|e| e.kind())? };
    let close = if keep_alive { "" } else { "connection: close\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\nhost: load\r\n{close}\r\n");
    stream.get_mut().write_all(request.as_bytes()).map_err(|error| error.kind())?;
    let (status, closes) = read_status(&mut stream).map_err(|error| error.kind())?;
    if keep_alive && !closes {
        *kept = Some(stream);
    }
    Ok(status)
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Reads a response. Returns its status, and whether the server closes the connection after it.
fn read_status(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, bool)> {
    let closed_early = || std::io::Error::from(ErrorKind::UnexpectedEof);
    let (mut line, mut length, mut closes, mut status) = (String::new(), 0, false, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(closed_early());
        }
        let text = line.trim_end().to_ascii_lowercase();
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(closed_early)?;
        } else if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| closed_early())?;
        } else if text == "connection: close" {
            closes = true;
        } else if text.is_empty() {
            break;
        }
    }
    let read = std::io::copy(&mut stream.take(length), &mut std::io::sink())?;
    if read < length { Err(closed_early()) } else { Ok((status, closes)) }
}
