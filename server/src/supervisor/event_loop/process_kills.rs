//! OOM kills of single processes of a program that goes on without them.

use std::collections::BTreeMap;
use std::time::Instant;

use heapbeat_shared::exit::{Evidence, OomCount};
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
        let exit = Exit {
            kind: ExitKind::OomKill,
            sure,
            at: self.clock.now().wall,
            evidence: killed.iter().chain([count]).map(Evidence::statement).collect(),
            ..Exit::default()
        };
        if let Some(external) = &self.external {
            external.recorder.record_process_kill(&exit);
        }
    }
}
