//! What the supervisor's loop measures of a guarded program, and where it is recorded.

use std::collections::BTreeMap;
use std::time::Instant;

use heapbeat_shared::{Bytes, Pressure};

use super::agent_link::{AgentLink, AgentNotice, AgentNoticeKind};
use super::external::{MonitoredProcess, ProgramMonitor};
use super::machine::{MachineEvent, ReplacementTime, WorkerNumber};
use super::process::WorkerProcess;
use super::profile_requests::ProfileRequests;
use super::program_status::recorder::{JudgedInstances, ProgramRecorder};
use crate::overload::ladder::ReplacementStatus;
use crate::sampling::RuntimeHeap;

/// The status of a guarded program.
pub(super) struct ProgramObserver {
    monitor: ProgramMonitor,
    pub(super) recorder: ProgramRecorder,
    profiles: ProfileRequests,
    /// The processes of each instance that were measured last.
    families: BTreeMap<WorkerNumber, Vec<u32>>,
    /// The instance of each of them.
    processes: BTreeMap<u32, WorkerNumber>,
    /// The heap of each instance when it was measured last, and the size at which its runtimes give up.
    heaps: BTreeMap<WorkerNumber, (Bytes, Bytes)>,
}

impl ProgramObserver {
    /// Creates the status.
    pub(super) fn new(monitor: ProgramMonitor, recorder: ProgramRecorder) -> Self {
        let profiles = ProfileRequests::default();
        let (families, processes, heaps) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        ProgramObserver { monitor, recorder, profiles, families, processes, heaps }
    }

    /// Measures all running processes.
    pub(super) fn measure(
        &mut self,
        live: &[WorkerProcess],
        families: &BTreeMap<WorkerNumber, Vec<u32>>,
        ready: impl Fn(WorkerNumber) -> Option<bool>,
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        let processes = families.iter().flat_map(|(number, family)| family.iter().map(|pid| (*pid, *number)));
        self.processes = processes.collect();
        let subjects = subjects(live, families, ready, now);
        let events = self.monitor.measure(&subjects, agents.as_deref_mut(), now);
        self.families = families.clone();
        let monitor = &self.monitor;
        let family = families.get(&monitor.number).map_or(&[][..], Vec::as_slice);
        self.profiles.step(self.recorder.profiles(), agents, family, now);
        for measured in &monitor.measured {
            if let Some(RuntimeHeap { used: Some(used), limit: Some(limit), .. }) = measured.memory.heap {
                self.heaps.insert(measured.number, (used, limit));
            }
        }
        self.recorder.record_growth(monitor.number, &monitor.events, monitor.functions());
        let (numbers, sum) = monitor.judged();
        let judged = JudgedInstances { numbers, sum, pressure: monitor.pressure, shed: monitor.shed };
        self.recorder.record_readings(&monitor.measured, &judged);
        events
    }

    /// Reads the memory of those processes that were measured last.
    pub(super) fn measure_quickly(
        &mut self,
        live: &[WorkerProcess],
        ready: impl Fn(WorkerNumber) -> Option<bool>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        let subjects = subjects(live, &self.families, ready, now);
        self.monitor.measure_quickly(&subjects, agents, now)
    }

    /// Whether memory was short when it was judged last: from the purge threshold on.
    pub(super) fn is_memory_short(&self) -> bool {
        self.monitor.pressure >= Pressure::Purge
    }

    /// Returns when the memory is to be read; `None` if the next full measurement is soon enough.
    pub(super) fn next_quick_reading(&self) -> Option<Instant> {
        self.monitor.next_quick_reading()
    }

    /// Returns the heap of an instance that has exited when it was measured last, and the size at which its runtimes give up.
    pub(super) fn take_heap(&mut self, number: WorkerNumber) -> Option<(Bytes, Bytes)> {
        self.heaps.remove(&number)
    }

    /// Returns the share of the limit that an instance that has exited had when its memory was read last, in percent: up to twenty times a
    /// second, where samples are recorded each second.
    pub(super) fn take_share(&mut self, number: WorkerNumber) -> Option<u8> {
        self.monitor.take_share(number)
    }

    /// Returns the function whose live memory grew most in an instance when it was measured last.
    pub(super) fn growth(&self, number: WorkerNumber) -> Option<String> {
        self.monitor.growth(number)
    }

    /// Records that the instance that serves is to be replaced.
    pub(super) fn record_recycle(&self, reason: &str) {
        self.recorder.record_recycle(self.monitor.number, reason);
    }

    /// Notes whether a replacement could take over.
    pub(super) fn set_replacement_status(&mut self, status: ReplacementStatus) {
        self.monitor.replacement_status = status;
    }

    /// Notes how long before the limit a replacement has to begin.
    pub(super) fn set_replacement_time(&mut self, time: ReplacementTime) {
        self.monitor.replacement_time = time;
    }

    /// Records what an agent reported.
    pub(super) fn record_notice(&mut self, notice: &AgentNotice, now: Instant) {
        if let AgentNoticeKind::Purged(report) = &notice.kind
            && report.refused.is_none()
            && let Some(number) = self.processes.get(&notice.pid)
        {
            self.recorder.record_purge(*number, report.took);
        }
        if let AgentNoticeKind::Profile(profile) = &notice.kind {
            self.profiles.finish(notice.pid, profile);
        }
        self.monitor.record_notice(notice, now);
    }
}

/// Returns the instances that run.
fn subjects<'a>(
    live: &[WorkerProcess],
    families: &'a BTreeMap<WorkerNumber, Vec<u32>>,
    ready: impl Fn(WorkerNumber) -> Option<bool>,
    now: Instant,
) -> Vec<MonitoredProcess<'a>> {
    let running = live.iter().filter(|it| !it.stop.has_exited());
    running
        .map(|it| MonitoredProcess {
            number: it.number,
            pid: it.pid,
            age: now.duration_since(it.since),
            ready: ready(it.number),
            serves: it.was_ready && !it.handed_over,
            family: families.get(&it.number).map_or(&[], Vec::as_slice),
        })
        .collect()
}
