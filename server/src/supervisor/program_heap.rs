//! When the heap of a runtime is full: long before the memory limit, a runtime can give up at a limit of its own. Pure.
//!
//! Used bytes alone say little, as a runtime collects garbage late and lets its heap fill up meanwhile. So a process whose heap fills up
//! is asked for a full collection first, and only what is used after it is judged. A process that does not answer is one whose
//! collections take all of its time, or that is busy otherwise; both are judged by the last figures after a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use heapbeat_shared::Bytes;

use super::agent_link::ProcessHeap;

/// Share of its limit from which a heap is full if a collection has just run, in percent.
const FULL_PERCENT: u64 = 85;

/// Share of its limit above which a heap that grows fast is full, in percent.
const GROWING_PERCENT: u64 = 65;

/// A heap that grows fast is full if it reaches its limit within this time.
const REACHES_LIMIT_WITHIN: Duration = Duration::from_secs(10);

/// Number of figures that are kept for the speed of growth, one a second.
const MAX_FIGURES: usize = 8;

/// Least limit of a runtime that is believed; the smallest that V8 starts with is larger.
const LEAST_LIMIT: Bytes = Bytes(8 << 20);

/// By how much a heap may be larger than what its process holds, as both are read at different times: a quarter, and this.
const TOLERANCE: u64 = 16 << 20;

/// Time for the answer to a request for a collection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between two collections of a process, doubled each time that one found garbage.
const MIN_PAUSE: Duration = Duration::from_secs(10);
const MAX_PAUSE: Duration = Duration::from_secs(160);

/// Whether the figures of a heap that would matter can be true. A program may send what it likes; it should not have itself replaced by what
/// it invents. `held` is asked what the process holds in memory, only where the heap is nearly full.
pub(super) fn is_plausible(heap: &ProcessHeap, held: impl FnOnce() -> Option<Bytes>) -> bool {
    let (Some(used), Some(limit)) = (heap.used, heap.limit) else { return true };
    if limit < LEAST_LIMIT {
        return false;
    }
    let matters = is_share(used, limit, GROWING_PERCENT);
    let fits = |held: Bytes| used.0 <= held.0.saturating_add(held.0 / 4).saturating_add(TOLERANCE);
    !matters || held().is_none_or(fits)
}

/// A heap that is full though a collection has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FullHeap {
    pub(super) pid: u32,
    pub(super) runtime: String,
    pub(super) used: Bytes,
    pub(super) limit: Bytes,
    /// Whether the process has answered the request for a collection.
    pub(super) answered: bool,
}

impl FullHeap {
    /// Describes it as a reason.
    pub(super) fn describe(&self) -> String {
        let FullHeap { pid, runtime, used, limit, answered } = self;
        let after = if *answered { "after a full collection" } else { "and does not answer" };
        format!("the heap of process {pid} ({runtime}) has {used} of at most {limit} in use {after}")
    }
}

/// The state of the heaps of one instance.
#[derive(Clone, Debug, Default)]
pub(super) struct HeapWatch {
    processes: BTreeMap<u32, WatchedHeap>,
}

/// The state of one heap.
#[derive(Clone, Debug, Default)]
struct WatchedHeap {
    /// The last used bytes, oldest first.
    figures: Vec<(Instant, Bytes)>,
    /// The last request for a collection.
    requested: Option<Request>,
    /// Number of consecutive collections that found the heap not to be full.
    fruitless: u32,
    /// Whether the last collection found the heap to be full.
    is_full: bool,
}

/// A request for a collection.
#[derive(Clone, Copy, Debug)]
struct Request {
    at: Instant,
    /// Used bytes before, and their growth in the time that figures are kept for.
    used: Bytes,
    growth: Bytes,
    /// When the answer came, and the used bytes after the collection, if the answer has them.
    answered: Option<(Instant, Option<Bytes>)>,
    /// Whether it has been judged.
    is_done: bool,
}

impl HeapWatch {
    /// Notes that a process has run a collection that was requested, after which `used` bytes were left.
    pub(super) fn record_collection(&mut self, pid: u32, used: Option<Bytes>, now: Instant) {
        let requested = self.processes.get_mut(&pid).and_then(|watched| watched.requested.as_mut());
        if let Some(request) = requested.filter(|request| request.answered.is_none()) {
            request.answered = Some((now, used));
        }
    }

    /// Returns the processes to request a collection from, and the fullest heap that is full.
    pub(super) fn step(&mut self, heaps: &[ProcessHeap], now: Instant) -> (Vec<u32>, Option<FullHeap>) {
        self.processes.retain(|pid, _| heaps.iter().any(|heap| heap.pid == *pid));
        let mut requests = Vec::new();
        let mut full: Option<FullHeap> = None;
        for heap in heaps {
            let (Some(used), Some(limit)) = (heap.used, heap.limit.filter(|limit| *limit > Bytes::ZERO))
            else {
                continue;
            };
            let watched = self.processes.entry(heap.pid).or_default();
            watched.add_figure(heap.at, used);
            watched.judge(used, limit, heap.at, now);
            if watched.is_request_due(used, limit, now) {
                requests.push(heap.pid);
                watched.requested =
                    Some(Request { at: now, used, growth: watched.growth(), answered: None, is_done: false });
            }
            let share = |it: &FullHeap| it.used.0 as f64 / it.limit.0 as f64;
            let answered = watched.requested.is_some_and(|request| request.answered.is_some());
            let this = FullHeap { pid: heap.pid, runtime: heap.runtime.clone(), used, limit, answered };
            if watched.is_full && full.as_ref().is_none_or(|other| share(other) < share(&this)) {
                full = Some(this);
            }
        }
        (requests, full)
    }
}

impl WatchedHeap {
    fn add_figure(&mut self, at: Instant, used: Bytes) {
        if self.figures.last().is_some_and(|(last, _)| *last >= at) {
            return;
        }
        if self.figures.len() == MAX_FIGURES {
            self.figures.remove(0);
        }
        self.figures.push((at, used));
    }

    /// Judges the figures after a collection, or the last ones if the request was not answered in time.
    fn judge(&mut self, used: Bytes, limit: Bytes, at: Instant, now: Instant) {
        self.is_full &= is_share(used, limit, GROWING_PERCENT);
        let reaches_limit_soon = self.reaches_limit_soon(limit);
        let Some(request) = self.requested.as_mut().filter(|request| !request.is_done) else { return };
        let told = request.answered.and_then(|(_, used)| used);
        let is_measured = told.is_some() || request.answered.is_some_and(|(answered, _)| at > answered);
        let is_late = request.answered.is_none() && now.duration_since(request.at) >= ANSWER_TIMEOUT;
        if !is_measured && !is_late {
            return;
        }
        request.is_done = true;
        let used = told.unwrap_or(used);
        // Growth that a collection takes back was garbage.
        let freed = request.used.saturating_sub(used);
        let growth_is_live = is_measured && freed.0 < request.growth.0 / 2;
        self.is_full = is_share(used, limit, FULL_PERCENT)
            || (reaches_limit_soon && growth_is_live && is_share(used, limit, GROWING_PERCENT));
        self.fruitless = if self.is_full { 0 } else { self.fruitless.saturating_add(1) };
    }

    fn is_request_due(&self, used: Bytes, limit: Bytes, now: Instant) -> bool {
        let pause = MIN_PAUSE.saturating_mul(1 << self.fruitless.min(8)).min(MAX_PAUSE);
        let has_rested =
            self.requested.is_none_or(|request| request.is_done && now.duration_since(request.at) >= pause);
        has_rested
            && (is_share(used, limit, FULL_PERCENT)
                || (is_share(used, limit, GROWING_PERCENT) && self.reaches_limit_soon(limit)))
    }

    /// Growth since the least of the figures that are kept.
    fn growth(&self) -> Bytes {
        let least = self.figures.iter().map(|(_, used)| *used).min().unwrap_or_default();
        self.figures.last().map_or(Bytes::ZERO, |(_, used)| used.saturating_sub(least))
    }

    /// Whether the heap grew in each of the last figures, and fast enough to reach the limit soon.
    fn reaches_limit_soon(&self, limit: Bytes) -> bool {
        let (Some((first_at, first)), Some((last_at, last))) = (self.figures.first(), self.figures.last())
        else {
            return false;
        };
        let span = last_at.duration_since(*first_at);
        let growth = last.saturating_sub(*first).0 as f64;
        let left = limit.saturating_sub(*last).0 as f64;
        self.figures.len() >= 4
            && growth > 0.0
            && left / growth * span.as_secs_f64() <= REACHES_LIMIT_WITHIN.as_secs_f64()
    }
}

fn is_share(used: Bytes, limit: Bytes, percent: u64) -> bool {
    u128::from(used.0) * 100 >= u128::from(limit.0) * u128::from(percent)
}

#[cfg(test)]
mod tests;
