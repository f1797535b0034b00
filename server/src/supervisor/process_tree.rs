//! The processes of the machine, read from `/proc` at one instant: who started whom, and how much memory they hold.
//!
//! The memory of a tree is the sum of proportional set sizes, in which pages shared by the processes of the tree count once; a sum of
//! resident sets would count them once per process. If the kernel does not provide it, resident sets are used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use heapbeat_shared::Bytes;
use rustix::process::Signal;

/// Maximum number of processes of a tree that are measured.
const MOST: usize = 4096;

/// A process as `/proc/<pid>/stat` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessEntry {
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Start time in clock ticks since boot, which together with the id identifies a process.
    pub(super) started: u64,
    /// Resident memory in pages.
    pub(super) pages: u64,
}

/// All processes that are alive; zombies are left out.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable(BTreeMap<u32, ProcessEntry>);

impl ProcessTable {
    /// Reads the table.
    pub fn read() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let parse = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, parse_stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        };
        ProcessTable(entries.filter_map(parse).collect())
    }

    #[cfg(test)]
    pub(super) fn of(entries: impl IntoIterator<Item = (u32, ProcessEntry)>) -> Self {
        ProcessTable(entries.into_iter().collect())
    }

    /// Returns a process.
    pub(super) fn get(&self, pid: u32) -> Option<ProcessEntry> {
        self.0.get(&pid).copied()
    }

    /// Returns all processes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, ProcessEntry)> {
        self.0.iter().map(|(pid, entry)| (*pid, *entry))
    }

    /// Returns the children of a process.
    pub(super) fn children(&self, parent: u32) -> Vec<u32> {
        self.iter()
            .filter(|(pid, entry)| entry.parent == parent && *pid != parent)
            .map(|(pid, _)| pid)
            .collect()
    }

    /// Returns `roots`, as far as they are alive, and all their descendants.
    pub fn descendants(&self, roots: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (pid, entry) in self.iter() {
            children.entry(entry.parent).or_default().push(pid);
        }
        let mut family: Vec<u32> = roots.into_iter().filter(|root| self.get(*root).is_some()).collect();
        let mut seen: BTreeSet<u32> = family.iter().copied().collect();
        let mut next = 0;
        while next < family.len() && family.len() < MOST {
            for child in children.get(&family[next]).into_iter().flatten() {
                if seen.insert(*child) {
                    family.push(*child);
                }
            }
            next += 1;
        }
        family
    }
}

/// Parses `stat` of `proc_pid_stat(5)`; `None` for a zombie. The name in parentheses may contain anything.
fn parse_stat(stat: &str) -> Option<ProcessEntry> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    let pages = fields.nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    Some(ProcessEntry { parent, group, started, pages })
}

/// Returns the sum of the resident sets of these processes, which costs little to read.
pub(super) fn resident(family: &[u32]) -> Bytes {
    let pages = |pid: &u32| {
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        statm.split(' ').nth(1)?.parse::<u64>().ok()
    };
    let page = rustix::param::page_size() as u64;
    Bytes(
        family.iter().filter_map(pages).fold(0, |sum, pages| sum.saturating_add(pages.saturating_mul(page))),
    )
}

/// Returns the memory of these processes.
pub fn memory(family: &[u32]) -> Bytes {
    Bytes(family.iter().map(|pid| of_one(&Path::new("/proc").join(pid.to_string()))).sum())
}

fn of_one(directory: &Path) -> u64 {
    let rollup = fs::read_to_string(directory.join("smaps_rollup")).unwrap_or_default();
    let status = || fs::read_to_string(directory.join("status")).unwrap_or_default();
    kilobytes(&rollup, "Pss:").or_else(|| kilobytes(&status(), "VmRSS:")).unwrap_or(0) * 1024
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

/// Returns whether a process handles a signal by code of its own.
pub(super) fn handles(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    is_in_mask(&status, "SigCgt:", signal.as_raw())
}

/// Whether a signal is in one of the masks of `/proc/<pid>/status`: `SigCgt:` for those that are handled, `SigIgn:` for those that are ignored.
pub(super) fn is_in_mask(status: &str, name: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix(name));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_descendants_are_found() {
        let parents = [(2, 1), (3, 2), (4, 2), (5, 3), (6, 1), (7, 7)];
        let table = ProcessTable::of(parents.map(|(pid, parent)| {
            (pid, ProcessEntry { parent, group: 2, started: u64::from(pid), pages: 0 })
        }));
        assert_eq!(table.descendants([2]), [2, 3, 4, 5]);
        assert_eq!(table.descendants([7]), [7], "a circle ends");
        assert_eq!(table.descendants([9]), Vec::<u32>::new(), "a root that is gone");
        assert_eq!(table.descendants([3, 6, 5]), [3, 6, 5], "a root below another one counts once");
        assert_eq!(table.children(2), [3, 4]);
    }

    #[test]
    fn a_process_is_parsed_whatever_its_name() {
        let rest = "7 9 9 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 17 1";
        let expected = ProcessEntry { parent: 7, group: 9, started: 4242, pages: 17 };
        assert_eq!(parse_stat(&format!("12 (a) R (b) S {rest}")), Some(expected));
        assert_eq!(parse_stat(&format!("12 (sh) Z {rest}")), None, "a zombie");
        assert_eq!(parse_stat("12 (sh"), None);
    }

    #[test]
    fn figures_are_found_in_kilobytes() {
        assert_eq!(kilobytes("Rss:  9 kB\nPss:      123 kB\nPss_Dirty: 7 kB\n", "Pss:"), Some(123));
        assert_eq!(kilobytes("Pss: x kB\n", "Pss:"), None);
        assert!(memory(&[std::process::id()]) > Bytes::from_mb(1));
        assert!(
            resident(&[std::process::id(), 0])
                >= memory(&[std::process::id()]).saturating_sub(Bytes::from_mb(8))
        );
    }

    #[test]
    fn handled_signals_are_read_from_the_mask() {
        let status = "Name:\tnode\nSigIgn:\t0000000000001000\nSigCgt:\t0000000108004602\n";
        let found = |mask| -> Vec<i32> {
            [1, 2, 10, 13, 15, 64].into_iter().filter(|it| is_in_mask(status, mask, *it)).collect()
        };
        assert_eq!((found("SigCgt:"), found("SigIgn:")), (vec![2, 10, 15], vec![13]));
        assert!(!is_in_mask("", "SigCgt:", 15));
    }
}
