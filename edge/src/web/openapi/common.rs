//! The tokens, headers and errors that operations share.

use serde_json::{Map, Value, json};

use crate::web::routes::response::{CACHE_CONTROL, PROBLEM};

/// An error that operations have in common.
struct CommonError {
    status: u16,
    name: &'static str,
    description: &'static str,
    headers: &'static [&'static str],
}

const fn error(
    status: u16,
    name: &'static str,
    description: &'static str,
    headers: &'static [&'static str],
) -> CommonError {
    CommonError { status, name, description, headers }
}

const ERRORS: [CommonError; 12] = [
    error(
        304,
        "NotModified",
        "The body has not changed since the `ETag` in `If-None-Match`.",
        &["ETag", "Cached", "Age"],
    ),
    error(
        400,
        "BadRequest",
        "A parameter, the query or the body is invalid; `detail` says what would be right.",
        &[],
    ),
    error(401, "Unauthorized", "The token is missing or wrong.", &["WWW-Authenticate"]),
    error(403, "Forbidden", "The Worker has no usable token: its secret is not set, or is too short.", &[]),
    error(404, "NotFound", "Nothing is found at this path, or it is not public.", &[]),
    error(
        405,
        "MethodNotAllowed",
        "The path does not have this method; `Allow` lists those it has.",
        &["Allow"],
    ),
    error(
        409,
        "Conflict",
        "Another change is under way, or the incident is resolved already; `detail` says which.",
        &[],
    ),
    error(411, "LengthRequired", "The body has no `Content-Length`.", &[]),
    error(413, "ContentTooLarge", "The body is longer than `detail` says.", &[]),
    error(429, "TooManyRequests", "Too many requests. Repeat after `Retry-After` seconds.", &["Retry-After"]),
    error(500, "InternalError", "An internal error occurred; it was logged.", &[]),
    error(
        503,
        "Unavailable",
        "The edge's storage does not respond, and there is no response of the last hour.",
        &["Retry-After"],
    ),
];

/// A reference to the error of a status.
///
/// # Panics
///
/// If there is no common error of this status.
pub(super) fn error_reference(status: u16) -> Value {
    let found = ERRORS.iter().find(|error| error.status == status);
    let name = found.unwrap_or_else(|| panic!("there is no common error {status}")).name;
    json!({ "$ref": format!("#/components/responses/{name}") })
}

/// References to headers. `Cached` and `NotCached` are two values of `Cache-Control`.
pub(super) fn header_references(names: &[&str]) -> Value {
    let header = |name: &&str| {
        let header = if name.ends_with("Cached") { "Cache-Control" } else { name };
        (header.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
    };
    names.iter().map(header).collect::<Map<_, _>>().into()
}

/// The body of an error.
pub(super) fn problem_content() -> Value {
    json!({ PROBLEM: { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

/// `components.responses`.
pub(super) fn responses(schemas: &Map<String, Value>) -> Value {
    assert!(schemas.contains_key("Problem"), "the schema of problem documents is missing");
    let response = |error: &CommonError| {
        let mut names = if error.status == 304 { Vec::new() } else { vec!["NotCached"] };
        names.extend(error.headers);
        let mut response = json!({ "description": error.description, "headers": header_references(&names) });
        if error.status != 304 {
            response["content"] = problem_content();
        }
        if error.status == 404 {
            // Outside of /api/, a browser gets a page.
            response["content"]["text/html; charset=utf-8"] = json!({ "schema": { "type": "string" } });
        }
        (error.name.to_owned(), response)
    };
    ERRORS.iter().map(response).collect::<Map<_, _>>().into()
}

/// `components.headers`.
pub(super) fn headers() -> Value {
    let header = |description: &str, required: bool, schema: Value| json!({ "description": description, "required": required, "schema": schema });
    let seconds = || json!({ "type": "string", "pattern": "^[0-9]+$" });
    let text = || json!({ "type": "string" });
    json!({
        "ETag": header("The entity tag of the body, strong. Send it back as `If-None-Match`.", true, text()),
        "Cached": header(
            "Caches may keep the response for five seconds, and serve an older one while they fetch a new one.",
            true,
            json!({ "const": CACHE_CONTROL }),
        ),
        "NotCached": header("The response is not cached.", true, json!({ "const": "no-store" })),
        "Age": header("The age of the response in seconds.", true, seconds()),
        "X-Heapbeat-Stale": header(
            "The age of the response in seconds, if the edge's storage does not respond at present.",
            false,
            seconds(),
        ),
        "Link": header("The next page, with `rel=\"next\"`; absent on the last page.", false, text()),
        "Vary": header("The request headers that the response depends on.", true, text()),
        "Content-Language": header("The language of the page.", true, text()),
        "Retry-After": header("Seconds to wait before the request is repeated.", true, seconds()),
        "Allow": header("The methods of the path.", true, text()),
        "WWW-Authenticate": header("The scheme of the token.", true, json!({ "const": "Bearer" })),
    })
}

/// `components.securitySchemes`.
pub(super) fn security_schemes() -> Value {
    let bearer =
        |description: &str| json!({ "type": "http", "scheme": "bearer", "description": description });
    json!({
        "owner": bearer("The Worker's secret `ADMIN_TOKEN`, of at least 16 characters."),
        "job": bearer("The Worker's secret `HEARTBEAT_TOKEN`, which allows heartbeats only."),
    })
}
