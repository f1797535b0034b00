//! A real process whose memory is known to leak, or not to: real allocations, real readings, scaled time.
//!
//! A second of its life takes a millisecond or so, and jemalloc's decay is scaled alike (`MALLOC_CONF`). What it reads
//! about itself goes through the ring and the encoding of the report, so that its forecast is the one that an owner gets.
#![allow(dead_code, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::collections::HashSet;
use std::f64::consts::TAU;
use std::time::Duration;

use heapbeat::clock::Now;
use heapbeat::sampling::Sources;
use heapbeat::telemetry::history::History;
use heapbeat_forecast::Verdict;
use heapbeat_forecast::Verdict::{Fragmenting, Growing, Leaking, Steady};
use heapbeat_shared::{Bytes, InstanceId, UnixMillis};

/// For the process's environment (`_RJEM_MALLOC_CONF`): the decay of a second, a hundred times as fast.
pub(crate) const MALLOC_CONF: &str = "background_thread:true,dirty_decay_ms:10,muzzy_decay_ms:0";

/// A kind of process, and what may be said of it at its end.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) seconds: u64,
    pub(crate) limit: Bytes,
    pub(crate) right: &'static [Verdict],
    pub(crate) leaks: bool,
    life: Life,
}

/// Draws a life: what is done to the heap in the second that begins then.
type Life = fn(&mut Dice) -> Box<dyn FnMut(&mut Heap, f64)>;

const fn scenario(name: &'static str, seconds: u64, right: &'static [Verdict], life: Life) -> Scenario {
    let leaks = matches!(right, [Leaking]);
    Scenario { name, seconds, limit: Bytes::from_mb(512), right, leaks, life }
}

/// The kinds that the guard has to tell apart.
pub(crate) const SCENARIOS: [Scenario; 8] = [
    scenario("steady", 1800, &[Steady], |dice| {
        let level = dice.between(30.0, 120.0);
        Box::new(move |heap, _| heap.hold(level))
    }),
    scenario("warm-up, then flat", 1800, &[Steady, Growing], |dice| {
        let (level, rise, tau) =
            (dice.between(20.0, 60.0), dice.between(30.0, 150.0), dice.between(30.0, 200.0));
        Box::new(move |heap, t| heap.hold(level + rise * (1.0 - (-t / tau).exp())))
    }),
    scenario("sawtooth cache", 1800, &[Steady], |dice| {
        let (level, height, period) =
            (dice.between(20.0, 60.0), dice.between(20.0, 100.0), dice.between(60.0, 300.0));
        Box::new(move |heap, t| heap.hold(level + height * (t / period).fract()))
    }),
    scenario("daily rhythm, scaled", 3600, &[Steady], |dice| {
        let (level, swing, phase) =
            (dice.between(40.0, 80.0), dice.between(10.0, 35.0), dice.between(0.0, TAU));
        Box::new(move |heap, t| heap.hold(level + swing * (phase + TAU * t / 900.0).sin()))
    }),
    scenario("slow leak, 1 MB/min", 600, &[Leaking], |dice| {
        let level = dice.between(30.0, 120.0);
        Box::new(move |heap, t| heap.hold(level + t / 60.0))
    }),
    scenario("fast leak, 20 MB/s", 22, &[Leaking], |dice| {
        let level = dice.between(20.0, 40.0);
        Box::new(move |heap, t| heap.hold(level + 20.0 * t))
    }),
    scenario("fragmentation", 1800, &[Fragmenting], |dice| {
        let (level, each) = (dice.between(30.0, 60.0), dice.between(0.06, 0.14));
        Box::new(move |heap, t| {
            // What pins the holes is taken from what else is held: the live heap stays as it is, the gap is what grows.
            heap.hold(level - heap.pinned_mb());
            // To fill what has room already is most of the work, so it is done in steps.
            if t % 15.0 < 1.0 {
                heap.fragment(t, each * 15.0);
            }
        })
    }),
    scenario("step after deploy", 1800, &[Steady], |dice| {
        let (level, step, at) =
            (dice.between(30.0, 80.0), dice.between(20.0, 100.0), dice.between(300.0, 1200.0));
        Box::new(move |heap, t| heap.hold(if t < at { level } else { level + step }))
    }),
];

/// `SplitMix64`.
pub(crate) struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// What the process holds.
pub(crate) struct Heap {
    dice: Dice,
    held: Vec<Box<[u8]>>,
    bytes: usize,
    in_flight: Vec<Box<[u8]>>,
    /// Mean bytes of the requests of a second.
    load: f64,
    pins: Vec<Box<[u8]>>,
    pinned: HashSet<usize>,
    /// The size class that is being fragmented, and bytes of it that have room.
    class: (usize, usize),
}

impl Heap {
    /// Holds so many MB, in pieces of many sizes.
    fn hold(&mut self, mb: f64) {
        let wanted = (mb * 1_048_576.0) as usize;
        while self.bytes < wanted {
            let size = (64.0 * (1024_f64).powf(self.dice.unit())) as usize;
            self.held.push(vec![1; size].into());
            self.bytes += size;
        }
        while self.bytes > wanted {
            let Some(piece) = self.held.pop() else { return };
            self.bytes -= piece.len();
        }
    }

    /// MB of the objects that keep pages from being used for another size.
    fn pinned_mb(&self) -> f64 {
        self.pins.iter().map(|pin| pin.len()).sum::<usize>() as f64 / 1_048_576.0
    }

    /// Requests: taken in one second, given back in the next.
    fn serve(&mut self) {
        self.in_flight.clear();
        let mut left = -self.load * self.dice.unit().ln();
        while left > 0.0 {
            let size = self.dice.between(1e3, 64e3);
            left -= size;
            self.in_flight.push(vec![1; size as usize].into());
        }
    }

    /// Fills new pages with objects of one size and frees all but one of each: nobody can use them for another size.
    fn fragment(&mut self, t: f64, mb: f64) {
        const CLASSES: [usize; 8] = [96, 112, 160, 192, 224, 320, 384, 448];
        let class = CLASSES[(t / 226.0) as usize % CLASSES.len()];
        if class != self.class.0 {
            self.class = (class, 0);
        }
        self.class.1 += (mb * 1_048_576.0) as usize;
        let mut objects: Vec<Box<[u8]>> = (0..self.class.1 / class).map(|_| vec![1; class].into()).collect();
        for object in objects.drain(..) {
            // A slab of these classes has 12 kB or more, and so some 8 kB to itself; the pins are 5 % of it at most.
            if self.pinned.insert(object.as_ptr().addr() >> 13) {
                self.pins.push(object);
            }
        }
    }
}

/// Lives one life; the report's block of samples.
pub(crate) fn live(scenario: &Scenario, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
    let mut life = (scenario.life)(&mut dice);
    let load = dice.between(0.5e6, 4e6);
    let mut heap = Heap {
        dice,
        held: Vec::new(),
        bytes: 0,
        in_flight: Vec::new(),
        load,
        pins: Vec::new(),
        pinned: HashSet::new(),
        class: (0, 0),
    };
    let mut sources = Sources::of_this_process(Some(scenario.limit));
    let mut history = History::new(InstanceId(seed));
    for second in 0..=scenario.seconds {
        heap.serve();
        life(&mut heap, second as f64);
        let now = Now { wall: UnixMillis(second.cast_signed() * 1000), age: Duration::from_secs(second) };
        history.record(sources.read(now).sample());
    }
    history.after(None).block().data
}
