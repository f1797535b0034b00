//! The processes that belong to each instance of a guarded program, also those whose parent has exited.
//!
//! The supervisor is a child subreaper, so that such orphans become its own children. An orphan belongs to the instance that is named in
//! its environment ([`MARKER`]), to the one that it was seen to descend from, or to the one whose process group it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::machine::WorkerNumber;
use super::process_tree::ProcessTable;

/// Variable that names the supervisor's process id and the instance's number in the environment of a program.
pub(super) const MARKER: &str = "_HEAPBEAT_INSTANCE";

/// The number in the marker of the supervisor's own helpers, which belong to no instance. The marker alone proves nothing, as a program
/// can set it for its own processes; see [`note_helper`].
pub(super) const HELPER: WorkerNumber = 0;

/// The processes that the supervisor started for itself.
static HELPERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Notes that the supervisor has started a process for itself.
pub(super) fn note_helper(pid: u32) {
    let mut helpers = HELPERS.lock().unwrap_or_else(PoisonError::into_inner);
    // Those that have ended make room.
    helpers.retain(|helper| Path::new("/proc").join(helper.to_string()).exists());
    helpers.insert(pid);
}

/// Whether the supervisor has started a process for itself.
pub(super) fn is_helper(pid: u32) -> bool {
    HELPERS.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
}

/// Returns the value of [`MARKER`].
pub(super) fn marker(guard: u32, number: WorkerNumber) -> String {
    format!("{guard}.{number}")
}

/// Reads the instance of `guard` that is named in the environment of a process.
pub(super) fn read_marker(pid: u32, guard: u32) -> Option<WorkerNumber> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    parse_marker(&environment, guard)
}

fn parse_marker(environment: &[u8], guard: u32) -> Option<WorkerNumber> {
    let variables = environment.split(|byte| *byte == 0);
    let value = variables
        .filter_map(|variable| std::str::from_utf8(variable).ok())
        .find_map(|variable| variable.strip_prefix(MARKER)?.strip_prefix('='))?;
    let (of, number) = value.split_once('.')?;
    if of.parse() == Ok(guard) { number.parse().ok() } else { None }
}

/// Assigns processes to instances, and remembers it, as a process may change its environment and its group.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// Process ids with start times.
    known: BTreeMap<(u32, u64), WorkerNumber>,
}

impl Families {
    /// Returns the processes of each instance. An instance is given by its number and its first process, which may have exited.
    /// Numbers that are not among `instances` have exited but left processes behind.
    pub(super) fn assign(
        &mut self,
        table: &ProcessTable,
        guard: u32,
        instances: &[(WorkerNumber, u32)],
        read_marker: impl Fn(u32) -> Option<WorkerNumber>,
        is_helper: impl Fn(u32) -> bool,
    ) -> BTreeMap<WorkerNumber, Vec<u32>> {
        let mut roots: BTreeMap<WorkerNumber, Vec<u32>> =
            instances.iter().map(|(number, pid)| (*number, vec![*pid])).collect();
        let mut unknown = Vec::new();
        for orphan in table.children(guard) {
            let Some(entry) = table.get(orphan) else { continue };
            if instances.iter().any(|(_, pid)| *pid == orphan) {
                continue;
            }
            let of_group =
                || instances.iter().find(|(_, pid)| *pid == entry.group).map(|(number, _)| *number);
            let number = self.known.get(&(orphan, entry.started)).copied();
            match number.or_else(|| read_marker(orphan)).or_else(of_group) {
                Some(HELPER) if is_helper(orphan) => {}
                // It pretends to be a helper, or a helper has left it behind: it ends with the oldest instance, or now if there is none.
                Some(HELPER) => {
                    let oldest = instances.first().map_or(HELPER, |(oldest, _)| *oldest);
                    roots.entry(oldest).or_default().push(orphan);
                }
                Some(number) => roots.entry(number).or_default().push(orphan),
                None => unknown.push(orphan),
            }
        }
        let families: BTreeMap<WorkerNumber, Vec<u32>> =
            roots.into_iter().map(|(number, roots)| (number, table.descendants(roots))).collect();
        let identity = |pid: &u32| table.get(*pid).map(|entry| (*pid, entry.started));
        self.known = families
            .iter()
            .flat_map(|(number, family)| family.iter().filter_map(identity).map(|id| (id, *number)))
            .collect();
        families
            .into_iter()
            .map(|(number, mut family)| {
                // Process 1 adopts every orphan of a container, also those of other programs.
                if guard != 1 && instances.first().is_some_and(|(oldest, _)| *oldest == number) {
                    family.extend(table.descendants(unknown.iter().copied()));
                }
                (number, family)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::process_tree::ProcessEntry;
    use super::*;

    /// Creates a table of processes with their parents and groups.
    fn table(processes: &[(u32, u32, u32)]) -> ProcessTable {
        let entry = |(pid, parent, group): &(u32, u32, u32)| {
            (*pid, ProcessEntry { parent: *parent, group: *group, started: u64::from(*pid) * 10, pages: 0 })
        };
        ProcessTable::of(processes.iter().map(entry))
    }

    #[test]
    fn orphans_belong_to_the_instance_that_started_them() {
        const GUARD: u32 = 50;
        let mut families = Families::default();
        let instances = [(1, 100), (2, 200)];
        // 101 is a child of the first instance, in a group of its own.
        let before = table(&[(50, 1, 50), (100, 50, 100), (101, 100, 101), (200, 50, 200)]);
        let is_helper = |pid| pid == 300;
        let assigned = families.assign(&before, GUARD, &instances, |_| None, is_helper);
        assert_eq!(assigned, BTreeMap::from([(1, vec![100, 101]), (2, vec![200])]));
        // It loses its parent. 102 is new and has a marker, 201 is in the group of the second instance, 300 is a helper, 400 unknown.
        let orphans =
            [(101, 50, 101), (102, 50, 102), (103, 102, 102), (201, 50, 200), (300, 50, 300), (400, 50, 400)];
        let processes = [&[(50, 1, 50), (100, 50, 100), (200, 50, 200)][..], &orphans].concat();
        let marker = |pid| match pid {
            102 => Some(1),
            300 => Some(HELPER),
            _ => None,
        };
        let assigned = families.assign(&table(&processes), GUARD, &instances, marker, is_helper);
        assert_eq!(assigned, BTreeMap::from([(1, vec![100, 101, 102, 103, 400]), (2, vec![200, 201])]));
        // The first instance has been removed, and its orphans are still found.
        let assigned = families.assign(&table(&processes), GUARD, &instances[1..], marker, is_helper);
        assert_eq!(assigned[&1], [100, 101, 102, 103]);
    }

    #[test]
    fn as_process_1_only_processes_that_are_known_belong_to_an_instance() {
        let processes = table(&[(1, 0, 1), (100, 1, 100), (101, 1, 101), (102, 1, 102)]);
        let marker = |pid| (pid == 102).then_some(1);
        let assigned = Families::default().assign(&processes, 1, &[(1, 100)], marker, |_| false);
        assert_eq!(assigned, BTreeMap::from([(1, vec![100, 102])]));
    }

    #[test]
    fn a_process_that_calls_itself_a_helper_belongs_to_the_program() {
        let processes =
            table(&[(50, 1, 50), (100, 50, 100), (300, 50, 300), (301, 50, 301), (302, 301, 301)]);
        let mut families = Families::default();
        let assigned = families.assign(&processes, 50, &[(7, 100)], |_| Some(HELPER), |pid| pid == 300);
        assert_eq!(assigned, BTreeMap::from([(7, vec![100, 301, 302])]));
        let alone =
            Families::default().assign(&processes, 50, &[], |_| Some(HELPER), |pid| pid == 300 || pid == 100);
        assert_eq!(alone, BTreeMap::from([(HELPER, vec![301, 302])]), "nobody's, so it is killed");
    }

    #[test]
    fn a_marker_is_that_of_one_guard() {
        let environment = b"PATH=/bin\0_HEAPBEAT_INSTANCE=50.3\0X=\xff\0";
        assert_eq!(parse_marker(environment, 50), Some(3));
        assert_eq!(parse_marker(environment, 5), None);
        assert_eq!(parse_marker(b"A_HEAPBEAT_INSTANCE=50.3\0_HEAPBEAT_INSTANCE=x", 50), None);
        assert_eq!(marker(50, 3), "50.3");
    }
}
