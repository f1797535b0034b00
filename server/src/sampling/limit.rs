//! The memory limit and its origin.

use std::fmt;

use heapbeat_shared::Bytes;

/// Limit that is assumed at most unless a larger one is configured.
const CAP: Bytes = Bytes::from_mb(1024);

/// A limit and its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limit in bytes.
    pub bytes: Bytes,
    /// The origin.
    pub origin: LimitOrigin,
}

/// The origin of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOrigin {
    /// `HEAPBEAT_MEMORY_LIMIT`.
    Configured,
    /// The cgroup, which the kernel enforces.
    Cgroup,
    /// The memory of the machine.
    Physical,
    /// The default cap of 1024 MB.
    Capped,
}

impl Limit {
    /// Returns the effective limit: the configured one, else the cgroup's, else the machine's memory, else 1024 MB. It exceeds
    /// 1024 MB only if configured. A cgroup's limit below the configured one wins, because the kernel enforces it and thresholds
    /// above it would never be reached.
    pub fn effective(configured: Option<Bytes>, cgroup: Option<Bytes>, physical: Option<Bytes>) -> Self {
        // A cgroup limit above the machine's memory limits nothing.
        let cgroup = cgroup.filter(|limit| physical.is_none_or(|there_is| *limit < there_is));
        let (bytes, origin) = match (configured, cgroup, physical) {
            (Some(wanted), Some(enforced), _) if enforced <= wanted => (enforced, LimitOrigin::Cgroup),
            (Some(wanted), None, Some(there_is)) if there_is < wanted => (there_is, LimitOrigin::Physical),
            (Some(wanted), ..) => (wanted, LimitOrigin::Configured),
            (None, Some(enforced), _) if enforced <= CAP => (enforced, LimitOrigin::Cgroup),
            (None, None, Some(there_is)) if there_is <= CAP => (there_is, LimitOrigin::Physical),
            (None, ..) => (CAP, LimitOrigin::Capped),
        };
        Limit { bytes, origin }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Limit { bytes: CAP, origin: LimitOrigin::Capped }
    }
}

impl LimitOrigin {
    /// Returns one word for logs and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            LimitOrigin::Configured => "configured",
            LimitOrigin::Cgroup => "cgroup",
            LimitOrigin::Physical => "physical",
            LimitOrigin::Capped => "capped",
        }
    }
}

impl fmt::Display for LimitOrigin {
    /// Writes words that follow a size: `512.0 MB (from the cgroup)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitOrigin::Configured => "configured",
            LimitOrigin::Cgroup => "from the cgroup",
            LimitOrigin::Physical => "physical memory",
            LimitOrigin::Capped => "default cap; raise it with HEAPBEAT_MEMORY_LIMIT",
        })
    }
}

/// Returns the memory of the machine; `None` if the kernel does not tell.
#[cfg(target_os = "linux")]
pub fn physical_memory() -> Option<Bytes> {
    let info = rustix::system::sysinfo();
    let bytes = u64::from(info.mem_unit).checked_mul(info.totalram)?;
    (bytes > 0).then_some(Bytes(bytes))
}

/// Returns the memory of the machine; `None` if the kernel does not tell.
#[cfg(not(target_os = "linux"))]
pub fn physical_memory() -> Option<Bytes> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_limit_is_the_smallest_that_is_enforced_or_configured() {
        use LimitOrigin::{Capped, Cgroup, Configured, Physical};
        // name, configured, cgroup, physical (MB), effective (MB), origin
        let cases = [
            ("nothing known", None, None, None, 1024, Capped),
            ("Render's 512 MB", None, Some(512), Some(65_536), 512, Cgroup),
            ("a big container", None, Some(4096), Some(65_536), 1024, Capped),
            ("just the cap", None, Some(1024), Some(65_536), 1024, Cgroup),
            ("a small machine", None, None, Some(768), 768, Physical),
            ("a big machine", None, None, Some(65_536), 1024, Capped),
            ("asked for more than the cap", Some(2048), Some(4096), Some(65_536), 2048, Configured),
            ("asked for less", Some(200), Some(512), Some(65_536), 200, Configured),
            ("asked for what the kernel gives", Some(512), Some(512), Some(65_536), 512, Cgroup),
            ("asked for more than the kernel gives", Some(1024), Some(512), Some(65_536), 512, Cgroup),
            ("asked for more than there is", Some(4096), None, Some(2048), 2048, Physical),
            ("a cgroup larger than the machine", None, Some(9000), Some(800), 800, Physical),
            ("asked, with such a cgroup", Some(900), Some(9000), Some(800), 800, Physical),
        ];
        for (name, configured, cgroup, physical, mb, origin) in cases {
            let [configured, cgroup, physical] =
                [configured, cgroup, physical].map(|mb| mb.map(Bytes::from_mb));
            let expected = Limit { bytes: Bytes::from_mb(mb), origin };
            assert_eq!(Limit::effective(configured, cgroup, physical), expected, "{name}");
        }
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(physical_memory().unwrap() > Bytes::from_mb(64));
    }
}
