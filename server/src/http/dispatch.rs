//! Dispatches requests: health endpoints first, then the limits, then the application.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use heapbeat_shared::event;
use heapbeat_shared::event::EventKind;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, RETRY_AFTER};
use http::{HeaderValue, StatusCode, Version};
use http_body::Body as _;
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::time::{error::Elapsed, timeout};
use tower::Service;

use super::Server;
use super::body::{LimitedBody, ResponseBody};
use super::connection_limit::PermitKind;
use super::progress::{BodyError, ConnectionProgress};
use crate::endpoints::problem::problem;
use crate::panic::{catch_panic, describe_panic};

/// The client of a request.
#[derive(Debug)]
pub(super) struct ClientConnection {
    pub(super) address: SocketAddr,
    pub(super) kind: PermitKind,
    pub(super) progress: Arc<ConnectionProgress>,
}

/// Responds to one request.
pub(super) async fn dispatch(
    server: &Server,
    client: &ClientConnection,
    request: http::Request<Incoming>,
) -> http::Response<ResponseBody> {
    if !names_one_host(&request) {
        let mut refused = refuse(StatusCode::BAD_REQUEST, "a request has one Host header").map(Either::Right);
        refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return refused.map(|body| ResponseBody::new(body, Arc::clone(&client.progress)));
    }
    let mut response = match server.handler.endpoint(request.uri().path()) {
        Some(endpoint) => server.handler.respond(endpoint, (&request).into()).await.map(Either::Left),
        None => call_application(server, client, request).await.map(Either::Right),
    };
    if client.kind == PermitKind::Reserve || server.handler.state().leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| ResponseBody::new(body, Arc::clone(&client.progress)))
}

/// Whether a request says for which host it is, and for one only (RFC 9112, 3.2). HTTP/1.0 needs no `Host`.
fn names_one_host<B>(request: &http::Request<B>) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

async fn call_application(
    server: &Server,
    client: &ClientConnection,
    request: http::Request<Incoming>,
) -> Response {
    if client.kind == PermitKind::Reserve {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many connections; try again later");
    }
    let max_length = server.limits.max_body;
    if announced_length(&request).is_some_and(|length| length > max_length.0) {
        client.progress.clock.leave_unread();
        return too_large(server);
    }
    let request = request.map(|body| limit_body(server, client, body));
    let answered = run_handler(server, client, request).await;
    // The application saw only a body that ended with an error; the response says why.
    match client.progress.body_error() {
        Some(fault) if answered.status().is_client_error() || answered.status().is_server_error() => {
            match fault {
                BodyError::TooLarge => too_large(server),
                BodyError::TooSlow => {
                    refuse(StatusCode::REQUEST_TIMEOUT, "the request body arrived too slowly")
                }
            }
        }
        _ => answered,
    }
}

/// Returns the application's response, or an error if its handler panics or takes too long.
async fn run_handler(server: &Server, client: &ClientConnection, mut request: Request) -> Response {
    request.extensions_mut().insert(ConnectInfo(client.address));
    let mut app = server.app.clone();
    let handled = catch_panic(async move {
        let Ok(response) = app.call(request).await;
        response
    });
    let answered = match server.limits.request_timeout {
        Some(limit) => within(limit, handled).await,
        None => Ok(handled.await),
    };
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let message = event::cut(&describe_panic(panic.as_ref()));
            server.handler.telemetry().record_event(EventKind::Panic { message });
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the handler of this request panicked")
        }
        Err(_elapsed) => {
            tracing::warn!(
                "request aborted: no response within {:?} (HEAPBEAT_REQUEST_TIMEOUT)",
                server.limits.request_timeout.unwrap_or_default()
            );
            refuse(StatusCode::SERVICE_UNAVAILABLE, "the request timed out")
        }
    }
}

/// Returns the output of `future`, or an error after `limit`. No timer is created for a future that is ready at once.
async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => timeout(limit, future).await,
    }
}

fn limit_body(server: &Server, client: &ClientConnection, body: Incoming) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    let max_length = usize::try_from(server.limits.max_body.0).unwrap_or(usize::MAX);
    Body::new(LimitedBody::new(body, max_length, server.limits.body_timeout, Arc::clone(&client.progress)))
}

fn announced_length(request: &http::Request<Incoming>) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(server: &Server) -> Response {
    let detail = format!("the request body is larger than {}", server.limits.max_body);
    let mut response = problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Creates a refusal that closes the connection.
fn refuse(status: StatusCode, detail: &str) -> Response {
    let mut response = problem(status, detail);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_one_host() {
        let request = |version, hosts: &[&str]| {
            let request = http::Request::get("/").version(version);
            hosts.iter().fold(request, |request, host| request.header(HOST, *host)).body(()).unwrap()
        };
        let cases = [
            (Version::HTTP_11, vec!["a"], true),
            (Version::HTTP_11, vec![], false),
            (Version::HTTP_11, vec!["a", "a"], false),
            (Version::HTTP_11, vec!["a", "b"], false),
            (Version::HTTP_10, vec![], true),
            (Version::HTTP_10, vec!["a"], true),
            (Version::HTTP_10, vec!["a", "b"], false),
        ];
        for (version, hosts, expected) in cases {
            assert_eq!(names_one_host(&request(version, &hosts)), expected, "{version:?} {hosts:?}");
        }
    }
}
