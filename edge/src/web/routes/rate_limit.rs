//! The rate limit of requests by address, checked before any request to a hub.
//!
//! The platform counts the requests (`[[ratelimits]]` of `wrangler.toml`). Visitors, the owner, jobs and subscribers have separate
//! counters, so that too many page views do not block a job's heartbeat. The address is sent to that counter only. Every request passes if
//! there is no counter, or if it fails or hangs.

use std::net::Ipv6Addr;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use worker::{Delay, Env, Request};

use super::route_table::Access;

/// The rate limiter of `wrangler.toml`.
const BINDING: &str = "LIMIT";

/// The additional weight of a request with a wrong token and of a subscription: they have a tenth of the usual rate.
pub(super) const PENALTY: u32 = 9;

/// The weight of a question with a range or a position of its own: it is rarely in the cache, and reads most.
pub(super) const DEAR: u32 = 3;

/// The additional weight of a question about something that does not exist, which is never in the cache.
pub(super) const NOT_FOUND: u32 = 3;

/// The timeout of the counter, which runs on the same machine.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The key under which a request is counted.
pub(super) fn client_key(request: &Request, access: Access) -> String {
    let kind = match access {
        Access::Page | Access::Public => "read ",
        Access::Job => "job ",
        Access::Subscriber => "ask ",
        Access::Owner => "own ",
    };
    [kind, &network_of(request)].concat()
}

/// Returns the network from which a request came; empty if it is not known.
pub(super) fn network_of(request: &Request) -> String {
    client_network(&request.headers().get("cf-connecting-ip").ok().flatten().unwrap_or_default())
}

/// Returns the site from which a subscription is asked for: the address for IPv4, and the /48 network for IPv6, as providers give a customer
/// up to that many networks. Empty if it is not known.
pub(super) fn site_of(request: &Request) -> String {
    client_site(&request.headers().get("cf-connecting-ip").ok().flatten().unwrap_or_default())
}

/// Counts a request `weight` times, and returns whether the limit is exceeded.
pub(super) async fn is_exceeded(env: &Env, key: &str, weight: u32) -> bool {
    let Ok(limiter) = env.rate_limiter(BINDING) else { return false };
    let counts = join_all((0..weight.max(1)).map(|_| limiter.limit(key.to_owned())));
    match select(counts, Delay::from(TIMEOUT)).await {
        Either::Left((outcomes, _)) => outcomes.iter().flatten().any(|outcome| !outcome.success),
        Either::Right(_) => false,
    }
}

/// Returns the network of a client: the address for IPv4, and the /64 network for IPv6.
fn client_network(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default().to_string(),
        Err(_) => address.to_owned(),
    }
}

fn client_site(address: &str) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(address) => format!("{:x}", address.to_bits() >> 80),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{client_network, client_site};

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_customer() {
        assert_eq!(client_network("203.0.113.7"), "203.0.113.7");
        assert_ne!(client_network("203.0.113.7"), client_network("203.0.113.8"));
        assert_eq!(client_network("2001:db8:1:2::7"), client_network("2001:db8:1:2:ffff::8"));
        assert_ne!(client_network("2001:db8:1:2::7"), client_network("2001:db8:1:3::7"));
        assert_eq!(client_network(""), "");
        assert_eq!(client_site("2001:db8:1:2::7"), client_site("2001:db8:1:ffff::8"));
        assert_ne!(client_site("2001:db8:1:2::7"), client_site("2001:db8:2:2::7"));
        assert_eq!((client_site("203.0.113.7").as_str(), client_site("").as_str()), ("203.0.113.7", ""));
    }
}
