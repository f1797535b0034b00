//! Delivers a stop signal to a tree of processes, to each process at most once.
//!
//! A process that handles the signal is responsible for its children: npm passes the signal on, gunicorn stops its workers, a server
//! finishes its requests. A process that does not handle it (a shell that waits for a program, a script) would just be gone, so the
//! signal goes to its children, and to itself once they have exited. Processes that appear later get the signal then.
//!
//! A process whose parent handled the signal and exited first may have got it from there, and a second signal may mean "at once". It
//! gets the signal from here only in the second half of its time.

use std::collections::BTreeSet;

use rustix::process::{Pid, Signal, kill_process};

use super::process_tree::{ProcessTable, handles};

/// The delivery of a stop signal to one instance.
#[derive(Debug)]
pub(super) struct StopDelivery {
    signal: Signal,
    /// Processes that have got the signal, with their start times.
    delivered: BTreeSet<(u32, u64)>,
    /// Processes whose parent handles the signal, with their start times.
    shielded: BTreeSet<(u32, u64)>,
}

impl StopDelivery {
    /// Creates a delivery that has not begun.
    pub(super) fn new(signal: Signal) -> Self {
        StopDelivery { signal, delivered: BTreeSet::new(), shielded: BTreeSet::new() }
    }

    /// Notes that a process has got the signal from somebody else.
    pub(super) fn note_delivered(&mut self, pid: u32, started: u64) {
        self.delivered.insert((pid, started));
    }

    /// Sends the signal to all processes of `family` that are to get it now; `late` is the second half of their time.
    pub(super) fn deliver(&mut self, table: &ProcessTable, family: &[u32], late: bool) {
        let signal = self.signal;
        for pid in self.next_targets(table, family, late, |pid| handles(pid, signal)) {
            let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
            match kill_process(target, signal) {
                Ok(()) => tracing::debug!("sent {signal:?} to process {pid}"),
                Err(error) => tracing::debug!("cannot send {signal:?} to process {pid}: {error}"),
            }
        }
    }

    /// Returns the processes that are to get the signal now, and counts it as delivered.
    fn next_targets(
        &mut self,
        table: &ProcessTable,
        family: &[u32],
        late: bool,
        handles: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let members: BTreeSet<u32> = family.iter().copied().collect();
        let responsible: BTreeSet<u32> = family.iter().copied().filter(|pid| handles(*pid)).collect();
        for pid in family {
            if let Some(entry) = table.get(*pid).filter(|entry| responsible.contains(&entry.parent)) {
                self.shielded.insert((*pid, entry.started));
            }
        }
        let is_root = |pid: &u32| table.get(*pid).is_some_and(|entry| !members.contains(&entry.parent));
        let mut pending: Vec<u32> = family.iter().copied().filter(is_root).collect();
        let mut targets = Vec::new();
        while let Some(pid) = pending.pop() {
            let Some(entry) = table.get(pid) else { continue };
            let shielded = self.shielded.contains(&(pid, entry.started)) && !late;
            if self.delivered.contains(&(pid, entry.started)) || shielded {
                continue;
            }
            let children = table.children(pid);
            let newer = |child: &u32| self.is_newer(table, *child);
            // A script that starts its program again would never be asked if it had to be without any.
            let starts_again = self.all_gone(table) && children.iter().any(newer);
            if children.is_empty() || starts_again || responsible.contains(&pid) {
                self.delivered.insert((pid, entry.started));
                targets.push(pid);
            } else {
                pending.extend(children.iter().filter(|child| !newer(child)));
            }
        }
        targets
    }

    /// Whether every process that has got the signal is gone.
    fn all_gone(&self, table: &ProcessTable) -> bool {
        let is_alive =
            |(pid, started): &(u32, u64)| table.get(*pid).is_some_and(|entry| entry.started == *started);
        !self.delivered.iter().any(is_alive)
    }

    /// Whether the process has started after every process that has got the signal.
    fn is_newer(&self, table: &ProcessTable, pid: u32) -> bool {
        let last = self.delivered.iter().map(|(_, started)| *started).max();
        last.is_some_and(|last| table.get(pid).is_some_and(|entry| entry.started > last))
    }
}

#[cfg(test)]
mod tests {
    use super::super::process_tree::ProcessEntry;
    use super::*;

    /// A tree of processes as pairs of process and parent; their start times are their ids.
    fn table(processes: &[(u32, u32)]) -> ProcessTable {
        let entry = |(pid, parent): &(u32, u32)| {
            (*pid, ProcessEntry { parent: *parent, group: 10, started: u64::from(*pid), pages: 0 })
        };
        ProcessTable::of(processes.iter().map(entry))
    }

    /// Returns the targets of each round, with the processes that exist in it.
    fn rounds(handling: &[u32], rounds: &[&[(u32, u32)]]) -> Vec<Vec<u32>> {
        let mut delivery = StopDelivery::new(Signal::TERM);
        let mut play = |(index, processes): (usize, &&[(u32, u32)])| {
            // Only the fourth round is late.
            let late = index >= 3;
            let family: Vec<u32> = processes.iter().map(|(pid, _)| *pid).collect();
            let mut targets =
                delivery.next_targets(&table(processes), &family, late, |pid| handling.contains(&pid));
            targets.sort_unstable();
            targets
        };
        rounds.iter().enumerate().map(&mut play).collect()
    }

    #[test]
    fn the_signal_reaches_whoever_is_responsible_and_each_process_once() {
        let server: &[(u32, u32)] = &[(10, 1)];
        assert_eq!(rounds(&[10], &[server, server]), [vec![10], vec![]], "a server");
        assert_eq!(rounds(&[], &[server, server]), [vec![10], vec![]], "a program without a handler");
        let npm: &[(u32, u32)] = &[(10, 1), (11, 10)];
        assert_eq!(rounds(&[10, 11], &[npm, npm]), [vec![10], vec![]], "npm passes it on");
        assert_eq!(
            rounds(&[11], &[npm, &[(10, 1)]]),
            [vec![11], vec![10]],
            "a shell that waits for a server"
        );
        let nested: &[(u32, u32)] = &[(10, 1), (11, 10), (12, 11), (13, 11)];
        assert_eq!(rounds(&[12, 13], &[nested, &[(10, 1), (11, 10)]])[..2], [vec![12, 13], vec![11]]);
    }

    #[test]
    fn an_orphan_gets_the_signal_when_its_parent_did_not_pass_it_on() {
        // 11 is a shell that npm ends, and 12 the server that it leaves behind.
        let before: &[(u32, u32)] = &[(10, 1), (11, 10), (12, 11)];
        let after: &[(u32, u32)] = &[(12, 1)];
        assert_eq!(rounds(&[10, 12], &[before, after, after]), [vec![10], vec![12], vec![]]);
        // Here 11 handles the signal, so it may have passed it on.
        let served = rounds(&[10, 11, 12], &[before, after, after, after, after]);
        assert_eq!(served, [vec![10], vec![], vec![], vec![12], vec![]]);
    }

    #[test]
    fn a_script_that_starts_its_program_again_is_stopped_itself() {
        assert_eq!(rounds(&[], &[&[(10, 1), (11, 10)], &[(10, 1), (12, 10)]]), [vec![11], vec![10]]);
        let draining: &[(u32, u32)] = &[(10, 1), (11, 10), (12, 10)];
        let next: &[(u32, u32)] = &[(10, 1), (12, 10), (13, 10)];
        assert_eq!(rounds(&[], &[draining, next]), [vec![11, 12], vec![]], "while others still drain");
    }
}
