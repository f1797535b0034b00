//! What anybody may read, for machines.

use heapbeat_shared::openmetrics::Format;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Kept, asked};
use super::query::Query;
use super::response;
use super::response::{JSON, copied, missing, problem, unanswered};
use super::table::Route;
use super::{origin, query_params};
use crate::web::api;
use crate::web::api::badge::{Badge, Style};
use crate::web::api::feed::{Feed, feed};

/// Answers a question of the API.
pub(super) async fn answer(request: &Request, env: &Env, route: Route, path: &str) -> Result<Response> {
    let query = super::query_of(request);
    let question = match query_params::question(route, path, &query) {
        Ok(question) => question,
        Err(reason) => return problem(400, &reason),
    };
    let copy = match asked(env, &question).await {
        Kept::Copy(copy) => copy,
        Kept::Missing => return missing(path),
        Kept::Failed => return unanswered(),
    };
    let (body, kind, more) = match route {
        Route::Incidents => {
            let (body, next) = api::incidents_page(&copy.body, query_params::limit(&question));
            let link = next.map(|next| format!("<{next}>; rel=\"next\"")).unwrap_or_default();
            (body, JSON, ("link", link))
        }
        Route::Badge | Route::Shield => {
            let query = Query::parse(&query, query_params::parameters(route)).unwrap_or_default();
            let badge = Badge::of(&copy.body, query.get("metric").unwrap_or("status"), query.get("label"));
            match (route, Style::parse(query.get("style"))) {
                (Route::Badge, style) => {
                    (badge.svg(style.unwrap_or_default()), "image/svg+xml", ("", String::new()))
                }
                _ => (badge.shields(), JSON, ("", String::new())),
            }
        }
        Route::Metrics => {
            let format = Format::wanted(request.headers().get("accept")?.as_deref());
            let body = api::metrics::metrics(format, &copy.body);
            (body, format.content_type(), ("vary", "accept".to_owned()))
        }
        Route::Calendar => {
            let Some(origin) = origin(request, env) else {
                return problem(400, "the Host is no name of a host");
            };
            let body = api::calendar::calendar(&copy.body, &origin);
            (body, "text/calendar; charset=utf-8", ("", String::new()))
        }
        Route::Atom | Route::Rss => {
            let Some(origin) = origin(request, env) else {
                return problem(400, "the Host is no name of a host");
            };
            let Kept::Copy(status) = asked(env, "/status").await else { return unanswered() };
            let (format, kind) = match route {
                Route::Atom => (Feed::Atom, "application/atom+xml; charset=utf-8"),
                _ => (Feed::Rss, "application/rss+xml; charset=utf-8"),
            };
            (feed(format, &copy.body, &status.body, &origin), kind, ("", String::new()))
        }
        _ => return copied(request, &copy, JSON),
    };
    let response = response::public(request, &body, copy.age_ms, kind)?;
    response::with_headers(response, &[(more.0, &more.1)])
}
