//! `POST` and `DELETE /api/v1/subscriptions`: anybody may subscribe an address, and unsubscribe it.
//!
//! The address has to confirm the request: it receives a challenge and responds with it. The secret that signs messages is sent along with
//! the challenge, so that the address learns it and the client that made the request does not. The client gets the same response whatever
//! the address did, so that it cannot probe addresses.
//!
//! A browser is confirmed by the first message: only the browser knows its address at the push service, and the service accepts only
//! messages that are signed by the key which the browser subscribed with. Its keys allow it to unsubscribe.

use heapbeat_shared::signing::{NONCE_BYTES, Nonce};
use serde::Serialize;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Fetched, fetch};
use super::response::{problem, too_many_requests, unavailable};
use super::{origin, rate_limit};
use crate::hub_api::{Audience, HubRequest, HubResponse};
use crate::notify::http_client::{HttpReply, post};
use crate::notify::push;
use crate::notify::push::Vapid;
use crate::notify::subscriber::{Delivery, Subscription, format_secret, hash_client};
use crate::platform::clock::wall_clock;
use crate::platform::random::fill_random;
use crate::platform::url::parse_external;
use crate::settings;
use crate::web::api::to_json;
use crate::web::request_body::{AddressRequest, BrowserKeys, SubscriptionRequest, parse_body};

/// The longest body, in bytes.
pub(super) const MAX_BYTES: usize = 4096;

/// The length of a signing key, in bytes.
const KEY_BYTES: usize = 24;

/// The detail of 403, the same whatever the address did.
const UNCONFIRMED: &str = "The address did not confirm the request.";

/// The weight of a challenge to one host in the rate limit.
const CHALLENGE_WEIGHT: u32 = 30;

/// Confirms a subscription, and builds the request to the hub, or the error response.
pub(super) async fn subscribe(
    request: &Request,
    env: &Env,
    body: &str,
) -> Result<std::result::Result<HubRequest, Response>> {
    let SubscriptionRequest { url, monitors, keys } = match SubscriptionRequest::parse(body) {
        Ok(request) => request,
        Err(error) => return problem(400, &error.to_string()).map(Err),
    };
    let address = match SubscriberAddress::check(env, &url, keys) {
        Ok(address) => address,
        Err(reason) => return problem(400, reason).map(Err),
    };
    if !monitors.is_empty() {
        let status = HubRequest::Status { audience: Audience::Public };
        let Fetched::Found(cached) = fetch(env, &status).await else { return unavailable().map(Err) };
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
    let client = hash_client(&rate_limit::site_of(request));
    let page = origin(request, env);
    let (url, delivery) = match address {
        SubscriberAddress::Webhook { url, .. } => match send_challenge(&url, true, page.as_deref()).await? {
            Some(secret) => (url, Delivery::Webhook { secret }),
            None => return problem(403, UNCONFIRMED).map(Err),
        },
        SubscriberAddress::Browser { url, keys, vapid } => {
            if !send_greeting(&vapid, (&url, &keys), page.as_deref()).await {
                return problem(403, UNCONFIRMED).map(Err);
            }
            (url, Delivery::Browser { keys })
        }
    };
    Ok(Ok(HubRequest::Subscribe { subscription: Subscription { url, delivery, monitors, client } }))
}

/// Confirms the end of a subscription, and builds the request to the hub: a webhook confirms by a challenge, a browser by its keys.
pub(super) async fn unsubscribe(
    request: &Request,
    env: &Env,
    body: &str,
) -> Result<std::result::Result<HubRequest, Response>> {
    let AddressRequest { url, keys } = match parse_body(body) {
        Ok(request) => request,
        Err(error) => return problem(400, &error.to_string()).map(Err),
    };
    let address = match SubscriberAddress::check(env, &url, keys) {
        Ok(address) => address,
        Err(reason) => return problem(400, reason).map(Err),
    };
    if rate_limit::is_exceeded(env, &["to ", address.rate_limit_key()].concat(), CHALLENGE_WEIGHT).await {
        return too_many_requests().map(Err);
    }
    let (url, browser_keys) = match address {
        SubscriberAddress::Webhook { url, .. } => {
            if send_challenge(&url, false, origin(request, env).as_deref()).await?.is_none() {
                return problem(403, UNCONFIRMED).map(Err);
            }
            (url, None)
        }
        SubscriberAddress::Browser { url, keys, .. } => (url, Some(keys)),
    };
    let client = Some(hash_client(&rate_limit::site_of(request)));
    Ok(Ok(HubRequest::Unsubscribe { url, browser_keys, client }))
}

/// An address to be subscribed or unsubscribed.
enum SubscriberAddress {
    /// A webhook and its host.
    Webhook { url: String, host: String },
    /// A browser at its push service, its keys, and the keys that sign messages to it.
    Browser { url: String, keys: String, vapid: Vapid },
}

impl SubscriberAddress {
    /// Checks an address. The error is the detail of a 400.
    fn check(env: &Env, url: &str, keys: Option<BrowserKeys>) -> std::result::Result<Self, &'static str> {
        let private = settings::allows_private_targets(env);
        let Some(keys) = keys else {
            let url = parse_external(url, private)
                .ok_or("url: give a public address that begins with https://.")?;
            return Ok(SubscriberAddress::Webhook { url: url.href, host: url.host });
        };
        let vapid = settings::read_vapid(env)
            .ok()
            .flatten()
            .ok_or("keys: notifications in browsers are disabled here.")?;
        let keys = push::join_keys(&keys.p256dh, &keys.auth).ok_or(
            "keys: give those of a `PushSubscription` in base64url: `p256dh` is a point of P-256, `auth` has 16 bytes.",
        )?;
        let url = push::endpoint(url, private)
            .ok_or("url: give an address at the push service of Google, Mozilla, Apple or Microsoft.")?;
        Ok(SubscriberAddress::Browser { url, keys, vapid })
    }

    /// Returns the key of the rate limit of challenges: the host of a webhook, or the address at a push service.
    fn rate_limit_key(&self) -> &str {
        match self {
            SubscriberAddress::Webhook { host, .. } => host,
            SubscriberAddress::Browser { url, .. } => url,
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

/// Sends a challenge, and returns its secret if the address responded with the challenge; the secret is empty for an
/// unsubscription.
async fn send_challenge(url: &str, subscribes: bool, page: Option<&str>) -> Result<Option<String>> {
    let (mut key, mut nonce) = ([0; KEY_BYTES], [0; NONCE_BYTES]);
    fill_random(&mut key).and(fill_random(&mut nonce)).ok_or("no random bytes")?;
    let secret = if subscribes { format_secret(&key) } else { String::new() };
    let challenge = Nonce(nonce).to_string();
    let body = to_json(&Challenge {
        event: if subscribes { "subscribe" } else { "unsubscribe" },
        page,
        token: &challenge,
        secret: subscribes.then_some(secret.as_str()),
    });
    let response = post(url, &[], &body.into()).await;
    let is_confirmed = response.is_some_and(|it| is_accepted(&it) && it.body.trim() == challenge);
    Ok(is_confirmed.then_some(secret))
}

/// Sends the first message to a browser, and returns whether its push service accepted it.
async fn send_greeting(vapid: &Vapid, to: (&str, &str), page: Option<&str>) -> bool {
    let first = to_json(&Greeting { event: "subscribe", page });
    push::send_push(vapid, to, &first, "subscribe", wall_clock()).await.is_some_and(|it| is_accepted(&it))
}

fn is_accepted(response: &HttpReply) -> bool {
    (200..300).contains(&response.status)
}
