//! Simulated processes with known behavior, one point per second.
//!
//! Each scenario draws its parameters from a seed, so that twenty seeds are twenty processes. Live memory is retained memory plus
//! requests in flight (short-lived, correlated, heavy-tailed). The allocator's resident memory follows the high-water mark with a decay
//! of ten seconds, and some memory is outside the heap.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are small and not negative"
)]

use std::f64::consts::TAU;

use heapbeat_forecast::{Heap, Point, Verdict};
use heapbeat_shared::{Bytes, UnixMillis};

/// A seeded generator of random numbers: Sebastiano Vigna's `SplitMix64`.
///
/// A library's generator would make other processes of the same seeds, and the tables of `docs/forecast.md` are about these.
pub struct Random(u64);

impl Random {
    /// Makes a generator from a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number above 0 and at most 1.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number between two bounds.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns an exponentially distributed number of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Returns a normally distributed number of mean 0 and deviation 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }
}

/// Returns the memory retained at a second, in MB: in the live heap, in the allocator's gap, and outside the heap.
type Retained = Box<dyn FnMut(f64) -> (f64, f64, f64)>;

/// A simulated process.
pub struct Process {
    random: Random,
    retained: Retained,
    /// Mean memory of requests in flight, in MB.
    in_flight: f64,
    /// Weight of the tail of a single request: roughly the MB that 1 % of requests exceed.
    tail: f64,
    busy: f64,
    spike: f64,
    high_water: f64,
}

impl Process {
    fn new(mut random: Random, retained: Retained) -> Self {
        let in_flight = random.between(1.0, 8.0);
        Process { random, retained, in_flight, tail: 0.0, busy: in_flight, spike: 0.0, high_water: 0.0 }
    }

    fn heavy_tailed(mut self, tail: f64) -> Self {
        self.tail = tail;
        self
    }

    /// Returns the point at `second`. The seconds of successive calls must rise.
    pub fn point_at(&mut self, second: f64) -> Point {
        const MB: f64 = 1_048_576.0;
        let (live, gap, outside) = (self.retained)(second);
        self.busy = 0.6 * self.busy + 0.4 * self.in_flight * self.random.exponential();
        self.spike *= 0.5;
        if self.tail > 0.0 && self.random.unit() < 0.05 {
            // A Pareto distribution with shape 1.2 has no finite variance.
            self.spike += (self.tail * 0.05 * self.random.unit().powf(-1.0 / 1.2)).min(20.0 * self.tail);
        }
        let used = live + self.busy + self.spike;
        self.high_water = used.max(self.high_water - (self.high_water - used) * 0.1);
        let resident = self.high_water * 1.06 + 3.0 + gap;
        let bytes = |mb: f64| Bytes((mb.max(0.0) * MB) as u64);
        let total = resident + 14.0 + outside + 0.02 * self.random.normal();
        Point {
            at: UnixMillis((second * 1000.0).round() as i64),
            total: bytes(total),
            heap: Some(Heap { used: Some(bytes(used)), resident: Some(bytes(resident)), external: None }),
        }
    }
}

/// Returns the point without the figures of the heap.
pub fn without_heap(point: Point) -> Point {
    Point { heap: None, ..point }
}

/// A kind of process, and the right verdicts on it.
pub struct Scenario {
    /// The name in the table.
    pub name: &'static str,
    /// Duration in seconds, by the seed.
    pub seconds: fn(u64) -> u64,
    /// The memory limit in MB.
    pub limit_mb: u64,
    /// Verdicts that are right at the end, the best one first.
    pub right: &'static [Verdict],
    /// Whether the process leaks. If not, the verdict `leaking` is a false alarm at any second.
    pub leaks: bool,
    /// Makes the process from a seed.
    pub process: fn(u64) -> Process,
}

use Verdict::{Fragmenting, Growing, Leaking, Steady, Unknown};

/// Retains memory in the live heap only.
fn in_live_heap(f: impl FnMut(f64) -> f64 + 'static) -> Retained {
    let mut f = f;
    Box::new(move |t| (f(t), 0.0, 0.0))
}

/// Returns a sawtooth of `amplitude` MB and `period` seconds, both of which vary by a tenth from tooth to tooth.
fn sawtooth(mut random: Random, amplitude: f64, period: f64) -> impl FnMut(f64) -> f64 {
    let (mut from, mut lasts, mut fills) = (0.0, period, amplitude);
    move |t| {
        if t >= from + lasts {
            from = t;
            lasts = period * random.between(0.9, 1.1);
            fills = amplitude * random.between(0.9, 1.1);
        }
        fills * (t - from) / lasts
    }
}

fn rhythm_period(seed: u64) -> f64 {
    Random::new(seed).between(600.0, 1800.0)
}

/// Makes a process that leaks 1 MB per minute.
pub fn slow_leak(seed: u64) -> Process {
    let mut random = Random::new(seed);
    let base = random.between(40.0, 200.0);
    Process::new(random, in_live_heap(move |t| base + t / 60.0))
}

/// Makes a process that leaks `rate` MB per second.
pub fn linear_leak(seed: u64, rate: f64) -> Process {
    let mut random = Random::new(seed);
    let base = random.between(40.0, 120.0);
    Process::new(random, in_live_heap(move |t| base + rate * t))
}

/// Makes a steady process whose floor varies a little (an Ornstein-Uhlenbeck process of five minutes).
pub fn steady(seed: u64) -> Process {
    let mut random = Random::new(seed);
    let base = random.between(40.0, 250.0);
    let mut walk = Random::new(seed ^ 0x4d);
    let (mut wander, mut last) = (0.0f64, 0.0);
    Process::new(
        random,
        in_live_heap(move |t| {
            let pull = (-(t - last) / 300.0f64).exp();
            wander = wander * pull + (1.0 - pull * pull).sqrt() * 0.5 * walk.normal();
            last = t;
            base + wander
        }),
    )
}

/// Makes a process with a rhythm of `period` seconds, a random phase, and a skew (a short rise and a long fall, or the reverse).
pub fn rhythm(seed: u64, period: f64) -> Process {
    let mut random = Random::new(seed);
    let (base, swing, phase) =
        (random.between(60.0, 150.0), random.between(10.0, 100.0), random.unit() * TAU);
    let skew = random.between(-0.4, 0.4);
    Process::new(
        random,
        in_live_heap(move |t| {
            let angle = TAU * t / period + phase;
            base + swing * (0.5 + 0.5 * (angle + skew * angle.sin()).sin())
        }),
    )
}

/// The scenarios.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "steady",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Steady],
        leaks: false,
        process: steady,
    },
    Scenario {
        name: "heavy-tailed requests",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Steady],
        leaks: false,
        process: |seed| {
            let tail = Random::new(seed ^ 0x5).between(2.0, 15.0);
            steady(seed).heavy_tailed(tail)
        },
    },
    Scenario {
        name: "warm-up, then flat",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Steady, Growing],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let (rise, tau) = (random.between(10.0, 150.0), random.between(10.0, 240.0));
            Process::new(random, in_live_heap(move |t| 40.0 + rise * (1.0 - (-t / tau).exp())))
        },
    },
    Scenario {
        name: "sawtooth cache",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Steady, Growing],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let (amplitude, period) = (random.between(10.0, 100.0), random.between(20.0, 240.0));
            let mut saw = sawtooth(Random::new(seed ^ 0x9), amplitude, period);
            Process::new(random, in_live_heap(move |t| 60.0 + saw(t)))
        },
    },
    Scenario {
        name: "daily rhythm, scaled",
        seconds: |seed| (4.0 * rhythm_period(seed)) as u64,
        limit_mb: 512,
        right: &[Steady, Growing],
        leaks: false,
        process: |seed| rhythm(seed, rhythm_period(seed)),
    },
    Scenario {
        name: "half a rhythm, rising",
        seconds: |seed| (0.5 * rhythm_period(seed)) as u64,
        limit_mb: 512,
        right: &[Growing, Unknown],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let (swing, period) = (random.between(20.0, 100.0), rhythm_period(seed));
            Process::new(random, in_live_heap(move |t| 80.0 + swing * (0.5 - 0.5 * (TAU * t / period).cos())))
        },
    },
    Scenario {
        name: "step after deploy",
        seconds: |_| 1800,
        limit_mb: 512,
        right: &[Steady],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let (at, step) = (random.between(200.0, 1500.0), random.between(10.0, 150.0));
            Process::new(random, in_live_heap(move |t| 80.0 + if t < at { 0.0 } else { step }))
        },
    },
    Scenario {
        name: "ramp, then plateau",
        seconds: |_| 1800,
        limit_mb: 512,
        right: &[Steady, Growing],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let (at, step, lasts) =
                (random.between(200.0, 1200.0), random.between(10.0, 100.0), random.between(10.0, 90.0));
            Process::new(random, in_live_heap(move |t| 80.0 + step * ((t - at) / lasts).clamp(0.0, 1.0)))
        },
    },
    Scenario {
        name: "slow leak, 1 MB/min",
        seconds: |_| 600,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: slow_leak,
    },
    Scenario {
        name: "slow leak, normal noise",
        seconds: |_| 600,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut random = Random::new(seed);
            let (base, deviation) = (random.between(40.0, 200.0), random.between(0.1, 3.0));
            let mut noise = Random::new(seed ^ 0x8);
            let mut process =
                Process::new(random, in_live_heap(move |t| base + t / 60.0 + deviation * noise.normal()));
            process.in_flight = 0.0;
            process
        },
    },
    Scenario {
        name: "slow leak on a sawtooth",
        seconds: |_| 900,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut random = Random::new(seed);
            let (amplitude, period) = (random.between(5.0, 40.0), random.between(10.0, 55.0));
            let mut saw = sawtooth(Random::new(seed ^ 0x9), amplitude, period);
            Process::new(random, in_live_heap(move |t| 60.0 + saw(t) + t / 60.0))
        },
    },
    Scenario {
        name: "fast leak, 20 MB/s",
        seconds: |_| 24,
        limit_mb: 1024,
        right: &[Leaking],
        leaks: true,
        process: |seed| linear_leak(seed, 20.0),
    },
    Scenario {
        name: "late leak, 1-5 MB/min",
        seconds: |seed| late_start(seed) as u64 + 600,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut random = Random::new(seed);
            let (at, rate) = (late_start(seed), random.between(1.0, 5.0));
            Process::new(random, in_live_heap(move |t| 80.0 + rate / 60.0 * (t - at).max(0.0)))
        },
    },
    Scenario {
        name: "staircase leak",
        seconds: |_| 1800,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut random = Random::new(seed);
            let (step, every) = (random.between(2.0, 8.0), random.between(60.0, 180.0));
            Process::new(random, in_live_heap(move |t| 80.0 + step * (t / every).floor()))
        },
    },
    Scenario {
        name: "leak by chance, mean 2 MB/min",
        seconds: |_| 900,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut random = Random::new(seed);
            let chance = random.between(0.05, 0.5);
            let mut coin = Random::new(seed ^ 0x3);
            let mut held = 0.0;
            Process::new(
                random,
                in_live_heap(move |_| {
                    if coin.unit() < chance {
                        held += coin.exponential() / (30.0 * chance);
                    }
                    80.0 + held
                }),
            )
        },
    },
    Scenario {
        name: "fragmentation",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Fragmenting],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let rate = random.between(1.0, 6.0);
            Process::new(random, Box::new(move |t| (90.0, rate * t / 60.0, 0.0)))
        },
    },
    Scenario {
        name: "growth outside the heap",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Growing],
        leaks: false,
        process: |seed| {
            let mut random = Random::new(seed);
            let rate = random.between(1.0, 6.0);
            Process::new(random, Box::new(move |t| (90.0, 0.0, rate * t / 60.0)))
        },
    },
];

fn late_start(seed: u64) -> f64 {
    Random::new(seed ^ 0x29).between(1200.0, 5400.0)
}
