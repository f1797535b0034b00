//! What was: a monitor's uptime, memory, latency, days and versions.

use std::time::Duration;

use super::node::{Node, object};
use super::operation::{Operation, json};
use super::schema::{
    at_most, count, exactly, list, matching, monitor_id, of, percent, record, row, text, whole, within, words,
};
use super::{PAST, sample};
use crate::domain::history::days::DAYS;
use crate::domain::history::latency_series::LatencySeriesBuilder;
use crate::domain::history::rollup::Tier;
use crate::domain::report::version_comparison::AGES;
use crate::view::{DayView, LatencyHistoryView, MemoryHistoryView, UptimeHistoryView, VersionsView};
use crate::web::api;

/// `GET /api/v1/monitors/{id}/uptime`.
pub(super) fn uptime() -> Operation {
    Operation::read(
        ("getUptime", PAST),
        "Uptime in a window that ends now",
        "Percentages are cut, not rounded: 99.9999 % is not 100 %. Time that nobody watched counts neither as up nor as down; \
         `coverage` says how much was watched.",
        &[],
        vec![json(of("UptimeInWindow"), &api::to_json(&UptimeHistoryView::new(sample::ID, &sample::past())))],
    )
    .or([404])
}

/// `GET /api/v1/monitors/{id}/memory`.
pub(super) fn memory() -> Operation {
    let told =
        api::to_json(&MemoryHistoryView::new(sample::ID, Tier::Second, sample::WINDOW, &sample::line()));
    Operation::read(
        ("getMemory", PAST),
        "Memory over a stretch of time",
        "Every second for a stretch of at most 3 hours within the last 7 days, the peak of each minute for at most 8 days within \
         the last 90, the peak of each hour beyond that, two years back. Without `from` it is the three hours before `to`.",
        &[],
        vec![json(of("MemoryHistory"), &told)],
    )
    .or([404])
}

/// `GET /api/v1/monitors/{id}/latency`.
pub(super) fn latency() -> Operation {
    let mut rows = LatencySeriesBuilder::new(Duration::from_secs(90));
    for (minutes, ms) in [(4, Some(12)), (3, Some(14)), (2, None), (1, Some(11))] {
        rows.push(sample::ago(minutes * 60_000), &[ms]);
    }
    let told = api::to_json(&LatencyHistoryView::new(sample::ID, sample::WINDOW, rows.finish()));
    Operation::read(
        ("getLatency", PAST),
        "How long answers took",
        "Probe by probe for a stretch of at most 26 hours that the last 1,536 ticks reach back to; an hour a row for everything \
         else, two years back, at most 92 days at once. Without `from` it is the day before `to`.",
        &[],
        vec![json(of("LatencyHistory"), &told)],
    )
    .or([404])
}

/// `GET /api/v1/monitors/{id}/days`.
pub(super) fn days() -> Operation {
    Operation::read(
        ("getDays", PAST),
        "The last ninety days",
        "A day of UTC each, oldest first; the last is today, as far as it has gone. The example has the last three.",
        &[],
        vec![json(of("Days"), &api::to_json(&sample::some_days().iter().map(DayView::from).collect::<Vec<_>>()))],
    )
    .or([404])
}

/// `GET /api/v1/monitors/{id}/versions`.
pub(super) fn versions() -> Operation {
    Operation::read(
        ("getVersions", PAST),
        "Memory of this version and of the one before",
        "The working set at the same ages after a start, so that a deploy that holds more is seen before it runs full. Only \
         signed reports tell it: `versions` is empty for other monitors.",
        &[],
        vec![json(of("Versions"), &api::to_json(&VersionsView::new(sample::ID, Some(&sample::growth()))))],
    )
    .or([404])
}

/// What a row of memory is.
pub(super) const MEMORY: [&str; 6] = ["at", "rss", "heapUsed", "heapTotal", "external", "workingSet"];

/// A row of memory.
pub(super) fn samples() -> Node {
    let mut columns = vec![of("Instant")];
    columns.resize(MEMORY.len(), count());
    list(row(columns))
}

fn stretch(mut more: Vec<(&'static str, &'static str, Node)>) -> Node {
    let mut fields =
        vec![("from", "Where it begins.", of("Instant")), ("to", "Where it ends.", of("Instant"))];
    fields.append(&mut more);
    record(fields)
}

fn latencies(resolution: &str, columns: &[&str], of_a_row: Vec<Node>) -> Node {
    let all = ["at"].iter().chain(columns).copied();
    let mut cells = vec![of("Instant")];
    cells.extend(of_a_row);
    record([
        ("monitor", "Whose.", monitor_id()),
        ("resolution", "What a row is.", object([("const", Node::from(resolution))])),
        ("from", "Where it begins.", of("Instant")),
        ("to", "Where it ends.", of("Instant")),
        ("columns", "What the values of a row are.", exactly(all)),
        ("samples", "A row each, oldest first.", list(row(cells))),
        (
            "gaps",
            "Stretches in which nobody looked, from the last row before to the first after.",
            list(stretch(vec![])),
        ),
    ])
}

/// Latencies, of which a row is a probe or an hour.
fn probes_or_hours() -> Node {
    let hour = ["low", "mid", "high", "probes", "failed"];
    let mut figures = vec![count().or_null(); 3];
    figures.extend([count(), count()]);
    object([(
        "oneOf",
        Node::List(vec![
            latencies("tick", &["ms"], vec![count().or_null()])
                .about("A probe a row, with its milliseconds; `null` where nothing answered."),
            latencies("1h", &hour, figures).about(
                "An hour a row, by its beginning: the fewest milliseconds, the median, the 95th percentile, how many probes \
                 there were and how many of them had no answer.",
            ),
        ]),
    )])
}

/// Schemas of this file.
pub(super) fn schemas() -> Vec<(&'static str, Node)> {
    let uptime = record([
        ("monitor", "Whose.", monitor_id()),
        ("window_seconds", "The window, in seconds.", count()),
        (
            "percent",
            "Share of the observed time that was up or degraded; `null` where nothing was observed.",
            percent().or_null(),
        ),
        ("coverage", "Share of the window that was observed.", percent()),
        ("restarts", "Restarts in it, of the last twenty that were seen.", within(0, 20)),
        (
            "mean_time_between_restarts_seconds",
            "Mean observed time between them; `null` without any.",
            count().or_null(),
        ),
        (
            "crashes",
            "Ends in it that nobody had asked for, of the last twenty; only signed reports tell them.",
            within(0, 20),
        ),
        (
            "mean_time_between_crashes_seconds",
            "Mean observed time between those; `null` without any.",
            count().or_null(),
        ),
        (
            "crash_free_seconds",
            "Observed time since the last of them; all of the window's without any.",
            count(),
        ),
    ]);
    let missing = vec![("missing", "How many samples.", count())];
    let memory = record([
        ("monitor", "Whose.", monitor_id()),
        (
            "resolution",
            "What a row is: every sample, or the highest of a minute or an hour.",
            words(Tier::ALL.map(Tier::as_str)),
        ),
        ("from", "Where it begins.", of("Instant")),
        ("to", "Where it ends.", of("Instant")),
        ("columns", "What the values of a row are; figures are bytes.", exactly(MEMORY)),
        ("samples", "A row each, oldest first.", samples()),
        ("instances", "Where another instance begins.", list(of("Instant"))),
        ("gaps", "Stretches in which samples were taken and never told.", list(stretch(missing))),
    ]);
    let day = record([
        ("day", "The date.", matching("^[0-9]{4}-[0-9]{2}-[0-9]{2}$").with("format", "date")),
        ("state", "The worst state that held on it, be it for a moment.", of("State")),
        ("percent", "Its uptime; `null` where there was nothing to judge.", percent().or_null()),
        ("coverage", "How much of it was observed; of today, of what has gone of it.", percent()),
    ]);
    let ages = i64::try_from(AGES.len()).unwrap_or_default();
    let version = record([
        ("version", "Its name; empty where the server tells none.", text()),
        ("since", "When its first instance that was seen started.", super::schema::instant()),
        (
            "working_set",
            "Bytes at each of `ages_seconds` after a start, of the newest instance that got so old.",
            at_most(ages, count().or_null()).with("minItems", ages),
        ),
    ]);
    let compared = record([
        ("age_seconds", "The oldest age that both have reached.", count()),
        ("now", "Bytes of the present version at that age.", count()),
        ("before", "Bytes of the one before.", count()),
    ]);
    let versions = record([
        ("monitor", "Whose.", monitor_id()),
        ("ages_seconds", "The ages that are compared.", list(whole())),
        ("versions", "The newest first, two at most.", at_most(2, version)),
        (
            "compared",
            "Both at the same age; `null` where there is none that both have reached.",
            compared.or_null(),
        ),
    ]);
    vec![
        ("UptimeInWindow", uptime.about("Uptime, restarts and crashes in a window.")),
        ("MemoryHistory", memory.about("Memory over a stretch of time.")),
        ("LatencyHistory", probes_or_hours().about("How long answers took over a stretch of time.")),
        ("Days", at_most(DAYS.into(), of("Day")).about("The last ninety days, oldest first.")),
        ("Day", day.about("One day of UTC.")),
        (
            "Versions",
            versions.about("Memory of the present version and of the one before, at the same ages."),
        ),
    ]
}
