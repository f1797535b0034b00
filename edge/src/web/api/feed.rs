//! `GET /feed.atom` (RFC 4287) and `GET /feed.rss` (RSS 2.0): incidents and announced maintenance.
//!
//! The two formats are serde types that `quick-xml` writes. The crates `atom_syndication` and `rss` model all of both formats, for reading
//! too; a feed here has ten elements.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
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

/// How long before maintenance its entry is dated. The status announces it a week ahead.
const ANNOUNCED_AHEAD: Duration = Duration::from_secs(7 * 86_400);

/// Builds the entries, those that were updated last first. None is dated later than the last tick.
fn entries(incidents: &[IncidentView], status: &StatusView) -> Vec<FeedEntry> {
    let now = status.updated.unwrap_or_default();
    let maintenance = status.maintenance.iter().map(|window| maintenance_entry(window, now));
    let incidents = incidents.iter().map(|incident| incident_entry(incident, status));
    let mut all: Vec<FeedEntry> = maintenance.chain(incidents).collect();
    all.sort_by_key(|entry| Reverse((entry.updated, entry.published)));
    all
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
    let now = status.updated.unwrap_or(incident.opened);
    // It may also be ahead of the present.
    let updated = times.chain(incident.closed).max().unwrap_or_default().min(now).max(incident.opened);
    FeedEntry {
        path: format!("/incidents/{}", incident.id),
        title: format!("{}{resolved}", incident.headline_severity().title(name, &incident.cause)),
        published: incident.opened,
        updated,
        content,
    }
}

/// Builds the entry of a maintenance window, dated a week before it. One that is announced earlier is dated at the beginning of the day.
fn maintenance_entry(
    MaintenanceView { id, title, from, to, .. }: &MaintenanceView,
    now: Timestamp,
) -> FeedEntry {
    let day = now.0.0 - now.0.0.rem_euclid(86_400_000);
    let announced = Timestamp(from.0.minus(ANNOUNCED_AHEAD).min(UnixMillis(day)).max(UnixMillis(0)));
    FeedEntry {
        path: format!("/#{id}-{from}"),
        title: format!("Announced: {title}"),
        published: announced,
        updated: announced,
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
