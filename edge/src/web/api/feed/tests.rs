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
    let text = render_atom(&[incident()], &status(), "https://status.example.com", "Shop & <b>");
    for part in [
        "<id>https://status.example.com/</id>",
        "<title>Shop &amp; &lt;b&gt;</title>",
        "<updated>2026-01-01T01:00:05Z</updated><author>",
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
    let text = render_atom(&[], &empty, "http://x", "Status");
    assert!(text.contains("<updated>1970-01-01T00:00:00Z</updated>"), "{text}");
}

#[test]
fn the_rss_feed_has_dates_and_stable_ids() {
    let text = render_rss(&[incident()], &status(), "https://a&b", "Shop & <b>");
    for part in [
        "<title>Shop &amp; &lt;b&gt;</title>",
        "<link>https://a&amp;b/</link>",
        "<pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate>",
        "<guid isPermaLink=\"false\">https://a&amp;b/incidents/api-1767225600</guid>",
        "<pubDate>Sat, 27 Dec 2025 00:00:00 GMT</pubDate>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn no_entry_is_dated_in_the_future_and_the_newest_comes_first() {
    let window = |days: i64| MaintenanceView {
        from: at(days * 86_400),
        to: at((days + 1) * 86_400),
        ..status().maintenance[0].clone()
    };
    let status = StatusView { maintenance: vec![window(30), window(2), window(0)], ..status() };
    let mut ahead = incident();
    ahead.timeline[1].at = at(86_400);
    let old = IncidentView {
        id: "api-1767000000".parse().unwrap(),
        opened: at(-225_600),
        closed: Some(at(-200_000)),
        timeline: Vec::new(),
        ..incident()
    };
    let entries = entries(&[ahead, old], &status);
    let now = status.updated.unwrap();
    assert!(entries.iter().all(|entry| entry.updated <= now && entry.published <= entry.updated));
    assert!(entries.is_sorted_by_key(|entry| Reverse(entry.updated)));
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
    let [incident, far, old, near, present] = paths[..] else { panic!("{paths:?}") };
    assert_eq!((incident, old), ("/incidents/api-1767225600", "/incidents/api-1767000000"));
    assert!(
        far.contains("2026-01-31") && near.contains("2026-01-03") && present.contains("2026-01-01"),
        "{paths:?}"
    );
}
