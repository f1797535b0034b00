//! Leaks that fill the memory within a minute. After an alert there would be no time to find the function that leaks, as agents compare what
//! survives over several seconds; so they are asked before, once it is known how fast memory grows.

use std::time::{Duration, Instant};

use heapbeat_shared::Bytes;

/// Time to the limit below which the function is looked for at once, and the longest life of an instance whose leak counts as fast.
const NEAR: Duration = Duration::from_secs(30);
const FAST: Duration = Duration::from_secs(60);

/// Shortest time between two requests, as an agent that has to record allocations slows the program meanwhile.
const PAUSE: Duration = Duration::from_secs(60);

/// Share of the limit, in percent, by which an instance has grown that leaked, and by which one has grown that seems to leak.
const LEAKED: u64 = 25;
const SEEMS_TO_LEAK: u64 = 10;

/// How fast the instances of a program fill their memory.
#[derive(Debug, Default)]
pub(super) struct FastLeak {
    /// How old the instance before was when it was replaced, if it had leaked fast.
    former_life: Option<Duration>,
    asked_at: Option<Instant>,
}

/// How an instance has grown until now.
#[derive(Clone, Copy, Debug)]
pub(super) struct GrowthSoFar {
    pub(super) grown: Bytes,
    pub(super) limit: Bytes,
    pub(super) age: Duration,
}

impl GrowthSoFar {
    fn reaches(&self, share: u64) -> bool {
        u128::from(self.grown.0) * 100 >= u128::from(self.limit.0) * u128::from(share)
    }
}

impl FastLeak {
    /// Notes how an instance had grown when another one took its place.
    pub(super) fn note_end(&mut self, growth: GrowthSoFar) {
        self.former_life = (growth.reaches(LEAKED) && growth.age <= FAST).then_some(growth.age);
    }

    /// Whether an instance grows as the one before did that leaked fast.
    pub(super) fn is_repeated(&self, growth: GrowthSoFar) -> bool {
        self.former_life.is_some() && growth.reaches(SEEMS_TO_LEAK)
    }

    /// Returns the time until an instance has the age at which the one before was replaced, if that leaked fast.
    pub(super) fn time_left(&self, age: Duration) -> Option<Duration> {
        self.former_life.map(|life| life.saturating_sub(age))
    }

    /// Returns the time that is left to look for the function, if it is to be looked for now: until the limit, which is reached after
    /// `to_limit`, or until the age at which the instance before was replaced.
    pub(super) fn time_to_look(
        &mut self,
        growth: GrowthSoFar,
        to_limit: Option<Duration>,
        now: Instant,
    ) -> Option<Duration> {
        if self.asked_at.is_some_and(|at| now.duration_since(at) < PAUSE) {
            return None;
        }
        // What it needed to start is no leak.
        if !growth.reaches(SEEMS_TO_LEAK) {
            return None;
        }
        let again = self.time_left(growth.age);
        let left = to_limit.filter(|left| *left <= NEAR).into_iter().chain(again).min()?;
        self.asked_at = Some(now);
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Growth in percent of the limit, at an age in seconds.
    fn growth(percent: u64, age: u64) -> GrowthSoFar {
        GrowthSoFar { grown: Bytes(percent), limit: Bytes(100), age: Duration::from_secs(age) }
    }

    #[test]
    fn the_function_is_looked_for_when_the_limit_is_near_or_the_instance_before_leaked_fast() {
        let start = Instant::now();
        let secs = Duration::from_secs;
        // Growth and age of the instance before, those of this one, seconds to the limit, and the seconds that are left.
        let cases = [
            (None, (40, 5), Some(20), Some(20)),
            (None, (40, 5), Some(31), None),
            (None, (9, 1), Some(20), None),
            (None, (40, 5), None, None),
            (Some((60, 12)), (9, 2), None, None),
            (Some((60, 12)), (10, 3), None, Some(9)),
            (Some((60, 12)), (10, 3), Some(5), Some(5)),
            (Some((60, 12)), (10, 20), None, Some(0)),
            (Some((24, 12)), (10, 3), None, None),
            (Some((60, 61)), (10, 3), None, None),
        ];
        for (former, (percent, age), to_limit, expected) in cases {
            let mut leak = FastLeak::default();
            if let Some((percent, age)) = former {
                leak.note_end(growth(percent, age));
            }
            let left = leak.time_to_look(growth(percent, age), to_limit.map(secs), start);
            assert_eq!(left, expected.map(secs), "{former:?} {percent} {age} {to_limit:?}");
        }
    }

    #[test]
    fn it_is_asked_once_a_minute_whatever_is_replaced_meanwhile() {
        let start = Instant::now();
        let mut leak = FastLeak::default();
        let asked = (0..300).filter(|second| {
            leak.note_end(growth(60, 10));
            leak.time_to_look(growth(30, 5), None, start + Duration::from_secs(*second)).is_some()
        });
        assert_eq!(asked.collect::<Vec<u64>>(), [0, 60, 120, 180, 240]);
    }
}
