//! What needs a token or a proof: the owner's requests, heartbeats of jobs, and subscriptions.

use worker::{Env, Request, Response, Result};

use super::endpoint::Access;
use super::hub_request::request as hub_request;
use super::response::{JSON, NDJSON, hub_error, not_found, private, problem, with_headers};
use super::route::Route;
use super::{rate_limit, subscribe};
use crate::domain::incident::actions::IncidentUpdate;
use crate::fleet;
use crate::hub_api::{ExportHeader, HubRequest, HubResponse};
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
        Access::Subscriber if env::subscriptions(env).unwrap_or_default() == 0 => not_found(path).map(Some),
        Access::Page | Access::Public | Access::Subscriber => Ok(None),
        Access::Job | Access::Owner => {
            let refused = check_token(request, &env::tokens(env, access == Access::Job))?;
            if refused.is_some() {
                rate_limit::is_exceeded(env, &rate_limit::key(request, access), rate_limit::PENALTY).await;
            }
            Ok(refused)
        }
    }
}

/// Hands an authorized request to the hub.
pub(super) async fn answer(request: &mut Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let asked = match hub_request(route) {
        Some(asked) => asked,
        None => match request_with_body(request, env, route).await? {
            Ok(asked) => asked,
            Err(refused) => return Ok(refused),
        },
    };
    match fleet::ask(env, &asked).await {
        Ok(HubResponse::Done) => private(204, String::new(), ""),
        Ok(response) => {
            let status = if is_refused(&response) { 422 } else { 200 };
            let kind = if matches!(response, HubResponse::Export(_)) { NDJSON } else { JSON };
            private(status, response.to_json(), kind)
        }
        Err(error) => hub_error(&error, path),
    }
}

/// Whether a list was rejected because of its problems.
fn is_refused(response: &HubResponse) -> bool {
    match response {
        HubResponse::Applied(answer) => !answer.problems.is_empty(),
        HubResponse::MaintenanceSet(answer) => !answer.applied,
        _ => false,
    }
}

/// The request to the hub that the body of a request makes, or the answer of an error.
async fn request_with_body(
    request: &mut Request,
    env: &Env,
    route: &Route,
) -> Result<std::result::Result<HubRequest, Response>> {
    let body = match body(request, route).await? {
        Ok(body) => body,
        Err(refused) => return Ok(Err(refused)),
    };
    let asked = match route {
        Route::Subscribe => return subscribe::subscription(request, env, &body).await,
        Route::Unsubscribe => return subscribe::end(request, env, &body).await,
        Route::RemoveSubscription => match subscribe::url(&body) {
            Some(url) => Ok(HubRequest::Unsubscribe { url, browser_keys: None }),
            None => Err(subscribe::EXAMPLE.to_owned()),
        },
        Route::ApplyMonitors { dry_run } => {
            let dry_run = *dry_run;
            admin::read_list(&body).map(|monitors| HubRequest::ApplyMonitors { monitors, dry_run })
        }
        Route::AnnounceMaintenance => {
            let list = admin::read_named(&body, "maintenance");
            list.map(|maintenance| HubRequest::SetMaintenance { maintenance })
        }
        Route::UpdateIncident { incident } => {
            let incident = incident.clone();
            IncidentUpdate::parse(&body).map(|update| HubRequest::UpdateIncident { incident, update })
        }
        Route::Import { schema } => {
            let hub = ExportHeader::read(&body).map_or(0, |header| header.hub);
            Ok(HubRequest::Import { hub, schema: *schema, lines: body })
        }
        _ => Err("This request has no body.".to_owned()),
    };
    match asked {
        Ok(asked) => Ok(Ok(asked)),
        Err(reason) => problem(400, &reason).map(Err),
    }
}

/// The body of a request. Its length has to be known before it is read.
async fn body(request: &mut Request, route: &Route) -> Result<std::result::Result<String, Response>> {
    let max_bytes = match route {
        Route::Import { .. } => MAX_IMPORT_BYTES,
        Route::Subscribe | Route::Unsubscribe | Route::RemoveSubscription => subscribe::MAX_BYTES,
        _ => MAX_LIST_BYTES,
    };
    match request.headers().get("content-length")?.map(|length| length.parse::<usize>()) {
        Some(Ok(length)) if length <= max_bytes => request.text().await.map(Ok),
        Some(_) => problem(413, &format!("The body may have at most {max_bytes} bytes.")).map(Err),
        None => problem(411, "Send the body with a Content-Length.").map(Err),
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
