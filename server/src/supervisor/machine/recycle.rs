//! From the wish for a fresh worker to its taking over.

use std::time::Duration;

use heapbeat_shared::exit::StopReason;

use super::{Command, Effect, Machine, Notice, ReplacementStatus, Role, Worker, WorkerNumber};
use crate::supervisor::limits::AFTER_DRAIN;

impl Worker {
    /// Whether it takes requests.
    fn serves(&self) -> bool {
        self.task == Role::Serving && self.ready_at.is_some() && self.doom.is_none()
    }
}

impl Machine {
    /// A worker's own ladder wants to be replaced.
    pub(super) fn wanted(
        &mut self,
        number: WorkerNumber,
        why: String,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if !self.worker(number).is_some_and(|worker| worker.serves()) || self.stopping.is_some() {
            return;
        }
        if now < self.possible_at() {
            self.tell_chance(ReplacementStatus::TooSoon, effects);
        } else {
            self.replace(why, now, effects);
        }
    }

    /// Somebody wants the worker replaced, whatever it thinks of it.
    pub(super) fn renew(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.stopping.is_some() {
            return;
        }
        if self.again_at.is_some() {
            // Whatever was wrong has been mended, somebody thinks.
            self.again_at = Some(now);
        } else if self.with(Role::Serving).is_some_and(|worker| worker.serves()) {
            if self.rules.one_at_a_time || self.fits() || self.with(Role::Replacement).is_some() {
                self.replace("asked for".to_owned(), now, effects);
            } else {
                // One that works is not given up for one that has not shown that it does.
                effects.push(Effect::Log(Notice::NoRoomForTwo));
            }
        } else {
            effects.push(Effect::Log(Notice::CannotReplace));
        }
    }

    /// Whether there is room for one more worker.
    fn fits(&self) -> bool {
        if self.rules.one_at_a_time {
            return false;
        }
        let held = self.workers.iter().fold(0_u64, |sum, worker| sum.saturating_add(worker.memory.0));
        held.saturating_add(self.start_size.0) <= self.rules.limit.0
    }

    fn replace(&mut self, why: String, now: Duration, effects: &mut Vec<Effect>) {
        if self.with(Role::Replacement).is_some() {
            self.tell_chance(ReplacementStatus::InProgress, effects);
            return;
        }
        let rules = self.rules;
        if self.fits() {
            effects.push(Effect::Log(Notice::Replacing(why)));
            self.start(Role::Replacement, now, effects);
            self.tell_chance(ReplacementStatus::InProgress, effects);
            return;
        }
        if self.distrust && !rules.one_at_a_time {
            effects.push(Effect::Log(Notice::NoRoomForTwo));
            self.replaced_at = Some(now);
            self.tell_chance(ReplacementStatus::TooSoon, effects);
            return;
        }
        // Two would not fit. Whoever connects meanwhile waits in the kernel's queue.
        effects.push(Effect::Log(Notice::OneAfterTheOther(why)));
        if let Some(worker) = self.with(Role::Serving) {
            worker.left_at = now;
            worker.task = Role::Leaving(now + rules.short_drain + rules.last_report);
            worker.asked = Some(StopReason::Recycle);
            effects.push(Effect::Send(worker.number, Command::HandOver(rules.short_drain)));
        }
    }

    pub(super) fn ready(&mut self, number: WorkerNumber, now: Duration, effects: &mut Vec<Effect>) {
        let rules = self.rules;
        let Some(worker) = self.worker(number) else { return };
        if worker.ready_at.is_some() {
            return;
        }
        (worker.ready_at, worker.alive_at, worker.heard) = (Some(now), now, true);
        let (task, size) = (worker.task, worker.memory);
        self.proved = true;
        self.distrust = false;
        self.learn_size(size);
        let in_turn = std::mem::take(&mut self.in_turn);
        if task == Role::Replacement || in_turn {
            effects.push(Effect::Log(Notice::Replaced(number)));
        }
        if task == Role::Replacement {
            if let Some(old) = self.with(Role::Serving) {
                old.left_at = now;
                old.task = Role::Leaving(now + rules.drain);
                if old.doom.is_none() {
                    old.asked = Some(StopReason::Recycle);
                    effects.push(Effect::Send(
                        old.number,
                        Command::HandOver(rules.drain.saturating_sub(AFTER_DRAIN)),
                    ));
                }
            }
            if let Some(worker) = self.worker(number) {
                worker.task = Role::Serving;
            }
            self.replaced_at = Some(now);
        }
        self.told = None;
        let chance =
            if now < self.possible_at() { ReplacementStatus::TooSoon } else { ReplacementStatus::Available };
        self.tell_chance(chance, effects);
    }

    /// When the guard may ask for a replacement again.
    pub(super) fn possible_at(&self) -> Duration {
        self.replaced_at.map_or(Duration::ZERO, |at| at + self.rules.recycle_again)
    }

    pub(super) fn tell_chance(&mut self, chance: ReplacementStatus, effects: &mut Vec<Effect>) {
        let Some(worker) = self.with(Role::Serving) else { return };
        effects.push(Effect::Send(worker.number, Command::Replacement(chance)));
        self.told = Some(chance);
    }
}
