//! What holds now: `/api/v1/status` and one monitor of it.

use heapbeat_shared::Pressure;
use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::forecast::Verdict;

use super::node::Node;
use super::operation::{Operation, json};
use super::schema::{
    at_most, count, entry, flag, instant, list, matching, millis, monitor_id, of, percent, record, short,
    state, text, whole, words,
};
use super::{NOW, sample};
use crate::config::REGIONS;
use crate::domain::history::days::DAYS;
use crate::domain::history::latency::POINTS;
use crate::domain::history::uptime::WINDOWS;
use crate::view::StatusView;
use crate::web::api;

/// `GET /api/v1/status`.
pub(super) fn all() -> Operation {
    Operation::read(
        ("getStatus", NOW),
        "Everything that holds now",
        "All public monitors with their states, uptimes and memory, announced work, and what the day has cost. Monitors of a \
         part of the edge that does not answer are `unobserved`, and `notices` has a sentence about it.",
        &[],
        vec![json(of("Status"), &api::to_json(&StatusView::from(&sample::status())))],
    )
    .leading(
        "$response.body#/monitors/0/id",
        &["getMonitor", "getUptime", "getMemory", "getLatency", "getDays", "getVersions", "getMonitorPage"],
    )
}

/// `GET /api/v1/monitors/{id}`.
pub(super) fn one() -> Operation {
    let told = sample::monitor_json();
    Operation::read(
        ("getMonitor", NOW),
        "One monitor now",
        "The entry that the monitor has in the status, and of when it is.",
        &[],
        vec![json(of("MonitorNow"), &told)],
    )
    .or([404])
}

/// `GET /api/v1/admin/status`.
pub(super) fn owners() -> Operation {
    let told = api::to_json(&StatusView::from(&sample::status()));
    Operation::own(
        "getWholeStatus",
        "The status with what the public does not see",
        "As `/api/v1/status`, with the monitors that have `public = false`, and with the full text of what is wrong with the \
         configuration.",
        vec![json(of("Status"), &told)],
    )
}

/// The fields of a monitor.
fn monitor() -> Vec<(&'static str, &'static str, Node)> {
    let points = count().or_null();
    let windows = WINDOWS.map(|(name, _)| (name, "", of("Uptime")));
    vec![
        ("id", "Its id.", monitor_id()),
        ("name", "Its name for people.", short(1, 80)),
        ("group", "The heading it stands under.", short(1, 80).or_null()),
        ("state", "What is known of it now.", of("State")),
        ("since", "Since when that holds.", instant()),
        ("reason", "Why it is not up, in a sentence out of a fixed set.", text().or_null()),
        ("latency_ms", "How long the last answer took, in milliseconds.", count().or_null()),
        (
            "latencies",
            "The median latency of each half-hour of the last day in milliseconds, oldest first, the last one under way; empty \
             where there is none at all.",
            at_most(POINTS, points),
        ),
        ("uptime", "Uptime by window.", record(windows)),
        (
            "days",
            "A letter for the worst state of each of the last 90 days of UTC, oldest first: `u` up, `~` degraded, `d` down, \
             `w` waking, `m` maintenance, `.` unobserved.",
            matching(&format!("^[u~dwm.]{{{DAYS}}}$")),
        ),
        ("memory", "The last memory figures.", of("MemoryNow").or_null()),
        ("started", "When the present instance started.", instant().or_null()),
        (
            "restarts",
            "When restarts were seen, oldest first, the last twenty of them.",
            at_most(20, instant()),
        ),
        (
            "forecast",
            "Whether memory is on its way to the limit; only signed reports tell it.",
            of("Forecast").or_null(),
        ),
        ("regions", "What was found from elsewhere, where it is asked from there.", list(of("Region"))),
        (
            "last_exit",
            "How the instance before the present one ended; only signed reports tell it.",
            of("Exit").or_null(),
        ),
    ]
}

/// What was found from somewhere.
fn region() -> Node {
    record([
        ("region", "Where the probe came from, a location hint of Cloudflare's.", words(REGIONS)),
        ("state", "What it found; `unobserved` where nothing was heard of it.", of("State")),
        ("latency_ms", "How long the answer took there, in milliseconds.", count().or_null()),
        ("reason", "Why it is not up.", text().or_null()),
    ])
}

/// Schemas of this file.
pub(super) fn schemas() -> Vec<(&'static str, Node)> {
    let status = record([
        ("status", "The worst state of any monitor.", of("State")),
        ("updated", "For when the last tick was meant; `null` before the first.", instant().or_null()),
        ("monitors", "The monitors, in the order of the configuration.", list(of("Monitor"))),
        ("problems", "Entries of the configuration that were refused.", list(of("ConfigurationProblem"))),
        ("notices", "What there is to know about the watching itself, in sentences.", list(text())),
        (
            "maintenance",
            "Announced work that is under way or begins within a week, soonest first.",
            list(of("Work")),
        ),
        ("edge", "What the day has cost so far, and how regularly the edge came.", of("Usage")),
    ]);
    let mut now =
        vec![("updated", "For when the last tick was meant; `null` before the first.", instant().or_null())];
    now.extend(monitor());
    let memory = record([
        ("rss", "Resident set.", count()),
        ("heapUsed", "What the application holds.", count()),
        ("heapTotal", "What the allocator holds for it.", count()),
        ("external", "What is resident and not the allocator's.", count()),
        ("limit", "The limit that the guard lives within; only signed reports tell it.", count().or_null()),
        (
            "pressure",
            "Where memory stands on the ladder; only signed reports tell it.",
            words(Pressure::ALL.map(Pressure::as_str)).or_null(),
        ),
        ("at", "When they were read.", instant()),
    ]);
    let forecast = record([
        ("verdict", "What memory does.", words(Verdict::ALL.map(Verdict::as_str))),
        ("bytes_per_hour", "How fast it grows; `null` where no growth is established.", whole().or_null()),
        (
            "reaches_limit",
            "When the limit is reached; `null` where that is not established.",
            instant().or_null(),
        ),
        ("earliest", "The early end of the interval of that.", instant().or_null()),
        ("latest", "The late end.", instant().or_null()),
    ]);
    let ending = record([
        ("kind", "How it ended.", words(ExitKind::ALL.map(ExitKind::as_str))),
        ("at", "When it was last heard of.", instant()),
        ("sure", "Whether the evidence decides.", flag()),
        ("evidence", "What speaks for it.", list(text())),
    ]);
    let work = record([
        ("id", "Its id.", monitor_id()),
        ("title", "What is done.", short(1, 80)),
        ("monitors", "Whom it concerns; `null` is everybody.", list(monitor_id()).or_null()),
        ("from", "When it begins.", instant()),
        ("to", "When it ends.", instant()),
    ]);
    let usage = record([
        ("day", "The day, which begins at midnight UTC.", instant()),
        ("ticks", "Ticks.", count()),
        ("ticks_missed", "Minutes whose tick did not come.", count()),
        ("latest_tick_ms", "How late the latest tick was, in milliseconds.", count()),
        ("requests", "Requests to the hubs.", count()),
        ("rows_read", "Rows that they read.", count()),
        ("rows_written", "Rows that they wrote.", count()),
        ("subrequests", "Requests that they made.", count()),
        ("busiest_tick_subrequests", "The most that one tick made.", count()),
        (
            "interval_floor_seconds",
            "Nothing is probed more often than this; 0 where no quota is near.",
            count(),
        ),
        ("hubs", "How many hubs there are.", count()),
    ]);
    let uptime = record([
        (
            "percent",
            "Share of the observed time that was up or degraded; `null` where nothing was observed.",
            percent().or_null(),
        ),
        ("coverage", "Share of the window that was observed.", percent()),
    ]);
    let problem = entry(
        &["position", "reason"],
        [
            ("position", "Where it stands.", text()),
            ("reason", "What is wrong, and what would be right.", text()),
        ],
    );
    vec![
        ("Status", status.about("Everything that holds now.")),
        ("Monitor", record(monitor()).about("One monitor, as the public sees it.")),
        ("MonitorNow", record(now).about("One monitor, and of when it is.")),
        ("State", state().about("`up`, `degraded` (it serves, but not as well as it should), `down`, `waking` (it slept and is starting), `maintenance` (work was announced) or `unobserved` (nobody looked).")),
        ("Uptime", uptime.about("Uptime in percent, cut to three decimals, and how much of the time was watched at all.")),
        ("MemoryNow", memory.about("Memory as `/health` tells it, in whole megabytes.")),
        ("Forecast", forecast.about("What the server makes of its memory.")),
        ("Exit", ending.about("How an instance ended.")),
        ("Region", region().about("What was found from one region, by the last probe.")),
        ("Work", work.about("Announced work.")),
        ("Usage", usage.about("What the day has cost. Of many hubs it is the sum, or the largest where a sum means nothing.")),
        ("ConfigurationProblem", problem.about("An entry of the configuration that was refused.")),
        ("Instant", millis().about("Milliseconds since 1970.")),
    ]
}
