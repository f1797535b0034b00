//! `GET /feed.atom` (RFC 4287) and `GET /feed.rss` (RSS 2.0): incidents and announced maintenance.
//!
//! The two formats are serde types that `quick-xml` writes. The crates `atom_syndication` and `rss` model all of both formats, for reading
//! too; a feed here has ten elements.

use std::fmt::Write as _;

use serde::Serialize;

use super::markup::escaped;
use crate::domain::instant::rfc822;
use crate::view::{IncidentView, MaintenanceView, StatusView, Timestamp};

mod atom;
mod rss;

pub use atom::render_atom;
pub use rss::render_rss;

/// The most entries of an incident's timeline in the feed.
const MAX_TIMELINE_ENTRIES: usize = 20;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="utf-8"?>"#;

/// A link of Atom, which RSS borrows for the address of the feed itself.
#[derive(Serialize)]
struct Link {
    #[serde(rename = "@rel")]
    rel: &'static str,
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@href")]
    href: String,
}

/// One entry of a feed.
struct FeedEntry {
    /// The path, which identifies the entry.
    path: String,
    title: String,
    published: Timestamp,
    updated: Timestamp,
    /// HTML.
    content: String,
}

/// Builds the entries: maintenance first, then the incidents in their order.
fn entries(incidents: &[IncidentView], status: &StatusView) -> Vec<FeedEntry> {
    let maintenance = status.maintenance.iter().map(maintenance_entry);
    maintenance.chain(incidents.iter().map(|incident| incident_entry(incident, status))).collect()
}

fn incident_entry(incident: &IncidentView, status: &StatusView) -> FeedEntry {
    let id = incident.monitor.as_str();
    let name = status.monitors.iter().find(|monitor| monitor.id == id).map_or(id, |monitor| &monitor.name);
    let resolved = if incident.closed.is_some() { " (resolved)" } else { "" };
    let mut content = format!("<p>{}</p><ul>", escaped(&incident.cause));
    for entry in incident.timeline.iter().rev().take(MAX_TIMELINE_ENTRIES) {
        // Writing to a string cannot fail.
        let _ = write!(content, "<li><time>{}</time> {}</li>", entry.at, escaped(&entry.message));
    }
    content.push_str("</ul>");
    // A timeline entry with the server's clock may be before the incident.
    let times = incident.timeline.iter().map(|entry| entry.at);
    let updated = times.chain(incident.closed).max().unwrap_or_default().max(incident.opened);
    FeedEntry {
        path: format!("/incidents/{}", incident.id),
        title: format!("{}{resolved}", incident.severity.title(name, &incident.cause)),
        published: incident.opened,
        updated,
        content,
    }
}

fn maintenance_entry(MaintenanceView { id, title, from, to, .. }: &MaintenanceView) -> FeedEntry {
    FeedEntry {
        path: format!("/#{id}-{from}"),
        title: format!("Announced: {title}"),
        published: *from,
        updated: *from,
        content: format!("<p>{}, from <time>{from}</time> to <time>{to}</time></p>", escaped(title)),
    }
}

/// Removes the characters that XML 1.0 and iCalendar cannot hold.
pub(super) fn plain_text(text: &str) -> String {
    let allowed =
        |c: &char| (!c.is_control() || *c == '\n' || *c == '\t') && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests;
