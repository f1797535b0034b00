//! Somebody who asked to be told, by a webhook of their own or in their browser.
//!
//! They are strangers: their address has proven that it wants this (`routes/subscribe.rs`), and it is told what the page
//! shows, of monitors that are public, as <https://www.standardwebhooks.com> has it: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, an HMAC-SHA256 under a key that the address alone was given. A browser is told by its vendor's push
//! service (`crate::notify::push`), sealed with a key of its own. What the owner's channels need comes first.

use base64ct::{Base64, Encoding as _};
use heapbeat_shared::UnixMillis;
use heapbeat_shared::signing::{NONCE_BYTES, Nonce, hmac, webhook_code};
use serde::{Deserialize, Serialize};

use super::channel::{ChannelId, Service};
use super::message::{Message, cut};
use super::service::{HttpCall, own};
use crate::config::{Monitor, MonitorId};
use crate::notify::push;

/// What their answers are read as: any 2xx has taken it.
pub const PLAIN: Service = Service::Webhook { template: None };

/// What an id begins with; 32 hexadecimal digits follow.
const PREFIX: &str = "sub-";

/// What a secret begins with; a key in Base64 follows.
const SECRET: &str = "whsec_";

/// A subscription as it is stored, and as the first hub hands it to the others.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subscription {
    /// The address that is notified.
    pub url: String,
    /// How messages reach it.
    pub delivery: Delivery,
    /// The monitors that it named; of all where it named none.
    pub monitors: Vec<MonitorId>,
}

/// How messages reach a subscriber.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Delivery {
    /// By a webhook, signed with a secret that the address alone was given.
    Webhook {
        /// `whsec_` and a key in Base64.
        secret: String,
    },
    /// By the push service of a browser.
    Browser {
        /// The browser's keys, as `push::keys` writes them.
        keys: String,
    },
}

impl std::fmt::Debug for Subscription {
    /// Neither the address nor a secret is printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("monitors", &self.monitors).finish_non_exhaustive()
    }
}

impl Subscription {
    /// The keys of the browser, where it is one.
    pub fn browser_keys(&self) -> Option<&str> {
        match &self.delivery {
            Delivery::Browser { keys } => Some(keys),
            Delivery::Webhook { .. } => None,
        }
    }
}

/// A subscription with the id that stands for its address in the outbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Made of the address alone.
    pub id: ChannelId,
    subscription: Subscription,
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id.as_str())
    }
}

impl Subscriber {
    /// Gives a subscription its id.
    pub fn new(subscription: Subscription) -> Option<Self> {
        let id = [PREFIX, &short(&webhook_code(&[], &subscription.url, 0, ""))].concat();
        Some(Subscriber { id: id.parse().ok()?, subscription })
    }

    /// The address that is notified.
    pub fn url(&self) -> &str {
        &self.subscription.url
    }

    /// The monitors that it named.
    pub fn monitors(&self) -> &[MonitorId] {
        &self.subscription.monitors
    }

    /// Whether the subscriber is notified of `monitor`.
    pub fn wants(&self, monitor: &Monitor) -> bool {
        let named = self.monitors();
        monitor.public && (named.is_empty() || named.contains(&monitor.id))
    }

    /// The request for `message`, sent at `now` by the edge's own clock; `None` for a browser.
    pub fn call(&self, message: &Message, now: UnixMillis) -> Option<HttpCall> {
        let Delivery::Webhook { secret } = &self.subscription.delivery else { return None };
        let body = own(message);
        let seconds = now.0.div_euclid(1000);
        let key = Base64::decode_vec(secret.strip_prefix(SECRET)?).ok()?;
        let code = webhook_code(&key, &message.key, seconds, &body);
        let headers = vec![
            ("webhook-id", message.key.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", ["v1,", &Base64::encode_string(&code)].concat()),
        ];
        Some(HttpCall { url: self.url().to_owned(), headers, body })
    }

    /// The keys of a browser, where it is one.
    pub(crate) fn browser(&self) -> Option<&str> {
        self.subscription.browser_keys()
    }
}

/// Half of a code in hexadecimal digits: short, and of no two things the same.
fn short(code: &[u8; 32]) -> String {
    let mut half = Nonce([0; NONCE_BYTES]);
    half.0.copy_from_slice(&code[..NONCE_BYTES]);
    half.to_string()
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

    fn webhook(url: &str, monitors: &[&str]) -> Subscriber {
        let monitors = monitors.iter().map(|id| id.parse().unwrap()).collect();
        let delivery = Delivery::Webhook { secret: "whsec_AAAA".into() };
        Subscriber::new(Subscription { url: url.into(), delivery, monitors }).unwrap()
    }

    #[test]
    fn who_is_told_of_what() {
        let text = r#"[{"id":"api","kind":"http","url":"https://a.example"},
            {"id":"web","kind":"http","url":"https://a.example"},
            {"id":"hidden","kind":"http","url":"https://a.example","public":false}]"#;
        let config = Config::parse(Some(text), false);
        let told = |named: &[&str]| {
            let one = webhook("https://a.example/", named);
            let wanted = config.monitors.iter().filter(|it| one.wants(it));
            wanted.map(|it| it.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(told(&[]), ["api", "web"]);
        assert_eq!(told(&["web"]), ["web"]);
        assert_eq!(told(&["hidden", "api"]), ["api"]);
        assert_eq!(told(&["hidden"]), [""; 0]);
    }

    #[test]
    fn an_address_is_known_by_itself_alone() {
        let id = |url: &str, named: &[&str]| webhook(url, named).id;
        let one = id("https://a.example/x", &[]);
        assert!(is_theirs(&one), "{one}");
        assert_eq!(one, id("https://a.example/x", &["api", "web"]));
        assert_ne!(one, id("https://a.example/y", &[]));
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
    fn a_subscription_is_stored_whole() {
        let delivery = Delivery::Browser { keys: "BAAA:AAAA".into() };
        let one = Subscription { url: "https://fcm.googleapis.com/x".into(), delivery, monitors: vec![] };
        let stored = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Subscription>(&stored).unwrap(), one);
        assert_eq!(Subscriber::new(one).unwrap().browser(), Some("BAAA:AAAA"));
        assert_eq!(webhook("https://a.example/", &[]).browser(), None);
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let one = webhook("https://a.example/?key=k", &["api"]);
        assert_eq!(format!("{one:?}"), one.id.to_string());
        let subscription = format!("{:?}", one.subscription);
        assert!(!subscription.contains("key=k") && !subscription.contains("whsec"), "{subscription}");
        assert_eq!(secret(&[0; 24]), format!("whsec_{}", "A".repeat(32)));
    }
}
