//! The supervisor's decisions: `(state, event, now) -> (state, effects)`. Pure.
//!
//! One worker serves, or several of a guarded program. Another one runs beside them only while it gets ready to take over from one of
//! them, or while it drains after it was replaced.
//! Times are monotonic, so a clock that jumps has no effect.

mod deadlines;
mod exit;
mod recycle;
mod request_drain;
mod short_memory;
mod usefulness;

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::{ProcessExit, StopReason};
use serde::{Deserialize, Serialize};

use super::policy::{FrontPolicy, SupervisorPolicy};
use super::restart_budget::RestartBudget;
use crate::overload::ladder::ReplacementStatus;
use request_drain::RequestDrain;
use usefulness::HeldBack;

/// A worker's number, counted from 1 since the supervisor's start.
pub type WorkerNumber = u32;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineEvent {
    /// Time has passed. The first tick starts the first worker.
    Tick,
    /// A worker is ready to serve.
    Ready(WorkerNumber),
    /// A worker is alive: the number of polls of its runtime, and its memory.
    Heartbeat(WorkerNumber, u64, Bytes),
    /// A worker's ladder requests a replacement: the worker's memory, and the reason.
    RecycleRequested(WorkerNumber, Bytes, String),
    /// The ladder wants this share of new requests refused, in thousandths, because of the memory of a worker.
    MemoryShort(WorkerNumber, u16),
    /// A worker has sent nothing for this time although requests wait for it, and does not answer.
    Unresponsive(WorkerNumber, Duration),
    /// The front has failed.
    FrontFailed,
    /// A worker exits because its application has finished; it must not be restarted.
    ApplicationDone(WorkerNumber),
    /// A process could not be started.
    StartFailed(WorkerNumber, String),
    /// No requests are in flight any more to a worker for which that was awaited.
    Drained(WorkerNumber),
    /// A worker has exited.
    Exited(WorkerNumber, ProcessExit),
    /// A replacement is requested by SIGUSR2.
    ReplaceRequested,
    /// A stop is requested.
    StopRequested(StopSignal),
}

/// The signal that requests a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopSignal {
    /// SIGTERM, from the platform.
    Terminate,
    /// SIGINT, from a terminal.
    Interrupt,
}

impl StopSignal {
    /// Returns the signal's name.
    pub const fn name(self) -> &'static str {
        match self {
            StopSignal::Terminate => "SIGTERM",
            StopSignal::Interrupt => "SIGINT",
        }
    }
}

/// An effect to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a worker.
    Start(WorkerNumber),
    /// Send a command to a worker.
    Send(WorkerNumber, Command),
    /// Kill a worker.
    Kill(WorkerNumber),
    /// Pass new requests on to a worker.
    Activate(WorkerNumber),
    /// Pass no new requests on to a worker, and await those in flight.
    Drain(WorkerNumber),
    /// Pass no new requests on to a worker for now.
    Hold(WorkerNumber),
    /// Refuse this share of new requests, in thousandths.
    Shed(u16),
    /// End the requests that are in flight to a worker.
    AbortRequests(WorkerNumber),
    /// Accept no more connections in the front, and await the open ones.
    CloseFront,
    /// Determine how a worker ended, given its exit status and why it was stopped, if it was.
    Investigate(WorkerNumber, ProcessExit, Option<StopReason>),
    /// Respond with 503 in place of the workers; `None`: leave the sockets to them.
    RespondUnavailable(Option<Outage>),
    /// Log a notice.
    Log(Notice),
    /// Exit the supervisor with this code.
    Exit(u8),
}

/// A command to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Stop gracefully; it is the `n`th request.
    Stop(StopSignal, u32),
    /// A replacement has taken over: accept no connections, finish requests in flight within this time.
    HandOver(Duration),
    /// Whether a replacement could take over.
    Replacement(ReplacementStatus),
    /// Record the state of all threads, before the worker is killed.
    Report,
}

/// Why no worker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Number of consecutive workers that did not get ready; 0 if the last one did.
    pub failures: u32,
    /// When the next attempt is made.
    pub retry_at: Duration,
}

/// A notice for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The next attempt is made after this time.
    Waiting(Duration),
    /// So many consecutive workers did not get ready.
    CrashLoop(u32),
    /// This budget of restarts per minute is spent.
    RestartBudgetSpent(u32),
    /// A worker is ready, after this time.
    Started(WorkerNumber, Duration),
    /// A replacement is being started.
    Replacing(String),
    /// Two workers cannot run at a time: the old one drains before the new one starts.
    DrainingFirst(String, OneAtATime),
    /// The replacement has taken over.
    Replaced(WorkerNumber),
    /// This replacement did not get ready; the old worker keeps serving.
    ReplacementFailed(WorkerNumber),
    /// A worker sent no heartbeat for this time.
    Hung(WorkerNumber, Duration),
    /// A worker has sent nothing for this time although requests wait for it, and does not answer.
    Unresponsive(WorkerNumber, Duration),
    /// A worker did not get ready within this time.
    StartTimedOut(WorkerNumber, Duration),
    /// A worker is killed because it did not finish its requests within this time.
    DrainTimedOut(WorkerNumber, Duration),
    /// A draining worker is stopped early: the memory of all workers is close to the enforced limit.
    DrainCutShort(WorkerNumber, Bytes, Bytes),
    /// A process cannot be started.
    StartFailed(String),
    /// A recycle was requested while the worker is starting.
    CannotReplace,
    /// A recycle was requested, but the memory limit has no headroom for two workers.
    TooLittleHeadroom,
    /// A recycle was requested, but the next worker would need as much memory.
    ReplacementUseless {
        /// The worker.
        number: WorkerNumber,
        /// Its memory.
        memory: Bytes,
        /// The memory limit.
        limit: Bytes,
        /// A limit with which the memory would be fine.
        proposed: Bytes,
    },
}

/// Why two workers cannot run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneAtATime {
    /// The memory limit has too little headroom for both.
    Memory,
    /// Both would listen on the same port.
    Port,
    /// As `Memory`; requests wait in the front until the next one is ready.
    MemoryHeld,
    /// Two must never run; requests wait in the front until the next one is ready.
    Held,
}

/// The state machine of the supervisor.
#[derive(Debug)]
pub struct Machine {
    policy: SupervisorPolicy,
    workers: Vec<Worker>,
    last_number: WorkerNumber,
    /// Number of consecutive workers that did not get ready.
    failures: u32,
    restart_budget: RestartBudget,
    /// Time of the next attempt, while no worker runs.
    retry_at: Option<Duration>,
    stopping: Option<StopProgress>,
    /// When the last replacement took over or failed.
    replaced_at: Option<Duration>,
    /// Number of workers that are to serve: those that have finished their work are not followed.
    wanted: u32,
    /// Workers that are still to be replaced because the operator asked for it, one by one.
    to_replace: VecDeque<WorkerNumber>,
    /// Whether the last replacement failed: then a working worker is not drained before its replacement is ready.
    replacement_failed_before: bool,
    /// Number of workers in a row that were replaced for their memory soon after they were ready.
    young_replaced: u32,
    /// Largest memory of a worker when it got ready.
    start_size: Bytes,
    /// Time from the start of a worker until it was ready, the last time.
    start_time: Duration,
    /// The longest such time.
    longest_start: Duration,
    /// Whether any worker was ever ready.
    any_worker_was_ready: bool,
    /// Time of the last step.
    last_step: Duration,
    /// Latest time of the next step, as of the last step.
    next_due: Duration,
    /// The replacement status that was sent to the serving worker last.
    replacement_status: Option<ReplacementStatus>,
    /// The share of new requests that is refused, in thousandths.
    shed: u16,
}

#[derive(Debug)]
struct Worker {
    number: WorkerNumber,
    since: Duration,
    ready_at: Option<Duration>,
    /// Time of the last heartbeat that proves progress: a poll of its runtime, or any message before it is ready; at first, its start.
    last_heartbeat_at: Duration,
    /// Whether it has sent a heartbeat.
    sent_heartbeat: bool,
    runtime_polls: u64,
    memory: Bytes,
    growth: Growth,
    /// Its lowest memory since it was ready.
    lowest: Option<Bytes>,
    /// Set when its replacement was refused as it would not help.
    held_back: Option<HeldBack>,
    /// The worker that it replaces, and runs beside until it is ready.
    replaces: Option<WorkerNumber>,
    succession: Succession,
    /// When its drain started.
    drain_started: Duration,
    /// The wait for its requests in flight.
    request_drain: Option<RequestDrain>,
    /// Since when it gets no new requests because memory is short, while it is being replaced.
    held_since: Option<Duration>,
    /// When the requests are ended that are still in flight after it was requested to stop.
    abort_requests_at: Option<Duration>,
    role: Role,
    termination: Option<Termination>,
    stop_reason: Option<StopReason>,
    application_done: bool,
}

/// A replacement in which two workers do not run at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Succession {
    /// None.
    #[default]
    None,
    /// The worker follows one that was drained, and is not ready yet.
    FollowsDrained,
    /// The worker is drained before its successor starts.
    DrainsFirst,
}

/// Growth of a worker's memory.
#[derive(Clone, Copy, Debug)]
struct Growth {
    per_second: Bytes,
    /// When it was last compared, and the memory then.
    compared_at: Duration,
    memory: Bytes,
}

/// The role of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It serves, or gets ready to serve.
    Serving,
    /// It gets ready to take over.
    Replacement,
    /// It drains until this time.
    Draining(Duration),
}

/// The termination of a worker that hung or was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Termination {
    /// It hung, and may record its state until this time.
    Report(Duration),
    /// It has been killed.
    Killed,
}

#[derive(Debug)]
struct StopProgress {
    requests: u32,
    until: Duration,
    code: u8,
    /// When the front accepts no more connections; `None` once it does not, or without a front.
    close_front_at: Option<Duration>,
}

impl Machine {
    /// Creates a machine without workers.
    pub fn new(policy: SupervisorPolicy) -> Self {
        Machine {
            policy,
            workers: Vec::new(),
            last_number: 0,
            failures: 0,
            restart_budget: RestartBudget::new(policy.restarts_per_minute),
            retry_at: Some(Duration::ZERO),
            stopping: None,
            replaced_at: None,
            wanted: policy.instances,
            to_replace: VecDeque::new(),
            replacement_failed_before: false,
            young_replaced: 0,
            start_size: Bytes::ZERO,
            start_time: Duration::ZERO,
            longest_start: Duration::ZERO,
            any_worker_was_ready: false,
            last_step: Duration::ZERO,
            next_due: Duration::ZERO,
            replacement_status: None,
            shed: 0,
        }
    }

    /// Returns the effects of `event` at `now`. `random` is a random number that varies pauses.
    pub fn step(&mut self, event: MachineEvent, now: Duration, random: u32) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.compensate_for_stalled_supervisor(now);
        match event {
            MachineEvent::Tick => {}
            MachineEvent::Ready(number) => self.ready(number, now, &mut effects),
            MachineEvent::Heartbeat(number, runtime_polls, memory) => {
                self.record_heartbeat(number, runtime_polls, memory, now, &mut effects);
            }
            MachineEvent::RecycleRequested(number, memory, why) => {
                if let Some(worker) = self.worker(number) {
                    worker.memory = memory;
                }
                self.recycle_requested(number, why, now, &mut effects);
            }
            MachineEvent::MemoryShort(number, share) => self.memory_short(number, share, now, &mut effects),
            MachineEvent::Unresponsive(number, time) => {
                if let Some(worker) = self.worker(number).filter(|worker| worker.serves()) {
                    worker.stop_reason = Some(StopReason::Hung);
                    effects.push(Effect::Log(Notice::Unresponsive(number, time)));
                    worker.kill(&mut effects);
                }
            }
            MachineEvent::FrontFailed => {
                self.stop(StopSignal::Terminate, now, &mut effects);
                if let Some(stopping) = &mut self.stopping {
                    stopping.code = 1;
                }
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
            MachineEvent::Drained(number) => self.drained(number, now, &mut effects),
            MachineEvent::Exited(number, exit) => self.exited(number, exit, now, random, &mut effects),
            MachineEvent::ReplaceRequested => self.replace_requested(now, &mut effects),
            MachineEvent::StopRequested(signal) => self.stop(signal, now, &mut effects),
        }
        self.check_deadlines(now, &mut effects);
        self.continue_replacing(now, &mut effects);
        self.next_due = self.next_step();
        effects
    }

    /// Returns the time of the next step if there is no event before.
    pub fn next_step(&self) -> Duration {
        let workers = self.workers.iter().flat_map(|it| [it.deadline(&self.policy), it.requests_end_at()]);
        let possible = (self.replacement_status == Some(ReplacementStatus::RateLimited))
            .then(|| self.next_replacement_at());
        let stopping = self.stopping.as_ref().map(|stopping| stopping.until);
        let closing = self.stopping.as_ref().and_then(|stopping| stopping.close_front_at);
        let deadlines = workers.flatten().chain(self.retry_at).chain(possible).chain(stopping).chain(closing);
        deadlines.fold(self.last_step + self.policy.poll_interval, Duration::min)
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

    /// Returns the number of workers that are to be started, besides those that follow one that is drained first.
    fn missing(&self) -> u32 {
        let takes_place = |it: &&Worker| {
            it.role == Role::Serving
                || (matches!(it.role, Role::Draining(_)) && it.succession == Succession::DrainsFirst)
        };
        let places = self.workers.iter().filter(takes_place).count();
        self.wanted.saturating_sub(u32::try_from(places).unwrap_or(u32::MAX))
    }

    /// Starts a worker, and returns its number.
    fn start(&mut self, role: Role, now: Duration, effects: &mut Vec<Effect>) -> WorkerNumber {
        self.last_number += 1;
        let number = self.last_number;
        self.workers.push(Worker {
            number,
            since: now,
            ready_at: None,
            last_heartbeat_at: now,
            sent_heartbeat: false,
            runtime_polls: 0,
            memory: Bytes::ZERO,
            growth: Growth { per_second: Bytes::ZERO, compared_at: now, memory: Bytes::ZERO },
            lowest: None,
            held_back: None,
            replaces: None,
            succession: Succession::default(),
            drain_started: now,
            request_drain: None,
            held_since: None,
            abort_requests_at: None,
            role,
            termination: None,
            stop_reason: None,
            application_done: false,
        });
        effects.push(Effect::Start(number));
        number
    }

    fn stop(&mut self, signal: StopSignal, now: Duration, effects: &mut Vec<Effect>) {
        let policy = self.policy;
        let until = now + policy.drain_timeout;
        // A person at a terminal does not wait for load balancers.
        let window = |front: FrontPolicy| match signal {
            StopSignal::Terminate => front.drain_window,
            StopSignal::Interrupt => Duration::ZERO,
        };
        let close_front_at = policy.front.map(|front| now + window(front));
        let stopping =
            self.stopping.get_or_insert(StopProgress { requests: 0, until, code: 0, close_front_at });
        stopping.requests += 1;
        let requests = stopping.requests;
        if requests > 1 {
            stopping.close_front_at = stopping.close_front_at.map(|at| at.min(now));
        }
        self.retry_at = None;
        for worker in &mut self.workers {
            worker.stop_reason.get_or_insert(StopReason::Stop);
            match worker.role {
                _ if worker.termination.is_some() => {}
                // It has no requests yet.
                Role::Replacement => worker.kill(effects),
                Role::Serving | Role::Draining(_) if policy.front.is_some() && requests == 1 => {
                    worker.begin_stop(policy.full_drain(), signal, now, effects);
                }
                Role::Serving | Role::Draining(_) => {
                    worker.abort_requests(effects);
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
