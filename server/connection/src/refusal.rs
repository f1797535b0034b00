//! Load shedding: a share of new requests is refused, by their priority.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Priority of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Refused twice as often as normal requests: reports, exports, crawlers.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Refused only if more than half of all requests must be.
    High,
    /// Never refused: health checks, administration.
    Critical,
}

impl Priority {
    /// Returns the share of requests of this priority to refuse if `share` thousandths of all must be.
    fn share(self, share: u16) -> u16 {
        match self {
            Priority::Low => share.saturating_mul(2).min(1000),
            Priority::Normal => share.min(1000),
            Priority::High => share.saturating_mul(2).saturating_sub(1000).min(1000),
            Priority::Critical => 0,
        }
    }
}

/// The share of requests that is refused now. It is spread evenly (error diffusion): of a hundred requests at 30 %, exactly thirty are
/// refused. A new gate admits all requests.
#[derive(Debug, Default)]
pub struct RefusalGate {
    /// Share of requests to refuse, in thousandths.
    share: AtomicU16,
    /// Accumulated thousandths of refusals; each whole thousand refuses one request.
    owed: AtomicU32,
    refused: AtomicU64,
}

impl RefusalGate {
    /// Sets the share of requests to refuse, in thousandths.
    pub fn set(&self, thousandths: u16) {
        self.share.store(thousandths.min(1000), Ordering::Relaxed);
    }

    /// Returns the number of requests refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Decides whether to admit a request. The priority is looked up only if some requests are refused.
    pub fn admits(&self, priority: impl FnOnce() -> Priority) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        if share == 0 {
            return true;
        }
        let share = u32::from(priority().share(share));
        // The sum grows by the share, and every full thousand is one refusal. The counter does not wrap exactly at a multiple of a thousand
        // (2^32 mod 1000 is 296), which makes one refusal in four billion too early.
        let owed = self.owed.fetch_add(share, Ordering::Relaxed) % 1000;
        let refuse = owed + share >= 1000;
        if refuse {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        !refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn higher_priorities_are_refused_later_and_each_share_evenly() {
        const PRIORITIES: [Priority; 4] =
            [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
        // Share of all requests in thousandths, then what is refused of a hundred of low, normal, high and critical.
        let cases = [
            (0, [0, 0, 0, 0]),
            (300, [60, 30, 0, 0]),
            (500, [100, 50, 0, 0]),
            (750, [100, 75, 50, 0]),
            (1000, [100, 100, 100, 0]),
        ];
        for (share, expected) in cases {
            let refused = PRIORITIES.map(|priority| {
                let gate = RefusalGate::default();
                gate.set(share);
                let refused = (0..100).filter(|_| !gate.admits(|| priority)).count();
                assert_eq!(gate.refused(), refused as u64);
                refused
            });
            assert_eq!(refused, expected, "{share}");
        }
    }
}
