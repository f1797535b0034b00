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

pub use clock::wall_clock;
pub use lanes::{LANES, probe_all};

use self::platform::{Address, Look, Said, conclude, read_error, read_stand_in};
use self::redirect::Trail;
use crate::config::{Kind, Monitor};
use crate::watch::answer::{Answer, Body, Missed};
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
}

impl Allowance {
    /// `requests` in all, to private addresses only where `private`.
    pub fn new(requests: u32, private: bool) -> Self {
        Allowance { requests: Rc::new(Cell::new(requests)), private }
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
    let began = wall_clock();
    let mut trail = Trail::begin(monitor.url.as_str(), allowance.private)?;
    let response = loop {
        allowance.take()?;
        let response = send(trail.current(), monitor.kind, signal, allowance).await?;
        if !redirect::is_redirect(response.status_code()) {
            break response;
        }
        match response.headers().get("location").ok().flatten() {
            Some(location) => trail.follow(&location)?,
            None => break response,
        }
    };
    let latency = wall_clock().since(began);
    stage.set(Stage::Body);
    let status = response.status_code();
    let wanted = monitor.reads_body() || platform::may_stand_in(status);
    let body = if wanted { body::read(response, MAX_BODY).await? } else { Body::Unread };
    if let Body::Whole(bytes) = &body
        && let Some(failure) = read_stand_in(status, bytes)
    {
        return Err(failure.into());
    }
    Ok(Answer { status, latency, body })
}

/// Sends one request; redirects come back as they are.
async fn send(
    url: &str,
    kind: Kind,
    signal: &AbortSignal,
    allowance: &Allowance,
) -> Result<Response, Missed> {
    let request = request(url, kind).map_err(|_| Blindness::Platform)?;
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

fn request(url: &str, kind: Kind) -> worker::Result<Request> {
    let headers = Headers::new();
    headers.set("user-agent", USER_AGENT)?;
    headers.set("accept", if kind == Kind::Heapbeat { "application/json" } else { "*/*" })?;
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
