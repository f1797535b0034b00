//! Endpoints for operators: `/metrics`, `/debug/heap`, and the failing dependencies on a signed `/health/ready`.
//!
//! None is public unless configured so, because figures of memory and routes show an attacker what an attack achieves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use heapbeat_shared::Pressure;
use heapbeat_shared::openmetrics::Format;
use http::header::{ACCEPT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::access::{Signer, signed_response};
use super::health::RETRY_SECONDS;
use super::problem::problem;
use super::report::ReportHandler;
use crate::dependency::DependencyStatus;
use crate::profile::{HeapProfiler, ProfileError, ProfileRequest};

/// How often a request that waits for a profile checks whether the process is stopping.
const DRAIN_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The body of a signed `/health/ready`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    status: heapbeat_shared::Status,
    dependencies: Vec<DependencyStatus>,
}

impl ReportHandler {
    /// Responds to an authorized request for `/metrics`.
    pub(super) async fn metrics(
        self: Arc<Self>,
        headers: HeaderMap,
        signer: Option<Signer<'_>>,
    ) -> Response<Full<Bytes>> {
        let format = Format::negotiate(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
        let handler = Arc::clone(&self);
        let Ok(body) = spawn_blocking(move || handler.render_metrics(format)).await else {
            return problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be rendered");
        };
        signed_response(StatusCode::OK, format.content_type(), body, signer)
    }

    fn render_metrics(&self, format: Format) -> Bytes {
        self.metrics_cache.get_or_render(format, || {
            let visits = self.edge.visits(self.now());
            let refused = match &self.program {
                Some(program) => program.traffic().map(|traffic| traffic.shed),
                None => Some(self.gate.refused()),
            };
            self.telemetry().metrics(self.state(), refused, visits, format, |to| {
                if let Some(program) = &self.program {
                    program.write_metrics(to);
                }
            })
        })
    }

    /// Responds to a signed request for `/debug/heap`.
    pub(super) async fn heap(&self, query: Option<&str>, signer: Signer<'_>) -> Response<Full<Bytes>> {
        if let Some(program) = &self.program {
            let made = match ProfileRequest::parse(query) {
                Ok(request) => program.profiles().request(request.seconds()).await,
                Err(error) => Err(error),
            };
            return match made {
                Ok(profile) => {
                    signed_response(StatusCode::OK, "application/octet-stream", profile.into(), Some(signer))
                }
                Err(error) => no_profile(error),
            };
        }
        let memory_is_short = || self.state().pressure() >= Pressure::Purge;
        let profiler = match ProfileRequest::parse(query).and_then(HeapProfiler::open) {
            Ok(_) if memory_is_short() => return no_profile(ProfileError::Short),
            Ok(profiler) => profiler,
            Err(error) => return no_profile(error),
        };
        let (begun, window) = (Instant::now(), profiler.window());
        while begun.elapsed() < window && !self.state().draining() {
            sleep(DRAIN_CHECK_INTERVAL.min(window.saturating_sub(begun.elapsed()))).await;
        }
        if memory_is_short() {
            return no_profile(ProfileError::Short);
        }
        let (now, waited) = (self.now().wall, begun.elapsed());
        let Ok(profile) = spawn_blocking(move || profiler.build_profile(now, waited)).await else {
            return problem(StatusCode::INTERNAL_SERVER_ERROR, "the profile could not be built");
        };
        signed_response(StatusCode::OK, "application/octet-stream", profile.into(), Some(signer))
    }

    /// Responds to an authorized request for `/exits`.
    pub(super) fn exits(&self, signer: Option<Signer<'_>>) -> Response<Full<Bytes>> {
        let body = self.program.as_ref().map(|program| program.exits()).unwrap_or_default();
        signed_response(StatusCode::OK, "application/json", body.into(), signer)
    }

    /// Responds to a signed request for `/health/ready`, with the status of each dependency.
    pub(super) async fn readiness(&self, signer: Signer<'_>) -> Response<Full<Bytes>> {
        let dependencies = self.state().dependencies().check_all().await;
        let ready =
            self.down().is_none() && self.state().ready() && dependencies.iter().all(|status| status.ok);
        let body = Readiness { ready, status: self.state().status(), dependencies };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut response = signed_response(status, "application/json", body.into(), Some(signer));
        if !ready {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        response
    }
}

fn no_profile(error: ProfileError) -> Response<Full<Bytes>> {
    let status = match error {
        ProfileError::Seconds => StatusCode::BAD_REQUEST,
        ProfileError::Off | ProfileError::Busy => StatusCode::CONFLICT,
        ProfileError::Short | ProfileError::Refused => StatusCode::SERVICE_UNAVAILABLE,
        ProfileError::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
        ProfileError::NoAgent | ProfileError::NotBuilt | ProfileError::NoSamples => {
            StatusCode::NOT_IMPLEMENTED
        }
    };
    problem(status, &error.to_string())
}
