//! When an instance of a program without a front is ready: when it listens on a port. Pure.
//!
//! Whether a program listens at all is not known at first. Then it counts as ready after a while, unless something speaks for a port: the
//! variable `PORT`, or an earlier instance that listened.

use std::collections::BTreeSet;
use std::time::Duration;

use super::machine::WorkerNumber;

/// What is known of the program and its instances.
#[derive(Clone, Debug)]
pub(super) struct ListenReadiness {
    /// Time after which an instance of which no port is expected is ready.
    ready_after: Duration,
    /// Time after which an instance that does not listen is ready all the same.
    timeout: Duration,
    expects_port: bool,
    ready: BTreeSet<WorkerNumber>,
}

impl ListenReadiness {
    /// Creates the state before the first instance; `has_port` says whether the program has `PORT`.
    pub(super) fn new(ready_after: Duration, timeout: Duration, has_port: bool) -> Self {
        ListenReadiness {
            ready_after,
            timeout: timeout.max(ready_after),
            expects_port: has_port,
            ready: BTreeSet::new(),
        }
    }

    /// Returns whether an instance of this age is ready. `listens` is asked until it is.
    pub(super) fn is_ready(
        &mut self,
        number: WorkerNumber,
        age: Duration,
        listens: impl FnOnce() -> bool,
    ) -> bool {
        if self.ready.contains(&number) {
            return true;
        }
        if listens() {
            self.expects_port = true;
        } else if age < if self.expects_port { self.timeout } else { self.ready_after } {
            return false;
        } else {
            // The next instance is not waited for.
            self.expects_port = false;
        }
        self.ready.retain(|earlier| number - earlier.min(&number) < 8);
        self.ready.insert(number);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the second at which an instance is ready that listens from `listens_at` on.
    fn ready_at(readiness: &mut ListenReadiness, number: WorkerNumber, listens_at: Option<u64>) -> u64 {
        let at = |second| {
            let listens = || listens_at.is_some_and(|at| second >= at);
            readiness.is_ready(number, Duration::from_secs(second), listens)
        };
        (0..100).map(at).position(|ready| ready).and_then(|second| u64::try_from(second).ok()).unwrap()
    }

    #[test]
    fn an_instance_is_ready_when_it_listens_or_after_a_while() {
        let new = |has_port| ListenReadiness::new(Duration::from_secs(3), Duration::from_secs(60), has_port);
        let mut unknown = new(false);
        assert_eq!(ready_at(&mut unknown, 1, None), 3, "a worker that takes no requests");
        assert_eq!(ready_at(&mut unknown, 2, Some(1)), 1);
        assert_eq!(ready_at(&mut unknown, 3, Some(20)), 20, "the one before it has listened");
        let mut with_port = new(true);
        assert_eq!(ready_at(&mut with_port, 1, Some(20)), 20);
        assert_eq!(ready_at(&mut with_port, 2, None), 60, "it may be slower than ever");
        assert_eq!(ready_at(&mut with_port, 3, None), 3, "it does not seem to listen any more");
        assert_eq!(ready_at(&mut with_port, 3, None), 0, "once ready, always ready");
    }
}
