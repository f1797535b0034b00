//! One sample of memory, as it is transferred and stored.
//!
//! The server measures more; these are the figures with an hour of history. All figures of a sample are read together, so
//! that differences between them are meaningful (`rss - heap_resident` is the memory outside jemalloc).

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::health::HealthMemory;
use crate::units::{Bytes, UnixMillis};

/// Memory of one instance at one instant, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Sample {
    /// The time of the sample.
    #[n(0)]
    pub at: UnixMillis,
    /// Resident set of the process.
    #[n(1)]
    pub rss: Bytes,
    /// jemalloc `stats.allocated`: memory that the application holds; 0 if it is not known ([`Bytes::known`]).
    #[n(2)]
    pub heap_used: Bytes,
    /// jemalloc `stats.active`: pages with at least one allocation in them; 0 if it is not known ([`Bytes::known`]).
    #[n(3)]
    pub heap_total: Bytes,
    /// jemalloc `stats.resident`: all resident memory of jemalloc, including metadata and unused pages.
    #[n(4)]
    pub heap_resident: Bytes,
    /// The memory that the pressure level is derived from: `max(cgroup current - inactive_file, anon)`, or `rss` without a cgroup.
    #[n(5)]
    pub working_set: Bytes,
}

impl Sample {
    /// Whether there is no sample: a process that runs has memory.
    pub const fn is_absent(&self) -> bool {
        self.rss.0 == 0 && self.working_set.0 == 0
    }

    /// Returns the resident memory outside jemalloc: stacks, code, mapped files, other allocators. Never below zero.
    pub const fn external(&self) -> Bytes {
        self.rss.saturating_sub(self.heap_resident)
    }

    /// Returns the figures of the public body of `/health`.
    pub const fn to_health_memory(&self) -> HealthMemory {
        HealthMemory {
            rss: self.rss.to_megabytes(),
            heap_used: self.heap_used.to_megabytes(),
            heap_total: self.heap_total.to_megabytes(),
            external: self.external().to_megabytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Megabytes;

    #[test]
    fn external_is_resident_memory_outside_of_the_allocator() {
        let sample =
            Sample { rss: Bytes::from_mb(150), heap_resident: Bytes::from_mb(120), ..Sample::default() };
        assert_eq!(sample.to_health_memory().external, Megabytes(30));
        // jemalloc counts pages as resident that the kernel has taken back already.
        let sample =
            Sample { rss: Bytes::from_mb(100), heap_resident: Bytes::from_mb(120), ..Sample::default() };
        assert_eq!(sample.to_health_memory().external, Megabytes(0));
    }
}
