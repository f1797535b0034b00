//! The signed half of `GET /health`: the whole report, for the owner.
//!
//! A request with a signature is checked before anything is made for it; a wrong one costs a hash and gets 401. What is
//! made takes milliseconds and some memory, so it is made on a thread for such work, for one reader at a time, and the
//! book of nonces bounds how often: [`BOOK`] in two minutes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use heapbeat_shared::Cursor;
use heapbeat_shared::cursor::CursorError;
use heapbeat_shared::report::CHECK_MEMORY_USER_AGENT;
use heapbeat_shared::signing::{
    HEADER, Nonce, NonceBook, NonceError, Secret, SignatureError, verify_request,
};
use http::header::{RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::health;
use super::health::Endpoint;
use super::operator::{MetricsCache, Signer, answered, is_served, may_read, not_allowed, unauthorized};
use super::problem::problem;
use crate::clock::{Clock, Now};
use crate::config::{MetricsConfig, Secrets};
use crate::edge_watch::EdgeLiveness;
use crate::overload::shed::Gate;
use crate::state::State;
use crate::telemetry::Telemetry;

/// Nonces that are remembered, and so signed requests within two minutes: eight a second.
const BOOK: usize = 1024;

/// Least seconds between two warnings about refused requests.
const WARN_AGAIN: u64 = 60;

/// Answers `/health` to everybody, and the report to its owner.
#[derive(Debug)]
pub(crate) struct ReportHandler {
    state: Arc<State>,
    recorder: Arc<Telemetry>,
    clock: Clock,
    /// In the order in which they are tried.
    secrets: Vec<Secret>,
    book: Mutex<NonceBook>,
    turn: Arc<Semaphore>,
    metrics: MetricsConfig,
    pub(super) scraped: MetricsCache,
    pub(super) gate: Arc<Gate>,
    pub(super) watching: Arc<EdgeLiveness>,
    /// Age of the process, in seconds, from which a refusal is worth a warning.
    warn_from: AtomicU64,
}

/// What a request is entitled to.
#[derive(Debug, PartialEq)]
enum Admission {
    /// What everybody gets.
    Public,
    /// The report after a cursor, signed with one of the secrets.
    Owner { secret: usize, nonce: Nonce, after: Option<Cursor> },
    /// Nothing.
    Refused(Refusal),
}

/// Why not.
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
        recorder: Arc<Telemetry>,
        clock: Clock,
        secrets: Secrets,
        metrics: MetricsConfig,
        gate: Arc<Gate>,
        watching: Arc<EdgeLiveness>,
    ) -> Self {
        ReportHandler {
            state,
            recorder,
            clock,
            secrets: secrets.current.into_iter().chain(secrets.previous).collect(),
            book: Mutex::new(NonceBook::new(BOOK)),
            turn: Arc::new(Semaphore::new(1)),
            metrics,
            scraped: MetricsCache::default(),
            gate,
            watching,
            warn_from: AtomicU64::new(0),
        }
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub(crate) fn recorder(&self) -> &Arc<Telemetry> {
        &self.recorder
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// The endpoint at `path`, if there is one that anybody may read.
    pub(crate) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        Endpoint::at(path).filter(|endpoint| self.serves(*endpoint))
    }

    /// Whether anybody may read it.
    pub(crate) fn serves(&self, endpoint: Endpoint) -> bool {
        is_served(endpoint, &self.metrics, !self.secrets.is_empty())
    }

    /// The answer of one of the endpoints. Nothing of the request but its head is looked at.
    pub(crate) fn answer<B>(
        self: &Arc<Self>,
        endpoint: Endpoint,
        request: &Request<B>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + use<B> {
        // Most requests are strangers', who are asked nothing and told what is ready: not even the clock is read for them.
        let admission = match endpoint {
            Endpoint::Live => Admission::Public,
            _ if !request.headers().contains_key(HEADER) => Admission::Public,
            _ => self.admit(request.method(), request.uri(), request.headers(), self.clock.now()),
        };
        if endpoint == Endpoint::Health
            && matches!(admission, Admission::Owner { .. })
            && !is_person(request.headers())
        {
            self.watching.record_visit(self.clock.now());
        }
        let (desk, method) = (Arc::clone(self), request.method().clone());
        let (query, headers) = match endpoint {
            Endpoint::Metrics | Endpoint::Heap => {
                (request.uri().query().map(str::to_owned), request.headers().clone())
            }
            _ => (None, HeaderMap::new()),
        };
        async move {
            match (endpoint, admission) {
                (_, Admission::Refused(refusal)) => desk.refuse(&refusal, desk.clock.now()),
                (Endpoint::Metrics | Endpoint::Heap, Admission::Public) => match not_allowed(&method) {
                    Some(refusal) => refusal,
                    None if endpoint == Endpoint::Metrics && may_read(&desk.metrics, &headers) => {
                        desk.metrics(headers, None).await
                    }
                    None => unauthorized(endpoint),
                },
                (_, Admission::Public) => health::answer(endpoint, &method, &desk.state).await,
                (_, Admission::Owner { secret, nonce, after }) => {
                    let signer = (&desk.secrets[secret].clone(), nonce);
                    match endpoint {
                        Endpoint::Health | Endpoint::Live => desk.report(signer, after).await,
                        Endpoint::Ready => desk.readiness(signer).await,
                        Endpoint::Metrics => desk.metrics(headers, Some(signer)).await,
                        Endpoint::Heap => desk.heap(query.as_deref(), signer).await,
                    }
                }
            }
        }
    }

    /// Without a secret of its own nobody's signature means anything, so everybody gets the same.
    fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap, now: Now) -> Admission {
        if self.secrets.is_empty() || !(method == Method::GET || method == Method::HEAD) {
            return Admission::Public;
        }
        let mut signatures = headers.get_all(HEADER).iter();
        let signature = match (signatures.next(), signatures.next()) {
            (None, _) => return Admission::Public,
            (Some(one), None) => one.to_str().unwrap_or_default(),
            // Which of several was checked would be a guess of whoever reads the log.
            (Some(_), Some(_)) => "",
        };
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let verified = {
            let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            verify_request(&self.secrets, &mut book, (method.as_str(), target), Some(signature), now.wall)
        };
        match verified {
            Err(error) => Admission::Refused(error.into()),
            Ok((secret, nonce)) => match cursor(uri.query()) {
                Ok(after) => Admission::Owner { secret, nonce, after },
                Err(error) => Admission::Refused(error.into()),
            },
        }
    }

    async fn report(&self, signer: Signer<'_>, after: Option<Cursor>) -> Response<Full<Bytes>> {
        // Closed by nobody.
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let (state, recorder) = (Arc::clone(&self.state), Arc::clone(&self.recorder));
        let made = tokio::task::spawn_blocking(move || {
            // A client that has gone must not let the next one in before this work is done.
            let _turn = turn;
            recorder.report(&state, after).to_json()
        });
        match made.await {
            Ok(body) => answered(StatusCode::OK, "application/json", body.into(), Some(signer)),
            Err(_panicked) => refused(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be made"),
        }
    }

    /// A stranger is not told what was wrong; the owner reads it in the log.
    fn refuse(&self, refusal: &Refusal, now: Now) -> Response<Full<Bytes>> {
        let due = self.warn_from.load(Ordering::Relaxed);
        if now.age.as_secs() >= due {
            self.warn_from.store(now.age.as_secs() + WARN_AGAIN, Ordering::Relaxed);
            tracing::warn!("a request for the report was refused: {refusal}");
        }
        match refusal {
            Refusal::Signature(SignatureError::Nonce(NonceError::Full)) => {
                let mut response =
                    refused(StatusCode::TOO_MANY_REQUESTS, "too many signed requests within two minutes");
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
                response
            }
            Refusal::Signature(_) => {
                let mut response =
                    refused(StatusCode::UNAUTHORIZED, "the signature is not good here and now");
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(HEADER));
                response
            }
            Refusal::Cursor(error) => refused(StatusCode::BAD_REQUEST, &format!("after: {error}")),
        }
    }
}

/// `?after=<cursor>`; other parameters are nobody's.
fn cursor(query: Option<&str>) -> Result<Option<Cursor>, CursorError> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "after").map(|(_, text)| text.parse()).transpose()
}

/// Whether a person asks with `heapbeat check-memory`, and will stop asking.
fn is_person(headers: &HeaderMap) -> bool {
    headers
        .get(USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(CHECK_MEMORY_USER_AGENT.as_bytes()))
}

fn refused(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    problem(status, detail)
}

#[cfg(test)]
mod tests;
