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
/// `room` is the distance to the next threshold, `growth` the growth over the last interval `since`, `calm` the longest interval, which
/// applies without growth.
pub fn next_interval(room: Bytes, growth: Bytes, since: Duration, calm: Duration) -> Duration {
    if growth == Bytes::ZERO {
        return calm;
    }
    let reached_in = since.as_secs_f64() * room.0 as f64 / growth.0 as f64;
    let wanted = reached_in / f64::from(SAMPLES_TO_NEXT_THRESHOLD);
    Duration::try_from_secs_f64(wanted).unwrap_or(calm).clamp(FASTEST.min(calm), calm)
}

/// The growth between readings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GrowthTracker {
    last: Option<(Duration, Bytes)>,
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
        let next = next_interval(room, growth, since, calm);
        let added = u128::from(growth.0) * next.as_millis() / since.as_millis().max(1);
        (Bytes(u64::try_from(added).unwrap_or(u64::MAX)), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let next = next_interval(Bytes::from_mb(room), Bytes::from_mb(growth), SECOND, SECOND);
            assert_eq!(next, Duration::from_millis(millis), "{growth} MB/s with {room} MB to go");
        }
    }

    #[test]
    fn the_calm_interval_is_never_exceeded() {
        let calm = Duration::from_millis(20);
        assert_eq!(next_interval(Bytes::ZERO, Bytes(1), calm, calm), calm);
        assert_eq!(next_interval(Bytes(u64::MAX), Bytes(1), Duration::MAX, calm), calm);
    }
}
