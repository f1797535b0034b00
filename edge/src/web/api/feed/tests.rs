//! Both feeds, with texts that would be markup.

use heapbeat_shared::UnixMillis;

use super::*;
use crate::domain::incident::Severity;
use crate::view::{StatusView, TimelineEntryView};
use crate::web::openapi::example;

const OPENED: i64 = 1_767_225_600_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp(UnixMillis(OPENED + seconds * 1000))
}

fn incident() -> IncidentView {
    let entry = |seconds, message: &str| TimelineEntryView {
        at: at(seconds),
        message: message.to_owned(),
        message_code: String::new(),
        message_params: heapbeat_shared::Params::new(),
    };
    IncidentView {
        id: "api-1767225600".parse().unwrap(),
        severity: Severity::Down,
        opened: at(0),
        closed: Some(at(3600)),
        cause: "it ran <out> of memory".into(),
        cause_code: String::new(),
        cause_params: heapbeat_shared::Params::new(),
        timeline: vec![entry(0, "down"), entry(3605, "all is </ul> well\u{7}")],
        ..example::incident().incident
    }
}

fn status() -> StatusView {
    let mut status = example::status();
    status.updated = Some(at(7200));
    status.monitors[0].name = "The <API>".into();
    status.maintenance[0].title = "We & you".into();
    status.maintenance[0].from = at(2 * 86_400);
    status.maintenance[0].to = at(2 * 86_400 + 3600);
    status
}

#[test]
fn the_atom_feed_has_escaped_entries_with_their_addresses() {
    let text = render_atom(&[incident()], &status(), "https://status.example.com");
    for part in [
        "<id>https://status.example.com/</id>",
        "<updated>2026-01-03T00:00:00Z</updated><author>",
        r#"rel="self" type="application/atom+xml" href="https://status.example.com/feed.atom""#,
        "<id>https://status.example.com/incidents/api-1767225600</id>",
        "<title>The &lt;API&gt; is down: it ran &lt;out&gt; of memory (resolved)</title>",
        "<published>2026-01-01T00:00:00Z</published><updated>2026-01-01T01:00:05Z</updated>",
        "&lt;p&gt;it ran &amp;lt;out&amp;gt; of memory&lt;/p&gt;",
        "all is &amp;lt;/ul&amp;gt; well&lt;/li&gt;",
        "<title>Announced: We &amp; you</title>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let empty = StatusView { updated: None, maintenance: Vec::new(), ..status() };
    let text = render_atom(&[], &empty, "http://x");
    assert!(text.contains("<updated>1970-01-01T00:00:00Z</updated>"), "{text}");
}

#[test]
fn the_rss_feed_has_dates_and_stable_ids() {
    let text = render_rss(&[incident()], &status(), "https://a&b");
    for part in [
        "<link>https://a&amp;b/</link>",
        "<pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate>",
        "<guid isPermaLink=\"false\">https://a&amp;b/incidents/api-1767225600</guid>",
        "<pubDate>Sat, 03 Jan 2026 00:00:00 GMT</pubDate>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
