//! The progress of a client's connection: what it waits for, and until when.
//!
//! The phases and what each guards against are those of heapbeat's own server: `Head` against slowloris, `Idle` against connections
//! that are kept and never used, stalled writes against clients that do not read, `Linger` against clients that go on sending the
//! body of a refused request. One timer serves all phases; when it fires, it reads the phase and is set again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::FrontLimits;

/// Time during which the rest of a refused request is read and discarded, so that the client can read why it was refused.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Age from which a connection without a request may be closed for another one. A connection that was just accepted has its request
/// on the way.
const EVICTABLE_AFTER: Duration = Duration::from_millis(250);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// A request head.
    Head,
    /// The program's response, or a tunnel's bytes.
    Busy,
    /// The first byte of the next request.
    Idle,
    /// The end of a client that is still sending.
    Linger,
}

const NOT_STALLED: u64 = u64::MAX;

/// The progress of one connection. All changes happen on the thread of the front, so the atomics need no ordering.
#[derive(Debug)]
pub(crate) struct ConnectionProgress {
    began: Instant,
    phase: AtomicU8,
    /// When the phase began, in microseconds since the beginning.
    phase_since: AtomicU64,
    /// Since when the client has accepted nothing, in microseconds since the beginning; [`NOT_STALLED`] if it accepts data.
    stalled_since: AtomicU64,
    unread: AtomicBool,
    requests: AtomicU64,
    evicted: Notify,
}

impl ConnectionProgress {
    pub(crate) fn begin(now: Instant) -> Arc<Self> {
        Arc::new(ConnectionProgress {
            began: now,
            phase: AtomicU8::new(Phase::Head as u8),
            phase_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(NOT_STALLED),
            unread: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            evicted: Notify::new(),
        })
    }

    /// Records that a request head is complete, and returns the number of the request, counted from 1.
    pub(crate) fn request_started(&self, now: Instant) -> u64 {
        self.enter(Phase::Busy, now);
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Records that the response is complete.
    pub(crate) fn response_ended(&self, now: Instant) {
        self.enter(Phase::Idle, now);
    }

    /// Records that bytes have arrived.
    pub(crate) fn bytes_received(&self, now: impl FnOnce() -> Instant) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head, now());
        }
    }

    /// Records that the client accepts no data.
    pub(crate) fn write_stalled(&self, now: impl FnOnce() -> Instant) {
        if self.stalled_since.load(Ordering::Relaxed) == NOT_STALLED {
            self.stalled_since.store(self.micros(now()), Ordering::Relaxed);
        }
    }

    /// Records that the client has accepted data.
    pub(crate) fn write_resumed(&self) {
        self.stalled_since.store(NOT_STALLED, Ordering::Relaxed);
    }

    /// Records that the last response is sent and the connection will be closed. Returns whether the client may still be sending.
    pub(crate) fn close(&self, now: impl FnOnce() -> Instant) -> bool {
        let unread = self.unread.load(Ordering::Relaxed);
        if unread && self.phase() != Phase::Linger {
            self.enter(Phase::Linger, now());
        }
        unread
    }

    /// Records that a part of the request will not be read.
    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Returns when the current wait times out; `None` while the connection waits for the program.
    pub(crate) fn deadline(&self, limits: &FrontLimits) -> Option<Instant> {
        let timeout = match self.phase() {
            Phase::Head => Some(limits.header_timeout),
            Phase::Busy => None,
            Phase::Idle => Some(limits.idle_timeout),
            Phase::Linger => Some(LINGER_TIME),
        };
        let waiting = timeout.map(|timeout| self.phase_since() + timeout);
        let stalled = self.stalled_since.load(Ordering::Relaxed);
        let stalled = (stalled != NOT_STALLED).then(|| self.at(stalled) + limits.write_timeout);
        waiting.into_iter().chain(stalled).min()
    }

    /// Returns since when the connection is idle with everything written; `None` if it is not.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let written = self.stalled_since.load(Ordering::Relaxed) == NOT_STALLED;
        (self.phase() == Phase::Idle && written).then(|| self.phase_since())
    }

    /// Returns since when the connection has no complete request; `None` if it is busy or too young to be closed for another one.
    pub(crate) fn evictable_since(&self, now: Instant) -> Option<Instant> {
        let since = matches!(self.phase(), Phase::Idle | Phase::Head).then(|| self.phase_since())?;
        (now.saturating_duration_since(since) >= EVICTABLE_AFTER).then_some(since)
    }

    /// Requests that the connection is closed for another one.
    pub(crate) fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Completes when the connection is to be closed for another one.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn phase(&self) -> Phase {
        [Phase::Head, Phase::Busy, Phase::Idle, Phase::Linger]
            [usize::from(self.phase.load(Ordering::Relaxed) % 4)]
    }

    fn enter(&self, phase: Phase, now: Instant) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.phase_since.store(self.micros(now), Ordering::Relaxed);
    }

    fn phase_since(&self) -> Instant {
        self.at(self.phase_since.load(Ordering::Relaxed))
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.began).as_micros()).unwrap_or(NOT_STALLED - 1)
    }

    fn at(&self, micros: u64) -> Instant {
        self.began + Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays the steps of a connection, and checks the deadline after each, in seconds since its start.
    #[test]
    fn the_deadline_follows_the_phase_of_the_connection() {
        let limits = FrontLimits::default();
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let progress = ConnectionProgress::begin(began);
        let ends = || progress.deadline(&limits).map(|deadline| (deadline - began).as_secs());
        assert_eq!(ends(), Some(10), "a client that sends nothing");
        assert_eq!(progress.request_started(at(3)), 1);
        assert_eq!(ends(), None, "the program has as long as it needs");
        assert_eq!(progress.evictable_since(at(1000)), None);
        progress.write_stalled(|| at(5));
        progress.write_stalled(|| at(20));
        assert_eq!(ends(), Some(35), "nothing accepted since the fifth second");
        progress.response_ended(at(39));
        assert_eq!(progress.idle_since(), None, "a part of the response is not written");
        progress.write_resumed();
        assert_eq!((ends(), progress.idle_since()), (Some(159), Some(at(39))));
        progress.bytes_received(|| at(50));
        progress.bytes_received(|| at(55));
        assert_eq!(ends(), Some(60), "the next request head has the head timeout");
        assert_eq!(progress.request_started(at(56)), 2);
        progress.response_ended(at(57));
        assert!(!progress.close(|| at(58)), "the request was read completely");
        progress.leave_unread();
        assert!(progress.close(|| at(60)) && progress.close(|| at(65)));
        assert_eq!(ends(), Some(61), "the rest of a refused body is read for a moment");
    }

    #[test]
    fn only_connections_without_a_request_are_evictable_and_not_at_once() {
        let began = Instant::now();
        let progress = ConnectionProgress::begin(began);
        let at = |millis: u64| began + Duration::from_millis(millis);
        assert_eq!(progress.evictable_since(at(249)), None);
        assert_eq!(progress.evictable_since(at(250)), Some(began));
        progress.request_started(at(300));
        assert_eq!(progress.evictable_since(at(900)), None);
        progress.response_ended(at(1000));
        assert_eq!(progress.evictable_since(at(1100)), None);
        assert_eq!(progress.evictable_since(at(1250)), Some(at(1000)));
    }
}
