//! Sending one request to a service.

use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::JsValue;
use web_sys::AbortController;
use worker::Delay;

use super::channel::Channel;
use super::outbox::Answered;
use super::service::{Call, answered};
use crate::outgoing::Outgoing;
use crate::probe::body;
use crate::watch::answer::Body;

/// How long a service may take. One that takes longer may still have taken it; the key tells it so the next time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer that is looked at, in bytes.
const LONGEST_ANSWER: usize = 4096;

/// Sends it; whatever goes wrong is an answer too.
pub async fn send(channel: &Channel, call: &Call) -> Answered {
    let Ok(controller) = AbortController::new() else { return Answered::Failed };
    let signal = controller.signal();
    let sending = std::pin::pin!(async {
        let response = request(call)?.send(&call.url, &signal).await?;
        let retry_after = response.headers().get("retry-after")?;
        let body = match body::read(&response, LONGEST_ANSWER).await {
            Ok(Body::Whole(bytes)) => bytes,
            _ => Vec::new(),
        };
        let text = String::from_utf8_lossy(&body);
        Ok::<_, JsValue>(answered(channel, response.status(), retry_after.as_deref(), &text))
    });
    let answer = match select(sending, Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => answer.unwrap_or(Answered::Failed),
        Either::Right(((), _)) => Answered::Failed,
    };
    controller.abort();
    answer
}

fn request(call: &Call) -> Result<Outgoing, JsValue> {
    let ours = [
        ("content-type", "application/json"),
        ("user-agent", concat!("heapbeat/", env!("CARGO_PKG_VERSION"))),
    ];
    let more = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
    Outgoing::new("POST", ours.into_iter().chain(more), Some(&call.body))
}
