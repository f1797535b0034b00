//! Readings of the memory of all instances: in full each second, and quick ones in between.

use std::path::Path;
use std::time::Instant;

use heapbeat_shared::Bytes;

use super::{MonitoredProcess, ProgramMonitor, Serving};
use crate::overload::ladder::ShedShare;
use crate::sampling::{Cgroup, CgroupMemory, ManagedHeap, Process, ProgramMemory, RuntimeHeap, managed_heap};
use crate::supervisor::agent_link::{AgentLink, HeapTotals};
use crate::supervisor::listening::listening_ports;
use crate::supervisor::machine::MachineEvent;
use crate::supervisor::process_tree;
use crate::supervisor::program_status::recorder::Measured;

/// One reading of all instances: what the machine is told, and what the ladder judges.
struct Round<'a> {
    events: Vec<MachineEvent>,
    serving: Serving<'a>,
    /// The charge of the control group. With a second instance it cannot be split.
    charged: Option<CgroupMemory>,
}

impl ProgramMonitor {
    /// Measures all instances, and applies the ladder to those that serve.
    pub(in crate::supervisor) fn measure(
        &mut self,
        subjects: &[MonitoredProcess<'_>],
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        self.measured.clear();
        self.known = subjects.iter().flat_map(|subject| subject.family.iter().copied()).collect();
        self.exiting.retain(|pid| self.known.contains(pid));
        self.events.clear();
        self.quick.clear();
        let cgroup = self.cgroup.as_mut().and_then(Cgroup::read);
        let mut round = self.begin_round(cgroup.filter(|_| subjects.len() == 1));
        for subject in subjects {
            let resident = process_tree::resident(subject.family);
            let tree = process_tree::memory(subject.family);
            // It is ending. What it held before is its last sample.
            if tree == Bytes::ZERO {
                continue;
            }
            let judged = self.count(subject, tree, &mut round);
            let processes = u32::try_from(subject.family.len()).unwrap_or(u32::MAX);
            let heaps = agents.as_ref().map(|agents| agents.heaps(subject.family, now)).unwrap_or_default();
            let heap = HeapTotals::of(&heaps).map(RuntimeHeap::from);
            // Where the heap is known, the resident set is not judged alone.
            let managed = heap.is_none().then(|| self.managed_heaps(subject.family)).flatten();
            let memory = ProgramMemory { tree, judged, processes, heap, managed };
            self.measured.push(Measured { number: subject.number, memory, cgroup });
            self.quick.begin(subject.number, subject.family.len(), judged, resident);
            if self.is_ready(subject) {
                round.events.push(MachineEvent::Ready(subject.number));
            }
        }
        self.note_sum(&round);
        self.shed = ShedShare::NONE;
        if round.serving.instances.is_empty() {
            return round.events;
        }
        self.follow_change(&round.serving, now);
        self.observe_heaps(&round.serving, agents.as_deref_mut(), now);
        let events = self.judge(round, agents, now);
        self.events.extend(self.heap_monitor.name_function(now));
        events
    }

    /// Reads the resident sets of all instances, and applies the ladder to what those add up to that serve.
    pub(in crate::supervisor) fn measure_quickly(
        &mut self,
        subjects: &[MonitoredProcess<'_>],
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        let charged = if subjects.len() == 1 { self.cgroup.as_mut().and_then(Cgroup::read) } else { None };
        let mut round = self.begin_round(charged);
        for subject in subjects {
            let resident = process_tree::resident(subject.family);
            let estimate = self.quick.estimate(subject.number, resident);
            let is_judged = !subject.serves || self.judged.contains(&subject.number);
            let is_judged = is_judged && resident > Bytes::ZERO;
            if let Some(memory) = estimate.filter(|_| is_judged) {
                self.count(subject, memory, &mut round);
            }
        }
        if round.serving.instances.len() != self.judged.len() {
            // One of them has just ended.
            self.quick.clear();
            return round.events;
        }
        self.note_sum(&round);
        if self.heap_monitor.has_answers() {
            self.observe_heaps(&round.serving, agents.as_deref_mut(), now);
        }
        self.judge(round, agents, now)
    }

    /// Notes what all instances add up to.
    fn note_sum(&mut self, round: &Round<'_>) {
        let memory = round.events.iter().filter_map(|event| match event {
            MachineEvent::Heartbeat(_, _, memory) => Some(*memory),
            _ => None,
        });
        self.quick.note_sum(memory, self.guarded.limit);
    }

    /// Returns the sum of the heaps of managed runtimes; `None` if no process has one. Where some tell how much is resident, all of the
    /// resident set of the others may be heap, as far as their maximum.
    fn managed_heaps(&self, family: &[u32]) -> Option<ManagedHeap> {
        let limit = Some(self.guarded.limit);
        let heap_of = |pid: &u32| Some((*pid, managed_heap(Path::new(&format!("/proc/{pid}")), limit)?));
        let heaps: Vec<(u32, ManagedHeap)> = family.iter().filter_map(heap_of).collect();
        let is_known = heaps.iter().any(|(_, heap)| heap.resident.is_some());
        let bounded = heaps.into_iter().map(|(pid, heap)| {
            let at_most = || process_tree::resident(&[pid]).min(heap.max);
            let resident = heap.resident.or_else(|| is_known.then(at_most));
            ManagedHeap { resident, ..heap }
        });
        bounded.reduce(ManagedHeap::plus)
    }

    fn begin_round<'a>(&mut self, charged: Option<CgroupMemory>) -> Round<'a> {
        self.runtime_polls += 1;
        let serving = Serving { instances: Vec::new(), memory: Bytes::ZERO };
        Round { events: Vec::new(), serving, charged }
    }

    /// Counts the memory of an instance, for the ladder as well if it serves. Returns the memory as it is judged: at least what the control
    /// group is charged.
    fn count<'a>(&mut self, subject: &MonitoredProcess<'a>, memory: Bytes, round: &mut Round<'a>) -> Bytes {
        let charged = round.charged.map(|group| judged_charge(&group, self.guarded.limit, self.own_memory()));
        let memory = memory.max(charged.unwrap_or_default());
        self.latest.insert(subject.number, memory);
        round.events.push(MachineEvent::Heartbeat(subject.number, self.runtime_polls, memory));
        if subject.serves {
            round.serving.instances.push(*subject);
            round.serving.memory = Bytes(round.serving.memory.0.saturating_add(memory.0));
            let span = self.spans.entry(subject.number).or_insert((memory, memory));
            *span = (span.0.min(memory), memory);
        }
        memory
    }

    /// Applies the ladder, and returns what the machine is told.
    fn judge(
        &mut self,
        round: Round<'_>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        let Round { mut events, serving, .. } = round;
        events.extend(self.apply_ladder(&serving, agents, now));
        events.push(MachineEvent::Leaking(self.number, self.is_leaking));
        events.push(MachineEvent::MemoryShort(self.number, self.shed.thousandths()));
        events
    }

    /// Returns the anonymous memory of this process.
    fn own_memory(&mut self) -> Bytes {
        self.own.as_mut().and_then(Process::read).map_or(Bytes::ZERO, |memory| memory.anon)
    }

    fn is_ready(&mut self, subject: &MonitoredProcess<'_>) -> bool {
        if let Some(ready) = subject.ready {
            return ready;
        }
        let Some(readiness) = &mut self.listen_readiness else {
            return subject.age >= self.guarded.ready_after;
        };
        readiness.is_ready(subject.number, subject.age, || !listening_ports(subject.family).is_empty())
    }
}

/// Returns the charge of a control group, which includes files in memory (`/dev/shm`) and the kernel's memory, as it counts against
/// `limit`: if the group's own limit is larger, so that as much is left of one as of the other. What the guard itself has does not count,
/// and neither do buffers of sockets: clients fill them, and a fresh instance would not have less of them.
fn judged_charge(group: &CgroupMemory, limit: Bytes, own: Bytes) -> Bytes {
    let spare = group.limit.map(|enforced| enforced.saturating_sub(limit));
    let programs = group.working_set().saturating_sub(own).saturating_sub(group.sockets);
    spare.map_or(Bytes::ZERO, |spare| programs.saturating_sub(spare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charge_of_the_control_group_counts_as_far_as_it_leaves_less_than_the_limit() {
        let mb = Bytes::from_mb;
        // Limit of the group, its usage, limit of the program, memory of the guard and of sockets, expected (MB).
        let cases = [
            (Some(256), 200, 256, (0, 0), 200),
            (Some(512), 200, 256, (0, 0), 0),
            (Some(512), 400, 256, (0, 0), 144),
            (None, 200, 256, (0, 0), 0),
            (Some(256), 240, 256, (10, 0), 230),
            (Some(256), 240, 256, (60, 80), 100),
            (Some(256), 100, 256, (60, 80), 0),
        ];
        for (enforced, usage, limit, (own, sockets), expected) in cases {
            let group = CgroupMemory {
                limit: enforced.map(mb),
                usage: mb(usage),
                sockets: mb(sockets),
                ..CgroupMemory::default()
            };
            let charge = judged_charge(&group, mb(limit), mb(own));
            assert_eq!(charge, mb(expected), "{enforced:?} {usage} {limit} {own} {sockets}");
        }
    }
}
