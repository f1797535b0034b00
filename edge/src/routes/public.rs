//! What anybody may read, for machines.

use worker::{Env, Request, Response, Result};

use super::ask;
use super::keep::{Kept, asked};
use super::reply::{self, JSON, copied, missing, problem, unanswered};
use super::table::Route;
use crate::api;

/// Answers a question of the API.
pub(super) async fn answer(request: &Request, env: &Env, route: Route, path: &str) -> Result<Response> {
    let question = match ask::question(route, path, &super::query_of(request)) {
        Ok(question) => question,
        Err(reason) => return problem(400, &reason),
    };
    let copy = match asked(env, &question).await {
        Kept::Copy(copy) => copy,
        Kept::Missing => return missing(path),
        Kept::Failed => return unanswered(),
    };
    match route {
        Route::Incidents => {
            let (body, next) = api::incidents_page(&copy.body, ask::limit(&question));
            let response = reply::public(request, &body, copy.age_ms, JSON)?;
            match next {
                Some(next) => reply::with_headers(response, &[("link", &format!("<{next}>; rel=\"next\""))]),
                None => Ok(response),
            }
        }
        _ => copied(request, &copy, JSON),
    }
}
