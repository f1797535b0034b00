//! The signed variant of `GET /health`: the report for the owner.
//!
//! A signature is verified first; a wrong one costs a hash and gets 401. Building a report takes milliseconds and some memory, so it
//! is done on a blocking thread, for one request at a time, and the nonces limit how often: [`MAX_NONCES`] in two minutes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use heapbeat_shared::Cursor;
use heapbeat_shared::cursor::CursorError;
use heapbeat_shared::report::CHECK_MEMORY_USER_AGENT;
use heapbeat_shared::signing::{
    HEADER, Nonce, NonceCache, NonceError, Secret, SignatureError, verify_request,
};
use http::header::{RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::access::{Signer, is_served, may_read, signed_response, unauthorized};
use super::health;
use super::health::Endpoint;
use super::metrics_cache::MetricsCache;
use super::problem::{not_allowed, problem};
use crate::clock::{Clock, Now};
use crate::config::{MetricsConfig, Secrets};
use crate::edge_liveness::EdgeLiveness;
use crate::overload::shed::Gate;
use crate::state::State;
use crate::telemetry::Telemetry;

/// Number of nonces that are kept, and so of signed requests within two minutes: eight a second.
const MAX_NONCES: usize = 1024;

/// Minimum seconds between two warnings about refused requests.
const WARNING_INTERVAL: u64 = 60;

/// Responds to requests for heapbeat's endpoints: public ones, and signed ones of the owner.
#[derive(Debug)]
pub(crate) struct ReportHandler {
    state: Arc<State>,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    /// Secrets in the order in which they are tried.
    secrets: Vec<Secret>,
    nonces: Mutex<NonceCache>,
    report_lock: Arc<Semaphore>,
    metrics: MetricsConfig,
    pub(super) metrics_cache: MetricsCache,
    pub(super) gate: Arc<Gate>,
    pub(super) edge: Arc<EdgeLiveness>,
    /// Age of the process, in seconds, from which a refusal is logged again.
    next_warning: AtomicU64,
}

/// What a request is admitted to.
#[derive(Debug, PartialEq)]
enum Admission {
    /// The public response.
    Public,
    /// The report after a cursor; the request is signed with one of the secrets.
    Owner { secret: usize, nonce: Nonce, after: Option<Cursor> },
    /// An error response.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, PartialEq, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

impl ReportHandler {
    pub(crate) fn new(
        state: Arc<State>,
        telemetry: Arc<Telemetry>,
        clock: Clock,
        secrets: Secrets,
        metrics: MetricsConfig,
        gate: Arc<Gate>,
        edge: Arc<EdgeLiveness>,
    ) -> Self {
        ReportHandler {
            state,
            telemetry,
            clock,
            secrets: secrets.current.into_iter().chain(secrets.previous).collect(),
            nonces: Mutex::new(NonceCache::new(MAX_NONCES)),
            report_lock: Arc::new(Semaphore::new(1)),
            metrics,
            metrics_cache: MetricsCache::default(),
            gate,
            edge,
            next_warning: AtomicU64::new(0),
        }
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub(crate) fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Returns the endpoint at `path`, if it is served.
    pub(crate) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        Endpoint::at(path).filter(|endpoint| self.is_served(*endpoint))
    }

    /// Whether the endpoint is served.
    pub(crate) fn is_served(&self, endpoint: Endpoint) -> bool {
        is_served(endpoint, &self.metrics, !self.secrets.is_empty())
    }

    /// Responds to a request for an endpoint; only the head of the request is read.
    pub(crate) fn respond<B>(
        self: &Arc<Self>,
        endpoint: Endpoint,
        request: &Request<B>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + use<B> {
        // Most requests are unsigned and get prepared bytes; not even the clock is read for them.
        let admission = match endpoint {
            Endpoint::Live => Admission::Public,
            _ if !request.headers().contains_key(HEADER) => Admission::Public,
            _ => self.admit(request.method(), request.uri(), request.headers(), self.clock.now()),
        };
        if endpoint == Endpoint::Health
            && matches!(admission, Admission::Owner { .. })
            && !is_person(request.headers())
        {
            self.edge.record_visit(self.clock.now());
        }
        let (handler, method) = (Arc::clone(self), request.method().clone());
        let (query, headers) = match endpoint {
            Endpoint::Metrics | Endpoint::Heap => {
                (request.uri().query().map(str::to_owned), request.headers().clone())
            }
            _ => (None, HeaderMap::new()),
        };
        async move {
            match (endpoint, admission) {
                (_, Admission::Refused(refusal)) => handler.refuse(&refusal, handler.clock.now()),
                (Endpoint::Metrics | Endpoint::Heap, Admission::Public) => match not_allowed(&method) {
                    Some(refusal) => refusal,
                    None if endpoint == Endpoint::Metrics && may_read(&handler.metrics, &headers) => {
                        handler.metrics(headers, None).await
                    }
                    None => unauthorized(endpoint),
                },
                (_, Admission::Public) => health::respond(endpoint, &method, &handler.state).await,
                (_, Admission::Owner { secret, nonce, after }) => {
                    let signer = (&handler.secrets[secret].clone(), nonce);
                    match endpoint {
                        Endpoint::Health | Endpoint::Live => handler.report(signer, after).await,
                        Endpoint::Ready => handler.readiness(signer).await,
                        Endpoint::Metrics => handler.metrics(headers, Some(signer)).await,
                        Endpoint::Heap => handler.heap(query.as_deref(), signer).await,
                    }
                }
            }
        }
    }

    /// Verifies the signature of a request. Without a secret, all requests are public.
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap, now: Now) -> Admission {
        if self.secrets.is_empty() || !(method == Method::GET || method == Method::HEAD) {
            return Admission::Public;
        }
        let mut signatures = headers.get_all(HEADER).iter();
        let signature = match (signatures.next(), signatures.next()) {
            (None, _) => return Admission::Public,
            (Some(one), None) => one.to_str().unwrap_or_default(),
            // Several signatures are refused, as the log could not tell which one was verified.
            (Some(_), Some(_)) => "",
        };
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let verified = {
            let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
            verify_request(&self.secrets, &mut nonces, (method.as_str(), target), Some(signature), now.wall)
        };
        match verified {
            Err(error) => Admission::Refused(error.into()),
            Ok((secret, nonce)) => match parse_cursor(uri.query()) {
                Ok(after) => Admission::Owner { secret, nonce, after },
                Err(error) => Admission::Refused(error.into()),
            },
        }
    }

    async fn report(&self, signer: Signer<'_>, after: Option<Cursor>) -> Response<Full<Bytes>> {
        // The semaphore is never closed.
        let report_lock = Arc::clone(&self.report_lock).acquire_owned().await;
        let (state, telemetry) = (Arc::clone(&self.state), Arc::clone(&self.telemetry));
        let made = tokio::task::spawn_blocking(move || {
            // The lock is held until the report is built, even if the client disconnects.
            let _report_lock = report_lock;
            telemetry.report(&state, after).to_json()
        });
        match made.await {
            Ok(body) => signed_response(StatusCode::OK, "application/json", body.into(), Some(signer)),
            Err(_panicked) => {
                error_response(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be built")
            }
        }
    }

    /// Creates the response to a refused request. The reason is only logged, so that a client cannot learn from it.
    fn refuse(&self, refusal: &Refusal, now: Now) -> Response<Full<Bytes>> {
        let due = self.next_warning.load(Ordering::Relaxed);
        if now.age.as_secs() >= due {
            self.next_warning.store(now.age.as_secs() + WARNING_INTERVAL, Ordering::Relaxed);
            tracing::warn!("rejected a request for the report: {refusal}");
        }
        match refusal {
            Refusal::Signature(SignatureError::Nonce(error @ NonceError::Full)) => {
                let mut response = error_response(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
                response
            }
            Refusal::Signature(_) => {
                let mut response = error_response(
                    StatusCode::UNAUTHORIZED,
                    "the signature is not valid for this request, host and time",
                );
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(HEADER));
                response
            }
            Refusal::Cursor(error) => error_response(StatusCode::BAD_REQUEST, &format!("after: {error}")),
        }
    }
}

/// Parses `?after=<cursor>`; other parameters are ignored.
fn parse_cursor(query: Option<&str>) -> Result<Option<Cursor>, CursorError> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "after").map(|(_, text)| text.parse()).transpose()
}

/// Whether the request comes from `heapbeat check-memory`, which does not count as a visit of the edge.
fn is_person(headers: &HeaderMap) -> bool {
    headers
        .get(USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(CHECK_MEMORY_USER_AGENT.as_bytes()))
}

fn error_response(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    problem(status, detail)
}

#[cfg(test)]
mod tests;
