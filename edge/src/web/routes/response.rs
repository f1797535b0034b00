//! How an answer is made: bodies and their tags, headers, problem documents.

use worker::{Headers, Request, Response, Result};

use super::cache::Copy;
use super::etag;
use super::table::Path;
use crate::web::api;

/// How long an answer may be kept by browsers and by caches on the way. A tick a minute is all that changes it.
pub(crate) const CACHE_CONTROL: &str = "public, max-age=5, stale-while-revalidate=30, stale-if-error=600";

/// Seconds after which a hub that did not answer may be asked again.
const RETRY_AFTER: &str = "10";

/// Age at which an answer says that it stands in for a hub that does not answer, in milliseconds.
pub(super) const STALE_MS: i64 = 15_000;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";
pub(crate) const PROBLEM: &str = "application/problem+json";

/// A public answer: whole, or that the client has it already.
pub(super) fn public(request: &Request, body: &str, age_ms: i64, kind: &str) -> Result<Response> {
    let tag = etag::of(body.as_bytes());
    let known = request.headers().get("if-none-match")?.is_some_and(|known| etag::has(&known, &tag));
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
            ("etag", &tag),
            ("cache-control", CACHE_CONTROL),
            ("age", &age),
            ("x-heapbeat-stale", stale),
        ],
    )
}

/// [`public`] of what the hub said.
pub(super) fn copied(request: &Request, copy: &Copy, kind: &str) -> Result<Response> {
    public(request, &copy.body, copy.age_ms, kind)
}

/// The answer where the hub gave none.
pub(super) fn unanswered() -> Result<Response> {
    problem(503, "the hub did not answer; try again in a moment")
}

/// The answer to whom has asked too often: within a minute the counter begins anew.
pub(super) fn too_many() -> Result<Response> {
    let response = problem(429, "this address asks too often; try again in a minute")?;
    with_headers(response, &[("retry-after", "60")])
}

/// The answer where nothing is.
pub(super) fn missing(path: &str) -> Result<Response> {
    const LONGEST: usize = 100;
    // Percent-encoded by the platform: ASCII.
    let shown = path.get(..LONGEST).unwrap_or(path);
    let more = if path.len() > LONGEST { "…" } else { "" };
    problem(404, &format!("there is nothing at {shown}{more}"))
}

/// The answer to a method that this path has not.
pub(super) fn not_allowed(path: &Path, method: &str) -> Result<Response> {
    let response = problem(405, &format!("{method} is not for this path; {} are", path.allow()))?;
    with_headers(response, &[("allow", path.allow())])
}

/// The answer to `OPTIONS`: what may be done, and that pages of others may read what is public.
pub(super) fn options(path: &Path) -> Result<Response> {
    let public = |value| if path.is_public() { value } else { "" };
    with_headers(
        Response::empty()?.with_status(204),
        &[
            ("allow", path.allow()),
            ("access-control-allow-methods", public("GET, HEAD")),
            ("access-control-allow-headers", public("if-none-match")),
            ("access-control-max-age", public("86400")),
        ],
    )
}

/// An error, as RFC 9457 has it.
pub(super) fn problem(status: u16, detail: &str) -> Result<Response> {
    let title = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        _ => "Service Unavailable",
    };
    private(status, api::problem_json(status, title, detail), PROBLEM)
}

/// An answer that nobody keeps. Who may ask again is told when.
pub(super) fn private(status: u16, text: String, kind: &str) -> Result<Response> {
    let response = if status == 204 { Response::empty()? } else { Response::from_bytes(text.into_bytes())? };
    let again = if status == 503 { RETRY_AFTER } else { "" };
    with_headers(
        response.with_status(status),
        &[("content-type", kind), ("cache-control", "no-store"), ("retry-after", again)],
    )
}

/// An answer of the hub's to somebody with a token. `kind`: what it is where all is well.
pub(super) fn of_hub(status: u16, text: String, kind: &str) -> Result<Response> {
    let kind = match status {
        200 => kind,
        422 => JSON,
        204 => "",
        _ => PROBLEM,
    };
    private(status, text, kind)
}

/// What every answer carries: usable as nothing but what it is, and where it is public readable by any page.
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

/// Adds headers; those that are there already stay, and one without a value is none.
pub(super) fn with_headers(response: Response, headers: &[(&str, &str)]) -> Result<Response> {
    let all: Headers = response.headers().clone();
    for (name, value) in headers {
        if !value.is_empty() && (!all.has(name)? || *name == "content-type") {
            all.set(name, value)?;
        }
    }
    Ok(response.with_headers(all))
}
