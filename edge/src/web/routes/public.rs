//! What anybody may read, for programs.

use heapbeat_shared::openmetrics::Format;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Kept, asked};
use super::hub_question::question;
use super::response::{JSON, copied, not_found, problem, unavailable};
use super::route::Route;
use super::{origin, response};
use crate::web::api;
use crate::web::api::badge::Badge;
use crate::web::api::feed::{Feed, feed};

/// Answers a route of the public API.
pub(super) async fn answer(request: &Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let copy = match asked(env, &question(route)).await {
        Kept::Copy(copy) => copy,
        Kept::Missing => return not_found(path),
        Kept::Failed => return unavailable(),
    };
    let (body, kind, header) = match route {
        Route::Incidents { limit, .. } => {
            let (body, next) = api::incidents_page(&copy.body, usize::from(*limit));
            let link = next.map(|next| format!("<{next}>; rel=\"next\"")).unwrap_or_default();
            (body, JSON, ("link", link))
        }
        Route::Badge { options, .. } => {
            let badge = Badge::of(&copy.body, options.metric, options.label.as_deref());
            (badge.svg(options.style), "image/svg+xml", ("", String::new()))
        }
        Route::ShieldsBadge { options, .. } => {
            let badge = Badge::of(&copy.body, options.metric, options.label.as_deref());
            (badge.shields(), JSON, ("", String::new()))
        }
        Route::Metrics => {
            let format = Format::wanted(request.headers().get("accept")?.as_deref());
            let body = api::metrics::metrics(format, &copy.body);
            (body, format.content_type(), ("vary", "accept".to_owned()))
        }
        Route::Calendar => {
            let Some(origin) = origin(request, env) else { return invalid_host() };
            let body = api::calendar::calendar(&copy.body, &origin);
            (body, "text/calendar; charset=utf-8", ("", String::new()))
        }
        Route::AtomFeed | Route::RssFeed => {
            let Some(origin) = origin(request, env) else { return invalid_host() };
            let Kept::Copy(status) = asked(env, &question(&Route::Status)).await else {
                return unavailable();
            };
            let (format, kind) = match route {
                Route::AtomFeed => (Feed::Atom, "application/atom+xml; charset=utf-8"),
                _ => (Feed::Rss, "application/rss+xml; charset=utf-8"),
            };
            (feed(format, &copy.body, &status.body, &origin), kind, ("", String::new()))
        }
        _ => return copied(request, &copy, JSON),
    };
    let response = response::public(request, &body, copy.age_ms, kind)?;
    response::with_headers(response, &[(header.0, &header.1)])
}

fn invalid_host() -> Result<Response> {
    problem(400, "The Host header is not a host name.")
}
