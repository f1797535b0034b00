//! How many connections there may be, and why `/health` is never locked out by them.
//!
//! A connection takes a regular slot while there is one. When all are taken, a few reserve slots remain whose connections
//! get `/health` and nothing else, are closed after one answer, and have little time to ask. So whoever fills the
//! server up cannot keep the platform's health check out: reserve slots come free within seconds. Beyond those,
//! connections wait in the kernel's queue.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections beyond the limit that are taken for `/health` alone.
const RESERVE: usize = 32;

/// Descriptors that are left to the application and to heapbeat itself.
const OTHER_DESCRIPTORS: u64 = 64;

/// How many of the `wanted` connections this process may have, given how many `descriptors` it may open: a server that
/// runs out of them can neither accept a health check nor open a file.
pub(super) fn affordable(wanted: usize, descriptors: Option<u64>) -> usize {
    let left = descriptors.map(|all| all.saturating_sub(OTHER_DESCRIPTORS + RESERVE as u64).max(1));
    left.map_or(wanted, |left| wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))
}

/// How many descriptors this process may open; `None` when there is no limit.
pub(super) fn descriptors_allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// The slots that are left.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    regular: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
}

/// The right to one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    pub(super) kind: PermitKind,
    _permit: OwnedSemaphorePermit,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PermitKind {
    /// Everything.
    Regular,
    /// Ask for `/health` once.
    Reserve,
}

impl ConnectionLimit {
    pub(super) fn new(regular: usize) -> Self {
        ConnectionLimit {
            regular: Arc::new(Semaphore::new(regular)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
        }
    }

    /// The best slot there is; waits while there is none.
    pub(super) async fn take(&self) -> ConnectionPermit {
        if let Some(slot) = self.regular_now() {
            return slot;
        }
        let (kind, permit) = tokio::select! {
            biased;
            permit = Arc::clone(&self.regular).acquire_owned() => (PermitKind::Regular, permit),
            permit = Arc::clone(&self.reserve).acquire_owned() => (PermitKind::Reserve, permit),
        };
        ConnectionPermit { kind, _permit: permit.expect("these semaphores are never closed") }
    }

    /// A regular slot in place of a reserve one, if one has come free since.
    pub(super) fn improve(&self, slot: ConnectionPermit) -> ConnectionPermit {
        match slot.kind {
            PermitKind::Regular => slot,
            PermitKind::Reserve => self.regular_now().unwrap_or(slot),
        }
    }

    fn regular_now(&self) -> Option<ConnectionPermit> {
        let permit = Arc::clone(&self.regular).try_acquire_owned().ok()?;
        Some(ConnectionPermit { kind: PermitKind::Regular, _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// What `take` gives without waiting.
    fn take(slots: &ConnectionLimit) -> Option<ConnectionPermit> {
        match pin!(slots.take()).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(slot) => Some(slot),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        let cases = [
            (1024, None, 1024),
            (1024, Some(1_048_576), 1024),
            (1024, Some(1024), 928),
            (100, Some(1024), 100),
            (1024, Some(97), 1),
            (1024, Some(0), 1),
        ];
        for (wanted, descriptors, expected) in cases {
            assert_eq!(affordable(wanted, descriptors), expected, "{wanted} of {descriptors:?}");
        }
    }

    #[test]
    fn regular_slots_come_first_then_the_reserve_then_nothing() {
        let slots = ConnectionLimit::new(2);
        let taken: Vec<ConnectionPermit> = (0..2 + RESERVE).map(|_| take(&slots).unwrap()).collect();
        let regular = taken.iter().filter(|slot| slot.kind == PermitKind::Regular).count();
        assert_eq!((regular, taken.len()), (2, 2 + RESERVE));
        assert!(take(&slots).is_none());
        drop(taken);
        assert_eq!(take(&slots).unwrap().kind, PermitKind::Regular);
    }

    #[test]
    fn a_reserve_slot_is_exchanged_when_a_regular_one_is_free() {
        let slots = ConnectionLimit::new(1);
        let regular = take(&slots).unwrap();
        let reserve = slots.improve(take(&slots).unwrap());
        assert_eq!(reserve.kind, PermitKind::Reserve, "nothing better yet");
        drop(regular);
        assert_eq!(slots.improve(reserve).kind, PermitKind::Regular);
    }
}
