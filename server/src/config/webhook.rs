//! The address that alerts are sent to.

use std::fmt;

use super::parse::Parsed;

/// An address of a webhook. It is a secret, and is printed nowhere. A build without the feature `webhook` has no value of this type,
/// as it could not send to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(Address);

#[cfg(feature = "webhook")]
type Address = String;
#[cfg(not(feature = "webhook"))]
type Address = std::convert::Infallible;

/// Longest address, in bytes.
#[cfg(feature = "webhook")]
const MAX_ADDRESS: usize = 2000;

/// An address, or `off` for `None`. The error does not repeat what was given.
pub(super) fn webhook_or_off(text: &str) -> Parsed<Option<Webhook>> {
    match text.trim() {
        "off" => Ok(None),
        text => Webhook::parse(text).map(Some),
    }
}

#[cfg(feature = "webhook")]
impl Webhook {
    fn parse(text: &str) -> Parsed<Self> {
        let is_address = |uri: &http::Uri| {
            let named = uri.authority().is_some_and(|it| !it.host().is_empty() && !it.as_str().contains('@'));
            matches!(uri.scheme_str(), Some("http" | "https")) && named
        };
        match text.parse() {
            Ok(uri) if text.len() <= MAX_ADDRESS && is_address(&uri) => Ok(Webhook(text.to_owned())),
            _ => Err("an address begins with https:// or http://, has no name and password in it, and is at most 2000 \
                      bytes long; or `off`"
                .to_owned()),
        }
    }

    /// The address itself.
    pub(crate) fn address(&self) -> &str {
        &self.0
    }
}

#[cfg(not(feature = "webhook"))]
impl Webhook {
    fn parse(_: &str) -> Parsed<Self> {
        Err("this program cannot send alerts: it needs the feature `webhook` of the crate heapbeat; or `off`"
            .to_owned())
    }

    /// No address is ever parsed.
    pub(crate) fn unavailable(self) -> std::convert::Infallible {
        self.0
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(…)")
    }
}
