//! The sampling state of a thread: the bytes until its next sample, and the tag of the route that it polls.
//!
//! The allocator reads it on every allocation, also before `main` and while a thread is torn down. It is therefore
//! constant-initialized and needs no destructor: plain thread-local storage that exists as long as the thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::estimate::MeanDistance;
use super::tag::Tag;

/// While sampling is off, a thread checks each time that it has allocated so many bytes whether it is on again.
const RECHECK_AFTER: i64 = 1 << 20;

/// Exponent of the mean distance; 0 while sampling is off.
static SAMPLING: AtomicU8 = AtomicU8::new(MeanDistance::DEFAULT.log2());

/// Sets the mean distance between samples, or turns sampling off (`None`).
///
/// A thread applies the change at its next sample, or within 1 MiB of allocations if sampling was off. Allocations that are
/// sampled already remain so until they are freed.
pub fn set_sampling(mean: Option<MeanDistance>) {
    SAMPLING.store(mean.map_or(0, MeanDistance::log2), Ordering::Relaxed);
}

/// Returns the mean distance between samples; `None` while sampling is off.
pub fn sampling() -> Option<MeanDistance> {
    MeanDistance::from_log2(SAMPLING.load(Ordering::Relaxed))
}

struct ThreadState {
    /// Bytes until the next sample. Never negative between calls.
    left: Cell<i64>,
    /// Exponent of the mean distance that `left` was drawn with; 0 if none was drawn.
    drawn: Cell<u8>,
    random: Cell<u64>,
    tag: Cell<Tag>,
    /// Bytes that jemalloc counted as allocated only because sampled objects are page-aligned. Wraps.
    counter_excess: Cell<u64>,
}

thread_local! {
    static LOCAL: ThreadState = const {
        ThreadState {
            left: Cell::new(0),
            drawn: Cell::new(0),
            random: Cell::new(0),
            tag: Cell::new(Tag::UNTAGGED),
            counter_excess: Cell::new(0),
        }
    };
}

/// Counts `charge` bytes as allocated. Returns `false` if the next sample is reached; then [`draw_sample`] must be called.
#[inline]
pub(crate) fn count_allocation(charge: usize) -> bool {
    LOCAL.with(|local| {
        #[allow(clippy::cast_possible_wrap)] // a layout is at most isize::MAX
        let left = local.left.get() - charge as i64;
        local.left.set(left);
        left >= 0
    })
}

/// Decides, after [`count_allocation`] returned `false` for this `charge`, whether the allocation is a sample, and returns the mean
/// distance that it was drawn with.
pub(crate) fn draw_sample(charge: usize) -> Option<MeanDistance> {
    LOCAL.with(|local| {
        let Some(mean) = sampling() else {
            local.drawn.set(0);
            local.left.set(RECHECK_AFTER);
            return None;
        };
        let hit = MeanDistance::from_log2(local.drawn.get());
        local.drawn.set(mean.log2());
        let left = mean.draw(local.next());
        local.left.set(left);
        // The first distance begins with this allocation. The sampling process is memoryless, so any start is as good.
        if hit.is_some() || count_allocation(charge) {
            return hit;
        }
        local.left.set(mean.draw(local.next()));
        Some(mean)
    })
}

/// Returns `true` with the given probability.
pub(crate) fn draw_bool(probability: f64) -> bool {
    LOCAL.with(|local| ((local.next() >> 11) as f64) < probability * (1_u64 << 53) as f64)
}

/// Returns the tag of the route that this thread polls.
#[inline]
pub(crate) fn current_tag() -> Tag {
    LOCAL.with(|local| local.tag.get())
}

/// Sets the tag and returns the previous one.
#[inline]
pub(crate) fn swap_tag(tag: Tag) -> Tag {
    LOCAL.with(|local| local.tag.replace(tag))
}

/// Notes that jemalloc's counter rose by `counted`, where it would have risen by `wanted` without sampling.
pub(crate) fn correct_counter(counted: usize, wanted: usize) {
    LOCAL.with(|local| {
        let counter_excess =
            local.counter_excess.get().wrapping_add(counted as u64).wrapping_sub(wanted as u64);
        local.counter_excess.set(counter_excess);
    });
}

/// Returns the bytes to subtract (wrapping) from jemalloc's counter of this thread.
#[inline]
pub(crate) fn counter_excess() -> u64 {
    LOCAL.with(|local| local.counter_excess.get())
}

impl ThreadState {
    /// `SplitMix64` (Steele, Lea, Flood, 2014): one word of state, passes `BigCrush`.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut state = self.random.get();
        if state == 0 {
            // Threads differ by their number, runs by the address at which the system loaded them.
            static THREADS: AtomicU64 = AtomicU64::new(1);
            let address = (&raw const *self).addr() as u64;
            state = mix(THREADS.fetch_add(STEP, Ordering::Relaxed)) ^ mix(address);
        }
        state = state.wrapping_add(STEP);
        self.random.set(state);
        mix(state)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sampling is one switch of the whole process, so one test covers all its states.
    #[test]
    fn samples_as_often_as_the_distance_says_and_not_when_off() {
        let mean = MeanDistance::from_bytes(64 << 10);
        let sampled = |size: usize, count: usize| {
            (0..count).filter(|_| !count_allocation(size) && draw_sample(size).is_some()).count() as f64
        };
        std::thread::spawn(move || {
            set_sampling(Some(mean));
            for (size, count) in [(100, 2_000_000), (64 << 10, 20_000), (1 << 20, 1_000)] {
                let expected = count as f64 * mean.probability(size);
                let got = sampled(size, count);
                assert!(
                    (got - expected).abs() < 5.0 * expected.sqrt().max(1.0),
                    "{size} B: {got}, not {expected}"
                );
            }
            set_sampling(None);
            assert!(sampled(1 << 20, 1_000) <= 1.0, "the distance that was drawn before may still end");
            assert!(sampled(100, 1_000_000) < 1.0);
            set_sampling(Some(mean));
            assert!(sampled(100, 1_000_000) > 1_000.0);
            set_sampling(Some(MeanDistance::DEFAULT));
            assert_eq!(sampling(), Some(MeanDistance::DEFAULT));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn each_thread_has_its_own_tag_and_correction() {
        let (a, b) = (Tag::from_number(7), Tag::from_number(8));
        assert_eq!(swap_tag(a), Tag::UNTAGGED);
        std::thread::spawn(move || {
            assert_eq!((current_tag(), swap_tag(b), current_tag()), (Tag::UNTAGGED, Tag::UNTAGGED, b));
        })
        .join()
        .unwrap();
        assert_eq!(swap_tag(Tag::UNTAGGED), a);
        correct_counter(4096, 32);
        correct_counter(0, 64);
        assert_eq!(counter_excess(), 4000);
    }

    #[test]
    fn chance_follows_the_probability() {
        let hits = (0..100_000).filter(|_| draw_bool(0.25)).count() as f64;
        assert!((hits / 100_000.0 - 0.25).abs() < 0.01, "{hits}");
        assert!((0..1_000).all(|_| draw_bool(1.0)) && !(0..1_000).any(|_| draw_bool(0.0)));
    }
}
