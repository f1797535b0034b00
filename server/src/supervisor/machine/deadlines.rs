//! Transitions at deadlines: workers that hang or do not get ready, drains that time out, pauses that end. The timeouts are in
//! [`SupervisorPolicy`].

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::StopReason;

use super::worker::Termination;
use super::{
    Command, Effect, Machine, Notice, ReplacementStatus, Role, StopSignal, SupervisorPolicy, Worker,
    WorkerNumber,
};

/// Share of the enforced memory limit, in percent, from which a draining worker is stopped in favor of the serving one.
pub(crate) const DRAIN_ABORT_PERCENT: u64 = 97;

impl Worker {
    /// Returns the worker's next deadline.
    pub(super) fn deadline(&self, policy: &SupervisorPolicy) -> Option<Duration> {
        Some(match (self.termination, self.role) {
            (Some(Termination::Killed), _) => return None,
            (Some(Termination::Report(until)), _) | (None, Role::Draining(until)) => until,
            (None, _) if self.ready_at.is_some() => self.heartbeat_deadline(policy),
            (None, _) => self.heartbeat_deadline(policy).min(self.since + policy.start_timeout),
        })
    }

    /// Returns when the worker counts as hung unless it sends a heartbeat before.
    fn heartbeat_deadline(&self, policy: &SupervisorPolicy) -> Duration {
        self.last_heartbeat_at + self.heartbeat_timeout(policy)
    }

    /// Returns the longest time without a heartbeat that is allowed now: longer before the first one.
    fn heartbeat_timeout(&self, policy: &SupervisorPolicy) -> Duration {
        if self.sent_heartbeat {
            policy.hang_timeout
        } else {
            policy.hang_timeout.max(policy.first_heartbeat_timeout)
        }
    }

    pub(super) fn kill(&mut self, effects: &mut Vec<Effect>) {
        self.termination = Some(Termination::Killed);
        effects.push(Effect::Kill(self.number));
    }
}

impl Machine {
    /// Extends all deadlines after the supervisor itself was suspended or got no CPU time: a step that comes much later than it was
    /// due proves nothing about the workers. A step after a long planned pause is not late.
    pub(super) fn compensate_for_stalled_supervisor(&mut self, now: Duration) {
        let half = self.policy.hang_timeout / 2;
        if now.saturating_sub(self.next_due) > half {
            let missed = now.saturating_sub(self.last_step);
            for worker in &mut self.workers {
                worker.since += missed;
                worker.last_heartbeat_at = (worker.last_heartbeat_at + missed).max(now.saturating_sub(half));
            }
        }
        self.last_step = now;
    }

    pub(super) fn record_heartbeat(
        &mut self,
        number: WorkerNumber,
        runtime_polls: u64,
        memory: Bytes,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let limit = self.policy.memory_limit;
        let Some(worker) = self.worker(number) else { return };
        worker.note_growth(memory, now);
        worker.memory = memory;
        worker.record_lowest(memory, limit);
        if worker.ready_at.is_none() {
            worker.start_size = worker.start_size.max(memory);
        }
        // Before it is ready a worker has no runtime yet, so any message counts.
        if worker.runtime_polls != runtime_polls || worker.ready_at.is_none() {
            worker.runtime_polls = runtime_polls;
            worker.last_heartbeat_at = now;
            worker.sent_heartbeat = true;
        }
        self.stop_draining_workers_if_memory_is_short(now, effects);
        self.replace_while_both_fit(number, now, effects);
    }

    /// Stops draining workers early if all workers together are close to the enforced memory limit, or requests wait for room.
    fn stop_draining_workers_if_memory_is_short(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let total_memory = self.workers.iter().fold(0, |sum, worker| sum + u128::from(worker.memory.0));
        let limit = self.policy.enforced_memory_limit;
        let is_short = total_memory * 100 >= u128::from(limit.0) * u128::from(DRAIN_ABORT_PERCENT);
        let others_wait = self.workers.iter().any(|it| it.serves() && it.held_since.is_some());
        if self.workers.len() < 2 || !(is_short || others_wait && self.is_crowded(now)) {
            return;
        }
        let memory = Bytes(u64::try_from(total_memory).unwrap_or(u64::MAX));
        let new_deadline = now + self.policy.report_timeout;
        for worker in &mut self.workers {
            // Short requests have time to finish.
            let grace_is_over = now >= worker.drain_started + self.policy.report_timeout;
            if matches!(worker.role, Role::Draining(until) if until > new_deadline) && grace_is_over {
                worker.role = Role::Draining(new_deadline);
                effects.push(Effect::Log(Notice::DrainCutShort(worker.number, memory, limit)));
                if !worker.cut_requests_short(new_deadline, now, effects) {
                    effects.push(Effect::Send(worker.number, Command::Stop(StopSignal::Terminate, 2)));
                }
            }
        }
    }

    pub(super) fn check_deadlines(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let policy = self.policy;
        if let Some(stopping) = &mut self.stopping
            && stopping.close_front_at.take_if(|at| now >= *at).is_some()
        {
            effects.push(Effect::CloseFront);
        }
        self.end_late_requests(now, effects);
        for worker in &mut self.workers {
            if worker.deadline(&policy).is_none_or(|deadline| now < deadline) {
                continue;
            }
            match worker.role {
                _ if worker.termination.is_some() => worker.kill(effects),
                Role::Draining(until) => {
                    let timeout = until.saturating_sub(worker.drain_started);
                    effects.push(Effect::Log(Notice::DrainTimedOut(worker.number, timeout)));
                    worker.kill(effects);
                }
                Role::Serving | Role::Replacement if now >= worker.heartbeat_deadline(&policy) => {
                    let timeout = worker.heartbeat_timeout(&policy);
                    worker.stop_reason = Some(StopReason::Hung);
                    worker.termination = Some(Termination::Report(now + policy.report_timeout));
                    effects.push(Effect::Log(Notice::Hung(worker.number, timeout)));
                    effects.push(Effect::Send(worker.number, Command::Report));
                }
                Role::Serving | Role::Replacement => {
                    worker.stop_reason = Some(StopReason::Hung);
                    effects.push(Effect::Log(Notice::StartTimedOut(worker.number, policy.start_timeout)));
                    worker.kill(effects);
                }
            }
        }
        if self.stopping.as_ref().is_some_and(|stopping| now >= stopping.until) {
            for worker in
                self.workers.iter_mut().filter(|worker| worker.termination != Some(Termination::Killed))
            {
                effects.push(Effect::Log(Notice::DrainTimedOut(worker.number, policy.drain_timeout)));
                worker.kill(effects);
            }
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry_at = None;
            effects.push(Effect::RespondUnavailable(None));
            for _ in 0..self.missing() {
                self.start(Role::Serving, now, effects);
            }
        }
        if self.replacement_status == Some(ReplacementStatus::RateLimited)
            && now >= self.next_replacement_at()
        {
            self.send_replacement_status(ReplacementStatus::Available, effects);
        }
    }
}
