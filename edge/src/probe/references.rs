//! Requests to the reference addresses, which decide whether the edge itself has a connection (`domain/check/self_check.rs`).

use std::cell::Cell;
use std::time::Duration;

use wasm_bindgen::JsValue;

use super::fetch_error::is_gateway_status;
use crate::domain::check::request_plan::{RequestPool, RequestPurpose};
use crate::domain::check::self_check::SelfCheck;
use crate::monitor_config::HttpUrl;
use crate::platform::concurrency::for_each_concurrent;
use crate::platform::deadline::run_within;
use crate::platform::fetch::OutgoingRequest;

/// How long a reference address may take to respond.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Requests all of `references` at once. One response is enough, unless Cloudflare gives it in the address's place.
pub(crate) async fn check_references(references: &[HttpUrl], pool: &RequestPool) -> SelfCheck {
    let requested: Vec<&HttpUrl> =
        references.iter().take_while(|_| pool.spend(RequestPurpose::Probe)).collect();
    if requested.is_empty() {
        return SelfCheck::NotRun;
    }
    let any = Cell::new(false);
    let responded = &any;
    for_each_concurrent(requested, |url| async move {
        if is_reachable(url).await {
            responded.set(true);
        }
    })
    .await;
    if any.get() { SelfCheck::Online } else { SelfCheck::Offline }
}

async fn is_reachable(url: &HttpUrl) -> bool {
    let request = OutgoingRequest::new("HEAD", [], &JsValue::UNDEFINED);
    let Ok(request) = request else { return false };
    let sent = run_within(TIMEOUT, |_| false, async |signal| request.send(url.as_str(), signal).await).await;
    matches!(sent, Ok(Some(Ok(response))) if !is_gateway_status(response.status()))
}
