//! Call stacks of sampled allocations, recorded while profiling is on.
//!
//! A stack is walked once per sample. There is a sample every 512 KiB, so even a walk of 20 µs costs 4 % of a core at a gigabyte a
//! second. Each distinct stack is stored once, in a table of fixed size that the allocator fills without locking, allocating or
//! waiting; stacks are never removed. The table takes 2 MB of zero pages that are not resident until used.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Number of innermost frames that are recorded.
pub(crate) const FRAMES: usize = 64;

/// Capacity in distinct stacks. Later stacks are not recorded.
const STACKS: usize = if cfg!(miri) { 64 } else { 4096 };

/// Slots that are probed before a stack is given up.
const PROBES: usize = 64;

static TABLE: StackTable = StackTable::new();

/// The period that new stacks belong to; 0 while stacks are not recorded.
static PERIOD: AtomicU16 = AtomicU16::new(0);

/// Whether stacks are also recorded outside of windows.
static ALWAYS: AtomicBool = AtomicBool::new(false);

/// Whether a [`StackWindow`] is open.
static WINDOW_OPEN: AtomicBool = AtomicBool::new(false);

/// The period that was assigned last.
static LAST_PERIOD: AtomicU16 = AtomicU16::new(0);

thread_local! {
    static WALKING: Cell<bool> = const { Cell::new(false) };
}

/// A recorded stack and the period in which it was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct StackId {
    period: u16,
    /// Slot in the table, from 1.
    slot: u16,
}

impl StackId {
    /// The id of samples without a stack.
    pub(crate) const NONE: Self = StackId { period: 0, slot: 0 };

    pub(super) const fn to_bits(self) -> u32 {
        (self.period as u32) << 16 | self.slot as u32
    }

    pub(super) const fn from_bits(bits: u32) -> Self {
        let [place_low, place_high, period_low, period_high] = bits.to_le_bytes();
        StackId {
            period: u16::from_le_bytes([period_low, period_high]),
            slot: u16::from_le_bytes([place_low, place_high]),
        }
    }

    #[cfg(feature = "heap-profile")]
    /// Returns the id of the same stack without its period.
    pub(super) const fn without_period(self) -> Self {
        StackId { period: 0, slot: self.slot }
    }

    #[cfg(feature = "heap-profile")]
    /// Returns the period in which the stack was recorded; 0 without a stack.
    pub(crate) const fn period(self) -> u16 {
        self.period
    }

    #[cfg(feature = "heap-profile")]
    /// Returns the return addresses, innermost first. Empty if the table was full, or the stack is being written at this moment.
    pub(crate) fn frames(self) -> Vec<usize> {
        usize::from(self.slot)
            .checked_sub(1)
            .and_then(|slot| TABLE.0.get(slot))
            .map_or_else(Vec::new, StackSlot::read)
    }
}

/// Records the stack of every sample from now on, until the process ends.
pub(crate) fn record_all_stacks() {
    ALWAYS.store(true, Ordering::Relaxed);
    if !WINDOW_OPEN.load(Ordering::Relaxed) {
        PERIOD.store(next_period(), Ordering::Relaxed);
    }
}

/// Whether the stack of every sample is recorded.
pub(crate) fn all_stacks_recorded() -> bool {
    ALWAYS.load(Ordering::Relaxed)
}

/// Returns the next period number; numbers repeat after 65,535 periods.
fn next_period() -> u16 {
    let last = LAST_PERIOD
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(last.checked_add(1).unwrap_or(1)));
    last.unwrap_or_else(|last| last).checked_add(1).unwrap_or(1)
}

/// A time window in which stacks are recorded; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct StackWindow {
    #[cfg(feature = "heap-profile")]
    period: u16,
}

impl StackWindow {
    /// Opens a window; `None` while another one is open.
    pub(crate) fn open() -> Option<Self> {
        if WINDOW_OPEN.swap(true, Ordering::Relaxed) {
            return None;
        }
        let period = next_period();
        PERIOD.store(period, Ordering::Relaxed);
        Some(StackWindow {
            #[cfg(feature = "heap-profile")]
            period,
        })
    }

    #[cfg(feature = "heap-profile")]
    /// Returns the period of the window's samples.
    pub(crate) fn period(&self) -> u16 {
        self.period
    }
}

impl Drop for StackWindow {
    fn drop(&mut self) {
        PERIOD.store(if all_stacks_recorded() { next_period() } else { 0 }, Ordering::Relaxed);
        WINDOW_OPEN.store(false, Ordering::Relaxed);
    }
}

/// Returns the stack of the caller if stacks are being recorded.
#[inline]
pub(crate) fn capture_stack() -> StackId {
    match PERIOD.load(Ordering::Relaxed) {
        0 => StackId::NONE,
        period => walk_stack(period),
    }
}

#[cold]
#[inline(never)]
fn walk_stack(period: u16) -> StackId {
    // The unwinder is not known to allocate from this allocator; if it did, that sample would have no stack.
    if WALKING.with(|walking| walking.replace(true)) {
        return StackId::NONE;
    }
    let mut frames = [0; FRAMES];
    let length = trace_frames(&mut frames);
    WALKING.with(|walking| walking.set(false));
    StackId { period, slot: TABLE.intern(&frames[..length]).unwrap_or(NO_SLOT) }
}

/// Writes the return addresses of the callers, innermost first, and returns how many there are.
#[cfg(feature = "heap-profile")]
fn trace_frames(frames: &mut [usize; FRAMES]) -> usize {
    let mut length = 0;
    // SAFETY: the function requires that no other thread uses the crate's shared state at the same time; on Unix, walking has none (it
    // is `_Unwind_Backtrace` with a closure). The synchronized variant takes a lock, which the allocator must not do. The closure
    // does not unwind.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            if let Some(slot) = frames.get_mut(length) {
                *slot = frame.ip().addr();
                length += 1;
            }
            length < FRAMES
        });
    }
    length
}

/// Without the feature stacks are never recorded: `HeapProfiler::open` and the configuration refuse it.
#[cfg(not(feature = "heap-profile"))]
fn trace_frames(_: &mut [usize; FRAMES]) -> usize {
    0
}

/// The slot number of stacks that found no slot.
const NO_SLOT: u16 = u16::MAX;

struct StackTable([StackSlot; STACKS]);

struct StackSlot {
    /// 0 while the slot is free. Never changes once it is set.
    hash: AtomicU64,
    /// 0 until the frames are written.
    length: AtomicU32,
    frames: [AtomicUsize; FRAMES],
}

impl StackSlot {
    const fn new() -> Self {
        StackSlot {
            hash: AtomicU64::new(0),
            length: AtomicU32::new(0),
            frames: [const { AtomicUsize::new(0) }; FRAMES],
        }
    }

    fn write(&self, frames: &[usize]) {
        for (slot, frame) in self.frames.iter().zip(frames) {
            slot.store(*frame, Ordering::Relaxed);
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

impl StackTable {
    #[allow(clippy::large_stack_arrays)] // built at compile time, for a static
    const fn new() -> Self {
        StackTable([const { StackSlot::new() }; STACKS])
    }

    /// Returns the slot of a stack, from 1; `None` if the slots near its hash are taken. Two stacks with the same 64-bit hash count
    /// as one.
    fn intern(&self, frames: &[usize]) -> Option<u16> {
        let hash = hash(frames);
        #[allow(clippy::cast_possible_truncation)] // any bits will do
        let home = hash as usize;
        for step in 0..PROBES {
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
    fn each_stack_is_stored_once_and_read_back() {
        static STACKS_OF_TEST: StackTable = StackTable::new();
        let stacks: Vec<Vec<usize>> =
            (0..STACKS / 2).map(|n| (0..=n % FRAMES).map(|frame| 0x1000 + n * 7 + frame).collect()).collect();
        let slots: Vec<Vec<Option<u16>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| stacks.iter().map(|stack| STACKS_OF_TEST.intern(stack)).collect()))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        assert!(slots.iter().all(|of_one| *of_one == slots[0]), "each thread got the same slots");
        for (stack, slot) in stacks.iter().zip(&slots[0]) {
            assert_eq!(STACKS_OF_TEST.0[usize::from(slot.unwrap()) - 1].read(), *stack);
        }
    }

    #[test]
    fn a_full_table_refuses_new_stacks() {
        static STACKS_OF_TEST: StackTable = StackTable::new();
        let lost = (0..2 * STACKS).filter(|n| STACKS_OF_TEST.intern(&[*n, 5]).is_none()).count();
        assert!((STACKS..=STACKS + PROBES).contains(&lost), "{lost}");
        assert_eq!(StackId { period: 1, slot: NO_SLOT }.frames(), Vec::<usize>::new());
        assert_eq!(StackId::NONE.frames(), Vec::<usize>::new());
    }

    #[test]
    fn an_id_reads_back_from_its_bits() {
        for (period, slot) in [(0, 0), (1, 4096), (u16::MAX, NO_SLOT)] {
            let id = StackId { period, slot };
            assert_eq!(StackId::from_bits(id.to_bits()), id);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no unwinder to call")]
    fn a_walk_begins_here() {
        let id = walk_stack(7);
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
