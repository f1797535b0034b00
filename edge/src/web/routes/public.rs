//! What anybody may read, for programs.

use heapbeat_shared::openmetrics::Format;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Fetched, fetch};
use super::hub_request::request as hub_request;
use super::response::{JSON, not_found, problem, unavailable};
use super::route::Route;
use super::{origin, response};
use crate::hub_api::{Audience, HubRequest, HubResponse};
use crate::view::{IncidentListView, IncidentView};
use crate::web::api;
use crate::web::api::badge::Badge;
use crate::web::api::feed::{Feed, feed};

/// Answers a route of the public API.
pub(super) async fn answer(request: &Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let Some(asked) = hub_request(route) else { return not_found(path) };
    let cached = match fetch(env, &asked).await {
        Fetched::Answer(cached) => cached,
        Fetched::NotFound => return not_found(path),
        Fetched::Failed => return unavailable(),
    };
    let answer = &cached.answer;
    let (body, kind, header) = match route {
        Route::Incidents { limit, .. } => {
            let page = IncidentListView::page(incidents(&answer.response).to_vec(), usize::from(*limit));
            let link = page.next.as_ref().map(|next| format!("<{next}>; rel=\"next\"")).unwrap_or_default();
            (api::to_json(&page), JSON, ("link", link))
        }
        Route::Badge { options, .. } => {
            let badge = Badge::of(&answer.json, options.metric, options.label.as_deref());
            (badge.svg(options.style), "image/svg+xml", ("", String::new()))
        }
        Route::ShieldsBadge { options, .. } => {
            let badge = Badge::of(&answer.json, options.metric, options.label.as_deref());
            (badge.shields(), JSON, ("", String::new()))
        }
        Route::Metrics => {
            let format = Format::wanted(request.headers().get("accept")?.as_deref());
            let body = api::metrics::metrics(format, &answer.json);
            (body, format.content_type(), ("vary", "accept".to_owned()))
        }
        Route::Calendar => {
            let Some(origin) = origin(request, env) else { return invalid_host() };
            let body = api::calendar::calendar(&answer.json, &origin);
            (body, "text/calendar; charset=utf-8", ("", String::new()))
        }
        Route::AtomFeed | Route::RssFeed => {
            let Some(origin) = origin(request, env) else { return invalid_host() };
            let status = HubRequest::Status { audience: Audience::Public };
            let Fetched::Answer(status) = fetch(env, &status).await else { return unavailable() };
            let (format, kind) = match route {
                Route::AtomFeed => (Feed::Atom, "application/atom+xml; charset=utf-8"),
                _ => (Feed::Rss, "application/rss+xml; charset=utf-8"),
            };
            let body = feed(format, incidents(&answer.response), &status.answer.json, &origin);
            (body, kind, ("", String::new()))
        }
        _ => return response::public(request, &answer.json, cached.age_ms, JSON),
    };
    let response = response::public(request, &body, cached.age_ms, kind)?;
    response::with_headers(response, &[(header.0, &header.1)])
}

/// The incidents of a response; none where it has none.
fn incidents(response: &HubResponse) -> &[IncidentView] {
    match response {
        HubResponse::Incidents(list) => list,
        _ => &[],
    }
}

fn invalid_host() -> Result<Response> {
    problem(400, "The Host header is not a host name.")
}
