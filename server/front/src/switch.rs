//! The switch between copies of the program: new requests go to the active ones, others finish what is in flight.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::PoolLimits;
use crate::memory::MemoryRoom;
use crate::pool::{InFlight, UpstreamPool};
use crate::statistics::RouteName;
use crate::upstream::Upstream;

/// Copies that are remembered. Only those with requests in flight are, so this many replacements may drain at the same time.
const MAX_COPIES: usize = 64;

/// The active copies, and those that drain.
#[derive(Debug)]
pub(crate) struct Switch {
    limits: PoolLimits,
    memory: Arc<MemoryRoom>,
    active: watch::Sender<Vec<Arc<UpstreamPool>>>,
    copies: Mutex<Vec<Arc<UpstreamPool>>>,
    /// Where the search for the least busy copy begins, so that equally busy ones take turns.
    turn: AtomicUsize,
}

impl Switch {
    pub(crate) fn new(limits: PoolLimits, memory: Arc<MemoryRoom>) -> Self {
        let active = watch::channel(Vec::new()).0;
        Switch { limits, memory, active, copies: Mutex::default(), turn: AtomicUsize::new(0) }
    }

    /// Sends new requests to `upstream` as well.
    pub(crate) fn activate(&self, upstream: Upstream) {
        let mut copies = self.copies();
        let known = copies.iter().find(|copy| *copy.upstream() == upstream).cloned();
        let pool = known.unwrap_or_else(|| {
            let pool = UpstreamPool::new(upstream, self.limits.clone(), Arc::clone(&self.memory));
            if copies.len() == MAX_COPIES {
                copies.remove(0).abort();
            }
            copies.push(Arc::clone(&pool));
            pool
        });
        pool.restore();
        self.active.send_modify(|active| {
            if !contains(active, &pool) {
                active.push(Arc::clone(&pool));
            }
        });
        copies.retain(|copy| copy.in_flight() > 0 || contains(&self.active.borrow(), copy));
    }

    /// Makes new requests wait; the active copies drain.
    pub(crate) fn deactivate(&self) {
        for before in self.active.send_replace(Vec::new()) {
            before.retire();
        }
    }

    /// Sends no new requests to the copy, and closes its idle connections. They wait if no other one is active.
    pub(crate) fn drain(&self, id: u64) {
        self.each(id, UpstreamPool::plan_end);
        self.retire(id);
    }

    /// The same for a copy that goes on, or has ended by itself.
    pub(crate) fn retire(&self, id: u64) {
        self.active.send_if_modified(|active| {
            let before = active.len();
            active.retain(|pool| pool.upstream().id != id);
            active.len() < before
        });
        self.each(id, UpstreamPool::retire);
    }

    /// Notes that a copy was ended from outside.
    pub(crate) fn note_end_from_outside(&self, id: u64) {
        self.each(id, UpstreamPool::note_end_from_outside);
    }

    /// Ends what is in flight to a copy.
    pub(crate) fn abort(&self, id: u64) {
        self.retire(id);
        self.each(id, UpstreamPool::abort);
    }

    /// Returns the number of requests in flight to a copy.
    pub(crate) fn in_flight(&self, id: u64) -> usize {
        self.copies().iter().filter(|copy| copy.upstream().id == id).map(|copy| copy.in_flight()).sum()
    }

    /// Returns for how long requests have waited for anything that a copy sends.
    pub(crate) fn stalled_for(&self, id: u64) -> Option<Duration> {
        self.copies().iter().find(|copy| copy.upstream().id == id)?.stalled_for()
    }

    /// Notes that a copy has answered something.
    pub(crate) fn note_progress(&self, id: u64) {
        self.each(id, UpstreamPool::note_progress);
    }

    /// Returns the requests that a copy did not finish, by route.
    pub(crate) fn unfinished(&self, id: u64) -> Vec<(RouteName, u64)> {
        self.copies()
            .iter()
            .filter(|copy| copy.upstream().id == id)
            .flat_map(|copy| copy.unfinished())
            .collect()
    }

    /// Returns the ids of the active copies.
    pub(crate) fn active_ids(&self) -> Vec<u64> {
        self.active.borrow().iter().map(|pool| pool.upstream().id).collect()
    }

    /// Returns a receiver of the active copies.
    pub(crate) fn follow(&self) -> watch::Receiver<Vec<Arc<UpstreamPool>>> {
        self.active.subscribe()
    }

    /// Makes all who follow look again whether they may wait.
    pub(crate) fn wake_waiting(&self) {
        self.active.send_modify(|_| {});
    }

    /// Counts a request as in flight to the active copy that has the fewest. If others are made active afterwards, the request is counted
    /// already, so that no copy is stopped while a request is on its way.
    pub(crate) fn enter(&self) -> Option<InFlight> {
        self.enter_one_of(&self.active.borrow())
    }

    /// The same for these copies, which a receiver has borrowed.
    pub(crate) fn enter_one_of(&self, active: &[Arc<UpstreamPool>]) -> Option<InFlight> {
        let first =
            if active.len() > 1 { self.turn.fetch_add(1, Ordering::Relaxed) % active.len() } else { 0 };
        let (after, before) = active.split_at_checked(first)?;
        before.iter().chain(after).min_by_key(|pool| pool.in_flight()).map(UpstreamPool::begin)
    }

    /// Whether any copy is active.
    pub(crate) fn is_active(&self) -> bool {
        !self.active.borrow().is_empty()
    }

    /// Returns the active copies.
    pub(crate) fn active(&self) -> Vec<Arc<UpstreamPool>> {
        self.active.borrow().clone()
    }

    fn each(&self, id: u64, apply: impl Fn(&UpstreamPool)) {
        self.copies().iter().filter(|copy| copy.upstream().id == id).for_each(|copy| apply(copy));
    }

    fn copies(&self) -> MutexGuard<'_, Vec<Arc<UpstreamPool>>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contains(copies: &[Arc<UpstreamPool>], copy: &Arc<UpstreamPool>) -> bool {
    copies.iter().any(|it| Arc::ptr_eq(it, copy))
}
