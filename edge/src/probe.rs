//! One request to one monitor, and everything that can go wrong with it.
//!
//! A probe always comes back with an answer or a reason, within the monitor's timeout, whatever the target
//! does: redirects are followed by hand and counted, a body is read as far as its limit and then cancelled,
//! and an `Err` of the platform's `fetch` is a finding like any other.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use heapbeat_shared::UnixMillis;
use heapbeat_shared::health::MAX_HEALTH_BODY;
use heapbeat_shared::report::MAX_REPORT;
use heapbeat_shared::signing;
use worker::{
    AbortController, AbortSignal, CacheMode, Delay, Fetch, Headers, Method, Request, RequestInit,
    RequestRedirect, Response,
};

mod body;
mod clock;
mod lanes;
mod look;
mod platform;
mod redirect;
mod sign;

pub use clock::wall_clock;
pub use lanes::{LANES, probe_all};
pub use sign::Keys;

use self::platform::{Address, Look, Said, conclude, read_error, read_stand_in};
use self::redirect::Trail;
use self::sign::{Question, is_same_host};
use crate::config::{Kind, Monitor};
use crate::watch::answer::{Answer, Body, Missed};
use crate::watch::proof::Key;
use crate::watch::{Blindness, Failure};

/// Longest body that is read, in bytes.
pub const MAX_BODY: usize = MAX_HEALTH_BODY;

/// What a probe says of itself.
const USER_AGENT: &str =
    concat!("heapbeat/", env!("CARGO_PKG_VERSION"), " (+https://github.com/heapbeat/heapbeat)");

/// What all probes of one tick share.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Requests that may still be made; redirects take from it as well.
    requests: Rc<Cell<u32>>,
    /// Whether private addresses may be asked.
    private: bool,
    /// What the monitors that have a secret are asked with.
    keys: Rc<Keys>,
}

impl Allowance {
    /// `requests` in all, to private addresses only where `private`, with these keys.
    pub fn new(requests: u32, private: bool, keys: Keys) -> Self {
        Allowance { requests: Rc::new(Cell::new(requests)), private, keys: Rc::new(keys) }
    }

    fn take(&self) -> Result<(), Missed> {
        let left = self.requests.get().checked_sub(1).ok_or(Blindness::Budget)?;
        self.requests.set(left);
        Ok(())
    }
}

/// How far a probe has come; says what kind of timeout it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Body,
}

/// Asks `monitor` once. Takes at most its timeout.
pub(crate) async fn probe(monitor: &Monitor, allowance: &Allowance) -> Result<Answer, Missed> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let stage = Cell::new(Stage::Header);
    let asking = std::pin::pin!(ask(monitor, allowance, &signal, &stage));
    let result = match select(asking, Delay::from(monitor.timeout)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => Err(match stage.get() {
            Stage::Header => Failure::Timeout.into(),
            Stage::Body => Failure::BodyTimeout.into(),
        }),
    };
    // Whatever is still on its way is of no use to anybody.
    controller.abort();
    result
}

async fn ask(
    monitor: &Monitor,
    allowance: &Allowance,
    signal: &AbortSignal,
    stage: &Cell<Stage>,
) -> Result<Answer, Missed> {
    let key = allowance.keys.get(&monitor.id).map(Result::as_ref).transpose().map_err(|blind| *blind)?;
    let began = wall_clock();
    let address =
        key.map_or_else(|| monitor.url.as_str().to_owned(), |key| key.address(monitor.url.as_str()));
    let mut trail = Trail::begin(&address, allowance.private)?;
    let (response, question) = loop {
        allowance.take()?;
        let signing = key.filter(|_| is_same_host(trail.current(), &address));
        let question = signing.map(|key| Question::new(key, trail.current())).transpose()?;
        let response = send(trail.current(), monitor.kind, question.as_ref(), signal, allowance).await?;
        if !redirect::is_redirect(response.status_code()) {
            break (response, question);
        }
        match response.headers().get("location").ok().flatten() {
            Some(location) => trail.follow(&location)?,
            None => break (response, question),
        }
    };
    let latency = wall_clock().since(began);
    stage.set(Stage::Body);
    let status = response.status_code();
    let wanted = monitor.reads_body() || platform::may_stand_in(status);
    let signature = response.headers().get(signing::HEADER).ok().flatten();
    let limit = if signature.is_some() { MAX_REPORT } else { MAX_BODY };
    let body = if wanted { body::read(response, limit).await? } else { Body::Unread };
    if let Body::Whole(bytes) = &body
        && let Some(failure) = read_stand_in(status, bytes)
    {
        return Err(failure.into());
    }
    believe(Answer { status, latency, body, report: None }, key, question, signature.as_deref())
}

/// An answer to a question that was signed is believed by its signature; where none was (it was led to another host),
/// an answer is nobody's for a monitor that needs one.
fn believe(
    answer: Answer,
    key: Option<&Key>,
    question: Option<Question>,
    signature: Option<&str>,
) -> Result<Answer, Missed> {
    match (key, question) {
        (Some(key), Some(question)) => question.open(answer, signature, key),
        (Some(key), None) if key.strict => Err(Failure::Unsigned.into()),
        _ => Ok(answer),
    }
}

/// Sends one request; redirects come back as they are.
async fn send(
    url: &str,
    kind: Kind,
    question: Option<&Question>,
    signal: &AbortSignal,
    allowance: &Allowance,
) -> Result<Response, Missed> {
    let request = request(url, kind, question).map_err(|_| Blindness::Platform)?;
    let error = match Fetch::Request(request).send_with_signal(signal).await {
        Ok(response) => return Ok(response),
        Err(error) => error,
    };
    let said = read_error(&error.to_string());
    // Where Cloudflare makes the connections, the text says what it means.
    if matches!(said, Said::Reason(_)) || !allowance.private || allowance.take().is_err() {
        return Err(conclude(said, Look::NotTaken, Address::default()));
    }
    let (address, look) = look::look(url).await;
    Err(conclude(said, look, address))
}

fn request(url: &str, kind: Kind, question: Option<&Question>) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("user-agent", USER_AGENT)?;
    headers.set("accept", if kind == Kind::Heapbeat { "application/json" } else { "*/*" })?;
    if let Some((name, value)) = question.map(Question::header) {
        headers.set(name, &value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Get)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_cache(CacheMode::NoStore);
    Request::new_with_init(url, &init)
}

/// The time that a tick has for starting probes; those that are not started by then wait for the next tick,
/// so that many slow targets cannot hold up the tick of all others.
pub const STARTING_TIME: Duration = Duration::from_secs(25);

/// The instant after which a tick that began at `began` starts no more probes.
pub(crate) fn deadline(began: UnixMillis) -> UnixMillis {
    began.plus(STARTING_TIME)
}
