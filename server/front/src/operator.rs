//! The routes that are answered before the program.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::Full;

/// The response of an operator route.
pub type OperatorResponse = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// Answers requests before the program gets them: health, metrics, the signed report. They are answered while the program hangs,
/// while no program is there, while requests are shed, and on the connections that are reserved beyond the limit.
///
/// The future runs on the thread of the front and must not block it.
pub trait OperatorRoutes: Send + Sync + 'static {
    /// Returns the response to a request; `None` if it is for the program. The extensions contain the [`ClientAddress`].
    fn respond(&self, request: &Parts) -> Option<OperatorResponse>;
}

/// The address of the client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

/// No operator routes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOperatorRoutes;

impl OperatorRoutes for NoOperatorRoutes {
    fn respond(&self, _request: &Parts) -> Option<OperatorResponse> {
        None
    }
}
