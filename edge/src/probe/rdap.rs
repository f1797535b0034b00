//! The lookup of a domain's expiration by RDAP: a request to a bootstrap service, which redirects to the registry.

use std::time::Duration;

use wasm_bindgen::JsValue;
use web_sys::AbortSignal;

use super::context::ProbeContext;
use super::redirect_chain::is_redirect;
use super::request::USER_AGENT;
use crate::domain::check::domain_record::{
    DomainRecord, MAX_REQUESTS, MAX_RESPONSE, is_lookup_due, read_expiration,
};
use crate::domain::check::request_plan::RequestPurpose;
use crate::monitor_config::{Monitor, is_private_host};
use crate::platform::body::read_body;
use crate::platform::clock::wall_clock;
use crate::platform::deadline::run_within;
use crate::platform::fetch::OutgoingRequest;
use crate::platform::url::WebUrl;

/// How long a lookup may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Returns what is known of the domain of a monitor whose conditions ask for it, after a lookup if that is due. A round looks up one domain,
/// with requests that nobody else needs.
pub(super) async fn update_domain(monitor: &Monitor, context: &ProbeContext) -> Option<DomainRecord> {
    let domain = monitor.observed_domain()?;
    let known = context.domain_record(&domain);
    let is_due = is_lookup_due(known, &domain, wall_clock());
    if !is_due || !context.has_free_lookup() {
        return known.cloned();
    }
    let found = look_up(&domain, context).await;
    match found {
        // Another round looks it up.
        Err(OutOfRequests) => known.cloned(),
        Ok(found) => Some(DomainRecord::after_lookup(known, &domain, found, wall_clock())),
    }
}

/// There was no request left.
struct OutOfRequests;

async fn look_up(
    domain: &str,
    context: &ProbeContext,
) -> Result<Option<heapbeat_shared::UnixMillis>, OutOfRequests> {
    let request = async |signal: &AbortSignal| request_domain(domain, context, signal).await;
    run_within(TIMEOUT, |_| false, request).await.ok().flatten().unwrap_or(Ok(None))
}

async fn request_domain(
    domain: &str,
    context: &ProbeContext,
    signal: &AbortSignal,
) -> Result<Option<heapbeat_shared::UnixMillis>, OutOfRequests> {
    let headers = [("user-agent", USER_AGENT), ("accept", "application/rdap+json")];
    let Ok(request) = OutgoingRequest::new("GET", headers, &JsValue::UNDEFINED) else { return Ok(None) };
    let base = context.rdap.trim_end_matches('/');
    let mut url = WebUrl::parse(&format!("{base}/domain/{domain}"));
    for _ in 0..MAX_REQUESTS {
        let Some(current) = url.filter(|url| context.allow_private || !is_private_host(&url.host)) else {
            break;
        };
        if !context.pool.spend(RequestPurpose::Extra) {
            return Err(OutOfRequests);
        }
        let Ok(response) = request.send(&current.href, signal).await else { break };
        if is_redirect(response.status()) {
            url = response.headers().get("location").ok().flatten().and_then(|to| current.join(&to));
            continue;
        }
        let body = if response.status() == 200 { read_body(&response, MAX_RESPONSE).await } else { break };
        return Ok(body.ok().flatten().and_then(|body| read_expiration(&body)));
    }
    Ok(None)
}
