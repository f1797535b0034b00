//! Transitions after the exit of a worker.

use std::time::Duration;

use heapbeat_shared::exit::ProcessExit;

use super::{Effect, Machine, Notice, Outage, ReplacementStatus, Role, Succession, Worker, WorkerNumber};
use crate::supervisor::restart_budget::Reservation;

/// Exit codes after which a restart would not help: the configuration is invalid, or the program does not exist.
const FATAL_CODES: [i32; 2] = [2, 127];

impl Machine {
    pub(super) fn exited(
        &mut self,
        number: WorkerNumber,
        exit: ProcessExit,
        now: Duration,
        random: u32,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.remove(number) else { return };
        let failed = self.has_failed_before_the_stop(&worker, exit);
        effects.push(Effect::Investigate(number, exit, worker.stop_reason.filter(|_| !failed)));
        self.note_drain(&worker, now);
        self.after_exit(&worker, Some(exit), now, random, effects);
    }

    /// Decides what follows a worker. `exit` is `None` if the worker could not be started.
    pub(super) fn after_exit(
        &mut self,
        worker: &Worker,
        exit: Option<ProcessExit>,
        now: Duration,
        random: u32,
        effects: &mut Vec<Effect>,
    ) {
        if self.stopping.is_some() {
            return self.exited_while_stopping(worker, exit, now, random, effects);
        }
        let code = code_of(exit);
        match worker.role {
            Role::Serving => {}
            Role::Replacement => return self.replacement_failed(worker.number, now, effects),
            Role::Draining(_) => {
                // With a pause before the next attempt, that one starts its successor as well.
                if worker.succession == Succession::DrainsFirst && self.retry_at.is_none() {
                    self.replaced_at = Some(now);
                    let next = self.start(Role::Serving, now, effects);
                    if let Some(next) = self.worker(next) {
                        next.succession = Succession::FollowsDrained;
                    }
                }
                self.end_hold_if_there_is_room(now, effects);
                return;
            }
        }
        if worker.application_done {
            self.wanted = self.wanted.saturating_sub(1);
            effects.extend((self.wanted == 0).then_some(Effect::Exit(code)));
            return;
        }
        if matches!(exit, Some(ProcessExit::Code(code)) if FATAL_CODES.contains(&code))
            && !self.any_worker_was_ready
        {
            effects.push(Effect::Exit(code));
            return;
        }
        let replaced = Some(worker.number);
        if let Some(follower) =
            self.workers.iter_mut().find(|it| it.role == Role::Replacement && it.replaces == replaced)
        {
            follower.role = Role::Serving;
            return;
        }
        let ran_long_enough = self
            .policy
            .failure_reset_after
            .is_some_and(|uptime| exit.is_some() && now >= worker.since + uptime);
        self.retry(worker.ready_at.is_some() || ran_long_enough, now, random, effects);
    }

    /// Starts a worker in place of one that has failed: at once if that one had been ready, else after a pause that grows with each
    /// failure; in any case not before the restart budget allows it.
    pub(super) fn retry(&mut self, was_ready: bool, now: Duration, random: u32, effects: &mut Vec<Effect>) {
        self.failures = if was_ready { 0 } else { self.failures + 1 };
        let wanted_at = now + self.policy.restart_delay(self.failures, random);
        let Reservation { at: retry_at, newly_spent } = self.restart_budget.reserve(wanted_at);
        if newly_spent {
            effects.push(Effect::Log(Notice::RestartBudgetSpent(self.policy.restarts_per_minute)));
        }
        if retry_at == now {
            self.start(Role::Serving, now, effects);
            return;
        }
        if self.failures == self.policy.crash_loop_failures {
            effects.push(Effect::Log(Notice::CrashLoop(self.failures)));
        }
        let wait = retry_at.saturating_sub(now);
        effects.push(Effect::Log(Notice::Waiting(wait)));
        self.retry_at = Some(retry_at);
        let others_serve = self.workers.iter().any(|it| it.role == Role::Serving && it.ready_at.is_some());
        if wait > self.policy.unavailable_after && !others_serve {
            effects.push(Effect::RespondUnavailable(Some(Outage { failures: self.failures, retry_at })));
        }
    }

    fn replacement_failed(&mut self, number: WorkerNumber, now: Duration, effects: &mut Vec<Effect>) {
        self.replaced_at = Some(now);
        self.replacement_failed_before = true;
        effects.push(Effect::Log(Notice::ReplacementFailed(number)));
        for number in self.held_workers() {
            self.end_hold(number, effects);
        }
        self.send_replacement_status(ReplacementStatus::RateLimited, effects);
    }
}

/// Returns the supervisor's exit code; 1 for a signal, as a shell's `128 + n` could be mistaken for a code of the worker.
pub(super) fn code_of(exit: Option<ProcessExit>) -> u8 {
    match exit {
        Some(ProcessExit::Code(code)) => u8::try_from(code).unwrap_or(1),
        Some(ProcessExit::Signal(_)) | None => 1,
    }
}
