//! For how long a copy of the program has sent nothing although requests wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Since when requests wait.
#[derive(Debug)]
pub(crate) struct Stall {
    epoch: Instant,
    /// Milliseconds since the epoch, plus one; 0 if none waits.
    since: AtomicU64,
}

impl Default for Stall {
    fn default() -> Self {
        Stall { epoch: Instant::now(), since: AtomicU64::new(0) }
    }
}

impl Stall {
    /// Notes that a request waits. A client that gives up ends no stall.
    pub(crate) fn begin(&self) {
        let _ = self.since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Notes that something has arrived; `others` if more requests wait.
    pub(crate) fn end(&self, others: bool) {
        self.since.store(if others { self.now() } else { 0 }, Ordering::Relaxed);
    }

    /// Returns how long the stall has lasted.
    pub(crate) fn lasted(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed);
        (since > 0).then(|| Duration::from_millis(self.now().saturating_sub(since)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_lasts_from_the_first_request_until_something_arrives() {
        let epoch = Instant::now().checked_sub(Duration::from_secs(9)).unwrap();
        let stall = Stall { epoch, ..Stall::default() };
        assert_eq!(stall.lasted(), None);
        stall.since.store(1001, Ordering::Relaxed);
        stall.begin();
        assert!(stall.lasted() >= Some(Duration::from_secs(8)), "{stall:?}");
        stall.end(true);
        assert!(stall.lasted() < Some(Duration::from_secs(8)), "{stall:?}");
        stall.end(false);
        assert_eq!(stall.lasted(), None);
        stall.begin();
        assert!(stall.lasted().is_some());
    }
}
