//! What a connection waits for, and until when: the basis of every timeout that a client can run into.
//!
//! Each phase stops one attack that holds a connection, and its memory, for free:
//!
//! - `Head`: slowloris, a request head that arrives byte by byte.
//! - `Idle`: connections that are kept open and never used again. hyper's `header_read_timeout` (1.12) begins as soon as the
//!   previous answer is sent, so it has one length for both; a head must take ten seconds at most, a kept connection may rest
//!   for two minutes.
//! - stalled writes: a client that requests a large answer and does not read it. hyper has no write timeout, and tower-http's
//!   `TimeoutBody` cannot help, as it stops being polled once the socket takes nothing.
//! - `Linger`: a client that goes on sending the body of a request that was refused.
//!
//! One timer per connection serves all of them. It is not moved at every step, which would cost each request several timer
//! operations: it fires, reads what the connection waits for by then, and is set anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::HttpLimits;

/// After an answer that left a part of its request unread, how long the rest is taken and thrown away. Closing at once
/// would reset the connection, and the client would lose the answer that tells it why.
const LINGER: Duration = Duration::from_secs(1);

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// The head of a request.
    Head,
    /// The answer of the application.
    Busy,
    /// The first byte of the next request.
    Idle,
    /// The end of a client that is still talking.
    Linger,
}

/// What was wrong with a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// Longer than allowed.
    TooLarge,
    /// The next piece did not come in time.
    TooSlow,
}

/// One connection's progress. Everything but a body's fault happens in the connection's own task; the atomics order nothing.
#[derive(Debug)]
pub(super) struct ConnectionProgress {
    began: Instant,
    phase: AtomicU8,
    /// When the phase began, in microseconds since the beginning.
    phase_since: AtomicU64,
    /// Since when the client has taken nothing, in microseconds since the beginning; [`NEVER`] when it takes what it gets.
    stalled_since: AtomicU64,
    unread: AtomicBool,
    fault: AtomicU8,
}

const NEVER: u64 = u64::MAX;

impl ConnectionProgress {
    pub(super) fn begin(now: Instant) -> Arc<Self> {
        Arc::new(ConnectionProgress {
            began: now,
            phase: AtomicU8::new(Phase::Head as u8),
            phase_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(NEVER),
            unread: AtomicBool::new(false),
            fault: AtomicU8::new(0),
        })
    }

    /// A request's head is complete.
    pub(super) fn request(&self, now: Instant) {
        self.enter(Phase::Busy, now);
        self.fault.store(0, Ordering::Relaxed);
    }

    /// The answer is complete.
    pub(super) fn answered(&self, now: Instant) {
        self.enter(Phase::Idle, now);
    }

    /// Bytes have come.
    pub(super) fn received(&self, now: impl FnOnce() -> Instant) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head, now());
        }
    }

    /// The client takes nothing of what is there for it.
    pub(super) fn stalled(&self, now: impl FnOnce() -> Instant) {
        if self.stalled_since.load(Ordering::Relaxed) == NEVER {
            self.stalled_since.store(self.micros(now()), Ordering::Relaxed);
        }
    }

    /// The client has taken something.
    pub(super) fn taken(&self) {
        self.stalled_since.store(NEVER, Ordering::Relaxed);
    }

    /// The last answer is sent and the connection is to be closed. Says whether the client may still be talking.
    pub(super) fn close(&self, now: impl FnOnce() -> Instant) -> bool {
        let unread = self.unread.load(Ordering::Relaxed);
        if unread && self.phase() != Phase::Linger {
            self.enter(Phase::Linger, now());
        }
        unread
    }

    /// A part of the request will not be read.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Remembers the first thing that was wrong with the request's body.
    pub(super) fn blame(&self, fault: BodyFault) {
        let code = match fault {
            BodyFault::TooLarge => 1,
            BodyFault::TooSlow => 2,
        };
        let _ = self.fault.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What was wrong with the request's body.
    pub(super) fn fault(&self) -> Option<BodyFault> {
        match self.fault.load(Ordering::Relaxed) {
            1 => Some(BodyFault::TooLarge),
            2 => Some(BodyFault::TooSlow),
            _ => None,
        }
    }

    /// When the connection's patience ends as things are; `None` while it is waiting for the application.
    pub(super) fn deadline(&self, limits: &HttpLimits) -> Option<Instant> {
        let patience = match self.phase() {
            Phase::Head => Some(limits.header_timeout),
            Phase::Busy => None,
            Phase::Idle => Some(limits.idle_timeout),
            Phase::Linger => Some(LINGER),
        };
        let waiting = patience.map(|patience| self.at(self.phase_since.load(Ordering::Relaxed)) + patience);
        let stalled = self.stalled_since.load(Ordering::Relaxed);
        let stalled = (stalled != NEVER).then(|| self.at(stalled) + limits.write_timeout);
        match (waiting, stalled) {
            (Some(waiting), Some(stalled)) => Some(waiting.min(stalled)),
            (waiting, stalled) => waiting.or(stalled),
        }
    }

    fn phase(&self) -> Phase {
        [Phase::Head, Phase::Busy, Phase::Idle, Phase::Linger]
            [usize::from(self.phase.load(Ordering::Relaxed) % 4)]
    }

    fn enter(&self, phase: Phase, now: Instant) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.phase_since.store(self.micros(now), Ordering::Relaxed);
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.began).as_micros()).unwrap_or(NEVER - 1)
    }

    fn at(&self, micros: u64) -> Instant {
        self.began + Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// What a connection lives through, and when its patience ends afterwards, in seconds from its beginning.
    #[test]
    fn patience_follows_what_the_connection_waits_for() {
        let limits = HttpLimits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            ..Config::default().http
        };
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let progress = ConnectionProgress::begin(began);
        let ends = || progress.deadline(&limits).map(|deadline| (deadline - began).as_secs());
        assert_eq!(ends(), Some(10), "a client that says nothing");
        progress.request(at(3));
        assert_eq!(ends(), None, "the application has its own time");
        progress.stalled(|| at(5));
        progress.stalled(|| at(20));
        assert_eq!(ends(), Some(35), "nothing taken since the fifth second");
        progress.taken();
        progress.received(|| at(30));
        assert_eq!(ends(), None, "a body is not a head");
        progress.answered(at(40));
        assert_eq!(ends(), Some(160), "kept open for the next request");
        progress.received(|| at(50));
        progress.received(|| at(55));
        assert_eq!(ends(), Some(60), "whose head has to come in one go");
        progress.request(at(56));
        progress.answered(at(57));
        assert!(!progress.close(|| at(58)), "everything was read");
        progress.leave_unread();
        assert!(progress.close(|| at(60)) && progress.close(|| at(65)));
        assert_eq!(ends(), Some(61), "the rest of a refused body is taken for a moment");
    }

    #[test]
    fn the_first_fault_of_a_body_is_kept_until_the_next_request() {
        let progress = ConnectionProgress::begin(Instant::now());
        assert_eq!(progress.fault(), None);
        progress.blame(BodyFault::TooSlow);
        progress.blame(BodyFault::TooLarge);
        assert_eq!(progress.fault(), Some(BodyFault::TooSlow));
        progress.request(Instant::now());
        assert_eq!(progress.fault(), None);
    }
}
