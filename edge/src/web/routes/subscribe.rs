//! `POST` and `DELETE /api/v1/subscriptions`: anybody may subscribe an address, and unsubscribe it.
//!
//! Only the address itself can prove that it wants this: it receives a challenge and has to answer with it. The secret by which messages are
//! signed goes along with the challenge, so that the address learns it and the client that made the request does not. The client
//! gets the same answer whatever the address did, so that it cannot probe what is there.
//!
//! Only the browser knows its address at the push service, and the service accepts only messages that are signed by the key which the
//! browser subscribed with. So a first message that the service accepts proves a browser, and its keys allow it to unsubscribe.

use heapbeat_shared::signing::{NONCE_BYTES, Nonce};
use serde::Serialize;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Fetched, fetch};
use super::response::{problem, too_many_requests, unavailable};
use super::{origin, rate_limit};
use crate::config::MonitorId;
use crate::hub_api::{Audience, HubRequest, HubResponse};
use crate::notify::http_client::{HttpReply, post};
use crate::notify::push;
use crate::notify::push::Vapid;
use crate::notify::subscriber::{Delivery, Subscription, secret};
use crate::platform::env;
use crate::probe::{canonical, random, wall_clock};
use crate::web::api::to_json;

/// The longest body, in bytes.
pub(super) const MAX_BYTES: usize = 4096;

/// The most monitors that a subscription names.
pub(crate) const MAX_MONITORS: usize = 20;

/// The length of a signing key, in bytes.
const KEY_BYTES: usize = 24;

/// The detail of 403, whatever the address did.
const UNPROVEN: &str = "The address did not prove that it wants this.";

/// The number of requests that a challenge to one host counts as.
const CHALLENGE_WEIGHT: u32 = 30;

/// The detail of 400 for a body that cannot be read.
pub(super) const EXAMPLE: &str =
    r#"Send {"url":"https://…"}, with "monitors":["…"] for messages about these only."#;

/// The address in the body of an owner's request; `None` if it cannot be read.
pub(super) fn url(body: &str) -> Option<String> {
    SubscriptionBody::read(body, false).map(|asked| asked.url)
}

/// The request to the hub for a subscription whose address has proven that it wants this, or the answer of an error.
pub(super) async fn subscription(
    request: &Request,
    env: &Env,
    body: &str,
) -> Result<std::result::Result<HubRequest, Response>> {
    let (address, monitors) = match address(env, body, true)? {
        Ok(asked) => asked,
        Err(refused) => return Ok(Err(refused)),
    };
    if !monitors.is_empty() {
        let status = HubRequest::Status { audience: Audience::Public };
        let Fetched::Answer(cached) = fetch(env, &status).await else { return unavailable().map(Err) };
        let HubResponse::Status(status) = &cached.answer.response else { return unavailable().map(Err) };
        for id in &monitors {
            if !status.monitors.iter().any(|monitor| monitor.id == id.as_str()) {
                return problem(400, &format!("monitors: `{id}` is not a public monitor.")).map(Err);
            }
        }
    }
    if rate_limit::is_exceeded(env, &["to ", address.rate_limit_key()].concat(), CHALLENGE_WEIGHT).await {
        return too_many_requests().map(Err);
    }
    let page = origin(request, env);
    let (url, delivery) = match address {
        Address::Webhook { url, .. } => match send_challenge(&url, true, page.as_deref()).await? {
            Some(secret) => (url, Delivery::Webhook { secret }),
            None => return problem(403, UNPROVEN).map(Err),
        },
        Address::Browser { url, keys, vapid } => {
            if !send_greeting(&vapid, (&url, &keys), page.as_deref()).await {
                return problem(403, UNPROVEN).map(Err);
            }
            (url, Delivery::Browser { keys })
        }
    };
    Ok(Ok(HubRequest::Subscribe { subscription: Subscription { url, delivery, monitors } }))
}

/// The request to the hub for the end of a subscription: a webhook proves it by a challenge, a browser by its keys.
pub(super) async fn end(
    request: &Request,
    env: &Env,
    body: &str,
) -> Result<std::result::Result<HubRequest, Response>> {
    let address = match address(env, body, false)? {
        Ok((address, _)) => address,
        Err(refused) => return Ok(Err(refused)),
    };
    if rate_limit::is_exceeded(env, &["to ", address.rate_limit_key()].concat(), CHALLENGE_WEIGHT).await {
        return too_many_requests().map(Err);
    }
    let (url, browser_keys) = match address {
        Address::Webhook { url, .. } => {
            if send_challenge(&url, false, origin(request, env).as_deref()).await?.is_none() {
                return problem(403, UNPROVEN).map(Err);
            }
            (url, None)
        }
        Address::Browser { url, keys, .. } => (url, Some(keys)),
    };
    Ok(Ok(HubRequest::Unsubscribe { url, browser_keys }))
}

/// The address and the monitors in a body, or the answer of an error.
fn address(
    env: &Env,
    body: &str,
    subscribes: bool,
) -> Result<std::result::Result<(Address, Vec<MonitorId>), Response>> {
    let Some(SubscriptionBody { url, monitors, keys }) = SubscriptionBody::read(body, subscribes) else {
        return problem(400, EXAMPLE).map(Err);
    };
    match Address::read(env, &url, keys) {
        Ok(address) => Ok(Ok((address, monitors))),
        Err(reason) => problem(400, reason).map(Err),
    }
}

/// An address to be subscribed or unsubscribed.
enum Address {
    /// A webhook and its host.
    Webhook { url: String, host: String },
    /// A browser at its push service, its keys, and the keys that sign messages to it.
    Browser { url: String, keys: String, vapid: Vapid },
}

impl Address {
    /// Checks an address. The error is the detail of a 400.
    fn read(env: &Env, url: &str, keys: Option<String>) -> std::result::Result<Self, &'static str> {
        let private = env::allows_private(env);
        let Some(keys) = keys else {
            let (url, host) =
                canonical(url, private).ok_or("url: give a public address that begins with https://.")?;
            return Ok(Address::Webhook { url, host });
        };
        let vapid =
            env::vapid(env).ok().flatten().ok_or("keys: notifications in browsers are disabled here.")?;
        let url = push::address(url, private)
            .ok_or("url: give an address at the push service of Google, Mozilla, Apple or Microsoft.")?;
        Ok(Address::Browser { url, keys, vapid })
    }

    /// The key of the rate limit of challenges: the host, but the whole address at a push service, whose host many share.
    fn rate_limit_key(&self) -> &str {
        match self {
            Address::Webhook { host, .. } => host,
            Address::Browser { url, .. } => url,
        }
    }
}

/// The body of a challenge.
#[derive(Serialize)]
struct Challenge<'c> {
    event: &'c str,
    page: Option<&'c str>,
    #[serde(rename = "challenge")]
    token: &'c str,
    secret: Option<&'c str>,
}

/// The first message to a browser.
#[derive(Serialize)]
struct Greeting<'g> {
    event: &'g str,
    page: Option<&'g str>,
}

/// Sends a challenge, and returns the secret in it if the address answered with the challenge; the secret is empty for an
/// unsubscription.
async fn send_challenge(url: &str, subscribes: bool, page: Option<&str>) -> Result<Option<String>> {
    let (mut key, mut nonce) = ([0; KEY_BYTES], [0; NONCE_BYTES]);
    random(&mut key).and(random(&mut nonce)).ok_or("no random bytes")?;
    let secret = if subscribes { secret(&key) } else { String::new() };
    let challenge = Nonce(nonce).to_string();
    let body = to_json(&Challenge {
        event: if subscribes { "subscribe" } else { "unsubscribe" },
        page,
        token: &challenge,
        secret: subscribes.then_some(secret.as_str()),
    });
    let said = post(url, &[], &body.into()).await;
    let answered = said.is_some_and(|said| is_accepted(&said) && said.body.trim() == challenge);
    Ok(answered.then_some(secret))
}

/// Sends the first message to a browser, and returns whether its push service accepted it.
async fn send_greeting(vapid: &Vapid, to: (&str, &str), page: Option<&str>) -> bool {
    let first = to_json(&Greeting { event: "subscribe", page });
    push::send(vapid, to, &first, "subscribe", wall_clock()).await.is_some_and(|said| is_accepted(&said))
}

fn is_accepted(said: &HttpReply) -> bool {
    (200..300).contains(&said.status)
}

/// The body of a request.
#[derive(PartialEq, Eq)]
struct SubscriptionBody {
    url: String,
    monitors: Vec<MonitorId>,
    /// The keys of a browser; `None` for a webhook.
    keys: Option<String>,
}

impl SubscriptionBody {
    fn read(body: &str, subscribes: bool) -> Option<Self> {
        let body = serde_json::from_str::<serde_json::Value>(body).ok()?;
        let url = body.get("url")?.as_str()?;
        let mut monitors = Vec::new();
        if let Some(list) = body.get("monitors").filter(|_| subscribes) {
            for id in list.as_array()? {
                let id = id.as_str().filter(|_| monitors.len() < MAX_MONITORS)?;
                monitors.push(id.parse().ok()?);
            }
        }
        let mut sealed = None;
        if let Some(keys) = body.get("keys") {
            let key = |name: &str| keys.get(name)?.as_str();
            sealed = Some(push::keys(key("p256dh")?, key("auth")?)?);
        }
        let known = 1 + usize::from(!monitors.is_empty()) + usize::from(sealed.is_some());
        (body.as_object()?.len() == known).then(|| SubscriptionBody {
            url: url.to_owned(),
            monitors,
            keys: sealed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn read(body: &str, subscribes: bool) -> Option<(String, Vec<String>)> {
        SubscriptionBody::read(body, subscribes)
            .map(|asked| (asked.url, asked.monitors.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn keys_of_a_browser_are_read_whole_or_refused() {
        let body = |keys: &str| format!(r#"{{"url":"https://a.example/","keys":{keys}}}"#);
        let whole = format!(r#"{{"p256dh":"{POINT}","auth":"{AUTH}"}}"#);
        for subscribes in [true, false] {
            let asked = SubscriptionBody::read(&body(&whole), subscribes).unwrap();
            assert_eq!(asked.keys, Some(format!("{POINT}:{AUTH}")), "{subscribes}");
        }
        for keys in
            ["null", "1", "[]", "{}", &format!(r#"{{"p256dh":"{POINT}"}}"#), r#"{"p256dh":"x","auth":"y"}"#]
        {
            assert!(SubscriptionBody::read(&body(keys), true).is_none(), "{keys}");
        }
    }

    #[test]
    fn a_body_with_anything_unknown_is_refused() {
        let url = "https://a.example/".to_owned();
        let good = [
            (r#"{"url":"https://a.example/"}"#, true, vec![]),
            (r#"{"url":"https://a.example/"}"#, false, vec![]),
            (r#"{"monitors":["api","web"],"url":"https://a.example/"}"#, true, vec!["api", "web"]),
        ];
        for (body, subscribes, monitors) in good {
            let monitors = monitors.into_iter().map(str::to_owned).collect();
            assert_eq!(read(body, subscribes), Some((url.clone(), monitors)), "{body}");
        }
        let bad = [
            ("", true),
            ("[]", true),
            ("{}", true),
            (r#"{"url":1}"#, true),
            (r#"{"url":"x","more":1}"#, true),
            (r#"{"url":"x","monitors":"api"}"#, true),
            (r#"{"url":"x","monitors":[1]}"#, true),
            (r#"{"url":"x","monitors":["a b"]}"#, true),
            (r#"{"url":"x","monitors":["api"]}"#, false),
        ];
        for (body, subscribes) in bad {
            assert_eq!(read(body, subscribes), None, "{body}");
        }
        let many =
            |count: usize| format!(r#"{{"url":"x","monitors":[{}]}}"#, vec![r#""m""#; count].join(","));
        assert!(read(&many(20), true).is_some() && read(&many(21), true).is_none());
    }
}
