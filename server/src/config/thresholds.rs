//! Thresholds of the ladder: the memory from which each level applies, and the hysteresis.
//!
//! A threshold is a size or a share of the limit. The limit may change while the process runs (a cgroup can be resized), so shares
//! are kept as shares and converted at each sample. Invalid thresholds are rejected at start. The defaults are in the table of
//! settings, [`SETTINGS`](crate::config::SETTINGS); only the hysteresis, which is no setting, has its value here.

use std::fmt;
use std::str::FromStr;

use heapbeat_shared::units::{ParseBytesError, round_to};
use heapbeat_shared::{Bytes, Pressure};

use super::Config;

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
pub enum ParseThresholdError {
    /// The text is neither a share nor a size.
    #[error("expected a share of the limit such as 87.9% or a size such as 900MB")]
    Form,
    /// The number has neither `%` nor the unit of a size; the text is what was probably meant.
    #[error("a threshold needs % or a unit; did you mean {0}?")]
    NoUnit(String),
}

impl From<ParseBytesError> for ParseThresholdError {
    fn from(_: ParseBytesError) -> Self {
        ParseThresholdError::Form
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
        let Some(number) = text.trim().strip_suffix('%') else {
            return match (text.parse::<Bytes>(), fraction_as_percent(text)) {
                (Err(_), Some(percent)) => Err(ParseThresholdError::NoUnit(percent)),
                (Err(ParseBytesError::NoUnit(size)), None) => {
                    let number = text.trim();
                    let is_percent = number.parse().is_ok_and(|percent: f64| percent <= 100.0);
                    let meant = if is_percent { format!("{number}% or {number}MB") } else { size };
                    Err(ParseThresholdError::NoUnit(meant))
                }
                (size, _) => Ok(Threshold::Size(size?)),
            };
        };
        let (whole, fraction) = number.trim().split_once('.').unwrap_or((number.trim(), "0"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 4 {
            return Err(ParseThresholdError::Form);
        }
        let percent: u32 = whole.parse().map_err(|_| ParseThresholdError::Form)?;
        let parts: u32 = format!("{fraction:0<4}").parse().map_err(|_| ParseThresholdError::Form)?;
        let millionths = percent
            .checked_mul(10_000)
            .and_then(|p| p.checked_add(parts))
            .ok_or(ParseThresholdError::Form)?;
        (1..=1_000_000)
            .contains(&millionths)
            .then_some(Threshold::Share(millionths))
            .ok_or(ParseThresholdError::Form)
    }
}

/// Returns the percentage that a fraction of the limit means, such as `90%` for `0.9`; `None` for any other text.
fn fraction_as_percent(text: &str) -> Option<String> {
    let text = text.trim();
    let is_decimal = text.contains('.') && text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    let fraction: f64 = text.parse().ok().filter(|_| is_decimal)?;
    (fraction > 0.0 && fraction <= 1.0).then(|| format!("{}%", round_to(fraction * 100.0, 4)))
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
    /// Threshold of `alert`.
    pub alert: Threshold,
    /// Threshold of `purge`.
    pub purge: Threshold,
    /// Threshold of `recycle`.
    pub recycle: Threshold,
    /// Threshold of `shed`.
    pub shed: Threshold,
    /// Hysteresis as a share of the limit in millionths: a level is left at its threshold minus this share.
    pub hysteresis: u32,
}

/// The hysteresis of all levels: 3 % of the limit, in millionths.
pub(super) const HYSTERESIS: u32 = 30_000;

impl Default for Thresholds {
    /// Returns the defaults of the table of settings.
    fn default() -> Self {
        Config::default().thresholds
    }
}

/// Why thresholds are invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThresholdsError {
    /// The threshold of a level is not below that of the next level.
    Order {
        /// Setting of the lower level.
        lower: &'static str,
        /// Its threshold.
        lower_at: Bytes,
        /// Setting of the next level.
        upper: &'static str,
        /// Its threshold.
        upper_at: Bytes,
        /// The limit.
        limit: Bytes,
    },
    /// The highest threshold is not below the limit: the kernel would kill the process before.
    AboveLimit {
        /// The threshold of `shed`.
        at: Bytes,
        /// The limit.
        limit: Bytes,
    },
    /// The level `alert` could never be left.
    NeverClears {
        /// The threshold of `alert`.
        at: Bytes,
        /// The hysteresis.
        hysteresis: Bytes,
    },
}

impl ThresholdsError {
    /// Returns the text with each setting named by `name`, such as by the flag and the value that were given for its variable.
    #[must_use]
    pub fn describe(&self, name: impl Fn(&'static str) -> String) -> String {
        match self {
            ThresholdsError::Order { lower, lower_at, upper, upper_at, limit } => format!(
                "{} ({upper_at}) must be greater than {} ({lower_at}) under the memory limit of {limit}",
                name(upper),
                name(lower)
            ),
            ThresholdsError::AboveLimit { at, limit } => {
                format!("{} ({at}) must be below the memory limit of {limit}", name(VARIABLES[3]))
            }
            ThresholdsError::NeverClears { at, hysteresis } => {
                format!("the hysteresis of {hysteresis} must be smaller than {} ({at})", name(VARIABLES[0]))
            }
        }
    }
}

impl fmt::Display for ThresholdsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe(str::to_owned))
    }
}

impl std::error::Error for ThresholdsError {}

impl Thresholds {
    /// Returns the thresholds in bytes under `limit`, or an error if they are invalid there.
    pub fn levels(&self, limit: Bytes) -> Result<Levels, ThresholdsError> {
        let enter = [self.alert, self.purge, self.recycle, self.shed].map(|threshold| threshold.of(limit));
        for (index, pair) in enter.windows(2).enumerate() {
            if pair[0] >= pair[1] {
                return Err(ThresholdsError::Order {
                    lower: VARIABLES[index],
                    lower_at: pair[0],
                    upper: VARIABLES[index + 1],
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

/// The settings of these levels.
const VARIABLES: [&str; 4] =
    ["HEAPBEAT_ALERT_AT", "HEAPBEAT_PURGE_AT", "HEAPBEAT_RECYCLE_AT", "HEAPBEAT_SHED_AT"];

/// Thresholds under one limit, in bytes, in order and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    enter: [Bytes; 4],
    hysteresis: Bytes,
    limit: Bytes,
}

impl Levels {
    /// Returns the limit that they belong to.
    pub fn limit(&self) -> Bytes {
        self.limit
    }

    /// Returns the threshold of `level`; that of `calm` is zero.
    pub fn enter(&self, level: Pressure) -> Bytes {
        LEVELS.iter().position(|r| *r == level).map_or(Bytes::ZERO, |index| self.enter[index])
    }

    /// Returns the highest level whose threshold is at or below `memory`.
    pub fn reached(&self, memory: Bytes) -> Pressure {
        self.highest(|enter| memory >= enter)
    }

    /// Returns the highest level that `memory` is still too high to leave.
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
            assert_eq!(text.parse::<Threshold>(), Err(ParseThresholdError::Form), "{text}");
        }
        let meant = [
            ("5", "5% or 5MB"),
            ("87.9", "87.9% or 87.9MB"),
            ("0.9", "90%"),
            (".875", "87.5%"),
            (" 0.00001 ", "0.001%"),
            ("1.0", "100%"),
            ("900", "900MB"),
            ("943718400", "943718400B"),
        ];
        for (text, meant) in meant {
            let error = ParseThresholdError::NoUnit(meant.into());
            assert_eq!(text.parse::<Threshold>(), Err(error), "{text}");
        }
        assert_eq!(Threshold::Share(781_250).to_string(), "78.125%");
    }

    #[test]
    fn each_default_is_the_default_of_its_setting() {
        let thresholds = Thresholds::default();
        let values = [thresholds.alert, thresholds.purge, thresholds.recycle, thresholds.shed];
        for (variable, value) in VARIABLES.into_iter().zip(values) {
            let setting = crate::config::SETTINGS.iter().find(|it| it.variable == variable).unwrap();
            assert_eq!(value.to_string(), setting.default, "{variable}");
        }
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
    fn invalid_thresholds_are_rejected_with_their_settings() {
        let limit = Bytes::from_mb(512);
        let with = |change: fn(&mut Thresholds)| {
            let mut thresholds = Thresholds::default();
            change(&mut thresholds);
            thresholds.levels(limit).unwrap_err().to_string()
        };
        let cases = [
            (
                with(|m| m.purge = Threshold::Size(Bytes::from_mb(300))),
                "HEAPBEAT_PURGE_AT (300.0 MB) must be greater than HEAPBEAT_ALERT_AT (400.0 MB) under the memory limit of 512.0 MB",
            ),
            (
                with(|m| m.shed = Threshold::Size(Bytes::from_mb(512))),
                "HEAPBEAT_SHED_AT (512.0 MB) must be below the memory limit of 512.0 MB",
            ),
            (
                with(|m| m.hysteresis = 790_000),
                "the hysteresis of 404.5 MB must be smaller than HEAPBEAT_ALERT_AT (400.0 MB)",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(error, expected);
        }
    }
}
