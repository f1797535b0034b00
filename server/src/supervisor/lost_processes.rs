//! Processes of a guarded program that vanish while the program itself lives, and the OOM kills that explain it.
//!
//! When the kernel kills one worker of gunicorn, the program goes on with one worker less or a new one, and no exit tells of it. The
//! kernel's counter says that it has killed something; what has vanished at the same time, and was by far the largest, is what it has
//! killed.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::time::{Duration, Instant};

use super::machine::WorkerNumber;
use super::process_tree::ProcessTable;

/// Time within which a process vanishes that the kernel has killed: it is counted before its memory has been freed.
pub(super) const TOGETHER: Duration = Duration::from_secs(5);

/// Time after which a program that lives goes on without the process that vanished: a starter such as npm ends a moment after its server.
const SETTLED: Duration = Duration::from_secs(2);

/// Memory in pages from which a process that vanished is taken for the one that was killed, if it had twice that of any other.
const LARGE: u64 = 1024;

/// Most processes of an instance whose end is noticed: those with the most memory.
const MAX_PROCESSES: usize = 64;

/// A process that vanished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostProcess {
    pub(super) instance: WorkerNumber,
    pub(super) pid: u32,
    pub(super) name: String,
    /// Its resident memory when it was last seen, in pages.
    pages: u64,
    lost_at: Instant,
}

/// The processes of the instances at the last look, and those that have vanished since.
#[derive(Debug, Default)]
pub(super) struct LostProcesses {
    /// By process id and start time: the instance, the name and the memory.
    known: BTreeMap<(u32, u64), (WorkerNumber, String, u64)>,
    lost: VecDeque<LostProcess>,
}

impl LostProcesses {
    /// Takes note of the processes of all instances. `read_name` returns the name of a process.
    pub(super) fn observe(
        &mut self,
        table: &ProcessTable,
        families: &BTreeMap<WorkerNumber, Vec<u32>>,
        now: Instant,
        read_name: impl Fn(u32) -> Option<String>,
    ) {
        self.lost.retain(|lost| now.saturating_duration_since(lost.lost_at) <= TOGETHER);
        let mut known = BTreeMap::new();
        for (number, family) in families {
            let mut members: Vec<_> =
                family.iter().filter_map(|pid| table.get(*pid).map(|entry| (*pid, entry))).collect();
            members.sort_unstable_by_key(|(_, entry)| std::cmp::Reverse(entry.pages));
            for (pid, entry) in members.into_iter().take(MAX_PROCESSES) {
                let before = self.known.remove(&(pid, entry.started)).map(|(_, name, _)| name);
                // The name changes when a process starts another program.
                let name = read_name(pid).or(before).unwrap_or_default();
                known.insert((pid, entry.started), (*number, name, entry.pages));
            }
        }
        for ((pid, started), (instance, name, pages)) in std::mem::replace(&mut self.known, known) {
            if table.get(pid).is_none_or(|entry| entry.started != started) {
                self.lost.push_back(LostProcess { instance, pid, name, pages, lost_at: now });
            }
        }
    }

    /// Forgets the processes of an instance that has ended or is being stopped, whose end needs no explanation.
    pub(super) fn forget(&mut self, instance: WorkerNumber) {
        self.known.retain(|_, (number, ..)| *number != instance);
        self.lost.retain(|lost| lost.instance != instance);
    }

    /// Returns the process that has vanished of late and was by far the largest, once.
    pub(super) fn take_largest(&mut self) -> Option<LostProcess> {
        let (index, largest) = self.lost.iter().enumerate().max_by_key(|(_, lost)| lost.pages)?;
        let others = self.lost.iter().enumerate().filter(|(other, _)| *other != index);
        let second = others.map(|(_, lost)| lost.pages).max().unwrap_or(0);
        if largest.pages < LARGE.max(2 * second) {
            return None;
        }
        self.lost.remove(index)
    }
}

impl LostProcesses {
    /// Whether a process of this instance has vanished of late.
    pub(super) fn has_lost(&self, instance: WorkerNumber) -> bool {
        self.lost.iter().any(|lost| lost.instance == instance)
    }

    /// Returns a process that vanished without the rest of its instance, by its id, once.
    pub(super) fn take_process(&mut self, pid: u32, now: Instant) -> Option<LostProcess> {
        let settled = |lost: &LostProcess| now.saturating_duration_since(lost.lost_at) >= SETTLED;
        let index = self.lost.iter().position(|lost| lost.pid == pid && settled(lost))?;
        self.lost.remove(index)
    }
}

/// Reads the name of a process.
pub(super) fn read_name(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().chars().filter(|char| !char.is_control()).collect())
}

#[cfg(test)]
mod tests {
    use super::super::process_tree::ProcessEntry;
    use super::*;

    /// Looks at processes as (id, pages) of instance 1, at this second. Their start times are their ids.
    fn observe(lost: &mut LostProcesses, start: Instant, second: u64, processes: &[(u32, u64)]) {
        let entry = |(pid, pages): &(u32, u64)| {
            (*pid, ProcessEntry { pages: *pages, started: u64::from(*pid), ..ProcessEntry::default() })
        };
        let table = ProcessTable::of(processes.iter().map(entry));
        let families = BTreeMap::from([(1, processes.iter().map(|(pid, _)| *pid).collect())]);
        let name = |pid| Some(format!("worker-{pid}"));
        lost.observe(&table, &families, start + Duration::from_secs(second), name);
    }

    #[test]
    fn a_process_that_vanished_of_late_and_was_by_far_the_largest_is_found_once() {
        let (mut lost, start) = (LostProcesses::default(), Instant::now());
        observe(&mut lost, start, 0, &[(10, 5), (11, 2000), (12, 9000), (13, 2)]);
        assert_eq!(lost.take_largest(), None);
        observe(&mut lost, start, 1, &[(10, 5), (12, 9000)]);
        observe(&mut lost, start, 2, &[(10, 5)]);
        let found = lost.take_largest().unwrap();
        assert_eq!((found.instance, found.pid, &*found.name), (1, 12, "worker-12"));
        assert_eq!(lost.take_largest().unwrap().pid, 11);
        observe(&mut lost, start, 7, &[(10, 5)]);
        assert_eq!(lost.take_largest(), None, "the other one vanished too long ago");
        observe(&mut lost, start, 8, &[(10, 5), (14, 9000), (15, 8000), (16, 9)]);
        observe(&mut lost, start, 9, &[(10, 5)]);
        assert_eq!(lost.take_largest(), None, "it may have been either");
        observe(&mut lost, start, 20, &[(10, 5), (17, 3)]);
        observe(&mut lost, start, 21, &[(10, 5)]);
        assert_eq!(lost.take_largest(), None, "too small to be killed for memory");
    }

    #[test]
    fn a_process_that_vanished_is_taken_when_the_program_goes_on_without_it() {
        let (mut lost, start) = (LostProcesses::default(), Instant::now());
        observe(&mut lost, start, 0, &[(10, 5), (11, 2000)]);
        observe(&mut lost, start, 1, &[(10, 5)]);
        let at = |second| start + Duration::from_secs(second);
        assert!(lost.has_lost(1) && !lost.has_lost(2));
        assert_eq!(lost.take_process(11, at(2)), None, "its parent may be about to end");
        assert_eq!(lost.take_process(10, at(3)), None);
        assert_eq!(lost.take_process(11, at(3)).unwrap().name, "worker-11");
        assert_eq!(lost.take_process(11, at(3)), None);
    }

    #[test]
    fn the_end_of_an_instance_that_is_stopped_needs_no_explanation() {
        let (mut lost, start) = (LostProcesses::default(), Instant::now());
        observe(&mut lost, start, 0, &[(10, 5), (11, 100)]);
        lost.forget(1);
        observe(&mut lost, start, 1, &[(10, 5)]);
        assert_eq!(lost.take_largest(), None);
    }
}
