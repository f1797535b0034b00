//! The id of a monitor, a channel or a maintenance window.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 1 to 40 of `a-z`, `0-9` and `-`, with no `-` at either end, so that it is safe in a path, a file name and a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MonitorId(String);

/// Length limit of an id, in bytes. A packed tick has one byte for the length.
const MAX_LENGTH: usize = 40;

/// The text is not a valid id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid id: use 1 to {MAX_LENGTH} of a-z, 0-9 and -, with no - at either end")]
pub struct MonitorIdError(String);

impl MonitorId {
    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MonitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MonitorId {
    type Err = MonitorIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=MAX_LENGTH).contains(&text.len());
        let known = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits && known && !text.starts_with('-') && !text.ends_with('-') {
            Ok(MonitorId(text.to_owned()))
        } else {
            Err(MonitorIdError(super::field::excerpt(text)))
        }
    }
}

impl TryFrom<String> for MonitorId {
    type Error = MonitorIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MonitorId> for String {
    fn from(id: MonitorId) -> Self {
        id.0
    }
}

impl<C> minicbor::Encode<C> for MonitorId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(&self.0)?.ok()
    }
}

/// A stored id is validated like one from a configuration.
impl<'b, C> minicbor::Decode<'b, C> for MonitorId {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        decoder.str()?.parse().map_err(minicbor::decode::Error::message)
    }
}
