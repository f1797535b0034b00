//! The signed variant of `GET /health`: the report for the owner.
//!
//! A signature is verified first; a wrong one costs a hash and gets 401. Building a report takes milliseconds and some memory, so it
//! is done on a blocking thread, for one request at a time, and the nonces limit how often.

use std::sync::Arc;

use bytes::Bytes;
use heapbeat_shared::Cursor;
use heapbeat_shared::report::CHECK_MEMORY_USER_AGENT;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::Semaphore;

use super::access::{Signer, has_token, is_served, may_read, signed_response, unauthorized};
use super::admission::{Admission, RequestHead, RequestVerifier};
use super::health;
use super::health::Endpoint;
use super::metrics_cache::MetricsCache;
use super::problem::{not_allowed, problem};
use super::program::{Downtime, ProgramContext};
use crate::clock::{Clock, Now};
use crate::config::MetricsConfig;
use crate::edge_liveness::EdgeLiveness;
use crate::overload::shed::Gate;
use crate::state::State;
use crate::telemetry::Telemetry;

/// Responds to requests for heapbeat's endpoints: public ones, and signed ones of the owner.
#[derive(Debug)]
pub(crate) struct ReportHandler {
    state: Arc<State>,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    verifier: Arc<RequestVerifier>,
    report_lock: Arc<Semaphore>,
    metrics: MetricsConfig,
    pub(super) metrics_cache: MetricsCache,
    pub(super) gate: Arc<Gate>,
    pub(super) edge: Arc<EdgeLiveness>,
    /// What is known of the guarded program, if this is the handler of one of its instances.
    pub(super) program: Option<Arc<ProgramContext>>,
}

impl ReportHandler {
    pub(crate) fn new(
        state: Arc<State>,
        telemetry: Arc<Telemetry>,
        clock: Clock,
        verifier: Arc<RequestVerifier>,
        metrics: MetricsConfig,
        gate: Arc<Gate>,
        edge: Arc<EdgeLiveness>,
    ) -> Self {
        ReportHandler {
            state,
            telemetry,
            clock,
            verifier,
            report_lock: Arc::new(Semaphore::new(1)),
            metrics,
            metrics_cache: MetricsCache::default(),
            gate,
            edge,
            program: None,
        }
    }

    /// Makes this the handler of an instance of a guarded program.
    pub(crate) fn of_program(self, program: Arc<ProgramContext>) -> Self {
        ReportHandler { program: Some(program), ..self }
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
        is_served(endpoint, &self.metrics, self.verifier.has_secret(), self.program.is_some())
    }

    /// Responds to a request for an endpoint; only the head of the request is read.
    pub(crate) fn respond(
        self: &Arc<Self>,
        endpoint: Endpoint,
        request: RequestHead<'_>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + use<> {
        // Most requests are unsigned and get prepared bytes; not even the clock is read for them.
        let admission = match endpoint {
            Endpoint::Live => Admission::Public,
            _ if !request.is_signed() => Admission::Public,
            _ => self.verifier.admit(request, self.clock.now()),
        };
        if endpoint == Endpoint::Health
            && matches!(admission, Admission::Owner { .. })
            && !is_person(request.headers)
        {
            self.edge.record_visit(self.clock.now());
        }
        let (handler, method) = (Arc::clone(self), request.method.clone());
        let (query, headers) = match endpoint {
            Endpoint::Metrics | Endpoint::Heap | Endpoint::Exits => {
                (request.uri.query().map(str::to_owned), request.headers.clone())
            }
            _ => (None, HeaderMap::new()),
        };
        async move {
            match (endpoint, admission) {
                (_, Admission::Refused(refusal)) => handler.verifier.refuse(&refusal, handler.clock.now()),
                (Endpoint::Metrics | Endpoint::Heap | Endpoint::Exits, Admission::Public) => {
                    match not_allowed(&method) {
                        Some(refusal) => refusal,
                        None if endpoint == Endpoint::Metrics && may_read(&handler.metrics, &headers) => {
                            handler.metrics(headers, None).await
                        }
                        None if endpoint == Endpoint::Exits && has_token(&handler.metrics, &headers) => {
                            handler.exits(None)
                        }
                        None => unauthorized(endpoint),
                    }
                }
                (_, Admission::Public) => match handler.down().filter(|_| endpoint != Endpoint::Live) {
                    Some(down) => not_allowed(&method).unwrap_or_else(|| down.response()),
                    None => health::respond(endpoint, &method, &handler.state).await,
                },
                (_, Admission::Owner { secret, nonce, after }) => {
                    let signer = (&handler.verifier.secret(secret).clone(), nonce);
                    match endpoint {
                        Endpoint::Health | Endpoint::Live => handler.report(signer, after).await,
                        Endpoint::Ready => handler.readiness(signer).await,
                        Endpoint::Metrics => handler.metrics(headers, Some(signer)).await,
                        Endpoint::Heap => handler.heap(query.as_deref(), signer).await,
                        Endpoint::Exits => handler.exits(Some(signer)),
                    }
                }
            }
        }
    }

    async fn report(&self, signer: Signer<'_>, after: Option<Cursor>) -> Response<Full<Bytes>> {
        // The semaphore is never closed.
        let report_lock = Arc::clone(&self.report_lock).acquire_owned().await;
        let (state, telemetry) = (Arc::clone(&self.state), Arc::clone(&self.telemetry));
        let program = self.program.clone();
        let made = tokio::task::spawn_blocking(move || {
            // The lock is held until the report is built, even if the client disconnects.
            let _report_lock = report_lock;
            let mut report = telemetry.report(&state, after);
            if let Some(program) = program {
                report.traffic = program.traffic();
                report.functions = program.functions();
                report.instances = program.several_instances();
                // Routes are measured by the allocator, which is not in the program.
                report.routes.clear();
            }
            report.to_json()
        });
        let Ok(body) = made.await else {
            return problem(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be built");
        };
        let mut response = signed_response(StatusCode::OK, "application/json", body.into(), Some(signer));
        if let Some(down) = self.down() {
            down.mark(&mut response);
        } else if self.program.is_some()
            && !self.state.dependencies().check_all().await.iter().all(|it| it.ok)
        {
            // The program's own health check fails.
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(health::RETRY_SECONDS));
        }
        response
    }

    /// Returns why a guarded program does not serve.
    pub(super) fn down(&self) -> Option<Arc<Downtime>> {
        self.program.as_ref()?.down()
    }
}

/// Whether the request comes from `heapbeat check-memory`, which does not count as a visit of the edge.
fn is_person(headers: &HeaderMap) -> bool {
    headers
        .get(USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(CHECK_MEMORY_USER_AGENT.as_bytes()))
}

#[cfg(test)]
mod tests;
