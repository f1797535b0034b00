//! What the kernel counts against the limit of the control group, versions 1 and 2.
//!
//! The kernel kills when the group is full, not when the process is: file cache, other processes and kernel memory
//! count too. A limit may stand on any group above the process's own; the smallest is the one that is hit first, and
//! usage is read from the group that has it. Limits are read again each time, as a container can be resized.
//! Formats: <https://docs.kernel.org/admin-guide/cgroup-v2.html>, `cgroup-v1/memory.html`.

mod find;

use std::path::{Path, PathBuf};

use heapbeat_shared::Bytes;

use super::file::{KernelFile, value};
use super::stall::{Stall, StallFile};

/// Groups above the process's own that are looked at; a real hierarchy has fewer than ten.
const DEEPEST: usize = 32;

/// v1 writes "no limit" as the largest multiple of a page below 2^63. Nothing this large is a limit.
const NO_LIMIT: u64 = 1 << 62;

/// Which of the two interfaces the memory controller has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgroupVersion {
    /// `memory.limit_in_bytes`, `memory.usage_in_bytes`.
    V1,
    /// `memory.max`, `memory.current`.
    #[default]
    V2,
}

/// Memory of the group that is limited, or of the process's own where none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CgroupMemory {
    /// Which interface tells.
    pub version: CgroupVersion,
    /// The smallest limit between the process's group and the root.
    pub limit: Option<Bytes>,
    /// What counts against it.
    pub usage: Bytes,
    /// File cache that has not been used of late: given back before anything is killed.
    pub inactive_file: Bytes,
    /// Anonymous memory: cannot be given back.
    pub anon: Bytes,
    /// What has happened for want of memory, since the group was made.
    pub events: OomEvents,
    /// Swapped out, where the group counts it.
    pub swap: Option<Bytes>,
    /// How long the group's tasks waited for memory; version 2 only.
    pub stall: Option<Stall>,
}

/// Counters of the group's events. v1 has no `high`, and calls `max` its failcnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomEvents {
    /// Times the group was throttled at `memory.high`.
    pub high: u64,
    /// Times the group was about to pass its limit.
    pub max: u64,
    /// Times nothing could be reclaimed. v1 does not count these.
    pub oom: u64,
    /// Processes that were killed.
    pub oom_kill: u64,
}

impl CgroupMemory {
    /// What is left when the kernel has dropped all that it can drop easily: `max(usage - inactive_file, anon)`.
    pub fn working_set(&self) -> Bytes {
        self.usage.saturating_sub(self.inactive_file).max(self.anon)
    }
}

/// The reader.
#[derive(Debug)]
pub struct Cgroup {
    version: CgroupVersion,
    /// The process's own group first, then its ancestors.
    groups: Vec<CgroupFiles>,
}

/// One group's open files.
#[derive(Debug)]
struct CgroupFiles {
    /// The root of v2 has none.
    limit: Option<KernelFile>,
    usage: Option<KernelFile>,
    stat: Option<KernelFile>,
    events: Vec<KernelFile>,
    /// v2 counts what is swapped out, v1 memory and swap together.
    swap: Option<KernelFile>,
    stall: Option<StallFile>,
}

impl Cgroup {
    /// The group of the calling process; `None` without a memory controller to be read.
    pub fn of_this_process() -> Option<Self> {
        Self::find(Path::new("/proc/self"), Path::new("/"))
    }

    /// The group that `process` (a directory like `/proc/self`) says it is in, its mount points taken below `root`.
    pub fn find(process: &Path, root: &Path) -> Option<Self> {
        let cgroup = std::fs::read_to_string(process.join("cgroup")).ok()?;
        let mounts = std::fs::read_to_string(process.join("mountinfo")).ok()?;
        find::candidates(&cgroup, &mounts)
            .into_iter()
            .find_map(|place| Self::open(place.version, &below(root, &place.mount), &place.path))
    }

    /// The version that was found.
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// Opens the groups from `path` up to the mount point itself. A path that the mount does not show (a container that
    /// sees its host's names) is cut from below until something is there.
    fn open(version: CgroupVersion, mount: &Path, path: &Path) -> Option<Self> {
        let own = below(mount, path);
        let groups: Vec<CgroupFiles> = own
            .ancestors()
            .take_while(|directory| directory.starts_with(mount))
            .take(DEEPEST)
            .filter_map(|directory| CgroupFiles::open(version, directory))
            .collect();
        let mut cgroup = Cgroup { version, groups };
        cgroup.read().map(|_| cgroup)
    }

    /// The figures now; `None` when the group is gone.
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
            memory.inactive_file = Bytes(value(stat, inactive_file).unwrap_or(0));
            memory.anon = Bytes(value(stat, anon).unwrap_or(0));
        }
        memory.stall = group.stall.as_mut().and_then(StallFile::read);
        memory.swap = group.swap.as_mut().and_then(number).map(|swap| match version {
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

    /// Processes of the calling process's own group that were killed for want of memory. Version 1 counts a kill in the
    /// group of who was killed and nowhere else, version 2 in those above it as well.
    pub(crate) fn own_oom_kills(&mut self) -> Option<u64> {
        let own = self.groups.first_mut()?;
        own.events.iter_mut().find_map(|file| value(file.read()?, "oom_kill"))
    }

    /// Which group has the smallest limit, and that limit; the process's own group when none has any.
    fn smallest_limit(&mut self) -> (usize, Option<Bytes>) {
        let limits =
            self.groups.iter_mut().enumerate().filter_map(|(index, group)| Some((group.limit()?, index)));
        limits.min().map_or((0, None), |(limit, index)| (index, Some(limit)))
    }
}

impl CgroupFiles {
    /// `None` for a directory that is no memory group.
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

    /// The group's own limit, if it has one (`max` and what v1 writes instead are none).
    fn limit(&mut self) -> Option<Bytes> {
        let limit = self.limit.as_mut()?.read()?.trim().parse().ok()?;
        (limit < NO_LIMIT).then_some(Bytes(limit))
    }

    fn usage(&mut self) -> Option<Bytes> {
        self.usage.as_mut().and_then(number).map(Bytes)
    }
}

fn number(file: &mut KernelFile) -> Option<u64> {
    file.read()?.trim().parse().ok()
}

impl OomEvents {
    /// Takes the counters out of one of the files of events.
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
            if let Some(count) = value(text, key) {
                *field = count;
            }
        }
    }
}

/// `path` below `root`, whether it begins with a slash or not.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests;
