//! All hubs, as the front sees them: whom to ask about what, and one answer out of many.
//!
//! A hub watches 40 monitors at most; more monitors are more hubs, `hub-0`, `hub-1` and so on. `hub-0` knows how many there
//! are, says so with every answer, and knows whose a monitor is: asked about one that is another's it names that hub
//! (status 421). So a fleet of one costs one request a question, and whoever remembers costs no more with a hundred. What
//! is remembered here is a shortcut and never the truth.

use std::cell::{Cell, RefCell};

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use worker::{Env, Method, Result, console_error};

use crate::env::BINDING_HUB;
use crate::outgoing;
use crate::probe::six_at_once;

mod places;

pub use places::subject;

/// With it `hub-0` says how many hubs there are.
pub(crate) const HUBS: &str = "x-heapbeat-hubs";

/// Monitors whose hub is remembered.
const MOST_REMEMBERED: usize = 2000;

thread_local! {
    /// How many hubs there are, as far as `hub-0` has told.
    static KNOWN: Cell<usize> = const { Cell::new(1) };
    /// The hubs of monitors that are not the first hub's.
    static OWNERS: RefCell<LiteMap<String, usize>> = const { RefCell::new(LiteMap::new()) };
}

/// Asks the hub that has the monitor `id` for `path`, which is about that monitor. `None`: there is no such thing.
pub async fn one(env: &Env, id: &str, path: &str) -> Result<Option<String>> {
    seen(find(env, id, Method::Get, path, None).await?)
}

/// Asks every hub for `path`, the first hub first. `None`: that hub is silent. An error where none answers.
pub async fn all(env: &Env, path: &str) -> Result<Vec<Option<String>>> {
    let answers = everywhere(env, Method::Get, path).await;
    let said = |(status, body): (u16, String)| (status == 200).then_some(body);
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.and_then(said)).collect();
    if answers.iter().all(Option::is_none) {
        return Err(worker::Error::from("no hub answered"));
    }
    Ok(answers)
}

/// Asks for something that the public may see, finished, whosever it is. `None`: there is no such thing.
pub async fn ask(env: &Env, path: &str) -> Result<Option<String>> {
    seen(tell(env, Method::Get, path, None).await?)
}

/// Hands a request of the owner's, or of a job, to the hub whose it is; the answer's status and body are the hub's.
pub async fn tell(env: &Env, method: Method, path: &str, body: Option<String>) -> Result<(u16, String)> {
    find(env, subject(path).unwrap_or_default(), method, path, body.as_deref()).await
}

/// Hands every hub a tick. A hub that fails costs the others nothing.
pub async fn tick(env: &Env, at: UnixMillis) {
    everywhere(env, Method::Post, &format!("/tick?at={}", at.0)).await;
}

/// What the public gets of an answer.
fn seen((status, body): (u16, String)) -> Result<Option<String>> {
    match status {
        200 => Ok(Some(body)),
        404 => Ok(None),
        _ => Err(worker::Error::from("the hub did not answer")),
    }
}

/// Asks the hub that has the monitor `id`, which `hub-0` has to say where nobody remembers.
async fn find(env: &Env, id: &str, method: Method, path: &str, body: Option<&str>) -> Result<(u16, String)> {
    let remembered = OWNERS.with_borrow(|owners| owners.get(id).copied());
    if let Some(hub) = remembered {
        let answer = send(env, hub, &method, path, body).await?;
        if answer.0 != 404 {
            return Ok(answer);
        }
        OWNERS.with_borrow_mut(|owners| owners.remove(id));
    }
    let (status, text) = send(env, 0, &method, path, body).await?;
    let (421, Ok(hub)) = (status, text.parse()) else { return Ok((status, text)) };
    OWNERS.with_borrow_mut(|owners| {
        if owners.len() >= MOST_REMEMBERED {
            owners.clear();
        }
        owners.insert(id.to_owned(), hub);
    });
    send(env, hub, &method, path, body).await
}

/// Asks every hub, six at a time; `None` where one does not answer.
async fn everywhere(env: &Env, method: Method, path: &str) -> Vec<Option<(u16, String)>> {
    let answers = RefCell::new(Vec::new());
    loop {
        // The first hub says how many there are; those that are known of are asked meanwhile.
        let (from, to) = (answers.borrow().len(), KNOWN.get());
        if from >= to {
            return answers.into_inner();
        }
        answers.borrow_mut().resize_with(to, || None);
        six_at_once((from..to).collect(), async |hub| {
            match send(env, hub, &method, path, None).await {
                Ok((status @ 500.., _)) => console_error!("hub-{hub} {path}: status {status}"),
                Ok(answer) => answers.borrow_mut()[hub] = Some(answer),
                Err(error) => console_error!("hub-{hub} {path}: {error}"),
            }
            true
        })
        .await;
    }
}

/// Asks one hub.
pub(crate) async fn send(
    env: &Env,
    hub: usize,
    method: &Method,
    path: &str,
    body: Option<&str>,
) -> Result<(u16, String)> {
    let name = format!("hub-{hub}");
    let request = outgoing::request(method.as_ref(), &format!("https://{name}{path}"), [], body)?;
    let mut response =
        env.durable_object(BINDING_HUB)?.get_by_name(&name)?.fetch_with_request(request).await?;
    if let Some(hubs) = response.headers().get(HUBS)?.and_then(|hubs| hubs.parse().ok()) {
        KNOWN.set(hubs);
    }
    Ok((response.status_code(), response.text().await?))
}
