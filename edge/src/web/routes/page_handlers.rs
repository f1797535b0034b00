//! Pages for people: `/`, `/monitors/{id}`, `/incidents/{id}` and the picture that goes with a link.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use heapbeat_shared::negotiation::weight_of;
use worker::{Env, Request, Response, Result};

use super::cache::SerializedResponse;
use super::cached_fetch::{Fetched, fetch};
use super::hub_request::request as hub_request;
use super::query::Query;
use super::rendered_pages::{RenderedPage, RenderedPages};
use super::response;
use super::response::{STALE_MS, private, with_headers};
use super::route::Route;
use super::route_table::{Access, match_path};
use crate::settings;
use crate::settings::Branding;
use crate::web::page;
use crate::web::page::{Messages, Page, PageContext};

const HTML: &str = "text/html; charset=utf-8";

thread_local! {
    /// The owner's title, logo, colors and links: variables stay the same for as long as the isolate lives.
    static BRANDING: OnceCell<Rc<Branding>> = const { OnceCell::new() };
    /// The public key with which browsers subscribe to notifications.
    static PUSH_KEY: OnceCell<Option<String>> = const { OnceCell::new() };
    /// The pages of responses that are still in the cache.
    static RENDERED: RefCell<RenderedPages> = const { RefCell::new(RenderedPages::new()) };
}

/// Renders the page of a route, or a page without any status if the hub does not respond.
pub(super) async fn handle(request: &Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    if *route == Route::OwnerPage {
        let context = context(request, env)?;
        let response = response::public(request, &page::render_owner(&context), 0, HTML)?;
        let response = with_headers(response, &[("x-robots-tag", "noindex")])?;
        return with_page_headers(response, &context, "accept-language");
    }
    let page = match route {
        Route::MonitorPage { .. } => Page::Monitor,
        Route::IncidentPage { .. } => Page::Incident,
        Route::Preview => Page::Preview,
        _ => Page::Status,
    };
    let Some(request_to_hub) = hub_request(route) else { return not_found(request, env, path) };
    let mut context = context(request, env)?;
    let response = match fetch(env, &request_to_hub).await {
        Fetched::NotFound => return not_found(request, env, path),
        Fetched::Found(cached) => {
            context.stale_seconds = (cached.age_ms >= STALE_MS).then(|| cached.age_ms.unsigned_abs() / 1000);
            let kind = if page == Page::Preview { "image/svg+xml" } else { HTML };
            match render(page, path, &cached.answer, &context) {
                Some(RenderedPage { body, etag }) => {
                    Some(response::public_with_tag(request, &body, &etag, cached.age_ms, kind)?)
                }
                None => None,
            }
        }
        Fetched::Failed(absence) => {
            let page = private(503, page::render_unavailable(&context), HTML)?;
            Some(response::retry_after(page, absence)?)
        }
    };
    let response = match response {
        Some(response) => response,
        None => private(503, page::render_unavailable(&context), HTML)?,
    };
    with_page_headers(response, &context, "accept-language")
}

/// The response to a path that is another one with a `/` behind it: a redirect to that one.
pub(super) fn redirect_without_slash(request: &Request, path: &str) -> Result<Option<Response>> {
    let Some(target) = without_slash(path) else { return Ok(None) };
    if !matches!(request.inner().method().as_str(), "GET" | "HEAD") {
        return Ok(None);
    }
    let query = super::query_of(request);
    let location = if query.is_empty() { target.to_owned() } else { [target, "?", &query].concat() };
    let response = private(308, String::new(), "")?;
    with_headers(response, &[("location", &location)]).map(Some)
}

/// Returns a path without the `/` at its end, if that is the path of a page.
fn without_slash(path: &str) -> Option<&str> {
    let target = path.trim_end_matches('/');
    let found = match_path(target)?;
    let is_page = found.endpoint.operations.iter().all(|operation| operation.access == Access::Page);
    (is_page && target.len() < path.len() && found.endpoint.template != "/").then_some(target)
}

/// 404: a page in the reader's language for a browser, a problem document for everything else and for paths of the API.
pub(super) fn not_found(request: &Request, env: &Env, path: &str) -> Result<Response> {
    let accept = request.headers().get("accept")?.unwrap_or_default();
    if !wants_page(&accept, path) {
        return response::not_found(path);
    }
    let context = context(request, env)?;
    let response = private(404, page::render_not_found(&context), HTML)?;
    with_page_headers(response, &context, "accept, accept-language")
}

/// Whether a request for a path that does not exist comes from a browser. `*/*` alone does not ask for HTML.
fn wants_page(accept: &str, path: &str) -> bool {
    !path.starts_with("/api/") && weight_of(accept, "text/html").is_some_and(|weight| weight > 0)
}

fn with_page_headers(response: Response, context: &PageContext, vary: &str) -> Result<Response> {
    let language = [("content-language", context.messages.language()), ("vary", vary)];
    with_headers(with_headers(response, &language)?, &page::HEADERS)
}

/// Renders the page once for each response.
fn render(
    page: Page,
    path: &str,
    answer: &Rc<SerializedResponse>,
    context: &PageContext,
) -> Option<RenderedPage> {
    // A page that shows its age changes every second.
    let stale = context.stale_seconds.map_or(String::new(), |age| age.to_string());
    let key =
        [page.as_str(), path, context.messages.language(), &context.query, &context.origin, &stale].join(" ");
    let known = RENDERED.with_borrow_mut(|all| all.find(&key, answer));
    if known.is_some() {
        return known;
    }
    let page = RenderedPage::new(page.render(&answer.response, context)?);
    RENDERED.with_borrow_mut(|all| all.insert(key, answer, page.clone()));
    Some(page)
}

/// The title, logo and links of the page, which are read once.
pub(super) fn branding(env: &Env) -> Rc<Branding> {
    BRANDING.with(|branding| Rc::clone(branding.get_or_init(|| Rc::new(settings::read_branding(env).0))))
}

/// Builds the context of the page in the language of `?lang=`, else in the one that the browser prefers.
fn context(request: &Request, env: &Env) -> Result<PageContext> {
    let query = Query::parse_lenient(&super::query_of(request));
    let chosen = query.value("lang").and_then(page::find_language);
    let accept = request.headers().get("accept-language")?;
    let language = page::negotiate_language(chosen, accept.as_deref());
    Ok(PageContext {
        messages: Messages::load(language),
        query: chosen.map_or(String::new(), |tag| format!("?lang={tag}")),
        branding: branding(env),
        push_key: PUSH_KEY.with(|key| key.get_or_init(|| settings::read_push_key(env)).clone()),
        stale_seconds: None,
        origin: super::origin(request, env).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_a_page_in_place_of_a_problem_document() {
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert!(wants_page(browser, "/monitors/nope"));
        assert!(!wants_page(browser, "/api/v1/nope"));
        assert!(!wants_page("*/*", "/monitors/nope") && !wants_page("", "/nope"));
        assert!(!wants_page("text/html;q=0, */*", "/nope") && wants_page("TEXT/HTML;q=0.1", "/nope"));
    }

    #[test]
    fn a_slash_at_the_end_of_a_path_is_left_out() {
        let cases = [
            ("/monitors/api/", Some("/monitors/api")),
            ("/incidents/api-1767225600//", Some("/incidents/api-1767225600")),
            ("/api/v1/status/", None),
            ("/monitors/api", None),
            ("/", None),
            ("//", None),
            ("//evil.example/", None),
            ("/monitors/A_B/", None),
            ("/nope/", None),
            ("/api/v1/admin/status/", None),
        ];
        for (path, expected) in cases {
            assert_eq!(without_slash(path), expected, "{path}");
        }
    }
}
