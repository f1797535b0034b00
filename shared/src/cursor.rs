//! Instance ids, and cursors: the position of a reader in the samples of an instance.
//!
//! A sequence number alone is ambiguous after a restart: sample 40 of this run is not sample 40 of the last. A cursor is
//! therefore the random id of the instance and the sequence number.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One run of the backend process: 64 random bits, sixteen hexadecimal digits when written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct InstanceId(#[n(0)] pub u64);

/// The last sample that a client has: `<instance>-<sequence number>`, such as `00c0ffee00c0ffee-3599`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Cursor {
    /// The instance of the sample.
    #[n(0)]
    pub instance: InstanceId,
    /// The number of the sample in that instance, counted from 0.
    #[n(1)]
    pub sequence: u64,
}

/// The text is not an instance id or a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The text is not sixteen lower-case hexadecimal digits.
    #[error("an instance id is sixteen hexadecimal digits (0-9, a-f)")]
    Instance,
    /// The text is not an instance id, a dash and a number.
    #[error("a cursor is an instance id, a dash and a sequence number, such as 00c0ffee00c0ffee-3599")]
    Cursor,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for InstanceId {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 16 || !digits {
            return Err(CursorError::Instance);
        }
        u64::from_str_radix(text, 16).map(InstanceId).map_err(|_| CursorError::Instance)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.instance, self.sequence)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (instance, sequence) = text.split_once('-').ok_or(CursorError::Cursor)?;
        if sequence.is_empty() || !sequence.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CursorError::Cursor);
        }
        Ok(Cursor {
            instance: instance.parse()?,
            sequence: sequence.parse().map_err(|_| CursorError::Cursor)?,
        })
    }
}

/// Serializes both as JSON strings, as many parsers lose bits of numbers above 2^53.
macro_rules! serialize_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

serialize_as_text!(InstanceId, Cursor);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_is_written_as_documented() {
        let cursor = Cursor { instance: InstanceId(0x00c0_ffee_00c0_ffee), sequence: 3599 };
        assert_eq!(cursor.to_string(), "00c0ffee00c0ffee-3599");
        assert_eq!(serde_json::to_string(&cursor).unwrap(), "\"00c0ffee00c0ffee-3599\"");
    }

    #[test]
    fn an_invalid_cursor_is_refused() {
        let cases = [
            ("", CursorError::Cursor),
            ("00c0ffee00c0ffee", CursorError::Cursor),
            ("00c0ffee00c0ffee-", CursorError::Cursor),
            ("00c0ffee00c0ffee-+1", CursorError::Cursor),
            ("00c0ffee00c0ffee-99999999999999999999", CursorError::Cursor),
            ("00C0FFEE00C0FFEE-1", CursorError::Instance),
            ("c0ffee-1", CursorError::Instance),
            ("+0c0ffee00c0ffee-1", CursorError::Instance),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Cursor>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_cursor_round_trips(instance: u64, sequence: u64) {
            let cursor = Cursor { instance: InstanceId(instance), sequence };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }
}
