//! jemalloc's statistics (<https://jemalloc.net/jemalloc.3.html>, `stats.*`).
//!
//! An `epoch` call updates all figures together. It walks every arena, which is why the sampler prepares `/health` and no request
//! reads statistics. The figures are read by resolved names (MIBs), which takes nanoseconds each.

use heapbeat_shared::Bytes;
use tikv_jemalloc_ctl::{epoch, epoch_mib, stats, thread};

/// Memory of the allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapMemory {
    /// `stats.allocated`: bytes that the application holds.
    pub allocated: Bytes,
    /// `stats.active`: bytes in pages that hold at least one allocation.
    pub active: Bytes,
    /// `stats.resident`: bytes in pages that may be resident; metadata and unused pages included.
    pub resident: Bytes,
    /// `stats.mapped`: bytes in mapped extents.
    pub mapped: Bytes,
    /// `stats.retained`: address space kept, no longer backed by memory.
    pub retained: Bytes,
    /// `stats.metadata`: bytes of jemalloc's own data.
    pub metadata: Bytes,
}

/// The resolved names of the figures.
pub struct Heap {
    epoch: epoch_mib,
    allocated: stats::allocated_mib,
    active: stats::active_mib,
    resident: stats::resident_mib,
    mapped: stats::mapped_mib,
    retained: stats::retained_mib,
    metadata: stats::metadata_mib,
}

impl Heap {
    /// Resolves the names; `None` if jemalloc is not the program's allocator, as all figures would be zero.
    pub fn open() -> Option<Self> {
        if !allocates_with_jemalloc() {
            return None;
        }
        Some(Heap {
            epoch: epoch::mib().ok()?,
            allocated: stats::allocated::mib().ok()?,
            active: stats::active::mib().ok()?,
            resident: stats::resident::mib().ok()?,
            mapped: stats::mapped::mib().ok()?,
            retained: stats::retained::mib().ok()?,
            metadata: stats::metadata::mib().ok()?,
        })
    }

    /// Reads the figures.
    pub fn read(&self) -> Option<HeapMemory> {
        self.epoch.advance().ok()?;
        Some(HeapMemory {
            allocated: bytes(self.allocated.read())?,
            active: bytes(self.active.read())?,
            resident: bytes(self.resident.read())?,
            mapped: bytes(self.mapped.read())?,
            retained: bytes(self.retained.read())?,
            metadata: bytes(self.metadata.read())?,
        })
    }
}

impl std::fmt::Debug for Heap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}

fn bytes(figure: tikv_jemalloc_ctl::Result<usize>) -> Option<Bytes> {
    Some(Bytes(figure.ok()? as u64))
}

/// Whether an allocation of this thread changes jemalloc's counter of this thread.
fn allocates_with_jemalloc() -> bool {
    let Ok(counter) = thread::allocatedp::read() else { return false };
    let before = counter.get();
    std::hint::black_box(vec![0_u8; 64]);
    counter.get() > before
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serialises nothing: other tests allocate meanwhile, so the held block is large and the margin wide.
    #[test]
    fn held_memory_is_counted_and_freed_memory_is_not() {
        const HELD: u64 = 256 << 20;
        const MARGIN: u64 = 64 << 20;
        let heap = Heap::open().expect("the tests of this crate allocate with jemalloc");
        let allocated = || heap.read().unwrap().allocated.0;
        let before = allocated();
        let held = std::hint::black_box(vec![0_u8; usize::try_from(HELD).unwrap()]);
        let with = allocated();
        assert!(with.abs_diff(before + HELD) < MARGIN, "{before} {with}");
        drop(held);
        assert!(allocated().abs_diff(before) < MARGIN);
    }

    #[test]
    fn figures_contain_each_other() {
        let heap = Heap::open().unwrap().read().unwrap();
        assert!(heap.allocated > Bytes::ZERO && heap.allocated <= heap.active, "{heap:?}");
        assert!(heap.active <= heap.resident && heap.metadata < heap.resident, "{heap:?}");
    }
}
