//! Who answers what. A request gets an answer, never an exception: an error of the hub is a 503 in JSON.

use std::time::Duration;

use heapbeat_shared::units::parse_duration;
use worker::{Env, Headers, Method, Request, Response, Result, console_error};

use crate::admin::{self, Entry};
use crate::api;
use crate::env;
use crate::hub;
use crate::page;
use crate::watch::ledger;

/// How long an answer may be kept by browsers and by the platform's cache. A tick a minute is all that
/// changes it.
const CACHE_CONTROL: &str = "public, max-age=5, stale-while-revalidate=30, stale-if-error=600";

/// Seconds after which a hub that did not answer may be asked again.
const RETRY_AFTER: &str = "10";

/// Longest page of an export that is taken in, in bytes.
const LONGEST_PAGE: usize = 8 * 1024 * 1024;

/// Where jobs tell.
const HEARTBEATS: &str = "/api/v1/heartbeats/";

/// What is allowed on every path.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Answers a request of the public.
pub(crate) async fn answer(request: &mut Request, env: &Env) -> Result<Response> {
    let response = match (request.method(), request.path().as_str()) {
        (Method::Get | Method::Head, "/") => status_page(env).await?,
        (Method::Get | Method::Head, path @ "/api/v1/status") => told(env, path, "/status").await?,
        (Method::Get | Method::Head, path @ "/api/v1/incidents") => told(env, path, "/incidents").await?,
        (Method::Get | Method::Put, "/api/v1/admin/monitors") => admin_monitors(request, env).await?,
        (Method::Get | Method::Head, path) if path.starts_with("/api/v1/incidents/") => {
            told(env, path, &path["/api/v1".len()..]).await?
        }
        (Method::Post, path) if path.starts_with("/api/v1/admin/incidents/") => {
            let path = path["/api/v1/admin".len()..].to_owned();
            owner(request, env, &path).await?
        }
        (Method::Get, "/api/v1/admin/export") => {
            let from = parameter(request, "from=");
            owner(request, env, &format!("/export?{from}")).await?
        }
        (Method::Post, "/api/v1/admin/import") => {
            let schema = parameter(request, "schema=");
            import(request, env, &format!("/import?{schema}")).await?
        }
        (Method::Get | Method::Put, "/api/v1/admin/maintenance") => {
            owner(request, env, "/maintenance").await?
        }
        (Method::Post, path) if path.starts_with(HEARTBEATS) => {
            let id = path[HEARTBEATS.len()..].to_owned();
            heartbeat(request, env, &id).await?
        }
        (Method::Get | Method::Head, path) if path.starts_with("/api/v1/monitors/") => {
            history(path, request, env).await?
        }
        (Method::Options, _) => with_headers(Response::empty()?.with_status(204), &[("allow", ALLOW)])?,
        (Method::Get | Method::Head, path) => match page::asset(path) {
            Some(asset) => body(200, asset.body, asset.content_type, asset.cache_control)?,
            None => problem(404, "Not Found", &format!("there is nothing at {path}"))?,
        },
        (method, _) => {
            let detail = format!("{method} is not supported; {ALLOW} are");
            with_headers(problem(405, "Method Not Allowed", &detail)?, &[("allow", ALLOW)])?
        }
    };
    secure(response)
}

/// The page, or one that says that there is none at the moment.
async fn status_page(env: &Env) -> Result<Response> {
    let response = match hub::ask(env, "/page").await {
        Ok(page) => html(200, page.unwrap_or_default(), CACHE_CONTROL)?,
        Err(error) => {
            console_error!("/: {error}");
            with_headers(html(503, page::unavailable(), "no-store")?, &[("retry-after", RETRY_AFTER)])?
        }
    };
    with_headers(response, &page::SECURITY_HEADERS)
}

/// What the hub says to `question`, which somebody asked for at `path`.
async fn told(env: &Env, path: &str, question: &str) -> Result<Response> {
    match hub::ask(env, question).await {
        Ok(Some(body)) => json(200, body, "application/json", CACHE_CONTROL),
        Ok(None) => problem(404, "Not Found", &format!("there is nothing at {path}")),
        Err(error) => unanswered(path, &error),
    }
}

/// The answer where the hub gave none.
fn unanswered(path: &str, error: &worker::Error) -> Result<Response> {
    console_error!("{path}: {error}");
    let response = problem(503, "Service Unavailable", "the hub did not answer; try again in a moment")?;
    with_headers(response, &[("retry-after", RETRY_AFTER)])
}

/// `GET` and `PUT /api/v1/admin/monitors`: the applied list.
async fn admin_monitors(request: &mut Request, env: &Env) -> Result<Response> {
    if let Some(refused) = refuse(request, &env::tokens(env, false))? {
        return Ok(refused);
    }
    let body = match request.method() {
        Method::Put => Some(hub::read_list(request).await?),
        _ => None,
    };
    let path = match query(request).as_deref() {
        None | Some("") => "/monitors",
        Some("dry-run=true") => "/monitors?dry-run=true",
        Some(_) => return problem(400, "Bad Request", "the only parameter is dry-run=true"),
    };
    tell_hub(env, request.method(), path, body).await
}

/// A request of the owner's, handed to the hub as it is.
async fn owner(request: &mut Request, env: &Env, path: &str) -> Result<Response> {
    if let Some(refused) = refuse(request, &env::tokens(env, false))? {
        return Ok(refused);
    }
    let body = match request.method() {
        Method::Get => None,
        _ => Some(hub::read_list(request).await?),
    };
    tell_hub(env, request.method(), path, body).await
}

/// `POST /api/v1/admin/import`: what an export gave, a page at a time.
async fn import(request: &mut Request, env: &Env, path: &str) -> Result<Response> {
    if let Some(refused) = refuse(request, &env::tokens(env, false))? {
        return Ok(refused);
    }
    let long = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    if long.is_none_or(|long| long > LONGEST_PAGE) {
        return problem(413, "Content Too Large", "send a page of an export at a time, 8 MB at most");
    }
    let body = request.text().await?;
    tell_hub(env, Method::Post, path, Some(body)).await
}

/// What stands behind `name` where the query is that parameter: digits and dashes.
fn parameter(request: &Request, name: &str) -> String {
    let query = query(request).unwrap_or_default();
    let value = query.strip_prefix(name).unwrap_or_default();
    value.chars().filter(|c| c.is_ascii_digit() || *c == '-').take(40).collect()
}

/// `POST /api/v1/heartbeats/{id}`.
async fn heartbeat(request: &Request, env: &Env, id: &str) -> Result<Response> {
    if let Some(refused) = refuse(request, &env::tokens(env, true))? {
        return Ok(refused);
    }
    if id.contains('/') {
        return problem(404, "Not Found", "there is no such heartbeat");
    }
    let path = format!("/heartbeats/{id}?{}", query(request).unwrap_or_default());
    tell_hub(env, Method::Post, &path, None).await
}

/// The hub's own answer, whatever it is.
async fn tell_hub(env: &Env, method: Method, path: &str, body: Option<String>) -> Result<Response> {
    match hub::ask_admin(env, method, path, body).await {
        Ok((204, _)) => with_headers(Response::empty()?.with_status(204), &[("cache-control", "no-store")]),
        Ok((status, text)) => {
            let kind =
                if matches!(status, 200 | 422) { "application/json" } else { "application/problem+json" };
            Ok(json(status, text, kind, "no-store")?.with_status(status))
        }
        Err(error) => unanswered(path, &error),
    }
}

/// `/api/v1/monitors/{id}/memory?from=&to=` (any instant that JavaScript reads, or Unix milliseconds) and
/// `/api/v1/monitors/{id}/uptime?window=30d`.
async fn history(path: &str, request: &Request, env: &Env) -> Result<Response> {
    let what = path.trim_start_matches("/api/v1/monitors/");
    // The platform's own `URL`: a parser in the Worker would bring its tables of international names along.
    let query = web_sys::Url::new(&request.inner().url())?.search_params();
    let value = |name: &str| query.get(name);
    let numbers = if what.ends_with("/uptime") {
        match value("window").as_deref().map_or(Ok(Duration::from_secs(86_400)), parse_duration) {
            Ok(window) if !window.is_zero() && window <= ledger::KEPT => {
                (window.as_secs() * 1000).to_string()
            }
            _ => return problem(400, "Bad Request", "window is a duration up to 91d, such as 24h or 30d"),
        }
    } else {
        let (from, to) = (value("from").map(|text| instant(&text)), value("to").map(|text| instant(&text)));
        match (from, to) {
            (Some(None), _) | (_, Some(None)) => {
                return problem(400, "Bad Request", "from and to are instants, such as 2026-01-01T00:00:00Z");
            }
            (Some(Some(from)), Some(Some(to))) if from >= to => {
                return problem(400, "Bad Request", "from has to be before to");
            }
            (from, to) => {
                let shown = |at: Option<Option<i64>>| at.flatten().map_or(String::new(), |at| at.to_string());
                format!("{}-{}", shown(to), shown(from))
            }
        }
    };
    told(env, path, &format!("/monitors/{what}?{numbers}")).await
}

/// The answer to somebody who may not; nothing where the token is right.
fn refuse(request: &Request, good: &[Option<String>]) -> Result<Option<Response>> {
    let authorization = request.headers().get("authorization")?;
    Ok(Some(match admin::entry(authorization.as_deref(), good) {
        Entry::Granted => return Ok(None),
        Entry::Closed => problem(
            403,
            "Forbidden",
            "nobody may do this: the secret ADMIN_TOKEN is not set, or has less than 16 characters",
        )?,
        Entry::Refused => with_headers(
            problem(401, "Unauthorized", "this wants Authorization: Bearer and the right token")?,
            &[("www-authenticate", "Bearer")],
        )?,
    }))
}

/// What stands behind the `?`.
fn query(request: &Request) -> Option<String> {
    request
        .inner()
        .url()
        .split_once('?')
        .map(|(_, query)| query.split('#').next().unwrap_or_default().to_owned())
}

/// An instant of the query, in Unix milliseconds.
fn instant(text: &str) -> Option<i64> {
    let read = text.parse().ok().or_else(|| {
        let millis = js_sys::Date::parse(text);
        // Whole, and far below 2^53.
        #[allow(clippy::cast_possible_truncation)]
        millis.is_finite().then_some(millis as i64)
    });
    read.filter(|at| *at > 0)
}

fn problem(status: u16, title: &str, detail: &str) -> Result<Response> {
    let body = api::problem_json(status, title, detail);
    json(status, body, "application/problem+json", "no-store")
}

fn json(status: u16, text: String, kind: &str, cache: &str) -> Result<Response> {
    body(status, text.into_bytes(), kind, cache)
}

fn html(status: u16, text: String, cache: &str) -> Result<Response> {
    body(status, text.into_bytes(), "text/html; charset=utf-8", cache)
}

fn body(status: u16, bytes: Vec<u8>, kind: &str, cache: &str) -> Result<Response> {
    let response = Response::from_bytes(bytes)?.with_status(status);
    with_headers(response, &[("content-type", kind), ("cache-control", cache)])
}

/// What every answer carries: readable by any page, usable as nothing but what it is.
fn secure(response: Response) -> Result<Response> {
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

fn with_headers(response: Response, headers: &[(&str, &str)]) -> Result<Response> {
    let all: Headers = response.headers().clone();
    for (name, value) in headers {
        if !all.has(name)? || *name == "content-type" {
            all.set(name, value)?;
        }
    }
    Ok(response.with_headers(all))
}
