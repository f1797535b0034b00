//! Endpoints for operators: `/metrics`, `/debug/heap`, and the failing dependencies on a signed `/health/ready`.
//!
//! None is public unless configured so, because figures of memory and routes show an attacker what an attack achieves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use heapbeat_shared::Pressure;
use heapbeat_shared::openmetrics::Format;
use heapbeat_shared::signing::{HEADER, Nonce, Secret};
use http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::health::{Endpoint, RETRY_SECONDS};
use super::problem::problem;
use super::report::ReportHandler;
use crate::config::{MetricsAccess, MetricsConfig};
use crate::dependency::DependencyStatus;
use crate::profile::{HeapProfiler, ProfileError, ProfileRequest};

/// Time for which rendered metrics are served again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How often a request that waits for a profile checks whether the process is stopping.
const DRAIN_CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The metrics that were rendered last.
#[derive(Debug, Default)]
pub(super) struct MetricsCache(Mutex<Option<(Instant, Format, Bytes)>>);

/// The body of a signed `/health/ready`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    status: heapbeat_shared::Status,
    dependencies: Vec<DependencyStatus>,
}

/// The secret that signed a request, and its nonce.
pub(super) type Signer<'a> = (&'a Secret, Nonce);

/// Whether the endpoint has any readers; otherwise its path belongs to the application.
pub(super) fn is_served(endpoint: Endpoint, metrics: &MetricsConfig, has_secret: bool) -> bool {
    match endpoint {
        Endpoint::Health | Endpoint::Live | Endpoint::Ready => true,
        Endpoint::Heap => has_secret,
        Endpoint::Metrics => match metrics.access {
            MetricsAccess::Off => false,
            MetricsAccess::Owner => has_secret || metrics.token.is_some(),
            MetricsAccess::Public => true,
        },
    }
}

/// Whether a request without a signature may read the metrics.
pub(super) fn may_read(metrics: &MetricsConfig, headers: &HeaderMap) -> bool {
    let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    match (metrics.access, &metrics.token) {
        (MetricsAccess::Public, _) => true,
        // Secrets are compared in constant time. A token that is too short is not a secret.
        (MetricsAccess::Owner, Some(token)) => {
            bearer().and_then(|given| Secret::new(given).ok()).is_some_and(|given| given == *token)
        }
        (MetricsAccess::Owner, None) | (MetricsAccess::Off, _) => false,
    }
}

impl ReportHandler {
    /// Responds to an authorized request for `/metrics`.
    pub(super) async fn metrics(
        self: Arc<Self>,
        headers: HeaderMap,
        signer: Option<Signer<'_>>,
    ) -> Response<Full<Bytes>> {
        let format = Format::wanted(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
        let handler = Arc::clone(&self);
        let Ok(body) = spawn_blocking(move || handler.metrics_text(format)).await else {
            return problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be rendered");
        };
        signed_response(StatusCode::OK, format.content_type(), body, signer)
    }

    fn metrics_text(&self, format: Format) -> Bytes {
        // Locked while the metrics are rendered: concurrent requests wait and get the same text.
        let mut last = self.metrics_text.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((at, written, body)) = &*last
            && *written == format
            && now.saturating_duration_since(*at) < FRESH_FOR
        {
            return body.clone();
        }
        let body =
            Bytes::from(self.telemetry().metrics(self.state(), self.gate.refused(), &self.edge, format));
        *last = Some((now, format, body.clone()));
        body
    }

    /// Responds to a signed request for `/debug/heap`.
    pub(super) async fn heap(&self, query: Option<&str>, signer: Signer<'_>) -> Response<Full<Bytes>> {
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

    /// Responds to a signed request for `/health/ready`, with the status of each dependency.
    pub(super) async fn readiness(&self, signer: Signer<'_>) -> Response<Full<Bytes>> {
        let dependencies = self.state().dependencies().check_all().await;
        let ready = self.state().ready() && dependencies.iter().all(|status| status.ok);
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

/// Creates a response that is not cached; it is signed if the request was.
pub(super) fn signed_response(
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    signer: Option<Signer>,
) -> Response<Full<Bytes>> {
    let signature =
        signer.and_then(|(secret, nonce)| HeaderValue::from_str(&secret.sign_response(nonce, &body)).ok());
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(signature) = signature {
        headers.insert(HEADER, signature);
    }
    response
}

/// Creates the response to an unsigned request, which names the required authentication and nothing else.
pub(super) fn unauthorized(endpoint: Endpoint) -> Response<Full<Bytes>> {
    let (scheme, detail) = match endpoint {
        Endpoint::Metrics => ("Bearer", "a token or a signature is required"),
        _ => (HEADER, "a signature is required"),
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, detail);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}

pub(super) fn not_allowed(method: &Method) -> Option<Response<Full<Bytes>>> {
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(response)
}

fn no_profile(error: ProfileError) -> Response<Full<Bytes>> {
    let status = match error {
        ProfileError::Seconds => StatusCode::BAD_REQUEST,
        ProfileError::Off | ProfileError::Busy => StatusCode::CONFLICT,
        ProfileError::Short => StatusCode::SERVICE_UNAVAILABLE,
        ProfileError::NotBuilt | ProfileError::NoSamples => StatusCode::NOT_IMPLEMENTED,
    };
    problem(status, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a token of sixteen";

    fn metrics(readers: MetricsAccess, token: bool) -> MetricsConfig {
        MetricsConfig { access: readers, token: token.then(|| Secret::new(TOKEN).unwrap()) }
    }

    #[test]
    fn a_path_without_readers_belongs_to_the_application() {
        // readers, whether there is a token, whether there is a secret; whether metrics are served
        let cases = [
            (MetricsAccess::Off, true, true, false),
            (MetricsAccess::Owner, false, false, false),
            (MetricsAccess::Owner, true, false, true),
            (MetricsAccess::Owner, false, true, true),
            (MetricsAccess::Public, false, false, true),
        ];
        for (readers, token, secret, served) in cases {
            let metrics = metrics(readers, token);
            assert_eq!(
                is_served(Endpoint::Metrics, &metrics, secret),
                served,
                "{readers:?} {token} {secret}"
            );
            assert_eq!(is_served(Endpoint::Heap, &metrics, secret), secret);
            assert!(is_served(Endpoint::Ready, &metrics, secret));
        }
    }

    #[test]
    fn unsigned_metrics_need_public_access_or_the_token() {
        let with =
            |text: &'static str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(text))]);
        let cases = [
            (MetricsAccess::Owner, true, with("Bearer a token of sixteen"), true),
            (MetricsAccess::Owner, true, with("Bearer a token of sixteem"), false),
            (MetricsAccess::Owner, true, with("Bearer a token of sixteen and more"), false),
            (MetricsAccess::Owner, true, with("Bearer "), false),
            (MetricsAccess::Owner, true, with("Basic a token of sixteen"), false),
            (MetricsAccess::Owner, true, HeaderMap::new(), false),
            (MetricsAccess::Owner, false, with("Bearer a token of sixteen"), false),
            (MetricsAccess::Off, true, with("Bearer a token of sixteen"), false),
            (MetricsAccess::Public, true, HeaderMap::new(), true),
        ];
        for (readers, token, headers, may) in cases {
            assert_eq!(may_read(&metrics(readers, token), &headers), may, "{readers:?} {token} {headers:?}");
        }
    }
}
