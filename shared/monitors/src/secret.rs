//! The name of a Worker secret. The configuration never contains its value.
//!
//! What monitors and alert channels may name is a set of its own: never a secret of heapbeat itself, as the value is sent to the address
//! that the configuration names. Applied monitors, which the holder of `ADMIN_TOKEN` writes, may name only what the owner of the Worker has
//! set aside for them.

use std::fmt;
use std::str::FromStr;

/// The name of a Worker secret, in the form of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName(String);

/// What the name of a secret begins with that applied monitors may name.
pub const APPLIED_PREFIX: &str = "MONITOR_";

/// The secrets that heapbeat itself uses. [`DEFAULT_SECRET`](crate::DEFAULT_SECRET) signs requests and may be named for that.
const OWN: [&str; 6] = [
    "ADMIN_TOKEN",
    "HEARTBEAT_TOKEN",
    "VAPID_PRIVATE_KEY",
    "VAPID_PUBLIC_KEY",
    "VAPID_SUBJECT",
    crate::DEFAULT_SECRET,
];

/// Length limit of a name, in bytes.
const MAX_LENGTH: usize = 64;

/// The text is not the name of a secret. The message does not contain the text, as it may be the secret itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a secret: use 1 to {MAX_LENGTH} of A-Z, 0-9 and _, with no digit first, such as HEAPBEAT_SECRET; \
     set the value with `wrangler secret put NAME`, never in a file"
)]
pub struct SecretNameError;

/// The secret is one of heapbeat itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret of heapbeat itself, which is never sent anywhere: set another one with `wrangler secret put NAME`"
)]
pub struct OwnSecretError;

impl SecretName {
    /// Parses the name of a secret whose value is sent to an address. Fails for a secret of heapbeat itself.
    pub fn parse_sent(text: &str) -> Result<Self, String> {
        let name: SecretName = text.parse().map_err(|error: SecretNameError| error.to_string())?;
        if OWN.contains(&name.as_str()) || name.0.starts_with("HEARTBEAT_TOKEN_") {
            return Err(OwnSecretError.to_string());
        }
        Ok(name)
    }

    /// Parses the name of a secret that signs requests.
    pub fn parse_signing(text: &str) -> Result<Self, String> {
        if text == crate::DEFAULT_SECRET {
            return Ok(SecretName(text.to_owned()));
        }
        SecretName::parse_sent(text)
    }

    /// Whether an applied monitor may name it: its name begins with [`APPLIED_PREFIX`], or it is among those that the owner `listed`, or it
    /// signs requests by default.
    pub fn may_be_applied(&self, listed: &[String]) -> bool {
        self.0.starts_with(APPLIED_PREFIX) || self.0 == crate::DEFAULT_SECRET || listed.contains(&self.0)
    }

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
        for own in OWN.into_iter().chain(["HEARTBEAT_TOKEN_BACKUP"]) {
            let refused = SecretName::parse_sent(own).unwrap_err();
            assert_eq!(refused, OwnSecretError.to_string(), "{own}");
        }
        assert!(SecretName::parse_signing("HEAPBEAT_SECRET").is_ok());
        assert!(
            SecretName::parse_signing("ADMIN_TOKEN").is_err() && SecretName::parse_sent("API_TOKEN").is_ok()
        );
        let listed = ["API_TOKEN".to_owned()];
        for (name, may) in [
            ("MONITOR_API", true),
            ("API_TOKEN", true),
            ("HEAPBEAT_SECRET", true),
            ("OPS_URL", false),
            ("XMONITOR_A", false),
        ] {
            assert_eq!(name.parse::<SecretName>().unwrap().may_be_applied(&listed), may, "{name}");
        }
        let pasted = "s3cr3t-value".parse::<SecretName>().unwrap_err().to_string();
        assert!(!pasted.contains("s3cr3t"), "{pasted}");
    }
}
