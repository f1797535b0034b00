//! A token bucket, which bounds the messages of a connection.

use std::time::Instant;

/// Messages a second, in the long run.
const RATE: f64 = 50.0;

/// Messages at once.
const BURST: f64 = 200.0;

/// A token bucket.
#[derive(Debug)]
pub(crate) struct RateLimit {
    tokens: f64,
    refilled: Instant,
}

impl RateLimit {
    pub(crate) fn new(now: Instant) -> Self {
        RateLimit { tokens: BURST, refilled: now }
    }

    /// Takes a token, and returns whether there was one.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.refilled).as_secs_f64() * RATE;
        self.tokens = (self.tokens + gained).min(BURST);
        self.refilled = self.refilled.max(now);
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_admitted_and_a_flood_is_not() {
        let begun = Instant::now();
        let mut limit = RateLimit::new(begun);
        assert_eq!((0..300).filter(|_| limit.admit(begun)).count(), 200);
        let later = begun + Duration::from_secs(1);
        assert_eq!((0..300).filter(|_| limit.admit(later)).count(), 50);
    }
}
