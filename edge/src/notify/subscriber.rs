//! Somebody who asked to be told, by a webhook of their own or in their browser.
//!
//! They are strangers: their address has proven that it wants this (`routes/subscribe.rs`), and it is told what the page
//! shows, of monitors that are public, as <https://www.standardwebhooks.com> has it: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, an HMAC-SHA256 under a key that the address alone was given. A browser is told by its vendor's push
//! service (`crate::notify::push`), sealed with a key of its own. What the owner's channels need comes first.

use std::str::Split;

use base64ct::{Base64, Encoding as _};
use heapbeat_shared::UnixMillis;
use heapbeat_shared::signing::{NONCE_BYTES, Nonce, hmac, webhook_code};

use super::channel::{ChannelId, Service};
use super::message::{Message, cut};
use super::service::{Call, own};
use crate::config::Monitor;
use crate::notify::push;

/// The name of their list, in the store and in answers.
pub const LIST: &str = "subscriptions";

/// What their answers are read as: any 2xx has taken it.
pub const PLAIN: Service = Service::Webhook { template: None };

/// What an id begins with; 32 hexadecimal digits follow.
const PREFIX: &str = "sub-";

/// What a secret begins with; a key in Base64 follows.
const SECRET: &str = "whsec_";

/// What stands in its place for a browser; the browser's keys follow.
const KEYS: &str = "push:";

/// One of them, as a line of words: its address, its secret or a browser's keys, and the monitors that it named; of all where it
/// named none.
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
        let id = [PREFIX, &short(&webhook_code(&[], url(line), 0, ""))].concat();
        Some(Subscriber { id: id.parse().ok()?, line: line.to_owned() })
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
        let key = Base64::decode_vec(proof(&self.line)?.strip_prefix(SECRET)?).ok()?;
        let code = webhook_code(&key, &message.key, seconds, &body);
        let headers = vec![
            ("webhook-id", message.key.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", ["v1,", &Base64::encode_string(&code)].concat()),
        ];
        Some(Call { url: self.url().to_owned(), headers, body })
    }

    /// The keys of a browser, where it is one.
    pub(crate) fn browser(&self) -> Option<&str> {
        proof(&self.line)?.strip_prefix(KEYS)
    }
}

/// Half of a code in hexadecimal digits: short, and of no two things the same.
fn short(code: &[u8; 32]) -> String {
    let mut half = Nonce([0; NONCE_BYTES]);
    half.0.copy_from_slice(&code[..NONCE_BYTES]);
    half.to_string()
}

/// The word of a line that only who is told knows.
pub fn proof(line: &str) -> Option<&str> {
    line.split(' ').nth(1)
}

/// That word for a browser.
pub(crate) fn browser(keys: &str) -> String {
    [KEYS, keys].concat()
}

/// The address in a line.
pub fn url(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// What a browser is told, and what it replaces: what still waits of the same incident. A push service takes no more than so much.
pub(crate) fn pushed(message: &Message) -> (String, String) {
    let mut text = own(message);
    if text.len() > push::LONGEST {
        text = own(&Message { text: String::new(), title: cut(&message.title, 200), ..message.clone() });
    }
    (text, short(&hmac(&[], &[message.incident.as_bytes()])))
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
    use crate::notify::outbox::tests::row;

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
    fn what_a_browser_is_told_fits_a_record() {
        let short = Message {
            title: "API is down".into(),
            text: "Since noon.".into(),
            ..row(1, "ops", "api", 0, 0).message
        };
        let long = Message { title: "\"".repeat(500), text: "\"".repeat(2000), ..short.clone() };
        let (text, topic) = pushed(&short);
        assert!(text.contains(r#""text":"Since noon.""#), "{text}");
        let (cut, same) = pushed(&long);
        assert!(cut.len() <= push::LONGEST && cut.contains(r#""text":"""#), "{cut}");
        assert_eq!((topic.len(), &topic), (32, &same), "of the same incident");
        let other = Message { incident: "web-1".into(), ..short };
        assert_ne!(pushed(&other).1, topic);
    }

    #[test]
    fn browsers_have_keys_in_the_place_of_a_secret() {
        let line = format!("https://fcm.googleapis.com/x {} api", browser("BAAA:AAAA"));
        let one = Subscriber::read(&line).unwrap();
        assert_eq!((one.browser(), one.monitors().collect::<Vec<_>>()), (Some("BAAA:AAAA"), vec!["api"]));
        assert_eq!(Subscriber::read("https://a.example/ whsec_AAAA api").unwrap().browser(), None);
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
