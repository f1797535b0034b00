//! Transitions at deadlines: hung workers, drains that time out, pauses that end.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::StopReason;

use super::{
    Command, Effect, Limits, Machine, Notice, ReplacementStatus, Role, StopSignal, Termination, Worker,
    WorkerNumber,
};

/// Share of the enforced limit, in percent, from which a draining worker is stopped in favor of the serving one.
const NO_ROOM_PERCENT: u128 = 97;

impl Worker {
    /// Returns the worker's next deadline.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Duration> {
        Some(match (self.termination, self.role) {
            (Some(Termination::Killed), _) => return None,
            (Some(Termination::Report(until)), _) | (None, Role::Leaving(until)) => until,
            (None, _) if self.ready_at.is_some() => self.silent_at(limits),
            (None, _) => self.silent_at(limits).min(self.since + limits.start),
        })
    }

    /// Returns when the worker counts as hung unless it gives a sign of life before.
    fn silent_at(&self, limits: &Limits) -> Duration {
        self.alive_at
            + if self.sent_heartbeat { limits.hang } else { limits.hang.max(limits.first_heartbeat) }
    }
}

impl Machine {
    /// Gives all workers more time if the supervisor itself was stopped or starved: a step that comes much later than it was due says
    /// nothing about the workers. A step after a long planned pause is not late.
    pub(super) fn excuse_delay(&mut self, now: Duration) {
        let half = self.limits.hang / 2;
        if now.saturating_sub(self.next_due) > half {
            let missed = now.saturating_sub(self.last_step);
            for worker in &mut self.workers {
                worker.since += missed;
                worker.alive_at = (worker.alive_at + missed).max(now.saturating_sub(half));
            }
        }
        self.last_step = now;
    }

    pub(super) fn heartbeat(
        &mut self,
        number: WorkerNumber,
        turns: u64,
        memory: Bytes,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.worker(number) else { return };
        worker.memory = memory;
        // Before it is ready a worker has no runtime whose turns could be counted; then a message is a sign of life.
        if worker.turns != turns || worker.ready_at.is_none() {
            worker.turns = turns;
            worker.alive_at = now;
            worker.sent_heartbeat = true;
        }
        self.make_room(now, effects);
    }

    /// Stops draining workers early if there is no room for all workers.
    fn make_room(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let together = self.workers.iter().fold(0, |sum, worker| sum + u128::from(worker.memory.0));
        if together * 100 < u128::from(self.limits.enforced.0) * NO_ROOM_PERCENT || self.workers.len() < 2 {
            return;
        }
        let soon = now + self.limits.last_report;
        for worker in &mut self.workers {
            // Short requests may still finish.
            let had_its_moment = now >= worker.drain_started + self.limits.last_report;
            if matches!(worker.role, Role::Leaving(until) if until > soon) && had_its_moment {
                worker.role = Role::Leaving(soon);
                effects.push(Effect::Log(Notice::KilledForRoom(worker.number)));
                effects.push(Effect::Send(worker.number, Command::Stop(StopSignal::Terminate, 2)));
            }
        }
    }

    pub(super) fn check_deadlines(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let limits = self.limits;
        for worker in &mut self.workers {
            if worker.deadline(&limits).is_none_or(|deadline| now < deadline) {
                continue;
            }
            match worker.role {
                _ if worker.termination.is_some() => worker.kill(effects),
                Role::Leaving(_) => {
                    effects.push(Effect::Log(Notice::DrainTimedOut(worker.number)));
                    worker.kill(effects);
                }
                Role::Serving | Role::Replacement if now >= worker.silent_at(&limits) => {
                    worker.stop_reason = Some(StopReason::Hung);
                    worker.termination = Some(Termination::Report(now + limits.last_report));
                    effects.push(Effect::Log(Notice::Hung(worker.number)));
                    effects.push(Effect::Send(worker.number, Command::Report));
                }
                Role::Serving | Role::Replacement => {
                    worker.stop_reason = Some(StopReason::Hung);
                    effects.push(Effect::Log(Notice::StartTimedOut(worker.number)));
                    worker.kill(effects);
                }
            }
        }
        if self.stopping.as_ref().is_some_and(|stopping| now >= stopping.until) {
            for worker in
                self.workers.iter_mut().filter(|worker| worker.termination != Some(Termination::Killed))
            {
                effects.push(Effect::Log(Notice::DrainTimedOut(worker.number)));
                worker.kill(effects);
            }
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = None;
            effects.push(Effect::RespondUnavailable(None));
            self.start(Role::Serving, now, effects);
        }
        if self.replacement_status == Some(ReplacementStatus::TooSoon) && now >= self.next_replacement_at() {
            self.send_replacement_status(ReplacementStatus::Available, effects);
        }
    }
}

impl Worker {
    pub(super) fn kill(&mut self, effects: &mut Vec<Effect>) {
        self.termination = Some(Termination::Killed);
        effects.push(Effect::Kill(self.number));
    }
}

impl Machine {
    /// Records the memory of a worker that got ready, to know the room for the next one.
    pub(super) fn record_start_size(&mut self, memory: Bytes) {
        self.start_size = self.start_size.max(memory);
    }
}
