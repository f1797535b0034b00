//! Timelines: events at their seconds, and the expected effects.

mod beside;
mod early;
mod front;
mod hangs;
mod leaks;
mod recycling;
mod restarts;
mod several;
mod stopping;
mod timelines;
mod usefulness;

use heapbeat_shared::exit::ProcessExit;

use Effect::{Exit, Investigate, Kill, Log, RespondUnavailable, Send, Start};
use MachineEvent::{
    ApplicationDone, Exited, Heartbeat, Ready, RecycleRequested, ReplaceRequested, StartFailed,
    StopRequested, Tick,
};

use super::*;
use crate::supervisor::policy::FrontPolicy;

const MIDDLE: u32 = u32::MAX / 2;
const TERM: StopSignal = StopSignal::Terminate;
const KILLED: ProcessExit = ProcessExit::Signal(9);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn mb(mb: u64) -> Bytes {
    Bytes::from_mb(mb)
}

/// A machine whose workers get their requests from a front.
fn machine_behind_front() -> Machine {
    let mut policy = SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60);
    policy.front = Some(FrontPolicy { hold: secs(15.0), drain_window: secs(2.0) });
    Machine::new(policy)
}

fn machine() -> Machine {
    Machine::new(SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60))
}

/// Plays events at their seconds, and returns the effects of the last one. Workers send heartbeats each second meanwhile,
/// unless they are in `silent`.
fn play(machine: &mut Machine, silent: &[WorkerNumber], events: &[(f64, MachineEvent)]) -> Vec<Effect> {
    let mut last = Vec::new();
    for (at, event) in events {
        let at = secs(*at);
        while machine.last_step + secs(1.0) < at {
            let now = machine.last_step + secs(1.0);
            let alive: Vec<_> =
                machine.workers.iter().map(|it| (it.number, it.runtime_polls, it.memory)).collect();
            for (number, runtime_polls, memory) in alive.into_iter().filter(|it| !silent.contains(&it.0)) {
                machine.step(Heartbeat(number, runtime_polls + 1, memory), now, MIDDLE);
            }
            machine.step(Tick, now, MIDDLE);
        }
        last = machine.step(event.clone(), at, MIDDLE);
    }
    last
}

fn quiet(effects: Vec<Effect>) -> Vec<Effect> {
    effects.into_iter().filter(|effect| !matches!(effect, Log(_) | Investigate(..))).collect()
}

/// Creates a machine whose worker has been serving for a minute and holds so many megabytes.
fn serving(held: u64) -> Machine {
    let mut machine = machine();
    play(
        &mut machine,
        &[],
        &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(8))), (0.2, Ready(1)), (60.0, Heartbeat(1, 1000, mb(held)))],
    );
    machine
}
