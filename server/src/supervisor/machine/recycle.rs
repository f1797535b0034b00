//! Transitions from the request of a replacement until it has taken over.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::StopReason;

use super::usefulness::Usefulness;
use super::worker::Growth;
use super::{
    Command, Effect, Machine, Notice, OneAtATime, ReplacementStatus, Role, Succession, Worker, WorkerNumber,
};
use crate::supervisor::policy::{AFTER_DRAIN, FRONT_RECYCLE_INTERVAL};

/// Age of a reading of memory from which it is not that of this moment, of a process that is still starting.
const FRESH_FOR: Duration = Duration::from_millis(100);

/// Why a worker is replaced that the operator wants to be replaced.
const OPERATOR: &str = "requested by the operator";

/// How long before the limit a replacement begins that may refuse connections, if requests wait meanwhile, and at most.
const REPLACEMENT_TIME: Duration = Duration::from_secs(10);
const LATE_REPLACEMENT_TIME: Duration = Duration::from_secs(1);
const MAX_REPLACEMENT_TIME: Duration = Duration::from_secs(20);

/// How long before the limit a replacement should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplacementTime {
    /// While the workers that serve need at most `fits_up_to` together, so that another one fits beside them.
    pub beside: Duration,
    /// The most memory of those workers with which another one fits.
    pub fits_up_to: Bytes,
    /// When they need more: nothing is won by beginning early, as requests wait in any case.
    pub late: Duration,
}

impl ReplacementTime {
    /// The same time, whether another worker fits or not.
    pub const fn fixed(time: Duration) -> Self {
        ReplacementTime { beside: time, fits_up_to: Bytes::ZERO, late: time }
    }

    /// Whether another worker fits beside those that need so much.
    pub fn fits_beside(&self, memory: Bytes) -> bool {
        memory <= self.fits_up_to
    }

    /// Returns the time for workers that need so much. It is judged by the memory that the request for a replacement is judged by: with an
    /// older figure one could be requested early to run beside, and then find no room and make requests wait for nothing.
    pub fn at(&self, memory: Bytes) -> Duration {
        if self.fits_beside(memory) { self.beside } else { self.late }
    }
}

impl Worker {
    /// Notes by how much the worker's memory has grown since it was last compared, half a second ago or more.
    pub(super) fn note_growth(&mut self, memory: Bytes, now: Duration) {
        let since = now.saturating_sub(self.growth.compared_at);
        if since >= Duration::from_millis(500) {
            let grown = u128::from(memory.saturating_sub(self.growth.memory).0) * 1000 / since.as_millis();
            let measured = Bytes(u64::try_from(grown).unwrap_or(u64::MAX));
            // While it gets no requests, it does not show how it grows when it gets them.
            let per_second = if self.held_since.is_some() { self.growth.per_second } else { measured };
            self.growth = Growth { per_second, compared_at: now, memory };
        }
    }

    /// Whether the worker serves requests.
    pub(super) fn serves(&self) -> bool {
        self.role == Role::Serving && self.ready_at.is_some() && self.termination.is_none()
    }
}

impl Machine {
    /// Handles a recycle requested by the worker's ladder.
    pub(super) fn recycle_requested(
        &mut self,
        number: WorkerNumber,
        why: String,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if !self.worker(number).is_some_and(|worker| worker.serves()) || self.stopping.is_some() {
            return;
        }
        if now < self.next_replacement_at() {
            self.send_replacement_status(ReplacementStatus::RateLimited, effects);
        } else if self.is_replacing() {
            self.send_replacement_status(ReplacementStatus::InProgress, effects);
        } else {
            let judged = self.judge_replacement(number, &why, now, effects);
            if judged != Usefulness::Doubtful {
                self.replace_at_threshold(number, judged, why, now, effects);
            }
        }
    }

    /// Handles a replacement requested by the operator.
    pub(super) fn replace_requested(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.stopping.is_some() {
            return;
        }
        if self.retry_at.is_some() {
            // The operator may have fixed the cause, so the next attempt is immediate.
            self.retry_at = Some(now);
        } else if self.policy.instances > 1 {
            let serving = self.workers.iter().filter(|worker| worker.serves());
            self.to_replace = serving.map(|worker| worker.number).collect();
        } else if let Some(number) =
            self.worker_with_role(Role::Serving).filter(|worker| worker.serves()).map(|it| it.number)
        {
            // Behind a front requests wait, as they do when the guard itself replaces a worker that leaves no room for another one. Without
            // it, a running worker is not drained for a replacement that may fail to start.
            let may_drain_first = self.policy.one_at_a_time || self.policy.front.is_some();
            if may_drain_first
                || self.has_headroom_for_another()
                || self.worker_with_role(Role::Replacement).is_some()
            {
                self.replace(number, OPERATOR.to_owned(), now, effects);
            } else {
                effects.push(Effect::Log(Notice::TooLittleHeadroom));
            }
        } else {
            effects.push(Effect::Log(Notice::CannotReplace));
        }
    }

    /// Replaces the next worker of those that the operator wants to be replaced.
    pub(super) fn continue_replacing(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.stopping.is_some() || self.to_replace.is_empty() || self.is_replacing() {
            return;
        }
        while let Some(number) = self.to_replace.pop_front() {
            if self.worker(number).is_some_and(|worker| worker.serves()) {
                return self.replace(number, OPERATOR.to_owned(), now, effects);
            }
        }
    }

    /// Whether a worker is being replaced, or of several one is starting: they are replaced one by one.
    pub(super) fn is_replacing(&self) -> bool {
        self.workers.iter().any(|worker| match worker.role {
            Role::Replacement => true,
            Role::Draining(_) => worker.succession == Succession::DrainsFirst,
            Role::Serving => self.policy.instances > 1 && worker.ready_at.is_none(),
        })
    }

    /// Whether the memory limit has headroom for another worker.
    pub(super) fn has_headroom_for_another(&self) -> bool {
        if self.policy.one_at_a_time {
            return false;
        }
        let total_memory = self.workers.iter().fold(0_u64, |sum, worker| sum.saturating_add(worker.memory.0));
        // Behind a front one can follow the other without a refused request, so both need to fit until the old one has exited.
        let growth = if self.policy.front.is_some() { self.growth_until_replaced() } else { Bytes::ZERO };
        total_memory.saturating_add(self.start_size().0).saturating_add(growth.0)
            <= self.policy.memory_limit.0
    }

    /// Returns how long before the limit a replacement should begin. Where another worker fits, that is when it only just does, so that it
    /// can get ready meanwhile; where none fits, requests wait from the begin of the replacement on, and it may be late.
    pub fn replacement_time(&self) -> ReplacementTime {
        if self.policy.front.is_none() {
            return ReplacementTime::fixed(REPLACEMENT_TIME);
        }
        if !self.has_headroom_for_another() {
            return ReplacementTime::fixed(LATE_REPLACEMENT_TIME);
        }
        let taken = self.workers.iter().filter(|worker| !worker.serves());
        let taken = taken.fold(self.start_size(), |sum, it| Bytes(sum.0.saturating_add(it.memory.0)));
        let taken = Bytes(taken.0.saturating_add(self.growth_until_replaced().0));
        let growth = self.workers.iter().fold(0, |sum: u64, it| sum.saturating_add(it.growth.per_second.0));
        let room = self.start_size().0.checked_div(growth).unwrap_or(0);
        let replaced_in = self.expected_start() + self.expected_drain();
        let time = replaced_in + Duration::from_secs(room) + 2 * self.policy.poll_interval;
        ReplacementTime {
            beside: time.min(MAX_REPLACEMENT_TIME),
            fits_up_to: self.policy.memory_limit.saturating_sub(taken),
            late: LATE_REPLACEMENT_TIME,
        }
    }

    /// Returns by how much the memory of all workers grows, since it was measured a moment ago, while another one starts and the one that it
    /// replaces drains: then the new one grows instead.
    fn growth_until_replaced(&self) -> Bytes {
        let time = self.expected_start() + self.expected_drain() + self.policy.poll_interval;
        let grown = self.workers.iter().map(|worker| worker.growth.within(time));
        Bytes(grown.fold(0_u64, |sum, growth| sum.saturating_add(growth.0)))
    }

    /// Replaces a worker that has reached a threshold.
    pub(super) fn replace_at_threshold(
        &mut self,
        number: WorkerNumber,
        judged: Usefulness,
        why: String,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.count_young_replacement(number, judged, now);
        self.note_leak(number, now);
        self.replace(number, why, now, effects);
    }

    pub(super) fn replace(
        &mut self,
        number: WorkerNumber,
        why: String,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.worker_with_role(Role::Replacement).is_some() {
            self.send_replacement_status(ReplacementStatus::InProgress, effects);
            return;
        }
        let policy = self.policy;
        if self.has_headroom_for_another() {
            effects.push(Effect::Log(Notice::Replacing(why)));
            let replacement = self.start(Role::Replacement, now, effects);
            if let Some(replacement) = self.worker(replacement) {
                replacement.replaces = Some(number);
            }
            self.send_replacement_status(ReplacementStatus::InProgress, effects);
            return;
        }
        if self.replacement_failed_before && !policy.one_at_a_time {
            effects.push(Effect::Log(Notice::TooLittleHeadroom));
            self.replaced_at = Some(now);
            self.send_replacement_status(ReplacementStatus::RateLimited, effects);
            return;
        }
        // The socket stays open, so connections wait in the kernel's queue meanwhile, unless the program has its own.
        let cause = match (policy.one_at_a_time, policy.front.is_some()) {
            (false, false) => OneAtATime::Memory,
            (false, true) => OneAtATime::MemoryHeld,
            (true, false) => OneAtATime::Port,
            (true, true) => OneAtATime::Held,
        };
        let start_time = self.start_times.latest().unwrap_or_default();
        effects.push(Effect::Log(Notice::DrainingFirst(why, cause)));
        if let Some(worker) = self.worker(number) {
            worker.stop_reason = Some(StopReason::Recycle);
            worker.succession = Succession::DrainsFirst;
            if let Some(front) = policy.front {
                let held = policy.drain_while_held(front.hold, start_time);
                let kill_at = now + held.requests + held.stop + policy.report_timeout;
                return worker.begin_hand_over(held, kill_at, now, effects);
            }
            worker.drain_started = now;
            worker.role = Role::Draining(now + policy.short_drain_timeout + policy.report_timeout);
            effects.push(Effect::Send(worker.number, Command::HandOver(policy.short_drain_timeout)));
        }
    }

    pub(super) fn ready(&mut self, number: WorkerNumber, now: Duration, effects: &mut Vec<Effect>) {
        let policy = self.policy;
        let is_stopping = self.stopping.is_some();
        let Some(worker) = self.worker(number) else { return };
        if worker.ready_at.is_some() {
            return;
        }
        let measured_now = now.saturating_sub(worker.last_heartbeat_at) < FRESH_FOR;
        (worker.ready_at, worker.last_heartbeat_at, worker.sent_heartbeat) = (Some(now), now, true);
        if measured_now {
            worker.record_lowest(worker.memory, policy.memory_limit);
        }
        let (role, size, start_time) = (worker.role, worker.memory, now.saturating_sub(worker.since));
        let follows_drained = worker.succession == Succession::FollowsDrained;
        let (replaces, start_size) = (worker.replaces, worker.start_size);
        // During a stop, while requests are awaited.
        let may_serve = !is_stopping || worker.request_drain.is_some();
        // Where memory is short requests wait until the old worker has exited.
        let waits = role == Role::Replacement && self.is_crowded(now);
        self.any_worker_was_ready = true;
        self.start_times.record(start_time);
        if policy.front.is_some() {
            // What was refused belonged to the memory of the one before.
            self.shed = 0;
            effects.push(Effect::Log(Notice::Started(number, start_time)));
            effects.extend((may_serve && !waits).then_some(Effect::Activate(number)));
        }
        self.forget_failures_before_the_stop();
        self.replacement_failed_before = false;
        self.start_sizes.record(size.max(start_size));
        if role == Role::Replacement || follows_drained {
            effects.push(Effect::Log(Notice::Replaced(number)));
        }
        if role == Role::Replacement {
            let old = replaces.and_then(|number| self.worker(number));
            let before = old.as_ref().map(|old| (old.growth.per_second, old.held_since));
            if let Some(old) = old.filter(|old| old.role == Role::Serving) {
                old.drain_started = now;
                old.role = Role::Draining(now + policy.drain_timeout);
                if old.termination.is_none() && policy.front.is_some() {
                    old.stop_reason = Some(StopReason::Recycle);
                    old.begin_hand_over(policy.full_drain(), now + policy.drain_timeout, now, effects);
                } else if old.termination.is_none() {
                    old.stop_reason = Some(StopReason::Recycle);
                    effects.push(Effect::Send(
                        old.number,
                        Command::HandOver(policy.drain_timeout.saturating_sub(AFTER_DRAIN)),
                    ));
                }
            }
            if let Some(worker) = self.worker(number) {
                worker.role = Role::Serving;
                let (per_second, held_since) = before.unwrap_or((worker.growth.per_second, None));
                // It gets the requests by which the old one grew.
                worker.growth = Growth { per_second, compared_at: now, memory: size };
                worker.held_since = waits.then_some(held_since.unwrap_or(now));
            }
            self.replaced_at = Some(now);
        }
        self.replacement_status = None;
        let status = if now < self.next_replacement_at() {
            ReplacementStatus::RateLimited
        } else {
            ReplacementStatus::Available
        };
        self.send_replacement_status(status, effects);
    }

    /// Returns when the guard may request a replacement again.
    pub(super) fn next_replacement_at(&self) -> Duration {
        let costs_nothing = self.policy.front.is_some() && !self.replacement_failed_before;
        let interval = if costs_nothing { FRONT_RECYCLE_INTERVAL } else { self.policy.recycle_interval };
        self.replaced_at.map_or(Duration::ZERO, |at| at + interval)
    }

    pub(super) fn send_replacement_status(&mut self, status: ReplacementStatus, effects: &mut Vec<Effect>) {
        let Some(worker) = self.worker_with_role(Role::Serving) else { return };
        effects.push(Effect::Send(worker.number, Command::Replacement(status)));
        self.replacement_status = Some(status);
    }
}
