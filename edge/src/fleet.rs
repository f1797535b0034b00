//! All hubs, as the front sees them: whom to ask about what, and one answer out of many.
//!
//! A hub watches 40 monitors at most; more monitors are more hubs, `hub-0`, `hub-1` and so on. `hub-0` knows how many there
//! are, says so with every answer, and knows whose a monitor is: asked about one that is another's it names that hub
//! (status 421). So a fleet of one costs one request a question.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use heapbeat_shared::UnixMillis;
use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;
use worker::{Delay, Env, Method, Result, console_error};

use crate::platform::env;
use crate::platform::env::BINDING_HUB;
use crate::platform::{fetch_request, js};
use crate::probe::six_at_once;

pub mod address;
pub mod assignment;
pub mod membership;
pub(crate) mod merge;

use self::address::paged;
use self::merge::merge;

/// With it `hub-0` says how many hubs there are.
pub(crate) const HUBS: &str = "x-heapbeat-hubs";

/// How long one of many hubs is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a look from elsewhere may take: as long as a tick starts probes, and some.
const LOOK: Duration = Duration::from_secs(40);

/// A hub's status and body; `None` where it gave none, or says that it cannot.
pub(crate) type Answer = Option<(u16, String)>;

/// A hub, what it is asked, and what it is handed.
pub(crate) type Question = (usize, String, Option<String>);

thread_local! {
    /// How many hubs there are, as far as `hub-0` has told; 0 where it has not. A shortcut, never the truth.
    static KNOWN: Cell<usize> = const { Cell::new(0) };
}

/// Asks every hub for `path`, the first hub first. `None`: that hub is silent. An error where all are.
pub async fn all(env: &Env, path: &str) -> Result<Vec<Option<String>>> {
    let mut bodies = Vec::new();
    for answer in everywhere(env, &Method::Get, path).await {
        bodies.push(answer.filter(|(status, _)| *status == 200).map(|(_, body)| body));
    }
    if bodies.iter().all(Option::is_none) {
        return Err(worker::Error::from("no hub answers"));
    }
    Ok(bodies)
}

/// Asks for something that the public may see, finished, whosever it is. `None`: there is no such thing.
pub async fn ask(env: &Env, path: &str) -> Result<Option<String>> {
    match tell(env, Method::Get, path, None).await? {
        (200, body) => Ok(Some(body)),
        (404, _) => Ok(None),
        _ => Err(worker::Error::from("the hub did not answer")),
    }
}

/// The status of all monitors, or what the page of it is made of. Where a hub is silent the first one says of which nobody knows
/// anything.
async fn status(env: &Env, path: &str) -> Result<(u16, String)> {
    let (mut bodies, mut silent) = (Vec::new(), Vec::new());
    for (hub, body) in all(env, path).await?.into_iter().enumerate() {
        match body {
            Some(body) => bodies.push(body),
            None => silent.push((0, format!("{path}?of={hub}"), None)),
        }
    }
    for stand_in in each(env, &Method::Get, silent).await {
        let unknown = || r#"{"notices":["A part of the edge does not answer."]}"#.to_owned();
        bodies.push(stand_in.map_or_else(unknown, |(_, body)| body));
    }
    let one = if bodies.len() == 1 { bodies.remove(0) } else { merge(&bodies) };
    Ok((200, one))
}

/// Hands a request of the owner's, or of a job, to the hub whose it is; the answer's status and body are the hub's.
pub async fn tell(env: &Env, method: Method, path: &str, body: Option<String>) -> Result<(u16, String)> {
    if path.starts_with("/status") || path == "/page" {
        return status(env, path).await;
    }
    let mut hub = paged(path, body.as_deref());
    loop {
        let (status, text) = send(env, hub, &method, path, body.as_deref()).await?;
        match text.parse() {
            // The first hub says whose it is.
            Ok(other) if status == 421 && hub == 0 => hub = other,
            _ => return Ok((status, text)),
        }
    }
}

/// Hands every hub a tick. A hub that fails costs the others nothing.
pub async fn tick(env: &Env, at: UnixMillis) {
    if KNOWN.get() == 0 {
        // So that the others need not wait until the first hub's probes are done.
        each(env, &Method::Get, vec![(0, "/hubs".to_owned(), None)]).await;
    }
    everywhere(env, &Method::Post, &format!("/tick?at={}", at.0)).await;
}

/// Asks every hub.
async fn everywhere(env: &Env, method: &Method, path: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    // The first hub says how many there are; those that are known of are asked meanwhile.
    while answers.len() < KNOWN.get().max(1) {
        let hubs = answers.len()..KNOWN.get().max(1);
        answers.append(&mut each(env, method, hubs.map(|hub| (hub, path.to_owned(), None)).collect()).await);
    }
    answers
}

/// Asks hubs, six at a time; answers have the order of the questions.
pub(crate) async fn each(env: &Env, method: &Method, questions: Vec<Question>) -> Vec<Answer> {
    let answers = RefCell::new(vec![None; questions.len()]);
    let put = &answers;
    six_at_once(questions.into_iter().enumerate().collect(), |(place, (hub, path, body))| async move {
        // Nobody waits for a tick, which takes as long as its probes.
        let patience = if *method == Method::Post { Duration::from_secs(900) } else { PATIENCE };
        match in_time(send(env, hub, method, &path, body.as_deref()), patience).await {
            Ok(answer) if answer.0 < 500 => put.borrow_mut()[place] = Some(answer),
            Ok((status, _)) => console_error!("hub-{hub} {path}: status {status}"),
            Err(error) => console_error!("hub-{hub} {path}: {error}"),
        }
        true
    })
    .await;
    answers.into_inner()
}

/// Asks one hub.
async fn send(
    env: &Env,
    hub: usize,
    method: &Method,
    path: &str,
    body: Option<&str>,
) -> Result<(u16, String)> {
    object(env, &format!("hub-{hub}"), JsValue::UNDEFINED, method, path, body, learn).await
}

/// Hears how many hubs there are, where an answer says so.
fn learn(answer: &web_sys::Response) {
    let told = answer.headers().get(HUBS).ok().flatten();
    if let Some(hubs) = told.and_then(|hubs| hubs.parse().ok()) {
        KNOWN.set(hubs);
    }
}

/// Asks the eye of a region to look; it is made there the first time.
pub(crate) async fn look(env: &Env, region: &str, body: &str) -> Result<(u16, String)> {
    let options = Object::new();
    Reflect::set(&options, &"locationHint".into(), &region.into())?;
    let name = format!("eye-{region}");
    in_time(object(env, &name, options.into(), &Method::Post, "/look", Some(body), |_| ()), LOOK).await
}

/// Waits for an answer that long.
async fn in_time(
    asked: impl Future<Output = Result<(u16, String)>>,
    patience: Duration,
) -> Result<(u16, String)> {
    match select(pin!(asked), Delay::from(patience)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(worker::Error::from("no answer in time")),
    }
}

/// Asks an object of ours by its name.
async fn object(
    env: &Env,
    name: &str,
    options: JsValue,
    method: &Method,
    path: &str,
    body: Option<&str>,
    learn: fn(&web_sys::Response),
) -> Result<(u16, String)> {
    let request = fetch_request::request(method.as_ref(), &format!("https://{name}{path}"), body)?;
    let stub = js::call_with(&env::binding(env, BINDING_HUB), "getByName", &name.into(), &options)?;
    Ok(js::fetch(&stub, &request, learn).await?)
}
