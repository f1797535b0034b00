//! Who answers what. A request gets an answer, never an exception: an error of the hub is a 503 in JSON.
//!
//! A room each: [`pages`] for people, [`public`] for machines, [`owner`] for who has a token, [`reply`] for how an answer
//! is made.

mod owner;
mod pages;
mod public;
mod reply;

use worker::{Env, Method, Request, Response, Result};

use reply::{ALLOW, problem, secure, with_headers};

/// Where jobs tell.
const HEARTBEATS: &str = "/api/v1/heartbeats/";

/// Answers a request of the public.
pub(crate) async fn answer(request: &mut Request, env: &Env) -> Result<Response> {
    let response = match (request.method(), request.path().as_str()) {
        (Method::Get | Method::Head, "/") => pages::status(env).await?,
        (Method::Get | Method::Head, path @ "/api/v1/status") => public::told(env, path, "/status").await?,
        (Method::Get | Method::Head, path @ "/api/v1/incidents") => {
            public::told(env, path, "/incidents").await?
        }
        (Method::Get | Method::Head, path) if path.starts_with("/api/v1/incidents/") => {
            public::told(env, path, &path["/api/v1".len()..]).await?
        }
        (Method::Get | Method::Head, path) if path.starts_with("/api/v1/monitors/") => {
            public::history(path, request, env).await?
        }
        (Method::Get | Method::Put, "/api/v1/admin/monitors") => owner::monitors(request, env).await?,
        (Method::Post, path) if path.starts_with("/api/v1/admin/incidents/") => {
            let path = path["/api/v1/admin".len()..].to_owned();
            owner::handed_on(request, env, &path).await?
        }
        (Method::Get, "/api/v1/admin/export") => owner::export(request, env).await?,
        (Method::Post, "/api/v1/admin/import") => owner::import(request, env).await?,
        (Method::Get | Method::Put, "/api/v1/admin/maintenance") => {
            owner::handed_on(request, env, "/maintenance").await?
        }
        (Method::Post, path) if path.starts_with(HEARTBEATS) => {
            let id = path[HEARTBEATS.len()..].to_owned();
            owner::heartbeat(request, env, &id).await?
        }
        (Method::Options, _) => with_headers(Response::empty()?.with_status(204), &[("allow", ALLOW)])?,
        (Method::Get | Method::Head, path) => {
            problem(404, "Not Found", &format!("there is nothing at {path}"))?
        }
        (method, _) => {
            let detail = format!("{method} is not supported; {ALLOW} are");
            with_headers(problem(405, "Method Not Allowed", &detail)?, &[("allow", ALLOW)])?
        }
    };
    secure(response)
}

/// What stands behind the `?`.
fn query(request: &Request) -> Option<String> {
    request
        .inner()
        .url()
        .split_once('?')
        .map(|(_, query)| query.split('#').next().unwrap_or_default().to_owned())
}
