//! Who answers what. A request gets an answer, never an exception: an error of the hub is a 503 in JSON.
//!
//! A room each: [`pages`] for people, [`public`] for machines, [`subscribe`] for who wants to be told, [`owner`]
//! for who has a token. [`table`] has every path,
//! [`limit`] how often it may be asked for, [`ask`] what the hub is asked for it, [`keep`] what the hub said, and [`reply`] makes the
//! answer of it.

pub(crate) mod ask;
mod etag;
mod keep;
mod limit;
mod owner;
mod pages;
mod public;
mod query;
pub(crate) mod reply;
mod shelf;
pub(crate) mod subscribe;
pub(crate) mod table;

use worker::{Env, Request, Response, Result, console_error};

pub(crate) use self::ask::place;
use self::table::{Path, Route, Verb};
use crate::env;
use crate::page::Page;

/// Answers a request of anybody.
pub(crate) async fn answer(request: &mut Request, env: &Env) -> Result<Response> {
    let path = request.path();
    let Some((entry, id)) = table::find(&path) else {
        return reply::secure(reply::missing(&path)?, true);
    };
    let response = match dispatch(request, env, entry, (&path, id)).await {
        Ok(response) => response,
        Err(error) => {
            console_error!("{path}: {error}");
            reply::problem(500, "something went wrong here, and was logged")?
        }
    };
    reply::secure(response, entry.is_public())
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
        "OPTIONS" => return reply::options(entry),
        _ => return reply::not_allowed(entry, &method),
    };
    if !entry.verbs.contains(&verb) {
        return reply::not_allowed(entry, &method);
    }
    let times = if entry.route == Route::Subscriptions { 1 + limit::MORE } else { 1 };
    if limit::is_over(env, &limit::key(request, entry), times).await {
        return reply::too_many();
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
