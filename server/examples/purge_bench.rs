//! Measures what a purge returns and how long it delays other threads: `cargo run --release -p heapbeat --example purge_bench`.
//!
//! Rounds alternate: in one the heap is filled with 300 MB in many sizes, freed, and purged; in the next it is filled and freed without
//! a purge. Meanwhile two threads work as a request does (some 1,000 allocations, no waiting) and time each piece of work. The longest
//! piece during a purge is a pause that the purge may have caused; the longest in the same time of a round without one is due to the
//! machine.

#![allow(clippy::unwrap_used)] // a measurement may stop at the first thing that is wrong

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use heapbeat::overload::purge;
use heapbeat::sampling::Heap;
use heapbeat_shared::Bytes;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

const FILL: usize = 300 << 20;
const ROUNDS: usize = 20;

/// Whether pieces of work are timed at present, and the longest, in nanoseconds.
static TIMED: AtomicBool = AtomicBool::new(false);
static LONGEST: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);

fn main() {
    let fresh = rss();
    drop(fill());
    purge::purge().unwrap();
    // What stays of the very first peak is jemalloc's bookkeeping, which it keeps for the next.
    let start = rss();
    let heap = Heap::open().unwrap();
    let metadata = heap.read().unwrap().metadata;
    println!(
        "rss at the start {}, after a first peak {}, of that metadata {metadata}",
        Bytes(fresh),
        Bytes(start)
    );

    drop(fill());
    let (freed, begun) = (rss(), Instant::now());
    purge::purge().unwrap();
    wait_until(|| rss() < start + start / 10, Duration::from_secs(15));
    println!(
        "300 MB freed: rss {}, {} after a purge, {:.1?} later",
        Bytes(freed),
        Bytes(rss()),
        begun.elapsed()
    );

    drop(fill());
    let (freed, begun) = (rss(), Instant::now());
    wait_until(|| rss() < start + start / 10, Duration::from_secs(15));
    println!(
        "300 MB freed: rss {}, {} after {:.1?} of idleness",
        Bytes(freed),
        Bytes(rss()),
        begun.elapsed()
    );

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| work(&stop));
        }
        let (mut with, mut without, mut purges) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            drop(fill());
            let (took, longest) = timed(|| purge::purge().unwrap());
            with.push(longest);
            purges.push(took);
            drop(fill());
            let (_, longest) = timed(|| wait(took));
            without.push(longest);
        }
        stop.store(true, Ordering::Relaxed);
        for (name, mut times) in [("purge", purges), ("pause with it", with), ("pause without", without)] {
            times.sort_unstable();
            let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
            println!("{name:<14} median {median:>8.1?}  longest {most:>8.1?}  of {ROUNDS}");
        }
        println!("{} pieces of work", DONE.load(Ordering::Relaxed));
    });
}

/// 300 MB: mostly small, some large, all touched.
fn fill() -> Vec<Vec<u8>> {
    let (mut seed, mut bytes, mut held) = (7_u64, 0, Vec::new());
    while bytes < FILL {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Sizes from 16 B to 1 MB, each doubling as much memory as any other.
        let size = 16_usize << ((seed >> 33) % 17);
        let count = (1 << 20) / size;
        held.extend((0..count).map(|_| vec![1; size]));
        bytes += size * count;
    }
    held
}

fn work(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let rows: Vec<String> = (0..500).map(|n| format!("row {n} {}", "x".repeat(n))).collect();
        let mut text = String::new();
        for row in &rows {
            let _ = writeln!(text, "{row}");
        }
        black_box(text);
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        DONE.fetch_add(1, Ordering::Relaxed);
        if TIMED.load(Ordering::Relaxed) {
            LONGEST.fetch_max(took, Ordering::Relaxed);
        }
    }
}

/// How long `what` took, and the longest piece of work that ended meanwhile or just after.
fn timed(what: impl FnOnce()) -> (Duration, Duration) {
    LONGEST.store(0, Ordering::Relaxed);
    TIMED.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    what();
    let took = begun.elapsed();
    // Whoever was held up ends after the purge.
    let done = DONE.load(Ordering::Relaxed);
    wait_until(|| DONE.load(Ordering::Relaxed) >= done + 2, Duration::from_secs(5));
    TIMED.store(false, Ordering::Relaxed);
    (took, Duration::from_nanos(LONGEST.load(Ordering::Relaxed)))
}

fn wait_until(enough: impl Fn() -> bool, most: Duration) {
    let begun = Instant::now();
    while !enough() && begun.elapsed() < most {
        wait(Duration::from_millis(1));
    }
}

#[expect(clippy::disallowed_methods, reason = "time has to pass")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

fn rss() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}
