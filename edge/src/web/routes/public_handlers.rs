//! The public API: operations for programs that need no token.

use heapbeat_shared::openmetrics::Format;
use worker::{Env, Request, Response, Result};

use super::cached_fetch::{Fetched, fetch};
use super::hub_request::request as hub_request;
use super::page_handlers::{branding, not_found};
use super::parameters::BadgeOptions;
use super::response::{JSON, problem, unavailable};
use super::route::Route;
use super::{origin, response};
use crate::hub_api::{Audience, HubRequest, HubResponse};
use crate::view::{IncidentListView, IncidentView};
use crate::web::api;
use crate::web::api::badge::Badge;
use crate::web::api::calendar::render_calendar;
use crate::web::api::feed::{render_atom, render_rss};
use crate::web::api::metrics::render_metrics;

/// Handles a route of the public API.
pub(super) async fn handle(request: &Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let Some(hub_request) = hub_request(route) else { return not_found(request, env, path) };
    let cached = match fetch(env, &hub_request).await {
        Fetched::Found(cached) => cached,
        Fetched::NotFound => return not_found(request, env, path),
        Fetched::Failed(absence) => return response::absent(absence),
    };
    let answer = &cached.answer;
    let (body, kind, header) = match route {
        Route::Incidents { limit, .. } => {
            let page = IncidentListView::page(incidents(&answer.response).to_vec(), usize::from(*limit));
            let link = page.next.as_ref().map(|next| format!("<{next}>; rel=\"next\"")).unwrap_or_default();
            (api::to_json(&page), JSON, ("link", link))
        }
        Route::Badge { options, .. } => {
            let Some(badge) = badge(&answer.response, options) else { return unavailable() };
            (badge.svg(options.style), "image/svg+xml", ("", String::new()))
        }
        Route::ShieldsBadge { options, .. } => {
            let Some(badge) = badge(&answer.response, options) else { return unavailable() };
            (api::to_json(&badge.shields()), JSON, ("", String::new()))
        }
        Route::Metrics => {
            let HubResponse::Status(status) = &answer.response else { return unavailable() };
            let format = Format::negotiate(request.headers().get("accept")?.as_deref());
            (render_metrics(format, status), format.content_type(), ("vary", "accept".to_owned()))
        }
        Route::Calendar => {
            let Some(origin) = origin(request, env) else { return invalid_host() };
            let HubResponse::Status(status) = &answer.response else { return unavailable() };
            let body = render_calendar(&status.maintenance, &origin);
            (body, "text/calendar; charset=utf-8", ("", String::new()))
        }
        Route::AtomFeed | Route::RssFeed => {
            let Some(origin) = origin(request, env) else { return invalid_host() };
            let status = HubRequest::Status { audience: Audience::Public };
            let status = match fetch(env, &status).await {
                Fetched::Found(status) => status,
                Fetched::NotFound => return unavailable(),
                Fetched::Failed(absence) => return response::absent(absence),
            };
            let HubResponse::Status(status) = &status.answer.response else { return unavailable() };
            let incidents = incidents(&answer.response);
            let branding = branding(env);
            let title = &branding.title;
            let (body, kind) = match route {
                Route::AtomFeed => {
                    (render_atom(incidents, status, &origin, title), "application/atom+xml; charset=utf-8")
                }
                _ => (render_rss(incidents, status, &origin, title), "application/rss+xml; charset=utf-8"),
            };
            (body, kind, ("", String::new()))
        }
        _ => {
            return response::public_with_tag(request, &answer.json, answer.etag(), cached.age_ms, JSON);
        }
    };
    let response = response::public(request, &body, cached.age_ms, kind)?;
    response::with_headers(response, &[(header.0, &header.1)])
}

/// Returns the incidents of a response.
fn incidents(response: &HubResponse) -> &[IncidentView] {
    match response {
        HubResponse::Incidents(list) => list,
        _ => &[],
    }
}

/// Builds the badge of the monitor in a response.
fn badge(response: &HubResponse, options: &BadgeOptions) -> Option<Badge> {
    let HubResponse::Monitor(detail) = response else { return None };
    Some(Badge::new(&detail.monitor, options.metric, options.label.as_deref()))
}

fn invalid_host() -> Result<Response> {
    problem(400, "The Host header is not a host name.")
}
