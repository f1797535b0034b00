//! The condition that a response failed, with the value that was seen.

use heapbeat_shared::text::{shorten, single_line};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};

/// The longest description, in bytes. It is stored with each tick and in each incident.
const MAX_BYTES: usize = 120;

/// A condition as written, with the value seen in parentheses: `[BODY].status (DOWN) == UP`. A value may be text of a target: it is one
/// line, and at most 120 bytes long with the condition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct FailedCondition {
    length: u8,
    bytes: [u8; MAX_BYTES],
}

impl FailedCondition {
    /// Makes one of a description. Control characters and those that change the direction of text become spaces.
    pub fn new(description: &str) -> Self {
        let line = shorten(&single_line(description), MAX_BYTES);
        let mut bytes = [0; MAX_BYTES];
        for (to, from) in bytes.iter_mut().zip(line.bytes()) {
            *to = from;
        }
        FailedCondition { length: u8::try_from(line.len()).unwrap_or(0), bytes }
    }

    /// The description; empty in what was read from a tick, which has no room for it.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The condition without the value, by which two failures are the same.
    pub fn is_same_condition(self, other: FailedCondition) -> bool {
        let without_values = |text: &str| {
            let mut depth = 0_u32;
            let mut kept = String::new();
            for c in text.chars() {
                match c {
                    '(' => depth += 1,
                    ')' => depth = depth.saturating_sub(1),
                    c if depth == 0 => kept.push(c),
                    _ => {}
                }
            }
            kept
        };
        self == other || without_values(self.as_str()) == without_values(other.as_str())
    }
}

impl std::fmt::Debug for FailedCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl From<String> for FailedCondition {
    fn from(text: String) -> Self {
        FailedCondition::new(&text)
    }
}

impl From<FailedCondition> for String {
    fn from(condition: FailedCondition) -> Self {
        condition.as_str().to_owned()
    }
}

impl<C> Encode<C> for FailedCondition {
    fn encode<W: Write>(&self, encoder: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        encoder.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for FailedCondition {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        Ok(FailedCondition::new(decoder.str()?))
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::codec;

    use super::*;

    #[test]
    fn a_description_is_one_short_line() {
        let long = FailedCondition::new(&"ä".repeat(500));
        assert!(long.as_str().len() <= MAX_BYTES && long.as_str().ends_with('…'), "{long:?}");
        let hostile = FailedCondition::new("[BODY] (<b>\n\u{202e}x\u{0}) == ok");
        assert_eq!(hostile.as_str(), "[BODY] (<b>  x ) == ok");
        let back: FailedCondition = codec::decode(&codec::encode(&hostile)).unwrap();
        assert_eq!(back, hostile);
        let json = serde_json::to_string(&hostile).unwrap();
        assert_eq!(serde_json::from_str::<FailedCondition>(&json).unwrap(), hostile);
    }

    #[test]
    fn another_value_is_the_same_condition() {
        let condition = FailedCondition::new;
        assert!(condition("[BODY].n (5) < 3").is_same_condition(condition("[BODY].n (6) < 3")));
        assert!(!condition("[BODY].n (5) < 3").is_same_condition(condition("[BODY].m (5) < 3")));
    }
}
