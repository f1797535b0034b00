//! The short-term estimate: whether the limit is reached within seconds at the current rate.
//!
//! A verdict needs a minute, but at 20 MB/s there may be ten seconds. This estimate uses the last points unfiltered, and makes no statement
//! about leaks. It takes the lower end of the rate's interval, and needs at least five points over two seconds.

use std::collections::VecDeque;
use std::time::Duration;

use super::stats::TimeSeries;

/// Number of points that are kept.
const CAPACITY: usize = 64;

/// Fewest points of an estimate: five in rising order have a chance of one in 120.
const MIN_POINTS: usize = 5;

/// Most points of an estimate; more are thinned out evenly.
const MAX_POINTS: usize = 16;

/// Lengths of the windows that end now, in milliseconds.
const WINDOWS_MS: [u64; 4] = [2_000, 4_000, 8_000, 16_000];

/// Standard normal quantile of a one-sided 95 % interval.
const Z: f64 = 1.645;

/// The most recent points, newest first: milliseconds since the origin, and the total.
#[derive(Clone, Debug)]
pub(super) struct RecentPoints(VecDeque<(u64, u64)>);

impl RecentPoints {
    pub(super) fn new() -> Self {
        RecentPoints(VecDeque::with_capacity(CAPACITY))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn push(&mut self, elapsed: u64, total: u64) {
        self.0.truncate(CAPACITY - 1);
        self.0.push_front((elapsed, total));
    }

    /// Returns the size on the heap in bytes.
    pub(super) const fn bytes() -> usize {
        size_of::<[(u64, u64); CAPACITY]>()
    }

    /// Returns the time until `limit` at the rate of the last seconds, if that is within `horizon`. The window with the shortest time counts;
    /// each uses the lower end of its rate's interval.
    pub(super) fn time_to_limit_within(&self, limit: u64, horizon: Duration) -> Option<Duration> {
        let (now, total) = *self.0.front()?;
        let room = limit.saturating_sub(total) as f64;
        let soonest = WINDOWS_MS
            .iter()
            .filter_map(|window| self.lowest_rate(now.saturating_sub(*window), *window))
            .map(|rate| room / rate)
            .fold(f64::INFINITY, f64::min);
        Duration::try_from_secs_f64(soonest).ok().filter(|time| *time <= horizon)
    }

    /// Returns the lower end of the growth rate since `from` in bytes per second; `None` if that is not above 0.
    fn lowest_rate(&self, from: u64, window: u64) -> Option<f64> {
        let count = self.0.iter().take_while(|(at, _)| *at >= from).count();
        let covers = self.0[0].0.saturating_sub(self.0[count.checked_sub(1)?].0);
        if count < MIN_POINTS || covers < window / 2 || covers < WINDOWS_MS[0] * 9 / 10 {
            return None;
        }
        let stride = count.div_ceil(MAX_POINTS);
        let (mut t, mut y) = ([0.0; MAX_POINTS], [0.0; MAX_POINTS]);
        let kept = count.div_ceil(stride);
        for place in 0..kept {
            let (at, total) = self.0[(kept - 1 - place) * stride];
            t[place] = at.saturating_sub(from) as f64 / 1000.0;
            y[place] = total as f64;
        }
        let low = TimeSeries { t: &t[..kept], y: &y[..kept] }.lowest_slope(Z);
        (low > 0.0 && low.is_finite()).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn latest(points: impl IntoIterator<Item = (u64, u64)>) -> RecentPoints {
        let mut latest = RecentPoints::new();
        points.into_iter().for_each(|(at, mb)| latest.push(at, mb * MB));
        latest
    }

    #[test]
    fn a_fast_leak_is_detected_after_five_points_at_any_rate() {
        for (step_ms, count) in [(1000, 5), (50, 41), (250, 9)] {
            let growing = latest((0..count).map(|i| (i * step_ms, 60 + 20 * i * step_ms / 1000)));
            let total = 60 + 20 * (count - 1) * step_ms / 1000;
            let expected = (200 - total) as f64 / 20.0;
            let time = growing.time_to_limit_within(200 * MB, Duration::from_secs(60)).unwrap().as_secs_f64();
            assert!((time / expected - 1.0).abs() < 0.15, "{step_ms} ms: {time} s, not {expected} s");
        }
    }

    #[test]
    fn one_jump_falling_memory_or_a_far_limit_are_not_imminent() {
        let cases = [
            ("nothing", latest([])),
            ("four points", latest((0..4).map(|i| (i * 1000, 60 + 20 * i)))),
            ("one jump", latest((0..12).map(|i| (i * 1000, if i < 11 { 60 } else { 180 })))),
            ("falling", latest((0..12).map(|i| (i * 1000, 180 - 10 * i)))),
            ("slow", latest((0..12).map(|i| (i * 1000, 60 + i)))),
            ("all at once", latest((0..12).map(|i| (7000, 60 + 10 * i)))),
        ];
        for (name, points) in cases {
            assert_eq!(points.time_to_limit_within(200 * MB, Duration::from_secs(60)), None, "{name}");
        }
    }

    #[test]
    fn above_the_limit_no_time_is_left() {
        let over = latest((0..12).map(|i| (i * 1000, 180 + 10 * i)));
        assert_eq!(over.time_to_limit_within(200 * MB, Duration::ZERO), Some(Duration::ZERO));
    }
}
