//! What wants a token, or a proof: the owner's requests, jobs that tell, and who wants to be told.

use worker::{Env, Method, Request, Response, Result, console_error};

use super::query_params::question;
use super::response::{JSON, NDJSON, missing, of_hub, problem, unanswered, with_headers};
use super::table::{Path, Route};
use super::{query_of, rate_limit, subscribe};
use crate::fleet;
use crate::platform::env;
use crate::web::admin;
use crate::web::admin::{Entry, LONGEST_LIST};

/// Longest page of an export that is taken in, in bytes.
const LONGEST_PAGE: usize = 8 * 1024 * 1024;

/// A request of the owner's, of a job or of who wants to be told, handed to the hub where the token, or the proof, is right. How long its body is has to be known
/// before it is read.
pub(super) async fn answer(request: &mut Request, env: &Env, entry: &Path, path: &str) -> Result<Response> {
    let route = entry.route;
    let asks = route == Route::Subscriptions;
    if asks && env::subscriptions(env).unwrap_or_default() == 0 {
        return missing(path);
    }
    if !asks && let Some(refused) = refuse(request, &env::tokens(env, route == Route::Heartbeat))? {
        rate_limit::is_over(env, &rate_limit::key(request, entry), rate_limit::MORE).await;
        return Ok(refused);
    }
    let question = match question(route, path, &query_of(request)) {
        Ok(question) => question,
        Err(reason) => return problem(400, &reason),
    };
    let longest = match route {
        Route::Import => LONGEST_PAGE,
        Route::Subscriptions | Route::AdminSubscriptions => subscribe::LONGEST,
        _ => LONGEST_LIST,
    };
    let (method, mut body) = match request.method() {
        Method::Get | Method::Head => (Method::Get, None),
        method if route == Route::Heartbeat => (method, None),
        method => match request.headers().get("content-length")?.map(|length| length.parse::<usize>()) {
            Some(Ok(length)) if length <= longest => (method, Some(request.text().await?)),
            Some(_) => return problem(413, &format!("send at most {longest} bytes")),
            None => return problem(411, "send the body with a Content-Length"),
        },
    };
    if let Some(text) = body.as_mut().filter(|_| asks || route == Route::AdminSubscriptions) {
        match subscribe::line(request, env, text, asks).await? {
            Ok(line) => *text = line,
            Err(refused) => return Ok(refused),
        }
    }
    match fleet::tell(env, method, &question, body).await {
        // A hub says 503 itself; this is one that broke.
        Ok((500, _)) => unanswered(),
        Ok((status, text)) => of_hub(status, text, if route == Route::Export { NDJSON } else { JSON }),
        Err(error) => {
            console_error!("{path}: {error}");
            unanswered()
        }
    }
}

/// The answer to somebody who may not; nothing where the token is right.
fn refuse(request: &Request, good: &[Option<String>]) -> Result<Option<Response>> {
    let authorization = request.headers().get("authorization")?;
    Ok(Some(match admin::entry(authorization.as_deref(), good) {
        Entry::Granted => return Ok(None),
        Entry::Closed => problem(
            403,
            "nobody may do this: the secret ADMIN_TOKEN is not set, or has less than 16 characters",
        )?,
        Entry::Refused => with_headers(
            problem(401, "this wants Authorization: Bearer and the right token")?,
            &[("www-authenticate", "Bearer")],
        )?,
    }))
}
