//! `POST` and `DELETE /api/v1/subscriptions`: anybody may ask that an address be told, or be told no more.
//!
//! Nothing is believed but the address itself: it is sent a challenge, and has to answer with just that. The key that messages
//! are signed with goes along with it, so that it is known to the address and not to who asked. Whatever comes of that, who asked
//! is told in the same words, as it is not theirs to learn what answers where.
//!
//! A browser's address at its push service is known to the browser alone, and the service takes nothing for it that is not signed
//! with the key for which the browser asked. So one first message that is taken is its proof, and its own keys are that it wants
//! to hear no more.

use heapbeat_shared::signing::{NONCE_BYTES, Nonce};
use serde::Serialize;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Fetched, fetch};
use super::response::{problem, too_many_requests, unavailable};
use super::{origin, rate_limit};
use crate::config::MonitorId;
use crate::hub_api::{Audience, HubRequest, HubResponse};
use crate::notify::http_client::{Said, post};
use crate::notify::push;
use crate::notify::push::Vapid;
use crate::notify::subscriber::{Delivery, Subscription, secret};
use crate::platform::env;
use crate::probe::{canonical, random, wall_clock};
use crate::web::api::to_json;

/// Longest body, in bytes.
pub(super) const MAX_BYTES: usize = 4096;

/// Most monitors that one names.
pub(crate) const MOST_MONITORS: usize = 20;

/// Bytes of a key.
const KEY: usize = 24;

/// What who asked is told where it was no use, whatever came of it.
const UNPROVEN: &str = "the address did not answer as one that wants this";

/// As how many requests to one host a challenge counts.
const A_CHALLENGE: u32 = 30;

/// What the body of a request should be.
pub(super) const EXAMPLE: &str =
    r#"send {"url":"https://…"}, with "monitors":["…"] to be notified about these only"#;

/// The address in the body of the owner's request; `None` where there is none.
pub(super) fn url(body: &str) -> Option<String> {
    Asked::read(body, false).map(|asked| asked.url)
}

/// What the hub is asked for somebody who subscribes, once the address has proven that it wants this.
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
                return problem(400, &format!("monitors: there is no {id}")).map(Err);
            }
        }
    }
    if rate_limit::is_exceeded(env, &["to ", address.counted()].concat(), A_CHALLENGE).await {
        return too_many_requests().map(Err);
    }
    let page = origin(request, env);
    let (url, delivery) = match address {
        Address::Webhook { url, .. } => match challenged(&url, true, page.as_deref()).await? {
            Some(secret) => (url, Delivery::Webhook { secret }),
            None => return problem(403, UNPROVEN).map(Err),
        },
        Address::Browser { url, keys, vapid } => {
            if !greeted(&vapid, (&url, &keys), page.as_deref()).await {
                return problem(403, UNPROVEN).map(Err);
            }
            (url, Delivery::Browser { keys })
        }
    };
    Ok(Ok(HubRequest::Subscribe { subscription: Subscription { url, delivery, monitors } }))
}

/// What the hub is asked for somebody who ends a subscription: a webhook proves that it wants this, and of a browser its keys
/// are the proof.
pub(super) async fn end(
    request: &Request,
    env: &Env,
    body: &str,
) -> Result<std::result::Result<HubRequest, Response>> {
    let address = match address(env, body, false)? {
        Ok((address, _)) => address,
        Err(refused) => return Ok(Err(refused)),
    };
    if rate_limit::is_exceeded(env, &["to ", address.counted()].concat(), A_CHALLENGE).await {
        return too_many_requests().map(Err);
    }
    let (url, browser_keys) = match address {
        Address::Webhook { url, .. } => {
            if challenged(&url, false, origin(request, env).as_deref()).await?.is_none() {
                return problem(403, UNPROVEN).map(Err);
            }
            (url, None)
        }
        Address::Browser { url, keys, .. } => (url, Some(keys)),
    };
    Ok(Ok(HubRequest::Unsubscribe { url, browser_keys }))
}

/// The address in a body, and the monitors that it names.
fn address(
    env: &Env,
    body: &str,
    begins: bool,
) -> Result<std::result::Result<(Address, Vec<MonitorId>), Response>> {
    let Some(Asked { url, monitors, keys }) = Asked::read(body, begins) else {
        return problem(400, EXAMPLE).map(Err);
    };
    match Address::read(env, &url, keys) {
        Ok(address) => Ok(Ok((address, monitors))),
        Err(reason) => problem(400, reason).map(Err),
    }
}

/// Whose address it is, as it is kept.
enum Address {
    /// A program's, and its host.
    Webhook { url: String, host: String },
    /// A browser's at its push service, its keys, and what it is sent messages with.
    Browser { url: String, keys: String, vapid: Vapid },
}

impl Address {
    /// An error says what would be right.
    fn read(env: &Env, url: &str, keys: Option<String>) -> std::result::Result<Self, &'static str> {
        let private = env::allows_private(env);
        let Some(keys) = keys else {
            let (url, host) = canonical(url, private)
                .ok_or("url: should begin with https:// and be reachable for anybody")?;
            return Ok(Address::Webhook { url, host });
        };
        let vapid = env::vapid(env).ok().flatten().ok_or("keys: no messages are sent to browsers here")?;
        let url = push::address(url, private)
            .ok_or("url: should be at the push service of a browser that is known")?;
        Ok(Address::Browser { url, keys, vapid })
    }

    /// What is not to be asked too often: a host, but not that of a push service, which is everybody's.
    fn counted(&self) -> &str {
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
    challenge: &'c str,
    secret: Option<&'c str>,
}

/// The first message of a browser.
#[derive(Serialize)]
struct Greeting<'g> {
    event: &'g str,
    page: Option<&'g str>,
}

/// Sends a challenge. Where the address answers with it: the secret that it was sent, which is empty for one that wants no more, as it
/// has said all there is to say.
async fn challenged(url: &str, begins: bool, page: Option<&str>) -> Result<Option<String>> {
    let (mut key, mut nonce) = ([0; KEY], [0; NONCE_BYTES]);
    random(&mut key).and(random(&mut nonce)).ok_or("no random bytes")?;
    let secret = if begins { secret(&key) } else { String::new() };
    let challenge = Nonce(nonce).to_string();
    let body = to_json(&Challenge {
        event: if begins { "subscribe" } else { "unsubscribe" },
        page,
        challenge: &challenge,
        secret: begins.then_some(secret.as_str()),
    });
    let said = post(url, &[], &body.into()).await;
    let answered = said.is_some_and(|said| is_taken(&said) && said.body.trim() == challenge);
    Ok(answered.then_some(secret))
}

/// Sends a browser its first message, and says whether its service took it.
async fn greeted(vapid: &Vapid, to: (&str, &str), page: Option<&str>) -> bool {
    let first = to_json(&Greeting { event: "subscribe", page });
    push::send(vapid, to, &first, "subscribe", wall_clock()).await.is_some_and(|said| is_taken(&said))
}

fn is_taken(said: &Said) -> bool {
    (200..300).contains(&said.status)
}

/// What a body says.
#[derive(PartialEq, Eq)]
struct Asked {
    url: String,
    monitors: Vec<MonitorId>,
    /// The keys, where it is a browser's.
    keys: Option<String>,
}

impl Asked {
    fn read(body: &str, begins: bool) -> Option<Self> {
        let body = serde_json::from_str::<serde_json::Value>(body).ok()?;
        let url = body.get("url")?.as_str()?;
        let mut monitors = Vec::new();
        if let Some(list) = body.get("monitors").filter(|_| begins) {
            for id in list.as_array()? {
                let id = id.as_str().filter(|_| monitors.len() < MOST_MONITORS)?;
                monitors.push(id.parse().ok()?);
            }
        }
        let mut sealed = None;
        if let Some(keys) = body.get("keys") {
            let key = |name: &str| keys.get(name)?.as_str();
            sealed = Some(push::keys(key("p256dh")?, key("auth")?)?);
        }
        let known = 1 + usize::from(!monitors.is_empty()) + usize::from(sealed.is_some());
        (body.as_object()?.len() == known).then(|| Asked { url: url.to_owned(), monitors, keys: sealed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn read(body: &str, begins: bool) -> Option<(String, Vec<String>)> {
        Asked::read(body, begins)
            .map(|asked| (asked.url, asked.monitors.iter().map(ToString::to_string).collect()))
    }

    #[test]
    fn keys_of_a_browser() {
        let body = |keys: &str| format!(r#"{{"url":"https://a.example/","keys":{keys}}}"#);
        let whole = format!(r#"{{"p256dh":"{POINT}","auth":"{AUTH}"}}"#);
        for begins in [true, false] {
            let asked = Asked::read(&body(&whole), begins).unwrap();
            assert_eq!(asked.keys, Some(format!("{POINT}:{AUTH}")), "{begins}");
        }
        for keys in
            ["null", "1", "[]", "{}", &format!(r#"{{"p256dh":"{POINT}"}}"#), r#"{"p256dh":"x","auth":"y"}"#]
        {
            assert!(Asked::read(&body(keys), true).is_none(), "{keys}");
        }
    }

    #[test]
    fn bodies() {
        let url = "https://a.example/".to_owned();
        let good = [
            (r#"{"url":"https://a.example/"}"#, true, vec![]),
            (r#"{"url":"https://a.example/"}"#, false, vec![]),
            (r#"{"monitors":["api","web"],"url":"https://a.example/"}"#, true, vec!["api", "web"]),
        ];
        for (body, begins, monitors) in good {
            let monitors = monitors.into_iter().map(str::to_owned).collect();
            assert_eq!(read(body, begins), Some((url.clone(), monitors)), "{body}");
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
        for (body, begins) in bad {
            assert_eq!(read(body, begins), None, "{body}");
        }
        let many =
            |count: usize| format!(r#"{{"url":"x","monitors":[{}]}}"#, vec![r#""m""#; count].join(","));
        assert!(read(&many(20), true).is_some() && read(&many(21), true).is_none());
    }
}
