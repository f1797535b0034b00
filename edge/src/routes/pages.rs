//! Pages for people.

use worker::{Env, Response, Result, console_error};

use super::reply::{CACHE_CONTROL, RETRY_AFTER, html, with_headers};
use crate::hub;
use crate::page;

/// The page at `/`, or one that says that there is none at the moment.
pub(super) async fn status(env: &Env) -> Result<Response> {
    let response = match hub::ask(env, "/page").await {
        Ok(page) => html(200, page.unwrap_or_default(), CACHE_CONTROL)?,
        Err(error) => {
            console_error!("/: {error}");
            with_headers(html(503, page::unavailable(), "no-store")?, &[("retry-after", RETRY_AFTER)])?
        }
    };
    with_headers(response, &page::SECURITY_HEADERS)
}
