//! The short-term estimate: whether the limit is reached within seconds at the current rate.
//!
//! A verdict needs a minute; at 20 MB/s there are ten seconds. This estimate uses the last readings as they are and makes no
//! statement about leaks. It answers whether the limit is reached within the horizon at the lower end of the rate's interval,
//! and needs at least five readings over two seconds.

use std::time::Duration;

use super::stats::{Kendall, Run, Slopes};

/// Readings kept.
const KEPT: usize = 64;

/// Fewest readings an answer rests on: five in order have one chance in 120.
const FEWEST: usize = 5;

/// Most readings an answer rests on; more are thinned out evenly.
const MOST: usize = 16;

/// Milliseconds looked back upon, one after the other.
const BACK_MS: [u64; 4] = [2_000, 4_000, 8_000, 16_000];

/// How sure: a one-sided 95 %.
const Z: f64 = 1.645;

/// The latest readings: milliseconds since the origin, and the total.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    readings: Box<[(u64, u64); KEPT]>,
    len: usize,
    next: usize,
}

impl Latest {
    pub(super) fn new() -> Self {
        Latest { readings: Box::new([(0, 0); KEPT]), len: 0, next: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.next = 0;
    }

    pub(super) fn push(&mut self, elapsed: u64, total: u64) {
        self.readings[self.next] = (elapsed, total);
        self.next = (self.next + 1) % KEPT;
        self.len = (self.len + 1).min(KEPT);
    }

    /// Bytes on the heap.
    pub(super) const fn bytes() -> usize {
        size_of::<[(u64, u64); KEPT]>()
    }

    /// The reading `back` places before the newest.
    fn get(&self, back: usize) -> (u64, u64) {
        self.readings[(self.next + KEPT - 1 - back) % KEPT]
    }

    /// Time until `limit` at the pace of the last seconds, if that is within `horizon`. Of several looks back the
    /// soonest counts; each takes the lower end of its slope's interval.
    pub(super) fn imminent(&self, limit: u64, horizon: Duration) -> Option<Duration> {
        let (now, total) = self.get(0);
        if self.len < FEWEST {
            return None;
        }
        let room = limit.saturating_sub(total) as f64;
        let soonest = BACK_MS
            .iter()
            .filter_map(|back| self.pace(now.saturating_sub(*back), *back))
            .map(|pace| room / pace)
            .fold(f64::INFINITY, f64::min);
        Duration::try_from_secs_f64(soonest).ok().filter(|time| *time <= horizon)
    }

    /// Bytes per second that are surely added since `from`; `None` where that is not above 0.
    fn pace(&self, from: u64, back: u64) -> Option<f64> {
        let count = (0..self.len).take_while(|place| self.get(*place).0 >= from).count();
        let covers = self.get(0).0.saturating_sub(self.get(count.checked_sub(1)?).0);
        if count < FEWEST || covers < back / 2 || covers < BACK_MS[0] * 9 / 10 {
            return None;
        }
        let stride = count.div_ceil(MOST);
        let (mut t, mut y) = ([0.0; MOST], [0.0; MOST]);
        let kept = count.div_ceil(stride);
        for place in 0..kept {
            let (at, total) = self.get((kept - 1 - place) * stride);
            t[place] = at.saturating_sub(from) as f64 / 1000.0;
            y[place] = total as f64;
        }
        let run = Run { t: &t[..kept], y: &y[..kept] };
        let low = Slopes::of(run).interval(Kendall::of(run.y).deviation, Z).0;
        (low > 0.0 && low.is_finite()).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn latest(points: impl IntoIterator<Item = (u64, u64)>) -> Latest {
        let mut latest = Latest::new();
        points.into_iter().for_each(|(at, mb)| latest.push(at, mb * MB));
        latest
    }

    #[test]
    fn a_fast_leak_is_seen_after_five_readings_at_either_rate() {
        for (step_ms, count) in [(1000, 5), (50, 41), (250, 9)] {
            let growing = latest((0..count).map(|i| (i * step_ms, 60 + 20 * i * step_ms / 1000)));
            let total = 60 + 20 * (count - 1) * step_ms / 1000;
            let expected = (200 - total) as f64 / 20.0;
            let time = growing.imminent(200 * MB, Duration::from_secs(60)).unwrap().as_secs_f64();
            assert!((time / expected - 1.0).abs() < 0.15, "{step_ms} ms: {time} s, not {expected} s");
        }
    }

    #[test]
    fn one_jump_falling_memory_or_a_far_limit_are_not_imminent() {
        let cases = [
            ("nothing", latest([])),
            ("four readings", latest((0..4).map(|i| (i * 1000, 60 + 20 * i)))),
            ("one jump", latest((0..12).map(|i| (i * 1000, if i < 11 { 60 } else { 180 })))),
            ("falling", latest((0..12).map(|i| (i * 1000, 180 - 10 * i)))),
            ("slow", latest((0..12).map(|i| (i * 1000, 60 + i)))),
            ("all at once", latest((0..12).map(|i| (7000, 60 + 10 * i)))),
        ];
        for (name, readings) in cases {
            assert_eq!(readings.imminent(200 * MB, Duration::from_secs(60)), None, "{name}");
        }
    }

    #[test]
    fn beyond_the_limit_there_is_no_time_left() {
        let over = latest((0..12).map(|i| (i * 1000, 180 + 10 * i)));
        assert_eq!(over.imminent(200 * MB, Duration::ZERO), Some(Duration::ZERO));
    }
}
