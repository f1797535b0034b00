//! A load of ordinary requests, and a count of their results.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Results of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were answered with 2xx.
    pub answered: u64,
    /// Requests that were answered with 503.
    pub shed: u64,
    /// Requests that were refused, reset, cut off, or answered with another error.
    pub failed: u64,
    /// Failed requests whose connection was refused.
    pub refused: u64,
}

/// Running clients.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// Behavior of the clients.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How many clients there are, each on a thread of its own.
    pub clients: u32,
    /// Requests per second of all clients together.
    pub rate: u32,
    /// Whether connections are reused.
    pub keep_alive: bool,
    /// Path of the `n`th request of a client.
    pub path: fn(u64) -> &'static str,
}

impl Load {
    /// Starts the clients.
    pub fn start(address: SocketAddr, plan: Plan) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let clients = (0..plan.clients).map(|index| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || client(address, plan, index, &stop))
        });
        Load { clients: clients.collect(), stop }
    }

    /// Stops the clients after their current requests.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            all += client.join().unwrap();
        }
        all
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.shed += other.shed;
        self.failed += other.failed;
        self.refused += other.refused;
    }
}

fn client(address: SocketAddr, plan: Plan, index: u32, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut kept = None;
    let between = Duration::from_secs(1) * plan.clients / plan.rate;
    let mut due = Instant::now() + between * index / plan.clients;
    while !stop.load(Ordering::Relaxed) {
        wait_until(due);
        // A request that took longer than its turn is not made up for by a burst.
        due = (due + between).max(Instant::now());
        let path = (plan.path)(tally.sent);
        tally.sent += 1;
        match one(address, path, plan.keep_alive, &mut kept) {
            Ok(200..=299) => tally.answered += 1,
            Ok(503) => tally.shed += 1,
            Ok(_) => tally.failed += 1,
            Err(kind) => {
                tally.failed += 1;
                tally.refused += u64::from(kind == ErrorKind::ConnectionRefused);
            }
        }
    }
    tally
}

#[expect(clippy::disallowed_methods, reason = "a load has a rate")]
fn wait_until(due: Instant) {
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

fn one(
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
    let (status, closes) = answer(&mut stream).map_err(|error| error.kind())?;
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

/// The status, and whether the connection ends with this answer.
fn answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<(u16, bool)> {
    let broken = || std::io::Error::from(ErrorKind::UnexpectedEof);
    let (mut line, mut length, mut closes, mut status) = (String::new(), 0, false, 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(broken());
        }
        let text = line.trim_end().to_ascii_lowercase();
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
        } else if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| broken())?;
        } else if text == "connection: close" {
            closes = true;
        } else if text.is_empty() {
            break;
        }
    }
    let read = std::io::copy(&mut stream.take(length), &mut std::io::sink())?;
    if read < length { Err(broken()) } else { Ok((status, closes)) }
}
