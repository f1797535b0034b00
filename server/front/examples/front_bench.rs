//! What the front costs: throughput and latency of a small program with and without it, and the memory of idle connections.
//!
//!     cargo run --release -p heapbeat-front --example front_bench -- [seconds for each figure, default 3]
//!
//! The program, the front and the load share the machine, each on a thread of its own. The program answers a fixed text and does
//! nothing else, so the share that the front costs is the largest possible; a Node program of the same shape takes five times as long
//! for each request. Runs with and without the front alternate, because a shared machine drifts.
#![allow(clippy::unwrap_used)] // a measurement may stop at the first thing that is wrong

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use heapbeat_front::{Front, FrontConfig, NoOperatorRoutes, Upstream, UpstreamAddress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

const REQUEST: &[u8] =
    b"GET /items/42 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: front_bench\r\nAccept: */*\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\nhello world\n";

/// Connections that are left idle to measure their memory.
const IDLE: usize = 2000;

/// Runs with and without the front for each number of connections.
const RUNS: usize = 3;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Starts the program.
fn start_program() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(async move {
                    let mut buffer = Vec::with_capacity(4096);
                    while let Ok(1..) = stream.read_buf(&mut buffer).await {
                        if buffer.ends_with(b"\r\n\r\n") {
                            buffer.clear();
                            if stream.write_all(RESPONSE).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
    });
    address
}

/// Sends requests on all connections, and returns the latencies.
async fn load(address: SocketAddr, connections: usize, time: Duration) -> Vec<Duration> {
    let end = Instant::now() + time;
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        clients.spawn(async move {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut latencies = Vec::new();
            let mut buffer = Vec::with_capacity(4096);
            while Instant::now() < end {
                let sent = Instant::now();
                stream.write_all(REQUEST).await.unwrap();
                buffer.clear();
                while !buffer.ends_with(b"hello world\n") {
                    assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the connection was closed");
                }
                latencies.push(sent.elapsed());
            }
            latencies
        });
    }
    clients.join_all().await.concat()
}

/// Runs the load, and returns requests a second, p50 and p99.
fn measure(address: SocketAddr, connections: usize, time: Duration) -> (f64, Duration, Duration) {
    let mut latencies = runtime().block_on(load(address, connections, time));
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    (latencies.len() as f64 / time.as_secs_f64(), at(50), at(99))
}

/// Returns the resident set in kB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Returns the memory of an idle connection in bytes.
fn idle_memory(front: SocketAddr) -> u64 {
    let before = resident();
    let clients: Vec<TcpStream> = (0..IDLE)
        .map(|_| {
            let mut client = TcpStream::connect(front).unwrap();
            client.write_all(REQUEST).unwrap();
            let mut response = [0; 512];
            assert!(client.read(&mut response).unwrap() > 0);
            client
        })
        .collect();
    // The front drops the buffers of a connection after a second.
    thread::park_timeout(Duration::from_millis(1500));
    let grown = resident().saturating_sub(before);
    drop(clients);
    grown * 1024 / IDLE as u64
}

fn main() {
    let seconds = env::args().nth(1).map_or(3, |seconds| seconds.parse().unwrap());
    let time = Duration::from_secs(seconds);
    let program = start_program();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let front = Front::start(FrontConfig::default(), vec![listener], Arc::new(NoOperatorRoutes)).unwrap();
    front.handle().activate(Upstream { id: 1, address: UpstreamAddress::Tcp(program) });
    println!("| connections | through | requests/s | p50 | p99 | resident |");
    println!("|---|---|---|---|---|---|");
    for connections in [1, 32, 256] {
        for _ in 0..RUNS {
            for (name, target) in [("-", program), ("front", address)] {
                let (rate, p50, p99) = measure(target, connections, time);
                println!("| {connections} | {name} | {rate:.0} | {p50:?} | {p99:?} | {} kB |", resident());
            }
        }
    }
    println!("\n{} bytes for each of {IDLE} idle connections", idle_memory(address));
}
