//! Which code made a sampled allocation: call stacks, while somebody asked for them.
//!
//! A stack is walked once per sample, and only while profiling is on: a sample is taken every 512 KiB, so even a walk
//! of 20 µs is 4 % of a core at a gigabyte a second. Each distinct stack is kept once, in a table of fixed size that is
//! filled from inside the allocator: no lock, no allocation, no waiting; nothing is ever taken out of it. 2 MB of zero
//! pages that stay untouched until used.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Innermost frames that are kept of a stack.
pub(crate) const FRAMES: usize = 64;

/// Distinct stacks that there is room for. Later ones share [`StackId::NONE`].
const STACKS: usize = if cfg!(miri) { 64 } else { 4096 };

/// Places that are looked at before a stack counts as lost.
const TRIES: usize = 64;

static TABLE: Stacks = Stacks::new();

/// The period that new stacks belong to; 0 while none are taken.
static PERIOD: AtomicU16 = AtomicU16::new(0);

/// Whether stacks are taken outside of windows, too.
static ALWAYS: AtomicBool = AtomicBool::new(false);

/// Whether a [`Window`] is open.
static OPEN: AtomicBool = AtomicBool::new(false);

/// The last period that was given out.
static LAST: AtomicU16 = AtomicU16::new(0);

thread_local! {
    static WALKING: Cell<bool> = const { Cell::new(false) };
}

/// A stack that was seen, and the period it was seen in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct StackId {
    period: u16,
    /// Place in the table, from 1.
    place: u16,
}

impl StackId {
    /// No stack was taken.
    pub(crate) const NONE: Self = StackId { period: 0, place: 0 };

    pub(super) const fn to_bits(self) -> u32 {
        (self.period as u32) << 16 | self.place as u32
    }

    pub(super) const fn from_bits(bits: u32) -> Self {
        let [place_low, place_high, period_low, period_high] = bits.to_le_bytes();
        StackId {
            period: u16::from_le_bytes([period_low, period_high]),
            place: u16::from_le_bytes([place_low, place_high]),
        }
    }

    #[cfg(feature = "heap-profile")]
    /// The same stack, whenever it was taken.
    pub(super) const fn place(self) -> Self {
        StackId { period: 0, place: self.place }
    }

    #[cfg(feature = "heap-profile")]
    /// The period it was taken in; 0 when there was none.
    pub(crate) const fn period(self) -> u16 {
        self.period
    }

    #[cfg(feature = "heap-profile")]
    /// Return addresses, innermost first. Empty when the stack found no room, or is being written at this moment.
    pub(crate) fn frames(self) -> Vec<usize> {
        usize::from(self.place)
            .checked_sub(1)
            .and_then(|place| TABLE.0.get(place))
            .map_or_else(Vec::new, Stack::read)
    }
}

/// From now on every sample has its stack, until the process ends.
pub(crate) fn take_always() {
    ALWAYS.store(true, Ordering::Relaxed);
    if !OPEN.load(Ordering::Relaxed) {
        PERIOD.store(next_period(), Ordering::Relaxed);
    }
}

/// Whether they all have.
pub(crate) fn always_taken() -> bool {
    ALWAYS.load(Ordering::Relaxed)
}

/// Numbers are given out again after 65,535 periods.
fn next_period() -> u16 {
    let last = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(last.checked_add(1).unwrap_or(1)));
    last.unwrap_or_else(|last| last).checked_add(1).unwrap_or(1)
}

/// A stretch of time in which samples have their stacks; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Window {
    #[cfg(feature = "heap-profile")]
    period: u16,
}

impl Window {
    /// Begins one; `None` while there is another.
    pub(crate) fn open() -> Option<Self> {
        if OPEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        let period = next_period();
        PERIOD.store(period, Ordering::Relaxed);
        Some(Window {
            #[cfg(feature = "heap-profile")]
            period,
        })
    }

    #[cfg(feature = "heap-profile")]
    /// What marks its samples.
    pub(crate) fn period(&self) -> u16 {
        self.period
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        PERIOD.store(if always_taken() { next_period() } else { 0 }, Ordering::Relaxed);
        OPEN.store(false, Ordering::Relaxed);
    }
}

/// The stack of the caller, if stacks are taken at present.
#[inline]
pub(crate) fn here() -> StackId {
    match PERIOD.load(Ordering::Relaxed) {
        0 => StackId::NONE,
        period => walk(period),
    }
}

#[cold]
#[inline(never)]
fn walk(period: u16) -> StackId {
    // The unwinder is not known to allocate from this allocator; if it does, that sample has no stack.
    if WALKING.with(|walking| walking.replace(true)) {
        return StackId::NONE;
    }
    let mut frames = [0; FRAMES];
    let length = trace(&mut frames);
    WALKING.with(|walking| walking.set(false));
    StackId { period, place: TABLE.intern(&frames[..length]).unwrap_or(LOST) }
}

/// Writes the return addresses of the callers, innermost first, and returns how many there are.
#[cfg(feature = "heap-profile")]
fn trace(frames: &mut [usize; FRAMES]) -> usize {
    let mut length = 0;
    // SAFETY: the requirement is that nobody else uses the crate's shared state at the same time; on Unix walking has
    // none (it is `_Unwind_Backtrace` with a closure). The synchronised variant takes a lock, which the allocator must
    // not. The closure does not unwind.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            if let Some(place) = frames.get_mut(length) {
                *place = frame.ip().addr();
                length += 1;
            }
            length < FRAMES
        });
    }
    length
}

/// Without the feature nobody asks for stacks: `ProfileOptions::open` and the configuration refuse to.
#[cfg(not(feature = "heap-profile"))]
fn trace(_: &mut [usize; FRAMES]) -> usize {
    0
}

/// A place that no stack has: what is told when there is no room.
const LOST: u16 = u16::MAX;

struct Stacks([Stack; STACKS]);

struct Stack {
    /// 0: free. Never changes once it is set.
    hash: AtomicU64,
    /// 0 until the frames are written.
    length: AtomicU32,
    frames: [AtomicUsize; FRAMES],
}

impl Stack {
    const fn new() -> Self {
        Stack {
            hash: AtomicU64::new(0),
            length: AtomicU32::new(0),
            frames: [const { AtomicUsize::new(0) }; FRAMES],
        }
    }

    fn write(&self, frames: &[usize]) {
        for (place, frame) in self.frames.iter().zip(frames) {
            place.store(*frame, Ordering::Relaxed);
        }
        // Pairs with the Acquire in `read`.
        self.length.store(u32::try_from(frames.len()).unwrap_or(0), Ordering::Release);
    }

    #[cfg(feature = "heap-profile")]
    fn read(&self) -> Vec<usize> {
        let length = self.length.load(Ordering::Acquire) as usize;
        self.frames.iter().take(length).map(|frame| frame.load(Ordering::Relaxed)).collect()
    }
}

impl Stacks {
    #[allow(clippy::large_stack_arrays)] // made at compile time, for a static
    const fn new() -> Self {
        Stacks([const { Stack::new() }; STACKS])
    }

    /// The place of a stack, from 1; `None` when there is no room near where it belongs. Two stacks of one 64-bit hash
    /// are taken for one.
    fn intern(&self, frames: &[usize]) -> Option<u16> {
        let hash = hash(frames);
        #[allow(clippy::cast_possible_truncation)] // any bits will do
        let home = hash as usize;
        for step in 0..TRIES {
            let index = (home.wrapping_add(step)) % STACKS;
            let stack = &self.0[index];
            let taken = match stack.hash.load(Ordering::Relaxed) {
                0 => match stack.hash.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        stack.write(frames);
                        hash
                    }
                    Err(other) => other,
                },
                taken => taken,
            };
            if taken == hash {
                return u16::try_from(index + 1).ok();
            }
        }
        None
    }
}

/// FNV-1a over whole words with a final mix; never 0.
fn hash(frames: &[usize]) -> u64 {
    let sum = frames.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, frame| {
        (hash ^ *frame as u64).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
    });
    (sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_kept_once_and_read_as_it_was() {
        static STACKS_OF_TEST: Stacks = Stacks::new();
        let stacks: Vec<Vec<usize>> =
            (0..STACKS / 2).map(|n| (0..=n % FRAMES).map(|frame| 0x1000 + n * 7 + frame).collect()).collect();
        let places: Vec<Vec<Option<u16>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| stacks.iter().map(|stack| STACKS_OF_TEST.intern(stack)).collect()))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        assert!(places.iter().all(|of_one| *of_one == places[0]), "each thread got the same places");
        for (stack, place) in stacks.iter().zip(&places[0]) {
            assert_eq!(STACKS_OF_TEST.0[usize::from(place.unwrap()) - 1].read(), *stack);
        }
    }

    #[test]
    fn a_full_table_loses_stacks_and_nothing_else() {
        static STACKS_OF_TEST: Stacks = Stacks::new();
        let lost = (0..2 * STACKS).filter(|n| STACKS_OF_TEST.intern(&[*n, 5]).is_none()).count();
        assert!((STACKS..=STACKS + TRIES).contains(&lost), "{lost}");
        assert_eq!(StackId { period: 1, place: LOST }.frames(), Vec::<usize>::new());
        assert_eq!(StackId::NONE.frames(), Vec::<usize>::new());
    }

    #[test]
    fn an_id_survives_its_bits() {
        for (period, place) in [(0, 0), (1, 4096), (u16::MAX, LOST)] {
            let id = StackId { period, place };
            assert_eq!(StackId::from_bits(id.to_bits()), id);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no unwinder to call")]
    fn a_walk_begins_here() {
        let id = walk(7);
        assert_eq!(id.period(), 7);
        let mut names = Vec::new();
        for frame in id.frames() {
            backtrace::resolve(frame as *mut _, |symbol| {
                names.extend(symbol.name().map(|name| name.to_string()));
            });
        }
        assert!(names.iter().any(|name| name.contains("a_walk_begins_here")), "{names:#?}");
    }
}
