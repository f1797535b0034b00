//! Measures the cost of attribution: `cargo run --release -p heapbeat --example attribution_bench [layer|allocator|none|guard]`.
//!
//! With `layer` or `allocator` only that half of it is on. `none` compares two equal sides, which shows the error of the ratio. `guard`
//! compares a whole `Guard` (limits, gate, sampler, attribution) with `axum::serve`.
//!
//! Both sides run in one process and take turns, so that other load affects both. *On* is the sampling allocator at its default
//! distance and the layer; *off* is plain jemalloc without the layer. Two figures are measured: nanoseconds per allocate-and-free pair
//! in a loop that does nothing else, and the throughput of a route that allocates much, over loopback: requests per second, and
//! requests per second of CPU time, which other programs affect less.

#![allow(unsafe_code)] // forwards to two allocators that understand each other's objects
#![allow(clippy::unwrap_used)] // a measurement may stop at the first thing that is wrong

use std::alloc::{GlobalAlloc, Layout};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use heapbeat::attribution::{AttributeLayer, MeanDistance, set_sampling};
use heapbeat::{Config, Guard};
use tikv_jemallocator::Jemalloc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// heapbeat's allocator, or jemalloc itself for what is new. What may be a sample goes through heapbeat's always.
struct Switch;

static ON: AtomicBool = AtomicBool::new(false);

// SAFETY: an object of jemalloc's own is one of heapbeat's that was not sampled; the other way round only heapbeat's
// allocator is used.
unsafe impl GlobalAlloc for Switch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe {
            if ON.load(Ordering::Relaxed) {
                heapbeat::Allocator.alloc(layout)
            } else {
                Jemalloc.alloc(layout)
            }
        }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let on = ON.load(Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { if on { heapbeat::Allocator.alloc_zeroed(layout) } else { Jemalloc.alloc_zeroed(layout) } }
    }
    unsafe fn dealloc(&self, object: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { heapbeat::Allocator.dealloc(object, layout) }
    }
    unsafe fn realloc(&self, object: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { heapbeat::Allocator.realloc(object, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Switch = Switch;

fn main() {
    pairs();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(requests());
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Nanoseconds per pair with 64 objects alive, each new one in the place of the oldest.
fn pair(allocator: &impl GlobalAlloc, size: usize) -> f64 {
    const ROUNDS: usize = 200_000;
    let layout = Layout::from_size_align(size, 8).unwrap();
    // SAFETY: the size is not 0; each object is freed once, with its layout.
    unsafe {
        let mut alive: Vec<*mut u8> = (0..64).map(|_| allocator.alloc(layout)).collect();
        let start = Instant::now();
        for n in 0..ROUNDS {
            let place = &mut alive[n % 64];
            allocator.dealloc(*place, layout);
            *place = black_box(allocator.alloc(layout));
        }
        let spent = start.elapsed();
        for object in alive {
            allocator.dealloc(object, layout);
        }
        spent.as_nanos() as f64 / ROUNDS as f64
    }
}

fn pairs() {
    println!("ns per pair    jemalloc  sampling off  sampling on");
    for size in [64, 1000, 4096, 40_000] {
        let (mut plain, mut off, mut on) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..31 {
            plain.push(pair(&Jemalloc, size));
            set_sampling(None);
            off.push(pair(&heapbeat::Allocator, size));
            set_sampling(Some(MeanDistance::DEFAULT));
            on.push(pair(&heapbeat::Allocator, size));
        }
        println!(
            "{size:>9} B {:>12.1} {:>13.1} {:>12.1}",
            median(&mut plain),
            median(&mut off),
            median(&mut on)
        );
    }
}

/// Some 1,500 allocations and 200 kB, with a text of 20 kB for an answer: rows fetched, sorted and written out. No two
/// answers in a row are alike: an allocator that sees the same request again and again gives it the same addresses in
/// the same order, which the processor loves and no server has.
async fn heavy() -> String {
    static REQUEST: AtomicU64 = AtomicU64::new(0);
    let mut seed = REQUEST.fetch_add(1, Ordering::Relaxed);
    let mut rows: Vec<(String, Vec<u8>)> = (0..500)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (format!("row {}", seed >> 40), vec![0; 200 + (seed >> 56) as usize])
        })
        .collect();
    rows.sort();
    let mut text = String::new();
    for (name, value) in &rows {
        let line = format!("{name}: {} bytes\n", value.len());
        let _ = write!(text, "{line}");
    }
    text
}

async fn serve(app: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn guarded(app: Router) -> std::net::SocketAddr {
    let listener = heapbeat::listen::bind(Some([127, 0, 0, 1].into()), 0).unwrap();
    let address = listener.local_addr().unwrap();
    let guard = Guard::builder(Config::default()).listener(listener).stop_when(std::future::pending());
    tokio::spawn(guard.build().unwrap().serve(app));
    address
}

/// Asks again and again over one connection, while it is this side's turn.
async fn client(address: std::net::SocketAddr, turn: Arc<tokio::sync::RwLock<()>>, done: Arc<AtomicU64>) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.set_nodelay(true).unwrap();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        let _turn = turn.read().await;
        connection.write_all(b"GET /heavy HTTP/1.1\r\nhost: bench\r\n\r\n").await.unwrap();
        let (mut have, mut want) = (0, usize::MAX);
        while have < want {
            have += connection.read(&mut buffer[have..]).await.unwrap();
            if want == usize::MAX
                && let Some(head) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n")
            {
                let text = std::str::from_utf8(&buffer[..head]).unwrap().to_ascii_lowercase();
                let length = text.split("content-length: ").nth(1).unwrap();
                want = head + 4 + length.split("\r\n").next().unwrap().parse::<usize>().unwrap();
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

async fn requests() {
    let plain = Router::new().route("/heavy", get(heavy));
    let only = std::env::args().nth(1);
    let allocator = !matches!(only.as_deref(), Some("layer" | "none"));
    let layer = !matches!(only.as_deref(), Some("allocator" | "none"));
    let sides = if only.as_deref() == Some("guard") {
        [serve(plain.clone()).await, guarded(plain)]
    } else {
        let other = if layer { plain.clone().layer(AttributeLayer::new()) } else { plain.clone() };
        [serve(plain).await, serve(other).await]
    };
    let turns = [0; 2].map(|_| Arc::new(tokio::sync::RwLock::new(())));
    let done = [0; 2].map(|_| Arc::new(AtomicU64::new(0)));
    let mut pauses = Vec::new();
    for turn in &turns {
        pauses.push(Some(Arc::clone(turn).write_owned().await));
    }
    for side in 0..2 {
        for _ in 0..8 {
            tokio::spawn(client(sides[side], Arc::clone(&turns[side]), Arc::clone(&done[side])));
        }
    }
    let mut rates = [const { [const { Vec::new() }; 2] }; 2];
    let mut ratios = [const { Vec::new() }; 2];
    for round in 0..81 {
        let mut rate = [[0.0; 2]; 2];
        for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let on = allocator && side == 1;
            ON.store(on, Ordering::Relaxed);
            set_sampling(on.then_some(MeanDistance::DEFAULT));
            let (start, cpu, before) = (Instant::now(), processor(), done[side].load(Ordering::Relaxed));
            pauses[side] = None;
            tokio::time::sleep(Duration::from_millis(120)).await;
            pauses[side] = Some(Arc::clone(&turns[side]).write_owned().await);
            let count = (done[side].load(Ordering::Relaxed) - before) as f64;
            rate[side] = [count / start.elapsed().as_secs_f64(), count / (processor() - cpu)];
        }
        // The first round warms up.
        for of in (0..2).filter(|_| round > 0) {
            ratios[of].push(rate[1][of] / rate[0][of]);
            for side in 0..2 {
                rates[of][side].push(rate[side][of]);
            }
        }
    }
    for (of, name) in ["requests/s", "requests/cpu s"].iter().enumerate() {
        let [off, on] = &mut rates[of];
        let ratio = median(&mut ratios[of]);
        let (low, high) = (ratios[of][20], ratios[of][60]);
        let (off, on) = (median(off), median(on));
        println!(
            "{name:<15} off {off:>6.0}  on {on:>6.0}  ratio {ratio:.4} (quartiles {low:.4} to {high:.4})"
        );
    }
}

/// Seconds of processor time that this process has used.
fn processor() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
