//! Who answers what. A request gets an answer, never an exception: an error of the hub is a 503 in JSON.
//!
//! A room each: [`pages`] for people, [`public`] for machines, [`subscribe`] for who wants to be told, [`owner`]
//! for who has a token. [`table`] has every path,
//! [`limit`] how often it may be asked for, [`ask`] what the hub is asked for it, [`keep`] what the hub said, and [`reply`] makes the
//! answer of it.

mod cache;
mod cached_fetch;
mod etag;
mod owner;
mod pages;
mod public;
mod query;
pub(crate) mod query_params;
mod rate_limit;
pub(crate) mod response;
pub(crate) mod subscribe;
pub(crate) mod table;

use worker::{Env, Request, Response, Result, console_error};

pub(crate) use self::query_params::place;
use self::table::{Path, Route, Verb};
use crate::platform::env;
use crate::web::page::Page;

/// Answers a request of anybody.
pub(crate) async fn answer(request: &mut Request, env: &Env) -> Result<Response> {
    let path = request.path();
    let Some((entry, id)) = table::find(&path) else {
        return response::secure(response::missing(&path)?, true);
    };
    let response = match dispatch(request, env, entry, (&path, id)).await {
        Ok(response) => response,
        Err(error) => {
            console_error!("{path}: {error}");
            response::problem(500, "something went wrong here, and was logged")?
        }
    };
    response::secure(response, entry.is_public())
}

async fn dispatch(
    request: &mut Request,
    env: &Env,
    entry: &Path,
    (path, id): (&str, &str),
) -> Result<Response> {
    // The crate takes every method that it does not know for a `GET`.
    let method = request.inner().method();
    let verb = match method.as_str() {
        "GET" | "HEAD" => Verb::Get,
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        "DELETE" => Verb::Delete,
        "OPTIONS" => return response::options(entry),
        _ => return response::not_allowed(entry, &method),
    };
    if !entry.verbs.contains(&verb) {
        return response::not_allowed(entry, &method);
    }
    let times = if entry.route == Route::Subscriptions { 1 + rate_limit::MORE } else { 1 };
    if rate_limit::is_over(env, &rate_limit::key(request, entry), times).await {
        return response::too_many();
    }
    match entry.route {
        Route::Page => pages::answer(request, env, Page::Status, path, "/page").await,
        Route::Preview => pages::answer(request, env, Page::Preview, path, "/page").await,
        Route::MonitorPage => {
            let question = format!("/monitors/{id}/page?{}", pages::range(&query_of(request)));
            pages::answer(request, env, Page::Monitor, path, &question).await
        }
        Route::IncidentPage => {
            pages::answer(request, env, Page::Incident, path, &format!("/incidents/{id}/page")).await
        }
        route if entry.is_public() => public::answer(request, env, route, path).await,
        _ => owner::answer(request, env, entry, path).await,
    }
}

/// What stands behind the `?`.
fn query_of(request: &Request) -> String {
    let url = request.inner().url();
    let query = url.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default());
    query.unwrap_or_default().to_owned()
}

/// Where the page stands: as it is configured, else as it was asked for. `None` where that is no address.
fn origin(request: &Request, env: &Env) -> Option<String> {
    let url = env::page(env).unwrap_or_else(|| request.inner().url());
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    (!host.is_empty() && host.bytes().all(known)).then(|| [scheme, "://", host].concat())
}
