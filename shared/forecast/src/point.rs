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
    /// Memory that the application holds (jemalloc `stats.allocated`); `None` if the runtime does not tell it.
    pub used: Option<Bytes>,
    /// Resident memory of the allocator (jemalloc `stats.resident`), or of a managed heap, if known.
    pub resident: Option<Bytes>,
    /// Memory that the heap's objects hold outside of it (`external` of Node, which has its Buffers), if known.
    pub external: Option<Bytes>,
}

impl Heap {
    /// Makes the figures of a managed heap of which only the resident memory is known.
    pub const fn managed(resident: Bytes) -> Self {
        Heap { used: None, resident: Some(resident), external: None }
    }
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
            heap: Some(Heap {
                used: Some(sample.heap_used),
                resident: Some(sample.heap_resident),
                external: None,
            }),
        }
    }
}

/// Number of series per bucket: the total, and up to three parts of it.
pub(super) const CHANNELS: usize = 4;

/// The channel of [`Point::total`].
pub(super) const TOTAL: usize = 0;

/// The channel of what is outside of a managed heap.
pub(super) const OUTSIDE: usize = 2;

/// The known figures of a point, which determine the content of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FigureSet {
    /// Only the total.
    Single,
    /// Total, and the resident memory of a managed heap of which nothing else is known.
    Runtime,
    /// Total and live heap.
    Process,
    /// Total, live heap, and what its objects hold outside of it.
    Managed,
    /// Total, live heap and the allocator's resident memory.
    Full,
}

impl FigureSet {
    /// Returns whether the application's part is known, and not only what is resident.
    pub(super) const fn knows_heap(self) -> bool {
        !matches!(self, FigureSet::Single | FigureSet::Runtime)
    }

    /// Returns every channel that is examined for growth, with its part of memory.
    pub(super) const fn parts(self) -> &'static [(usize, MemoryPart)] {
        match self {
            FigureSet::Single => &[(TOTAL, MemoryPart::Total)],
            // What is outside of the heap is the program's, and no collector frees it. The heap may be filled with what one would free.
            FigureSet::Runtime => &[(OUTSIDE, MemoryPart::OutsideHeap), (1, MemoryPart::Total)],
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
        let single = (FigureSet::Single, [total.0, 0, 0, 0]);
        let Some(Heap { used, resident, external }) = self.heap else { return single };
        let Some(used) = used else {
            let outside = |resident: Bytes| [total.0, resident.0, total.saturating_sub(resident).0, 0];
            return resident.map_or(single, |resident| (FigureSet::Runtime, outside(resident)));
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
