//! Probes: one request to a monitor's target, and the reason of everything that can go wrong with it.
//!
//! A probe always ends within the monitor's timeout, with a response or a reason, whatever the target does: redirects are
//! followed and counted here, a body is read up to its limit and then canceled, and an error of the platform's `fetch` is a
//! reason like any other.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use heapbeat_monitors::condition::ObservedHeaders;
use heapbeat_shared::health::MAX_HEALTH_BODY;
use heapbeat_shared::report::MAX_REPORT;
use heapbeat_shared::signing;
use web_sys::{AbortSignal, Response};
use worker::Delay;

mod body;
mod cloudflare_name;
mod context;
mod dns;
mod fetch_error;
mod rdap;
mod redirect_chain;
mod references;
mod request;
mod signed_request;
mod tcp;

pub(crate) use self::context::{MonitorHeaders, ProbeContext, ProbeHeader, SigningKeys};
pub(crate) use self::references::check_references;

use self::fetch_error::{
    TcpCheck, classify_error, explain_error, is_gateway_status, read_error_code, read_gateway_error,
};
use self::redirect_chain::{RedirectChain, is_redirect};
use self::request::ProbeRequest;
use self::signed_request::SignedRequest;
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ProbeResult, ResponseBody};
use crate::domain::check::own_zone::read_own_zone;
use crate::domain::check::probe_schedule::AttemptOutcome;
use crate::domain::check::request_plan::{RequestAllowance, RequestPurpose};
use crate::domain::check::verdict::should_retry;
use crate::domain::engine::{PlannedProbe, ProbeAttempt};
use crate::domain::report::verification::SigningKey;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::{HttpUrl, Monitor, Target};
use crate::platform::body::cancel_body;
use crate::platform::clock::wall_clock;
use crate::platform::concurrency::for_each_concurrent;
use crate::platform::deadline::run_within;

/// How long probes may be started after a tick began. Monitors that are not started by then wait for the next tick, so that many
/// slow targets cannot delay all others.
const START_WINDOW: Duration = Duration::from_secs(25);

/// The pause before a failed probe is retried.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The shortest timeout with which a retry is worthwhile.
const MIN_RETRY_TIMEOUT: Duration = Duration::from_millis(100);

/// The phase in which a request is, which decides the kind of its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    AwaitingHeaders,
    ReadingBody,
}

/// Probes monitors in this order, six at a time. Each uses the requests that are kept for it, and then those that are left for all.
pub(crate) async fn probe_all(planned: Vec<PlannedProbe<'_>>, context: &ProbeContext) -> Vec<ProbeAttempt> {
    let deadline = wall_clock().plus(START_WINDOW);
    let attempts = RefCell::new(Vec::new());
    let made = &attempts;
    for_each_concurrent(planned, |probe| async move {
        // Dropped at the end, it leaves for all what was not sent.
        let allowance = context.pool.allow(probe.requests);
        let attempt = if wall_clock() > deadline {
            ProbeAttempt::not_started(probe.monitor.id.clone(), AttemptOutcome::NoTime)
        } else {
            probe_monitor(&probe, context, &allowance).await
        };
        made.borrow_mut().push(attempt);
    })
    .await;
    attempts.into_inner()
}

/// Probes a monitor, and retries a failed probe as often as the monitor says. Takes at most the monitor's timeout.
async fn probe_monitor(
    probe: &PlannedProbe<'_>,
    context: &ProbeContext,
    allowance: &RequestAllowance<'_>,
) -> ProbeAttempt {
    let (monitor, began) = (probe.monitor, wall_clock());
    let attempt_once = |timeout, purpose| {
        let before = allowance.sent();
        async move {
            let result = probe_once(monitor, timeout, context, allowance, purpose).await;
            (result, allowance.sent() - before)
        }
    };
    let (mut result, mut requests) = attempt_once(monitor.timeout, RequestPurpose::Probe).await;
    let mut is_retry_owed = false;
    for retry in 0..monitor.retries {
        let left = monitor.timeout.saturating_sub(wall_clock().since(began)).saturating_sub(RETRY_PAUSE);
        if left < MIN_RETRY_TIMEOUT || !should_retry(monitor, &result) {
            break;
        }
        is_retry_owed = retry == 0 && probe.may_owe_retry;
        if !allowance.has_room(RequestPurpose::Extra) {
            break;
        }
        Delay::from(RETRY_PAUSE).await;
        let (retried, sent) = attempt_once(left, RequestPurpose::Extra).await;
        if retried == Err(ProbeSkipped::Budget.into()) {
            break;
        }
        (result, requests, is_retry_owed) = (retried, sent, false);
    }
    let outcome = match &result {
        Err(ProbeError::Skipped(ProbeSkipped::Budget)) => AttemptOutcome::OutOfRequests,
        _ if is_retry_owed => AttemptOutcome::RetryOwed,
        Ok(_) => AttemptOutcome::Responded(requests),
        Err(_) => AttemptOutcome::Failed,
    };
    if let Ok(response) = &mut result {
        response.domain = rdap::update_domain(monitor, context).await;
        response.domain_left_ms = response.domain.as_ref().and_then(|record| record.time_left(wall_clock()));
    }
    let result = ProbeResult { monitor: monitor.id.clone(), received: wall_clock(), result };
    ProbeAttempt {
        monitor: monitor.id.clone(),
        outcome,
        result: (outcome != AttemptOutcome::OutOfRequests).then_some(result),
    }
}

/// Probes a monitor once, within `timeout`. `purpose` is that of the first request.
async fn probe_once(
    monitor: &Monitor,
    timeout: Duration,
    context: &ProbeContext,
    allowance: &RequestAllowance<'_>,
    purpose: RequestPurpose,
) -> Result<ProbeResponse, ProbeError> {
    let url = match &monitor.target {
        Target::Heapbeat { url, .. } => url,
        Target::Http(check) => &check.url,
        Target::Tcp(address) => {
            spend(allowance, purpose)?;
            return tcp::probe_tcp(address, timeout, context.allow_private, allowance).await;
        }
        Target::Dns(query) => {
            spend(allowance, purpose)?;
            return dns::probe_dns(query, timeout, context.allow_private).await;
        }
        // Jobs report by themselves (`hub/heartbeat_state.rs`).
        Target::Heartbeat(_) => return Err(ProbeSkipped::Platform.into()),
    };
    let phase = Cell::new(Phase::AwaitingHeaders);
    let requests = Requests { allowance, purpose };
    let is_complete = |result: &Result<ProbeResponse, ProbeError>| {
        result
            .as_ref()
            .is_ok_and(|answer| matches!(answer.body, ResponseBody::Whole(_) | ResponseBody::Unread))
    };
    let request =
        async |signal: &AbortSignal| request_target(monitor, url, context, &requests, signal, &phase).await;
    let result = run_within(timeout, is_complete, request).await.map_err(|_| ProbeSkipped::Platform)?;
    result.unwrap_or_else(|| {
        Err(match phase.get() {
            Phase::AwaitingHeaders => Failure::Timeout.into(),
            Phase::ReadingBody => Failure::BodyTimeout.into(),
        })
    })
}

/// The requests that a probe may send, and the purpose of the first one.
struct Requests<'a> {
    allowance: &'a RequestAllowance<'a>,
    purpose: RequestPurpose,
}

fn spend(allowance: &RequestAllowance<'_>, purpose: RequestPurpose) -> Result<(), ProbeSkipped> {
    if allowance.spend(purpose) { Ok(()) } else { Err(ProbeSkipped::Budget) }
}

/// Requests a target, follows its redirects, and verifies its response.
async fn request_target(
    monitor: &Monitor,
    url: &HttpUrl,
    context: &ProbeContext,
    requests: &Requests<'_>,
    signal: &AbortSignal,
    phase: &Cell<Phase>,
) -> Result<ProbeResponse, ProbeError> {
    let key = context.signing_key(&monitor.id)?;
    let began = wall_clock();
    let mut request = ProbeRequest::new(monitor, context.headers_of(&monitor.id)?);
    let mut chain = RedirectChain::start(url.as_str(), key, context.allow_private)?;
    let mut purpose = requests.purpose;
    let (response, signed) = loop {
        spend(requests.allowance, purpose)?;
        purpose = RequestPurpose::Probe;
        // Nothing that is signed follows a redirect: a watched host could have any path signed.
        let signing_key = key.filter(|_| chain.is_at_first());
        let signed = signing_key.map(|key| SignedRequest::sign_get(key, chain.current())).transpose()?;
        let response =
            send_request(&chain, &request, signed.as_ref(), signal, (context, requests.allowance)).await?;
        if !request.follows_redirects || !is_redirect(response.status()) {
            break (response, signed);
        }
        match response.headers().get("location").ok().flatten() {
            Some(location) => {
                request.apply_redirect(response.status());
                chain.follow_redirect(&location)?;
                if !chain.is_at_first_origin() {
                    request.leave_origin();
                }
            }
            None => break (response, signed),
        }
    };
    let latency = wall_clock().since(began);
    phase.set(Phase::ReadingBody);
    let status = response.status();
    // Only the response to a signed request is signed.
    let signature = signed.as_ref().and_then(|_| response.headers().get(signing::HEADER).ok().flatten());
    let limit = match &monitor.target {
        Target::Http(check) => check.max_body,
        _ if signature.is_some() => MAX_REPORT,
        _ => MAX_HEALTH_BODY,
    };
    let by_cloudflare = is_by_cloudflare(&response);
    let body = if monitor.reads_body() || is_gateway_status(status) || (by_cloudflare && status == 404) {
        body::read_decoded(&response, limit, matches!(monitor.target, Target::Http(_))).await?
    } else {
        cancel_body(&response);
        ResponseBody::Unread
    };
    if let ResponseBody::Whole(bytes) = &body
        && let Some(code) = read_error_code(bytes)
    {
        if let Some(reason) = read_own_zone(status, code, by_cloudflare, latency) {
            return Err(reason.into());
        }
        if let Some(failure) = read_gateway_error(status, code) {
            return Err(failure.into());
        }
    }
    let headers = read_headers(&response, monitor);
    let answer = ProbeResponse { headers, ..ProbeResponse::new(status, latency, body) };
    verify_answer(answer, key, signed, signature.as_deref())
}

/// Whether Cloudflare made the response, or passed it on.
fn is_by_cloudflare(response: &Response) -> bool {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    header("server").is_some_and(|server| server.eq_ignore_ascii_case("cloudflare"))
        && header("cf-ray").is_some()
}

/// Reads the headers that the monitor's conditions ask for.
fn read_headers(response: &Response, monitor: &Monitor) -> ObservedHeaders {
    let mut observed = ObservedHeaders::new(wall_clock());
    for name in monitor.observed_headers() {
        if let Some(value) = response.headers().get(name).ok().flatten() {
            observed.insert(name, &value);
        }
    }
    observed
}

/// Verifies the signature of the response to a signed request. If the request was redirected, and therefore not
/// signed, a monitor that requires signatures accepts no response.
fn verify_answer(
    answer: ProbeResponse,
    key: Option<&SigningKey>,
    signed: Option<SignedRequest>,
    signature: Option<&str>,
) -> Result<ProbeResponse, ProbeError> {
    match (key, signed) {
        (Some(key), Some(signed)) => signed.verify_answer(answer, signature, key),
        (Some(key), None) if key.required => Err(Failure::Unsigned.into()),
        _ => Ok(answer),
    }
}

/// Sends one request. A redirect is returned as it is.
async fn send_request(
    chain: &RedirectChain,
    request: &ProbeRequest<'_>,
    signed: Option<&SignedRequest>,
    signal: &AbortSignal,
    (context, allowance): (&ProbeContext, &RequestAllowance<'_>),
) -> Result<Response, ProbeError> {
    let request = request.build(signed, &context.shared_requests);
    let url = &chain.current().href;
    let error = match request.map_err(|_| ProbeSkipped::Platform)?.send(url, signal).await {
        Ok(response) => return Ok(response),
        Err(error) => classify_error(&error.to_string()),
    };
    // Where Cloudflare makes the connections, the text is unambiguous, and so is a known error anywhere.
    if error.is_known() || !context.allow_private || !allowance.spend(RequestPurpose::Extra) {
        return Err(explain_error(error, TcpCheck::Skipped));
    }
    Err(explain_error(error, tcp::check_target(url).await))
}
