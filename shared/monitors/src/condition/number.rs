//! Parses numbers and durations as Go does, as conditions written for Gatus expect.
//!
//! `==` compares two whole numbers as numbers (`0x10` is 16, `010` is 8). `<`, `<=`, `>` and `>=` convert both sides to a whole number:
//! a duration (`1h30m`) to milliseconds, a fraction to its whole part, and anything else to 0.

use std::fmt::Write as _;

/// Converts a side of `<`, `<=`, `>` or `>=`.
pub(super) fn parse_ordered(text: &str) -> i64 {
    // A longer text is not a number, but most likely a whole body.
    const MAX_LENGTH: usize = 400;
    if text.len() > MAX_LENGTH {
        return 0;
    }
    match parse_duration_nanos(text) {
        Some(nanos) if nanos != 0 => nanos / 1_000_000,
        // A float beyond the range of whole numbers saturates.
        #[allow(clippy::cast_possible_truncation)]
        _ => parse_whole(text).unwrap_or_else(|| parse_float(text).map_or(0, truncate_float)),
    }
}

/// Writes a number of milliseconds as a duration without the units that are zero, such as `240h`, `1h30m` or `9.998s`.
pub(super) fn format_duration(millis: i64) -> String {
    const UNITS: [(u64, &str); 3] = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let mut rest = millis.unsigned_abs();
    let mut text = String::from(if millis < 0 { "-" } else { "" });
    if rest < 1_000 {
        return format!("{text}{rest}ms");
    }
    for (size, unit) in UNITS {
        let count = rest / size;
        rest %= size;
        let fraction = match (unit, rest) {
            ("s", 1..) => format!(".{rest:03}").trim_end_matches('0').to_owned(),
            _ => String::new(),
        };
        if count > 0 || !fraction.is_empty() {
            // Writing to a String does not fail.
            let _ = write!(text, "{count}{fraction}{unit}");
        }
    }
    text
}

/// Returns whether the text is a number or a duration.
pub(super) fn is_ordered(text: &str) -> bool {
    parse_duration_nanos(text).is_some() || parse_whole(text).is_some() || parse_float(text).is_some()
}

/// Parses digits with a sign, a point and an exponent; neither `inf` nor `NaN`.
fn parse_float(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| numeric && number.is_finite())
}

#[allow(clippy::cast_possible_truncation)] // The cast saturates, as intended.
fn truncate_float(float: f64) -> i64 {
    float as i64
}

/// Parses like `strconv.ParseInt(text, 0, 64)`: a sign, a prefix `0x`, `0o`, `0b` or `0`, and `_` between digits.
pub(super) fn parse_whole(text: &str) -> Option<i64> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let bytes = text.as_bytes();
    let prefix = |letter: u8| bytes.len() >= 3 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&letter);
    let (radix, digits) = match bytes {
        [] => return None,
        _ if prefix(b'x') => (16, &bytes[2..]),
        _ if prefix(b'o') => (8, &bytes[2..]),
        _ if prefix(b'b') => (2, &bytes[2..]),
        [b'0', rest @ ..] => (8, rest),
        _ => (10, bytes),
    };
    let prefixed = digits.len() < bytes.len();
    let mut value: i128 = 0;
    let mut after_digit = prefixed;
    for byte in digits {
        if *byte == b'_' {
            if !std::mem::take(&mut after_digit) {
                return None;
            }
            continue;
        }
        value = value * radix + i128::from(char::from(*byte).to_digit(u32::try_from(radix).ok()?)?);
        after_digit = true;
        if value > 1 << 64 {
            return None;
        }
    }
    let is_complete = after_digit || digits.is_empty();
    i64::try_from(if negative { -value } else { value }).ok().filter(|_| is_complete)
}

/// Parses like `time.ParseDuration`, in nanoseconds: a sign, then numbers with units, such as `1h30m` or `1.5s`; or `0`.
pub fn parse_duration_nanos(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i64 = 0;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(number_ends);
        let unit_ends = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_ends);
        nanos = nanos.checked_add(part_to_nanos(number, unit)?)?;
        rest = behind;
    }
    Some(if negative { -nanos } else { nanos })
}

/// Converts a number with its unit.
fn part_to_nanos(number: &str, unit: &str) -> Option<i64> {
    let unit: i64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Each step divides by ten, beginning with the last digit. Rounding down in each step gives the same as rounding down once.
    let part = |behind: i64, digit: u8| (behind + unit * i64::from(digit - b'0')) / 10;
    let fraction = fraction.bytes().rev().fold(0, part);
    whole.checked_mul(unit)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_parsed_as_in_go() {
        let cases = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("200", Some(200)),
            ("+200", Some(200)),
            ("-7", Some(-7)),
            ("0x1", Some(1)),
            ("0XF", Some(15)),
            ("0xC0ff33", Some(12_648_243)),
            ("-0x10", Some(-16)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("08", None),
            ("0b0010", Some(2)),
            ("0b2", None),
            ("0x", None),
            ("1_000", Some(1000)),
            ("0x_f", Some(15)),
            ("0_7", Some(7)),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("99999999999999999999999999999999999999999999", None),
            ("", None),
            ("-", None),
            ("--1", None),
            (" 1", None),
            ("1.0", None),
            ("1e3", None),
            ("٣", None),
        ];
        for (text, value) in cases {
            assert_eq!(parse_whole(text), value, "{text:?}");
        }
    }

    #[test]
    fn durations_are_parsed_as_in_go() {
        let cases = [
            ("0", Some(0)),
            ("1s", Some(1_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("30m", Some(1_800_000_000_000)),
            ("500ms", Some(500_000_000)),
            ("1.5s", Some(1_500_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("-48h", Some(-172_800_000_000_000)),
            ("1us", Some(1_000)),
            ("1µs", Some(1_000)),
            ("3ns", Some(3)),
            ("1m0.5s", Some(60_500_000_000)),
            ("1d", None),
            ("1", None),
            ("s", None),
            (".s", None),
            ("1..5s", None),
            ("1 s", None),
            ("", None),
            ("-", None),
            ("1h-30m", None),
            ("9999999h", None),
            ("99999999999999999999h", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse_duration_nanos(text), nanos, "{text:?}");
        }
    }

    #[test]
    fn milliseconds_are_formatted_as_they_are_parsed() {
        let cases = [
            (0, "0ms"),
            (750, "750ms"),
            (1_000, "1s"),
            (9_998, "9.998s"),
            (60_500, "1m0.5s"),
            (5_400_000, "1h30m"),
            (864_000_000, "240h"),
            (863_999_998, "239h59m59.998s"),
            (-3_600_001, "-1h0.001s"),
        ];
        for (millis, text) in cases {
            assert_eq!(format_duration(millis), text);
            assert_eq!(parse_ordered(text), millis, "{text}");
        }
        assert_eq!(format_duration(i64::MIN), "-2562047788015h12m55.808s");
    }

    #[test]
    fn sides_of_an_ordered_comparison_become_whole_numbers() {
        let cases = [
            ("500", 500),
            ("1s", 1000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("1ns", 0),
            ("0x1F4", 500),
            ("123.9", 123),
            ("-123.9", -123),
            ("1e3", 1000),
            ("1e300", i64::MAX),
            ("99999999999999999999", i64::MAX),
            ("NaN", 0),
            ("potato", 0),
            ("", 0),
        ];
        for (text, value) in cases {
            assert_eq!(parse_ordered(text), value, "{text:?}");
        }
        assert_eq!(parse_ordered(&"9".repeat(100_000)), 0, "very long digits are not parsed");
    }
}
