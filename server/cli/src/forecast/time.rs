//! Times of a series: numbers in seconds, milliseconds, microseconds or nanoseconds, or ISO 8601.

use chrono::{DateTime, NaiveDateTime};
use heapbeat_shared::UnixMillis;
use serde::Deserialize;

/// Above this, a number of seconds would be of the year 5138: it is one of milliseconds, from 1973 on. Each finer unit begins a thousand
/// times as high.
pub(super) const MILLIS_FROM: f64 = 1e11;

/// A time in JSON.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Time {
    Number(f64),
    Text(String),
}

impl Time {
    /// Converts it; `None` if it is none.
    pub(super) fn to_millis(&self) -> Option<UnixMillis> {
        match self {
            Time::Number(number) => number_to_millis(*number),
            Time::Text(text) => parse_time(text),
        }
    }
}

/// Parses a time. One without a zone is in UTC.
pub(super) fn parse_time(text: &str) -> Option<UnixMillis> {
    if let Ok(number) = text.parse() {
        return number_to_millis(number);
    }
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis());
    let naive = || {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    zoned.ok().or_else(|| Some(naive()?.and_utc().timestamp_millis())).map(UnixMillis)
}

/// Converts a number to milliseconds, whose unit shows in its size.
fn number_to_millis(number: f64) -> Option<UnixMillis> {
    let per_second = match number.abs() {
        size if size < MILLIS_FROM => 1.0,
        size if size < MILLIS_FROM * 1e3 => 1e3,
        size if size < MILLIS_FROM * 1e6 => 1e6,
        _ => 1e9,
    };
    seconds_to_millis(number / per_second)
}

/// Converts seconds since any origin, and rounds them to milliseconds.
pub(super) fn seconds_to_millis(seconds: f64) -> Option<UnixMillis> {
    let millis = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounded in the same line; NaN fails the comparison")]
    (millis.abs() < 4e18).then_some(UnixMillis(millis as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_number_shows_in_its_size() {
        let cases = [
            (0.0, 0),
            (86_400.0 * 365.0, 31_536_000_000),
            (1_735_689_600.25, 1_735_689_600_250),
            (1_735_689_600_250.0, 1_735_689_600_250),
            (1_735_689_600_250_000.0, 1_735_689_600_250),
            (1_735_689_600_250_000_000.0, 1_735_689_600_250),
        ];
        for (number, millis) in cases {
            assert_eq!(Time::Number(number).to_millis(), Some(UnixMillis(millis)), "{number}");
        }
        for text in ["yesterday", "2025-13-01T00:00:00Z", "nan", "inf", ""] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
