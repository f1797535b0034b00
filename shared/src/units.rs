//! Types for sizes and instants.
//!
//! Memory is bytes in the code and whole megabytes in the public body of `/health`; separate types prevent mixing them up. A
//! megabyte is 1,048,576 bytes, as Render, cgroups and `/health` count it; the parser accepts `MB` and `MiB` alike.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Bytes in one megabyte (2^20), as the `/health` contract and Render's plans count it.
pub const BYTES_PER_MB: u64 = 1 << 20;

/// A size of memory in bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Bytes(#[n(0)] pub u64);

impl Bytes {
    /// Zero bytes.
    pub const ZERO: Bytes = Bytes(0);

    /// Converts megabytes of 2^20 bytes.
    pub const fn from_mb(mb: u64) -> Self {
        Bytes(mb.saturating_mul(BYTES_PER_MB))
    }

    /// Returns a figure of a heap, or `None` for 0: so servers report one that they do not know, as every heap takes memory.
    pub const fn known(self) -> Option<Bytes> {
        if self.0 == 0 { None } else { Some(self) }
    }

    /// Subtracts `other`; the result is never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Bytes) -> Self {
        Bytes(self.0.saturating_sub(other.0))
    }

    /// Converts to whole megabytes, rounded to the nearest (half rounds up).
    pub const fn to_megabytes(self) -> Megabytes {
        let whole = self.0 / BYTES_PER_MB;
        let rest = self.0 % BYTES_PER_MB;
        Megabytes(whole + (rest >= BYTES_PER_MB / 2) as u64)
    }
}

impl fmt::Display for Bytes {
    /// Formats the size as `512 B`, `3.2 kB`, `150.4 MB`, `1.50 GB`, in powers of 1024.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KB: u64 = 1 << 10;
        const GB: u64 = 1 << 30;
        match self.0 {
            b if b < KB => write!(f, "{b} B"),
            b if b < BYTES_PER_MB => write!(f, "{:.1} kB", b as f64 / KB as f64),
            b if b < GB => write!(f, "{:.1} MB", b as f64 / BYTES_PER_MB as f64),
            b => write!(f, "{:.2} GB", b as f64 / GB as f64),
        }
    }
}

/// Rounds `value` to this number of decimals, a half away from zero.
pub fn round_to(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    // Adding zero makes -0 to 0.
    (value * scale).round() / scale + 0.0
}

/// Truncates `value` to this number of decimals, as 99.9999 % of uptime is not 100 %. The small addition compensates for binary fractions,
/// as 99.98 is stored a little lower.
pub fn floor_to(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    ((value + 1e-9) * scale).floor() / scale
}

/// The text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseBytesError {
    /// The text does not have the form of a size.
    #[error(
        "a size is a number and a unit, such as 512MB, 1.5GB or 800MiB (B, kB, MB, GB, TB in powers of 1024)"
    )]
    Form,
    /// The number has no unit; the text is the size that was probably meant.
    #[error("a size needs a unit; did you mean {0}?")]
    NoUnit(String),
}

impl FromStr for Bytes {
    type Err = ParseBytesError;

    /// Parses `512MB`, `1.5 GiB`, `800m` or `0`, all in powers of 1024. Other numbers need a unit, as `512` would be ambiguous.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" if number.bytes().all(|b| matches!(b, b'0' | b'.')) => 0,
            "" => return Err(missing_unit(number)),
            "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(ParseBytesError::Form),
        };
        scale_decimal(number, 1 << shift).map(Bytes).ok_or(ParseBytesError::Form)
    }
}

/// Largest number with decimals that was probably meant in gigabytes.
const MOST_GIGABYTES: f64 = 64.0;

/// Returns the error of a number without a unit: a large whole number was probably meant in bytes, a small one with decimals in gigabytes, any
/// other in megabytes.
fn missing_unit(number: &str) -> ParseBytesError {
    if scale_decimal(number, BYTES_PER_MB).is_none() {
        return ParseBytesError::Form;
    }
    let is_decimal = number.contains('.');
    let unit = match number.parse::<f64>() {
        Ok(number) if is_decimal && number <= MOST_GIGABYTES => "GB",
        Ok(number) if !is_decimal && number >= BYTES_PER_MB as f64 => "B",
        _ => "MB",
    };
    ParseBytesError::NoUnit(format!("{number}{unit}"))
}

/// Multiplies `number` (decimal, at most one point) by `factor` without floating point, and rounds down; `None` if it is not a number, has a
/// fraction of a single byte, or does not fit.
fn scale_decimal(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && (fraction.is_empty() || factor == 1)) {
        return None;
    }
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let parts: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10u64.pow(u32::try_from(fraction.len()).ok()?);
    // `parts * factor / scale` in two steps, each of which fits: both rests are less than the scale, which is 10^9 at most.
    let extra = parts * (factor / scale) + parts * (factor % scale) / scale;
    whole.checked_mul(factor)?.checked_add(extra)
}

/// A size in whole megabytes of 2^20 bytes, as in the public body of `/health`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Megabytes(#[n(0)] pub u64);

impl Megabytes {
    /// Returns a figure of a heap, or `None` for 0, as [`Bytes::known`] does.
    pub const fn known(self) -> Option<Megabytes> {
        if self.0 == 0 { None } else { Some(self) }
    }
}

impl From<Megabytes> for Bytes {
    fn from(mb: Megabytes) -> Self {
        Bytes::from_mb(mb.0)
    }
}

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MB", self.0)
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct UnixMillis(#[n(0)] pub i64);

impl UnixMillis {
    /// Returns the time from `earlier` to `self`; zero if `earlier` is later (a clock that was set back).
    pub fn since(self, earlier: UnixMillis) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Adds `span`, and saturates.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        UnixMillis(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Subtracts `span`, and saturates.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        UnixMillis(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a number and a unit, such as 500ms, 30s, 5m, 1h30m or 7d")]
pub struct ParseDurationError;

/// Units of a duration with their milliseconds, longest first.
const DURATION_UNITS: [(&[&str], u64); 5] =
    [(&["d"], 86_400_000), (&["h"], 3_600_000), (&["m", "min"], 60_000), (&["s"], 1_000), (&["ms"], 1)];

/// Parses `500ms`, `30s`, `1.5m`, `24h`, `7d` or `1h30m`. A unit is required, as `30` would be ambiguous. Of several parts each has a
/// shorter unit than the one before, so that a part that is repeated or out of order is refused.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let (mut rest, mut units, mut total) = (text.trim(), DURATION_UNITS.as_slice(), 0_u64);
    loop {
        let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_while(after.trim_start(), |c| c.is_ascii_alphabetic());
        let place = units.iter().position(|(names, _)| names.contains(&unit)).ok_or(ParseDurationError)?;
        let part = scale_decimal(number, units[place].1).ok_or(ParseDurationError)?;
        total = total.checked_add(part).ok_or(ParseDurationError)?;
        units = &units[place + 1..];
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(Duration::from_millis(total));
        }
    }
}

/// Splits off the beginning whose characters all match.
fn split_while(text: &str, matches: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !matches(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn uptime_is_cut_and_figures_are_rounded() {
        for (value, decimals, shown) in
            [(99.9999, 2, "99.99"), (99.98, 3, "99.98"), (100.0, 3, "100"), (0.0, 3, "0")]
        {
            assert_eq!(floor_to(value, decimals).to_string(), shown, "{value}");
        }
        for (value, decimals, shown) in
            [(99.9999, 2, "100"), (-0.25, 3, "-0.25"), (-0.0001, 3, "0"), (28.5, 0, "29")]
        {
            assert_eq!(round_to(value, decimals).to_string(), shown, "{value}");
        }
    }

    #[test]
    fn nobody_gets_a_zero_for_a_heap_that_is_not_known() {
        assert_eq!((Bytes::ZERO.known(), Bytes(1).known()), (None, Some(Bytes(1))));
        assert_eq!((Megabytes(0).known(), Megabytes(1).known()), (None, Some(Megabytes(1))));
    }

    #[test]
    fn the_usual_forms_of_sizes_are_parsed() {
        let cases = [
            ("0", 0),
            ("1048576B", 1_048_576),
            ("512MB", 536_870_912),
            ("512 MiB", 536_870_912),
            ("800m", 838_860_800),
            ("1.5GB", 1_610_612_736),
            ("0.5kB", 512),
            (" 2 TB ", 2_199_023_255_552),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn an_invalid_size_is_refused() {
        for text in [
            "",
            "MB",
            "-1MB",
            "1.5B",
            "1.MB",
            ".5MB",
            "1e3",
            "1..5MB",
            "12 XB",
            "18446744073709551616",
            "99999999999TB",
        ] {
            assert_eq!(text.parse::<Bytes>(), Err(ParseBytesError::Form), "{text:?}");
        }
    }

    #[test]
    fn a_size_without_a_unit_is_refused_with_what_was_probably_meant() {
        for (text, meant) in [
            ("512", "512MB"),
            (" 5", "5MB"),
            ("1.5", "1.5GB"),
            ("0.5", "0.5GB"),
            ("64.5", "64.5MB"),
            ("67108864", "67108864B"),
        ] {
            let error = text.parse::<Bytes>().unwrap_err().to_string();
            assert_eq!(error, format!("a size needs a unit; did you mean {meant}?"));
        }
    }

    #[test]
    fn megabytes_round_to_the_nearest() {
        let cases =
            [(0, 0), (524_287, 0), (524_288, 1), (1_048_576, 1), (157_810_688, 151), (157_286_400, 150)];
        for (bytes, mb) in cases {
            assert_eq!(Bytes(bytes).to_megabytes(), Megabytes(mb), "{bytes}");
        }
    }

    #[test]
    fn sizes_are_displayed_with_a_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 kB"),
            (157_705_830, "150.4 MB"),
            (1_610_612_736, "1.50 GB"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
    }

    #[test]
    fn durations_need_a_unit() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("1.5m", 90_000),
            ("5min", 300_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
            ("2d 12h", 216_000_000),
            (" 1m 1s1ms ", 61_001),
            ("1.5h30m", 7_200_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["30", "", "s", "-5s", "1h30", "h30m", "30m1h", "1h1h", "1h-30m", "1h,30m", "1.5ms", "584542046y"]
        {
            assert_eq!(parse_duration(text), Err(ParseDurationError), "{text:?}");
        }
    }

    #[test]
    fn since_is_zero_when_the_clock_was_set_back() {
        assert_eq!(UnixMillis(5).since(UnixMillis(9)), Duration::ZERO);
        assert_eq!(UnixMillis(9).since(UnixMillis(5)), Duration::from_millis(4));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,40}") {
            let _ = text.parse::<Bytes>();
            let _ = parse_duration(&text);
        }

        #[test]
        fn whole_megabytes_round_trip(mb in 0u64..1 << 40) {
            prop_assert_eq!(Bytes::from(Megabytes(mb)).to_megabytes(), Megabytes(mb));
        }
    }
}
