//! Pages for people: `/`, `/monitors/{id}`, `/incidents/{id}` and the picture that goes with a link.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use worker::{Env, Request, Response, Result};

use super::cache::Answer;
use super::cached_fetch::{Fetched, fetch};
use super::hub_request::request as hub_request;
use super::query::Query;
use super::response;
use super::response::{STALE_MS, not_found, private, with_headers};
use super::route::Route;
use crate::platform::{env, js};
use crate::web::page;
use crate::web::page::{Messages, Page, Reader, Site};

const HTML: &str = "text/html; charset=utf-8";

/// Most finished pages that are kept: in six languages those that are looked at.
const MOST_MADE: usize = 24;

/// A finished page: what it is of and in which language, the hubs' answer, and the page.
struct Made {
    key: String,
    answer: Rc<Answer>,
    page: Rc<str>,
}

thread_local! {
    /// The languages that were asked for so far: six at most.
    static MESSAGES: RefCell<Vec<Rc<Messages>>> = const { RefCell::new(Vec::new()) };
    /// What the owner says of the page: variables are the same for as long as the isolate lives.
    static SITE: OnceCell<Rc<Site>> = const { OnceCell::new() };
    /// The key with which browsers ask to be told.
    static PUSH: OnceCell<Option<String>> = const { OnceCell::new() };
    /// Pages of answers that still stand on the shelf, the newest last.
    static MADE: RefCell<Vec<Made>> = const { RefCell::new(Vec::new()) };
}

/// Renders the page of a route, or a page without any claim if the hub does not answer.
pub(super) async fn answer(request: &Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let page = match route {
        Route::MonitorPage { .. } => Page::Monitor,
        Route::IncidentPage { .. } => Page::Incident,
        Route::Preview => Page::Preview,
        _ => Page::Status,
    };
    let Some(asked) = hub_request(route) else { return not_found(path) };
    let mut reader = reader(request, env).await?;
    let response = match fetch(env, &asked).await {
        Fetched::NotFound => return not_found(path),
        Fetched::Answer(cached) => {
            reader.stale = (cached.age_ms >= STALE_MS).then(|| cached.age_ms.unsigned_abs() / 1000);
            let kind = if page == Page::Preview { "image/svg+xml" } else { HTML };
            match made(page, path, &cached.answer, &reader) {
                Some(page) => Some(response::public(request, &page, cached.age_ms, kind)?),
                None => None,
            }
        }
        Fetched::Failed => None,
    };
    let response = match response {
        Some(response) => response,
        None => private(503, page::unavailable(&reader), HTML)?,
    };
    let language = [("content-language", reader.messages.language()), ("vary", "accept-language")];
    with_headers(with_headers(response, &language)?, &page::HEADERS)
}

/// The page, made once of one answer.
fn made(page: Page, path: &str, answer: &Rc<Answer>, reader: &Reader) -> Option<Rc<str>> {
    // A page that says how old it is, is another one every second.
    let stale = reader.stale.map_or(String::new(), |age| age.to_string());
    let key =
        [page.as_str(), path, reader.messages.language(), &reader.query, &reader.origin, &stale].join(" ");
    let known = MADE.with_borrow(|all| {
        let found = all.iter().find(|it| it.key == key && Rc::ptr_eq(&it.answer, answer));
        found.map(|it| Rc::clone(&it.page))
    });
    if known.is_some() {
        return known;
    }
    let page: Rc<str> = page.make(&answer.response, reader)?.into();
    MADE.with_borrow_mut(|all| {
        all.retain(|it| it.key != key);
        if all.len() >= MOST_MADE {
            all.remove(0);
        }
        all.push(Made { key, answer: Rc::clone(answer), page: Rc::clone(&page) });
    });
    Some(page)
}

/// Whom the page is for.
async fn reader(request: &Request, env: &Env) -> Result<Reader> {
    let query = Query::parse_lenient(&super::query_of(request));
    let asked = query.get("lang").filter(|tag| page::LANGUAGES.contains(tag));
    let accept = request.headers().get("accept-language")?;
    let language = page::choose(asked, accept.as_deref());
    let query = asked.map_or(String::new(), |tag| format!("?lang={tag}"));
    Ok(Reader {
        messages: messages(env, language).await?,
        query,
        site: SITE.with(|site| Rc::clone(site.get_or_init(|| Rc::new(env::site(env).0)))),
        push: PUSH.with(|push| push.get_or_init(|| env::push_key(env)).clone()),
        stale: None,
        origin: super::origin(request, env).unwrap_or_default(),
    })
}

/// The texts of `language`, read once.
async fn messages(env: &Env, language: &'static str) -> Result<Rc<Messages>> {
    let known = MESSAGES.with_borrow(|all| all.iter().find(|it| it.language() == language).cloned());
    if let Some(known) = known {
        return Ok(known);
    }
    let text = file(env, &format!("https://assets/pages/{language}.json")).await?;
    let messages =
        Messages::new(language, &text).ok_or("the texts of the pages are damaged: build the edge again")?;
    let messages = Rc::new(messages);
    MESSAGES.with_borrow_mut(|all| all.push(Rc::clone(&messages)));
    Ok(messages)
}

/// A file that the platform keeps.
async fn file(env: &Env, address: &str) -> Result<String> {
    match js::fetch(&env::binding(env, env::ASSETS), &address.into(), |_| ()).await? {
        (200, text) => Ok(text),
        (status, _) => Err(worker::Error::from(format!("status {status}"))),
    }
}
