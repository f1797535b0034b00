//! The limit on connections: idle ones give way, and a few permits are reserved for operator routes.
//!
//! A connection takes a regular permit if there is one. If all are taken, another connection is closed for the new one: that which has been
//! without a request for longest, else that which has waited for its client for longest, else a silent tunnel. Where all are busy, a few
//! reserve permits remain: their connections get operator routes and nothing else, are closed after one response, and have little time for
//! their request; the oldest without a complete request is closed for the next one. Further connections wait in the kernel's queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heapbeat_connection::ConnectionClock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::progress::ConnectionProgress;

/// Number of connections beyond the limit that are accepted for operator routes only.
const RESERVE: usize = 32;

/// Number of descriptors that are left to the rest of the process.
const OTHER_DESCRIPTORS: u64 = 64;

/// Pause until connections that can be closed are searched again.
const SEARCH_AGAIN: Duration = Duration::from_millis(10);

/// Returns how many of the `wanted` connections the limit on `descriptors` permits, where each may need a second descriptor for the
/// connection to the program.
fn affordable(wanted: usize, descriptors: Option<u64>) -> usize {
    let left = descriptors.map(|all| (all.saturating_sub(OTHER_DESCRIPTORS + RESERVE as u64) / 2).max(1));
    left.map_or(wanted, |left| wanted.min(usize::try_from(left).unwrap_or(usize::MAX))).max(1)
}

/// The available permits, and the connections that have them.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    size: usize,
    regular: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    open: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    regular: BTreeMap<u64, Arc<ConnectionProgress>>,
    reserve: BTreeMap<u64, Arc<ConnectionProgress>>,
}

/// Kind of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermitKind {
    /// Any request.
    Regular,
    /// One request for an operator route.
    Reserve,
}

/// Permission for a connection that is about to be accepted.
#[derive(Debug)]
pub(crate) struct Permit {
    kind: PermitKind,
    held: OwnedSemaphorePermit,
}

/// An open connection, which has a permit until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    kind: PermitKind,
    number: u64,
    progress: Arc<ConnectionProgress>,
    limit: Arc<ConnectionLimit>,
    _held: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    /// Creates a limit of at most `wanted` connections.
    pub(crate) fn new(wanted: usize) -> Arc<Self> {
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let connections = affordable(wanted, descriptors);
        if connections < wanted {
            tracing::warn!(
                "accepting at most {connections} connections instead of {wanted}: the system allows no more open files; raise it with ulimit -n"
            );
        }
        Self::exactly(connections)
    }

    fn exactly(connections: usize) -> Arc<Self> {
        Arc::new(ConnectionLimit {
            size: connections,
            regular: Arc::new(Semaphore::new(connections)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            open: Mutex::default(),
        })
    }

    /// Acquires a permit for a connection that was accepted, if necessary by closing another one; waits while there is none.
    pub(crate) async fn acquire(&self) -> Permit {
        loop {
            if let Some(permit) = self.try_regular() {
                return permit;
            }
            self.evict_regular(Instant::now());
            // The evicted connection gives its permit back as soon as it runs. A reserve permit must not be faster.
            tokio::task::yield_now().await;
            if let Some(permit) = self.try_regular() {
                return permit;
            }
            if self.reserve.available_permits() == 0 {
                self.evict_reserve(Instant::now());
            }
            let waited = timeout(SEARCH_AGAIN, async {
                tokio::select! {
                    biased;
                    permit = Arc::clone(&self.regular).acquire_owned() => (PermitKind::Regular, permit),
                    permit = Arc::clone(&self.reserve).acquire_owned() => (PermitKind::Reserve, permit),
                }
            });
            if let Ok((kind, Ok(held))) = waited.await {
                return Permit { kind, held };
            }
        }
    }

    /// Registers the connection that was accepted; a reserve permit is exchanged for a regular one that has become available.
    pub(crate) fn open(
        self: &Arc<Self>,
        permit: Permit,
        progress: &Arc<ConnectionProgress>,
    ) -> OpenConnection {
        let permit = match permit.kind {
            PermitKind::Regular => permit,
            PermitKind::Reserve => self.try_regular().unwrap_or(permit),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.next;
        open.next += 1;
        open.of(permit.kind).insert(number, Arc::clone(progress));
        OpenConnection {
            kind: permit.kind,
            number,
            progress: Arc::clone(progress),
            limit: Arc::clone(self),
            _held: permit.held,
        }
    }

    /// Completes when no connection is open.
    pub(crate) async fn all_closed(&self) {
        let all = |semaphore: &Arc<Semaphore>, size: usize| {
            let semaphore = Arc::clone(semaphore);
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            async move { drop(semaphore.acquire_many_owned(size).await) }
        };
        all(&self.regular, self.size).await;
        all(&self.reserve, RESERVE).await;
    }

    /// Acquires a regular permit if there is one.
    pub(crate) fn try_regular(&self) -> Option<Permit> {
        let held = Arc::clone(&self.regular).try_acquire_owned().ok()?;
        Some(Permit { kind: PermitKind::Regular, held })
    }

    /// Closes the regular connection that is missed least.
    fn evict_regular(&self, now: Instant) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        evict_first(&mut open.regular, |progress| progress.evictable(now));
    }

    /// Closes the connection with a part of the room in memory that is missed least.
    pub(crate) fn evict_charged(&self, now: Instant) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        evict_first(&mut open.regular, |progress| progress.charged_evictable(now));
    }

    /// Closes the connection of the reserve that has waited for its client for longest.
    fn evict_reserve(&self, now: Instant) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        evict_first(&mut open.reserve, |progress| progress.reserve_evictable(now));
    }
}

impl OpenConnections {
    const fn of(&mut self, kind: PermitKind) -> &mut BTreeMap<u64, Arc<ConnectionProgress>> {
        match kind {
            PermitKind::Regular => &mut self.regular,
            PermitKind::Reserve => &mut self.reserve,
        }
    }
}

/// Closes the connection with the lowest order; those without one stay.
fn evict_first<T: Ord>(
    open: &mut BTreeMap<u64, Arc<ConnectionProgress>>,
    order: impl Fn(&ConnectionProgress) -> Option<T>,
) {
    let first = open.iter().filter_map(|(number, progress)| Some((order(progress)?, *number))).min();
    if let Some(progress) = first.and_then(|(_, number)| open.remove(&number)) {
        progress.evict();
    }
}

impl OpenConnection {
    pub(crate) const fn kind(&self) -> PermitKind {
        self.kind
    }

    pub(crate) const fn progress(&self) -> &Arc<ConnectionProgress> {
        &self.progress
    }
}

impl AsRef<ConnectionClock> for OpenConnection {
    fn as_ref(&self) -> &ConnectionClock {
        &self.progress.clock
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.limit.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.of(self.kind).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_program_and_the_process() {
        let cases = [
            (4096, None, 4096),
            (4096, Some(1_048_576), 4096),
            (4096, Some(1024), 464),
            (100, Some(1024), 100),
            (4096, Some(0), 1),
        ];
        for (wanted, descriptors, expected) in cases {
            assert_eq!(affordable(wanted, descriptors), expected, "{wanted} of {descriptors:?}");
        }
    }

    async fn open_since(limit: &Arc<ConnectionLimit>, began: Instant) -> OpenConnection {
        let permit = limit.acquire().await;
        limit.open(permit, &ConnectionProgress::begin(began))
    }

    #[tokio::test]
    async fn idle_connections_give_way_and_busy_ones_leave_the_reserve() {
        let limit = ConnectionLimit::exactly(3);
        let now = Instant::now();
        let before = |seconds| now.checked_sub(Duration::from_secs(seconds)).unwrap();
        let busy = open_since(&limit, before(9)).await;
        busy.progress().request_started(now);
        let older = open_since(&limit, before(8)).await;
        let _younger = open_since(&limit, before(7)).await;
        let closed = tokio::spawn(async move { older.progress().evicted().await });
        tokio::task::yield_now().await;
        let third = limit.acquire().await;
        assert_eq!(third.kind, PermitKind::Regular, "the connection that was idle for longest gave way");
        closed.await.unwrap();
        drop(limit.open(third, &busy.progress));

        let full = ConnectionLimit::exactly(1);
        let _busy = open_since(&full, now).await;
        assert_eq!(full.acquire().await.kind, PermitKind::Reserve, "a new connection is not closed at once");
    }

    #[tokio::test]
    async fn idle_connections_of_the_reserve_give_way_too() {
        let limit = ConnectionLimit::exactly(1);
        let now = Instant::now();
        let busy = open_since(&limit, now).await;
        busy.progress().request_started(now);
        let mut silent = Vec::new();
        for age in 0..RESERVE as u64 {
            let began = now.checked_sub(Duration::from_millis(2000 - age)).unwrap();
            silent.push(open_since(&limit, began).await);
        }
        silent[0].progress().request_started(now);
        let oldest = silent.remove(1);
        let closed = tokio::spawn(async move { oldest.progress().evicted().await });
        assert_eq!(limit.acquire().await.kind, PermitKind::Reserve);
        closed.await.unwrap();
    }
}
