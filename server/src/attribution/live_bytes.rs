//! Who holds the memory now: live bytes by tag, kept up to date by the allocator as samples come and go.
//!
//! Two relaxed additions per sample, one sample per 512 KiB: nobody ever waits for anybody here.

#[cfg(feature = "heap-profile")]
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::estimate::{Booking, standard_error};
#[cfg(feature = "heap-profile")]
use super::route::route;
#[cfg(feature = "heap-profile")]
use super::stacks::StackId;
use super::table::Table;
use super::tag::{TAGS, Tag};

static SAMPLES: Table = Table::new();
static LIVE: [Live; TAGS] = [const { Live { bytes: AtomicU64::new(0), spread: AtomicU64::new(0) } }; TAGS];
static TAKEN: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static DROPPED_BYTES: AtomicU64 = AtomicU64::new(0);

struct Live {
    bytes: AtomicU64,
    spread: AtomicU64,
}

impl Live {
    fn add(booking: Booking) {
        let live = &LIVE[booking.tag.index()];
        live.bytes.fetch_add(booking.bytes, Ordering::Relaxed);
        live.spread.fetch_add(booking.spread, Ordering::Relaxed);
    }

    fn subtract(booking: Booking) {
        let live = &LIVE[booking.tag.index()];
        live.bytes.fetch_sub(booking.bytes, Ordering::Relaxed);
        live.spread.fetch_sub(booking.spread, Ordering::Relaxed);
    }
}

/// Books the sample at `address`, a multiple of 4096. `false`: there is no room for this address, nothing was changed.
#[must_use]
pub(crate) fn book(address: usize, booking: Booking) -> bool {
    if !SAMPLES.insert(address, booking) {
        return false;
    }
    Live::add(booking);
    TAKEN.fetch_add(1, Ordering::Relaxed);
    true
}

/// Counts a sample that found no room.
pub(crate) fn drop_sample(booking: Booking) {
    DROPPED.fetch_add(1, Ordering::Relaxed);
    DROPPED_BYTES.fetch_add(booking.bytes, Ordering::Relaxed);
}

/// The booking at `address`, if that is a sampled allocation.
pub(crate) fn booked(address: usize) -> Option<Booking> {
    SAMPLES.get(address)
}

/// The sample at `address`, booked as `old`, was resized in place.
pub(crate) fn rebook(address: usize, old: Booking, new: Booking) {
    SAMPLES.replace(address, new);
    Live::add(new);
    Live::subtract(old);
}

/// Unbooks what is about to be given back, from the tag it was booked to. `false`: it is not a sampled allocation.
pub(crate) fn unbook(address: usize) -> bool {
    let Some(booking) = SAMPLES.remove(address) else { return false };
    Live::subtract(booking);
    FREED.fetch_add(1, Ordering::Relaxed);
    true
}

/// Live bytes of a tag, as the samples tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LiveBytes {
    /// Estimated bytes, in the allocator's size classes (what `heapUsed` counts).
    pub(super) bytes: u64,
    /// One standard error in bytes: within it two times in three, within twice of it 19 times in 20.
    pub(super) standard_error: f64,
}

/// What `tag` holds now. Never waits, never stops anybody.
pub(super) fn of(tag: Tag) -> LiveBytes {
    let live = &LIVE[tag.index()];
    LiveBytes {
        bytes: live.bytes.load(Ordering::Relaxed),
        standard_error: standard_error(live.spread.load(Ordering::Relaxed)),
    }
}

#[cfg(feature = "heap-profile")]
/// Live bytes of one route that were allocated at one place in the code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeldSample {
    /// Estimated bytes.
    pub(crate) bytes: u64,
    /// Samples they are estimated from.
    pub(crate) samples: u64,
}

#[cfg(feature = "heap-profile")]
/// Everything that is held, by place and route. With a period: only what was allocated in it.
pub(crate) fn held(period: Option<u16>) -> HashMap<(StackId, &'static str), HeldSample> {
    let mut sums: HashMap<(StackId, Tag), HeldSample> = HashMap::new();
    SAMPLES.each(|booking| {
        if period.is_none_or(|period| booking.stack.period() == period) {
            let held = sums.entry((booking.stack.place(), booking.tag)).or_default();
            held.bytes += booking.bytes;
            held.samples += 1;
        }
    });
    sums.into_iter().map(|((stack, tag), held)| ((stack, &*route(tag).label), held)).collect()
}

/// How the sampling itself fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SamplingCounts {
    /// Samples booked since the start.
    pub taken: u64,
    /// Samples alive now.
    pub alive: u64,
    /// Samples for which the table had no room. They are missing from every figure of live bytes.
    pub dropped: u64,
    /// What the dropped ones stood for when they were allocated, in bytes.
    pub dropped_bytes: u64,
}

/// Counts over all tags since the start of the process. All zero: [`crate::Allocator`] is not installed.
pub fn sampling_counts() -> SamplingCounts {
    let freed = FREED.load(Ordering::Relaxed);
    let taken = TAKEN.load(Ordering::Relaxed);
    SamplingCounts {
        taken,
        alive: taken.saturating_sub(freed),
        dropped: DROPPED.load(Ordering::Relaxed),
        dropped_bytes: DROPPED_BYTES.load(Ordering::Relaxed),
    }
}
