//! The Atom feed (RFC 4287).

use serde::Serialize;

use super::{DECLARATION, FeedEntry, Link, entries, plain_text};
use crate::view::{IncidentView, StatusView, Timestamp};

#[derive(Serialize)]
struct Feed {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "@xml:lang")]
    language: &'static str,
    id: String,
    title: String,
    updated: Timestamp,
    author: Author,
    link: [Link; 2],
    entry: Vec<AtomEntry>,
}

#[derive(Serialize)]
struct Author {
    name: &'static str,
}

#[derive(Serialize)]
struct AtomEntry {
    id: String,
    title: String,
    published: Timestamp,
    updated: Timestamp,
    link: Link,
    content: Content,
}

#[derive(Serialize)]
struct Content {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "$text")]
    html: String,
}

/// Renders the feed of incidents, newest first, and of the maintenance in the status. `origin` and `title` are those of the page.
pub fn render_atom(incidents: &[IncidentView], status: &StatusView, origin: &str, title: &str) -> String {
    let entries = entries(incidents, status);
    let newest = entries.iter().map(|entry| entry.updated).max();
    let page = |path: &str| Link { rel: "alternate", kind: "text/html", href: [origin, path].concat() };
    let feed = Feed {
        namespace: "http://www.w3.org/2005/Atom",
        language: "en",
        id: [origin, "/"].concat(),
        title: plain_text(title),
        updated: newest.or(status.updated).unwrap_or_default(),
        author: Author { name: "heapbeat" },
        link: [
            page("/"),
            Link { rel: "self", kind: "application/atom+xml", href: [origin, "/feed.atom"].concat() },
        ],
        entry: entries
            .into_iter()
            .map(|FeedEntry { path, title, published, updated, content }| AtomEntry {
                id: [origin, &path].concat(),
                title: plain_text(&title),
                published,
                updated,
                link: page(&path),
                content: Content { kind: "html", html: plain_text(&content) },
            })
            .collect(),
    };
    // All types here can be represented in XML, so this cannot fail.
    let xml = quick_xml::se::to_string_with_root("feed", &feed).unwrap_or_default();
    [DECLARATION, &xml, "\n"].concat()
}
