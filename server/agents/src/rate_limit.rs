//! A token bucket, which bounds the messages and the bytes of a connection.

use std::time::Instant;

/// A token bucket.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Tokens a second, in the long run.
    rate: f64,
    /// Tokens at once.
    burst: f64,
    tokens: f64,
    refilled: Instant,
}

impl RateLimit {
    /// Creates a full bucket.
    pub(crate) fn new(rate: u32, burst: u32, now: Instant) -> Self {
        RateLimit { rate: rate.into(), burst: burst.into(), tokens: burst.into(), refilled: now }
    }

    /// Takes so many tokens, and returns whether there were as many.
    pub(crate) fn admit(&mut self, tokens: u32, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.refilled).as_secs_f64() * self.rate;
        // What was granted beyond the burst stays.
        self.tokens = (self.tokens + gained).min(self.burst.max(self.tokens));
        self.refilled = self.refilled.max(now);
        let admitted = self.tokens >= f64::from(tokens);
        if admitted {
            self.tokens -= f64::from(tokens);
        }
        admitted
    }

    /// Grants so many tokens once.
    pub(crate) fn grant(&mut self, tokens: u32) {
        self.tokens = self.tokens.max(0.0).min(self.burst) + f64::from(tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_admitted_and_a_flood_is_not() {
        let begun = Instant::now();
        let mut limit = RateLimit::new(50, 200, begun);
        assert_eq!((0..300).filter(|_| limit.admit(1, begun)).count(), 200);
        let later = begun + Duration::from_secs(1);
        assert_eq!((0..300).filter(|_| limit.admit(1, later)).count(), 50);
    }

    #[test]
    fn what_is_granted_counts_once() {
        let begun = Instant::now();
        let mut limit = RateLimit::new(10, 100, begun);
        limit.grant(1000);
        limit.grant(1000);
        assert!(limit.admit(1100, begun) && !limit.admit(1, begun));
        assert!(!limit.admit(101, begun + Duration::from_secs(3600)));
    }
}
