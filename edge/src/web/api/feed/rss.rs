//! The RSS 2.0 feed (<https://www.rssboard.org/rss-specification>).

use serde::Serialize;

use super::{DECLARATION, FeedEntry, Link, entries, plain_text, rfc822};
use crate::view::{IncidentView, StatusView};

#[derive(Serialize)]
struct Rss {
    #[serde(rename = "@version")]
    version: &'static str,
    #[serde(rename = "@xmlns:atom")]
    atom: &'static str,
    channel: RssChannel,
}

#[derive(Serialize)]
struct RssChannel {
    title: String,
    link: String,
    description: &'static str,
    language: &'static str,
    #[serde(rename = "atom:link")]
    own_link: Link,
    item: Vec<RssItem>,
}

#[derive(Serialize)]
struct RssItem {
    title: String,
    link: String,
    guid: RssGuid,
    #[serde(rename = "pubDate")]
    published: String,
    description: String,
}

#[derive(Serialize)]
struct RssGuid {
    #[serde(rename = "@isPermaLink")]
    is_permalink: bool,
    #[serde(rename = "$text")]
    id: String,
}

/// Renders the feed of incidents, newest first, and of the maintenance in the status. `origin` and `title` are those of the page.
pub fn render_rss(incidents: &[IncidentView], status: &StatusView, origin: &str, title: &str) -> String {
    let item = |FeedEntry { path, title, published, content, .. }: FeedEntry| {
        let address = [origin, &path].concat();
        RssItem {
            title: plain_text(&title),
            link: address.clone(),
            guid: RssGuid { is_permalink: false, id: address },
            published: rfc822(published.0),
            description: plain_text(&content),
        }
    };
    let rss = Rss {
        version: "2.0",
        atom: "http://www.w3.org/2005/Atom",
        channel: RssChannel {
            title: plain_text(title),
            link: [origin, "/"].concat(),
            description: "Incidents and announced maintenance",
            language: "en",
            own_link: Link { rel: "self", kind: "application/rss+xml", href: [origin, "/feed.rss"].concat() },
            item: entries(incidents, status).into_iter().map(item).collect(),
        },
    };
    // All types here can be represented in XML, so this cannot fail.
    let xml = quick_xml::se::to_string_with_root("rss", &rss).unwrap_or_default();
    [DECLARATION, &xml, "\n"].concat()
}
