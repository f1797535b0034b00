//! The front: it handles every request of the public, of the owner and of jobs. An error of the hub becomes a problem document with 503.
//!
//! [`route_table`] matches the path and the method to a [`route::Route`]; [`page_handlers`], [`public_handlers`] and [`owner_handlers`] handle it. [`rate_limit`]
//! counts requests, [`cached_fetch`] fetches the response of the hub or its last one from the [`cache`], and [`response`] writes headers
//! and problem documents.

mod cache;
mod cached_fetch;
mod etag;
mod hub_request;
mod owner_handlers;
mod page_handlers;
pub(crate) mod parameters;
mod public_handlers;
pub(crate) mod query;
mod rate_limit;
mod rendered_pages;
pub(crate) mod response;
pub(crate) mod route;
pub(crate) mod route_table;
pub(crate) mod subscribe;

use http::Method;
use worker::{Env, Request, Response, Result, console_error};

use self::route_table::{Access, Endpoint, MatchedEndpoint};
use crate::settings;

/// Handles a request.
pub(crate) async fn handle_request(request: &mut Request, env: &Env) -> Result<Response> {
    let path = request.path();
    let Some(found) = route_table::match_path(&path) else {
        if let Some(redirect) = page_handlers::redirect_without_slash(request, &path)? {
            return response::secure(redirect, true);
        }
        return response::secure(page_handlers::not_found(request, env, &path)?, true);
    };
    let endpoint = found.endpoint;
    let response = match dispatch(request, env, found, &path).await {
        Ok(response) => response,
        Err(error) => {
            console_error!("{path}: {error}");
            response::problem(500, "An internal error occurred; it was logged.")?
        }
    };
    response::secure(response, endpoint.is_public())
}

async fn dispatch(request: &mut Request, env: &Env, found: MatchedEndpoint, path: &str) -> Result<Response> {
    let endpoint: &'static Endpoint = found.endpoint;
    // The `worker` crate maps unknown methods to `GET`.
    let name = request.inner().method();
    if name == "OPTIONS" {
        return response::options(endpoint);
    }
    let method = Method::from_bytes(name.as_bytes()).ok();
    let Some(operation) = method.and_then(|method| endpoint.operation(&method)) else {
        return response::method_not_allowed(endpoint, &name);
    };
    let access = operation.access;
    let monitor = found.monitor().cloned();
    let route = found.route(operation, &query_of(request));
    let weight = match &route {
        _ if access == Access::Subscriber => 1 + rate_limit::PENALTY,
        Ok(Some(route)) if route.is_dear() => rate_limit::DEAR,
        _ => 1,
    };
    let key = rate_limit::client_key(request, access);
    if rate_limit::is_exceeded(env, &key, weight).await {
        return response::too_many_requests();
    }
    if let Some(refused) = owner_handlers::check_access(request, env, access, monitor.as_ref(), path).await? {
        return Ok(refused);
    }
    let route = match route {
        Ok(Some(route)) => route,
        Ok(None) => return page_handlers::not_found(request, env, path),
        Err(error) => return response::problem(400, &error.to_string()),
    };
    let response = match access {
        Access::Page => page_handlers::handle(request, env, &route, path).await,
        Access::Public => public_handlers::handle(request, env, &route, path).await,
        Access::Subscriber | Access::Job | Access::Owner => {
            return owner_handlers::handle(request, env, &route, path).await;
        }
    }?;
    if response.status_code() == 404 {
        rate_limit::is_exceeded(env, &key, rate_limit::NOT_FOUND).await;
    }
    Ok(response)
}

/// Returns the query, without the `?`.
fn query_of(request: &Request) -> String {
    let url = request.inner().url();
    let query = url.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default());
    query.unwrap_or_default().to_owned()
}

/// Returns the origin of the page: the configured one, else that of the request. `None` if it is not an address.
fn origin(request: &Request, env: &Env) -> Option<String> {
    let url = settings::read_status_url(env).unwrap_or_else(|| request.inner().url());
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    (!host.is_empty() && host.bytes().all(known)).then(|| [scheme, "://", host].concat())
}
