//! The HTML pages: pure functions of the hubs' responses, in the visitor's language.
//!
//! Pages are rendered on the server and complete without JavaScript: one style sheet, and no request to another site. A page is
//! an `askama` template (`edge/templates`) over typed values (`crate::view`). Templates are compiled, so a field that is
//! missing or misspelled fails the build, and a page costs no parsing; minijinja would parse templates at run time, report such
//! mistakes only then, and convert values to a dynamic type. askama escapes every value but
//! `markup::Markup`. Texts come from Fluent (`messages`).

mod assets;
mod chart;
mod clock;
mod headline;
mod language;
mod markup;
mod messages;
mod monitor_list;
mod renderer;
mod sparkline;
mod templates;

use std::rc::Rc;

pub use language::{LANGUAGES, find_language, negotiate_language};
pub use messages::Messages;

use crate::hub_api::HubResponse;
use crate::settings::Branding;

/// The security headers of every page. Nothing may be loaded from another site, and no site may frame the page. The only inline script
/// is the one with this hash, which sets the chosen theme before the first paint.
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

/// The values of every page that do not come from a hub.
#[derive(Debug)]
pub struct PageContext {
    /// The texts in the visitor's language.
    pub messages: Rc<Messages>,
    /// `?lang=de` if the visitor chose the language, else empty.
    pub query: String,
    /// The owner's title, logo, colors and links.
    pub branding: Rc<Branding>,
    /// The public key with which a browser subscribes to notifications; `None` if the edge sends none.
    pub push_key: Option<String>,
    /// The age of the response in seconds, if the hubs do not respond and an old response is shown.
    pub stale_seconds: Option<u64>,
    /// The scheme and host of the page, such as `https://status.example.com`; empty if it is unknown.
    pub origin: String,
}

/// The kinds of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The status page, `/`.
    Status,
    /// The page of a monitor, `/monitors/{id}`.
    Monitor,
    /// The page of an incident, `/incidents/{id}`.
    Incident,
    /// The preview picture of links to the page, `/preview.svg`.
    Preview,
}

impl Page {
    /// Returns the page's name in keys of a cache.
    pub const fn as_str(self) -> &'static str {
        match self {
            Page::Status => "status",
            Page::Monitor => "monitor",
            Page::Incident => "incident",
            Page::Preview => "preview",
        }
    }

    /// Renders the page of a response; `None` if the response is for another page.
    pub fn render(self, answer: &HubResponse, context: &PageContext) -> Option<String> {
        match (self, answer) {
            (Page::Status, HubResponse::StatusPage(view)) => Some(templates::status(view, context)),
            (Page::Preview, HubResponse::StatusPage(view)) => Some(templates::preview(view, context)),
            (Page::Monitor, HubResponse::MonitorPage(view)) => Some(templates::monitor(view, context)),
            (Page::Incident, HubResponse::IncidentPage(view)) => Some(templates::incident(view, context)),
            _ => None,
        }
    }
}

/// Renders the page for when the hubs do not respond. It shows no monitor.
pub fn render_unavailable(context: &PageContext) -> String {
    templates::unavailable(context)
}

/// Renders the page on which the owner sees the alert channels. It contains nothing but the form: its script fetches the rest with the
/// owner's token.
pub fn render_owner(context: &PageContext) -> String {
    templates::owner(context)
}

/// Renders the page for an address without a page. It links to the status page.
pub fn render_not_found(context: &PageContext) -> String {
    templates::not_found(context)
}

#[cfg(test)]
mod tests;
