//! What each thread knows: bytes until its next sample, and the tag of the route that it polls.
//!
//! The allocator reads this on every allocation, before `main` and while a thread is torn down as well. So it is
//! constant-initialised and needs no destructor: plain thread-local storage that exists as long as the thread does.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::estimate::MeanDistance;
use super::tag::Tag;

/// While sampling is off a thread looks this often, in allocated bytes, whether it is on again.
const LOOK_AGAIN: i64 = 1 << 20;

/// Exponent of the mean distance; 0 while sampling is off.
static SAMPLING: AtomicU8 = AtomicU8::new(MeanDistance::DEFAULT.log2());

/// Sets the mean distance between samples, or stops taking them (`None`).
///
/// A thread follows when its present distance is used up, or after 1 MiB of allocations when sampling was off.
/// Allocations that are already booked stay booked, and are unbooked when freed.
pub fn set_sampling(mean: Option<MeanDistance>) {
    SAMPLING.store(mean.map_or(0, MeanDistance::log2), Ordering::Relaxed);
}

/// The mean distance between samples; `None` while sampling is off.
pub fn sampling() -> Option<MeanDistance> {
    MeanDistance::from_log2(SAMPLING.load(Ordering::Relaxed))
}

struct ThreadState {
    /// Bytes to the next sample. Never negative between calls.
    left: Cell<i64>,
    /// The distance that `left` was drawn for; 0: none was drawn.
    drawn: Cell<u8>,
    random: Cell<u64>,
    tag: Cell<Tag>,
    /// What jemalloc counted as allocated only because sampled objects are page-aligned (wraps).
    excess: Cell<u64>,
}

thread_local! {
    static LOCAL: ThreadState = const {
        ThreadState {
            left: Cell::new(0),
            drawn: Cell::new(0),
            random: Cell::new(0),
            tag: Cell::new(Tag::UNTAGGED),
            excess: Cell::new(0),
        }
    };
}

/// Counts `charge` bytes as allocated. `false`: the next sample is reached, [`crossed`] has to be called.
#[inline]
pub(crate) fn passes(charge: usize) -> bool {
    LOCAL.with(|local| {
        #[allow(clippy::cast_possible_wrap)] // a layout is at most isize::MAX
        let left = local.left.get() - charge as i64;
        local.left.set(left);
        left >= 0
    })
}

/// After [`passes`] said `false` for this `charge`: whether the allocation is a sample, and of which distance.
pub(crate) fn crossed(charge: usize) -> Option<MeanDistance> {
    LOCAL.with(|local| {
        let Some(mean) = sampling() else {
            local.drawn.set(0);
            local.left.set(LOOK_AGAIN);
            return None;
        };
        let hit = MeanDistance::from_log2(local.drawn.get());
        local.drawn.set(mean.log2());
        let left = mean.draw(local.next());
        local.left.set(left);
        // A first distance begins with this allocation: as the process has no memory, that is as good as any.
        if hit.is_some() || passes(charge) {
            return hit;
        }
        local.left.set(mean.draw(local.next()));
        Some(mean)
    })
}

/// `true` with the given probability.
pub(crate) fn chance(probability: f64) -> bool {
    LOCAL.with(|local| ((local.next() >> 11) as f64) < probability * (1_u64 << 53) as f64)
}

/// The tag of the route that this thread polls.
#[inline]
pub(crate) fn tag() -> Tag {
    LOCAL.with(|local| local.tag.get())
}

/// Sets the tag and returns the one before.
#[inline]
pub(crate) fn swap_tag(tag: Tag) -> Tag {
    LOCAL.with(|local| local.tag.replace(tag))
}

/// jemalloc's counter went up by `counted` where an allocator that does not sample would have seen `wanted`.
pub(crate) fn correct(counted: usize, wanted: usize) {
    LOCAL.with(|local| {
        let excess = local.excess.get().wrapping_add(counted as u64).wrapping_sub(wanted as u64);
        local.excess.set(excess);
    });
}

/// What to subtract (wrapping) from jemalloc's counter of this thread.
#[inline]
pub(crate) fn excess() -> u64 {
    LOCAL.with(|local| local.excess.get())
}

impl ThreadState {
    /// `SplitMix64` (Steele, Lea, Flood, 2014): one word of state, passes `BigCrush`.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut state = self.random.get();
        if state == 0 {
            // Threads differ by number, runs by where the system loaded them.
            static THREADS: AtomicU64 = AtomicU64::new(1);
            let place = (&raw const *self).addr() as u64;
            state = mix(THREADS.fetch_add(STEP, Ordering::Relaxed)) ^ mix(place);
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

    /// Sampling is one switch of the process, so its life is one test.
    #[test]
    fn samples_as_often_as_the_distance_says_and_not_when_off() {
        let mean = MeanDistance::from_bytes(64 << 10);
        let sampled = |size: usize, count: usize| {
            (0..count).filter(|_| !passes(size) && crossed(size).is_some()).count() as f64
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
            assert!(sampled(1 << 20, 1_000) <= 1.0, "the distance drawn before may still end");
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
    fn tags_and_corrections_are_the_threads_own() {
        let (a, b) = (Tag::from_number(7), Tag::from_number(8));
        assert_eq!(swap_tag(a), Tag::UNTAGGED);
        std::thread::spawn(move || {
            assert_eq!((tag(), swap_tag(b), tag()), (Tag::UNTAGGED, Tag::UNTAGGED, b));
        })
        .join()
        .unwrap();
        assert_eq!(swap_tag(Tag::UNTAGGED), a);
        correct(4096, 32);
        correct(0, 64);
        assert_eq!(excess(), 4000);
    }

    #[test]
    fn chance_follows_the_probability() {
        let hits = (0..100_000).filter(|_| chance(0.25)).count() as f64;
        assert!((hits / 100_000.0 - 0.25).abs() < 0.01, "{hits}");
        assert!((0..1_000).all(|_| chance(1.0)) && !(0..1_000).any(|_| chance(0.0)));
    }
}
