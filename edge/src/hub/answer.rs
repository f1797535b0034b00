//! Who answers what, and what an answer is.

use heapbeat_shared::UnixMillis;
use worker::{Method, Request, Result};

use super::{Hub, Told, admin};
use crate::api;
use crate::fleet::address::named;

/// What the hub answers, finished.
pub(super) struct Finished {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Finished {
    pub(super) fn ok(body: String) -> Self {
        Finished { status: 200, body }
    }

    /// What was looked for, or that there is no such thing.
    pub(super) fn found(body: Option<String>) -> Self {
        body.map_or_else(|| Finished::refused(404, "there is no such thing"), Finished::ok)
    }

    /// An error, as RFC 9457 has it.
    pub(super) fn refused(status: u16, detail: &str) -> Self {
        let title = match status {
            400 => "Bad Request",
            404 => "Not Found",
            409 => "Conflict",
            _ => "Service Unavailable",
        };
        Finished { status, body: api::problem_json(status, title, detail) }
    }
}

impl Hub {
    /// The answer, or why the hub has none.
    pub(super) async fn answer(&self, request: &mut Request) -> Result<Told<Finished>> {
        let (path, number) = (request.path(), named(&request.inner().url()));
        if !matches!(path.as_str(), "/share" | "/import") {
            match self.elsewhere(&path, number) {
                Ok(None) => {}
                Ok(Some(hub)) if hub == number => return Ok(Ok(Finished::found(None))),
                Ok(Some(hub)) => return Ok(Ok(Finished { status: 421, body: hub.to_string() })),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(match (request.method(), path.as_str()) {
            (Method::Post, "/tick") => match instant(request) {
                Some(at) => {
                    let ticked = self.tick(at).await;
                    self.arm(false).await;
                    ticked.map(|outcome| Finished::ok(outcome.as_str().to_owned()))
                }
                None => Ok(Finished::refused(400, "a tick has an instant")),
            },
            (Method::Get, "/page") => self.status_page().map(Finished::ok),
            (Method::Get, path @ ("/status" | "/status/all")) => {
                let silent = query(request).and_then(|query| query.strip_prefix("of=")?.parse().ok());
                self.status(path == "/status", silent).map(Finished::ok)
            }
            (Method::Get, "/incidents") => {
                self.told_incidents(&query(request).unwrap_or_default()).map(Finished::ok)
            }
            (Method::Get, "/monitors") => self.get_monitors(),
            (Method::Put, "/monitors") => {
                let dry_run = query(request).is_some_and(|query| query == "dry-run=true");
                let body = admin::read_list(request).await?;
                self.put_monitors(&body, dry_run).await
            }
            (Method::Get, path) if path.ends_with("/page") => self.page(path, request).map(Finished::found),
            (Method::Get, path) if path.starts_with("/incidents/") => {
                self.get_incident(&path["/incidents/".len()..]).map(Finished::found)
            }
            (Method::Post, path) if path.starts_with("/incidents/") => {
                let id = path["/incidents/".len()..].to_owned();
                let body = admin::read_list(request).await?;
                self.order(&id, &body)
            }
            (Method::Get, "/export") => self.export(&query(request).unwrap_or_default()),
            (Method::Post, "/import") => {
                let schema = query(request).unwrap_or_default();
                let body = request.text().await?;
                self.import(&schema, &body)
            }
            (Method::Get, "/maintenance") => self.get_maintenance(),
            (Method::Put, "/maintenance") => {
                let body = admin::read_list(request).await?;
                self.set_maintenance(&body).await
            }
            (Method::Put, "/share") => {
                let body = admin::read_list(request).await?;
                self.take_share(&query(request).unwrap_or_default(), &body)
            }
            (Method::Post, path) if path.starts_with("/heartbeats/") => {
                self.hear(&path["/heartbeats/".len()..], &query(request).unwrap_or_default())
            }
            (Method::Get, path) => self.history(path, request).map(Finished::found),
            _ => Ok(Finished::found(None)),
        })
    }
}

/// What stands behind the `?`.
fn query(request: &Request) -> Option<String> {
    request.inner().url().split_once('?').map(|(_, query)| query.to_owned())
}

/// The number after the `=` of the only query parameter that there is.
fn instant(request: &Request) -> Option<UnixMillis> {
    let url = request.inner().url();
    url.rsplit_once('=')?.1.parse().ok().map(UnixMillis)
}
