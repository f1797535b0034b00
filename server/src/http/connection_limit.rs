//! The limit on connections, with a reserve for `/health`.
//!
//! A connection takes a regular permit if there is one. If all are taken, a few reserve permits remain: their connections get
//! `/health` and nothing else, are closed after one response, and have little time for their request. Reserve permits are released
//! within seconds, so a client that fills up the server cannot keep the platform's health check out. Further connections wait in the
//! kernel's queue.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Number of connections beyond the limit that are accepted for `/health` only.
const RESERVE: usize = 32;

/// Number of descriptors that are left to the application and to heapbeat itself.
const OTHER_DESCRIPTORS: u64 = 64;

/// Returns how many of the `wanted` connections the limit on `descriptors` permits: a server without descriptors can neither accept
/// a health check nor open a file.
pub(super) fn affordable(wanted: usize, descriptors: Option<u64>) -> usize {
    let left = descriptors.map(|all| all.saturating_sub(OTHER_DESCRIPTORS + RESERVE as u64).max(1));
    left.map_or(wanted, |left| wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))
}

/// Returns how many descriptors this process may open; `None` without a limit.
pub(super) fn descriptors_allowed() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// The available permits.
#[derive(Debug)]
pub(super) struct ConnectionLimit {
    regular: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
}

/// Permission for one connection, released when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    pub(super) kind: PermitKind,
    _permit: OwnedSemaphorePermit,
}

/// Kind of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PermitKind {
    /// Any request.
    Regular,
    /// One request for `/health`.
    Reserve,
}

impl ConnectionLimit {
    pub(super) fn new(regular: usize) -> Self {
        ConnectionLimit {
            regular: Arc::new(Semaphore::new(regular)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
        }
    }

    /// Acquires the best permit; waits while there is none.
    pub(super) async fn acquire(&self) -> ConnectionPermit {
        if let Some(permit) = self.try_regular() {
            return permit;
        }
        let (kind, permit) = tokio::select! {
            biased;
            permit = Arc::clone(&self.regular).acquire_owned() => (PermitKind::Regular, permit),
            permit = Arc::clone(&self.reserve).acquire_owned() => (PermitKind::Reserve, permit),
        };
        ConnectionPermit { kind, _permit: permit.expect("these semaphores are never closed") }
    }

    /// Exchanges a reserve permit for a regular one, if one has become available.
    pub(super) fn upgrade(&self, permit: ConnectionPermit) -> ConnectionPermit {
        match permit.kind {
            PermitKind::Regular => permit,
            PermitKind::Reserve => self.try_regular().unwrap_or(permit),
        }
    }

    fn try_regular(&self) -> Option<ConnectionPermit> {
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

    /// Acquires a permit without waiting.
    fn acquire(connections: &ConnectionLimit) -> Option<ConnectionPermit> {
        match pin!(connections.acquire()).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(permit) => Some(permit),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn connections_leave_descriptors_to_the_application() {
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
    fn regular_permits_come_first_then_the_reserve_then_none() {
        let connections = ConnectionLimit::new(2);
        let taken: Vec<ConnectionPermit> = (0..2 + RESERVE).map(|_| acquire(&connections).unwrap()).collect();
        let regular = taken.iter().filter(|permit| permit.kind == PermitKind::Regular).count();
        assert_eq!((regular, taken.len()), (2, 2 + RESERVE));
        assert!(acquire(&connections).is_none());
        drop(taken);
        assert_eq!(acquire(&connections).unwrap().kind, PermitKind::Regular);
    }

    #[test]
    fn a_reserve_permit_is_exchanged_when_a_regular_one_is_free() {
        let connections = ConnectionLimit::new(1);
        let regular = acquire(&connections).unwrap();
        let reserve = connections.upgrade(acquire(&connections).unwrap());
        assert_eq!(reserve.kind, PermitKind::Reserve, "no regular permit yet");
        drop(regular);
        assert_eq!(connections.upgrade(reserve).kind, PermitKind::Regular);
    }
}
