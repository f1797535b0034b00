//! Thresholds of the ladder, in bytes: where each level begins and ends.
//!
//! A threshold is a size or a share of the limit. The limit may change while the process runs (a cgroup can be resized), so shares
//! are kept as shares and converted at each sample. Thresholds that cannot work are refused at start: levels out of order, or a
//! level that is left above the entrance of a lower one.

use std::fmt;
use std::str::FromStr;

use heapbeat_shared::units::ParseBytesError;
use heapbeat_shared::{Bytes, Pressure};

/// An amount of memory between zero and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// A fixed size, whatever the limit.
    Size(Bytes),
    /// A share of the limit in millionths: 781,250 is 78.125 %.
    Share(u32),
}

/// The text is not a threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a threshold is a share of the limit such as 87.9%, or a size such as 900MB")]
pub struct ParseThresholdError;

impl From<ParseBytesError> for ParseThresholdError {
    fn from(_: ParseBytesError) -> Self {
        ParseThresholdError
    }
}

impl Threshold {
    /// The threshold in bytes under `limit`.
    pub fn of(self, limit: Bytes) -> Bytes {
        match self {
            Threshold::Size(bytes) => bytes,
            Threshold::Share(millionths) => share_of(limit, millionths),
        }
    }
}

impl FromStr for Threshold {
    type Err = ParseThresholdError;

    /// Reads `87.9%` (at most four decimals) or a size.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(number) = text.trim().strip_suffix('%') else { return Ok(Threshold::Size(text.parse()?)) };
        let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return Err(ParseThresholdError);
        }
        let percent: u32 = whole.parse().map_err(|_| ParseThresholdError)?;
        let parts: u32 = format!("{fraction:0<4}").parse().map_err(|_| ParseThresholdError)?;
        let millionths =
            percent.checked_mul(10_000).and_then(|p| p.checked_add(parts)).ok_or(ParseThresholdError)?;
        (1..=1_000_000)
            .contains(&millionths)
            .then_some(Threshold::Share(millionths))
            .ok_or(ParseThresholdError)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Threshold::Size(bytes) => bytes.fmt(f),
            Threshold::Share(millionths) => write!(f, "{}%", f64::from(*millionths) / 10_000.0),
        }
    }
}

/// The thresholds of the four levels, and the hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Where `alert` begins.
    pub alert: Threshold,
    /// Where `purge` begins.
    pub purge: Threshold,
    /// Where `recycle` begins.
    pub recycle: Threshold,
    /// Where `shed` begins.
    pub shed: Threshold,
    /// How far below its entrance a level is left, as a share of the limit in millionths.
    pub hysteresis: u32,
}

impl Default for Thresholds {
    /// 800, 900, 960 and 992 MB of 1024; left 3 % of the limit lower.
    fn default() -> Self {
        Thresholds {
            alert: Threshold::Share(781_250),
            purge: Threshold::Share(878_906),
            recycle: Threshold::Share(937_500),
            shed: Threshold::Share(968_750),
            hysteresis: 30_000,
        }
    }
}

/// Thresholds that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdsError {
    /// A level begins at or above the next one.
    #[error(
        "{lower} begins at {lower_at} and {upper} at {upper_at}: each level must begin above the one before (limit {limit})"
    )]
    Order {
        /// The level that should come first.
        lower: &'static str,
        /// Where it begins.
        lower_at: Bytes,
        /// The level that should come after it.
        upper: &'static str,
        /// Where that begins.
        upper_at: Bytes,
        /// The limit.
        limit: Bytes,
    },
    /// The last level begins at or above the limit: the kernel would kill the process before.
    #[error("shed begins at {at}, which is not below the limit of {limit}")]
    AboveLimit {
        /// Where it begins.
        at: Bytes,
        /// The limit.
        limit: Bytes,
    },
    /// Alert could never be left.
    #[error("alert begins at {at} and is left {hysteresis} lower, which is never reached")]
    NeverClears {
        /// Where alert begins.
        at: Bytes,
        /// How far below that it is left.
        hysteresis: Bytes,
    },
}

impl Thresholds {
    /// The thresholds in bytes under `limit`, or why they cannot work there.
    pub fn levels(&self, limit: Bytes) -> Result<Levels, ThresholdsError> {
        let enter = [self.alert, self.purge, self.recycle, self.shed].map(|threshold| threshold.of(limit));
        for (index, pair) in enter.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                return Err(ThresholdsError::Order {
                    lower: LEVELS[index].as_str(),
                    lower_at: pair[0],
                    upper: LEVELS[index + 1].as_str(),
                    upper_at: pair[1],
                    limit,
                });
            }
        }
        let [alert, .., shed] = enter;
        if shed >= limit {
            return Err(ThresholdsError::AboveLimit { at: shed, limit });
        }
        let hysteresis = share_of(limit, self.hysteresis);
        if hysteresis >= alert {
            return Err(ThresholdsError::NeverClears { at: alert, hysteresis });
        }
        Ok(Levels { enter, hysteresis, limit })
    }
}

/// The levels that have a threshold.
const LEVELS: [Pressure; 4] = [Pressure::Alert, Pressure::Purge, Pressure::Recycle, Pressure::Shed];

/// Thresholds under one limit, in bytes, in order and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    enter: [Bytes; 4],
    hysteresis: Bytes,
    limit: Bytes,
}

impl Levels {
    /// The limit that they belong to.
    pub fn limit(&self) -> Bytes {
        self.limit
    }

    /// Where `level` begins; `calm` begins at zero.
    pub fn enter(&self, level: Pressure) -> Bytes {
        LEVELS.iter().position(|r| *r == level).map_or(Bytes::ZERO, |index| self.enter[index])
    }

    /// The highest level that begins at or below `memory`.
    pub fn reached(&self, memory: Bytes) -> Pressure {
        self.highest(|enter| memory >= enter)
    }

    /// The highest level that `memory` is still too high to leave.
    pub fn held(&self, memory: Bytes) -> Pressure {
        self.highest(|enter| memory >= enter.saturating_sub(self.hysteresis))
    }

    fn highest(&self, holds: impl Fn(Bytes) -> bool) -> Pressure {
        LEVELS
            .into_iter()
            .zip(self.enter)
            .rev()
            .find(|(_, enter)| holds(*enter))
            .map_or(Pressure::Calm, |(r, _)| r)
    }
}

fn share_of(limit: Bytes, millionths: u32) -> Bytes {
    let bytes = u128::from(limit.0) * u128::from(millionths) / 1_000_000;
    Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_shares_or_sizes() {
        let cases = [
            ("78.125%", Threshold::Share(781_250)),
            ("100%", Threshold::Share(1_000_000)),
            (" 5 % ", Threshold::Share(50_000)),
            ("900MB", Threshold::Size(Bytes::from_mb(900))),
        ];
        for (text, threshold) in cases {
            assert_eq!(text.parse(), Ok(threshold), "{text}");
        }
        for text in ["", "%", "0%", "101%", "5.%", ".5%", "1.23456%", "-1%", "lots", "99999999999%"] {
            assert_eq!(text.parse::<Threshold>(), Err(ParseThresholdError), "{text}");
        }
        assert_eq!(Threshold::Share(781_250).to_string(), "78.125%");
    }

    #[test]
    fn the_defaults_are_800_900_960_and_992_mb_of_1024() {
        let levels = Thresholds::default().levels(Bytes::from_mb(1024)).unwrap();
        let mb = |level| levels.enter(level).to_megabytes().0;
        assert_eq!(LEVELS.map(mb), [800, 900, 960, 992]);
    }

    #[test]
    fn a_level_is_left_lower_than_it_is_entered() {
        let levels = Thresholds::default().levels(Bytes::from_mb(1000)).unwrap();
        let cases = [
            (700, Pressure::Calm, Pressure::Calm),
            (760, Pressure::Calm, Pressure::Alert),
            (790, Pressure::Alert, Pressure::Alert),
            (860, Pressure::Alert, Pressure::Purge),
            (880, Pressure::Purge, Pressure::Purge),
            (910, Pressure::Purge, Pressure::Recycle),
            (970, Pressure::Shed, Pressure::Shed),
            (2000, Pressure::Shed, Pressure::Shed),
        ];
        for (mb, reached, held) in cases {
            let memory = Bytes::from_mb(mb);
            assert_eq!((levels.reached(memory), levels.held(memory)), (reached, held), "{mb} MB");
        }
    }

    #[test]
    fn thresholds_that_cannot_work_are_refused_with_the_reason() {
        let limit = Bytes::from_mb(512);
        let with = |change: fn(&mut Thresholds)| {
            let mut thresholds = Thresholds::default();
            change(&mut thresholds);
            thresholds.levels(limit).unwrap_err().to_string()
        };
        let cases = [
            (
                with(|m| m.purge = Threshold::Size(Bytes::from_mb(300))),
                "alert begins at 400.0 MB and purge at 300.0 MB: each level must begin above the one before (limit 512.0 MB)",
            ),
            (
                with(|m| m.shed = Threshold::Size(Bytes::from_mb(512))),
                "shed begins at 512.0 MB, which is not below the limit of 512.0 MB",
            ),
            (
                with(|m| m.hysteresis = 790_000),
                "alert begins at 400.0 MB and is left 404.5 MB lower, which is never reached",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(error, expected);
        }
    }
}
