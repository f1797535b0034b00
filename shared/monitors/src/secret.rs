//! The name of a Worker secret. The configuration never contains its value.

use std::fmt;
use std::str::FromStr;

/// The name of a Worker secret, in the form of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

/// Length limit of a name, in bytes.
const MAX_LENGTH: usize = 64;

/// The text is not the name of a secret. The message does not contain the text, as it may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a secret: use 1 to {MAX_LENGTH} of A-Z, 0-9 and _, with no digit first, such as HEAPBEAT_SECRET; \
     set the value with `wrangler secret put NAME`, never in a file"
)]
pub struct SecretNameError;

impl SecretName {
    /// Returns the name as text.
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
        let fits = (1..=MAX_LENGTH).contains(&text.len());
        let known = text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
        let begins = text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        (fits && known && begins).then(|| SecretName(text.to_owned())).ok_or(SecretNameError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_environment_variables_are_accepted() {
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
