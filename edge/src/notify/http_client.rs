//! Sends one request to a service.

use std::time::Duration;

use wasm_bindgen::JsValue;
use web_sys::AbortSignal;

use super::service::HttpCall;
use crate::platform::body::read_body;
use crate::platform::deadline::run_within;
use crate::platform::fetch::OutgoingRequest;

/// The time limit of a request. A service that takes longer may still have accepted the message; it recognizes the next attempt by its
/// idempotency key.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum length of a reply that is read, in bytes.
const MAX_REPLY: usize = 4096;

/// The reply of a service.
#[derive(Debug)]
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The body; empty if it is too long.
    pub body: String,
}

/// Sends the JSON of a call.
pub(crate) async fn send_call(call: &HttpCall) -> Option<HttpReply> {
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    post(&call.url, &headers, &call.body.as_str().into()).await
}

/// Sends `body`, which is JSON unless a header says otherwise. Returns the reply, or `None` if there is none in time.
pub(crate) async fn post(url: &str, headers: &[(&str, &str)], body: &JsValue) -> Option<HttpReply> {
    let ours = [
        ("content-type", "application/json"),
        ("user-agent", concat!("heapbeat/", env!("CARGO_PKG_VERSION"))),
    ];
    let request = OutgoingRequest::new("POST", ours.iter().chain(headers).copied(), body);
    let sending = async |signal: &AbortSignal| {
        let response = request?.send(url, signal).await?;
        let retry_after = response.headers().get("retry-after")?;
        let body = read_body(&response, MAX_REPLY).await.ok().flatten().unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok::<_, worker::Error>(HttpReply { status: response.status(), retry_after, body })
    };
    run_within(TIMEOUT, |_| false, sending).await.ok().flatten()?.ok()
}
