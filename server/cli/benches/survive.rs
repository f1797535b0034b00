//! Counts the requests that fail while the server crashes, leaks and is killed: `cargo bench -p heapbeat-cli --bench survive -- [idle|leak|busy|kill|shed|exits|pm2]`.
//!
//! It uses real processes, signals and connections. `HEAPBEAT_BIN` selects another program; `SURVIVE_SECONDS` and `SURVIVE_TIMES` set
//! the duration and the repetitions.
#![allow(clippy::unwrap_used, reason = "a failed measurement reports where it failed")]

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

use heapbeat_test_support::load::{Load, LoadPlan};
use heapbeat_test_support::{Server, child_pids, send_signal, wait_for};

fn main() {
    let selected: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
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
        if selected.is_empty() || selected.iter().any(|word| word == name) {
            println!("== {name}");
            run();
        }
    }
}

/// Reads a number from the environment.
fn number_from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub(crate) fn seconds() -> Duration {
    Duration::from_secs(number_from_env("SURVIVE_SECONDS", 60))
}

pub(crate) fn times() -> usize {
    usize::try_from(number_from_env("SURVIVE_TIMES", 20)).unwrap()
}

/// A leak of 20 MB per second at 200 requests per second.
pub(crate) const LEAK: LoadPlan = LoadPlan {
    clients: 8,
    rate: 200,
    keep_alive: false,
    path: |n| if n % 10 == 9 { "/demo/leak?mb=1" } else { "/demo/work?ms=5&kb=16" },
};

/// Measures the resident memory of an idle supervisor and its worker.
fn idle() {
    let server = Server::start(&[]);
    wait_for("readiness", || (server.get("/health").status == 200).then_some(()));
    // A supervisor releases the pages that only its start needed after two to three seconds.
    pause(Duration::from_secs(5));
    for (who, pid) in [("supervisor", server.pid()), ("worker", server.worker_pid())] {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = |key: &str| {
            let line = rollup.lines().find(|line| line.starts_with(key)).unwrap_or("0 0");
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        let [rss, pss, anon] = ["Rss:", "Pss:", "Anonymous:"].map(line);
        println!("{who}: rss {rss:.1} MB, pss {pss:.1} MB, anonymous {anon:.1} MB");
    }
}

/// Samples the resident memory of a server's workers until `stop`. Returns the peak of one worker and of their sum, in bytes.
fn measure_peaks(server: u32, stop: Arc<AtomicBool>) -> thread::JoinHandle<(u64, u64)> {
    thread::spawn(move || {
        let (mut one, mut all) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            let sizes: Vec<u64> = child_pids(server).into_iter().map(resident_bytes).collect();
            one = one.max(sizes.iter().copied().max().unwrap_or(0));
            all = all.max(sizes.iter().sum());
            pause(Duration::from_millis(20));
        }
        (one, all)
    })
}

fn resident_bytes(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

#[expect(clippy::disallowed_methods, reason = "a measurement has a duration")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

fn leak() {
    for keep_alive in [false, true] {
        under_leak(LoadPlan { keep_alive, ..LEAK }, false);
    }
}

/// The same leak at 1,000 requests per second, with a streamed response always open.
fn busy() {
    let path = |n| if n % 50 == 49 { "/demo/leak?mb=1" } else { "/demo/work?ms=5&kb=16" };
    under_leak(LoadPlan { clients: 32, rate: 1000, keep_alive: true, path }, true);
}

fn under_leak(plan: LoadPlan, streams: bool) {
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "200MB")]);
    let stop = Arc::<AtomicBool>::default();
    let peaks = measure_peaks(server.pid(), Arc::clone(&stop));
    let streaming = streams.then(|| {
        let (address, stop) = (server.address(), Arc::clone(&stop));
        thread::spawn(move || {
            let (mut complete, mut aborted) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let mut stream = heapbeat_test_support::connect(address);
                let request = b"GET /demo/stream?s=10 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
                let mut text = String::new();
                let read = stream.write_all(request).and_then(|()| stream.read_to_string(&mut text));
                if read.is_ok() && text.contains("end\n") { complete += 1 } else { aborted += 1 }
            }
            (complete, aborted)
        })
    });
    let load = Load::start(server.address(), plan);
    pause(seconds());
    let counts = load.stop();
    stop.store(true, Ordering::Relaxed);
    let (one, all) = peaks.join().unwrap();
    let recycles = server.log_events("recycled: worker").len();
    println!(
        "{} requests/s, keep-alive {}, {} s: {counts:?}, {recycles} recycles, peak of one worker {} MB, of all {} MB, exits {:?}",
        plan.rate,
        plan.keep_alive,
        seconds().as_secs(),
        one >> 20,
        all >> 20,
        count_words(&server.exit_kinds())
    );
    if let Some(streaming) = streaming {
        let (complete, aborted) = streaming.join().unwrap();
        println!("streamed responses of 10 s: {complete} complete, {aborted} aborted");
    }
}

fn count_words(words: &[String]) -> std::collections::BTreeMap<&str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for word in words {
        *counts.entry(word.as_str()).or_default() += 1;
    }
    counts
}

/// Kills the worker of a fresh server with SIGKILL under load, repeatedly.
fn kill() {
    let plan = LoadPlan { clients: 8, rate: 200, keep_alive: false, path: |_| "/demo/work?ms=5&kb=16" };
    let mut all = heapbeat_test_support::load::RequestCounts::default();
    let mut gaps = Vec::new();
    for _ in 0..times() {
        let server = Server::start(&[]);
        let load = Load::start(server.address(), plan);
        pause(Duration::from_millis(1000));
        let old = server.worker_pid();
        let begun = Instant::now();
        send_signal(old, "KILL");
        wait_for("the next response", || {
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
        "{} kills: {all:?}; time to the next response: median {:.1?}, longest {:.1?}",
        gaps.len(),
        gaps[gaps.len() / 2],
        gaps.last().unwrap()
    );
}
