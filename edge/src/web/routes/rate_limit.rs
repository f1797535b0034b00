//! The rate limit of requests by address, checked before any request to a hub.
//!
//! The platform counts the requests (`[[ratelimits]]` of `wrangler.toml`). Visitors, the owner, jobs and subscribers have separate
//! counters, so that too many page views do not block a job's heartbeat. The address is sent to that counter only. Every request passes if
//! there is no counter, or if it fails or hangs.

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

/// The additional weight of a request with a wrong token and of a subscription: they have a tenth of the usual rate.
pub(super) const PENALTY: u32 = 9;

/// The timeout of the counter, which runs on the same machine.
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

/// Counts a request `weight` times, and returns whether the limit is exceeded.
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

/// Returns the network of a client: the address for IPv4, and the /64 network for IPv6.
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
