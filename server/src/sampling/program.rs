//! Memory of a guarded program, which is measured from outside, and by agents inside of it.

use heapbeat_shared::{Bytes, Sample, UnixMillis};

use super::ManagedHeap;

/// Memory of all processes of a guarded program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramMemory {
    /// Sum of the proportional set sizes of its processes.
    pub tree: Bytes,
    /// The memory that pressure is derived from: `tree`, or what the control group is charged if that leaves less of the limit.
    pub judged: Bytes,
    /// Number of its processes.
    pub processes: u32,
    /// The heap as the runtimes inside know it; `None` without an agent.
    pub heap: Option<RuntimeHeap>,
    /// The heaps of managed runtimes as they are known from outside, where no agent tells them: below their maximum, the resident set alone
    /// says nothing about a leak.
    pub managed: Option<ManagedHeap>,
}

/// The heaps of all processes of a program, as `process.memoryUsage()` has them. A runtime leaves out what it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeHeap {
    /// Bytes of objects, those included that a collection would free.
    pub used: Option<Bytes>,
    /// Bytes that the runtimes hold for their heaps.
    pub total: Option<Bytes>,
    /// Bytes outside of the heaps that their objects hold.
    pub external: Option<Bytes>,
    /// Sum of the sizes at which the runtimes give up.
    pub limit: Option<Bytes>,
}

impl RuntimeHeap {
    /// Adds the heaps of other processes. A figure is known if one of both knows it.
    fn plus(self, other: Self) -> Self {
        RuntimeHeap {
            used: sum(self.used, other.used),
            total: sum(self.total, other.total),
            external: sum(self.external, other.external),
            limit: sum(self.limit, other.limit),
        }
    }
}

/// Adds two figures; one is known if one of both is.
fn sum(a: Option<Bytes>, b: Option<Bytes>) -> Option<Bytes> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Bytes(a.0.saturating_add(b.0))),
        (a, b) => a.or(b),
    }
}

impl ProgramMemory {
    /// Adds the memory of another instance.
    pub(crate) fn plus(self, other: Self) -> Self {
        let heap = match (self.heap, other.heap) {
            (Some(heap), Some(other)) => Some(heap.plus(other)),
            (heap, other) => heap.or(other),
        };
        ProgramMemory {
            tree: Bytes(self.tree.0.saturating_add(other.tree.0)),
            judged: Bytes(self.judged.0.saturating_add(other.judged.0)),
            processes: self.processes.saturating_add(other.processes),
            heap,
            managed: self.managed.into_iter().chain(other.managed).reduce(ManagedHeap::plus),
        }
    }

    /// Returns the figures that are stored and reported. What the runtime does not know is 0, and all memory is external then.
    pub(super) fn sample(&self, at: UnixMillis) -> Sample {
        let heap = self.heap.unwrap_or_default();
        let heap_total = heap.total.or(heap.used).unwrap_or_default();
        // `Sample::external` is the difference to the resident set.
        let heap_resident = heap
            .external
            .map_or_else(|| heap_total.min(self.tree), |external| self.tree.saturating_sub(external));
        Sample {
            at,
            rss: self.tree,
            heap_used: heap.used.unwrap_or_default(),
            heap_total,
            heap_resident,
            working_set: self.judged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_is_what_the_runtime_says_or_all_that_is_not_known_to_be_heap() {
        let mb = Bytes::from_mb;
        let heap = |used, total, external: Option<u64>| RuntimeHeap {
            used: Some(mb(used)),
            total: Some(mb(total)),
            external: external.map(mb),
            limit: None,
        };
        // Heap; heapUsed, heapTotal and external of `/health`.
        let cases = [
            (None, (0, 0, 200)),
            (Some(RuntimeHeap::default()), (0, 0, 200)),
            (Some(heap(90, 120, Some(30))), (90, 120, 30)),
            (Some(heap(90, 120, Some(500))), (90, 120, 200)),
            (Some(heap(90, 120, None)), (90, 120, 80)),
            (Some(heap(90, 300, None)), (90, 300, 0)),
        ];
        for (heap, expected) in cases {
            let memory = ProgramMemory { tree: mb(200), judged: mb(210), processes: 1, heap, managed: None };
            let sample = memory.sample(UnixMillis(5));
            let health = sample.to_health_memory();
            assert_eq!((health.heap_used.0, health.heap_total.0, health.external.0), expected, "{heap:?}");
            assert_eq!((sample.at, sample.rss, sample.working_set), (UnixMillis(5), mb(200), mb(210)));
        }
    }
}
