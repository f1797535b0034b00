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
    pub retry_at: Duration,
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
    DrainingFirst(String),
    /// The replacement took over.
    Replaced(WorkerNumber),
    /// The replacement did not get ready; the old worker stays.
    ReplacementFailed,
    /// A worker gives no sign of life.
    Hung(WorkerNumber),
    /// A worker is not ready in time.
    StartTimedOut(WorkerNumber),
    /// A worker that was to leave is cut, as its time is over.
    DrainTimedOut(WorkerNumber),
    /// A worker that was to leave is cut, as there is no room for both any longer.
    KilledForRoom(WorkerNumber),
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
    limits: Limits,
    workers: Vec<Worker>,
    last_number: WorkerNumber,
    /// Failures in a row.
    failures: u32,
    /// When to try again, while nobody serves.
    retry_at: Option<Duration>,
    stopping: Option<StopProgress>,
    /// When the last replacement took over or failed.
    replaced_at: Option<Duration>,
    /// Whether the worker that starts is the replacement of one that went first.
    successor: bool,
    /// Whether the last replacement failed: then a worker that works is not given up for the next one.
    replacement_failed_before: bool,
    /// Most that a worker held when it got ready.
    start_size: Bytes,
    /// Whether any worker was ever ready.
    ever_ready: bool,
    /// Time of the last step.
    last_step: Duration,
    /// When the next step was due at the latest, as of the last one.
    next_due: Duration,
    /// What the serving worker was last told of its replacement.
    replacement_status: Option<ReplacementStatus>,
}

#[derive(Debug)]
struct Worker {
    number: WorkerNumber,
    since: Duration,
    ready_at: Option<Duration>,
    /// When it last gave a sign of life: a turn of its runtime, or any message before it is ready; its start before the first.
    alive_at: Duration,
    /// Whether it gave any sign of life.
    sent_heartbeat: bool,
    turns: u64,
    memory: Bytes,
    /// When it was told to leave.
    drain_started: Duration,
    role: Role,
    termination: Option<Termination>,
    stop_reason: Option<StopReason>,
    application_done: bool,
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
    requests: u32,
    until: Duration,
    code: u8,
}

impl Machine {
    /// Nobody lives yet.
    pub fn new(limits: Limits) -> Self {
        Machine {
            limits,
            workers: Vec::new(),
            last_number: 0,
            failures: 0,
            retry_at: Some(Duration::ZERO),
            stopping: None,
            replaced_at: None,
            successor: false,
            replacement_failed_before: false,
            start_size: Bytes::ZERO,
            ever_ready: false,
            last_step: Duration::ZERO,
            next_due: Duration::ZERO,
            replacement_status: None,
        }
    }

    /// What follows from `event` at `now`. `random` is a random number, for waits that differ.
    pub fn step(&mut self, event: MachineEvent, now: Duration, random: u32) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.excuse_delay(now);
        match event {
            MachineEvent::Tick => {}
            MachineEvent::Ready(number) => self.ready(number, now, &mut effects),
            MachineEvent::Heartbeat(number, turns, memory) => {
                self.heartbeat(number, turns, memory, now, &mut effects);
            }
            MachineEvent::RecycleRequested(number, memory, why) => {
                if let Some(worker) = self.worker(number) {
                    worker.memory = memory;
                }
                self.recycle_requested(number, why, now, &mut effects);
            }
            MachineEvent::ApplicationDone(number) => {
                if let Some(worker) = self.worker(number) {
                    worker.application_done = true;
                }
            }
            MachineEvent::StartFailed(number, why) => {
                effects.push(Effect::Log(Notice::StartFailed(why)));
                if let Some(worker) = self.remove(number) {
                    self.after_exit(&worker, None, now, random, &mut effects);
                }
            }
            MachineEvent::Exited(number, exit) => self.exited(number, exit, now, random, &mut effects),
            MachineEvent::ReplaceRequested => self.replace_requested(now, &mut effects),
            MachineEvent::StopRequested(signal) => self.stop(signal, now, &mut effects),
        }
        self.check_deadlines(now, &mut effects);
        self.next_due = self.next_step();
        effects
    }

    /// Time of the next step, if nothing happens before.
    pub fn next_step(&self) -> Duration {
        let workers = self.workers.iter().map(|worker| worker.deadline(&self.limits));
        let possible =
            (self.replacement_status == Some(ReplacementStatus::TooSoon)).then(|| self.next_replacement_at());
        let stopping = self.stopping.as_ref().map(|stopping| stopping.until);
        let deadlines = workers.flatten().chain(self.retry_at).chain(possible).chain(stopping);
        deadlines.fold(self.last_step + self.limits.tick, Duration::min)
    }

    fn worker(&mut self, number: WorkerNumber) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.number == number)
    }

    fn remove(&mut self, number: WorkerNumber) -> Option<Worker> {
        let index = self.workers.iter().position(|worker| worker.number == number)?;
        Some(self.workers.remove(index))
    }

    fn worker_with_role(&mut self, role: Role) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.role == role)
    }

    fn start(&mut self, role: Role, now: Duration, effects: &mut Vec<Effect>) {
        self.last_number += 1;
        let number = self.last_number;
        self.workers.push(Worker {
            number,
            since: now,
            ready_at: None,
            alive_at: now,
            sent_heartbeat: false,
            turns: 0,
            memory: Bytes::ZERO,
            drain_started: now,
            role,
            termination: None,
            stop_reason: None,
            application_done: false,
        });
        effects.push(Effect::Start(number));
    }

    fn stop(&mut self, signal: StopSignal, now: Duration, effects: &mut Vec<Effect>) {
        let until = now + self.limits.drain;
        let stopping = self.stopping.get_or_insert(StopProgress { requests: 0, until, code: 0 });
        stopping.requests += 1;
        let requests = stopping.requests;
        self.retry_at = None;
        for worker in &mut self.workers {
            worker.stop_reason.get_or_insert(StopReason::Stop);
            match worker.role {
                _ if worker.termination.is_some() => {}
                // It has no requests yet.
                Role::Replacement => worker.kill(effects),
                Role::Serving | Role::Leaving(_) => {
                    effects.push(Effect::Send(worker.number, Command::Stop(signal, requests)));
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
