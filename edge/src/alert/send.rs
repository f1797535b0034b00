//! Sending one request to a service.

use std::time::Duration;

use futures_util::future::{Either, select};
use worker::{AbortController, Delay, Fetch, Request};

use super::channel::Channel;
use super::outbox::Answered;
use super::service::{Call, answered};
use crate::outgoing;

/// How long a service may take. One that takes longer may still have taken it; the key tells it so the next time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer that is looked at, in bytes.
const LONGEST_ANSWER: usize = 4096;

/// Sends it; whatever goes wrong is an answer too.
pub async fn send(channel: &Channel, call: &Call) -> Answered {
    let controller = AbortController::default();
    let signal = controller.signal();
    let sending = std::pin::pin!(async {
        let request = request(call)?;
        let mut response = Fetch::Request(request).send_with_signal(&signal).await?;
        let retry_after = response.headers().get("retry-after")?;
        let status = response.status_code();
        let length = response.headers().get("content-length")?.and_then(|text| text.parse::<usize>().ok());
        let body = match length {
            Some(length) if length > LONGEST_ANSWER => String::new(),
            _ => response.text().await.unwrap_or_default(),
        };
        Ok::<_, worker::Error>(answered(channel, status, retry_after.as_deref(), &body))
    });
    let answer = match select(sending, Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => answer.unwrap_or(Answered::Failed),
        Either::Right(((), _)) => Answered::Failed,
    };
    controller.abort();
    answer
}

fn request(call: &Call) -> worker::Result<Request> {
    let ours = [
        ("content-type", "application/json"),
        ("user-agent", concat!("heapbeat/", env!("CARGO_PKG_VERSION"))),
    ];
    let more = call.headers.iter().map(|(name, value)| (*name, value.as_str()));
    outgoing::request("POST", &call.url, ours.into_iter().chain(more), Some(&call.body))
}
