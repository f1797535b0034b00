//! The interval between samples.
//!
//! A sample costs tens of microseconds: once a second it is negligible, twenty times a second it is not. The interval depends on how
//! soon memory could reach the next threshold: eight samples before that are enough to act in time. A process that stays at 85 % needs
//! no more samples than an empty one.

use std::time::Duration;

use heapbeat_shared::{Bytes, Pressure};

use crate::config::thresholds::Levels;

/// Shortest interval: 20 Hz.
pub const FASTEST: Duration = Duration::from_millis(50);

/// Number of samples before growth would reach the next threshold.
const SAMPLES_TO_NEXT_THRESHOLD: u32 = 8;

/// Returns the time to the next sample.
///
/// `room` is the distance to the next threshold, `rate` the growth in bytes a second, `calm` the longest interval, which applies without
/// growth.
pub fn next_interval(room: Bytes, rate: f64, calm: Duration) -> Duration {
    if rate <= 0.0 {
        return calm;
    }
    let wanted = room.0 as f64 / rate / f64::from(SAMPLES_TO_NEXT_THRESHOLD);
    Duration::try_from_secs_f64(wanted).unwrap_or(calm).clamp(FASTEST.min(calm), calm)
}

/// The growth between readings.
///
/// Memory grows in steps: between two of twenty readings a second it often does not grow at all. So the interval follows the fastest growth of
/// the last moments, whose rate is halved with each second; one reading without growth would otherwise make the next one late by a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GrowthTracker {
    last: Option<(Duration, Bytes)>,
    /// Bytes a second.
    rate: f64,
}

impl GrowthTracker {
    /// Returns the growth that is expected before the next reading, and the time to that reading: at most `calm`.
    pub(crate) fn expect(
        &mut self,
        now: Duration,
        memory: Bytes,
        levels: &Levels,
        calm: Duration,
    ) -> (Bytes, Duration) {
        let Some((then, before)) = self.last.replace((now, memory)) else { return (Bytes::ZERO, calm) };
        let (growth, since) = (memory.saturating_sub(before), now.saturating_sub(then));
        if since.is_zero() {
            return (Bytes::ZERO, calm);
        }
        let above = Pressure::ALL.into_iter().map(|level| levels.enter(level)).find(|at| *at > memory);
        let room = above.unwrap_or(levels.limit()).saturating_sub(memory);
        let seconds = since.as_secs_f64();
        self.rate = (growth.0 as f64 / seconds).max(self.rate * 0.5_f64.powf(seconds));
        let next = next_interval(room, self.rate, calm);
        let added = u128::from(growth.0) * next.as_millis() / since.as_millis().max(1);
        (Bytes(u64::try_from(added).unwrap_or(u64::MAX)), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn samples_become_more_frequent_near_the_next_threshold() {
        const SECOND: Duration = Duration::from_secs(1);
        // Room in MB, growth in MB within a second, milliseconds to the next sample.
        let cases = [
            (500, 0, 1000),
            (500, 1, 1000),
            (160, 20, 1000),
            (80, 20, 500),
            (40, 20, 250),
            (4, 20, 50),
            (0, 20, 50),
        ];
        for (room, growth, millis) in cases {
            let next = next_interval(Bytes::from_mb(room), Bytes::from_mb(growth).0 as f64, SECOND);
            assert_eq!(next, Duration::from_millis(millis), "{growth} MB/s with {room} MB to go");
        }
    }

    #[test]
    fn growth_in_steps_does_not_make_the_next_reading_late() {
        let levels = Config::default().thresholds.levels(Bytes::from_mb(256)).unwrap();
        let calm = Duration::from_secs(1);
        let mut tracker = GrowthTracker::default();
        // Steps of 1 MB every 100 ms, read every 50 ms, at most 12 MB below the threshold of recycle.
        for reading in 0..20_u32 {
            let memory = Bytes::from_mb(228 + u64::from(reading / 2));
            let (_, next) = tracker.expect(reading * FASTEST, memory, &levels, calm);
            assert!(reading < 2 || next <= 2 * FASTEST, "{reading}: {next:?}");
        }
        // Without growth, they become as rare as before within seconds.
        let mut now = 20 * FASTEST;
        while now < Duration::from_secs(12) {
            now += tracker.expect(now, Bytes::from_mb(237), &levels, calm).1;
        }
        assert_eq!(tracker.expect(now, Bytes::from_mb(237), &levels, calm).1, calm);
    }

    #[test]
    fn the_calm_interval_is_never_exceeded() {
        let calm = Duration::from_millis(20);
        assert_eq!(next_interval(Bytes::ZERO, 1.0, calm), calm);
        assert_eq!(next_interval(Bytes(u64::MAX), f64::MIN_POSITIVE, calm), calm);
    }
}
