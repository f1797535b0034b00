//! The switch between copies of the program: new requests go to the active one, others finish what is in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::config::PoolLimits;
use crate::pool::{InFlight, UpstreamPool};
use crate::statistics::RouteName;
use crate::upstream::Upstream;

/// Copies that are remembered. Only those with requests in flight are, so this many replacements may drain at the same time.
const MAX_COPIES: usize = 64;

/// The active copy, and those that drain.
#[derive(Debug)]
pub(crate) struct Switch {
    limits: PoolLimits,
    active: watch::Sender<Option<Arc<UpstreamPool>>>,
    copies: Mutex<Vec<Arc<UpstreamPool>>>,
}

impl Switch {
    pub(crate) fn new(limits: PoolLimits) -> Self {
        Switch { limits, active: watch::channel(None).0, copies: Mutex::default() }
    }

    /// Sends new requests to `upstream`; the one before drains.
    pub(crate) fn activate(&self, upstream: Upstream) {
        let mut copies = self.copies();
        let known = copies.iter().find(|copy| *copy.upstream() == upstream).cloned();
        let pool = known.unwrap_or_else(|| {
            let pool = UpstreamPool::new(upstream, self.limits.clone());
            if copies.len() == MAX_COPIES {
                copies.remove(0).abort();
            }
            copies.push(Arc::clone(&pool));
            pool
        });
        pool.restore();
        let before = self.active.send_replace(Some(Arc::clone(&pool)));
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, &pool)) {
            before.retire();
        }
        // Only now no request can enter the one before.
        copies.retain(|copy| copy.in_flight() > 0 || Arc::ptr_eq(copy, &pool));
    }

    /// Makes new requests wait; the active copy drains.
    pub(crate) fn deactivate(&self) {
        if let Some(before) = self.active.send_replace(None) {
            before.retire();
        }
    }

    /// Makes new requests wait if the copy is active, and closes its idle connections.
    pub(crate) fn drain(&self, id: u64) {
        self.active.send_if_modified(|active| {
            active.take_if(|active| active.upstream().id == id).inspect(|pool| pool.retire()).is_some()
        });
        self.each(id, UpstreamPool::retire);
    }

    /// Ends what is in flight to a copy.
    pub(crate) fn abort(&self, id: u64) {
        self.drain(id);
        self.each(id, UpstreamPool::abort);
    }

    /// Returns the number of requests in flight to a copy.
    pub(crate) fn in_flight(&self, id: u64) -> usize {
        self.copies().iter().filter(|copy| copy.upstream().id == id).map(|copy| copy.in_flight()).sum()
    }

    /// Returns the requests that a copy did not finish, by route.
    pub(crate) fn interrupted(&self, id: u64) -> Vec<(RouteName, u64)> {
        self.copies()
            .iter()
            .filter(|copy| copy.upstream().id == id)
            .flat_map(|copy| copy.interrupted())
            .collect()
    }

    /// Returns the id of the active copy.
    pub(crate) fn active_id(&self) -> Option<u64> {
        self.active.borrow().as_ref().map(|pool| pool.upstream().id)
    }

    /// Returns a receiver of the active copy.
    pub(crate) fn follow(&self) -> watch::Receiver<Option<Arc<UpstreamPool>>> {
        self.active.subscribe()
    }

    /// Counts a request as in flight to the active copy. If another one is made active afterwards, the request is counted already, so that no copy is
    /// stopped while a request is on its way.
    pub(crate) fn enter(&self) -> Option<InFlight> {
        self.active.borrow().as_ref().map(UpstreamPool::begin)
    }

    /// Returns the active copy.
    pub(crate) fn active(&self) -> Option<Arc<UpstreamPool>> {
        self.active.borrow().clone()
    }

    fn each(&self, id: u64, apply: impl Fn(&UpstreamPool)) {
        self.copies().iter().filter(|copy| copy.upstream().id == id).for_each(|copy| apply(copy));
    }

    fn copies(&self) -> MutexGuard<'_, Vec<Arc<UpstreamPool>>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
