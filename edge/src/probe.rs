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
use web_sys::{AbortController, AbortSignal, Response};
use worker::Delay;

pub(crate) mod body;
mod concurrency;
mod platform;
mod redirect;
mod reference;
mod request;
mod sign;
mod tcp;
mod tcp_fallback;

pub use crate::platform::clock::wall_clock;
pub(crate) use crate::platform::zone::offset as zone_offset;
pub use concurrency::probe_all;
pub(crate) use concurrency::six_at_once;
pub(crate) use redirect::canonical;
pub(crate) use reference::sight;
pub use request::{Sent, SentHeader};
pub use sign::Keys;
pub(crate) use sign::random;

use self::platform::{Address, Look, Said, conclude, read_error, read_stand_in};
use self::redirect::RedirectChain;
use self::request::{Plain, Sending};
use self::sign::Question;
use crate::config::{HttpUrl, Monitor, Target};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};
use crate::domain::check::verdict::should_retry;
use crate::domain::report::verification::SigningKey;
use crate::domain::{Failure, ProbeSkipped};

/// Longest body of a `/health` that is read, in bytes.
pub const MAX_BODY: usize = MAX_HEALTH_BODY;

/// How long a probe that failed waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// The least time that is worth another try.
const LEAST_TRY: Duration = Duration::from_millis(100);

/// What all probes of one tick share.
#[derive(Clone, Debug)]
pub struct RequestBudget {
    /// Requests that may still be made; redirects take from it as well.
    requests: Rc<Cell<u32>>,
    /// Whether private addresses may be asked.
    private: bool,
    /// What the monitors that have a secret are asked with.
    keys: Rc<Keys>,
    /// What the monitors that have headers send.
    sent: Rc<Sent>,
    plain: Rc<Plain>,
}

impl RequestBudget {
    /// `requests` in all, to private addresses only where `private`, with these keys and headers.
    pub fn new(requests: u32, private: bool, keys: Keys, sent: Sent) -> Self {
        RequestBudget {
            requests: Rc::new(Cell::new(requests)),
            private,
            keys: Rc::new(keys),
            sent: Rc::new(sent),
            plain: Rc::default(),
        }
    }

    /// Requests that may still be made.
    pub fn left(&self) -> u32 {
        self.requests.get()
    }

    /// Takes one of them.
    pub(crate) fn take(&self) -> Result<(), ProbeError> {
        let left = self.requests.get().checked_sub(1).ok_or(ProbeSkipped::Budget)?;
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

/// Asks `monitor`, again where that failed and it says so. Takes at most its timeout.
pub(crate) async fn probe(monitor: &Monitor, allowance: &RequestBudget) -> Result<ProbeResponse, ProbeError> {
    let began = wall_clock();
    let mut result = try_once(monitor, monitor.timeout, allowance).await;
    for _ in 0..monitor.retries {
        let left = monitor.timeout.saturating_sub(wall_clock().since(began)).saturating_sub(PAUSE);
        if left < LEAST_TRY || allowance.requests.get() == 0 || !should_retry(monitor, &result) {
            break;
        }
        Delay::from(PAUSE).await;
        result = try_once(monitor, left, allowance).await;
    }
    result
}

/// Asks `monitor` once, within `timeout`.
async fn try_once(
    monitor: &Monitor,
    timeout: Duration,
    allowance: &RequestBudget,
) -> Result<ProbeResponse, ProbeError> {
    let url = match &monitor.target {
        Target::Heapbeat { url, .. } => url,
        Target::Http(check) => &check.url,
        Target::Tcp(address) => {
            allowance.take()?;
            return tcp::ask(address, timeout, allowance.private).await;
        }
        // Nobody asks it; see `watch::beat`.
        Target::Heartbeat(_) => return Err(ProbeSkipped::Platform.into()),
    };
    let controller = AbortController::new().map_err(|_| ProbeSkipped::Platform)?;
    let signal = controller.signal();
    let stage = Cell::new(Stage::Header);
    let asking = std::pin::pin!(ask(monitor, url, allowance, &signal, &stage));
    let result = match select(asking, Delay::from(timeout)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => Err(match stage.get() {
            Stage::Header => Failure::Timeout.into(),
            Stage::Body => Failure::BodyTimeout.into(),
        }),
    };
    // Whatever is still on its way is of no use to anybody. Where nothing is, saying so costs as much as the request did.
    if !result
        .as_ref()
        .is_ok_and(|answer| matches!(answer.body, ResponseBody::Whole(_) | ResponseBody::Unread))
    {
        controller.abort();
    }
    result
}

async fn ask(
    monitor: &Monitor,
    url: &HttpUrl,
    allowance: &RequestBudget,
    signal: &AbortSignal,
    stage: &Cell<Stage>,
) -> Result<ProbeResponse, ProbeError> {
    let key = allowance.keys.iter().find(|(id, _)| *id == monitor.id);
    let key = key.map(|(_, key)| key.as_ref()).transpose().map_err(|blind| *blind)?;
    let began = wall_clock();
    let headers = match allowance.sent.get(&monitor.id) {
        Some(headers) => headers.as_deref().map_err(|blind| *blind)?,
        None => &[],
    };
    let mut sending = Sending::new(monitor, headers);
    let mut trail = RedirectChain::begin(url.as_str(), key, allowance.private)?;
    let (response, question) = loop {
        allowance.take()?;
        let signing = key.filter(|_| trail.same_host());
        let question = signing.map(|key| Question::new(key, trail.current().target())).transpose()?;
        let response = send(&trail, &sending, question.as_ref(), signal, allowance).await?;
        if !sending.follows || !redirect::is_redirect(response.status()) {
            break (response, question);
        }
        match response.headers().get("location").ok().flatten() {
            Some(location) => {
                sending.redirected(response.status());
                trail.follow(&location)?;
            }
            None => break (response, question),
        }
    };
    let latency = wall_clock().since(began);
    stage.set(Stage::Body);
    let status = response.status();
    let wanted = monitor.reads_body() || platform::may_stand_in(status);
    // Nobody signs who was not asked to.
    let signature = question.as_ref().and_then(|_| response.headers().get(signing::HEADER).ok().flatten());
    let limit = match &monitor.target {
        Target::Http(check) => check.max_body,
        _ if signature.is_some() => MAX_REPORT,
        _ => MAX_BODY,
    };
    let body = if wanted { body::read(&response, limit).await? } else { body::leave(&response) };
    if let ResponseBody::Whole(bytes) = &body
        && let Some(failure) = read_stand_in(status, bytes)
    {
        return Err(failure.into());
    }
    believe(ProbeResponse { status, latency, body, report: None }, key, question, signature.as_deref())
}

/// An answer to a question that was signed is believed by its signature; where none was (it was led to another host),
/// an answer is nobody's for a monitor that needs one.
fn believe(
    answer: ProbeResponse,
    key: Option<&SigningKey>,
    question: Option<Question>,
    signature: Option<&str>,
) -> Result<ProbeResponse, ProbeError> {
    match (key, question) {
        (Some(key), Some(question)) => question.open(answer, signature, key),
        (Some(key), None) if key.required => Err(Failure::Unsigned.into()),
        _ => Ok(answer),
    }
}

/// Sends one request; redirects come back as they are.
async fn send(
    trail: &RedirectChain,
    sending: &Sending<'_>,
    question: Option<&Question>,
    signal: &AbortSignal,
    allowance: &RequestBudget,
) -> Result<Response, ProbeError> {
    let request =
        sending.request(trail.at_home(), question, &allowance.plain).map_err(|_| ProbeSkipped::Platform)?;
    let url = &trail.current().href;
    let thrown = match request.send(url, signal).await {
        Ok(response) => return Ok(response),
        Err(thrown) => thrown,
    };
    let said = read_error(&body::said(&thrown));
    // Where Cloudflare makes the connections, the text says what it means.
    if matches!(said, Said::Reason(_)) || !allowance.private || allowance.take().is_err() {
        return Err(conclude(said, Look::NotTaken, Address::default()));
    }
    let (address, look) = tcp_fallback::look(url).await;
    Err(conclude(said, look, address))
}

/// The time that a tick has for starting probes; those that are not started by then wait for the next tick,
/// so that many slow targets cannot hold up the tick of all others.
pub const STARTING_TIME: Duration = Duration::from_secs(25);

/// The instant after which a tick that began at `began` starts no more probes.
pub(crate) fn deadline(began: UnixMillis) -> UnixMillis {
    began.plus(STARTING_TIME)
}
