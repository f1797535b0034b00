//! The routes that are answered before the program.

use std::future::Future;
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
    /// Whether [`respond`](Self::respond) answers a request. It changes nothing.
    fn serves(&self, request: &Parts) -> bool;

    /// Returns the response to a request; `None` if it is for the program.
    fn respond(&self, request: &Parts) -> Option<OperatorResponse>;
}

/// No operator routes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOperatorRoutes;

impl OperatorRoutes for NoOperatorRoutes {
    fn serves(&self, _request: &Parts) -> bool {
        false
    }

    fn respond(&self, _request: &Parts) -> Option<OperatorResponse> {
        None
    }
}
