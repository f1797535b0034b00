//! The sampling allocator under random work of several threads: contents, alignment, zeroing, and removal of every sample.
#![allow(unsafe_code)] // calls the allocator the way the language does; each object carries its own layout
#![allow(clippy::unwrap_used)] // a test

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use heapbeat::attribution;
use heapbeat::attribution::MeanDistance;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Returns a size: mostly small, as programs allocate; sometimes whole pages, sometimes large; odd ones included.
fn random_size(random: &mut Rng) -> usize {
    match random.u8(..20) {
        0..12 => random.usize(1..=300),
        12..16 => random.usize(1..=6_000),
        16 => 4096 << random.u8(..4),
        17..19 => random.usize(1..=70_000),
        _ => random.usize(1..=1 << 20),
    }
}

fn random_align(random: &mut Rng) -> usize {
    match random.u8(..10) {
        0..6 => 1 << random.u8(..5),
        6..9 => 1 << random.u8(..9),
        _ => 1 << random.u8(..15),
    }
}

/// An object whose bytes follow from its seed.
struct Object {
    start: *mut u8,
    layout: Layout,
    seed: u8,
}

// SAFETY: the only owner of its memory.
unsafe impl Send for Object {}

static SAMPLED_SEEN: AtomicUsize = AtomicUsize::new(0);

impl Object {
    fn new(random: &mut Rng) -> Self {
        let layout = Layout::from_size_align(random_size(random), random_align(random)).unwrap();
        let zeroed = random.u8(..3) == 0;
        // SAFETY: the size is not 0.
        let start = unsafe { if zeroed { alloc_zeroed(layout) } else { alloc(layout) } };
        let mut object = Self { start, layout, seed: random.u8(..) };
        object.check_place();
        if zeroed {
            assert!(Self::places(layout.size()).all(|at| object.read(at) == 0), "{layout:?} is not zeroed");
        }
        object.fill();
        object
    }

    /// A byte that was written before, by `write` or by zeroing.
    fn read(&self, at: usize) -> u8 {
        assert!(at < self.layout.size());
        // SAFETY: inside the object, and initialised.
        unsafe { self.start.add(at).read() }
    }

    fn write(&mut self, at: usize, byte: u8) {
        assert!(at < self.layout.size());
        // SAFETY: inside the object, which nobody else refers to.
        unsafe { self.start.add(at).write(byte) }
    }

    fn check_place(&self) {
        assert!(!self.start.is_null());
        assert_eq!(self.start.addr() % self.layout.align(), 0, "{:?}", self.layout);
        if self.start.addr().is_multiple_of(4096) {
            SAMPLED_SEEN.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every byte of a small object; both ends and a byte here and there of a large one.
    fn places(length: usize) -> impl Iterator<Item = usize> {
        let dense = length.min(512);
        (0..dense).chain((dense..length).step_by(509)).chain(length.saturating_sub(64).max(dense)..length)
    }

    fn byte(&self, at: usize) -> u8 {
        self.seed.wrapping_add(at.to_le_bytes()[0]).wrapping_mul(31)
    }

    fn fill(&mut self) {
        for at in Self::places(self.layout.size()) {
            self.write(at, self.byte(at));
        }
    }

    /// The first `length` bytes are what an object of `written` bytes was filled with.
    fn check(&self, written: usize, length: usize) {
        for at in Self::places(written).filter(|at| *at < length) {
            assert_eq!(self.read(at), self.byte(at), "{:?} at {at}", self.layout);
        }
    }

    fn resize(&mut self, random: &mut Rng) {
        let old = self.layout.size();
        let new = match random.u8(..3) {
            0 => old + 1 + random.usize(..old),
            1 => 1 + random.usize(..old),
            _ => random_size(random),
        };
        // SAFETY: allocated with this layout; the new size is not 0 and far from isize::MAX.
        self.start = unsafe { realloc(self.start, self.layout, new) };
        self.layout = Layout::from_size_align(new, self.layout.align()).unwrap();
        self.check_place();
        self.check(old, old.min(new));
        self.fill();
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.check(self.layout.size(), self.layout.size());
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.start, self.layout) }
    }
}

fn work(seed: u64, steps: usize, pool: &Mutex<Vec<Object>>) {
    let mut random = Rng::with_seed(seed);
    let mut mine: Vec<Object> = Vec::new();
    for step in 0..steps {
        match random.u8(..10) {
            0..4 => mine.push(Object::new(&mut random)),
            4..7 if !mine.is_empty() => {
                let at = random.usize(..mine.len());
                mine[at].resize(&mut random);
            }
            7 if !mine.is_empty() => {
                // Handed to whichever thread takes it.
                let object = mine.swap_remove(random.usize(..mine.len()));
                pool.lock().unwrap().push(object);
            }
            8 => mine.extend(pool.lock().unwrap().pop()),
            _ if !mine.is_empty() => drop(mine.swap_remove(random.usize(..mine.len()))),
            _ => {}
        }
        if mine.len() > 300 {
            mine.drain(100..);
        }
        // The switch and the distance may change at any time.
        if seed.is_multiple_of(4) && step % 5_000 == 0 {
            attribution::set_sampling(match random.u32(..4) {
                0 => None,
                n => Some(MeanDistance::from_bytes(4096 << (2 * n))),
            });
        }
    }
}

/// Held by each test, as sampling is one switch of the whole process.
static SAMPLING_LOCK: Mutex<()> = Mutex::new(());

#[test]
fn random_work_on_four_threads_keeps_contents_and_removes_every_sample() {
    let _alone = SAMPLING_LOCK.lock().unwrap();
    let steps = if cfg!(debug_assertions) { 60_000 } else { 1_000_000 };
    let pool = Mutex::new(Vec::with_capacity(10_000));
    attribution::set_sampling(Some(MeanDistance::from_bytes(16 << 10)));
    for round in 0..2_u64 {
        let before = attribution::sampling_counts();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let pool = &pool;
                scope.spawn(move || work(0x5eed_0000 + round * 64 + thread, steps, pool));
            }
        });
        pool.lock().unwrap().clear();
        let after = attribution::sampling_counts();
        assert!(after.taken > before.taken + 5_000, "{after:?}");
        // What is left is the harness's own: threads' names, the pool, output.
        assert!(after.alive <= before.alive + 32, "{before:?} then {after:?}");
        assert_eq!(after.dropped, before.dropped);
    }
    assert!(SAMPLED_SEEN.load(Ordering::Relaxed) > 5_000);
}

#[test]
fn samples_beyond_the_table_are_counted_and_their_objects_are_valid() {
    let _alone = SAMPLING_LOCK.lock().unwrap();
    attribution::set_sampling(Some(MeanDistance::from_bytes(4096)));
    let before = attribution::sampling_counts();
    let mut random = Rng::with_seed(11);
    // Nearly nine in ten of them are sampled: more than the table holds.
    let mut objects: Vec<Object> = Vec::with_capacity(48_000);
    for n in 0..48_000 {
        let layout = Layout::from_size_align(8192 + n % 7, 1).unwrap();
        // SAFETY: the size is not 0.
        let start = unsafe { alloc(layout) };
        let mut object = Object { start, layout, seed: random.u8(..) };
        object.check_place();
        object.fill();
        objects.push(object);
    }
    let full = attribution::sampling_counts();
    let (alive, dropped) = (full.alive - before.alive, full.dropped - before.dropped);
    assert!((25_000..=32_768).contains(&alive), "{full:?}");
    assert!((40_000..43_000).contains(&(alive + dropped)), "{full:?}");
    let each = (full.dropped_bytes - before.dropped_bytes) as f64 / dropped as f64;
    // 8192 B or, beyond, a size class of 10240 B, by a probability of 1 - exp(-2).
    assert!((9_474.0..11_843.0).contains(&each), "a dropped sample stood for {each} bytes");
    for object in objects.iter_mut().step_by(3) {
        object.resize(&mut random);
    }
    drop(objects);
    assert!(attribution::sampling_counts().alive <= before.alive + 32);
    attribution::set_sampling(Some(MeanDistance::DEFAULT));
}
