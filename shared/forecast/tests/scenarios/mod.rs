//! Simulated processes whose true behavior is known: memory second by second.
//!
//! Each scenario draws its parameters from the seed, so that twenty seeds are twenty processes. Live memory is what is
//! retained plus requests in flight (short-lived, correlated, heavy-tailed); the allocator's resident memory follows
//! its high-water mark with a decay of ten seconds; something lives outside the heap.
#![allow(dead_code, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::f64::consts::TAU;

use heapbeat_forecast::{Heap, Point, Verdict};
use heapbeat_shared::{Bytes, UnixMillis};

/// Sebastiano Vigna's splitmix64: small, seeded, good enough to simulate with.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Exponential of mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }
}

/// What is retained after so many seconds, in MB: `(live, gap, outside)`.
type Retained = Box<dyn FnMut(f64) -> (f64, f64, f64)>;

/// A process that can be asked for its next second.
pub(crate) struct Process {
    dice: Dice,
    retained: Retained,
    /// Mean MB in flight, and how heavy the tail of one request is (MB at the 1 % point, roughly).
    in_flight: f64,
    tail: f64,
    busy: f64,
    spike: f64,
    high_water: f64,
}

impl Process {
    fn new(mut dice: Dice, retained: Retained) -> Self {
        let in_flight = dice.between(1.0, 8.0);
        Process { dice, retained, in_flight, tail: 0.0, busy: in_flight, spike: 0.0, high_water: 0.0 }
    }

    fn heavy_tailed(mut self, tail: f64) -> Self {
        self.tail = tail;
        self
    }

    /// The reading at `second`; call with rising seconds.
    pub(crate) fn at(&mut self, second: f64) -> Point {
        const MB: f64 = 1_048_576.0;
        let (live, gap, outside) = (self.retained)(second);
        self.busy = 0.6 * self.busy + 0.4 * self.in_flight * self.dice.exponential();
        self.spike *= 0.5;
        if self.tail > 0.0 && self.dice.unit() < 0.05 {
            // Pareto with shape 1.2: no variance to speak of.
            self.spike += (self.tail * 0.05 * self.dice.unit().powf(-1.0 / 1.2)).min(20.0 * self.tail);
        }
        let used = live + self.busy + self.spike;
        self.high_water = used.max(self.high_water - (self.high_water - used) * 0.1);
        let resident = self.high_water * 1.06 + 3.0 + gap;
        let bytes = |mb: f64| Bytes((mb.max(0.0) * MB) as u64);
        let total = resident + 14.0 + outside + 0.02 * self.dice.normal();
        Point {
            at: UnixMillis((second * 1000.0).round() as i64),
            total: bytes(total),
            heap: Some(Heap { used: bytes(used), resident: Some(bytes(resident)) }),
        }
    }
}

/// The same reading with one figure only.
pub(crate) fn single(point: Point) -> Point {
    Point { heap: None, ..point }
}

/// A kind of process, and what may be said of it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Seconds until the verdict is asked for.
    pub(crate) seconds: fn(u64) -> u64,
    pub(crate) limit_mb: u64,
    /// Verdicts that are right at the end, the best first.
    pub(crate) right: &'static [Verdict],
    /// Whether it leaks: if not, `leaking` at any second is a false alarm.
    pub(crate) leaks: bool,
    pub(crate) process: fn(u64) -> Process,
}

use Verdict::{Fragmenting, Growing, Leaking, Steady, Unknown};

fn live(f: impl FnMut(f64) -> f64 + 'static) -> Retained {
    let mut f = f;
    Box::new(move |t| (f(t), 0.0, 0.0))
}

/// Fills and drops: `amplitude` MB within `period` seconds, both varying by a tenth from one to the next.
fn sawtooth(mut dice: Dice, amplitude: f64, period: f64) -> impl FnMut(f64) -> f64 {
    let (mut from, mut lasts, mut fills) = (0.0, period, amplitude);
    move |t| {
        if t >= from + lasts {
            from = t;
            lasts = period * dice.between(0.9, 1.1);
            fills = amplitude * dice.between(0.9, 1.1);
        }
        fills * (t - from) / lasts
    }
}

fn rhythm_period(seed: u64) -> f64 {
    Dice::new(seed).between(600.0, 1800.0)
}

/// A leak of one MB a minute, `base` MB to begin with.
pub(crate) fn slow_leak(seed: u64) -> Process {
    let mut dice = Dice::new(seed);
    let base = dice.between(40.0, 200.0);
    Process::new(dice, live(move |t| base + t / 60.0))
}

/// A leak of `rate` MB a second.
pub(crate) fn linear_leak(seed: u64, rate: f64) -> Process {
    let mut dice = Dice::new(seed);
    let base = dice.between(40.0, 120.0);
    Process::new(dice, live(move |t| base + rate * t))
}

/// A steady process, its floor wandering a little within bounds (an Ornstein-Uhlenbeck walk of five minutes).
pub(crate) fn steady(seed: u64) -> Process {
    let mut dice = Dice::new(seed);
    let base = dice.between(40.0, 250.0);
    let mut walk = Dice::new(seed ^ 0x4d);
    let (mut wander, mut last) = (0.0f64, 0.0);
    Process::new(
        dice,
        live(move |t| {
            let pull = (-(t - last) / 300.0f64).exp();
            wander = wander * pull + (1.0 - pull * pull).sqrt() * 0.5 * walk.normal();
            last = t;
            base + wander
        }),
    )
}

/// Steady with a rhythm of `period` seconds, in a random phase, skewed (a short rise, a long fall, or the reverse).
pub(crate) fn rhythm(seed: u64, period: f64) -> Process {
    let mut dice = Dice::new(seed);
    let (base, swing, phase) = (dice.between(60.0, 150.0), dice.between(10.0, 100.0), dice.unit() * TAU);
    let skew = dice.between(-0.4, 0.4);
    Process::new(
        dice,
        live(move |t| {
            let angle = TAU * t / period + phase;
            base + swing * (0.5 + 0.5 * (angle + skew * angle.sin()).sin())
        }),
    )
}

pub(crate) const SCENARIOS: &[Scenario] = &[
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
            let tail = Dice::new(seed ^ 0x5).between(2.0, 15.0);
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
            let mut dice = Dice::new(seed);
            let (rise, tau) = (dice.between(10.0, 150.0), dice.between(10.0, 240.0));
            Process::new(dice, live(move |t| 40.0 + rise * (1.0 - (-t / tau).exp())))
        },
    },
    Scenario {
        name: "sawtooth cache",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Steady, Growing],
        leaks: false,
        process: |seed| {
            let mut dice = Dice::new(seed);
            let (amplitude, period) = (dice.between(10.0, 100.0), dice.between(20.0, 240.0));
            let mut saw = sawtooth(Dice::new(seed ^ 0x9), amplitude, period);
            Process::new(dice, live(move |t| 60.0 + saw(t)))
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
            let mut dice = Dice::new(seed);
            let (swing, period) = (dice.between(20.0, 100.0), rhythm_period(seed));
            Process::new(dice, live(move |t| 80.0 + swing * (0.5 - 0.5 * (TAU * t / period).cos())))
        },
    },
    Scenario {
        name: "step after deploy",
        seconds: |_| 1800,
        limit_mb: 512,
        right: &[Steady],
        leaks: false,
        process: |seed| {
            let mut dice = Dice::new(seed);
            let (at, step) = (dice.between(200.0, 1500.0), dice.between(10.0, 150.0));
            Process::new(dice, live(move |t| 80.0 + if t < at { 0.0 } else { step }))
        },
    },
    Scenario {
        name: "ramp, then plateau",
        seconds: |_| 1800,
        limit_mb: 512,
        right: &[Steady, Growing],
        leaks: false,
        process: |seed| {
            let mut dice = Dice::new(seed);
            let (at, step, lasts) =
                (dice.between(200.0, 1200.0), dice.between(10.0, 100.0), dice.between(10.0, 90.0));
            Process::new(dice, live(move |t| 80.0 + step * ((t - at) / lasts).clamp(0.0, 1.0)))
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
            let mut dice = Dice::new(seed);
            let (base, deviation) = (dice.between(40.0, 200.0), dice.between(0.1, 3.0));
            let mut noise = Dice::new(seed ^ 0x8);
            let mut process = Process::new(dice, live(move |t| base + t / 60.0 + deviation * noise.normal()));
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
            let mut dice = Dice::new(seed);
            let (amplitude, period) = (dice.between(5.0, 40.0), dice.between(10.0, 55.0));
            let mut saw = sawtooth(Dice::new(seed ^ 0x9), amplitude, period);
            Process::new(dice, live(move |t| 60.0 + saw(t) + t / 60.0))
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
            let mut dice = Dice::new(seed);
            let (at, rate) = (late_start(seed), dice.between(1.0, 5.0));
            Process::new(dice, live(move |t| 80.0 + rate / 60.0 * (t - at).max(0.0)))
        },
    },
    Scenario {
        name: "staircase leak",
        seconds: |_| 1800,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut dice = Dice::new(seed);
            let (step, every) = (dice.between(2.0, 8.0), dice.between(60.0, 180.0));
            Process::new(dice, live(move |t| 80.0 + step * (t / every).floor()))
        },
    },
    Scenario {
        name: "leak by chance, mean 2 MB/min",
        seconds: |_| 900,
        limit_mb: 512,
        right: &[Leaking],
        leaks: true,
        process: |seed| {
            let mut dice = Dice::new(seed);
            let chance = dice.between(0.05, 0.5);
            let mut coin = Dice::new(seed ^ 0x3);
            let mut held = 0.0;
            Process::new(
                dice,
                live(move |_| {
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
            let mut dice = Dice::new(seed);
            let rate = dice.between(1.0, 6.0);
            Process::new(dice, Box::new(move |t| (90.0, rate * t / 60.0, 0.0)))
        },
    },
    Scenario {
        name: "growth outside the heap",
        seconds: |_| 1200,
        limit_mb: 512,
        right: &[Growing],
        leaks: false,
        process: |seed| {
            let mut dice = Dice::new(seed);
            let rate = dice.between(1.0, 6.0);
            Process::new(dice, Box::new(move |t| (90.0, 0.0, rate * t / 60.0)))
        },
    },
];

fn late_start(seed: u64) -> f64 {
    Dice::new(seed ^ 0x29).between(1200.0, 5400.0)
}
