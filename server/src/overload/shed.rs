//! Load shedding: refuses new requests under memory pressure.
//!
//! It is a tower layer of its own, because tower's `LoadShed` sheds whenever the inner service is pending, and has neither shares nor
//! priorities. A refusal costs two atomic reads and a prepared response. The share is spread evenly: of a hundred requests at 30 %,
//! exactly thirty are refused.

mod gate;
mod priority;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

pub use gate::Gate;
pub use priority::{Priorities, Priority};

/// The layer of [`Shed`].
#[derive(Clone, Debug)]
pub struct ShedLayer {
    gate: Arc<Gate>,
    priorities: Arc<Priorities>,
}

/// A service that refuses requests that the [`Gate`] does not admit.
#[derive(Clone, Debug)]
pub struct Shed<S> {
    inner: S,
    gate: Arc<Gate>,
    priorities: Arc<Priorities>,
}

impl ShedLayer {
    /// Creates a layer with a gate and the priorities of routes.
    pub fn new(gate: Arc<Gate>, priorities: Priorities) -> Self {
        ShedLayer { gate, priorities: Arc::new(priorities) }
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { inner, gate: Arc::clone(&self.gate), priorities: Arc::clone(&self.priorities) }
    }
}

impl<S> Service<Request> for Shed<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ShedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if self.gate.admits(|| self.priorities.of(request.uri().path())) {
            ShedFuture { serving: Some(self.inner.call(request)), refusal: None }
        } else {
            ShedFuture { serving: None, refusal: Some(refusal(self.gate.retry_after())) }
        }
    }
}

/// Creates the response to a shed request: 503 with `Retry-After`.
fn refusal(seconds: u32) -> Response {
    let body = r#"{"title":"Service Unavailable","status":503,"detail":"The server is low on memory; retry later."}"#;
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pin_project! {
    /// The future of the inner service, or the refusal.
    pub struct ShedFuture<F> {
        #[pin]
        serving: Option<F>,
        // Taken when polled.
        refusal: Option<Response>,
    }
}

impl<F, E> Future for ShedFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match (this.serving.as_pin_mut(), this.refusal.take()) {
            (Some(future), _) => future.poll(cx),
            (None, Some(refusal)) => Poll::Ready(Ok(refusal)),
            // Polled again after it had completed.
            (None, None) => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::overload::ladder::ShedShare;

    async fn statuses(path: &str, share: u16, requests: usize) -> (usize, usize) {
        let gate = Arc::new(Gate::default());
        gate.set(ShedShare::from_thousandths(share), 7);
        let priorities =
            Priorities::default().with("/admin", Priority::Critical).with("/report", Priority::Low);
        let app = Router::new()
            .route("/", get(|| async { "served" }))
            .route("/admin", get(|| async { "served" }))
            .route("/report/{id}", get(|| async { "served" }))
            .layer(ShedLayer::new(Arc::clone(&gate), priorities));
        let mut refused = 0;
        for _ in 0..requests {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(response.headers()[RETRY_AFTER], "7");
                refused += 1;
            }
        }
        assert_eq!(gate.refused(), refused as u64);
        (requests - refused, refused)
    }

    #[tokio::test]
    async fn the_share_is_spread_evenly() {
        for (path, share, refused) in [
            ("/", 0, 0),
            ("/", 300, 30),
            ("/", 1000, 100),
            ("/report/1", 300, 60),
            ("/report/1", 500, 100),
            ("/admin", 1000, 0),
        ] {
            assert_eq!(statuses(path, share, 100).await, (100 - refused, refused), "{path} at {share}");
        }
    }
}
