//! Replacements that begin while another worker still fits beside the old one.
//!
//! At the recycle threshold two copies of most programs do not fit under the limit, so the old one ends first and requests wait for as long
//! as the new one starts. That is nothing for a program that starts in half a second, and an interruption for one that needs five. A program
//! that is known to leak is replaced earlier: at the last moment at which both fit. Otherwise its memory is its own to use.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::usefulness::percent;
use super::{Effect, Machine, Worker, WorkerNumber};

/// Shortest start for which requests should not have to wait.
const NOTICEABLE_START: Duration = Duration::from_secs(1);

/// Share of the limit that the old and the new worker may need together when the old one has exited, in percent; below the recycle threshold,
/// as the growth meanwhile is an estimate.
const BOTH: u64 = 90;

/// Least growth until then, in percent of the limit: a program that is large from the start would be replaced too often.
const LEAST_GROWTH: u64 = 25;

/// Least growth so far from which a rate is known, in percent of the limit.
const KNOWN_GROWTH: u64 = 10;

/// A worker leaks as the one before did if it grows at most so many times as fast or as slowly.
const SIMILAR: u128 = 2;

/// A growth of memory that is not what a worker needs to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GrowthSinceReady {
    bytes: Bytes,
    time: Duration,
}

impl GrowthSinceReady {
    /// Returns the growth within a time, at the same rate.
    fn within(self, time: Duration) -> Bytes {
        let grown = u128::from(self.bytes.0) * time.as_millis() / self.time.as_millis().max(1);
        Bytes(u64::try_from(grown).unwrap_or(u64::MAX))
    }

    fn is_similar(self, other: Self) -> bool {
        let (one, two) = (
            u128::from(self.bytes.0) * other.time.as_millis(),
            u128::from(other.bytes.0) * self.time.as_millis(),
        );
        one <= two * SIMILAR && two <= one * SIMILAR
    }
}

impl Worker {
    /// Returns by how much memory has grown since the worker was ready.
    pub(super) fn growth_since_ready(&self, now: Duration) -> Option<GrowthSinceReady> {
        let bytes = self.memory.saturating_sub(self.lowest?);
        Some(GrowthSinceReady { bytes, time: now.saturating_sub(self.ready_at?) })
    }
}

impl Machine {
    /// Notes how a worker has grown until it was replaced at a threshold, as the next one may grow in the same way.
    pub(super) fn note_leak(&mut self, number: WorkerNumber, now: Duration) {
        let least = percent(self.policy.memory_limit, LEAST_GROWTH);
        let growth = self.worker(number).and_then(|worker| worker.growth_since_ready(now));
        self.last_leak = growth.filter(|growth| growth.bytes >= least).or(self.last_leak);
    }

    /// Replaces a worker that leaks if soon no other one would fit beside it.
    pub(super) fn replace_while_both_fit(
        &mut self,
        number: WorkerNumber,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let may_replace = self.policy.replaces_early
            && self.policy.front.is_some()
            && self.policy.instances == 1
            && self.expected_start() >= NOTICEABLE_START
            && self.stopping.is_none()
            && !self.replacement_failed_before
            && now >= self.next_replacement_at();
        if !may_replace || self.is_replacing() {
            return;
        }
        let limit = self.policy.memory_limit;
        let last_leak = self.last_leak;
        let replaced_in = self.expected_start() + self.expected_drain() + self.policy.poll_interval;
        let Some(worker) = self.worker(number).filter(|worker| worker.serves()) else { return };
        let memory = worker.memory;
        let Some(growth) = worker.growth_since_ready(now) else { return };
        let last_leak = last_leak.filter(|last| growth.is_similar(*last));
        let leaks = worker.is_leaking || last_leak.is_some();
        let (known, least) = (percent(limit, KNOWN_GROWTH), percent(limit, LEAST_GROWTH));
        // A young instance grows faster than it leaks, as it warms up and works off what waited.
        let within =
            |time| last_leak.map_or(growth.within(time), |last| last.within(time).min(growth.within(time)));
        let meanwhile = within(replaced_in);
        if !leaks || growth.bytes < known || growth.bytes.0.saturating_add(meanwhile.0) < least.0 {
            return;
        }
        let both = memory.0.saturating_add(meanwhile.0).saturating_add(self.start_size().0);
        // What it grows until it is looked at again.
        let next = within(self.policy.poll_interval).0;
        if both.saturating_add(next) < percent(limit, BOTH).0 || !self.has_headroom_for_another() {
            return;
        }
        let why = format!(
            "its memory grows ({memory} of {limit}), and later another instance would not fit beside it, so that requests would wait for {} s",
            self.expected_start().as_secs_f32().round()
        );
        self.replace(number, why, now, effects);
    }
}
