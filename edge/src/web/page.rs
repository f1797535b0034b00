//! Pages for people: pure functions of what the API tells, in the reader's language.
//!
//! Rendered on the server, complete without JavaScript, one style sheet, no request to anybody else. What the hub tells is
//! JSON, the same that machines get ([`crate::web::api`]); `model.rs` adds what a page needs besides, and the templates in
//! `edge/templates` do the rest (`template.rs`). They escape whatever they are given; what a person may not see was not told
//! to begin with.

mod assets;
mod branding;
mod chart;
mod clock;
mod fields;
mod filter;
mod messages;
mod model;
mod sparkline;
mod template;

use std::rc::Rc;

use serde_json::{Map, Value};

pub use branding::Site;
pub use messages::{LANGUAGES, Messages, choose};

use template::Maker;

use crate::hub_api::HubResponse;

/// Headers of every page. Nothing may be loaded from elsewhere, nothing inline runs but the one script of that hash, which
/// sets the chosen theme before anything is painted, and nobody may frame it.
pub const HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; script-src 'self' 'sha256-wB1zyiOXl4yrJG4X9/mMfq55F9OU42Wc22COgPjP3tQ='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// Whom a page is for.
#[derive(Debug)]
pub struct Reader {
    /// In which language.
    pub messages: Rc<Messages>,
    /// `?lang=de` where the reader chose it, else nothing.
    pub query: String,
    /// What the owner says of the page.
    pub site: Rc<Site>,
    /// The key with which browsers ask to be told, where they may.
    pub push: Option<String>,
    /// How old what the hubs told is, in seconds, where they do not answer.
    pub stale: Option<u64>,
    /// Where the page stands, such as `https://status.example.com`; nothing where that is not known.
    pub origin: String,
}

/// The pages that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/`.
    Status,
    /// `/monitors/{id}`.
    Monitor,
    /// `/incidents/{id}`.
    Incident,
    /// The picture that goes with a link to the page.
    Preview,
}

impl Page {
    /// The name of its template.
    pub const fn as_str(self) -> &'static str {
        match self {
            Page::Status => "status",
            Page::Monitor => "monitor",
            Page::Incident => "incident",
            Page::Preview => "preview",
        }
    }

    /// Makes the page of what the hubs answered; `None` where that is not what it should be.
    pub fn make(self, response: &HubResponse, reader: &Reader) -> Option<String> {
        let fields = fields::of(response)?;
        let fields = match self {
            Page::Status | Page::Preview => model::status(fields),
            Page::Monitor | Page::Incident => fields,
        };
        Some(filled(self.as_str(), fields, reader))
    }
}

/// The page at `/` when the hub does not answer: no claim about any monitor.
pub fn unavailable(reader: &Reader) -> String {
    filled("status", model::failed(), reader)
}

fn filled(name: &str, fields: Map<String, Value>, reader: &Reader) -> String {
    let now = fields.get("now").and_then(Value::as_i64).unwrap_or(0);
    let value = model::framed(fields, name, reader);
    Maker::new(&reader.messages, now, &reader.query).make(name, &value)
}

#[cfg(test)]
mod tests;
