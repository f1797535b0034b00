//! What other programs read: badges, feeds, the calendar and figures for Prometheus.

use heapbeat_shared::openmetrics::Format;

use super::node::{Node, object};
use super::operation::{Operation, json, plain};
use super::schema::{matching, record, text, within};
use super::{MACHINES, sample};
use crate::view::StatusView;
use crate::web::api;
use crate::web::api::badge::{Badge, Metric, Style};
use crate::web::api::feed::{Feed, feed};

const ORIGIN: &str = "https://status.example.com";

fn badge() -> Badge {
    Badge::of(&sample::monitor_json(), Metric::Uptime, None)
}

/// `GET /badge/{id}.svg`.
pub(super) fn picture() -> Operation {
    Operation::read(
        ("getBadge", MACHINES),
        "A badge",
        "A monitor's state, its uptime of ninety days or its memory, as a picture. An uptime says how much was observed where that \
         was not all.",
        &[],
        vec![plain("image/svg+xml", Some(badge().svg(Style::Flat)))],
    )
    .or([404])
}

/// `GET /badge/{id}.json`.
pub(super) fn shield() -> Operation {
    Operation::read(
        ("getShield", MACHINES),
        "A badge for shields.io",
        "The same as <https://shields.io/badges/endpoint-badge> wants it.",
        &[],
        vec![json(super::schema::of("Shield"), &badge().shields())],
    )
    .or([404])
}

/// `GET /metrics`.
pub(super) fn figures() -> Operation {
    let status = api::to_json(&StatusView::from(&sample::status()));
    let kinds = [Format::Prometheus, Format::OpenMetrics];
    // The beginning of it.
    let told = |format| {
        let all = api::metrics::metrics(format, &status);
        let first: Vec<_> = all.lines().take(9).collect();
        first.join("\n") + "\n"
    };
    Operation::read(
        ("getMetrics", MACHINES),
        "Figures for Prometheus",
        "Monitors and the edge itself: OpenMetrics for whoever names it in `Accept`, and the older text format for the rest. What \
         is not known has no sample. The example is its beginning.",
        &["Vary"],
        kinds.map(|format| plain(format.content_type(), Some(told(format)))).into(),
    )
}

fn feed_of(kind: Feed) -> String {
    feed(kind, &[(&sample::incident().0).into()], &api::to_json(&StatusView::from(&sample::status())), ORIGIN)
}

/// `GET /feed.atom`.
pub(super) fn atom() -> Operation {
    Operation::read(
        ("getAtomFeed", MACHINES),
        "Incidents and announced work, as Atom",
        "The thirty newest incidents, and announced work. RFC 4287.",
        &[],
        vec![plain("application/atom+xml; charset=utf-8", Some(feed_of(Feed::Atom)))],
    )
}

/// `GET /feed.rss`.
pub(super) fn rss() -> Operation {
    Operation::read(
        ("getRssFeed", MACHINES),
        "The same as RSS 2.0",
        "The thirty newest incidents, and announced work.",
        &[],
        vec![plain("application/rss+xml; charset=utf-8", Some(feed_of(Feed::Rss)))],
    )
}

/// `GET /calendar.ics`.
pub(super) fn calendar() -> Operation {
    let told = api::calendar::calendar(&api::to_json(&StatusView::from(&sample::status())), ORIGIN);
    Operation::read(
        ("getCalendar", MACHINES),
        "Announced work, as a calendar",
        "iCalendar, RFC 5545; subscribe to it in any calendar.",
        &[],
        vec![plain("text/calendar; charset=utf-8", Some(told))],
    )
}

/// Schemas of this file.
pub(super) fn schemas() -> Vec<(&'static str, Node)> {
    let always = |value: i64| object([("const", Node::from(value))]);
    let shield = record([
        ("schemaVersion", "Always 1.", always(1)),
        ("label", "What stands on the left.", text().with("maxLength", 40)),
        ("message", "What stands on the right.", text()),
        ("color", "Its colour.", matching("^#[0-9a-f]{6}$")),
        ("cacheSeconds", "How long shields.io may keep it.", within(60, 60)),
    ]);
    vec![("Shield", shield.about("A badge, as shields.io wants it."))]
}
