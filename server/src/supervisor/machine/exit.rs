//! What follows when a worker is gone.

use std::time::Duration;

use heapbeat_shared::exit::ProcessExit;

use super::{Effect, Machine, Notice, Outage, ReplacementStatus, Role, Worker, WorkerNumber};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Exit codes of a worker for which trying again would not help: its configuration cannot work, or it is not there.
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
        effects.push(Effect::Investigate(number, exit, worker.stop_reason));
        self.after_exit(&worker, Some(exit), now, random, effects);
    }

    /// `exit` is `None` for a worker that never came to be.
    pub(super) fn after_exit(
        &mut self,
        worker: &Worker,
        exit: Option<ProcessExit>,
        now: Duration,
        random: u32,
        effects: &mut Vec<Effect>,
    ) {
        let code = code_of(exit);
        if let Some(stopping) = &mut self.stopping {
            // Whoever was killed by the supervisor, or ended by the very signal that asked it to, says nothing by its code.
            let replacement_status =
                worker.termination.is_some() || matches!(exit, Some(ProcessExit::Signal(SIGINT | SIGTERM)));
            let code = if replacement_status { 0 } else { code };
            stopping.code = stopping.code.max(code);
            if self.workers.is_empty() {
                effects.push(Effect::Exit(stopping.code));
            }
            return;
        }
        match worker.role {
            Role::Serving => {}
            Role::Replacement => return self.replacement_failed(now, effects),
            Role::Leaving(_) => {
                let others = self.worker_with_role(Role::Serving).is_some()
                    || self.worker_with_role(Role::Replacement).is_some();
                if !others && self.retry_at.is_none() {
                    // It went first to make room.
                    self.replaced_at = Some(now);
                    self.successor = true;
                    self.start(Role::Serving, now, effects);
                }
                return;
            }
        }
        if worker.application_done {
            effects.push(Effect::Exit(code));
            return;
        }
        if matches!(exit, Some(ProcessExit::Code(code)) if FATAL_CODES.contains(&code)) && !self.ever_ready {
            effects.push(Effect::Exit(code));
            return;
        }
        if let Some(follower) = self.worker_with_role(Role::Replacement) {
            follower.role = Role::Serving;
            return;
        }
        self.retry(now, random, effects);
    }

    fn retry(&mut self, now: Duration, random: u32, effects: &mut Vec<Effect>) {
        self.failures += 1;
        let wait = self.limits.wait(self.failures, random);
        if wait.is_zero() {
            self.start(Role::Serving, now, effects);
            return;
        }
        if self.failures == self.limits.crash_loop_failures {
            effects.push(Effect::Log(Notice::CrashLoop(self.failures)));
        }
        effects.push(Effect::Log(Notice::Waiting(wait)));
        let retry_at = now + wait;
        self.retry_at = Some(retry_at);
        if wait >= self.limits.respond_after {
            effects.push(Effect::RespondUnavailable(Some(Outage { failures: self.failures, retry_at })));
        }
    }

    fn replacement_failed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.replaced_at = Some(now);
        self.replacement_failed_before = true;
        effects.push(Effect::Log(Notice::ReplacementFailed));
        self.send_replacement_status(ReplacementStatus::TooSoon, effects);
    }
}

/// The code to leave with; 1 for a signal, as a shell's `128 + n` would be taken for a code of the worker's own.
fn code_of(exit: Option<ProcessExit>) -> u8 {
    match exit {
        Some(ProcessExit::Code(code)) => u8::try_from(code).unwrap_or(1),
        Some(ProcessExit::Signal(_)) | None => 1,
    }
}
