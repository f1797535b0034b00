//! How often one address may make requests, counted before any hub is asked.
//!
//! The platform counts (`[[ratelimits]]` of `wrangler.toml`): readers, the owner, jobs and subscribers each by themselves, so that a page that
//! is read too eagerly costs no job its heartbeat. The address goes to that counter and nowhere else. Every request passes if there is no
//! counter, or if it fails or hangs.

use std::net::Ipv6Addr;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::{Delay, Env, Request};

use super::endpoint::Access;
use crate::platform::env;
use crate::platform::env::LIMIT;
use crate::platform::js::{call, promised};

/// How many further requests a wrong token counts as, and a request to subscribe: they may come at a tenth of the usual rate.
pub(super) const PENALTY: u32 = 9;

/// How long the counter may take; it runs on the same machine.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The key under which a request is counted.
pub(super) fn client_key(request: &Request, access: Access) -> String {
    let address = request.headers().get("cf-connecting-ip").ok().flatten().unwrap_or_default();
    let kind = match access {
        Access::Page | Access::Public => "read ",
        Access::Job => "job ",
        Access::Subscriber => "ask ",
        Access::Owner => "own ",
    };
    [kind, &client_network(&address)].concat()
}

/// Counts a request `weight` times, and says whether the limit is exceeded.
pub(super) async fn is_exceeded(env: &Env, key: &str, weight: u32) -> bool {
    let Some(counting) = count(env, key, weight) else { return false };
    let Either::Left((Ok(outcome), _)) = select(counting, Delay::from(TIMEOUT)).await else { return false };
    Reflect::get(&outcome, &"success".into()).is_ok_and(|success| success == JsValue::FALSE)
}

fn count(env: &Env, key: &str, weight: u32) -> Option<JsFuture> {
    let options = Object::new();
    Reflect::set(&options, &"key".into(), &key.into()).ok()?;
    let counter = env::binding(env, LIMIT);
    let mut outcome = call(&counter, "limit", &options);
    for _ in 1..weight {
        outcome = call(&counter, "limit", &options);
    }
    promised(outcome).ok()
}

/// The customer behind an address: an IPv6 customer has at least a /64 network.
fn client_network(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default().to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::client_network;

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_customer() {
        assert_eq!(client_network("203.0.113.7"), "203.0.113.7");
        assert_ne!(client_network("203.0.113.7"), client_network("203.0.113.8"));
        assert_eq!(client_network("2001:db8:1:2::7"), client_network("2001:db8:1:2:ffff::8"));
        assert_ne!(client_network("2001:db8:1:2::7"), client_network("2001:db8:1:3::7"));
        assert_eq!(client_network(""), "");
    }
}
