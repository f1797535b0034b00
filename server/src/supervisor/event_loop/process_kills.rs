//! Ends of single processes for lack of memory, without which the program goes on: by the kernel, or by the runtime.

use std::collections::BTreeMap;
use std::time::Instant;

use heapbeat_shared::exit::{Evidence, OomCount};
use heapbeat_shared::statement::Statement;
use heapbeat_shared::{Exit, ExitKind};

use super::Supervisor;
use crate::supervisor::lost_processes::{LostProcess, TOGETHER, read_name};
use crate::supervisor::machine::WorkerNumber;
use crate::supervisor::process_tree::ProcessTable;

impl Supervisor {
    /// Watches which processes vanish, and tells of those that the kernel has killed.
    pub(super) fn watch_process_kills(
        &mut self,
        table: &ProcessTable,
        families: &BTreeMap<WorkerNumber, Vec<u32>>,
        now: Instant,
    ) {
        self.lost.observe(table, families, now, read_name);
        for live in self.live.iter().filter(|live| live.stop.in_progress()) {
            self.lost.forget(live.number);
        }
        self.report_aborted_processes(now);
        while let Some(age) = self.oom.age_of_settled_kill(now).filter(|_| !self.live.is_empty()) {
            let lost = self.lost.take_largest();
            // The kernel counts a kill before the process is gone.
            if lost.is_none() && age < TOGETHER {
                return;
            }
            if lost.as_ref().is_some_and(|lost| !self.live.iter().any(|live| live.number == lost.instance)) {
                continue;
            }
            match self.oom.attribute_kill(now) {
                OomCount::Group(count) => {
                    self.report_process_kill(lost, true, &Evidence::GroupOomCount(count));
                }
                // Something else on the machine may have been killed.
                OomCount::Machine(count) if lost.is_some() => {
                    self.report_process_kill(lost, false, &Evidence::MachineOomCount(count));
                }
                OomCount::Machine(_) => {}
                OomCount::Unreadable => return,
            }
        }
    }

    /// Logs and lists processes whose V8 gave up, as those of a Node cluster.
    fn report_aborted_processes(&mut self, now: Instant) {
        let candidates = self.live.iter().filter(|live| self.lost.has_lost(live.number));
        let aborted: Vec<u32> =
            candidates.filter_map(|live| live.stderr.as_ref()?.aborted_process()).collect();
        for pid in aborted {
            let Some(lost) = self.lost.take_process(pid, now) else { continue };
            tracing::error!(
                heapbeat.process.pid = pid,
                heapbeat.process.name = lost.name,
                "the heap of process {pid} ({}) of instance {} was full, and V8 has ended it; the program itself still runs",
                lost.name,
                lost.instance
            );
            let evidence = Evidence::ProcessOutOfMemory(lost.name, pid);
            self.list_process_exit(ExitKind::OutOfMemory, true, vec![evidence.statement()]);
        }
    }

    fn list_process_exit(&self, kind: ExitKind, sure: bool, evidence: Vec<Statement>) {
        let exit = Exit { kind, sure, at: self.clock.now().wall, evidence, ..Exit::default() };
        if let Some(external) = &self.external {
            external.recorder.record_process_exit(&exit);
        }
    }

    /// Logs and lists the OOM kill of a process; `None` if it was too short-lived to be known.
    fn report_process_kill(&mut self, lost: Option<LostProcess>, sure: bool, count: &Evidence) {
        let (which, pid) = match &lost {
            Some(it) => {
                (format!("process {} ({}) of instance {}", it.pid, it.name, it.instance), Some(it.pid))
            }
            None => ("a process of the program".to_owned(), None),
        };
        let probably = if sure { "" } else { "probably " };
        tracing::error!(
            heapbeat.process.pid = pid,
            heapbeat.process.name = lost.as_ref().map(|it| &*it.name),
            heapbeat.oom.sure = sure,
            "the kernel has {probably}killed {which}: out of memory; the program itself still runs"
        );
        let killed = lost.map(|it| Evidence::ProcessOomKilled(it.name, it.pid));
        let evidence = killed.iter().chain([count]).map(Evidence::statement).collect();
        self.list_process_exit(ExitKind::OomKill, sure, evidence);
    }
}
