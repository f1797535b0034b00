//! From a request to its answer: health first, then the limits, then the application.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use heapbeat_shared::event;
use heapbeat_shared::event::EventKind;
use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::time::{error::Elapsed, timeout};
use tower::Service;

use super::Server;
use super::body::{LimitedBody, ResponseBody};
use super::connection::ClientConnection;
use super::connection_limit::PermitKind;
use super::problem::problem;
use super::progress::BodyFault;
use crate::panic::{catch_panic, describe_panic};

/// Answers one request.
pub(super) async fn answer(
    server: &Server,
    client: &ClientConnection,
    request: http::Request<Incoming>,
) -> http::Response<ResponseBody> {
    let mut response = match server.desk.endpoint(request.uri().path()) {
        Some(endpoint) => server.desk.answer(endpoint, &request).await.map(Either::Left),
        None => ask_application(server, client, request).await.map(Either::Right),
    };
    if client.kind == PermitKind::Reserve || server.desk.state().leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| ResponseBody::new(body, Arc::clone(&client.progress)))
}

async fn ask_application(
    server: &Server,
    client: &ClientConnection,
    request: http::Request<Incoming>,
) -> Response {
    if client.kind == PermitKind::Reserve {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many connections; come back later");
    }
    let longest = server.limits.max_body;
    if announced_length(&request).is_some_and(|length| length > longest.0) {
        client.progress.leave_unread();
        return too_large(server);
    }
    let request = request.map(|body| bounded(server, client, body));
    let answered = respond(server, client, request).await;
    // The application saw only a body that broke off; the client is told why.
    match client.progress.fault() {
        Some(fault) if answered.status().is_client_error() || answered.status().is_server_error() => {
            match fault {
                BodyFault::TooLarge => too_large(server),
                BodyFault::TooSlow => {
                    refuse(StatusCode::REQUEST_TIMEOUT, "the request's body came too slowly")
                }
            }
        }
        _ => answered,
    }
}

/// The application's answer, whatever it does.
async fn respond(server: &Server, client: &ClientConnection, mut request: Request) -> Response {
    request.extensions_mut().insert(ConnectInfo(client.address));
    let mut app = server.app.clone();
    let asked = catch_panic(async move {
        let Ok(response) = app.call(request).await;
        response
    });
    let answered = match server.limits.request_timeout {
        Some(limit) => within(limit, asked).await,
        None => Ok(asked.await),
    };
    match answered {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let message = event::cut(&describe_panic(panic.as_ref()));
            server.desk.recorder().note(EventKind::Panic { message });
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the handler of this request panicked")
        }
        Err(_elapsed) => {
            tracing::warn!("a request was given up: no answer within {:?}", server.limits.request_timeout);
            refuse(StatusCode::SERVICE_UNAVAILABLE, "the handler of this request took too long")
        }
    }
}

/// `future`'s output, unless it takes longer than `limit`. No timer is made for a future that is ready at once.
async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => timeout(limit, future).await,
    }
}

fn bounded(server: &Server, client: &ClientConnection, body: Incoming) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    let longest = usize::try_from(server.limits.max_body.0).unwrap_or(usize::MAX);
    Body::new(LimitedBody::new(body, longest, server.limits.body_timeout, Arc::clone(&client.progress)))
}

fn announced_length(request: &http::Request<Incoming>) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(server: &Server) -> Response {
    let detail = format!("the request's body is larger than {}", server.limits.max_body);
    let mut response = problem(StatusCode::PAYLOAD_TOO_LARGE, &detail);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A refusal after which the connection is of no more use.
fn refuse(status: StatusCode, detail: &str) -> Response {
    let mut response = problem(status, detail);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
