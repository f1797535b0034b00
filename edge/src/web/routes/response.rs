//! Responses: bodies and their entity tags, headers, problem documents.

use worker::{Headers, Request, Response, Result, console_error};

use super::cached_fetch::Absence;
use super::etag;
use super::route_table::Endpoint;
use crate::hub_api::HubError;
use crate::web::api;
use crate::web::api::ProblemDocument;

/// The `Cache-Control` of a public response, which changes with each tick.
pub(crate) const CACHE_CONTROL: &str = "public, max-age=5, stale-while-revalidate=30, stale-if-error=600";

/// Seconds after which a client may repeat a request that was answered with 503, unless another number is given.
const RETRY_AFTER: &str = "10";

/// The age from which a response is marked as stale, in milliseconds. The cache serves responses of that age only while the hub fails.
pub(super) const STALE_MS: i64 = 15_000;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const PROBLEM: &str = "application/problem+json";

/// A public response: 200 with the body, or 304 if the client has it already. `age_ms` is its age.
pub(super) fn public(request: &Request, body: &str, age_ms: i64, kind: &str) -> Result<Response> {
    public_with_tag(request, body, &etag::entity_tag(body.as_bytes()), age_ms, kind)
}

/// The same with the entity tag of the body, which takes time to compute: a body that is kept keeps its tag as well.
pub(super) fn public_with_tag(
    request: &Request,
    body: &str,
    tag: &str,
    age_ms: i64,
    kind: &str,
) -> Result<Response> {
    let known = request.headers().get("if-none-match")?.is_some_and(|known| etag::matches(&known, tag));
    let (response, kind) = if known {
        (Response::empty()?.with_status(304), "")
    } else {
        (Response::from_bytes(body.as_bytes().to_vec())?, kind)
    };
    let age = (age_ms / 1000).to_string();
    let stale = if age_ms < STALE_MS { "" } else { &age };
    with_headers(
        response,
        &[
            ("content-type", kind),
            ("etag", tag),
            ("cache-control", CACHE_CONTROL),
            ("age", &age),
            ("x-heapbeat-stale", stale),
        ],
    )
}

/// 503: the hub did not respond.
pub(super) fn unavailable() -> Result<Response> {
    problem(503, "The hub did not respond. Try again in a moment.")
}

/// 503: there is no response, and the cache has no earlier one.
pub(super) fn absent(absence: Absence) -> Result<Response> {
    let response = match absence {
        Absence::Unresponsive => unavailable()?,
        Absence::Closed => problem(
            503,
            "So much was asked today that only stored answers are given, and there is none to this question. Monitoring is not affected.",
        )?,
    };
    retry_after(response, absence)
}

/// Sets `Retry-After`.
pub(super) fn retry_after(response: Response, absence: Absence) -> Result<Response> {
    let all: Headers = response.headers().clone();
    all.set("retry-after", &absence.retry_after().to_string())?;
    Ok(response.with_headers(all))
}

/// 429. The counter begins anew within a minute.
pub(super) fn too_many_requests() -> Result<Response> {
    let response = problem(429, "Too many requests from this address. Try again in a minute.")?;
    with_headers(response, &[("retry-after", "60")])
}

/// 404.
pub(super) fn not_found(path: &str) -> Result<Response> {
    problem(404, &format!("Nothing is found at {}.", shorten_path(path)))
}

fn shorten_path(path: &str) -> String {
    const MAX_LENGTH: usize = 100;
    // Percent-encoded by the platform: ASCII.
    let shown = path.get(..MAX_LENGTH).unwrap_or(path);
    let more = if path.len() > MAX_LENGTH { "…" } else { "" };
    [shown, more].concat()
}

/// 405 with `Allow`.
pub(super) fn method_not_allowed(endpoint: &Endpoint, method: &str) -> Result<Response> {
    let allow = endpoint.allow();
    let response = problem(405, &format!("{method} is not allowed for this path; allowed are {allow}."))?;
    with_headers(response, &[("allow", &allow)])
}

/// The response to `OPTIONS`: the allowed methods, and the CORS headers of a public path.
pub(super) fn options(endpoint: &Endpoint) -> Result<Response> {
    let public = |value| if endpoint.is_public() { value } else { "" };
    with_headers(
        Response::empty()?.with_status(204),
        &[
            ("allow", &endpoint.allow()),
            ("access-control-allow-methods", public("GET, HEAD")),
            ("access-control-allow-headers", public("if-none-match")),
            ("access-control-max-age", public("86400")),
        ],
    )
}

/// An error as a problem document (RFC 9457).
pub(super) fn problem(status: u16, detail: &str) -> Result<Response> {
    private(status, api::to_json(&ProblemDocument::new(status, detail)), PROBLEM)
}

/// A response that is not cached; a 503 has `Retry-After`.
pub(super) fn private(status: u16, text: String, kind: &str) -> Result<Response> {
    let response = if status == 204 { Response::empty()? } else { Response::from_bytes(text.into_bytes())? };
    let retry_after = if status == 503 { RETRY_AFTER } else { "" };
    with_headers(
        response.with_status(status),
        &[("content-type", kind), ("cache-control", "no-store"), ("retry-after", retry_after)],
    )
}

/// Maps an error of the hub to an HTTP response. This is the only place that does it.
pub(super) fn hub_error(error: &HubError, path: &str) -> Result<Response> {
    match error {
        HubError::NotFound(what) => problem(404, &format!("There is no {what} at {}.", shorten_path(path))),
        HubError::Invalid(reason) => problem(400, reason),
        HubError::Conflict(reason) => problem(409, reason),
        HubError::Unavailable(reason) => problem(503, reason),
        HubError::TooMany { retry_after_seconds } => {
            let response = problem(429, "Too many changes or reports at present. Try again later.")?;
            with_headers(response, &[("retry-after", &retry_after_seconds.to_string())])
        }
        HubError::Store(_) | HubError::OtherHub(_) | HubError::ReaderBudget => {
            console_error!("{path}: {error}");
            unavailable()
        }
    }
}

/// Adds the security headers that every response carries; pages of other origins may read a public one.
pub(super) fn secure(response: Response, public: bool) -> Result<Response> {
    let shared = |value| if public { value } else { "" };
    with_headers(
        response,
        &[
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", shared("*")),
            ("access-control-expose-headers", shared("age, etag, link, retry-after, x-heapbeat-stale")),
        ],
    )
}

/// Adds headers. Headers that are set already stay, and an empty value adds none.
pub(super) fn with_headers(response: Response, headers: &[(&str, &str)]) -> Result<Response> {
    let all: Headers = response.headers().clone();
    for (name, value) in headers {
        if !value.is_empty() && (!all.has(name)? || *name == "content-type") {
            all.set(name, value)?;
        }
    }
    Ok(response.with_headers(all))
}
