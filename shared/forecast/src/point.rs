//! The input of the forecaster: one sample of memory with the known figures.
//!
//! A series of another tool has one figure. heapbeat's samples split it into the live heap, memory that the allocator keeps beyond it, and
//! other resident memory. The verdict depends on the split, as only growth of the live heap is retention, and the remedies differ.

use heapbeat_shared::forecast::MemoryPart;
use heapbeat_shared::{Bytes, Sample, UnixMillis};

/// One sample of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The time. Only differences matter, so any origin is possible.
    pub at: UnixMillis,
    /// The memory that the limit applies to: the working set, the resident set, or the only known figure.
    pub total: Bytes,
    /// The heap's part of the total, if known.
    pub heap: Option<Heap>,
}

/// The figures of the heap in one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// Memory that the application holds (jemalloc `stats.allocated`).
    pub used: Bytes,
    /// Resident memory of the allocator (jemalloc `stats.resident`), if known.
    pub resident: Option<Bytes>,
    /// Memory that the heap's objects hold outside of it (`external` of Node, which has its Buffers), if known.
    pub external: Option<Bytes>,
}

impl Point {
    /// Makes a point of which only the total is known.
    pub const fn single(at: UnixMillis, total: Bytes) -> Self {
        Point { at, total, heap: None }
    }
}

impl From<&Sample> for Point {
    fn from(sample: &Sample) -> Self {
        Point {
            at: sample.at,
            total: sample.working_set,
            heap: Some(Heap { used: sample.heap_used, resident: Some(sample.heap_resident), external: None }),
        }
    }
}

/// Number of series per bucket: the total, and up to three parts of it.
pub(super) const CHANNELS: usize = 4;

/// The channel of [`Point::total`].
pub(super) const TOTAL: usize = 0;

/// The known figures of a point, which determine the content of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FigureSet {
    /// Only the total.
    Single,
    /// Total and live heap.
    Process,
    /// Total, live heap, and what its objects hold outside of it.
    Managed,
    /// Total, live heap and the allocator's resident memory.
    Full,
}

impl FigureSet {
    /// Returns every channel that is examined for growth, with its part of memory.
    pub(super) const fn parts(self) -> &'static [(usize, MemoryPart)] {
        match self {
            FigureSet::Single => &[(TOTAL, MemoryPart::Total)],
            FigureSet::Process => &[(1, MemoryPart::LiveHeap), (2, MemoryPart::BeyondLiveHeap)],
            FigureSet::Managed => {
                &[(1, MemoryPart::LiveHeap), (2, MemoryPart::External), (3, MemoryPart::BeyondLiveHeap)]
            }
            FigureSet::Full => {
                &[(1, MemoryPart::LiveHeap), (2, MemoryPart::AllocatorOverhead), (3, MemoryPart::OutsideHeap)]
            }
        }
    }
}

impl Point {
    /// Returns the known figures, and the value of every channel; an unused channel is 0.
    pub(super) fn channels(&self) -> (FigureSet, [u64; CHANNELS]) {
        let total = self.total;
        let Some(Heap { used, resident, external }) = self.heap else {
            return (FigureSet::Single, [total.0, 0, 0, 0]);
        };
        match (resident, external) {
            (Some(resident), _) => {
                let gap = resident.saturating_sub(used).0;
                (FigureSet::Full, [total.0, used.0, gap, total.saturating_sub(resident).0])
            }
            (None, Some(external)) => {
                let beyond = total.saturating_sub(used).saturating_sub(external).0;
                (FigureSet::Managed, [total.0, used.0, external.0, beyond])
            }
            (None, None) => (FigureSet::Process, [total.0, used.0, total.saturating_sub(used).0, 0]),
        }
    }
}
