//! What anybody may read, for machines.

use std::time::Duration;

use heapbeat_shared::units::parse_duration;
use worker::{Env, Request, Response, Result};

use super::reply::{CACHE_CONTROL, json, problem, unanswered};
use crate::hub;
use crate::watch::ledger;

/// What the hub says to `question`, which somebody asked for at `path`.
pub(super) async fn told(env: &Env, path: &str, question: &str) -> Result<Response> {
    match hub::ask(env, question).await {
        Ok(Some(body)) => json(200, body, "application/json", CACHE_CONTROL),
        Ok(None) => problem(404, "Not Found", &format!("there is nothing at {path}")),
        Err(error) => unanswered(path, &error),
    }
}

/// `/api/v1/monitors/{id}/memory?from=&to=` (any instant that JavaScript reads, or Unix milliseconds) and
/// `/api/v1/monitors/{id}/uptime?window=30d`.
pub(super) async fn history(path: &str, request: &Request, env: &Env) -> Result<Response> {
    let what = path.trim_start_matches("/api/v1/monitors/");
    // The platform's own `URL`: a parser in the Worker would bring its tables of international names along.
    let query = web_sys::Url::new(&request.inner().url())?.search_params();
    let value = |name: &str| query.get(name);
    let numbers = if what.ends_with("/uptime") {
        match value("window").as_deref().map_or(Ok(Duration::from_secs(86_400)), parse_duration) {
            Ok(window) if !window.is_zero() && window <= ledger::KEPT => {
                (window.as_secs() * 1000).to_string()
            }
            _ => return problem(400, "Bad Request", "window is a duration up to 91d, such as 24h or 30d"),
        }
    } else {
        let (from, to) = (value("from").map(|text| instant(&text)), value("to").map(|text| instant(&text)));
        match (from, to) {
            (Some(None), _) | (_, Some(None)) => {
                return problem(400, "Bad Request", "from and to are instants, such as 2026-01-01T00:00:00Z");
            }
            (Some(Some(from)), Some(Some(to))) if from >= to => {
                return problem(400, "Bad Request", "from has to be before to");
            }
            (from, to) => {
                let shown = |at: Option<Option<i64>>| at.flatten().map_or(String::new(), |at| at.to_string());
                format!("{}-{}", shown(to), shown(from))
            }
        }
    };
    told(env, path, &format!("/monitors/{what}?{numbers}")).await
}

/// An instant of the query, in Unix milliseconds.
fn instant(text: &str) -> Option<i64> {
    let read = text.parse().ok().or_else(|| {
        let millis = js_sys::Date::parse(text);
        // Whole, and far below 2^53.
        #[allow(clippy::cast_possible_truncation)]
        millis.is_finite().then_some(millis as i64)
    });
    read.filter(|at| *at > 0)
}
