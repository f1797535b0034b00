//! What crashes, leaks and kills cost, counted: `cargo bench -p heapbeat-cli --bench survive -- [idle|leak|busy|kill|shed|exits|pm2]`.
//!
//! Real processes, real signals, real connections on this machine. `HEAPBEAT_BIN` measures another binary,
//! `SURVIVE_SECONDS` and `SURVIVE_TIMES` change how long and how often.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

mod survive {
    pub(crate) mod exits;
    pub(crate) mod pm2;
    pub(crate) mod shed;
}

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use heapbeat_test_support::load::{Load, Plan};
use heapbeat_test_support::{Server, children, signal, until};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let all: [(&str, fn()); 7] = [
        ("idle", idle),
        ("leak", leak),
        ("busy", busy),
        ("kill", kill),
        ("shed", survive::shed::rounds),
        ("exits", survive::exits::matrix),
        ("pm2", survive::pm2::leak),
    ];
    for (name, run) in all {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("== {name}");
            run();
        }
    }
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub(crate) fn seconds() -> Duration {
    Duration::from_secs(setting("SURVIVE_SECONDS", 60))
}

pub(crate) fn times() -> usize {
    usize::try_from(setting("SURVIVE_TIMES", 20)).unwrap()
}

/// 20 MB a second at 200 requests a second.
pub(crate) const LEAK: Plan = Plan {
    clients: 8,
    rate: 200,
    keep_alive: false,
    path: |n| if n % 10 == 9 { "/demo/leak?mb=1" } else { "/demo/work?ms=5&kb=16" },
};

/// What the supervisor costs.
fn idle() {
    let server = Server::start(&[]);
    until("readiness", || (server.get("/health").status == 200).then_some(()));
    // A supervisor gives back what only its start needed two to three seconds after it.
    pause(Duration::from_secs(5));
    for (who, pid) in [("supervisor", server.pid()), ("worker", server.worker())] {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = |key: &str| {
            let line = rollup.lines().find(|line| line.starts_with(key)).unwrap_or("0 0");
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        let [rss, pss, anon] = ["Rss:", "Pss:", "Anonymous:"].map(line);
        println!("{who}: rss {rss:.1} MB, pss {pss:.1} MB, anonymous {anon:.1} MB");
    }
}

/// The largest sum of the resident memory of a server's workers, until told to stop.
fn watch(server: u32, stop: Arc<AtomicBool>) -> thread::JoinHandle<(u64, u64)> {
    thread::spawn(move || {
        let (mut one, mut all) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            let sizes: Vec<u64> = children(server).into_iter().map(resident).collect();
            one = one.max(sizes.iter().copied().max().unwrap_or(0));
            all = all.max(sizes.iter().sum());
            pause(Duration::from_millis(20));
        }
        (one, all)
    })
}

fn resident(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

#[expect(clippy::disallowed_methods, reason = "a measurement has its time")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

fn leak() {
    for keep_alive in [false, true] {
        under_leak(Plan { keep_alive, ..LEAK }, false);
    }
}

/// The same leak at a thousand requests a second, with a streaming answer always open.
fn busy() {
    let path = |n| if n % 50 == 49 { "/demo/leak?mb=1" } else { "/demo/work?ms=5&kb=16" };
    under_leak(Plan { clients: 32, rate: 1000, keep_alive: true, path }, true);
}

fn under_leak(plan: Plan, streams: bool) {
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "200MB")]);
    let stop = Arc::<AtomicBool>::default();
    let watching = watch(server.pid(), Arc::clone(&stop));
    let streaming = streams.then(|| {
        let (address, stop) = (server.address(), Arc::clone(&stop));
        thread::spawn(move || {
            let (mut whole, mut broken) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let mut stream = heapbeat_test_support::connect(address);
                let request = b"GET /demo/stream?s=10 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
                let mut text = String::new();
                let read = stream.write_all(request).and_then(|()| stream.read_to_string(&mut text));
                if read.is_ok() && text.contains("end\n") { whole += 1 } else { broken += 1 }
            }
            (whole, broken)
        })
    });
    let load = Load::start(server.address(), plan);
    pause(seconds());
    let tally = load.stop();
    stop.store(true, Ordering::Relaxed);
    let (one, all) = watching.join().unwrap();
    let recycles = server.logged("recycled: worker").len();
    println!(
        "{} requests/s, keep-alive {}, {} s: {tally:?}, {recycles} recycles, peak of one worker {} MB, of all {} MB, exits {:?}",
        plan.rate,
        plan.keep_alive,
        seconds().as_secs(),
        one >> 20,
        all >> 20,
        counted(&server.exits())
    );
    if let Some(streaming) = streaming {
        let (whole, broken) = streaming.join().unwrap();
        println!("streaming answers of 10 s: {whole} whole, {broken} broken off");
    }
}

fn counted(words: &[String]) -> std::collections::BTreeMap<&str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for word in words {
        *counts.entry(word.as_str()).or_default() += 1;
    }
    counts
}

/// `kill -9` under load, each time of a fresh server.
fn kill() {
    let plan = Plan { clients: 8, rate: 200, keep_alive: false, path: |_| "/demo/work?ms=5&kb=16" };
    let mut all = heapbeat_test_support::load::Tally::default();
    let mut gaps = Vec::new();
    for _ in 0..times() {
        let server = Server::start(&[]);
        let load = Load::start(server.address(), plan);
        pause(Duration::from_millis(1000));
        let old = server.worker();
        let begun = Instant::now();
        signal(old, "KILL");
        until("the next answer", || {
            let mut stream = heapbeat_test_support::connect(server.address());
            stream.write_all(b"GET / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            text.starts_with("HTTP/1.1 200").then_some(())
        });
        gaps.push(begun.elapsed());
        pause(Duration::from_millis(500));
        all += load.stop();
    }
    gaps.sort_unstable();
    println!(
        "{} kills: {all:?}; time to the next answer: median {:.1?}, longest {:.1?}",
        gaps.len(),
        gaps[gaps.len() / 2],
        gaps.last().unwrap()
    );
}
