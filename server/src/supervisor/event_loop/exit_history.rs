//! Which worker learns of which exit, and when.
//!
//! A worker that replaces another starts while that one still serves or drains. It learns of the exits of its predecessors one by one,
//! each under the instance that it belongs to, so that the exit before the last is not taken for the last.

use std::collections::VecDeque;

use heapbeat_shared::Exit;
use heapbeat_shared::report::MAX_EARLIER_EXITS;

use crate::supervisor::ipc::SupervisorMessage;
use crate::supervisor::machine::WorkerNumber;
use crate::supervisor::process::WorkerProcess;

/// The exits of the workers that ended last, oldest first; number 0 is an instance of an earlier supervisor.
#[derive(Debug, Default)]
pub(super) struct ExitHistory(VecDeque<(WorkerNumber, Exit)>);

impl ExitHistory {
    /// Begins with the exit that an earlier supervisor left.
    pub(super) fn after(last: Option<&Exit>) -> Self {
        ExitHistory(last.map(|exit| (0, exit.clone())).into_iter().collect())
    }

    /// Sends a worker that starts beside the `running` ones what is known of the instances before it.
    pub(super) fn introduce(&self, started: &mut WorkerProcess, running: &[WorkerProcess]) {
        let last_ended = self.0.back().map(|(number, _)| *number);
        // One that drains was followed by another already, unless that one is yet to come.
        let before = running.iter().filter(|live| !live.handed_over || Some(live.number) > last_ended);
        let running_before = before.map(|live| live.number).max();
        started.predecessor = running_before.or(last_ended);
        started.send(&SupervisorMessage::EarlierRunning(count(running.len())));
        for (number, exit) in &self.0 {
            started.send(&message(started.predecessor == Some(*number), exit));
        }
    }

    /// Records the exit of a worker and sends it to those that started after it. A replacement that was never ready was nobody's
    /// predecessor.
    pub(super) fn record_exit(&mut self, gone: &WorkerProcess, exit: &Exit, running: &mut [WorkerProcess]) {
        let failed_replacement =
            !gone.was_ready && running.iter().any(|live| live.number < gone.number && !live.handed_over);
        if !failed_replacement {
            for live in running.iter_mut().filter(|live| live.number > gone.number) {
                live.send(&message(live.predecessor == Some(gone.number), exit));
            }
            self.0.push_back((gone.number, exit.clone()));
            if self.0.len() > MAX_EARLIER_EXITS {
                self.0.pop_front();
            }
        }
        let numbers: Vec<WorkerNumber> = running.iter().map(|live| live.number).collect();
        for live in running.iter_mut().filter(|live| live.number > gone.number) {
            let earlier = numbers.iter().filter(|number| **number < live.number).count();
            live.send(&SupervisorMessage::EarlierRunning(count(earlier)));
        }
    }
}

fn count(workers: usize) -> u32 {
    u32::try_from(workers).unwrap_or(u32::MAX)
}

fn message(is_previous: bool, exit: &Exit) -> SupervisorMessage {
    if is_previous {
        return SupervisorMessage::PreviousExit(Box::new(exit.clone()));
    }
    let backtrace = None;
    SupervisorMessage::EarlierExit(Box::new(Exit { backtrace, ..exit.clone() }))
}
