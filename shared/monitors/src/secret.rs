//! The name of a Worker secret; its value never passes through here.

use std::fmt;
use std::str::FromStr;

/// A name as environment variables have it; the configuration holds only these, never what they stand for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

/// Longest name, in bytes.
const LONGEST: usize = 64;

/// Why a text is no name of a secret. The text is not repeated: people paste the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no name of a secret: 1 to {LONGEST} of A-Z, 0-9 and _, with no digit first, such as HEAPBEAT_SECRET; \
     what it holds is set by `wrangler secret put NAME` and stands in no file"
)]
pub struct SecretNameError;

impl SecretName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = SecretNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=LONGEST).contains(&text.len());
        let known = text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        let begins = text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        (fits && known && begins).then(|| SecretName(text.to_owned())).ok_or(SecretNameError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        for (text, good) in [
            ("HEAPBEAT_SECRET", true),
            ("_A1", true),
            ("1A", false),
            ("lower", false),
            ("", false),
            ("A-B", false),
            ("https://hooks.slack.com/services/T0/B0/xyz", false),
        ] {
            assert_eq!(text.parse::<SecretName>().is_ok(), good, "{text}");
        }
        let pasted = "s3cr3t-value".parse::<SecretName>().unwrap_err().to_string();
        assert!(!pasted.contains("s3cr3t"), "{pasted}");
    }
}
