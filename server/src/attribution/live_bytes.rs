//! Live bytes by tag, which the allocator keeps up to date as samples are recorded and removed.
//!
//! A sample costs two relaxed additions, and there is one sample per 512 KiB; no thread ever waits for another.

#[cfg(feature = "heap-profile")]
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::estimate::{SampledAllocation, standard_error};
#[cfg(feature = "heap-profile")]
use super::route::route;
#[cfg(feature = "heap-profile")]
use super::stacks::StackId;
use super::table::SampleTable;
use super::tag::{TAGS, Tag};

static SAMPLES: SampleTable = SampleTable::new();
static LIVE: [LiveCounter; TAGS] =
    [const { LiveCounter { bytes: AtomicU64::new(0), spread: AtomicU64::new(0) } }; TAGS];
static RECORDED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static DROPPED_BYTES: AtomicU64 = AtomicU64::new(0);

struct LiveCounter {
    bytes: AtomicU64,
    spread: AtomicU64,
}

impl LiveCounter {
    fn add(sample: SampledAllocation) {
        let live = &LIVE[sample.tag.index()];
        live.bytes.fetch_add(sample.bytes, Ordering::Relaxed);
        live.spread.fetch_add(sample.spread, Ordering::Relaxed);
    }

    fn subtract(sample: SampledAllocation) {
        let live = &LIVE[sample.tag.index()];
        live.bytes.fetch_sub(sample.bytes, Ordering::Relaxed);
        live.spread.fetch_sub(sample.spread, Ordering::Relaxed);
    }
}

/// Records the sample at `address`, a multiple of 4096. Returns `false`, and changes nothing, if the table has no slot for it.
#[must_use]
pub(crate) fn record_sample(address: usize, sample: SampledAllocation) -> bool {
    if !SAMPLES.insert(address, sample) {
        return false;
    }
    LiveCounter::add(sample);
    RECORDED.fetch_add(1, Ordering::Relaxed);
    true
}

/// Counts a sample that found no slot in the table.
pub(crate) fn count_dropped_sample(sample: SampledAllocation) {
    DROPPED.fetch_add(1, Ordering::Relaxed);
    DROPPED_BYTES.fetch_add(sample.bytes, Ordering::Relaxed);
}

/// Returns the sample at `address`, if that is a sampled allocation.
pub(crate) fn find_sample(address: usize) -> Option<SampledAllocation> {
    SAMPLES.find_sample(address)
}

/// Replaces the sample `old` at `address`, which was resized in place.
pub(crate) fn update_sample(address: usize, old: SampledAllocation, new: SampledAllocation) {
    SAMPLES.replace(address, new);
    LiveCounter::add(new);
    LiveCounter::subtract(old);
}

/// Removes the sample at `address`, whose memory is about to be returned. Returns `false` if it is not a sampled allocation.
pub(crate) fn remove_sample(address: usize) -> bool {
    let Some(sample) = SAMPLES.remove(address) else { return false };
    LiveCounter::subtract(sample);
    FREED.fetch_add(1, Ordering::Relaxed);
    true
}

/// Live bytes of a tag, estimated from the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LiveBytes {
    /// Estimated bytes, in the allocator's size classes (what `heapUsed` counts).
    pub(super) bytes: u64,
    /// One standard error in bytes: the true value is within one of them two times in three, within two of them 19 times in 20.
    pub(super) standard_error: f64,
}

/// Estimates the bytes that `tag` holds now, without blocking.
pub(super) fn estimate_live_bytes(tag: Tag) -> LiveBytes {
    let live = &LIVE[tag.index()];
    LiveBytes {
        bytes: live.bytes.load(Ordering::Relaxed),
        standard_error: standard_error(live.spread.load(Ordering::Relaxed)),
    }
}

#[cfg(feature = "heap-profile")]
/// Live bytes of one route that were allocated with one call stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldSample {
    /// Estimated bytes.
    pub(crate) bytes: u64,
    /// Number of samples that the estimate is made of.
    pub(crate) samples: u64,
}

#[cfg(feature = "heap-profile")]
/// Returns live bytes by call stack and route; with a period, only those allocated in it.
pub(crate) fn heap_by_stack(period: Option<u16>) -> HashMap<(StackId, &'static str), HeldSample> {
    let mut sums: HashMap<(StackId, Tag), HeldSample> = HashMap::new();
    SAMPLES.for_each(|sample| {
        if period.is_none_or(|period| sample.stack.period() == period) {
            let held = sums.entry((sample.stack.without_period(), sample.tag)).or_default();
            held.bytes += sample.bytes;
            held.samples += 1;
        }
    });
    sums.into_iter().map(|((stack, tag), held)| ((stack, &*route(tag).label), held)).collect()
}

/// Counters of the sampling itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SamplingCounts {
    /// Samples recorded since the start.
    pub taken: u64,
    /// Samples alive now.
    pub alive: u64,
    /// Samples that the table had no slot for. They are missing from all live bytes.
    pub dropped: u64,
    /// Bytes that the dropped samples stood for when they were allocated.
    pub dropped_bytes: u64,
}

/// Returns the counters of all tags since the start of the process; all are zero if [`crate::Allocator`] is not installed.
pub fn sampling_counts() -> SamplingCounts {
    let freed = FREED.load(Ordering::Relaxed);
    let taken = RECORDED.load(Ordering::Relaxed);
    SamplingCounts {
        taken,
        alive: taken.saturating_sub(freed),
        dropped: DROPPED.load(Ordering::Relaxed),
        dropped_bytes: DROPPED_BYTES.load(Ordering::Relaxed),
    }
}
