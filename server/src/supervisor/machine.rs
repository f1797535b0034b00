//! What the supervisor decides: `(state, event, now) -> (state, effects)`, and nothing else.
//!
//! One worker serves. A second one lives beside it only while it gets ready to take over, or while it finishes what it
//! had when it was taken over. Times are the supervisor's own (monotonic), so a clock that jumps decides nothing.

mod exit;
mod recycle;
mod timeouts;

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::{ProcessExit, StopReason};
use serde::{Deserialize, Serialize};

use super::limits::Limits;
use crate::overload::ladder::ReplacementStatus;

/// A worker's number, counted from 1 over the life of the supervisor.
pub type WorkerNumber = u32;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineEvent {
    /// Nothing, but time went by. The first one starts the first worker.
    Tick,
    /// A worker can take requests.
    Ready(WorkerNumber),
    /// A worker lives: its count of turns, and what it holds.
    Heartbeat(WorkerNumber, u64, Bytes),
    /// A worker's ladder wants a fresh one: what it holds by now, and why.
    RecycleRequested(WorkerNumber, Bytes, String),
    /// A worker ends because its application is done: it shall not be started anew.
    ApplicationDone(WorkerNumber),
    /// A process could not be made.
    StartFailed(WorkerNumber, String),
    /// A worker is gone.
    Exited(WorkerNumber, ProcessExit),
    /// Somebody asks for a fresh worker: SIGUSR2.
    ReplaceRequested,
    /// Somebody asks to stop.
    StopRequested(StopSignal),
}

/// How the supervisor is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// By the platform.
    Terminate,
    /// By a person at a terminal.
    Interrupt,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker.
    Start(WorkerNumber),
    /// Send a command to a worker.
    Send(WorkerNumber, Command),
    /// End a worker at once.
    Kill(WorkerNumber),
    /// A worker has ended: find out how, knowing what it had been asked.
    Investigate(WorkerNumber, ProcessExit, Option<StopReason>),
    /// Answer in the workers' place, with this reason; `None`: leave the sockets to them.
    RespondUnavailable(Option<Outage>),
    /// Somebody should know.
    Log(Notice),
    /// The end of the supervisor, with an exit code.
    Exit(u8),
}

/// What a worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Stop in order; asked for the `n`th time.
    Stop(StopSignal, u32),
    /// Your replacement serves: take nothing new, finish what you have within this time.
    HandOver(Duration),
    /// Whether a replacement is to be had.
    Replacement(ReplacementStatus),
    /// Write down what you are doing: you will be killed.
    Report,
}

/// Why nobody serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Failures in a row.
    pub failures: u32,
    /// When the next attempt is made.
    pub again_at: Duration,
}

/// What is worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The next attempt is made so much later.
    Waiting(Duration),
    /// So many failures in a row.
    CrashLoop(u32),
    /// A replacement is being started.
    Replacing(String),
    /// There is no room for two: the old one goes first.
    OneAfterTheOther(String),
    /// The replacement took over.
    Replaced(WorkerNumber),
    /// The replacement did not get ready; the old worker stays.
    ReplacementFailed,
    /// A worker gives no sign of life.
    Hung(WorkerNumber),
    /// A worker is not ready in time.
    StartTimedOut(WorkerNumber),
    /// A worker that was to leave is cut, as its time is over.
    Cut(WorkerNumber),
    /// A worker that was to leave is cut, as there is no room for both any longer.
    NoRoom(WorkerNumber),
    /// A process cannot be made.
    StartFailed(String),
    /// This was asked for while it could not be done.
    CannotReplace,
    /// This was asked for, but there is no room for two workers.
    NoRoomForTwo,
}

/// The state.
#[derive(Debug)]
pub struct Machine {
    rules: Limits,
    workers: Vec<Worker>,
    last_number: WorkerNumber,
    /// Failures in a row.
    failures: u32,
    /// When to try again, while nobody serves.
    again_at: Option<Duration>,
    stopping: Option<StopProgress>,
    /// When the last replacement took over or failed.
    replaced_at: Option<Duration>,
    /// Whether the worker that starts is the replacement of one that went first.
    in_turn: bool,
    /// Whether the last replacement failed: then a worker that works is not given up for the next one.
    distrust: bool,
    /// Most that a worker held when it got ready.
    start_size: Bytes,
    /// Whether any worker was ever ready.
    proved: bool,
    /// Time of the last step.
    seen: Duration,
    /// When the next step was due at the latest, as of the last one.
    due: Duration,
    /// What the serving worker was last told of its replacement.
    told: Option<ReplacementStatus>,
}

#[derive(Debug)]
struct Worker {
    number: WorkerNumber,
    since: Duration,
    ready_at: Option<Duration>,
    /// When it last gave a sign of life: a turn of its runtime, or any message before it is ready; its start before the first.
    alive_at: Duration,
    /// Whether it gave any sign of life.
    heard: bool,
    turns: u64,
    memory: Bytes,
    /// When it was told to leave.
    left_at: Duration,
    task: Role,
    doom: Option<Termination>,
    asked: Option<StopReason>,
    done: bool,
}

/// What a worker is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It serves, or is about to.
    Serving,
    /// It gets ready to take over.
    Replacement,
    /// It finishes what it has, until then.
    Leaving(Duration),
}

/// What awaits a worker that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Termination {
    /// It hung and may write a last report, until then.
    Report(Duration),
    /// It was killed.
    Killed,
}

#[derive(Debug)]
struct StopProgress {
    asked: u32,
    until: Duration,
    code: u8,
}

impl Machine {
    /// Nobody lives yet.
    pub fn new(rules: Limits) -> Self {
        Machine {
            rules,
            workers: Vec::new(),
            last_number: 0,
            failures: 0,
            again_at: Some(Duration::ZERO),
            stopping: None,
            replaced_at: None,
            in_turn: false,
            distrust: false,
            start_size: Bytes::ZERO,
            proved: false,
            seen: Duration::ZERO,
            due: Duration::ZERO,
            told: None,
        }
    }

    /// What follows from `event` at `now`. `chance` is a random number, for waits that differ.
    pub fn step(&mut self, event: MachineEvent, now: Duration, chance: u32) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.forgive(now);
        match event {
            MachineEvent::Tick => {}
            MachineEvent::Ready(number) => self.ready(number, now, &mut effects),
            MachineEvent::Heartbeat(number, turns, memory) => {
                self.beat(number, turns, memory, now, &mut effects);
            }
            MachineEvent::RecycleRequested(number, memory, why) => {
                if let Some(worker) = self.worker(number) {
                    worker.memory = memory;
                }
                self.wanted(number, why, now, &mut effects);
            }
            MachineEvent::ApplicationDone(number) => {
                if let Some(worker) = self.worker(number) {
                    worker.done = true;
                }
            }
            MachineEvent::StartFailed(number, why) => {
                effects.push(Effect::Log(Notice::StartFailed(why)));
                if let Some(worker) = self.remove(number) {
                    self.after(&worker, None, now, chance, &mut effects);
                }
            }
            MachineEvent::Exited(number, exit) => self.ended(number, exit, now, chance, &mut effects),
            MachineEvent::ReplaceRequested => self.renew(now, &mut effects),
            MachineEvent::StopRequested(signal) => self.stop(signal, now, &mut effects),
        }
        self.watch(now, &mut effects);
        self.due = self.next_step();
        effects
    }

    /// Time of the next step, if nothing happens before.
    pub fn next_step(&self) -> Duration {
        let workers = self.workers.iter().map(|worker| worker.deadline(&self.rules));
        let possible = (self.told == Some(ReplacementStatus::TooSoon)).then(|| self.possible_at());
        let stopping = self.stopping.as_ref().map(|stopping| stopping.until);
        let deadlines = workers.flatten().chain(self.again_at).chain(possible).chain(stopping);
        deadlines.fold(self.seen + self.rules.tick, Duration::min)
    }

    fn worker(&mut self, number: WorkerNumber) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.number == number)
    }

    fn remove(&mut self, number: WorkerNumber) -> Option<Worker> {
        let index = self.workers.iter().position(|worker| worker.number == number)?;
        Some(self.workers.remove(index))
    }

    fn with(&mut self, task: Role) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.task == task)
    }

    fn start(&mut self, task: Role, now: Duration, effects: &mut Vec<Effect>) {
        self.last_number += 1;
        let number = self.last_number;
        self.workers.push(Worker {
            number,
            since: now,
            ready_at: None,
            alive_at: now,
            heard: false,
            turns: 0,
            memory: Bytes::ZERO,
            left_at: now,
            task,
            doom: None,
            asked: None,
            done: false,
        });
        effects.push(Effect::Start(number));
    }

    fn stop(&mut self, signal: StopSignal, now: Duration, effects: &mut Vec<Effect>) {
        let until = now + self.rules.drain;
        let stopping = self.stopping.get_or_insert(StopProgress { asked: 0, until, code: 0 });
        stopping.asked += 1;
        let asked = stopping.asked;
        self.again_at = None;
        for worker in &mut self.workers {
            worker.asked.get_or_insert(StopReason::Stop);
            match worker.task {
                _ if worker.doom.is_some() => {}
                // It has no requests yet.
                Role::Replacement => worker.kill(effects),
                Role::Serving | Role::Leaving(_) => {
                    effects.push(Effect::Send(worker.number, Command::Stop(signal, asked)));
                }
            }
        }
        if self.workers.is_empty() {
            effects.push(Effect::Exit(0));
        }
    }
}

#[cfg(test)]
mod tests;
