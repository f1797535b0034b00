//! Whether a name leads to Cloudflare's own addresses, to which a Worker may open no TCP connection.
//!
//! The platform answers there as for a port that refuses. So a name whose connection was refused is looked up by HTTPS once, and what was
//! found is kept for a while; without an answer the port is taken to refuse.

use std::cell::RefCell;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::dns::probe_dns;
use crate::domain::check::outcome::ResponseBody;
use crate::domain::check::request_plan::{RequestAllowance, RequestPurpose};
use crate::monitor_config::{
    DEFAULT_RESOLVER, DnsQuery, MONITORS_PER_HUB, RecordType, is_cloudflare_address, is_private_host,
};
use crate::platform::clock::wall_clock;

/// How long a lookup may take.
const MAX_LOOKUP: Duration = Duration::from_secs(2);

/// How long the result of a lookup is kept, so that a port that refuses for hours costs six lookups an hour.
const KEPT: Duration = Duration::from_secs(600);

/// What a name leads to.
#[derive(Clone, Debug)]
struct Lookup {
    host: String,
    at: UnixMillis,
    is_cloudflare: bool,
}

thread_local! {
    /// The last lookups, at most one for each monitor of a hub.
    static LOOKUPS: RefCell<Vec<Lookup>> = const { RefCell::new(Vec::new()) };
}

/// Returns whether a host is a name that leads to an address of Cloudflare. Takes at most `left`, and a request that nobody else needs.
pub(super) async fn leads_to_cloudflare(
    host: &str,
    left: Duration,
    allowance: &RequestAllowance<'_>,
) -> bool {
    // An address was checked when the configuration was read, and a private name is nobody else's business.
    let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[');
    if !is_name || is_private_host(host) {
        return false;
    }
    let now = wall_clock();
    let known = LOOKUPS.with_borrow(|lookups| lookups.iter().find(|it| it.host == host).cloned());
    if let Some(known) = known.filter(|known| now.since(known.at) < KEPT) {
        return known.is_cloudflare;
    }
    if !allowance.spend(RequestPurpose::Extra) {
        return false;
    }
    let is_cloudflare =
        look_up(host, left.min(MAX_LOOKUP)).await.is_some_and(|it| is_cloudflare_address(&it));
    LOOKUPS.with_borrow_mut(|lookups| {
        lookups.retain(|lookup| lookup.host != host);
        if lookups.len() >= MONITORS_PER_HUB {
            lookups.remove(0);
        }
        lookups.push(Lookup { host: host.to_owned(), at: now, is_cloudflare });
    });
    is_cloudflare
}

/// Returns an IPv4 address of a name.
async fn look_up(host: &str, timeout: Duration) -> Option<String> {
    let query = DnsQuery {
        name: host.to_owned(),
        record_type: RecordType::A,
        resolver: DEFAULT_RESOLVER.parse().ok()?,
    };
    match probe_dns(&query, timeout, false).await.ok()?.body {
        ResponseBody::Whole(address) => String::from_utf8(address).ok(),
        _ => None,
    }
}
