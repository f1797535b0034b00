//! What is sent: the method, the headers and the body, at the first address and at those that redirects lead to.
//!
//! A header that holds a secret goes to the origin that it was meant for and to no other, wherever a target points.

use std::cell::RefCell;

use litemap::LiteMap;
use wasm_bindgen::JsValue;

use super::sign::Question;
use crate::config::{Monitor, MonitorId, Target};
use crate::domain::ProbeSkipped;
use crate::platform::fetch_request::Outgoing;

/// The headers of each monitor that has some, secrets put in; or that a secret is not there.
pub type Sent = LiteMap<MonitorId, Result<Vec<SentHeader>, ProbeSkipped>>;

/// A header as it is sent.
#[derive(Clone)]
pub struct SentHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it holds a secret.
    pub secret: bool,
}

impl std::fmt::Debug for SentHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

/// The requests of a tick that differ in nothing but their address, by what they accept. Each is made once: what it is made
/// of costs as much as sending it.
#[derive(Debug, Default)]
pub(super) struct Plain(RefCell<Vec<(&'static str, Outgoing)>>);

impl Plain {
    fn get(
        &self,
        accept: &'static str,
        make: impl FnOnce() -> Result<Outgoing, JsValue>,
    ) -> Result<Outgoing, JsValue> {
        if let Some((_, known)) = self.0.borrow().iter().find(|(other, _)| *other == accept) {
            return Ok(known.clone());
        }
        let fresh = make()?;
        self.0.borrow_mut().push((accept, fresh.clone()));
        Ok(fresh)
    }
}

/// What a probe says of itself.
const USER_AGENT: &str =
    concat!("heapbeat/", env!("CARGO_PKG_VERSION"), " (+https://github.com/heapbeat/heapbeat)");

/// What one probe sends; a redirect may change it on the way.
#[derive(Debug)]
pub(super) struct Sending<'m> {
    accept: &'static str,
    method: &'static str,
    headers: &'m [SentHeader],
    body: Option<&'m str>,
    /// Whether redirects are followed.
    pub(super) follows: bool,
}

impl<'m> Sending<'m> {
    /// What `monitor` sends, at first.
    pub(super) fn new(monitor: &'m Monitor, headers: &'m [SentHeader]) -> Self {
        let plain = Sending { accept: "*/*", method: "GET", headers, body: None, follows: true };
        match &monitor.target {
            Target::Heapbeat { .. } => Sending { accept: "application/json", ..plain },
            Target::Http(check) => Sending {
                method: check.method,
                body: check.body.as_deref(),
                follows: check.follow_redirects,
                ..plain
            },
            Target::Tcp(_) | Target::Heartbeat(_) => plain,
        }
    }

    /// What is left to send after a redirect with `status`, as the Fetch standard has it: a `POST` becomes a `GET`,
    /// except where 307 or 308 forbid it.
    pub(super) fn redirected(&mut self, status: u16) {
        let becomes_get = match status {
            303 => self.method != "HEAD",
            301 | 302 => self.method == "POST",
            _ => false,
        };
        if becomes_get {
            self.method = "GET";
            self.body = None;
        }
    }

    /// The request. `at_home`: it goes to the origin that secrets were meant for.
    pub(super) fn request(
        &self,
        at_home: bool,
        question: Option<&Question>,
        plain: &Plain,
    ) -> Result<Outgoing, JsValue> {
        let ours = [("user-agent", USER_AGENT), ("accept", self.accept)];
        let request = if self.method == "GET" && self.headers.is_empty() && self.body.is_none() {
            plain.get(self.accept, || Outgoing::new("GET", ours, &JsValue::UNDEFINED))?
        } else {
            let theirs = self.headers.iter().filter(|header| at_home || !header.secret);
            let theirs = theirs.map(|header| (header.name.as_str(), header.value.as_str()));
            Outgoing::new(self.method, ours.into_iter().chain(theirs), &self.body.into())?
        };
        match question.map(Question::header) {
            Some((name, value)) => request.with(name, &value),
            None => Ok(request),
        }
    }
}
