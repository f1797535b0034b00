//! State and deadline of a connection; implements all timeouts of clients.
//!
//! Each phase has a timeout against one attack by slow clients, which hold a connection and its memory at no cost:
//!
//! - `Head`: slowloris, a request head that arrives byte by byte.
//! - `Idle`: connections that are kept open and never used again. hyper's `header_read_timeout` (1.12) begins as soon as the
//!   previous response is sent, so both would have the same length; a head may take ten seconds, an idle connection two minutes.
//! - stalled writes: a client that requests a large response and does not read it. hyper has no write timeout, and tower-http's
//!   `TimeoutBody` does not help, as it is not polled while the socket accepts nothing.
//! - `Linger`: a client that goes on sending the body of a request that was refused.
//!
//! One timer per connection serves all phases. It is not reset at each step, which would cost several timer operations per request:
//! when it fires, it reads the current phase and is set again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::HttpLimits;

/// Time during which the rest of a request is read and discarded after a response that left it unread. Closing at once would reset
/// the connection, and the client would not receive the error response.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// A request head.
    Head,
    /// The application's response.
    Handling,
    /// The first byte of the next request.
    Idle,
    /// The rest of the request body, which is discarded.
    Linger,
}

/// Why a request body was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than allowed.
    TooLarge,
    /// Its next part did not arrive in time.
    TooSlow,
}

/// The progress of one connection. Only `body_error` is written by other tasks; relaxed ordering suffices.
#[derive(Debug)]
pub(super) struct ConnectionProgress {
    began: Instant,
    phase: AtomicU8,
    /// When the phase began, in microseconds since the beginning.
    phase_since: AtomicU64,
    /// Since when the client has accepted nothing, in microseconds since the beginning; [`NOT_STALLED`] if it accepts data.
    stalled_since: AtomicU64,
    unread: AtomicBool,
    body_error: AtomicU8,
}

const NOT_STALLED: u64 = u64::MAX;

/// Values of `ConnectionProgress::body_error`.
const NO_BODY_ERROR: u8 = 0;
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;

impl ConnectionProgress {
    pub(super) fn begin(now: Instant) -> Arc<Self> {
        Arc::new(ConnectionProgress {
            began: now,
            phase: AtomicU8::new(Phase::Head as u8),
            phase_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(NOT_STALLED),
            unread: AtomicBool::new(false),
            body_error: AtomicU8::new(NO_BODY_ERROR),
        })
    }

    /// Records that a request head is complete.
    pub(super) fn request_started(&self, now: Instant) {
        self.enter(Phase::Handling, now);
        self.body_error.store(NO_BODY_ERROR, Ordering::Relaxed);
    }

    /// Records that the response is complete.
    pub(super) fn response_ended(&self, now: Instant) {
        self.enter(Phase::Idle, now);
    }

    /// Records that bytes have arrived.
    pub(super) fn bytes_received(&self, now: impl FnOnce() -> Instant) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head, now());
        }
    }

    /// Records that the client accepts no data.
    pub(super) fn write_stalled(&self, now: impl FnOnce() -> Instant) {
        if self.stalled_since.load(Ordering::Relaxed) == NOT_STALLED {
            self.stalled_since.store(self.micros(now()), Ordering::Relaxed);
        }
    }

    /// Records that the client has accepted data.
    pub(super) fn write_resumed(&self) {
        self.stalled_since.store(NOT_STALLED, Ordering::Relaxed);
    }

    /// Records that the last response is sent and the connection will be closed. Returns whether the client may still be sending.
    pub(super) fn close(&self, now: impl FnOnce() -> Instant) -> bool {
        let unread = self.unread.load(Ordering::Relaxed);
        if unread && self.phase() != Phase::Linger {
            self.enter(Phase::Linger, now());
        }
        unread
    }

    /// Records that a part of the request will not be read.
    pub(super) fn mark_body_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Records why the request body was refused; only the first error counts.
    pub(super) fn set_body_error(&self, error: BodyError) {
        let code = match error {
            BodyError::TooLarge => TOO_LARGE,
            BodyError::TooSlow => TOO_SLOW,
        };
        let _ = self.body_error.compare_exchange(NO_BODY_ERROR, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns why the request body was refused.
    pub(super) fn body_error(&self) -> Option<BodyError> {
        match self.body_error.load(Ordering::Relaxed) {
            TOO_LARGE => Some(BodyError::TooLarge),
            TOO_SLOW => Some(BodyError::TooSlow),
            _ => None,
        }
    }

    /// Returns when the current wait times out; `None` while the connection waits for the application.
    pub(super) fn deadline(&self, limits: &HttpLimits) -> Option<Instant> {
        let timeout = match self.phase() {
            Phase::Head => Some(limits.header_timeout),
            Phase::Handling => None,
            Phase::Idle => Some(limits.idle_timeout),
            Phase::Linger => Some(LINGER_TIME),
        };
        let waiting = timeout.map(|timeout| self.at(self.phase_since.load(Ordering::Relaxed)) + timeout);
        let stalled = self.stalled_since.load(Ordering::Relaxed);
        let stalled = (stalled != NOT_STALLED).then(|| self.at(stalled) + limits.write_timeout);
        match (waiting, stalled) {
            (Some(waiting), Some(stalled)) => Some(waiting.min(stalled)),
            (waiting, stalled) => waiting.or(stalled),
        }
    }

    fn phase(&self) -> Phase {
        [Phase::Head, Phase::Handling, Phase::Idle, Phase::Linger]
            [usize::from(self.phase.load(Ordering::Relaxed) % 4)]
    }

    fn enter(&self, phase: Phase, now: Instant) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.phase_since.store(self.micros(now), Ordering::Relaxed);
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
    use crate::config::Config;

    /// Plays the steps of a connection, and checks the deadline after each, in seconds since its start.
    #[test]
    fn the_deadline_follows_the_phase_of_the_connection() {
        let limits = HttpLimits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            ..Config::default().http
        };
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let progress = ConnectionProgress::begin(began);
        let deadline_s = || progress.deadline(&limits).map(|deadline| (deadline - began).as_secs());
        assert_eq!(deadline_s(), Some(10), "a client that sends nothing");
        progress.request_started(at(3));
        assert_eq!(deadline_s(), None, "the application has a timeout of its own");
        progress.write_stalled(|| at(5));
        progress.write_stalled(|| at(20));
        assert_eq!(deadline_s(), Some(35), "nothing accepted since the fifth second");
        progress.write_resumed();
        progress.bytes_received(|| at(30));
        assert_eq!(deadline_s(), None, "a body has a timeout of its own");
        progress.response_ended(at(40));
        assert_eq!(deadline_s(), Some(160), "idle until the next request");
        progress.bytes_received(|| at(50));
        progress.bytes_received(|| at(55));
        assert_eq!(deadline_s(), Some(60), "the next request head has the head timeout");
        progress.request_started(at(56));
        progress.response_ended(at(57));
        assert!(!progress.close(|| at(58)), "the request was read completely");
        progress.mark_body_unread();
        assert!(progress.close(|| at(60)) && progress.close(|| at(65)));
        assert_eq!(deadline_s(), Some(61), "the rest of a refused body is discarded for one second");
    }

    #[test]
    fn the_first_error_of_a_body_is_kept_until_the_next_request() {
        let progress = ConnectionProgress::begin(Instant::now());
        assert_eq!(progress.body_error(), None);
        progress.set_body_error(BodyError::TooSlow);
        progress.set_body_error(BodyError::TooLarge);
        assert_eq!(progress.body_error(), Some(BodyError::TooSlow));
        progress.request_started(Instant::now());
        assert_eq!(progress.body_error(), None);
    }
}
