//! The `Retry-After` of shed requests.
//!
//! If memory falls, it is the time until it has fallen far enough at the current rate. If not, it grows with the time that shedding has
//! lasted, so that fewer clients return at the same time.

use std::time::Duration;

use heapbeat_shared::Bytes;

/// Minimum and maximum of `Retry-After`, in seconds.
const MIN_SECONDS: f64 = 5.0;
const MAX_SECONDS: f64 = 60.0;

/// Time constant of the smoothed rate, in seconds.
const SMOOTHING: f64 = 5.0;

/// The smoothed rate at which memory changes. Times are the age of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateEstimator {
    last: Option<(Duration, Bytes)>,
    per_second: f64,
}

impl RateEstimator {
    /// Adds an observation.
    pub(crate) fn push(&mut self, now: Duration, memory: Bytes) {
        let Some((then, before)) = self.last.replace((now, memory)) else { return };
        let seconds = now.saturating_sub(then).as_secs_f64();
        if seconds > 0.0 {
            let moved = (memory.0 as f64 - before.0 as f64) / seconds;
            // An exponential average over irregular intervals.
            self.per_second += (moved - self.per_second) * (1.0 - (-seconds / SMOOTHING).exp());
        }
    }

    /// Returns the seconds after which a client should retry: memory is `excess` above the threshold at which shedding ends, and shedding
    /// has lasted for `lasted`.
    pub(crate) fn retry_after(&self, excess: Bytes, lasted: Duration) -> u32 {
        let seconds = if self.per_second < 0.0 {
            MIN_SECONDS + excess.0 as f64 / -self.per_second
        } else {
            MIN_SECONDS + lasted.as_secs_f64()
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two small numbers"
        )]
        let whole = seconds.clamp(MIN_SECONDS, MAX_SECONDS).round() as u32;
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates an estimator of a rate in MB per second, observed ten times a second.
    fn estimator_at(mb_per_second: i64) -> RateEstimator {
        let mut rate = RateEstimator::default();
        for tenth in 0..600_u32 {
            let mb = 10_000 + mb_per_second * i64::from(tenth) / 10;
            rate.push(Duration::from_millis(100) * tenth, Bytes::from_mb(mb.cast_unsigned()));
        }
        rate
    }

    #[test]
    fn retry_after_is_the_expected_end_of_shedding() {
        // MB per second, MB above the threshold, seconds of shedding so far, expected seconds.
        let cases = [
            ("falling", -10, 100, 3, 15),
            ("falling fast", -100, 50, 3, 6),
            ("falling hardly", -1, 500, 3, 60),
            ("rising, just begun", 20, 10, 0, 5),
            ("rising, for long", 20, 10, 25, 30),
            ("standing still", 0, 10, 300, 60),
        ];
        for (name, rate, excess, lasted, seconds) in cases {
            let after = estimator_at(rate).retry_after(Bytes::from_mb(excess), Duration::from_secs(lasted));
            assert_eq!(after, seconds, "{name}");
        }
        assert_eq!(RateEstimator::default().retry_after(Bytes::ZERO, Duration::ZERO), 5);
    }

    #[test]
    fn the_rate_does_not_depend_on_the_frequency_of_observations() {
        let paced = |millis: u64| {
            let mut rate = RateEstimator::default();
            for at in (0..20_000).step_by(usize::try_from(millis).unwrap()) {
                rate.push(Duration::from_millis(at), Bytes(at << 10));
            }
            rate.per_second
        };
        assert!((paced(50) / paced(1000) - 1.0).abs() < 0.05, "{} {}", paced(50), paced(1000));
    }
}
