//! Readings of memory from all sources.
//!
//! The kernel counts what the process holds, jemalloc what the application has allocated, the cgroup what is charged against the
//! limit. A missing source is normal (macOS, gVisor, a hidden /proc): its figures are `None`, and [`Sources::missing`] names it.

mod cgroup;
mod file;
mod jemalloc;
mod jvm_heap_mapping;
mod jvm_perf_data;
pub(crate) mod lateness;
mod limit;
mod managed_heap;
mod process;
mod program;
pub(crate) mod sampler;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use heapbeat_shared::{Bytes, Sample};

use crate::clock;
use crate::clock::Now;

pub use cgroup::{Cgroup, CgroupMemory, CgroupVersion, OomEvents};
pub use jemalloc::{Heap, HeapMemory};
pub use limit::{Limit, LimitOrigin, physical_memory};
pub use managed_heap::{ManagedHeap, managed_heap};
pub use process::{Process, ProcessMemory};
pub use program::{ProgramMemory, RuntimeHeap};
pub use stall::{Stall, StallFile};

use lateness::{Lateness, RuntimeProbe};

/// Everything read at one instant, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// When it was read.
    pub now: Now,
    /// CPU time of the process so far.
    pub cpu: Duration,
    /// Memory of the process, from the kernel.
    pub process: Option<ProcessMemory>,
    /// Memory of the allocator.
    pub heap: Option<HeapMemory>,
    /// Memory of the cgroup.
    pub cgroup: Option<CgroupMemory>,
    /// The memory limit.
    pub limit: Limit,
    /// Memory pressure of the machine.
    pub stall: Option<Stall>,
    /// Longest delay of a task of the async runtime within the last minute.
    pub runtime_delay: Option<Duration>,
    /// Memory of a guarded program, if this is not a reading of this process.
    pub program: Option<ProgramMemory>,
}

impl Reading {
    /// Returns the memory that pressure is derived from. If the limit is the cgroup's, it is the memory charged to the cgroup without
    /// the file cache that the kernel would drop first. Any other limit is compared with this process alone, as its cgroup may
    /// contain many other processes.
    pub fn working_set(&self) -> Bytes {
        if let Some(program) = self.program {
            return program.judged;
        }
        match (self.limit.origin, self.cgroup) {
            (LimitOrigin::Cgroup, Some(cgroup)) => cgroup.working_set(),
            _ => self.rss(),
        }
    }

    /// Returns the resident set of the process, or jemalloc's resident memory if the kernel does not tell.
    pub fn rss(&self) -> Bytes {
        if let Some(program) = self.program {
            return program.tree;
        }
        let heap = || self.heap.map_or(Bytes::ZERO, |heap| heap.resident);
        self.process.map_or_else(heap, |process| process.rss)
    }

    /// Whether the heap of a guarded program is known.
    pub(crate) fn has_runtime_heap(&self) -> bool {
        self.program.is_some_and(|program| program.heap.is_some())
    }

    /// Returns the figures that are stored and reported.
    pub fn sample(&self) -> Sample {
        if let Some(program) = &self.program {
            return program.sample(self.now.wall);
        }
        let heap = self.heap.unwrap_or_default();
        Sample {
            at: self.now.wall,
            rss: self.rss(),
            heap_used: heap.allocated,
            heap_total: heap.active,
            heap_resident: heap.resident,
            working_set: self.working_set(),
        }
    }
}

/// The sources of readings. Files stay open and jemalloc's names stay resolved between readings.
#[derive(Debug)]
pub struct Sources {
    process: Option<Process>,
    heap: Option<Heap>,
    cgroup: Option<Cgroup>,
    physical: Option<Bytes>,
    configured: Option<Bytes>,
    stall: Option<StallFile>,
    lateness: Option<Lateness>,
}

impl Sources {
    /// Opens all sources that this process can read about itself; `configured` is the configured limit.
    pub fn of_this_process(configured: Option<Bytes>) -> Self {
        Sources {
            process: Process::this(),
            heap: Heap::open(),
            cgroup: Cgroup::of_this_process(),
            physical: physical_memory(),
            configured,
            stall: StallFile::of_the_machine(),
            lateness: None,
        }
    }

    /// Adds the lateness of the async runtime.
    pub(crate) fn with_probe(self, probe: Arc<RuntimeProbe>) -> Self {
        Sources { lateness: Some(Lateness::new(probe)), ..self }
    }

    /// Reads all sources.
    pub fn read(&mut self, now: Now) -> Reading {
        let cgroup = self.cgroup.as_mut().and_then(Cgroup::read);
        Reading {
            now,
            cpu: clock::process_cpu(),
            process: self.process.as_mut().and_then(Process::read),
            heap: self.heap.as_ref().and_then(Heap::read),
            cgroup,
            limit: Limit::effective(self.configured, cgroup.and_then(|c| c.limit), self.physical),
            stall: self.stall.as_mut().and_then(StallFile::read),
            runtime_delay: self.lateness.as_mut().and_then(|lateness| lateness.read(now.age)),
            program: None,
        }
    }

    /// Describes each source that cannot be read here.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.process.is_none() {
            missing.push("/proc/self/status cannot be read: rss is jemalloc's resident memory instead");
        }
        if self.heap.is_none() {
            missing.push("jemalloc is not the global allocator: heapUsed and heapTotal are 0; add `#[global_allocator] static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;`");
        }
        if self.cgroup.is_none() {
            missing.push(
                "there is no memory cgroup: the limit is the machine's memory or HEAPBEAT_MEMORY_LIMIT",
            );
        }
        if self.stall.is_none() {
            missing.push("/proc/pressure/memory cannot be read: memory pressure is unknown");
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(origin: LimitOrigin, cgroup: Option<CgroupMemory>) -> Reading {
        Reading {
            process: Some(ProcessMemory { rss: Bytes(100), ..ProcessMemory::default() }),
            heap: Some(HeapMemory { resident: Bytes(70), ..HeapMemory::default() }),
            cgroup,
            limit: Limit { bytes: Bytes(1000), origin },
            ..Reading::default()
        }
    }

    #[test]
    fn the_working_set_belongs_to_the_owner_of_the_limit() {
        let cgroup =
            Some(CgroupMemory { usage: Bytes(400), inactive_file: Bytes(150), ..CgroupMemory::default() });
        let cases = [
            ("the cgroup's limit", LimitOrigin::Cgroup, cgroup, 250),
            ("a limit of this process's own", LimitOrigin::Configured, cgroup, 100),
            ("the machine's memory", LimitOrigin::Physical, cgroup, 100),
            ("a cgroup that cannot be read any more", LimitOrigin::Cgroup, None, 100),
        ];
        for (name, origin, cgroup, judged) in cases {
            assert_eq!(reading(origin, cgroup).working_set(), Bytes(judged), "{name}");
        }
    }

    #[test]
    fn without_proc_rss_is_the_heaps_resident_memory() {
        let blind = Reading { process: None, ..reading(LimitOrigin::Physical, None) };
        assert_eq!(blind.rss(), Bytes(70));
        assert_eq!(Reading::default().rss(), Bytes::ZERO);
    }
}
