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
    /// The program's response.
    Busy,
    /// The first byte of the next request.
    Idle,
    /// The end of a client that is still sending.
    Linger,
    /// A tunnel's bytes; the phase begins anew with each.
    Tunnel,
}

/// Wait for a client, in the middle of a request, from which its connection may be closed for another one.
const EVICTABLE_WAIT: Duration = Duration::from_secs(3);

/// Silence of a tunnel from which it may be closed for another connection.
const EVICTABLE_TUNNEL: Duration = Duration::from_secs(60);

/// Age from which a connection of the reserve that has no complete request may be closed for another one. Who asks for a route of the
/// operator sends the request together with the end of the handshake.
const RESERVE_EVICTABLE_AFTER: Duration = Duration::from_millis(25);

const NOT_STALLED: u64 = u64::MAX;

/// Why a connection may be closed for another one, and since when; the lowest is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evictable {
    /// It has no complete request.
    NoRequest(Instant),
    /// It waits for its client, which sends no body, takes no response, or has gone.
    WaitsForClient(Instant),
    /// It is a tunnel without bytes.
    SilentTunnel(Instant),
}

/// Returns how long a client may let the front wait now, after it has moved so many bytes and was `waited` for already: `timeout`, or
/// less if it would be slower than `least_rate` bytes a second.
pub(crate) fn remaining_wait(timeout: Duration, least_rate: u64, bytes: u64, waited: Duration) -> Duration {
    let Some(earned) = bytes.saturating_mul(1_000_000).checked_div(least_rate) else { return timeout };
    timeout.saturating_add(Duration::from_micros(earned)).saturating_sub(waited).min(timeout)
}

/// The progress of one connection. All changes happen on the thread of the front, so the atomics need no ordering.
#[derive(Debug)]
pub(crate) struct ConnectionProgress {
    began: Instant,
    phase: AtomicU8,
    /// When the phase began, in microseconds since the beginning.
    phase_since: AtomicU64,
    /// Since when the client has accepted nothing, in microseconds since the beginning; [`NOT_STALLED`] if it accepts data.
    stalled_since: AtomicU64,
    /// Sum of the earlier times of this response during which the client accepted nothing, in microseconds.
    stalled_before: AtomicU64,
    /// Bytes of this response that were written.
    written: AtomicU64,
    /// Since when a part of a body is awaited, as `stalled_since`.
    body_since: AtomicU64,
    left: AtomicBool,
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
            stalled_before: AtomicU64::new(0),
            written: AtomicU64::new(0),
            body_since: AtomicU64::new(NOT_STALLED),
            left: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            evicted: Notify::new(),
        })
    }

    /// Records that a request head is complete, and returns the number of the request, counted from 1.
    pub(crate) fn request_started(&self, now: Instant) -> u64 {
        self.enter(Phase::Busy, now);
        self.stalled_before.store(0, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
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

    /// Records that the client has accepted so many bytes.
    pub(crate) fn write_resumed(&self, bytes: usize, now: impl FnOnce() -> Instant) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        let since = self.stalled_since.swap(NOT_STALLED, Ordering::Relaxed);
        if since != NOT_STALLED {
            self.stalled_before.fetch_add(self.micros(now()).saturating_sub(since), Ordering::Relaxed);
        }
    }

    /// Records that a part of the body is awaited.
    pub(crate) fn body_awaited(&self, now: Instant) {
        self.body_since.store(self.micros(now), Ordering::Relaxed);
    }

    /// Records that no part of the body is awaited any more.
    pub(crate) fn body_arrived(&self) {
        self.body_since.store(NOT_STALLED, Ordering::Relaxed);
    }

    /// Records that the client has gone.
    pub(crate) fn client_left(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Records that the connection is a tunnel, and that bytes have passed.
    pub(crate) fn tunnel_moved(&self, now: Instant) {
        self.enter(Phase::Tunnel, now);
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
            Phase::Busy | Phase::Tunnel => None,
            Phase::Idle => Some(limits.idle_timeout),
            Phase::Linger => Some(LINGER_TIME),
        };
        let waiting = timeout.map(|timeout| self.phase_since() + timeout);
        let stalled = self.since(&self.stalled_since).map(|since| {
            let before = Duration::from_micros(self.stalled_before.load(Ordering::Relaxed));
            let written = self.written.load(Ordering::Relaxed);
            since + remaining_wait(limits.write_timeout, limits.least_rate, written, before)
        });
        waiting.into_iter().chain(stalled).min()
    }

    /// Returns since when the connection is idle with everything written; `None` if it is not.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let written = self.stalled_since.load(Ordering::Relaxed) == NOT_STALLED;
        (self.phase() == Phase::Idle && written).then(|| self.phase_since())
    }

    /// Returns why and since when the connection may be closed for another one; `None` if it may not.
    pub(crate) fn evictable(&self, now: Instant) -> Option<Evictable> {
        let after =
            |since: Instant, age: Duration| (now.saturating_duration_since(since) >= age).then_some(since);
        if self.left.load(Ordering::Relaxed) {
            return Some(Evictable::WaitsForClient(self.phase_since()));
        }
        match self.phase() {
            Phase::Idle | Phase::Head => after(self.phase_since(), EVICTABLE_AFTER).map(Evictable::NoRequest),
            Phase::Busy => after(self.waits_for_client()?, EVICTABLE_WAIT).map(Evictable::WaitsForClient),
            Phase::Tunnel => after(self.phase_since(), EVICTABLE_TUNNEL).map(Evictable::SilentTunnel),
            Phase::Linger => None,
        }
    }

    /// Returns since when a connection of the reserve waits for its client; `None` if it may not be closed for another one.
    pub(crate) fn reserve_evictable(&self, now: Instant) -> Option<Instant> {
        let waits = !matches!(self.phase(), Phase::Busy | Phase::Tunnel)
            || self.waits_for_client().is_some()
            || self.left.load(Ordering::Relaxed);
        let since = waits.then(|| self.phase_since())?;
        (now.saturating_duration_since(since) >= RESERVE_EVICTABLE_AFTER).then_some(since)
    }

    /// Returns since when the request waits for the client: for a part of its body, or until it takes a part of the response.
    fn waits_for_client(&self) -> Option<Instant> {
        self.since(&self.stalled_since).into_iter().chain(self.since(&self.body_since)).min()
    }

    /// Returns the time that is stored, unless it is [`NOT_STALLED`].
    fn since(&self, stored: &AtomicU64) -> Option<Instant> {
        let micros = stored.load(Ordering::Relaxed);
        (micros != NOT_STALLED).then(|| self.at(micros))
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
        [Phase::Head, Phase::Busy, Phase::Idle, Phase::Linger, Phase::Tunnel]
            [usize::from(self.phase.load(Ordering::Relaxed) % 5)]
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
        assert_eq!(progress.evictable(at(1000)), None);
        progress.write_stalled(|| at(5));
        progress.write_stalled(|| at(20));
        assert_eq!(ends(), Some(35), "nothing accepted since the fifth second");
        progress.response_ended(at(39));
        assert_eq!(progress.idle_since(), None, "a part of the response is not written");
        progress.write_resumed(1, || at(39));
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
        assert_eq!(progress.evictable(at(249)), None);
        assert_eq!(progress.evictable(at(250)), Some(Evictable::NoRequest(began)));
        assert_eq!(
            (progress.reserve_evictable(at(24)), progress.reserve_evictable(at(25))),
            (None, Some(began))
        );
        progress.request_started(at(300));
        assert_eq!((progress.evictable(at(900)), progress.reserve_evictable(at(900))), (None, None));
        progress.response_ended(at(1000));
        assert_eq!(progress.evictable(at(1100)), None);
        assert_eq!(progress.evictable(at(1250)), Some(Evictable::NoRequest(at(1000))));
    }

    #[test]
    fn a_connection_that_waits_for_its_client_is_evictable_after_those_without_a_request() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let progress = ConnectionProgress::begin(began);
        progress.request_started(at(1));
        progress.body_awaited(at(2));
        assert_eq!(progress.evictable(at(4)), None, "a body may pause");
        assert_eq!(progress.evictable(at(5)), Some(Evictable::WaitsForClient(at(2))));
        progress.body_arrived();
        assert_eq!(progress.evictable(at(9)), None, "now it waits for the program");
        progress.write_stalled(|| at(10));
        assert_eq!(progress.evictable(at(13)), Some(Evictable::WaitsForClient(at(10))));
        assert_eq!(progress.reserve_evictable(at(11)), Some(at(1)));
        progress.write_resumed(5, || at(14));
        progress.tunnel_moved(at(15));
        assert_eq!(progress.evictable(at(74)), None);
        assert_eq!(progress.evictable(at(75)), Some(Evictable::SilentTunnel(at(15))));
        progress.client_left();
        assert_eq!(progress.evictable(at(16)), Some(Evictable::WaitsForClient(at(15))), "at once");
        assert!(Evictable::NoRequest(at(9)) < Evictable::WaitsForClient(at(1)));
    }

    #[test]
    fn the_wait_ends_where_a_client_is_slower_than_allowed() {
        let seconds = Duration::from_secs;
        // Timeout, least rate, bytes so far, time waited so far, wait that remains.
        let cases = [
            (15, 1024, 0, 0, 15),
            (15, 1024, 1, 10, 5),
            (15, 1024, 2, 15, 0),
            (15, 1024, 10 * 1024, 20, 5),
            (15, 1024, 1 << 30, 900, 15),
            (15, 0, 1, 900, 15),
            (15, u64::MAX, u64::MAX, 15, 0),
        ];
        for (timeout, rate, bytes, waited, expected) in cases {
            let left = remaining_wait(seconds(timeout), rate, bytes, seconds(waited));
            assert_eq!(
                (left + Duration::from_millis(500)).as_secs(),
                expected,
                "{bytes} bytes after {waited} s"
            );
        }
    }

    #[test]
    fn a_response_that_is_read_byte_by_byte_ends() {
        let limits = FrontLimits::default();
        let began = Instant::now();
        let progress = ConnectionProgress::begin(began);
        progress.request_started(began);
        let mut now = began;
        loop {
            progress.write_stalled(|| now);
            let Some(deadline) =
                progress.deadline(&limits).filter(|_| now < began + Duration::from_secs(100))
            else {
                panic!("it goes on");
            };
            now += Duration::from_secs(10);
            if deadline <= now {
                break;
            }
            progress.write_resumed(1, || now);
        }
        assert_eq!((now - began).as_secs(), 40, "a moment after the write timeout");
    }
}
