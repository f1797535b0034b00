//! Memory of the control group, versions 1 and 2.
//!
//! The kernel kills when the group reaches its limit, to which file cache, other processes and kernel memory are charged, too. Any
//! ancestor of the process's group may have a limit; the smallest one is reached first, and usage is read from the group that has it.
//! Limits are read again each time, as a container can be resized.
//! Formats: <https://docs.kernel.org/admin-guide/cgroup-v2.html>, `cgroup-v1/memory.html`.

mod find;

use std::path::{Path, PathBuf};

use heapbeat_shared::Bytes;

use super::file::{KernelFile, parse_value};
use super::stall::{Stall, StallFile};

/// Maximum number of ancestors that are read; a real hierarchy has fewer than ten.
const MAX_DEPTH: usize = 32;

/// Version 1 writes "no limit" as the largest multiple of a page below 2^63. Larger values than this are no limits.
const NO_LIMIT: u64 = 1 << 62;

/// Version of the memory controller's interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgroupVersion {
    /// `memory.limit_in_bytes`, `memory.usage_in_bytes`.
    V1,
    /// `memory.max`, `memory.current`.
    #[default]
    V2,
}

/// Memory of the group with the smallest limit, or of the process's own group if none has a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupMemory {
    /// Version of the interface.
    pub version: CgroupVersion,
    /// The smallest limit between the process's group and the root.
    pub limit: Option<Bytes>,
    /// Memory charged against the limit.
    pub usage: Bytes,
    /// File cache that was not used lately; the kernel drops it before it kills.
    pub inactive_file: Bytes,
    /// Anonymous memory, which the kernel cannot drop.
    pub anon: Bytes,
    /// Buffers of sockets; version 2 only, as version 1 counts them apart from `usage`.
    pub sockets: Bytes,
    /// Counters of memory events since the group was created.
    pub events: OomEvents,
    /// Memory that is swapped out, if the group counts it.
    pub swap: Option<Bytes>,
    /// Memory pressure of the group; version 2 only.
    pub stall: Option<Stall>,
}

/// Counters of the group's memory events. Version 1 has no `high`; its `failcnt` is `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomEvents {
    /// Times the group was throttled at `memory.high`.
    pub high: u64,
    /// Times the group was about to exceed its limit.
    pub max: u64,
    /// Times nothing could be reclaimed. Version 1 does not count them.
    pub oom: u64,
    /// Processes killed by the OOM killer.
    pub oom_kill: u64,
}

impl CgroupMemory {
    /// Returns the memory that the kernel cannot drop easily: `max(usage - inactive_file, anon)`.
    pub fn working_set(&self) -> Bytes {
        self.usage.saturating_sub(self.inactive_file).max(self.anon)
    }
}

/// Reads the memory of a process's control group.
#[derive(Debug)]
pub struct Cgroup {
    version: CgroupVersion,
    /// The process's own group first, then its ancestors.
    groups: Vec<CgroupFiles>,
}

/// The open files of one group.
#[derive(Debug)]
struct CgroupFiles {
    /// Absent in the root of version 2.
    limit: Option<KernelFile>,
    usage: Option<KernelFile>,
    stat: Option<KernelFile>,
    events: Vec<KernelFile>,
    /// Version 2 counts swap, version 1 memory and swap together.
    swap: Option<KernelFile>,
    stall: Option<StallFile>,
}

impl Cgroup {
    /// Opens the group of the calling process; `None` without a readable memory controller.
    pub fn of_this_process() -> Option<Self> {
        Self::find(Path::new("/proc/self"), Path::new("/"))
    }

    /// Opens the group of `process` (a directory such as `/proc/self`); mount points are resolved below `root`.
    pub fn find(process: &Path, root: &Path) -> Option<Self> {
        let cgroup = std::fs::read_to_string(process.join("cgroup")).ok()?;
        let mounts = std::fs::read_to_string(process.join("mountinfo")).ok()?;
        find::candidates(&cgroup, &mounts)
            .into_iter()
            .find_map(|place| Self::open(place.version, &below(root, &place.mount), &place.path))
    }

    /// Returns the version of the interface.
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// Opens the groups from `path` up to the mount point. Directories that the mount does not show (a container that sees the names of
    /// its host) are skipped.
    fn open(version: CgroupVersion, mount: &Path, path: &Path) -> Option<Self> {
        let own = below(mount, path);
        let groups: Vec<CgroupFiles> = own
            .ancestors()
            .take_while(|directory| directory.starts_with(mount))
            .take(MAX_DEPTH)
            .filter_map(|directory| CgroupFiles::open(version, directory))
            .collect();
        let mut cgroup = Cgroup { version, groups };
        cgroup.read().map(|_| cgroup)
    }

    /// Reads the figures; `None` if the group has been removed.
    pub fn read(&mut self) -> Option<CgroupMemory> {
        let (limited, limit) = self.smallest_limit();
        let version = self.version;
        let group = self.groups.get_mut(limited)?;
        let mut memory = CgroupMemory { version, limit, usage: group.usage()?, ..CgroupMemory::default() };
        if let Some(stat) = group.stat.as_mut().and_then(KernelFile::read) {
            let (inactive_file, anon) = match version {
                CgroupVersion::V1 => ("total_inactive_file", "total_rss"),
                CgroupVersion::V2 => ("inactive_file", "anon"),
            };
            memory.inactive_file = Bytes(parse_value(stat, inactive_file).unwrap_or(0));
            memory.anon = Bytes(parse_value(stat, anon).unwrap_or(0));
            if version == CgroupVersion::V2 {
                memory.sockets = Bytes(parse_value(stat, "sock").unwrap_or(0));
            }
        }
        memory.stall = group.stall.as_mut().and_then(StallFile::read);
        memory.swap = group.swap.as_mut().and_then(read_number).map(|swap| match version {
            CgroupVersion::V1 => Bytes(swap).saturating_sub(memory.usage),
            CgroupVersion::V2 => Bytes(swap),
        });
        for file in &mut group.events {
            if let Some(text) = file.read() {
                memory.events.add(text);
            }
        }
        Some(memory)
    }

    /// Returns the number of OOM kills in the process's own group. Version 1 counts a kill in the victim's group only, version 2 in its
    /// ancestors as well.
    pub(crate) fn own_oom_kills(&mut self) -> Option<u64> {
        let own = self.groups.first_mut()?;
        own.events.iter_mut().find_map(|file| parse_value(file.read()?, "oom_kill"))
    }

    /// Returns the index of the group with the smallest limit, and that limit; the process's own group if none has a limit.
    fn smallest_limit(&mut self) -> (usize, Option<Bytes>) {
        let limits =
            self.groups.iter_mut().enumerate().filter_map(|(index, group)| Some((group.limit()?, index)));
        limits.min().map_or((0, None), |(limit, index)| (index, Some(limit)))
    }
}

impl CgroupFiles {
    /// Opens the files of a group; `None` for a directory that is not a memory group.
    fn open(version: CgroupVersion, directory: &Path) -> Option<Self> {
        let open = |name: &str| KernelFile::open(&directory.join(name));
        let (limit, usage, swap, events): (_, _, _, &[&str]) = match version {
            CgroupVersion::V1 => (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "memory.memsw.usage_in_bytes",
                &["memory.oom_control", "memory.failcnt"],
            ),
            CgroupVersion::V2 => ("memory.max", "memory.current", "memory.swap.current", &["memory.events"]),
        };
        let group = CgroupFiles {
            limit: open(limit),
            usage: open(usage),
            stat: open("memory.stat"),
            events: events.iter().filter_map(|name| open(name)).collect(),
            swap: open(swap),
            stall: StallFile::open(&directory.join("memory.pressure")),
        };
        (group.limit.is_some() || group.usage.is_some()).then_some(group)
    }

    /// Returns the group's own limit, if it has one (`max`, and its equivalent in version 1, are none).
    fn limit(&mut self) -> Option<Bytes> {
        let limit = self.limit.as_mut()?.read()?.trim().parse().ok()?;
        (limit < NO_LIMIT).then_some(Bytes(limit))
    }

    fn usage(&mut self) -> Option<Bytes> {
        self.usage.as_mut().and_then(read_number).map(Bytes)
    }
}

fn read_number(file: &mut KernelFile) -> Option<u64> {
    file.read()?.trim().parse().ok()
}

impl OomEvents {
    /// Parses the counters of one of the event files.
    fn add(&mut self, text: &str) {
        if let Ok(failcnt) = text.trim().parse() {
            self.max = failcnt;
            return;
        }
        for (key, field) in [
            ("high", &mut self.high),
            ("max", &mut self.max),
            ("oom", &mut self.oom),
            ("oom_kill", &mut self.oom_kill),
        ] {
            if let Some(count) = parse_value(text, key) {
                *field = count;
            }
        }
    }
}

/// Returns `path` below `root`, whether it begins with a slash or not.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests;
