//! Somebody who asked to be told by a webhook of their own.
//!
//! They are strangers: their address has proven that it wants this (`routes/subscribe.rs`), and it is told what the page
//! shows, of monitors that are public, as <https://www.standardwebhooks.com> has it: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, an HMAC-SHA256 under a key that the address alone was given. What the owner's channels need comes first.

use std::str::Split;

use base64ct::{Base64, Encoding as _};
use heapbeat_shared::UnixMillis;
use heapbeat_shared::signing::{NONCE_BYTES, Nonce, webhook_code};

use super::channel::{ChannelId, Service};
use super::message::Message;
use super::service::{Call, own};
use crate::config::Monitor;

/// The name of their list, in the store and in answers.
pub const LIST: &str = "subscriptions";

/// What their answers are read as: any 2xx has taken it.
pub const PLAIN: Service = Service::Webhook { template: None };

/// What an id begins with; 32 hexadecimal digits follow.
const PREFIX: &str = "sub-";

/// What a secret begins with; a key in Base64 follows.
const SECRET: &str = "whsec_";

/// One of them, as a line of words: its address, its secret, and the monitors that it named; of all where it named none.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Stands for the address in the outbox.
    pub id: ChannelId,
    line: String,
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id.as_str())
    }
}

impl Subscriber {
    /// Reads a line.
    pub fn read(line: &str) -> Option<Self> {
        let mut short = Nonce([0; NONCE_BYTES]);
        short.0.copy_from_slice(&webhook_code(&[], url(line), 0, "")?[..NONCE_BYTES]);
        Some(Subscriber { id: format!("{PREFIX}{short}").parse().ok()?, line: line.to_owned() })
    }

    /// Where to.
    pub fn url(&self) -> &str {
        url(&self.line)
    }

    /// The monitors that it named.
    pub fn monitors(&self) -> Split<'_, char> {
        let mut words = self.line.split(' ');
        words.nth(1);
        words
    }

    /// Whether they are told of a monitor.
    pub fn wants(&self, monitor: &Monitor) -> bool {
        let mut named = self.monitors();
        monitor.public
            && named
                .next()
                .is_none_or(|first| first == monitor.id.as_str() || named.any(|id| id == monitor.id.as_str()))
    }

    /// The request for `message`, sent at `now` by the edge's own clock.
    pub fn call(&self, message: &Message, now: UnixMillis) -> Option<Call> {
        let body = own(message);
        let seconds = now.0.div_euclid(1000);
        let key = Base64::decode_vec(self.line.split(' ').nth(1)?.strip_prefix(SECRET)?).ok()?;
        let code = webhook_code(&key, &message.key, seconds, &body)?;
        let headers = vec![
            ("webhook-id", message.key.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", ["v1,", &Base64::encode_string(&code)].concat()),
        ];
        Some(Call { url: self.url().to_owned(), headers, body })
    }
}

/// The address in a line.
pub fn url(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// A secret of this key.
pub fn secret(key: &[u8]) -> String {
    [SECRET, &Base64::encode_string(key)].concat()
}

/// Whether an id of the outbox is one of theirs.
pub fn is_theirs(id: &ChannelId) -> bool {
    id.as_str().len() == PREFIX.len() + 2 * NONCE_BYTES && id.as_str().starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn who_is_told_of_what() {
        let text = r#"[{"id":"api","kind":"http","url":"https://a.example"},
            {"id":"web","kind":"http","url":"https://a.example"},
            {"id":"hidden","kind":"http","url":"https://a.example","public":false}]"#;
        let config = Config::parse(Some(text), false);
        let told = |line: &str| {
            let one = Subscriber::read(line).unwrap();
            let wanted = config.monitors.iter().filter(|it| one.wants(it));
            wanted.map(|it| it.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(told("https://a.example/ whsec_AAAA"), ["api", "web"]);
        assert_eq!(told("https://a.example/ whsec_AAAA web"), ["web"]);
        assert_eq!(told("https://a.example/ whsec_AAAA hidden api"), ["api"]);
        assert_eq!(told("https://a.example/ whsec_AAAA hidden"), [""; 0]);
    }

    #[test]
    fn an_address_is_known_by_itself_alone() {
        let id = |line: &str| Subscriber::read(line).unwrap().id;
        let one = id("https://a.example/x whsec_AAAA");
        assert!(is_theirs(&one), "{one}");
        assert_eq!(one, id("https://a.example/x whsec_BBBB api web"));
        assert_ne!(one, id("https://a.example/y whsec_AAAA"));
        for owners in ["ops", "sub-ops", "sub-0123456789abcdef"] {
            assert!(!is_theirs(&owners.parse().unwrap()), "{owners}");
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let one = Subscriber::read("https://a.example/?key=k whsec_AAAA api").unwrap();
        let printed = format!("{one:?}");
        assert_eq!(printed, one.id.to_string());
        assert_eq!(
            (one.url(), one.monitors().collect::<Vec<_>>()),
            ("https://a.example/?key=k", vec!["api"])
        );
        assert_eq!(secret(&[0; 24]), format!("whsec_{}", "A".repeat(32)));
    }
}
