//! The supervisor's decisions: `(state, event, now) -> (state, effects)`. Pure.
//!
//! One worker serves, or several of a guarded program. Another one runs beside them only while it gets ready to take over from one of
//! them, or while it drains after it was replaced.
//! Times are monotonic, so a clock that jumps has no effect.

mod beside;
mod deadlines;
mod early;
mod effect;
mod event;
mod exit;
mod recycle;
mod request_drain;
mod short_memory;
mod stopping;
mod usefulness;
mod worker;

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::StopReason;

use super::policy::SupervisorPolicy;
use super::restart_budget::RestartBudget;
use crate::overload::ladder::ReplacementStatus;
use beside::Recent;
use early::GrowthSinceReady;
use stopping::StopProgress;
use worker::{Role, Succession, Worker};

pub use effect::{Command, Effect, Notice, OneAtATime, Outage};
pub use event::{MachineEvent, StopSignal};
pub use recycle::ReplacementTime;

/// A worker's number, counted from 1 since the supervisor's start.
pub type WorkerNumber = u32;

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
    /// How the last worker grew that was replaced for its memory.
    last_leak: Option<GrowthSinceReady>,
    /// Largest memory of each of the last few workers until it was ready.
    start_sizes: Recent<Bytes>,
    /// Times from the start of a worker until it was ready.
    start_times: Recent<Duration>,
    /// Times from the beginning of a drain until the worker had exited.
    drain_times: Recent<Duration>,
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
            last_leak: None,
            start_sizes: Recent::default(),
            start_times: Recent::default(),
            drain_times: Recent::default(),
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
            MachineEvent::Leaking(number, leaking) => {
                if let Some(worker) = self.worker(number) {
                    worker.is_leaking = leaking;
                }
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
            MachineEvent::FrontFailed => self.front_failed(now, &mut effects),
            MachineEvent::FrontClosed => self.front_closed(now, &mut effects),
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
        self.workers.push(Worker::starting(number, role, now));
        effects.push(Effect::Start(number));
        self.serve_until_the_end(number, effects);
        number
    }
}

#[cfg(test)]
mod tests;
