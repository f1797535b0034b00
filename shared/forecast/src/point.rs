//! The input of the forecaster: one reading of memory with the figures that are known.
//!
//! A foreign series has one figure; heapbeat's samples split it into the live heap, what the allocator keeps beyond that, and
//! other resident memory. The verdict depends on the split: only growth of the live heap is retention, and the remedies
//! differ.

use heapbeat_shared::forecast::MemoryPart;
use heapbeat_shared::{Bytes, Sample, UnixMillis};

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When; only differences count, so time since any fixed instant will do.
    pub at: UnixMillis,
    /// What the limit is compared with: the working set, the resident set, or the one figure that there is.
    pub total: Bytes,
    /// The heap's share of it, where known.
    pub heap: Option<Heap>,
}

/// What is known of the heap at one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// What the application holds (jemalloc `stats.allocated`).
    pub used: Bytes,
    /// What the allocator has resident (jemalloc `stats.resident`), where known.
    pub resident: Option<Bytes>,
}

impl Point {
    /// A reading of which one figure is known.
    pub const fn single(at: UnixMillis, total: Bytes) -> Self {
        Point { at, total, heap: None }
    }
}

impl From<&Sample> for Point {
    fn from(sample: &Sample) -> Self {
        Point {
            at: sample.at,
            total: sample.working_set,
            heap: Some(Heap { used: sample.heap_used, resident: Some(sample.heap_resident) }),
        }
    }
}

/// Series kept per bucket: the total, and up to three parts of it.
pub(super) const CHANNELS: usize = 4;

/// The channel of [`Point::total`].
pub(super) const TOTAL: usize = 0;

/// Which of a point's figures are known; it decides what each channel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FigureSet {
    /// Only the total.
    Single,
    /// Total and live heap.
    Process,
    /// Total, live heap and the allocator's resident memory.
    Full,
}

impl FigureSet {
    /// Every channel that is watched for growth, with its place.
    pub(super) const fn parts(self) -> &'static [(usize, MemoryPart)] {
        match self {
            FigureSet::Single => &[(TOTAL, MemoryPart::Memory)],
            FigureSet::Process => &[(1, MemoryPart::Heap), (2, MemoryPart::Beyond)],
            FigureSet::Full => &[(1, MemoryPart::Heap), (2, MemoryPart::Gap), (3, MemoryPart::Outside)],
        }
    }
}

impl Point {
    /// The kind of this point and its figure for every channel; a channel that the kind lacks is 0.
    pub(super) fn channels(&self) -> (FigureSet, [u64; CHANNELS]) {
        let total = self.total;
        match self.heap {
            None => (FigureSet::Single, [total.0, 0, 0, 0]),
            Some(Heap { used, resident: None }) => {
                (FigureSet::Process, [total.0, used.0, total.saturating_sub(used).0, 0])
            }
            Some(Heap { used, resident: Some(resident) }) => {
                let gap = resident.saturating_sub(used).0;
                (FigureSet::Full, [total.0, used.0, gap, total.saturating_sub(resident).0])
            }
        }
    }
}
