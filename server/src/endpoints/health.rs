//! `GET /health`, `/health/live` and `/health/ready`, which are public.
//!
//! They do not pass through the application and are served from bytes that the sampler prepared: without route lookup, layers or
//! allocator statistics, whatever the pressure, the limits or the state of the handlers. Only `/health/ready` waits, for
//! dependencies whose last result is not fresh, and for no longer than their timeouts.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use super::problem::not_allowed;
use crate::state::State;

/// `Retry-After` of a readiness check that fails, in seconds.
pub(super) const RETRY_SECONDS: &str = "5";

/// An endpoint of heapbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/health`: 200 while the process can respond; with a signature, the report.
    Health,
    /// `/health/live`: 200 while the process can respond.
    Live,
    /// `/health/ready`: 503 if new requests should go elsewhere; with a signature, why.
    Ready,
    /// `/metrics`, with access as configured.
    Metrics,
    /// `/debug/heap`, with a signature.
    Heap,
    /// `/exits` of a guarded program, with a signature or the token of the metrics.
    Exits,
}

impl Endpoint {
    /// All endpoints.
    pub(crate) const ALL: [Endpoint; 6] = [
        Endpoint::Health,
        Endpoint::Live,
        Endpoint::Ready,
        Endpoint::Metrics,
        Endpoint::Heap,
        Endpoint::Exits,
    ];

    /// Returns the path of the endpoint.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Endpoint::Health => "/health",
            Endpoint::Live => "/health/live",
            Endpoint::Ready => "/health/ready",
            Endpoint::Metrics => "/metrics",
            Endpoint::Heap => "/debug/heap",
            Endpoint::Exits => "/exits",
        }
    }

    /// Returns the endpoint at `path`, if there is one.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }
}

/// Returns the public response. `HEAD` gets the same; hyper omits its body and keeps its length.
pub(crate) async fn respond(endpoint: Endpoint, method: &Method, state: &State) -> Response<Full<Bytes>> {
    if let Some(refusal) = not_allowed(method) {
        return refusal;
    }
    let mut response = Response::new(Full::new(state.health()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if endpoint == Endpoint::Ready && !ready(state).await {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Whether new requests should be sent here. Dependencies are not checked if the process is stopping anyway.
async fn ready(state: &State) -> bool {
    state.ready() && state.dependencies().check_all().await.iter().all(|status| status.ok)
}

#[cfg(test)]
mod tests {
    use http::header::ALLOW;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::dependency::{CheckError, Dependencies, Dependency};
    use crate::sampling::Reading;

    #[test]
    fn only_these_paths_are_endpoints() {
        let cases = [
            ("/health", Some(Endpoint::Health)),
            ("/health/live", Some(Endpoint::Live)),
            ("/health/ready", Some(Endpoint::Ready)),
            ("/health/", None),
            ("/healthz", None),
            ("/health/other", None),
            ("/metrics", Some(Endpoint::Metrics)),
            ("/debug/heap", Some(Endpoint::Heap)),
            ("/debug", None),
            ("/exits", Some(Endpoint::Exits)),
            ("/", None),
        ];
        for (path, endpoint) in cases {
            assert_eq!(Endpoint::at(path), endpoint, "{path}");
        }
    }

    #[tokio::test]
    async fn each_method_and_state_gets_its_status() {
        let state = State::new(&Reading::default(), Dependencies::default());
        let status = async |endpoint, method| respond(endpoint, &method, &state).await.status().as_u16();
        assert_eq!(status(Endpoint::Health, Method::GET).await, 200);
        assert_eq!(status(Endpoint::Ready, Method::HEAD).await, 200);
        let refused = respond(Endpoint::Live, &Method::POST, &state).await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()[ALLOW]),
            (405, &HeaderValue::from_static("GET, HEAD"))
        );
        state.drain();
        let unready = respond(Endpoint::Ready, &Method::GET, &state).await;
        assert_eq!(
            (unready.status().as_u16(), &unready.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from_static("5"))
        );
        assert_eq!(status(Endpoint::Live, Method::GET).await, 200, "a draining process is alive");
    }

    #[tokio::test]
    async fn an_unsigned_request_does_not_learn_which_dependency_fails() {
        let broken =
            Dependency::new("the secret database", || async { Err(CheckError::failed("no such host")) });
        let state = State::new(&Reading::default(), Dependencies::new(vec![broken]).unwrap());
        let response = respond(Endpoint::Ready, &Method::GET, &state).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from_static("5"))
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, state.health(), "the same as on /health");
        assert_eq!(
            respond(Endpoint::Live, &Method::GET, &state).await.status(),
            200,
            "a restart would not help"
        );
    }
}
