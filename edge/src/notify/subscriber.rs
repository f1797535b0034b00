//! Subscribers: members of the public who are notified by a webhook or in their browser.
//!
//! A webhook has confirmed its subscription (`routes/subscribe.rs`). Subscribers are notified of what the status page shows, of public
//! monitors only. Webhooks follow <https://www.standardwebhooks.com>: `webhook-id`, `webhook-timestamp` and `webhook-signature`, an
//! HMAC-SHA256 with a secret that only this subscriber has. Browsers are notified by their vendor's push service
//! (`crate::notify::push`), encrypted with a key of their own. The owner's channels come first.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use heapbeat_shared::UnixMillis;
use heapbeat_shared::signing::{NONCE_BYTES, Nonce, hmac, webhook_mac};
use serde::{Deserialize, Serialize};

use super::channel::{ChannelId, ChannelKind};
use super::circuit::{Circuit, DeliveryResult};
use super::message::Message;
use super::service::HttpCall;
use super::template::default_body;
use crate::monitor_config::{HttpUrl, Monitor, MonitorId, is_private_host};
use crate::notify::push;
use heapbeat_shared::text::shorten;

/// The service by whose rules a subscriber's replies are read: any 2xx accepts the message.
pub const SUBSCRIBER_SERVICE: ChannelKind = ChannelKind::Webhook { template: None };

/// How long a subscriber may accept nothing before it is removed.
pub const SUBSCRIBER_RETRY_PERIOD: Duration = Duration::from_secs(3 * 86_400);

/// The most monitors that a subscription names.
pub const MAX_SUBSCRIBED_MONITORS: usize = 20;

/// The beginning of an id; 32 hexadecimal digits follow.
const ID_PREFIX: &str = "sub-";

/// The beginning of a secret; a key in Base64 follows.
const SECRET_PREFIX: &str = "whsec_";

/// A subscription as it is stored, and as the first hub sends it to the others.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subscription {
    /// The URL that is notified.
    pub url: String,
    /// How messages reach it.
    pub delivery: Delivery,
    /// The monitors that it is about; empty means all.
    pub monitors: Vec<MonitorId>,
    /// Sixteen bits of a hash of the network from which it was asked for, as [`hash_client`] returns them; 0 if it is not known.
    #[serde(default)]
    pub client: u16,
}

/// Returns sixteen bits of a hash of a client's network: enough to count the subscriptions of one client, and too little to tell who it was.
/// Never 0, unless the network is not known.
pub fn hash_client(network: &str) -> u16 {
    if network.is_empty() {
        return 0;
    }
    let [high, low, ..] = hmac(b"heapbeat subscriber", &[network.as_bytes()]);
    u16::from_be_bytes([high, low]).max(1)
}

/// Returns how many of `limit` places one client may have while others have so many: an eighth of what they leave, and three while they
/// leave more than half. So the fuller the list is, the less of it one client takes, and no stranger takes all of it from a few networks.
pub fn places_of_a_client(limit: usize, others: usize) -> usize {
    let least = if 2 * others < limit { 3 } else { 1 };
    (limit.saturating_sub(others) / 8).max(least)
}

/// How messages reach a subscriber.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Delivery {
    /// By a webhook, signed with a secret that only this subscriber has.
    Webhook {
        /// `whsec_` and a key in Base64.
        secret: String,
    },
    /// By the push service of a browser.
    Browser {
        /// The browser's keys, as `push::join_keys` writes them.
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
    /// Checks a subscription that did not come from its address, such as one of an import, by what an address would have been asked for.
    /// The error says what is wrong, without the address. `allow_private`: private addresses may be notified.
    pub fn check(&self, allow_private: bool) -> Result<(), &'static str> {
        let url: HttpUrl = self.url.parse().map_err(|_| "its address is not valid")?;
        // The canonical form of an address, in which it was stored, is ASCII.
        let is_public =
            self.url.is_ascii() && self.url.starts_with("https://") && !is_private_host(url.host());
        if !is_public && !allow_private {
            return Err("its address is not a public one that begins with https://");
        }
        if self.monitors.len() > MAX_SUBSCRIBED_MONITORS {
            return Err("it names too many monitors");
        }
        match &self.delivery {
            Delivery::Webhook { secret } => {
                let key = secret.strip_prefix(SECRET_PREFIX).and_then(|key| Base64::decode_vec(key).ok());
                if key.is_some_and(|key| !key.is_empty()) { Ok(()) } else { Err("its secret is not valid") }
            }
            Delivery::Browser { keys } => {
                let (point, auth) = keys.split_once(':').ok_or("its keys are not valid")?;
                push::join_keys(point, auth).ok_or("its keys are not valid")?;
                let is_known = allow_private || push::is_push_service(url.host());
                if is_known { Ok(()) } else { Err("its address is not that of a push service") }
            }
        }
    }

    /// The keys of the browser; `None` for a webhook.
    pub fn browser_keys(&self) -> Option<&str> {
        match &self.delivery {
            Delivery::Browser { keys } => Some(keys),
            Delivery::Webhook { .. } => None,
        }
    }
}

/// A subscription with the id by which its records are identified.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The id, which depends on the URL only.
    pub id: ChannelId,
    subscription: Subscription,
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id.as_str())
    }
}

impl Subscriber {
    /// Creates a subscriber with the id of its URL.
    pub fn new(subscription: Subscription) -> Option<Self> {
        let id = [ID_PREFIX, &short_hex(&webhook_mac(&[], &subscription.url, 0, ""))].concat();
        Some(Subscriber { id: id.parse().ok()?, subscription })
    }

    /// The URL that is notified.
    pub fn url(&self) -> &str {
        &self.subscription.url
    }

    /// The monitors that it is about; empty means all.
    pub fn monitors(&self) -> &[MonitorId] {
        &self.subscription.monitors
    }

    /// Whether the subscriber is notified of `monitor`.
    pub fn wants(&self, monitor: &Monitor) -> bool {
        let named = self.monitors();
        monitor.public && (named.is_empty() || named.contains(&monitor.id))
    }

    /// Builds the request that sends `message` at `now`, by the edge's own clock; `None` for a browser.
    pub fn build_call(&self, message: &Message, now: UnixMillis) -> Option<HttpCall> {
        let Delivery::Webhook { secret } = &self.subscription.delivery else { return None };
        let body = default_body(message);
        let seconds = now.0.div_euclid(1000);
        let key = Base64::decode_vec(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
        let code = webhook_mac(&key, &message.key, seconds, &body);
        let headers = vec![
            ("webhook-id", message.key.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", ["v1,", &Base64::encode_string(&code)].concat()),
        ];
        Some(HttpCall { url: self.url().to_owned(), headers, body })
    }

    /// The keys of the browser; `None` for a webhook.
    pub(crate) fn browser_keys(&self) -> Option<&str> {
        self.subscription.browser_keys()
    }
}

/// The first half of a code in hexadecimal digits.
fn short_hex(code: &[u8; 32]) -> String {
    let mut half = Nonce([0; NONCE_BYTES]);
    half.0.copy_from_slice(&code[..NONCE_BYTES]);
    half.to_string()
}

/// Returns the text of a push message, which is cut to what a push service accepts, and its topic. A message replaces one of the same
/// incident that is still waiting.
pub(crate) fn push_payload(message: &Message) -> (String, String) {
    let mut text = default_body(message);
    if text.len() > push::MAX_PAYLOAD {
        text = default_body(&Message { parts: Vec::new(), ..message.clone() });
    }
    if text.len() > push::MAX_PAYLOAD {
        text = default_body(&Message {
            text: String::new(),
            title: shorten(&message.title, 200),
            parts: Vec::new(),
            ..message.clone()
        });
    }
    let topic = if message.incident.is_empty() { &message.key } else { &message.incident };
    (text, short_hex(&hmac(&[], &[topic.as_bytes()])))
}

/// Whether a subscriber is to be removed after an attempt at `now`: it says that it is gone, or has accepted nothing for days.
/// `circuit` is its circuit after the attempt.
pub fn is_expired(result: DeliveryResult, circuit: Option<&Circuit>, now: UnixMillis) -> bool {
    result == DeliveryResult::Rejected(410)
        || circuit.is_some_and(|circuit| now.since(circuit.failing_since) >= SUBSCRIBER_RETRY_PERIOD)
}

/// Formats a key as a secret of standard webhooks.
pub fn format_secret(key: &[u8]) -> String {
    [SECRET_PREFIX, &Base64::encode_string(key)].concat()
}

/// Whether the id of a recipient is that of a subscriber.
pub fn is_subscriber_id(id: &ChannelId) -> bool {
    id.as_str().len() == ID_PREFIX.len() + 2 * NONCE_BYTES && id.as_str().starts_with(ID_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor_config::MonitorConfig;

    fn webhook(url: &str, monitors: &[&str]) -> Subscriber {
        let monitors = monitors.iter().map(|id| id.parse().unwrap()).collect();
        let delivery = Delivery::Webhook { secret: "whsec_AAAA".into() };
        Subscriber::new(Subscription { url: url.into(), delivery, monitors, client: 0 }).unwrap()
    }

    #[test]
    fn a_subscriber_is_notified_of_public_monitors_that_it_named() {
        let text = r#"[{"id":"api","kind":"http","url":"https://a.example"},
            {"id":"web","kind":"http","url":"https://a.example"},
            {"id":"hidden","kind":"http","url":"https://a.example","public":false}]"#;
        let config = MonitorConfig::parse(Some(text), false);
        let wanted_ids = |named: &[&str]| {
            let one = webhook("https://a.example/", named);
            let wanted = config.monitors.iter().filter(|it| one.wants(it));
            wanted.map(|it| it.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(wanted_ids(&[]), ["api", "web"]);
        assert_eq!(wanted_ids(&["web"]), ["web"]);
        assert_eq!(wanted_ids(&["hidden", "api"]), ["api"]);
        assert_eq!(wanted_ids(&["hidden"]), [""; 0]);
    }

    #[test]
    fn the_fuller_the_list_the_less_of_it_one_client_takes() {
        // Places, those of the first client, and the clients that it takes to fill the list: eight of any list before.
        for (limit, of_the_first, clients) in [(40, 5, 23), (20, 3, 12), (10, 3, 6), (3, 3, 1)] {
            assert_eq!(places_of_a_client(limit, 0), of_the_first, "{limit}");
            let (mut taken, mut needed) = (0, 0);
            while taken < limit {
                taken += places_of_a_client(limit, taken);
                needed += 1;
            }
            assert_eq!(needed, clients, "{limit}");
        }
    }

    #[test]
    fn an_id_depends_on_the_url_only() {
        let id = |url: &str, named: &[&str]| webhook(url, named).id;
        let one = id("https://a.example/x", &[]);
        assert!(is_subscriber_id(&one), "{one}");
        assert_eq!(one, id("https://a.example/x", &["api", "web"]));
        assert_ne!(one, id("https://a.example/y", &[]));
        for channel in ["ops", "sub-ops", "sub-0123456789abcdef"] {
            assert!(!is_subscriber_id(&channel.parse().unwrap()), "{channel}");
        }
    }

    #[test]
    fn a_push_message_fits_into_one_record() {
        let short = Message {
            incident: "api-1767225600".into(),
            title: "API is down".into(),
            text: "Since noon.".into(),
            ..Message::test("ops", UnixMillis(0), None)
        };
        let long = Message { title: "\"".repeat(500), text: "\"".repeat(2000), ..short.clone() };
        let (text, topic) = push_payload(&short);
        assert!(text.contains(r#""text":"Since noon.""#), "{text}");
        let (cut, same) = push_payload(&long);
        assert!(cut.len() <= push::MAX_PAYLOAD && cut.contains(r#""text":"""#), "{cut}");
        assert_eq!((topic.len(), &topic), (32, &same), "of the same incident");
        let other = Message { incident: "web-1".into(), ..short };
        assert_ne!(push_payload(&other).1, topic);
        let all: Vec<_> = (0..40).map(|n| Message { monitor: format!("m{n}"), ..other.clone() }).collect();
        let many = Message::batch(&all, "batch:1".into(), None, UnixMillis(0));
        let (cut, topic_of_many) = push_payload(&many);
        assert!(cut.len() <= push::MAX_PAYLOAD && topic_of_many != topic, "{cut}");
    }

    #[test]
    fn a_subscriber_that_is_gone_or_silent_for_days_is_removed() {
        let at = |day: i64| UnixMillis(day * 86_400_000);
        let silent = Circuit::after(None, DeliveryResult::Failed(None), at(0));
        let cases = [
            ("gone", 0, DeliveryResult::Rejected(410), true),
            ("not there", 0, DeliveryResult::Rejected(404), false),
            ("silent for two days", 2, DeliveryResult::Failed(None), false),
            ("silent for three days", 3, DeliveryResult::Failed(None), true),
        ];
        for (name, day, result, expected) in cases {
            assert_eq!(is_expired(result, silent.as_ref(), at(day)), expected, "{name}");
        }
        assert!(!is_expired(DeliveryResult::Accepted, None, at(9)));
    }

    #[test]
    fn a_subscription_is_stored_whole() {
        let delivery = Delivery::Browser { keys: "BAAA:AAAA".into() };
        let one = Subscription {
            url: "https://fcm.googleapis.com/x".into(),
            delivery,
            monitors: vec![],
            client: 0,
        };
        let stored = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Subscription>(&stored).unwrap(), one);
        assert_eq!(Subscriber::new(one).unwrap().browser_keys(), Some("BAAA:AAAA"));
        assert_eq!(webhook("https://a.example/", &[]).browser_keys(), None);
    }

    #[test]
    fn an_imported_subscription_is_one_that_its_address_could_have_asked_for() {
        let point = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let keys = format!("{point}:BTBZMqHH6r4Tts7J_aSIgg");
        let hook = || Delivery::Webhook { secret: format_secret(&[1; 24]) };
        let browser = || Delivery::Browser { keys: keys.clone() };
        let cases = [
            ("https://hooks.example/x?key=1", hook(), true),
            ("https://fcm.googleapis.com/fcm/send/x", browser(), true),
            ("https://hooks.example/x", browser(), false),
            ("https://fcm.googleapis.com/x", Delivery::Browser { keys: "BAAA:AAAA".into() }, false),
            ("https://hooks.example/x", Delivery::Webhook { secret: "whsec_".into() }, false),
            ("https://hooks.example/x", Delivery::Webhook { secret: "none".into() }, false),
            ("http://hooks.example/x", hook(), false),
            ("http://169.254.169.254/latest/meta-data", hook(), false),
            ("https://0x7f.1/", hook(), false),
            ("https://127\u{3002}0\u{3002}0\u{3002}1/", hook(), false),
            ("https://me:pw@hooks.example/", hook(), false),
            ("https://[::ffff:10.0.0.1]/", hook(), false),
            ("javascript:alert(1)", hook(), false),
            ("", hook(), false),
        ];
        for (url, delivery, expected) in cases {
            let one = Subscription { url: url.into(), delivery, monitors: vec![], client: 0 };
            assert_eq!(one.check(false).is_ok(), expected, "{url}");
        }
        let private =
            Subscription { url: "http://127.0.0.1:9/".into(), delivery: hook(), monitors: vec![], client: 0 };
        assert!(private.check(true).is_ok());
    }

    #[test]
    fn urls_and_secrets_are_not_printed() {
        let one = webhook("https://a.example/?key=k", &["api"]);
        assert_eq!(format!("{one:?}"), one.id.to_string());
        let subscription = format!("{:?}", one.subscription);
        assert!(!subscription.contains("key=k") && !subscription.contains("whsec"), "{subscription}");
        assert_eq!(format_secret(&[0; 24]), format!("whsec_{}", "A".repeat(32)));
    }
}
