//! Pages for people.

use worker::{Env, Request, Response, Result};

use super::keep::{Kept, asked};
use super::reply::{RETRY_AFTER, copied, missing, private, with_headers};
use crate::page;

const HTML: &str = "text/html; charset=utf-8";

/// The page at `/`, or one that says that there is none at the moment.
pub(super) async fn status(request: &Request, env: &Env) -> Result<Response> {
    let response = match asked(env, "/page").await {
        Kept::Copy(copy) => copied(request, &copy, HTML)?,
        Kept::Missing | Kept::Failed => {
            with_headers(private(503, page::unavailable(), HTML)?, &[("retry-after", RETRY_AFTER)])?
        }
    };
    with_headers(response, &page::SECURITY_HEADERS)
}

/// The page of one monitor.
#[allow(clippy::unused_async)] // until there is one
pub(super) async fn monitor(_request: &Request, _env: &Env, id: &str) -> Result<Response> {
    missing(&format!("/monitors/{id}"))
}

/// The page of one incident.
#[allow(clippy::unused_async)] // until there is one
pub(super) async fn incident(_request: &Request, _env: &Env, id: &str) -> Result<Response> {
    missing(&format!("/incidents/{id}"))
}
