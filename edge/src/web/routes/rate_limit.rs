//! How often one address may ask, before any hub is asked for it.
//!
//! The platform counts (`[[ratelimits]]` of `wrangler.toml`), each reader's, owner's and job's requests by themselves, so that a
//! page that is read too eagerly costs no job its ping. An address is handed to that counter and to nobody else. Without the
//! counter, or where it fails or hangs, everything passes.

use std::net::Ipv6Addr;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::{Delay, Env, Request};

use super::table::{Path, Route};
use crate::platform::env;
use crate::platform::env::LIMIT;
use crate::platform::js::{call, promised};

/// As how many requests more one counts whose token is wrong, or that has an address asked: a tenth of what is usual will do.
pub(super) const MORE: u32 = 9;

/// How long the counter is waited for: it is on the same machine.
const PATIENCE: Duration = Duration::from_secs(1);

/// As what a request to a path is counted.
pub(super) fn key(request: &Request, path: &Path) -> String {
    let address = request.headers().get("cf-connecting-ip").ok().flatten().unwrap_or_default();
    let kind = match path.route {
        _ if path.is_public() => "read ",
        Route::Heartbeat => "job ",
        Route::Subscriptions => "ask ",
        _ => "own ",
    };
    [kind, &whose(&address)].concat()
}

/// Counts so many requests, and says whether the last was one too many. Where nobody counts, or the counter fails or is slow, it
/// was not.
pub(super) async fn is_over(env: &Env, key: &str, times: u32) -> bool {
    let Some(counting) = count(env, key, times) else { return false };
    let Either::Left((Ok(outcome), _)) = select(counting, Delay::from(PATIENCE)).await else { return false };
    Reflect::get(&outcome, &"success".into()).is_ok_and(|success| success == JsValue::FALSE)
}

fn count(env: &Env, key: &str, times: u32) -> Option<JsFuture> {
    let what = Object::new();
    Reflect::set(&what, &"key".into(), &key.into()).ok()?;
    let counter = env::binding(env, LIMIT);
    let mut outcome = call(&counter, "limit", &what);
    for _ in 1..times {
        outcome = call(&counter, "limit", &what);
    }
    promised(outcome).ok()
}

/// Who stands behind an address: an IPv6 customer has at least a /64 of them.
fn whose(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default().to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::whose;

    #[test]
    fn one_customer_is_one() {
        assert_eq!(whose("203.0.113.7"), "203.0.113.7");
        assert_ne!(whose("203.0.113.7"), whose("203.0.113.8"));
        assert_eq!(whose("2001:db8:1:2::7"), whose("2001:db8:1:2:ffff::8"));
        assert_ne!(whose("2001:db8:1:2::7"), whose("2001:db8:1:3::7"));
        assert_eq!(whose(""), "");
    }
}
