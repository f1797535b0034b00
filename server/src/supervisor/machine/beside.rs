//! Two workers under one memory limit: one starts beside the one that serves, which keeps its memory until it has exited.
//!
//! What both need together, with the growth until the old worker has exited, is estimated when the replacement begins. The estimate can fail:
//! on a busy machine a start takes longer than those before, and requests in flight outlast those before them. Then new requests wait until
//! there is room again, as they would have without another worker beside: where memory grows, it grows by requests.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::Bytes;

use super::{Effect, Machine, Role, Succession, Worker};

/// Number of starts and drains that are remembered: one that was unusually long, or needed unusually much memory, is forgotten.
const REMEMBERED: usize = 4;

/// Time of a drain before there was one.
const FIRST_DRAIN: Duration = Duration::from_secs(1);

/// Time for which memory must be able to grow on below the limit; else requests wait. Near the limit it is measured ten times a second, but
/// requests in flight go on, and those that waited are passed on faster than they arrived.
const AHEAD: Duration = Duration::from_secs(1);

/// What was measured the last few times.
#[derive(Debug)]
pub(super) struct Recent<T>(VecDeque<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent(VecDeque::new())
    }
}

impl<T: Ord + Copy> Recent<T> {
    pub(super) fn record(&mut self, measured: T) {
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front(measured);
    }

    pub(super) fn latest(&self) -> Option<T> {
        self.0.front().copied()
    }

    fn largest(&self) -> Option<T> {
        self.0.iter().max().copied()
    }
}

impl Machine {
    /// Returns the memory that a worker is expected to need until it is ready.
    pub(super) fn start_size(&self) -> Bytes {
        self.start_sizes.largest().unwrap_or_default()
    }

    /// Returns how long a worker is expected to take from its start until it is ready.
    pub(super) fn expected_start(&self) -> Duration {
        self.start_times.largest().unwrap_or_default()
    }

    /// Returns how long a worker is expected to take from the beginning of its drain until it has exited: at most as long as it would get
    /// if the next one were started after it.
    pub(super) fn expected_drain(&self) -> Duration {
        self.drain_times.largest().unwrap_or(FIRST_DRAIN).min(self.policy.short_drain_timeout)
    }

    /// Notes how long a worker has drained that was replaced and has exited now.
    pub(super) fn note_drain(&mut self, worker: &Worker, now: Duration) {
        if matches!(worker.role, Role::Draining(_)) && self.stopping.is_none() {
            self.drain_times.record(now.saturating_sub(worker.drain_started));
        }
    }

    /// Whether the memory of two workers that run beside each other would soon pass the limit. Of several that serve only one would get no
    /// more requests, and the others would get all of them.
    pub(super) fn is_crowded(&self, now: Duration) -> bool {
        let beside = |it: &Worker| match it.role {
            Role::Replacement => true,
            Role::Draining(_) => it.succession != Succession::DrainsFirst,
            Role::Serving => false,
        };
        if self.policy.front.is_none() || self.policy.instances > 1 || !self.workers.iter().any(beside) {
            return false;
        }
        let start_size = self.start_size();
        let needs = self.workers.iter().map(|worker| {
            if worker.ready_at.is_none() { worker.memory.max(start_size) } else { worker.memory }
        });
        let total = needs.fold(0_u64, |sum, memory| sum.saturating_add(memory.0));
        let serving = self.workers.iter().filter(|worker| worker.serves());
        let growth = serving.fold(0_u64, |sum, worker| {
            // What waits is served at once when it is passed on, and is not to wait again a moment later.
            let waits = worker.held_since.map_or(Duration::ZERO, |since| now.saturating_sub(since) + AHEAD);
            sum.saturating_add(worker.growth.within(AHEAD + waits).0)
        });
        total.saturating_add(growth) > self.policy.memory_limit.0
    }

    /// Passes requests on that waited for room, when a worker has exited.
    pub(super) fn end_hold_if_there_is_room(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.is_crowded(now) {
            return;
        }
        let held = self.workers.iter().find(|worker| worker.serves() && worker.held_since.is_some());
        if let Some(number) = held.map(|worker| worker.number) {
            self.end_hold(number, effects);
        }
    }
}
