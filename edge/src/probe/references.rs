//! Requests to the reference addresses, which decide whether the edge itself has a connection (`domain/check/self_check.rs`).

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::JsValue;
use web_sys::AbortController;
use worker::Delay;

use super::fetch_error::is_gateway_status;
use crate::domain::check::request_plan::{RequestPool, RequestPurpose};
use crate::domain::check::self_check::SelfCheck;
use crate::monitor_config::HttpUrl;
use crate::platform::concurrency::for_each_concurrent;
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
    let (Ok(request), Ok(controller)) = (request, AbortController::new()) else { return false };
    let signal = controller.signal();
    let is_reachable = match select(pin!(request.send(url.as_str(), &signal)), Delay::from(TIMEOUT)).await {
        Either::Left((Ok(response), _)) => !is_gateway_status(response.status()),
        _ => false,
    };
    controller.abort();
    is_reachable
}
