//! Instants, dates and shares in the formats of the API.

use heapbeat_shared::UnixMillis;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::instant::rfc3339;
use crate::monitor_config::maintenance::parse_instant;

/// An instant, in JSON as RFC 3339 in UTC with whole seconds: `2026-01-31T14:03:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub UnixMillis);

impl From<UnixMillis> for Timestamp {
    fn from(at: UnixMillis) -> Self {
        Timestamp(at)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&rfc3339(self.0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_instant(&text).map(Timestamp).ok_or_else(|| D::Error::custom("not an instant in RFC 3339"))
    }
}

/// A day of UTC by its first instant, in JSON as its date: `2026-01-31`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub UnixMillis);

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let instant = rfc3339(self.0);
        f.write_str(instant.split('T').next().unwrap_or_default())
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let midnight = parse_instant(&[text.as_str(), "T00:00Z"].concat());
        midnight.map(Date).ok_or_else(|| D::Error::custom("a date is YYYY-MM-DD"))
    }
}

/// A share in percent, cut to three decimals and never rounded up: 99.9999 % is not 100 %. JSON has no more digits than the
/// value needs: `99.98`, `100`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Cuts a share to three decimals. The epsilon compensates for binary fractions: 99.98 is stored as slightly less.
    pub fn cut(percent: f64) -> Self {
        Percent(((percent + 1e-9) * 1000.0).floor() / 1000.0)
    }

    /// The share as a number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A share lies between 0 and 100.
        #[allow(clippy::cast_possible_truncation)]
        let whole = self.0 as i64;
        if (whole as f64 - self.0).abs() < f64::EPSILON {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Percent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_cut_and_have_no_needless_digits() {
        let cases =
            [(100.0, "100"), (99.999_999, "99.999"), (99.98, "99.98"), (14.285_714, "14.285"), (0.0, "0")];
        for (percent, json) in cases {
            assert_eq!(serde_json::to_string(&Percent::cut(percent)).unwrap(), json);
        }
    }

    #[test]
    fn instants_and_dates_have_the_forms_of_the_api() {
        let at = UnixMillis(1_767_229_200_999);
        assert_eq!(serde_json::to_string(&Timestamp(at)).unwrap(), r#""2026-01-01T01:00:00Z""#);
        assert_eq!(serde_json::to_string(&Date(UnixMillis(1_767_225_600_000))).unwrap(), r#""2026-01-01""#);
        assert!(serde_json::from_str::<Timestamp>(r#""yesterday""#).is_err());
        assert!(serde_json::from_str::<Date>(r#""2026-02-30""#).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(second in 0_i64..253_402_300_799, thousandths in 0_u32..=100_000) {
            let at = Timestamp(UnixMillis(second * 1000));
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&serde_json::to_string(&at).unwrap()).unwrap(), at);
            let share = Percent::cut(f64::from(thousandths) / 1000.0);
            prop_assert_eq!(serde_json::from_str::<Percent>(&serde_json::to_string(&share).unwrap()).unwrap(), share);
            prop_assert_eq!(serde_json::to_string(&share).unwrap(), share.to_string());
        }
    }
}
