//! What the supervisor's loop measures of a guarded program, and where it is recorded.

use std::collections::BTreeMap;
use std::time::Instant;

use heapbeat_shared::Bytes;

use super::agent_link::{AgentLink, AgentNotice, AgentNoticeKind};
use super::external::{MonitoredProcess, ProgramMonitor};
use super::machine::{MachineEvent, WorkerNumber};
use super::process::WorkerProcess;
use super::profile_requests::ProfileRequests;
use super::program_status::recorder::ProgramRecorder;
use crate::overload::ladder::ReplacementStatus;
use crate::sampling::RuntimeHeap;

/// The status of a guarded program.
pub(super) struct ProgramObserver {
    monitor: ProgramMonitor,
    pub(super) recorder: ProgramRecorder,
    profiles: ProfileRequests,
    /// The instance of each process that was measured last.
    processes: BTreeMap<u32, WorkerNumber>,
    /// The heap of each instance when it was measured last, and the size at which its runtimes give up.
    heaps: BTreeMap<WorkerNumber, (Bytes, Bytes)>,
}

impl ProgramObserver {
    /// Creates the status.
    pub(super) fn new(monitor: ProgramMonitor, recorder: ProgramRecorder) -> Self {
        let profiles = ProfileRequests::default();
        ProgramObserver { monitor, recorder, profiles, processes: BTreeMap::new(), heaps: BTreeMap::new() }
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
        let running = live.iter().filter(|it| !it.stop.has_exited());
        let subjects = running.map(|it| MonitoredProcess {
            number: it.number,
            pid: it.pid,
            age: now.duration_since(it.since),
            ready: ready(it.number),
            family: families.get(&it.number).map_or(&[], Vec::as_slice),
        });
        let subjects: Vec<MonitoredProcess<'_>> = subjects.collect();
        let events = self.monitor.measure(&subjects, agents.as_deref_mut(), now);
        let monitor = &self.monitor;
        let family = families.get(&monitor.number).map_or(&[][..], Vec::as_slice);
        self.profiles.step(self.recorder.profiles(), agents, family, now);
        for measured in &monitor.measured {
            if let Some(RuntimeHeap { used: Some(used), limit: Some(limit), .. }) = measured.memory.heap {
                self.heaps.insert(measured.number, (used, limit));
            }
        }
        self.recorder.record_growth(monitor.number, &monitor.events, monitor.functions());
        self.recorder.record_readings(&monitor.measured, monitor.number, monitor.pressure, monitor.shed);
        events
    }

    /// Returns the heap of an instance that has exited when it was measured last, and the size at which its runtimes give up.
    pub(super) fn take_heap(&mut self, number: WorkerNumber) -> Option<(Bytes, Bytes)> {
        self.heaps.remove(&number)
    }

    /// Records that the instance that serves is to be replaced.
    pub(super) fn record_recycle(&self, reason: &str) {
        self.recorder.record_recycle(self.monitor.number, reason);
    }

    /// Notes whether a replacement of an instance could take over.
    pub(super) fn set_replacement_status(&mut self, number: WorkerNumber, status: ReplacementStatus) {
        self.monitor.replacement_status = (number, status);
    }

    /// Returns the share of new requests to refuse, in thousandths.
    pub(super) fn shed_share(&self) -> u16 {
        self.monitor.shed.thousandths()
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
