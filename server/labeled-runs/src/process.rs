//! A real process with known behavior: real allocations and measurements, in scaled time.
//!
//! A simulated second takes about a millisecond, and jemalloc's decay is scaled accordingly ([`MALLOC_CONF`]). The samples pass through
//! the history and the encoding of the report, so that the forecast is the same as for a real report.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are small and not negative"
)]

use std::collections::HashSet;
use std::f64::consts::TAU;
use std::time::Duration;

use fastrand::Rng;
use heapbeat::clock::Now;
use heapbeat::sampling::Sources;
use heapbeat::telemetry::history::History;
use heapbeat_forecast::Verdict;
use heapbeat_forecast::Verdict::{Fragmenting, Growing, Leaking, Steady};
use heapbeat_shared::{Bytes, InstanceId, UnixMillis};

/// The value of `_RJEM_MALLOC_CONF` for the process: a decay of one second, a hundred times as fast.
pub const MALLOC_CONF: &str = "background_thread:true,dirty_decay_ms:10,muzzy_decay_ms:0";

/// A kind of process, and its expected verdicts.
pub struct Scenario {
    /// The name in the table.
    pub name: &'static str,
    /// Duration in simulated seconds.
    pub seconds: u64,
    /// The memory limit.
    pub limit: Bytes,
    /// The expected verdicts at the end.
    pub expected: &'static [Verdict],
    behavior: Behavior,
}

/// Draws the parameters of a process, and returns a function that changes its heap in each second. Its argument is the time since
/// the start in seconds.
type Behavior = fn(&mut Rng) -> Box<dyn FnMut(&mut Heap, f64)>;

const fn scenario(
    name: &'static str,
    seconds: u64,
    expected: &'static [Verdict],
    behavior: Behavior,
) -> Scenario {
    Scenario { name, seconds, limit: Bytes::from_mb(512), expected, behavior }
}

/// The scenarios.
pub const SCENARIOS: [Scenario; 8] = [
    scenario("steady", 1800, &[Steady], |random| {
        let level = between(random, 30.0, 120.0);
        Box::new(move |heap, _| heap.resize_to(level))
    }),
    scenario("warm-up, then flat", 1800, &[Steady, Growing], |random| {
        let (level, rise, tau) =
            (between(random, 20.0, 60.0), between(random, 30.0, 150.0), between(random, 30.0, 200.0));
        Box::new(move |heap, t| heap.resize_to(level + rise * (1.0 - (-t / tau).exp())))
    }),
    scenario("sawtooth cache", 1800, &[Steady], |random| {
        let (level, height, period) =
            (between(random, 20.0, 60.0), between(random, 20.0, 100.0), between(random, 60.0, 300.0));
        Box::new(move |heap, t| heap.resize_to(level + height * (t / period).fract()))
    }),
    scenario("daily rhythm, scaled", 3600, &[Steady], |random| {
        let (level, swing, phase) =
            (between(random, 40.0, 80.0), between(random, 10.0, 35.0), between(random, 0.0, TAU));
        Box::new(move |heap, t| heap.resize_to(level + swing * (phase + TAU * t / 900.0).sin()))
    }),
    scenario("slow leak, 1 MB/min", 600, &[Leaking], |random| {
        let level = between(random, 30.0, 120.0);
        Box::new(move |heap, t| heap.resize_to(level + t / 60.0))
    }),
    scenario("fast leak, 20 MB/s", 22, &[Leaking], |random| {
        let level = between(random, 20.0, 40.0);
        Box::new(move |heap, t| heap.resize_to(level + 20.0 * t))
    }),
    scenario("fragmentation", 1800, &[Fragmenting], |random| {
        let (level, growth_mb_per_s) = (between(random, 30.0, 60.0), between(random, 0.06, 0.14));
        Box::new(move |heap, t| {
            // The pinned objects replace others, so that the live heap stays the same and only the gap grows.
            heap.resize_to(level - heap.pinned_mb());
            // Allocating whole slabs is expensive, so it is done in steps.
            if t % 15.0 < 1.0 {
                heap.fragment(t, growth_mb_per_s * 15.0);
            }
        })
    }),
    scenario("step after deploy", 1800, &[Steady], |random| {
        let (level, step, at) =
            (between(random, 30.0, 80.0), between(random, 20.0, 100.0), between(random, 300.0, 1200.0));
        Box::new(move |heap, t| heap.resize_to(if t < at { level } else { level + step }))
    }),
];

/// Returns a number from `low` to below `high`.
fn between(random: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * random.f64()
}

/// The memory of the process.
pub struct Heap {
    random: Rng,
    live: Vec<Box<[u8]>>,
    bytes: usize,
    in_flight: Vec<Box<[u8]>>,
    /// Mean bytes of the requests of a second.
    load: f64,
    pinning_objects: Vec<Box<[u8]>>,
    pinned_pages: HashSet<usize>,
    /// The size class that is being fragmented, and the bytes that have been allocated in it.
    class: (usize, usize),
}

impl Heap {
    /// Allocates or frees pieces of many sizes until this many MB are live.
    fn resize_to(&mut self, mb: f64) {
        let target = (mb * 1_048_576.0) as usize;
        while self.bytes < target {
            let size = (64.0 * (1024_f64).powf(self.random.f64())) as usize;
            self.live.push(vec![1; size].into());
            self.bytes += size;
        }
        while self.bytes > target {
            let Some(piece) = self.live.pop() else { return };
            self.bytes -= piece.len();
        }
    }

    /// Returns the MB of the objects that keep pages from being used for another size.
    fn pinned_mb(&self) -> f64 {
        self.pinning_objects.iter().map(|pin| pin.len()).sum::<usize>() as f64 / 1_048_576.0
    }

    /// Allocates the memory of this second's requests, and frees that of the previous second.
    fn replace_request_memory(&mut self) {
        self.in_flight.clear();
        let mut left = -self.load * (1.0_f64 - self.random.f64()).ln();
        while left > 0.0 {
            let size = between(&mut self.random, 1e3, 64e3);
            left -= size;
            self.in_flight.push(vec![1; size as usize].into());
        }
    }

    /// Fills new pages with objects of one size, and frees all but one per page, so that the pages cannot be used for another size.
    fn fragment(&mut self, t: f64, mb: f64) {
        const CLASSES: [usize; 8] = [96, 112, 160, 192, 224, 320, 384, 448];
        let class = CLASSES[(t / 226.0) as usize % CLASSES.len()];
        if class != self.class.0 {
            self.class = (class, 0);
        }
        self.class.1 += (mb * 1_048_576.0) as usize;
        let mut objects: Vec<Box<[u8]>> = (0..self.class.1 / class).map(|_| vec![1; class].into()).collect();
        for object in objects.drain(..) {
            // A slab of these classes has at least 12 kB, so every 8 kB belong to one slab; the pinning objects are at most 5 % of it.
            if self.pinned_pages.insert(object.as_ptr().addr() >> 13) {
                self.pinning_objects.push(object);
            }
        }
    }
}

/// Runs a scenario in this process, and returns its samples, encoded as in the report.
pub fn run_scenario(scenario: &Scenario, seed: u64) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    let mut apply = (scenario.behavior)(&mut random);
    let load = between(&mut random, 0.5e6, 4e6);
    let mut heap = Heap {
        random,
        live: Vec::new(),
        bytes: 0,
        in_flight: Vec::new(),
        load,
        pinning_objects: Vec::new(),
        pinned_pages: HashSet::new(),
        class: (0, 0),
    };
    let mut sources = Sources::of_this_process(Some(scenario.limit));
    let mut history = History::new(InstanceId(seed));
    for second in 0..=scenario.seconds {
        heap.replace_request_memory();
        apply(&mut heap, second as f64);
        let now = Now { wall: UnixMillis(second.cast_signed() * 1000), age: Duration::from_secs(second) };
        history.record(sources.read(now).sample());
    }
    history.after(None).block().data
}
