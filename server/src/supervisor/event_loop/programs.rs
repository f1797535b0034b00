//! Stopping a guarded program with all its processes, and waiting for the last of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use heapbeat_shared::exit::ProcessExit;
use rustix::process::{Pid, Signal, kill_process};

use super::Supervisor;
use crate::supervisor::family::{is_helper, read_marker};
use crate::supervisor::machine::{Command, MachineEvent, StopSignal, WorkerNumber};
use crate::supervisor::process::{WorkerProcess, is_foreground};
use crate::supervisor::process_tree::ProcessTable;
use crate::supervisor::stop_delivery::StopDelivery;

/// Time between two looks at the processes of a program that is being stopped.
pub(super) const STOP_INTERVAL: Duration = Duration::from_millis(100);

/// How long a process may exist after SIGKILL before it is left to itself: it waits for a device.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(2);

/// The stop of one instance of a program.
#[derive(Debug, Default)]
pub(in crate::supervisor) struct ProgramStop {
    /// The delivery of the stop signal, when it began, and how long the processes have.
    delivery: Option<(StopDelivery, Instant, Duration)>,
    /// Whether a stop was requested, by the signal or by a terminal.
    requested: bool,
    /// When the processes were killed.
    killed_at: Option<Instant>,
    /// The exit of the first process; others may still run.
    exit: Option<ProcessExit>,
    /// Whether processes were left behind, which is logged once.
    noted_leftovers: bool,
}

impl ProgramStop {
    /// Notes the exit of the instance's first process.
    pub(super) fn set_exit(&mut self, exit: ProcessExit) {
        self.exit = Some(exit);
    }

    /// Whether the first process has exited.
    pub(in crate::supervisor) fn has_exited(&self) -> bool {
        self.exit.is_some()
    }

    /// Whether there are processes to wait for.
    pub(super) fn in_progress(&self) -> bool {
        self.exit.is_some() || self.delivery.is_some() || self.killed_at.is_some()
    }
}

impl Supervisor {
    /// Applies a command to a program, which has only signals to be told by.
    pub(super) fn command_program(&mut self, number: WorkerNumber, command: Command) {
        let drain = self.program_drain;
        let stop_signal = self.program.stop_signal();
        let Some(live) = self.live.iter_mut().find(|live| live.number == number) else { return };
        let (signal, time) = match command {
            Command::Stop(StopSignal::Interrupt, 1) => (Signal::INT, drain),
            Command::Stop(StopSignal::Terminate, 1) => (stop_signal, drain),
            Command::HandOver(within) => (stop_signal, within),
            Command::Stop(_, _) => return self.kill_program(number),
            Command::Replacement(status) => {
                if let Some(external) = &mut self.external {
                    external.set_replacement_status(status);
                }
                return;
            }
            Command::Report => return,
        };
        live.stop.requested = true;
        // Ctrl-C has reached the program already, and a second one would have another meaning.
        let typed = matches!(command, Command::Stop(StopSignal::Interrupt, _));
        if !(typed && live.shares_terminal && is_foreground()) {
            live.stop.delivery.get_or_insert_with(|| (StopDelivery::new(signal), Instant::now(), time));
        }
        self.advance_stops();
    }

    /// Notes that what the processes of a program do from now on was asked for.
    pub(super) fn note_stop_requested(&mut self, number: WorkerNumber) {
        if let Some(live) = self.live.iter_mut().find(|live| live.number == number) {
            live.stop.requested = true;
        }
    }

    /// Kills all processes of a program.
    pub(super) fn kill_program(&mut self, number: WorkerNumber) {
        if let Some(live) = self.live.iter_mut().find(|live| live.number == number) {
            live.stop.killed_at.get_or_insert_with(Instant::now);
            live.kill();
        }
        self.advance_stops();
    }

    /// Returns all processes, and those of each instance.
    pub(super) fn read_families(&mut self) -> (ProcessTable, BTreeMap<WorkerNumber, Vec<u32>>) {
        let table = ProcessTable::read();
        let guard = std::process::id();
        let instances: Vec<(WorkerNumber, u32)> =
            self.live.iter().map(|live| (live.number, live.process_id())).collect();
        let families =
            self.families.assign(&table, guard, &instances, |pid| read_marker(pid, guard), is_helper);
        (table, families)
    }

    /// Whether a program is being stopped, so that its processes have to be looked at often.
    pub(super) fn is_stopping_program(&self) -> bool {
        self.program.is_external() && self.live.iter().any(|live| live.stop.in_progress())
    }

    /// Kills the processes of instances that have ended. One that lost its parent just then is seen a moment later.
    pub(super) fn kill_leftovers(&self, families: &BTreeMap<WorkerNumber, Vec<u32>>) {
        for (number, family) in families {
            if !self.live.iter().any(|live| live.number == *number) {
                kill_all(family);
            }
        }
    }

    /// Sends signals to processes that are to get them now, and kills those of programs that were killed or have crashed.
    pub(super) fn advance_stops(&mut self) {
        self.stops_advanced_at = Instant::now();
        let (table, families) = self.read_families();
        self.kill_leftovers(&families);
        let now = Instant::now();
        for (number, family) in families {
            let Some(live) = self.live.iter_mut().find(|live| live.number == number) else { continue };
            if live.stop.killed_at.is_some() {
                kill_all(&family);
            } else if let Some((delivery, begun, time)) = &mut live.stop.delivery {
                delivery.deliver(&table, &family, now.duration_since(*begun) > *time / 2);
            }
        }
    }

    /// Passes the exits of programs on to the machine, once their other processes have exited as well.
    pub(super) fn finish_program_exits(&mut self, events: &mut VecDeque<MachineEvent>) {
        if !self.live.iter().any(|live| live.stop.has_exited()) {
            return;
        }
        let (_, families) = self.read_families();
        let now = Instant::now();
        let drain = self.program_drain;
        let mut advance = false;
        for live in &mut self.live {
            let Some(exit) = live.stop.exit else { continue };
            let left = families.get(&live.number).map_or(0, Vec::len);
            let given_up = live.stop.killed_at.is_some_and(|at| now.duration_since(at) > UNKILLABLE_AFTER);
            if left == 0 || given_up {
                live.stop.exit = None;
                // A program that exits with 0 has finished its work.
                if exit == ProcessExit::Code(0) {
                    events.push_back(MachineEvent::ApplicationDone(live.number));
                }
                events.push_back(MachineEvent::Exited(live.number, exit));
                continue;
            }
            advance |= live.end_leftovers(exit, left, self.program.stop_signal(), drain, now);
        }
        if advance {
            self.advance_stops();
        }
    }
}

impl WorkerProcess {
    /// Decides what happens to the processes that a program has left running. Returns whether something is to be done now.
    fn end_leftovers(
        &mut self,
        exit: ProcessExit,
        left: usize,
        stop_signal: Signal,
        drain: Duration,
        now: Instant,
    ) -> bool {
        let stop = &mut self.stop;
        let first = !std::mem::replace(&mut stop.noted_leftovers, true);
        let number = self.number;
        if !stop.requested && exit != ProcessExit::Code(0) {
            if first {
                // They would hold the port and memory beside the next instance.
                tracing::warn!(
                    "instance {number} has crashed; killing {left} processes that it left running"
                );
                stop.killed_at = Some(now);
            }
            return first;
        }
        if first {
            tracing::info!(
                "instance {number} has exited and left {left} processes running; they have until the drain timeout to finish"
            );
            if !stop.requested {
                tracing::warn!(
                    "a program that moves to the background cannot be guarded; start it in the foreground"
                );
            }
            stop.delivery.get_or_insert_with(|| (StopDelivery::new(stop_signal), now, drain));
        }
        // The machine kills in time what it has asked to stop.
        if let Some((_, begun, time)) = &stop.delivery
            && !stop.requested
            && stop.killed_at.is_none()
            && now.duration_since(*begun) >= *time
        {
            stop.killed_at = Some(now);
        }
        true
    }
}

fn kill_all(family: &[u32]) {
    for pid in family.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
        if let Err(error) = kill_process(pid, Signal::KILL) {
            tracing::debug!("cannot kill process {}: {error}", pid.as_raw_nonzero());
        }
    }
}
