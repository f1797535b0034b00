//! Windows of time in requests.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use serde::{Deserialize, Serialize};

/// A window. The end is the present unless it is given; the default of the beginning depends on the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first instant.
    pub from: Option<UnixMillis>,
    /// The end.
    pub to: Option<UnixMillis>,
}

/// The step of the ends of a window: nothing changes more often than with a tick of the cron.
const STEP: Duration = Duration::from_secs(60);

/// The step of the ends of a window that is longer than [`LONG`].
const LONG_STEP: Duration = Duration::from_secs(3600);

/// Windows that are longer than this are shown by hour.
const LONG: Duration = Duration::from_secs(26 * 3600);

/// The last whole hour of the year 9999.
const LAST_HOUR: i64 = 253_402_297_200_000;

impl TimeRange {
    /// Returns the window with its ends at whole steps.
    #[must_use]
    pub fn quantized(self) -> Self {
        match (self.from, self.to) {
            (Some(from), Some(to)) => {
                let (from, to) = quantize(from, to);
                TimeRange { from: Some(from), to: Some(to) }
            }
            // The default length of a window is short; one that begins anywhere and ends now may be long.
            (from, to) => TimeRange {
                from: from.map(|from| round_down(from, STEP)),
                to: to.map(|to| round_up(to, STEP)),
            },
        }
    }
}

/// Widens a window to whole steps, so that windows that differ little are one question and share a response in the cache: to whole
/// minutes, and to whole hours if it is then longer than 26 hours. `from` is before `to`.
#[must_use]
pub fn quantize(from: UnixMillis, to: UnixMillis) -> (UnixMillis, UnixMillis) {
    let (begin, end) = (round_down(from, STEP), round_up(to, STEP));
    if end.since(begin) > LONG {
        (round_down(from, LONG_STEP), round_up(to, LONG_STEP))
    } else {
        (begin, end)
    }
}

/// Lengthens a window that ends now to whole minutes, or to whole hours if it is longer than 26 hours.
#[must_use]
pub fn quantize_length(window: Duration) -> Duration {
    let step = if window > LONG { LONG_STEP } else { STEP };
    let steps = window.as_millis().div_ceil(step.as_millis());
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

fn round_down(at: UnixMillis, step: Duration) -> UnixMillis {
    // Instants begin with the first millisecond of Unix time.
    UnixMillis((at.0 - at.0.rem_euclid(millis(step))).max(1))
}

fn round_up(at: UnixMillis, step: Duration) -> UnixMillis {
    let missing = (-at.0).rem_euclid(millis(step));
    UnixMillis(at.0.saturating_add(missing).min(LAST_HOUR.max(at.0)))
}

fn millis(step: Duration) -> i64 {
    i64::try_from(step.as_millis()).unwrap_or(i64::MAX)
}

/// The window of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PageRange {
    /// The window that suits the age of the monitor: [`NamedRange::for_age`].
    #[default]
    ByAge,
    /// A window that ends now.
    Named(NamedRange),
    /// Any other window.
    Between {
        /// The first instant.
        from: UnixMillis,
        /// The end, which is later.
        to: UnixMillis,
    },
}

/// A window of a page that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NamedRange {
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
}

impl NamedRange {
    /// Every window, shortest first.
    pub const ALL: [NamedRange; 5] =
        [NamedRange::Hour, NamedRange::Day, NamedRange::Week, NamedRange::Month, NamedRange::Quarter];

    /// Returns the name in the query of a page.
    pub const fn as_str(self) -> &'static str {
        match self {
            NamedRange::Hour => "1h",
            NamedRange::Day => "24h",
            NamedRange::Week => "7d",
            NamedRange::Month => "30d",
            NamedRange::Quarter => "90d",
        }
    }

    /// Returns the window of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NamedRange::ALL.into_iter().find(|range| range.as_str() == name)
    }

    /// Returns the window of a page that asks for none: a day, or an hour for a monitor that is younger, as its chart of a day would look empty.
    /// `first` is when the monitor was first observed.
    pub fn for_age(first: Option<UnixMillis>, now: UnixMillis) -> Self {
        let hour = Duration::from_secs(3600);
        if first.is_some_and(|first| now.since(first) >= hour) { NamedRange::Day } else { NamedRange::Hour }
    }

    /// Returns the length in hours.
    pub const fn hours(self) -> i64 {
        match self {
            NamedRange::Hour => 1,
            NamedRange::Day => 24,
            NamedRange::Week => 168,
            NamedRange::Month => 720,
            NamedRange::Quarter => 2160,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    #[test]
    fn windows_that_differ_little_are_the_same_question() {
        let at = 1_767_225_600_000;
        // (from, to) in milliseconds after a whole hour, and the question.
        let cases = [
            ((0, 3 * HOUR), (0, 3 * HOUR)),
            ((1, 3 * HOUR - 1), (0, 3 * HOUR)),
            ((MINUTE - 1, MINUTE), (0, MINUTE)),
            ((59_999, 60_001), (0, 2 * MINUTE)),
            ((MINUTE, 26 * HOUR + MINUTE), (MINUTE, 26 * HOUR + MINUTE)),
            ((MINUTE, 26 * HOUR + MINUTE + 1), (0, 27 * HOUR)),
        ];
        for ((from, to), (begin, end)) in cases {
            let found = quantize(UnixMillis(at + from), UnixMillis(at + to));
            assert_eq!(found, (UnixMillis(at + begin), UnixMillis(at + end)), "{from} to {to}");
        }
        let open = TimeRange { from: Some(UnixMillis(at + 1)), to: None };
        assert_eq!(open.quantized(), TimeRange { from: Some(UnixMillis(at)), to: None });
        let lengths = [(1, MINUTE), (MINUTE, MINUTE), (MINUTE + 1, 2 * MINUTE), (26 * HOUR + 1, 27 * HOUR)];
        for (length, expected) in lengths {
            let found = quantize_length(Duration::from_millis(length.unsigned_abs()));
            assert_eq!(i64::try_from(found.as_millis()).unwrap(), expected, "{length}");
        }
    }

    #[test]
    fn a_page_shows_an_hour_until_its_monitor_is_an_hour_old() {
        let now = UnixMillis(1_767_225_600_000);
        for (age, expected) in [
            (None, NamedRange::Hour),
            (Some(0), NamedRange::Hour),
            (Some(HOUR - 1), NamedRange::Hour),
            (Some(HOUR), NamedRange::Day),
            (Some(400 * 24 * HOUR), NamedRange::Day),
        ] {
            let first = age.map(|age| UnixMillis(now.0 - age));
            assert_eq!(NamedRange::for_age(first, now), expected, "{age:?}");
        }
    }

    proptest! {
        /// A day of questions with any milliseconds is as many questions as it has minutes.
        #[test]
        fn a_window_is_widened_by_less_than_two_steps(from in 1i64..253_402_300_799_998, span in 1i64..9_000_000_000) {
            let (from, to) = (UnixMillis(from), UnixMillis(from.saturating_add(span).min(253_402_300_799_999)));
            let (begin, end) = quantize(from, to);
            let step = if end.0 - begin.0 > 26 * HOUR { HOUR } else { MINUTE };
            prop_assert!(begin <= from && end >= to && begin < end);
            prop_assert!(from.0 - begin.0 < step && end.0 - to.0 < step);
            prop_assert!((begin.0 % step == 0 || begin.0 == 1) && (end.0 % step == 0 || end == to));
            prop_assert_eq!(quantize(begin, end), (begin, end));
        }
    }
}
