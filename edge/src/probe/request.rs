//! The request of a probe: method, headers and body, at the first address and at those that redirects lead to.
//!
//! The configured headers and the body are sent to the origin of the configured address only, wherever a target redirects to: the owner
//! wrote them for that server, and any of them may be a credential.

use std::cell::RefCell;

use wasm_bindgen::JsValue;
use worker::Result;

use super::context::ProbeHeader;
use super::signed_request::SignedRequest;
use crate::monitor_config::{Monitor, Target};
use crate::platform::fetch::OutgoingRequest;

/// The header `User-Agent` of every probe.
pub(super) const USER_AGENT: &str =
    concat!("heapbeat/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");

/// The requests of a tick that differ in their address only, by their header `Accept`. Each is built once, as building one costs
/// as much as sending it.
#[derive(Debug, Default)]
pub(super) struct SharedRequests(RefCell<Vec<(&'static str, OutgoingRequest)>>);

impl SharedRequests {
    fn get_or_build(
        &self,
        accept: &'static str,
        build: impl FnOnce() -> Result<OutgoingRequest>,
    ) -> Result<OutgoingRequest> {
        if let Some((_, known)) = self.0.borrow().iter().find(|(other, _)| *other == accept) {
            return Ok(known.clone());
        }
        let request = build()?;
        self.0.borrow_mut().push((accept, request.clone()));
        Ok(request)
    }
}

/// The request of one probe, which a redirect may change.
#[derive(Debug)]
pub(super) struct ProbeRequest<'m> {
    accept: &'static str,
    method: &'static str,
    headers: &'m [ProbeHeader],
    body: Option<&'m str>,
    /// Whether a redirect removed the body, and with it the headers that describe it.
    has_lost_body: bool,
    /// Whether redirects are followed.
    pub(super) follows_redirects: bool,
}

impl<'m> ProbeRequest<'m> {
    /// Creates the first request of a probe of `monitor`.
    pub(super) fn new(monitor: &'m Monitor, headers: &'m [ProbeHeader]) -> Self {
        let get = ProbeRequest {
            accept: "*/*",
            method: "GET",
            headers,
            body: None,
            has_lost_body: false,
            follows_redirects: true,
        };
        match &monitor.target {
            Target::Heapbeat { .. } => ProbeRequest { accept: "application/json", ..get },
            Target::Http(check) => ProbeRequest {
                method: check.method,
                body: check.body.as_deref(),
                follows_redirects: check.follow_redirects,
                ..get
            },
            Target::Tcp(_) | Target::Dns(_) | Target::Heartbeat(_) => get,
        }
    }

    /// Changes the request after a redirect with `status` as the Fetch standard requires: `POST` becomes `GET` after 301, 302
    /// and 303, and anything but `HEAD` after 303.
    pub(super) fn apply_redirect(&mut self, status: u16) {
        let becomes_get = match status {
            303 => self.method != "HEAD",
            301 | 302 => self.method == "POST",
            _ => false,
        };
        if becomes_get {
            self.method = "GET";
            self.has_lost_body |= self.body.take().is_some();
        }
    }

    /// Removes everything that was configured for the first origin, as a redirect led to another one. It stays removed, also where a
    /// further redirect leads back.
    pub(super) fn leave_origin(&mut self) {
        self.headers = &[];
        if self.body.take().is_some() || self.method != "HEAD" {
            self.method = "GET";
        }
    }

    /// Builds the request for the platform.
    pub(super) fn build(
        &self,
        signed: Option<&SignedRequest>,
        shared: &SharedRequests,
    ) -> Result<OutgoingRequest> {
        let own = [("user-agent", USER_AGENT), ("accept", self.accept)];
        let request = if self.method == "GET" && self.headers.is_empty() && self.body.is_none() {
            shared.get_or_build(self.accept, || OutgoingRequest::new("GET", own, &JsValue::UNDEFINED))?
        } else {
            let describes_body = |name: &str| name.to_ascii_lowercase().starts_with("content-");
            let configured =
                self.headers.iter().filter(|header| !(self.has_lost_body && describes_body(&header.name)));
            let configured = configured.map(|header| (header.name.as_str(), header.value.as_str()));
            OutgoingRequest::new(self.method, own.into_iter().chain(configured), &self.body.into())?
        };
        match signed.map(SignedRequest::header) {
            Some((name, value)) => request.with_header(name, &value),
            None => Ok(request),
        }
    }
}
