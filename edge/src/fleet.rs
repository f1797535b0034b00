//! All hubs, as the front sees them: which hub to ask, and one answer out of many.
//!
//! A hub watches 40 monitors at most; more monitors are more hubs, `hub-0`, `hub-1` and so on. `hub-0` knows how many there
//! are, says so with every reply, and knows which hub watches which monitor: asked about one that is another hub's it answers
//! [`HubError::OtherHub`]. So with one hub a request of the front is one request to a Durable Object.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use heapbeat_shared::UnixMillis;
use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;
use worker::{Delay, Env, console_error};

use crate::hub_api::{Audience, HubCall, HubError, HubReply, HubRequest, HubResponse};
use crate::platform::env;
use crate::platform::env::BINDING_HUB;
use crate::platform::{fetch_request, js};
use crate::probe::six_at_once;

pub mod assignment;
pub mod membership;
pub(crate) mod merge;

/// How long one of many hubs is waited for.
const HUB_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a tick is waited for: it takes as long as its probes.
const TICK_TIMEOUT: Duration = Duration::from_secs(900);

/// How long probes from another region may take: as long as a tick starts probes, and some.
const REGION_TIMEOUT: Duration = Duration::from_secs(40);

/// What a hub answers.
pub type HubResult = Result<HubResponse, HubError>;

thread_local! {
    /// How many hubs there are, as far as `hub-0` has said; 0 where it has not. It is a shortcut only, as this isolate may not
    /// have heard of the last change.
    static HUB_COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Asks the hub that a request concerns, or all hubs and merges what they answer.
pub async fn ask(env: &Env, request: &HubRequest) -> HubResult {
    match request {
        HubRequest::Status { audience } => ask_status(env, request, *audience).await,
        HubRequest::StatusPage => ask_status(env, request, Audience::Public).await,
        HubRequest::Incidents { .. } => {
            let lists = answered(ask_all(env, request).await)?.into_iter().flatten();
            Ok(HubResponse::Incidents(merge::incidents(lists)))
        }
        request => ask_owner(env, request).await,
    }
}

/// Asks the hub that a request names, or the first hub, which may name another one.
async fn ask_owner(env: &Env, request: &HubRequest) -> HubResult {
    let mut hub = request.hub();
    loop {
        match ask_hub(env, hub, request.clone()).await {
            Err(HubError::OtherHub(other)) if hub == 0 && other != 0 => hub = other,
            result => return result,
        }
    }
}

/// Asks all hubs for the status, or for what its page is rendered from. For a hub that does not answer the first one answers
/// with its monitors, of which nothing is known.
async fn ask_status(env: &Env, request: &HubRequest, audience: Audience) -> HubResult {
    let (mut answers, mut silent) = (Vec::new(), Vec::new());
    for (hub, answer) in answered(ask_all(env, request).await)?.into_iter().enumerate() {
        match answer {
            Some(answer) => answers.push(answer),
            None => silent.push((0, HubRequest::StatusOfSilentHub { hub, audience })),
        }
    }
    for substitute in ask_each(env, silent).await {
        answers.push(substitute.unwrap_or_else(|_| HubResponse::Status(merge::unknown_status())));
    }
    merge::statuses(answers).ok_or_else(|| HubError::Unavailable("the hubs did not answer".to_owned()))
}

/// The answers of those hubs that gave one. An error where none did.
fn answered(results: Vec<HubResult>) -> Result<Vec<Option<HubResponse>>, HubError> {
    if results.iter().all(Result::is_err) {
        return Err(HubError::Unavailable("no hub answers".to_owned()));
    }
    Ok(results.into_iter().map(Result::ok).collect())
}

/// Hands every hub a tick. A hub that fails costs the others nothing.
pub async fn tick(env: &Env, at: UnixMillis) {
    if HUB_COUNT.get() == 0 {
        // So that the others need not wait until the first hub's probes are done.
        ask_each(env, vec![(0, HubRequest::HubCount)]).await;
    }
    ask_all(env, &HubRequest::Tick { at }).await;
}

/// Asks every hub, the first one first.
async fn ask_all(env: &Env, request: &HubRequest) -> Vec<HubResult> {
    let mut answers = Vec::new();
    // The first hub says how many there are; those that are known of are asked meanwhile.
    while answers.len() < HUB_COUNT.get().max(1) {
        let hubs = answers.len()..HUB_COUNT.get().max(1);
        answers.append(&mut ask_each(env, hubs.map(|hub| (hub, request.clone())).collect()).await);
    }
    answers
}

/// Asks hubs, six at a time, each in a limited time; answers have the order of the requests.
pub(crate) async fn ask_each(env: &Env, requests: Vec<(usize, HubRequest)>) -> Vec<HubResult> {
    let unasked = Err(HubError::Unavailable("the hub was not asked".to_owned()));
    let answers = RefCell::new(vec![unasked; requests.len()]);
    let collected = &answers;
    six_at_once(requests.into_iter().enumerate().collect(), |(place, (hub, request))| async move {
        let timeout = if matches!(request, HubRequest::Tick { .. }) { TICK_TIMEOUT } else { HUB_TIMEOUT };
        let result = in_time(ask_hub(env, hub, request), timeout).await;
        if let Err(error) = &result {
            console_error!("hub-{hub}: {error}");
        }
        collected.borrow_mut()[place] = result;
        true
    })
    .await;
    answers.into_inner()
}

/// Asks one hub.
async fn ask_hub(env: &Env, hub: usize, request: HubRequest) -> HubResult {
    let reply = call(env, &format!("hub-{hub}"), JsValue::UNDEFINED, &HubCall { hub, request }).await?;
    if let Some(count) = reply.hub_count {
        HUB_COUNT.set(count);
    }
    reply.result
}

/// Asks the prober of a region; it is made there the first time.
pub(crate) async fn ask_region(env: &Env, region: &str, request: HubRequest) -> HubResult {
    let options = Object::new();
    Reflect::set(&options, &"locationHint".into(), &region.into())
        .map_err(|_| HubError::Unavailable("the region cannot be set".to_owned()))?;
    let (name, request) = (format!("region-{region}"), HubCall { hub: 0, request });
    let asked = async { call(env, &name, options.into(), &request).await?.result };
    in_time(asked, REGION_TIMEOUT).await
}

/// Waits for an answer that long.
async fn in_time(asked: impl Future<Output = HubResult>, timeout: Duration) -> HubResult {
    match select(pin!(asked), Delay::from(timeout)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(HubError::Unavailable("no answer in time".to_owned())),
    }
}

/// Sends a call to a Durable Object by its name.
async fn call(env: &Env, name: &str, options: JsValue, call: &HubCall) -> Result<HubReply, HubError> {
    let unavailable = |error: worker::Error| HubError::Unavailable(error.to_string());
    let body = serde_json::to_string(call).map_err(|error| HubError::Invalid(error.to_string()))?;
    let request =
        fetch_request::request("POST", &format!("https://{name}/"), Some(&body)).map_err(unavailable)?;
    let stub = js::call_with(&env::binding(env, BINDING_HUB), "getByName", &name.into(), &options)
        .map_err(|thrown| unavailable(thrown.into()))?;
    let (status, text) =
        js::fetch(&stub, &request, |_| ()).await.map_err(|thrown| unavailable(thrown.into()))?;
    if status != 200 {
        return Err(HubError::Unavailable(format!("the hub answered with status {status}")));
    }
    serde_json::from_str(&text).map_err(|error| HubError::Unavailable(error.to_string()))
}
