//! The phase of a connection, and until when its client may let the server wait.
//!
//! One timer serves all phases. It is not reset at each step, which would cost several timer operations per request: when it fires, it reads
//! the current deadline and is set again.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// Time during which the rest of a refused request is read and discarded. Closing at once would reset the connection, and the client would
/// not receive the response that says why.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Time for the request of a connection of the reserve, which is for `/health` and other paths of the operator.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// A request head.
    Head,
    /// The response.
    Busy,
    /// The first byte of the next request.
    Idle,
    /// The end of a client that is still sending.
    Linger,
    /// A tunnel's bytes; the phase begins anew with each.
    Tunnel,
    /// Something that the server lacks for a request which is still in the kernel's buffer.
    Waiting,
}

/// How long a client may let the server wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// For a complete request head.
    pub head: Duration,
    /// For the next request.
    pub idle: Duration,
    /// While it accepts no part of a response.
    pub write: Duration,
    /// Least bytes of a response a second that the client takes, on average over the time in which it was waited for, once that is longer
    /// than `write`. 0: any.
    pub least_rate: u64,
}

impl ClientTimeouts {
    /// The timeouts of a connection of the reserve, which has only few.
    #[must_use]
    pub fn of_reserve(self) -> Self {
        ClientTimeouts {
            head: self.head.min(RESERVE_TIMEOUT),
            write: self.write.min(RESERVE_TIMEOUT),
            ..self
        }
    }
}

/// Returns how long a client may let the server wait now, after it has moved so many bytes and was `waited` for already: `timeout`, or
/// less if it would be slower than `least_rate` bytes a second.
pub fn remaining_wait(timeout: Duration, least_rate: u64, bytes: u64, waited: Duration) -> Duration {
    let Some(earned) = bytes.saturating_mul(1_000_000).checked_div(least_rate) else { return timeout };
    timeout.saturating_add(Duration::from_micros(earned)).saturating_sub(waited).min(timeout)
}

const NONE: u64 = u64::MAX;

/// An instant after the beginning of a connection, or none.
#[derive(Debug)]
pub struct AtomicInstant(AtomicU64);

impl AtomicInstant {
    /// Creates one without a value.
    pub const fn none() -> Self {
        AtomicInstant(AtomicU64::new(NONE))
    }

    /// Stores an instant; the connection began at `began`.
    pub fn set(&self, began: Instant, at: Instant) {
        self.0.store(micros(began, at), Ordering::Relaxed);
    }

    /// Removes the value, and returns it.
    pub fn take(&self, began: Instant) -> Option<Instant> {
        instant(began, self.0.swap(NONE, Ordering::Relaxed))
    }

    /// Returns the value.
    pub fn get(&self, began: Instant) -> Option<Instant> {
        instant(began, self.0.load(Ordering::Relaxed))
    }
}

fn micros(began: Instant, at: Instant) -> u64 {
    u64::try_from(at.duration_since(began).as_micros()).unwrap_or(NONE - 1)
}

fn instant(began: Instant, micros: u64) -> Option<Instant> {
    (micros != NONE).then(|| began + Duration::from_micros(micros))
}

/// The phase of one connection, and since when its client is waited for. One task writes it, so relaxed ordering suffices.
#[derive(Debug)]
pub struct ConnectionClock {
    began: Instant,
    phase: AtomicU8,
    phase_since: AtomicInstant,
    /// Since when the client has accepted nothing.
    stalled_since: AtomicInstant,
    /// Sum of the earlier times of this response during which the client accepted nothing, in microseconds.
    stalled_before: AtomicU64,
    /// Bytes of this response that were written.
    written: AtomicU64,
    unread: AtomicBool,
    /// Wakes what waits until the client accepts data again.
    resumed: Mutex<Option<Waker>>,
}

impl ConnectionClock {
    /// Starts the clock of a connection that has just been accepted.
    pub fn start(now: Instant) -> Self {
        let clock = ConnectionClock {
            began: now,
            phase: AtomicU8::new(Phase::Head as u8),
            phase_since: AtomicInstant::none(),
            stalled_since: AtomicInstant::none(),
            stalled_before: AtomicU64::new(0),
            written: AtomicU64::new(0),
            unread: AtomicBool::new(false),
            resumed: Mutex::default(),
        };
        clock.enter(Phase::Head, now);
        clock
    }

    /// Returns when the connection was accepted.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Returns the phase.
    pub fn phase(&self) -> Phase {
        [Phase::Head, Phase::Busy, Phase::Idle, Phase::Linger, Phase::Tunnel, Phase::Waiting]
            [usize::from(self.phase.load(Ordering::Relaxed) % 6)]
    }

    /// Returns when the phase began.
    pub fn phase_since(&self) -> Instant {
        self.phase_since.get(self.began).unwrap_or(self.began)
    }

    /// Begins a phase.
    pub fn enter(&self, phase: Phase, now: Instant) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.phase_since.set(self.began, now);
    }

    /// Records that a request head is complete.
    pub fn request_started(&self, now: Instant) {
        self.enter(Phase::Busy, now);
        self.stalled_before.store(0, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
    }

    /// Records that the response is complete.
    pub fn response_ended(&self, now: Instant) {
        self.enter(Phase::Idle, now);
    }

    /// Records that bytes have arrived.
    pub fn bytes_received(&self, now: impl FnOnce() -> Instant) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head, now());
        }
    }

    /// Records that the client accepts no data.
    pub fn write_stalled(&self, now: impl FnOnce() -> Instant) {
        if !self.is_stalled() {
            self.stalled_since.set(self.began, now());
        }
    }

    /// Records that the client has accepted so many bytes.
    pub fn write_resumed(&self, bytes: usize, now: impl FnOnce() -> Instant) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(since) = self.stalled_since.take(self.began) {
            let stalled = micros(since, now());
            self.stalled_before.fetch_add(stalled, Ordering::Relaxed);
            if let Some(waker) = self.resumed.lock().unwrap_or_else(PoisonError::into_inner).take() {
                waker.wake();
            }
        }
    }

    /// Returns since when the client has accepted nothing.
    pub fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since.get(self.began)
    }

    fn is_stalled(&self) -> bool {
        self.stalled_since().is_some()
    }

    /// Is pending while the client accepts no data.
    pub fn poll_accepts(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_stalled() {
            return Poll::Ready(());
        }
        *self.resumed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Records that a part of the request will not be read.
    pub fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Records that the last response is sent and the connection will be closed. Returns whether the client may still be sending.
    pub fn close(&self, now: impl FnOnce() -> Instant) -> bool {
        let unread = self.unread.load(Ordering::Relaxed);
        if unread && self.phase() != Phase::Linger {
            self.enter(Phase::Linger, now());
        }
        unread
    }

    /// Returns when the current wait times out; `None` while the connection does not wait for its client.
    pub fn deadline(&self, timeouts: &ClientTimeouts) -> Option<Instant> {
        let timeout = match self.phase() {
            Phase::Head => Some(timeouts.head),
            Phase::Busy | Phase::Tunnel | Phase::Waiting => None,
            Phase::Idle => Some(timeouts.idle),
            Phase::Linger => Some(LINGER_TIME),
        };
        let waiting = timeout.map(|timeout| self.phase_since() + timeout);
        let stalled = self.stalled_since().map(|since| {
            let before = Duration::from_micros(self.stalled_before.load(Ordering::Relaxed));
            let written = self.written.load(Ordering::Relaxed);
            since + remaining_wait(timeouts.write, timeouts.least_rate, written, before)
        });
        waiting.into_iter().chain(stalled).min()
    }

    /// Returns since when the connection is idle with everything written; `None` if it is not.
    pub fn idle_since(&self) -> Option<Instant> {
        (self.phase() == Phase::Idle && !self.is_stalled()).then(|| self.phase_since())
    }
}

#[cfg(test)]
mod tests;
