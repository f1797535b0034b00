//! Figures as people read them.

use chrono::{DateTime, Utc};
use heapbeat_shared::UnixMillis;

use crate::watch::State;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn utc(at: UnixMillis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}

/// `2026-01-31T14:03:00Z`.
pub fn rfc3339(at: UnixMillis) -> String {
    utc(at).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `14:03 UTC` within a day, else `31 Jan, 14:03 UTC`, with the year within no year.
pub fn instant(at: UnixMillis, now: UnixMillis) -> String {
    let age = now.since(at).as_secs();
    let format = match age {
        age if age < DAY && utc(at).date_naive() == utc(now).date_naive() => "%H:%M UTC",
        age if age < 300 * DAY => "%-d %b, %H:%M UTC",
        _ => "%-d %b %Y, %H:%M UTC",
    };
    utc(at).format(format).to_string()
}

/// `14:03`.
pub fn clock(at: UnixMillis) -> String {
    utc(at).format("%H:%M").to_string()
}

/// How long ago, in its largest unit or two: `40 s`, `12 min`, `3 h 5 min`, `4 d 2 h`.
pub fn span(seconds: u64) -> String {
    let pair = |big: u64, unit: &str, small: u64, lesser: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {lesser}"),
    };
    match seconds {
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => pair(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        s => pair(s / DAY, "d", s % DAY / HOUR, "h"),
    }
}

/// A share in percent, cut rather than rounded: 99.996 is not 100.
pub fn percent(share: f64) -> String {
    if share >= 100.0 {
        return "100 %".into();
    }
    let cut = (share * 100.0).floor() / 100.0;
    format!("{cut:.2} %")
}

/// The word for a state on the page.
pub fn state(state: State) -> &'static str {
    match state {
        State::Up => "Up",
        State::Degraded => "Degraded",
        State::Down => "Down",
        State::Waking => "Waking",
        State::Maintenance => "Maintenance",
        State::Unobserved => "Not observed",
    }
}

/// The shape for a state, for those who cannot tell the colours apart: the path of a 16 by 16 icon.
pub fn icon(state: State) -> &'static str {
    match state {
        State::Up => "M3 8.5l3.5 3.5L13 4.5",
        State::Degraded => "M8 2.5v7M8 13v.5",
        State::Down => "M4 4l8 8M12 4l-8 8",
        State::Waking => "M8 3v5l3 3",
        State::Maintenance => "M5 3v10M11 3v10",
        State::Unobserved => "M3.5 8h9",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

    #[test]
    fn instants_are_as_short_as_they_can_be() {
        let ago = |seconds: i64| UnixMillis(NOON.0 - seconds * 1000);
        let cases = [
            (0, "12:00 UTC"),
            (3600, "11:00 UTC"),
            (13 * 3600, "30 Jan, 23:00 UTC"),
            (40 * 86_400, "22 Dec, 12:00 UTC"),
            (400 * 86_400, "27 Dec 2024, 12:00 UTC"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(instant(ago(seconds), NOON), shown);
        }
        assert_eq!(rfc3339(NOON), "2026-01-31T12:00:00Z");
        assert_eq!(clock(NOON), "12:00");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (11_100, "3 h 5 min"),
            (352_800, "4 d 2 h"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(span(seconds), shown);
        }
    }

    #[test]
    fn nearly_all_is_not_all() {
        let cases =
            [(100.0, "100 %"), (99.999, "99.99 %"), (99.98, "99.98 %"), (0.0, "0.00 %"), (50.5, "50.50 %")];
        for (share, shown) in cases {
            assert_eq!(percent(share), shown);
        }
    }
}
