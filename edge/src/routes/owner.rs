//! What wants a token: the owner's requests, and jobs that tell.

use worker::{Env, Method, Request, Response, Result};

use super::query;
use super::reply::{json, problem, unanswered, with_headers};
use crate::admin::{self, Entry};
use crate::env;
use crate::hub;

/// Longest page of an export that is taken in, in bytes.
const LONGEST_PAGE: usize = 8 * 1024 * 1024;

/// `GET` and `PUT /api/v1/admin/monitors`: the applied list.
pub(super) async fn monitors(request: &mut Request, env: &Env) -> Result<Response> {
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
pub(super) async fn handed_on(request: &mut Request, env: &Env, path: &str) -> Result<Response> {
    if let Some(refused) = refuse(request, &env::tokens(env, false))? {
        return Ok(refused);
    }
    let body = match request.method() {
        Method::Get => None,
        _ => Some(hub::read_list(request).await?),
    };
    tell_hub(env, request.method(), path, body).await
}

/// `GET /api/v1/admin/export`.
pub(super) async fn export(request: &mut Request, env: &Env) -> Result<Response> {
    let from = parameter(request, "from=");
    handed_on(request, env, &format!("/export?{from}")).await
}

/// `POST /api/v1/admin/import`: what an export gave, a page at a time.
pub(super) async fn import(request: &mut Request, env: &Env) -> Result<Response> {
    if let Some(refused) = refuse(request, &env::tokens(env, false))? {
        return Ok(refused);
    }
    let long = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    if long.is_none_or(|long| long > LONGEST_PAGE) {
        return problem(413, "Content Too Large", "send a page of an export at a time, 8 MB at most");
    }
    let schema = parameter(request, "schema=");
    let body = request.text().await?;
    tell_hub(env, Method::Post, &format!("/import?{schema}"), Some(body)).await
}

/// `POST /api/v1/heartbeats/{id}`.
pub(super) async fn heartbeat(request: &Request, env: &Env, id: &str) -> Result<Response> {
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

/// What stands behind `name` where the query is that parameter: digits and dashes.
fn parameter(request: &Request, name: &str) -> String {
    let query = query(request).unwrap_or_default();
    let value = query.strip_prefix(name).unwrap_or_default();
    value.chars().filter(|c| c.is_ascii_digit() || *c == '-').take(40).collect()
}
