//! Operations that need a token or a confirmation: those of the owner, heartbeats of jobs, and subscriptions.

use worker::{Env, Request, Response, Result};

use super::hub_request::request as hub_request;
use super::response::{JSON, NDJSON, hub_error, not_found, private, problem, with_headers};
use super::route::Route;
use super::route_table::Access;
use super::{rate_limit, subscribe};
use crate::fleet;
use crate::hub_api::{ExportHeader, HubRequest, HubResponse};
use crate::monitor_config::MonitorId;
use crate::settings;
use crate::web::admin;
use crate::web::admin::Authorization;
use crate::web::request_body::{
    AddressRequest, BodyError, MaintenanceList, MonitorList, decode_body, parse_body, parse_incident_update,
};

/// The longest list, in bytes: half of what a row of the store holds.
const MAX_LIST_BYTES: usize = 1024 * 1024;

/// The longest page of an export that is imported, in bytes.
const MAX_IMPORT_BYTES: usize = 8 * 1024 * 1024;

/// Checks whether a request may use an operation; `job` is the one that reports. It returns the error response, or `None` if it may.
pub(super) async fn check_access(
    request: &Request,
    env: &Env,
    access: Access,
    job: Option<&MonitorId>,
    path: &str,
) -> Result<Option<Response>> {
    match access {
        Access::Subscriber if settings::read_max_subscriptions(env).unwrap_or_default() == 0 => {
            not_found(path).map(Some)
        }
        Access::Page | Access::Public | Access::Subscriber => Ok(None),
        Access::Job | Access::Owner => {
            let refused =
                check_token(request, &settings::read_tokens(env, job.filter(|_| access == Access::Job)))?;
            if refused.is_some() {
                rate_limit::is_exceeded(env, &rate_limit::client_key(request, access), rate_limit::PENALTY)
                    .await;
            }
            Ok(refused)
        }
    }
}

/// Sends an authorized request to the hub.
pub(super) async fn handle(request: &mut Request, env: &Env, route: &Route, path: &str) -> Result<Response> {
    let asked = match hub_request(route) {
        Some(asked) => asked,
        None => match request_with_body(request, env, route).await? {
            Ok(asked) => asked,
            Err(refused) => return Ok(refused),
        },
    };
    match fleet::request_fleet(env, &asked).await {
        Ok(HubResponse::Done) => private(204, String::new(), ""),
        Ok(response) => {
            let status = if is_refused(&response) { 422 } else { 200 };
            let kind = if matches!(response, HubResponse::Export(_)) { NDJSON } else { JSON };
            private(status, response.to_json(), kind)
        }
        Err(error) => hub_error(&error, path),
    }
}

/// Returns whether a list was rejected because of its problems.
fn is_refused(response: &HubResponse) -> bool {
    match response {
        HubResponse::Applied(answer) => !answer.problems.is_empty(),
        HubResponse::MaintenanceSet(answer) => !answer.applied,
        _ => false,
    }
}

/// Builds the request to the hub from a body, or the error response.
async fn request_with_body(
    request: &mut Request,
    env: &Env,
    route: &Route,
) -> Result<std::result::Result<HubRequest, Response>> {
    let body = match body(request, route).await? {
        Ok(body) => body,
        Err(refused) => return Ok(Err(refused)),
    };
    let request = match route {
        Route::Subscribe => return subscribe::subscribe(request, env, &body).await,
        Route::Unsubscribe => return subscribe::unsubscribe(request, env, &body).await,
        _ => read_body(route, body),
    };
    match request {
        Ok(request) => Ok(Ok(request)),
        Err(error) => problem(400, &error.to_string()).map(Err),
    }
}

/// Builds the request to the hub from a body of the owner.
fn read_body(route: &Route, body: String) -> std::result::Result<HubRequest, BodyError> {
    Ok(match route {
        Route::RemoveSubscription => {
            let AddressRequest { url, .. } = parse_body(&body)?;
            HubRequest::Unsubscribe { url, browser_keys: None, client: None }
        }
        Route::ApplyMonitors { dry_run } => {
            let MonitorList { monitors } = parse_body(&body)?;
            HubRequest::ApplyMonitors { monitors, dry_run: *dry_run }
        }
        Route::AnnounceMaintenance => {
            let MaintenanceList { maintenance } = parse_body(&body)?;
            HubRequest::SetMaintenance { maintenance }
        }
        Route::UpdateIncident { incident } => {
            HubRequest::UpdateIncident { incident: incident.clone(), update: parse_incident_update(&body)? }
        }
        Route::Import { schema } => {
            let hub = ExportHeader::read(&body).map_or(0, |header| header.hub);
            HubRequest::Import { hub, schema: *schema, lines: body }
        }
        _ => return Err(BodyError::new("body", "this request has none")),
    })
}

/// Reads the body of a request, whose `Content-Length` is required.
async fn body(request: &mut Request, route: &Route) -> Result<std::result::Result<String, Response>> {
    let max_bytes = match route {
        Route::Import { .. } => MAX_IMPORT_BYTES,
        Route::Subscribe | Route::Unsubscribe | Route::RemoveSubscription => subscribe::MAX_BYTES,
        _ => MAX_LIST_BYTES,
    };
    match request.headers().get("content-length")?.map(|length| length.parse::<usize>()) {
        Some(Ok(length)) if length <= max_bytes => match decode_body(request.bytes().await?) {
            Ok(text) => Ok(Ok(text)),
            Err(error) => problem(400, &error.to_string()).map(Err),
        },
        Some(_) => problem(413, &format!("The body may have at most {max_bytes} bytes.")).map(Err),
        None => problem(411, "Send the body with a Content-Length.").map(Err),
    }
}

/// Checks the token of a request. It returns the error response, or `None` if the token is right.
fn check_token(request: &Request, accepted: &[Option<String>]) -> Result<Option<Response>> {
    let header = request.headers().get("authorization")?;
    Ok(Some(match admin::authorize(header.as_deref(), accepted) {
        Authorization::Granted => return Ok(None),
        Authorization::Disabled if accepted.len() > 1 => problem(
            403,
            "Heartbeats are disabled: neither the secret HEARTBEAT_TOKEN nor ADMIN_TOKEN is set to at least 16 characters.",
        )?,
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
