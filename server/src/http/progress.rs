//! What is known of a connection while its requests are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use heapbeat_connection::ConnectionClock;
use tokio::time::Instant;

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
    /// What it waits for, and until when.
    pub(super) clock: ConnectionClock,
    body_error: AtomicU8,
}

/// Values of `ConnectionProgress::body_error`.
const NO_BODY_ERROR: u8 = 0;
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;

impl ConnectionProgress {
    pub(super) fn begin(now: Instant) -> Arc<Self> {
        let clock = ConnectionClock::start(now);
        Arc::new(ConnectionProgress { clock, body_error: AtomicU8::new(NO_BODY_ERROR) })
    }

    /// Records that a request head is complete.
    pub(super) fn request_started(&self, now: Instant) {
        self.clock.request_started(now);
        self.body_error.store(NO_BODY_ERROR, Ordering::Relaxed);
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
