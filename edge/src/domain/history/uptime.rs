//! Uptime in a window, and how much of the window was observed.
//!
//! A percentage without its coverage is a claim about unobserved time, so the two are one value.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::State;
use crate::domain::history::ledger::StateSegment;
use crate::domain::snapshot::WindowUptime;

/// The windows that are shown, shortest first.
pub const WINDOWS: [(&str, Duration); 3] = [
    ("24h", Duration::from_secs(86_400)),
    ("7d", Duration::from_secs(7 * 86_400)),
    ("90d", Duration::from_secs(90 * 86_400)),
];

/// Returns the uptime in the window that ends at `now` (see [`ObservedTime`]). The coverage of a monitor that is younger than the window is
/// that of its own time, which begins with the first segment.
pub fn in_window(
    name: &str,
    window: Duration,
    segments: impl Iterator<Item = StateSegment>,
    now: UnixMillis,
) -> WindowUptime {
    let begin = now.minus(window);
    let (mut observed, mut first) = (ObservedTime::default(), None);
    for segment in segments {
        first.get_or_insert(segment.from);
        observed.add(segment.state, segment.to.min(now).since(segment.from.max(begin)));
    }
    let since = first.filter(|first| *first > begin);
    let span = now.since(since.unwrap_or(begin)).max(Duration::from_millis(1));
    WindowUptime {
        window: name.to_owned(),
        percent: observed.percent(),
        coverage: observed.coverage(span),
        since,
        observed: observed.total(),
    }
}

/// Observed time by how it counts: up and degraded are served time, down and waking are not, and maintenance counts as observed
/// only.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObservedTime {
    served: Duration,
    failed: Duration,
    excused: Duration,
}

impl ObservedTime {
    /// Adds time in a state.
    pub fn add(&mut self, state: State, span: Duration) {
        match state {
            State::Up | State::Degraded => self.served += span,
            State::Down | State::Waking => self.failed += span,
            State::Maintenance => self.excused += span,
            State::Unobserved => {}
        }
    }

    /// The share of served and failed time that was served, in percent; `None` if there is neither.
    pub fn percent(self) -> Option<f64> {
        let judged = self.served + self.failed;
        (!judged.is_zero()).then(|| 100.0 * self.served.as_secs_f64() / judged.as_secs_f64())
    }

    /// The share of `window`, which is not empty, that was observed, in percent.
    pub fn coverage(self, window: Duration) -> f64 {
        100.0 * self.total().as_secs_f64() / window.as_secs_f64()
    }

    /// All of the observed time.
    pub fn total(self) -> Duration {
        self.served + self.failed + self.excused
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment(from: i64, to: i64, state: State) -> StateSegment {
        StateSegment { from: UnixMillis(from * 1000), to: UnixMillis(to * 1000), state }
    }

    #[test]
    fn nothing_observed_is_no_percentage() {
        let day = Duration::from_secs(86_400);
        let uptime = in_window("24h", day, [].into_iter(), UnixMillis(0));
        assert_eq!((uptime.percent, uptime.coverage), (None, 0.0));
        let unobserved = [segment(0, 1000, State::Unobserved)];
        assert_eq!(in_window("24h", day, unobserved.into_iter(), UnixMillis(1_000_000)).percent, None);
    }

    #[test]
    fn only_observed_time_counts() {
        let segments = [
            segment(0, 50, State::Up),
            segment(50, 60, State::Down),
            segment(60, 80, State::Unobserved),
            segment(80, 90, State::Degraded),
            segment(90, 100, State::Maintenance),
        ];
        let now = UnixMillis(100_000);
        let all = in_window("w", Duration::from_secs(200), segments.into_iter(), now);
        assert_eq!(all.percent, Some(100.0 * 60.0 / 70.0));
        assert!((all.coverage - 80.0).abs() < 1e-9, "80 of the 100 s that there are were observed");
        assert_eq!((all.since, all.observed), (Some(UnixMillis(0)), Duration::from_secs(80)));
        let late = in_window("w", Duration::from_secs(45), segments.into_iter(), now);
        assert_eq!(late.percent, Some(100.0 * 10.0 / 15.0), "5 s of down are inside, 10 s of degraded");
        assert_eq!(late.since, None, "it is older than the window");
    }

    proptest! {
        #[test]
        fn equals_a_count_of_seconds(
            lengths in proptest::collection::vec((1i64..50, 0usize..6), 1..30),
            window in 1i64..600,
        ) {
            let (mut segments, mut seconds, mut clock) = (Vec::new(), Vec::new(), 0);
            for (length, state) in lengths {
                segments.push(segment(clock, clock + length, State::ALL[state]));
                seconds.extend((0..length).map(|_| State::ALL[state]));
                clock += length;
            }
            let tail = &seconds[seconds.len().saturating_sub(usize::try_from(window).unwrap())..];
            let count = |states: &[State]| tail.iter().filter(|s| states.contains(s)).count() as f64;
            let served = count(&[State::Up, State::Degraded]);
            let judged = served + count(&[State::Down, State::Waking]);
            let looked = judged + count(&[State::Maintenance]);

            let age = window.min(clock) as f64;
            let window = u64::try_from(window).unwrap();
            let uptime =
                in_window("w", Duration::from_secs(window), segments.into_iter(), UnixMillis(clock * 1000));
            prop_assert!((uptime.coverage - 100.0 * looked / age).abs() < 1e-6);
            match uptime.percent {
                None => prop_assert!(judged < 0.5),
                Some(percent) => prop_assert!((percent - 100.0 * served / judged).abs() < 1e-6),
            }
        }
    }
}
