//! Who answers what, and what an answer is.

use heapbeat_shared::UnixMillis;
use worker::{Method, Request, Result};

use super::{Hub, Told};
use crate::fleet::address::named;
use crate::web::api;

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
        let url = request.inner().url();
        let (path, number) = (request.path(), named(&url));
        if !matches!(path.as_str(), "/share" | "/import") {
            match self.elsewhere(&path, number) {
                Ok(None) => {}
                Ok(Some(hub)) if hub == number => return Ok(Ok(Finished::found(None))),
                Ok(Some(hub)) => return Ok(Ok(Finished { status: 421, body: hub.to_string() })),
                Err(error) => return Ok(Err(error)),
            }
        }
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let method = request.method();
        // The front has seen to how long it is.
        let body = if method == Method::Get { String::new() } else { request.text().await? };
        Ok(match (method, path.as_str()) {
            (Method::Post, "/tick") => match query.strip_prefix("at=").and_then(|at| at.parse().ok()) {
                Some(at) => {
                    let ticked = self.tick(UnixMillis(at)).await;
                    self.arm(false).await;
                    ticked.map(|outcome| Finished::ok(outcome.as_str().to_owned()))
                }
                None => Ok(Finished::refused(400, "a tick has an instant")),
            },
            (Method::Post, "/look") => self.look(&body).await,
            (Method::Put, "/monitors") => self.put_monitors(&body, query == "dry-run=true").await,
            (Method::Put, "/maintenance") => self.set_maintenance(&body).await,
            (method, path) => self.at_once(&method, path, query, &body),
        })
    }

    /// The answer to what needs nobody else.
    fn at_once(&self, method: &Method, path: &str, query: &str, body: &str) -> Told<Finished> {
        match (method, path) {
            (Method::Get, "/page" | "/status" | "/status/all") => {
                let silent = query.strip_prefix("of=").and_then(|hub| hub.parse().ok());
                match path {
                    "/page" => self.status_page(silent),
                    _ => self.status(path == "/status", silent),
                }
                .map(Finished::ok)
            }
            (Method::Get, "/incidents") => self.told_incidents(query).map(Finished::ok),
            (Method::Get, "/monitors") => self.get_monitors(),
            (Method::Get, "/export") => self.export(query),
            (Method::Post, "/import") => self.import(query, body),
            (Method::Get, "/maintenance") => self.get_maintenance(),
            (Method::Get, "/subscriptions") => self.get_subscriptions(),
            (Method::Post | Method::Delete, "/subscriptions") => {
                self.subscribe(body, *method == Method::Post)
            }
            (Method::Put, "/share") => self.take_share(query, body),
            (Method::Get, path) if path.ends_with("/page") => self.page(path, query).map(Finished::found),
            (method, path) => match (method, path.split_at(path.rfind('/').unwrap_or_default())) {
                (Method::Get, ("/incidents", id)) => self.get_incident(&id[1..]).map(Finished::found),
                (Method::Post, ("/incidents", id)) => self.order(&id[1..], body),
                (Method::Post, ("/heartbeats", id)) => self.hear(&id[1..], query),
                (Method::Get, _) => self.history(path, query).map(Finished::found),
                _ => Ok(Finished::found(None)),
            },
        }
    }
}
