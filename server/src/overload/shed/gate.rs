//! The gate that the ladder sets and every request passes.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::Priority;
use crate::overload::ladder::ShedShare;

/// Seconds after which a refused client may come back, before anything better is known.
const RETRY_AFTER: u32 = 5;

/// How much is refused at present. Open when it is new.
#[derive(Debug)]
pub struct Gate {
    /// Share to refuse, in thousandths.
    share: AtomicU16,
    /// Seconds to tell those who are refused.
    retry_after: AtomicU32,
    /// Thousandths of refusals owed so far: each whole thousand is one request refused.
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
    /// Refuses `share` of the requests from now on, and tells them to come back after so many seconds.
    pub fn set(&self, share: ShedShare, retry_after: u32) {
        self.share.store(share.thousandths(), Ordering::Relaxed);
        self.retry_after.store(retry_after.max(1), Ordering::Relaxed);
    }

    /// Requests refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn retry_after(&self) -> u32 {
        self.retry_after.load(Ordering::Relaxed)
    }

    /// Decides one request. The priority is only looked up when the gate is not wide open.
    pub(super) fn lets_in(&self, priority: impl FnOnce() -> Priority) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        if share == 0 {
            return true;
        }
        let share = u32::from(priority().share(share));
        // Error diffusion: the debt grows by the share and every full thousand is paid with one refusal. The counter
        // wraps at a multiple of a thousand only nearly (2^32 mod 1000 is 296): one refusal early in four billion.
        let owed = self.owed.fetch_add(share, Ordering::Relaxed) % 1000;
        let refuse = owed + share >= 1000;
        if refuse {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        !refuse
    }
}
