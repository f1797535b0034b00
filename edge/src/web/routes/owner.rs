//! What needs a token or a proof: the owner's requests, heartbeats of jobs, and subscriptions.

use worker::{Env, Method, Request, Response, Result, console_error};

use super::endpoint::Access;
use super::hub_question::question;
use super::response::{JSON, NDJSON, not_found, of_hub, problem, unavailable, with_headers};
use super::route::Route;
use super::{rate_limit, subscribe};
use crate::fleet;
use crate::platform::env;
use crate::web::admin;
use crate::web::admin::{Authorization, MAX_LIST_BYTES};

/// The longest page of an export that is imported, in bytes.
const MAX_IMPORT_BYTES: usize = 8 * 1024 * 1024;

/// The answer to a request that may not use an operation; `None` if it may.
pub(super) async fn refuse(
    request: &Request,
    env: &Env,
    access: Access,
    path: &str,
) -> Result<Option<Response>> {
    match access {
        Access::Page | Access::Public => Ok(None),
        Access::Subscriber if env::subscriptions(env).unwrap_or_default() == 0 => not_found(path).map(Some),
        Access::Subscriber => Ok(None),
        Access::Job | Access::Owner => {
            let refused = check_token(request, &env::tokens(env, access == Access::Job))?;
            if refused.is_some() {
                rate_limit::is_exceeded(env, &rate_limit::key(request, access), rate_limit::PENALTY).await;
            }
            Ok(refused)
        }
    }
}

/// Hands an authorized request to the hub. The length of its body has to be known before it is read.
pub(super) async fn answer(request: &mut Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let max_bytes = match route {
        Route::Import { .. } => MAX_IMPORT_BYTES,
        Route::Subscribe | Route::Unsubscribe | Route::RemoveSubscription => subscribe::MAX_BYTES,
        _ => MAX_LIST_BYTES,
    };
    let (method, mut body) = match request.method() {
        Method::Get | Method::Head => (Method::Get, None),
        method if matches!(route, Route::Heartbeat { .. }) => (method, None),
        method => match request.headers().get("content-length")?.map(|length| length.parse::<usize>()) {
            Some(Ok(length)) if length <= max_bytes => (method, Some(request.text().await?)),
            Some(_) => return problem(413, &format!("The body may have at most {max_bytes} bytes.")),
            None => return problem(411, "Send the body with a Content-Length."),
        },
    };
    let proof = match route {
        Route::Subscribe | Route::Unsubscribe => Some(true),
        Route::RemoveSubscription => Some(false),
        _ => None,
    };
    if let (Some(needs_proof), Some(text)) = (proof, &mut body) {
        match subscribe::line(request, env, text, needs_proof).await? {
            Ok(line) => *text = line,
            Err(refused) => return Ok(refused),
        }
    }
    match fleet::tell(env, method, &question(route), body).await {
        // A hub says 503 itself; 500 is a hub that broke.
        Ok((500, _)) => unavailable(),
        Ok((status, text)) => {
            of_hub(status, text, if matches!(route, Route::Export { .. }) { NDJSON } else { JSON })
        }
        Err(error) => {
            console_error!("{path}: {error}");
            unavailable()
        }
    }
}

/// The answer to a request without a right token; `None` if the token is right.
fn check_token(request: &Request, accepted: &[Option<String>]) -> Result<Option<Response>> {
    let header = request.headers().get("authorization")?;
    Ok(Some(match admin::authorize(header.as_deref(), accepted) {
        Authorization::Granted => return Ok(None),
        Authorization::Disabled => problem(
            403,
            "The admin API is disabled: the secret ADMIN_TOKEN is not set or has fewer than 16 characters.",
        )?,
        Authorization::Refused => with_headers(
            problem(401, "Send the right token as Authorization: Bearer TOKEN.")?,
            &[("www-authenticate", "Bearer")],
        )?,
    }))
}
