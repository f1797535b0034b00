//! What follows when a worker is gone.

use std::time::Duration;

use heapbeat_shared::exit::ProcessExit;

use super::{Effect, Machine, Notice, Outage, ReplacementStatus, Role, Worker, WorkerNumber};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Exit codes of a worker for which trying again would not help: its configuration cannot work, or it is not there.
const HOPELESS: [i32; 2] = [2, 127];

impl Machine {
    pub(super) fn ended(
        &mut self,
        number: WorkerNumber,
        exit: ProcessExit,
        now: Duration,
        chance: u32,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.remove(number) else { return };
        effects.push(Effect::Investigate(number, exit, worker.asked));
        self.after(&worker, Some(exit), now, chance, effects);
    }

    /// `exit` is `None` for a worker that never came to be.
    pub(super) fn after(
        &mut self,
        worker: &Worker,
        exit: Option<ProcessExit>,
        now: Duration,
        chance: u32,
        effects: &mut Vec<Effect>,
    ) {
        let code = code_of(exit);
        if let Some(stopping) = &mut self.stopping {
            // Whoever was killed by the supervisor, or ended by the very signal that asked it to, says nothing by its code.
            let told = worker.doom.is_some() || matches!(exit, Some(ProcessExit::Signal(SIGINT | SIGTERM)));
            let code = if told { 0 } else { code };
            stopping.code = stopping.code.max(code);
            if self.workers.is_empty() {
                effects.push(Effect::Exit(stopping.code));
            }
            return;
        }
        match worker.task {
            Role::Serving => {}
            Role::Replacement => return self.replacement_failed(now, effects),
            Role::Leaving(_) => {
                let others = self.with(Role::Serving).is_some() || self.with(Role::Replacement).is_some();
                if !others && self.again_at.is_none() {
                    // It went first to make room.
                    self.replaced_at = Some(now);
                    self.in_turn = true;
                    self.start(Role::Serving, now, effects);
                }
                return;
            }
        }
        if worker.done {
            effects.push(Effect::Exit(code));
            return;
        }
        if matches!(exit, Some(ProcessExit::Code(code)) if HOPELESS.contains(&code)) && !self.proved {
            effects.push(Effect::Exit(code));
            return;
        }
        if let Some(follower) = self.with(Role::Replacement) {
            follower.task = Role::Serving;
            return;
        }
        self.again(now, chance, effects);
    }

    fn again(&mut self, now: Duration, chance: u32, effects: &mut Vec<Effect>) {
        self.failures += 1;
        let wait = self.rules.wait(self.failures, chance);
        if wait.is_zero() {
            self.start(Role::Serving, now, effects);
            return;
        }
        if self.failures == self.rules.loop_of {
            effects.push(Effect::Log(Notice::CrashLoop(self.failures)));
        }
        effects.push(Effect::Log(Notice::Waiting(wait)));
        let again_at = now + wait;
        self.again_at = Some(again_at);
        if wait >= self.rules.worth_saying {
            effects.push(Effect::RespondUnavailable(Some(Outage { failures: self.failures, again_at })));
        }
    }

    fn replacement_failed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.replaced_at = Some(now);
        self.distrust = true;
        effects.push(Effect::Log(Notice::ReplacementFailed));
        self.tell_chance(ReplacementStatus::TooSoon, effects);
    }
}

/// The code to leave with; 1 for a signal, as a shell's `128 + n` would be taken for a code of the worker's own.
fn code_of(exit: Option<ProcessExit>) -> u8 {
    match exit {
        Some(ProcessExit::Code(code)) => u8::try_from(code).unwrap_or(1),
        Some(ProcessExit::Signal(_)) | None => 1,
    }
}
