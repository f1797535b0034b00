//! Memory of a process and all its descendants, measured from outside.
//!
//! It is the sum of proportional set sizes, in which pages shared by the processes of the tree count once; a sum of resident sets
//! would count them once per process. If the kernel does not provide it, resident sets are used.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use heapbeat_shared::Bytes;

/// Maximum number of processes of a tree that are measured.
const MOST: usize = 4096;

/// Returns the memory of `root` and all its descendants.
pub(super) fn memory(root: u32) -> Bytes {
    let family = descendants(root, &parents(Path::new("/proc")));
    Bytes(family.into_iter().map(|pid| of_one(&Path::new("/proc").join(pid.to_string()))).sum())
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

/// Returns the parent of each process.
fn parents(proc: &Path) -> BTreeMap<u32, u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let parent = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((pid, stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?))
    };
    entries.filter_map(parent).collect()
}

/// Returns `root` and all its descendants.
fn descendants(root: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut family = vec![root];
    let mut next = 0;
    while next < family.len() && family.len() < MOST {
        let parent = family[next];
        let children = parents.iter().filter(|(child, of)| **of == parent && !family.contains(child));
        let children: Vec<u32> = children.map(|(child, _)| *child).collect();
        family.extend(children);
        next += 1;
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_descendants_are_found() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 2), (5, 3), (6, 1), (7, 7)]);
        assert_eq!(descendants(2, &parents), [2, 3, 4, 5]);
        assert_eq!(descendants(7, &parents), [7], "a circle ends");
        assert_eq!(descendants(9, &parents), [9]);
    }

    #[test]
    fn figures_are_found_in_kilobytes() {
        assert_eq!(kilobytes("Rss:  9 kB\nPss:      123 kB\nPss_Dirty: 7 kB\n", "Pss:"), Some(123));
        assert_eq!(kilobytes("Pss: x kB\n", "Pss:"), None);
        assert!(memory(std::process::id()) > Bytes::from_mb(1));
    }
}
