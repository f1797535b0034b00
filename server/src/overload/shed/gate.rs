//! The gate: it admits or refuses each request by the share that the guard sets.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::Priority;
use crate::overload::ladder::ShedShare;

/// `Retry-After` in seconds before the first estimate.
const RETRY_AFTER: u32 = 5;

/// The share of requests that is refused now. A new gate admits all requests.
#[derive(Debug)]
pub struct Gate {
    /// Share of requests to refuse, in thousandths.
    share: AtomicU16,
    /// `Retry-After` of refused requests, in seconds.
    retry_after: AtomicU32,
    /// Accumulated thousandths of refusals; each whole thousand refuses one request.
    owed: AtomicU32,
    refused: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Gate {
            share: AtomicU16::new(0),
            retry_after: AtomicU32::new(RETRY_AFTER),
            owed: AtomicU32::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl Gate {
    /// Sets the share of requests to refuse, and their `Retry-After` in seconds.
    pub fn set(&self, share: ShedShare, retry_after: u32) {
        self.share.store(share.thousandths(), Ordering::Relaxed);
        self.retry_after.store(retry_after.max(1), Ordering::Relaxed);
    }

    /// Returns the number of requests refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn retry_after(&self) -> u32 {
        self.retry_after.load(Ordering::Relaxed)
    }

    /// Decides whether to admit a request. The priority is looked up only if some requests are refused.
    pub(super) fn admits(&self, priority: impl FnOnce() -> Priority) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        if share == 0 {
            return true;
        }
        let share = u32::from(priority().share(share));
        // Error diffusion: the sum grows by the share, and every full thousand is one refusal. The counter does not wrap exactly at a
        // multiple of a thousand (2^32 mod 1000 is 296), which makes one refusal in four billion too early.
        let owed = self.owed.fetch_add(share, Ordering::Relaxed) % 1000;
        let refuse = owed + share >= 1000;
        if refuse {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        !refuse
    }
}
