//! The gate: it admits or refuses each request by the share that the guard sets.

use std::sync::atomic::{AtomicU32, Ordering};

use heapbeat_connection::RefusalGate;

use super::Priority;
use crate::overload::ladder::ShedShare;

/// `Retry-After` in seconds before the first estimate.
const RETRY_AFTER: u32 = 5;

/// The share of requests that is refused now. A new gate admits all requests.
#[derive(Debug)]
pub struct Gate {
    refusals: RefusalGate,
    /// `Retry-After` of refused requests, in seconds.
    retry_after: AtomicU32,
}

impl Default for Gate {
    fn default() -> Self {
        Gate { refusals: RefusalGate::default(), retry_after: AtomicU32::new(RETRY_AFTER) }
    }
}

impl Gate {
    /// Sets the share of requests to refuse, and their `Retry-After` in seconds.
    pub fn set(&self, share: ShedShare, retry_after: u32) {
        self.refusals.set(share.thousandths());
        self.retry_after.store(retry_after.max(1), Ordering::Relaxed);
    }

    /// Returns the number of requests refused since the start.
    pub fn refused(&self) -> u64 {
        self.refusals.refused()
    }

    pub(super) fn retry_after(&self) -> u32 {
        self.retry_after.load(Ordering::Relaxed)
    }

    /// Decides whether to admit a request. The priority is looked up only if some requests are refused.
    pub(super) fn admits(&self, priority: impl FnOnce() -> Priority) -> bool {
        self.refusals.admits(priority)
    }
}
