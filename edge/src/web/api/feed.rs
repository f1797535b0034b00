//! `GET /feed.atom` (RFC 4287) and `GET /feed.rss` (RSS 2.0): incidents and announced work.

use std::fmt::Write as _;

use heapbeat_shared::UnixMillis;
use serde_json::Value;

use super::markup::escaped;
use super::text_of as text;
use crate::config::maintenance::read_instant;
use crate::domain::instant::{rfc822, rfc3339};
use crate::view::IncidentView;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Atom.
    Atom,
    /// RSS 2.0.
    Rss,
}

/// Most moments of an incident that are told.
const MOST_MOMENTS: usize = 20;

/// One entry.
struct Entry {
    /// Its address, without where the page stands; also what tells it from others.
    path: String,
    title: String,
    published: String,
    updated: String,
    /// HTML.
    content: String,
}

/// The feed, from what all hubs told of their newest incidents and the body of `GET /api/v1/status`. `origin` is where the
/// page stands, such as `https://status.example.com`.
pub fn feed(kind: Feed, incidents: &[IncidentView], status: &str, origin: &str) -> String {
    let status = serde_json::from_str::<Value>(status).unwrap_or_default();
    let mut entries: Vec<Entry> = status["maintenance"].as_array().into_iter().flatten().map(work).collect();
    for view in incidents {
        entries.push(incident(&serde_json::to_value(view).unwrap_or_default(), &status));
    }
    let origin = escaped(origin);
    match kind {
        Feed::Atom => atom(&entries, &origin, text(&status["updated"])),
        Feed::Rss => rss(&entries, &origin),
    }
}

fn incident(told: &Value, status: &Value) -> Entry {
    let id = text(&told["monitor"]);
    let monitors = status["monitors"].as_array();
    let named = monitors.into_iter().flatten().find(|monitor| text(&monitor["id"]) == id);
    let name = named.map_or(id, |monitor| text(&monitor["name"]));
    let over = if told["closed"].is_null() { "" } else { " (over)" };
    let cause = text(&told["cause"]);
    let moments = told["timeline"].as_array().map_or(&[][..], Vec::as_slice);
    let mut content = format!("<p>{}</p><ul>", escaped(cause));
    for moment in moments.iter().rev().take(MOST_MOMENTS) {
        let (at, what) = (text(&moment["at"]), text(&moment["what"]));
        // Writing to a String does not fail.
        let _ = write!(content, "<li><time>{at}</time> {}</li>", escaped(what));
    }
    content.push_str("</ul>");
    // Moments of the server's own clock may lie before.
    let last = moments.iter().map(|moment| text(&moment["at"])).max().unwrap_or_default();
    Entry {
        path: format!("/incidents/{}", text(&told["id"])),
        title: format!("{name} is {}: {cause}{over}", text(&told["severity"])),
        published: text(&told["opened"]).to_owned(),
        updated: last.max(text(&told["closed"])).max(text(&told["opened"])).to_owned(),
        content,
    }
}

fn work(work: &Value) -> Entry {
    let (from, to) = (text(&work["from"]), text(&work["to"]));
    let title = text(&work["title"]);
    Entry {
        path: format!("/#{}-{from}", text(&work["id"])),
        title: format!("Announced: {title}"),
        published: from.to_owned(),
        updated: from.to_owned(),
        content: format!("<p>{}, from <time>{from}</time> to <time>{to}</time></p>", escaped(title)),
    }
}

fn atom(entries: &[Entry], origin: &str, updated: &str) -> String {
    let newest = entries.iter().map(|entry| entry.updated.as_str()).max().unwrap_or(updated);
    let newest = if newest.is_empty() { rfc3339(UnixMillis(0)) } else { newest.to_owned() };
    let mut out = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><id>{origin}/</id><title>Status</title><updated>{newest}</updated><author><name>heapbeat</name></author><link rel="alternate" type="text/html" href="{origin}/"/><link rel="self" type="application/atom+xml" href="{origin}/feed.atom"/>"#
    );
    for Entry { path, title, published, updated, content } in entries {
        let (title, content) = (escaped(title), escaped(content));
        let _ = write!(
            out,
            r#"<entry><id>{origin}{path}</id><title>{title}</title><published>{published}</published><updated>{updated}</updated><link rel="alternate" type="text/html" href="{origin}{path}"/><content type="html">{content}</content></entry>"#
        );
    }
    out.push_str("</feed>\n");
    out
}

fn rss(entries: &[Entry], origin: &str) -> String {
    let mut out = format!(
        r#"<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Status</title><link>{origin}/</link><description>Incidents and announced work</description><language>en</language><atom:link rel="self" type="application/rss+xml" href="{origin}/feed.rss"/>"#
    );
    for Entry { path, title, published, content, .. } in entries {
        let (title, content) = (escaped(title), escaped(content));
        let date = rfc822(read_instant(published).unwrap_or_default());
        let _ = write!(
            out,
            "<item><title>{title}</title><link>{origin}{path}</link><guid isPermaLink=\"false\">{origin}{path}</guid><pubDate>{date}</pubDate><description>{content}</description></item>"
        );
    }
    out.push_str("</channel></rss>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"updated":"2026-01-01T02:00:00Z","monitors":[{"id":"api","name":"The <API>"}],"maintenance":[
        {"id":"move","title":"We & you","from":"2026-01-03T00:00:00Z","to":"2026-01-03T01:00:00Z"}]}"#;

    fn told() -> Vec<IncidentView> {
        let body = r#"[{"id":"api-1767225600","monitor":"api","severity":"down","opened":"2026-01-01T00:00:00Z",
            "closed":"2026-01-01T01:00:00Z","cause":"it ran <out> of memory","evidence":[],"acknowledged":false,"behind":null,"timeline":[
            {"at":"2026-01-01T00:00:00Z","what":"down"},{"at":"2026-01-01T01:00:05Z","what":"all is </ul> well"}]}]"#;
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn an_atom_feed() {
        let text = feed(Feed::Atom, &told(), STATUS, "https://status.example.com");
        for part in [
            "<id>https://status.example.com/</id>",
            "<updated>2026-01-03T00:00:00Z</updated><author>",
            r#"rel="self" type="application/atom+xml" href="https://status.example.com/feed.atom""#,
            "<id>https://status.example.com/incidents/api-1767225600</id>",
            "<title>The &lt;API&gt; is down: it ran &lt;out&gt; of memory (over)</title>",
            "<published>2026-01-01T00:00:00Z</published><updated>2026-01-01T01:00:05Z</updated>",
            "&lt;p&gt;it ran &amp;lt;out&amp;gt; of memory&lt;/p&gt;",
            "all is &amp;lt;/ul&amp;gt; well&lt;/li&gt;",
            "<title>Announced: We &amp; you</title>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let empty = feed(Feed::Atom, &[], "{}", "http://x");
        assert!(empty.contains("<updated>1970-01-01T00:00:00Z</updated>"), "{empty}");
    }

    #[test]
    fn an_rss_feed() {
        let text = feed(Feed::Rss, &told(), STATUS, "https://a&b");
        for part in [
            "<link>https://a&amp;b/</link>",
            "<pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate>",
            "<guid isPermaLink=\"false\">https://a&amp;b/incidents/api-1767225600</guid>",
            "<pubDate>Sat, 03 Jan 2026 00:00:00 GMT</pubDate>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
