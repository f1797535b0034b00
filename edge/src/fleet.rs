//! Requests to hubs: which hub a request is for, and the merged response of all hubs.
//!
//! A hub has at most 40 monitors; more monitors are more hubs, `hub-0`, `hub-1` and so on. `hub-0` knows how many hubs there are,
//! which every reply of it says, and which hub has which monitor: to a request for a monitor of another hub it replies
//! [`HubError::OtherHub`]. So with one hub, a request of a visitor is one request to a Durable Object.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use heapbeat_shared::UnixMillis;
use worker::{Delay, Env, Method, Request, RequestInit, Stub, console_error};

use crate::hub_api::{Audience, HubCall, HubError, HubReply, HubRequest, HubResponse};
use crate::notify::ChannelId;
use crate::platform::concurrency::for_each_concurrent;

pub mod assignment;
pub mod membership;
pub(crate) mod merge;
pub mod subscription_round;

/// The Durable Object namespace of the hubs.
const BINDING: &str = "HUB";

/// How long one of many hubs may take to reply.
const HUB_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a tick may take, which is as long as its probes take.
const TICK_TIMEOUT: Duration = Duration::from_secs(900);

/// How long probes from another region may take: as long as a round starts probes (25 s), and the longest of them (30 s).
const REGION_TIMEOUT: Duration = Duration::from_secs(60);

/// The response of a hub, or why there is none.
pub type HubResult = Result<HubResponse, HubError>;

thread_local! {
    /// How many hubs there are by the last reply of `hub-0`; 0 before the first. It saves a round trip, and may be outdated in
    /// this isolate.
    static HUB_COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Sends a request to the hub that it concerns, or to all hubs, and merges their responses.
pub async fn request_fleet(env: &Env, request: &HubRequest) -> HubResult {
    match request {
        HubRequest::Status { audience } => request_status(env, request, *audience).await,
        HubRequest::StatusPage => request_status(env, request, Audience::Public).await,
        HubRequest::Incidents { .. } => {
            let lists = request_all_hubs(env, request).await;
            // One of them knows that the page begins after an incident that does not exist.
            if let Some(unknown) = lists.iter().find(|list| matches!(list, Err(HubError::NotFound(_)))) {
                return unknown.clone();
            }
            let lists = require_any(lists)?.into_iter().flatten();
            Ok(HubResponse::Incidents(merge::merge_incidents(lists)))
        }
        HubRequest::Channels => {
            let lists = require_any(request_all_hubs(env, request).await)?.into_iter().flatten();
            Ok(HubResponse::Channels(merge::merge_channels(lists)))
        }
        HubRequest::TestAlerts => {
            let tested = request_owning_hub(env, request).await?;
            retry_channels(env, &tested).await;
            Ok(tested)
        }
        request => request_owning_hub(env, request).await,
    }
}

/// After a test of the channels by the first hub: what waits in the other hubs for the channels that accepted it is due at once.
async fn retry_channels(env: &Env, tested: &HubResponse) {
    let HubResponse::AlertsTested(view) = tested else { return };
    let accepted = view.channels.iter().filter(|channel| channel.accepted);
    let channels: Vec<ChannelId> = accepted.filter_map(|channel| channel.channel.parse().ok()).collect();
    let request = |hub| (hub, HubRequest::RetryChannels { channels: channels.clone() });
    if !channels.is_empty() {
        request_each_hub(env, (1..HUB_COUNT.get()).map(request).collect()).await;
    }
}

/// Sends a tick to every hub. A hub that fails does not affect the others.
pub async fn tick_all_hubs(env: &Env, at: UnixMillis) {
    if HUB_COUNT.get() == 0 {
        // Otherwise the other hubs would wait until the first hub's probes are done.
        request_each_hub(env, vec![(0, HubRequest::HubCount)]).await;
    }
    request_all_hubs(env, &HubRequest::Tick { at }).await;
}

/// Sends requests to hubs by their numbers, six at a time, with a timeout each. The results have the order of the requests.
pub(crate) async fn request_each_hub(env: &Env, requests: Vec<(usize, HubRequest)>) -> Vec<HubResult> {
    let unsent = Err(HubError::Unavailable("the request was not sent".to_owned()));
    let results = RefCell::new(vec![unsent; requests.len()]);
    let collected = &results;
    for_each_concurrent(requests.into_iter().enumerate().collect(), |(index, (hub, request))| async move {
        let timeout = if matches!(request, HubRequest::Tick { .. }) { TICK_TIMEOUT } else { HUB_TIMEOUT };
        let result = with_timeout(timeout, request_hub(env, hub, request)).await;
        if let Err(error) = &result {
            console_error!("hub-{hub}: {error}");
        }
        collected.borrow_mut()[index] = result;
    })
    .await;
    results.into_inner()
}

/// Sends a request to the prober of a region, which Cloudflare creates in that region the first time.
pub(crate) async fn request_region(env: &Env, region: &str, request: HubRequest) -> HubResult {
    let name = format!("region-{region}");
    let stub = env.durable_object(BINDING);
    let stub = stub.and_then(|hubs| hubs.get_by_name_with_location_hint(&name, region));
    let call = HubCall { hub: 0, request };
    with_timeout(REGION_TIMEOUT, async { send_call(stub, &name, &call).await?.result }).await
}

/// Sends a request to the hub that it names, or to the first hub, which may name another one.
async fn request_owning_hub(env: &Env, request: &HubRequest) -> HubResult {
    let mut hub = request.hub();
    loop {
        match request_hub(env, hub, request.clone()).await {
            Err(HubError::OtherHub(other)) if hub == 0 && other != 0 => hub = other,
            result => return result,
        }
    }
}

/// Requests the status, or the data of the status page, from all hubs. For a hub that does not reply, the first hub lists its
/// monitors without a state.
async fn request_status(env: &Env, request: &HubRequest, audience: Audience) -> HubResult {
    let (mut responses, mut substitutes) = (Vec::new(), Vec::new());
    for (hub, response) in require_any(request_all_hubs(env, request).await)?.into_iter().enumerate() {
        match response {
            Some(response) => responses.push(response),
            None => substitutes.push((0, HubRequest::StatusOfSilentHub { hub, audience })),
        }
    }
    for substitute in request_each_hub(env, substitutes).await {
        responses.push(substitute.unwrap_or_else(|_| HubResponse::Status(merge::unknown_status())));
    }
    merge::merge_statuses(responses).ok_or_else(|| HubError::Unavailable("the hubs did not reply".to_owned()))
}

/// Returns the responses, with `None` for a hub that failed. Fails if all hubs failed, or if one refuses readers: that would look like a
/// hub that does not respond.
fn require_any(results: Vec<HubResult>) -> Result<Vec<Option<HubResponse>>, HubError> {
    if results.contains(&Err(HubError::ReaderBudget)) {
        return Err(HubError::ReaderBudget);
    }
    if results.iter().all(Result::is_err) {
        return Err(HubError::Unavailable("no hub replied".to_owned()));
    }
    Ok(results.into_iter().map(Result::ok).collect())
}

/// Sends a request to every hub, in the order of their numbers.
async fn request_all_hubs(env: &Env, request: &HubRequest) -> Vec<HubResult> {
    let mut results = Vec::new();
    // The reply of the first hub says how many there are; those that are known already are requested with it.
    while results.len() < HUB_COUNT.get().max(1) {
        let hubs = results.len()..HUB_COUNT.get().max(1);
        let requests = hubs.map(|hub| (hub, request.clone())).collect();
        results.append(&mut request_each_hub(env, requests).await);
    }
    results
}

/// Sends a request to one hub.
async fn request_hub(env: &Env, hub: usize, request: HubRequest) -> HubResult {
    let name = format!("hub-{hub}");
    let stub = env.durable_object(BINDING).and_then(|hubs| hubs.get_by_name(&name));
    let reply = send_call(stub, &name, &HubCall { hub, request }).await?;
    if let Some(count) = reply.hub_count {
        HUB_COUNT.set(count);
    }
    reply.result
}

/// Awaits a result for at most `timeout`.
async fn with_timeout(timeout: Duration, result: impl Future<Output = HubResult>) -> HubResult {
    match select(pin!(result), Delay::from(timeout)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(HubError::Unavailable(format!("no reply within {timeout:?}"))),
    }
}

/// Sends a call to a Durable Object and reads its reply.
async fn send_call(stub: worker::Result<Stub>, name: &str, call: &HubCall) -> Result<HubReply, HubError> {
    let unavailable = |error: worker::Error| HubError::Unavailable(error.to_string());
    let body = serde_json::to_string(call).map_err(|error| HubError::Invalid(error.to_string()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(body.into()));
    let request = Request::new_with_init(&format!("https://{name}/"), &init).map_err(unavailable)?;
    let stub = stub.map_err(unavailable)?;
    let mut response = stub.fetch_with_request(request).await.map_err(unavailable)?;
    if response.status_code() != 200 {
        let status = response.status_code();
        // The scheduled event would not end while the body of a response is unread.
        let _ = response.text().await;
        return Err(HubError::Unavailable(format!("the hub responded with status {status}")));
    }
    response.json().await.map_err(unavailable)
}
