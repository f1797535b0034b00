//! How an answer is made: bodies, headers, problem documents.

use worker::{Headers, Response, Result, console_error};

use crate::api;

/// How long an answer may be kept by browsers and by the platform's cache. A tick a minute is all that
/// changes it.
pub(super) const CACHE_CONTROL: &str = "public, max-age=5, stale-while-revalidate=30, stale-if-error=600";

/// Seconds after which a hub that did not answer may be asked again.
pub(super) const RETRY_AFTER: &str = "10";

/// What is allowed on every path.
pub(super) const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The answer where the hub gave none.
pub(super) fn unanswered(path: &str, error: &worker::Error) -> Result<Response> {
    console_error!("{path}: {error}");
    let response = problem(503, "Service Unavailable", "the hub did not answer; try again in a moment")?;
    with_headers(response, &[("retry-after", RETRY_AFTER)])
}

pub(super) fn problem(status: u16, title: &str, detail: &str) -> Result<Response> {
    let body = api::problem_json(status, title, detail);
    json(status, body, "application/problem+json", "no-store")
}

pub(super) fn json(status: u16, text: String, kind: &str, cache: &str) -> Result<Response> {
    body(status, text.into_bytes(), kind, cache)
}

pub(super) fn html(status: u16, text: String, cache: &str) -> Result<Response> {
    body(status, text.into_bytes(), "text/html; charset=utf-8", cache)
}

pub(super) fn body(status: u16, bytes: Vec<u8>, kind: &str, cache: &str) -> Result<Response> {
    let response = Response::from_bytes(bytes)?.with_status(status);
    with_headers(response, &[("content-type", kind), ("cache-control", cache)])
}

/// What every answer carries: readable by any page, usable as nothing but what it is.
pub(super) fn secure(response: Response) -> Result<Response> {
    with_headers(
        response,
        &[
            ("access-control-allow-origin", "*"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
        ],
    )
}

pub(super) fn with_headers(response: Response, headers: &[(&str, &str)]) -> Result<Response> {
    let all: Headers = response.headers().clone();
    for (name, value) in headers {
        if !all.has(name)? || *name == "content-type" {
            all.set(name, value)?;
        }
    }
    Ok(response.with_headers(all))
}
