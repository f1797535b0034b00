//! `GET /metrics`: the monitors and the edge itself, for Prometheus and all that reads its formats.
//!
//! Labels are bounded by what is configured: ids, names, windows, and reasons out of a fixed set of sentences, whose numbers
//! are taken out. What is not known has no sample; a zero would be a guess.

use heapbeat_shared::openmetrics::{Exposition, Format, Kind};
use heapbeat_shared::units::BYTES_PER_MB;
use serde_json::Value;

use super::text_of as text;
use crate::config::maintenance::read_instant;
use crate::domain::State;

/// A family with one sample for everything that has the figure: name, help, where it is, and what it is multiplied with.
type Figure = (&'static str, &'static str, &'static str, f64);

const MB: f64 = BYTES_PER_MB as f64;

const OF_MONITORS: [Figure; 8] = [
    ("heapbeat_monitor_latency_seconds", "Latency of the last answer", "latency_ms", 0.001),
    ("heapbeat_monitor_memory_rss_bytes", "Resident set", "memory.rss", MB),
    ("heapbeat_monitor_memory_heap_used_bytes", "Live heap", "memory.heapUsed", MB),
    ("heapbeat_monitor_memory_heap_total_bytes", "Heap held", "memory.heapTotal", MB),
    ("heapbeat_monitor_memory_limit_bytes", "Memory limit", "memory.limit", MB),
    ("heapbeat_monitor_state_since_timestamp_seconds", "Since when its state holds", "since", 1.0),
    ("heapbeat_monitor_started_timestamp_seconds", "When its instance started", "started", 1.0),
    ("heapbeat_monitor_restarts", "Restarts seen, of the last twenty", "restarts", 1.0),
];

const OF_THE_EDGE: [Figure; 3] = [
    ("heapbeat_edge_last_tick_timestamp_seconds", "For when the last tick was meant", "updated", 1.0),
    (
        "heapbeat_edge_tick_lateness_seconds",
        "Lateness of the day's latest tick",
        "edge.latest_tick_ms",
        0.001,
    ),
    (
        "heapbeat_edge_interval_floor_seconds",
        "Nothing is probed more often",
        "edge.interval_floor_seconds",
        1.0,
    ),
];

/// Of the day, which begins at midnight UTC.
const COUNTED: [Figure; 6] = [
    ("heapbeat_edge_ticks", "Ticks", "edge.ticks", 1.0),
    ("heapbeat_edge_ticks_missed", "Minutes without a tick", "edge.ticks_missed", 1.0),
    ("heapbeat_edge_requests", "Requests to the hub", "edge.requests", 1.0),
    ("heapbeat_edge_subrequests", "Requests of the hub", "edge.subrequests", 1.0),
    ("heapbeat_edge_rows_read", "Rows read", "edge.rows_read", 1.0),
    ("heapbeat_edge_rows_written", "Rows written", "edge.rows_written", 1.0),
];

/// The text, from the body of `GET /api/v1/status`.
pub fn metrics(format: Format, status: &str) -> String {
    let status = serde_json::from_str::<Value>(status).unwrap_or_default();
    let monitors = status["monitors"].as_array().map_or(&[][..], Vec::as_slice);
    let mut all = Exposition::new(format);

    let mut info = all.family("heapbeat_monitor", Kind::Info, "A monitor");
    for it in monitors {
        let labels =
            [("monitor", text(&it["id"])), ("name", text(&it["name"])), ("group", text(&it["group"]))];
        info.sample(&labels, 1);
    }
    let name = "heapbeat_monitor_state";
    let mut set = all.family(name, Kind::StateSet, "What is known of it");
    for it in monitors {
        for state in State::ALL {
            let holds = u64::from(state.as_str() == text(&it["state"]));
            set.sample(&[("monitor", text(&it["id"])), (name, state.as_str())], holds);
        }
    }
    let mut up = all.family("heapbeat_monitor_up", Kind::Gauge, "1: it serves, 0: it does not");
    for it in monitors {
        let serves = match text(&it["state"]) {
            "up" | "degraded" => 1,
            "down" => 0,
            _ => continue,
        };
        up.sample(&[("monitor", text(&it["id"]))], serves);
    }
    let mut failing = all.family("heapbeat_monitor_failing", Kind::Gauge, "1, and why");
    for it in monitors {
        let reason: String = text(&it["reason"]).chars().filter(|c| !c.is_ascii_digit()).collect();
        if !reason.is_empty() {
            failing.sample(&[("monitor", text(&it["id"])), ("reason", reason.trim())], 1);
        }
    }
    figures(&mut all, Kind::Gauge, &OF_MONITORS, monitors);
    let name = "heapbeat_monitor_last_exit_timestamp_seconds";
    let mut exits = all.family(name, Kind::Gauge, "The instance before, and how it ended");
    for it in monitors {
        if let Some(seconds) = seconds(&it["last_exit"]["at"]) {
            let labels = [("monitor", text(&it["id"])), ("kind", text(&it["last_exit"]["kind"]))];
            exits.sample(&labels, seconds);
        }
    }
    let shares = [
        ("heapbeat_monitor_uptime_ratio", "Share of the observed time in which it served", "percent"),
        ("heapbeat_monitor_coverage_ratio", "Share of the window that was observed", "coverage"),
    ];
    for (name, help, field) in shares {
        let mut family = all.family(name, Kind::Gauge, help);
        for it in monitors {
            for (window, share) in it["uptime"].as_object().into_iter().flatten() {
                if let Some(share) = scaled(&share[field], 0.01) {
                    family.sample(&[("monitor", text(&it["id"])), ("window", window)], share);
                }
            }
        }
    }
    let edge = std::slice::from_ref(&status);
    figures(&mut all, Kind::Gauge, &OF_THE_EDGE, edge);
    figures(&mut all, Kind::Counter, &COUNTED, edge);
    all.finish()
}

/// Families of figures. What has an id is a monitor.
fn figures(all: &mut Exposition, kind: Kind, families: &[Figure], items: &[Value]) {
    for (name, help, path, scale) in families {
        let mut family = all.family(name, kind, help);
        for it in items {
            let value = path.split('.').fold(it, |value, part| &value[part]);
            let figure = match value {
                Value::Array(list) => Some(list.len() as f64),
                Value::String(_) => seconds(value),
                value => scaled(value, *scale),
            };
            let labels = [("monitor", text(&it["id"]))];
            if let Some(figure) = figure {
                family.sample(if it["id"].is_null() { &[] } else { &labels }, figure);
            }
        }
    }
}

/// A figure in the unit of its family, without the crumbs of a multiplication.
fn scaled(value: &Value, scale: f64) -> Option<f64> {
    let Value::Number(number) = value else { return None };
    Some((number.as_f64()? * scale * 1e6).round() / 1e6)
}

/// An instant in seconds of Unix time.
fn seconds(value: &Value) -> Option<f64> {
    Some((read_instant(value.as_str()?)?.0 / 1000) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"updated":"2026-01-01T00:00:00Z","monitors":[
        {"id":"api","name":"A \"b\"","group":null,"state":"down","since":"2026-01-01T00:00:00Z",
         "reason":"the answer had status 503","latency_ms":12,"uptime":{"24h":{"percent":99.98,"coverage":14.285}},
         "memory":{"rss":150,"heapUsed":1,"heapTotal":2,"external":3,"limit":null},"started":null,
         "restarts":["x","y"],"last_exit":{"kind":"oom_kill","at":"2026-01-01T00:00:01Z"}},
        {"id":"db","name":"db","state":"unobserved","since":"2026-01-01T00:00:00Z","reason":null,"uptime":{
         "24h":{"percent":null,"coverage":0}},"memory":null,"restarts":[],"last_exit":null}],
        "edge":{"ticks":5,"latest_tick_ms":1250}}"#;

    #[test]
    fn samples() {
        let text = metrics(Format::OpenMetrics, STATUS);
        for line in [
            r#"heapbeat_monitor_info{monitor="api",name="A \"b\"",group=""} 1"#,
            r#"heapbeat_monitor_state{monitor="api",heapbeat_monitor_state="down"} 1"#,
            r#"heapbeat_monitor_state{monitor="db",heapbeat_monitor_state="down"} 0"#,
            r#"heapbeat_monitor_up{monitor="api"} 0"#,
            r#"heapbeat_monitor_failing{monitor="api",reason="the answer had status"} 1"#,
            r#"heapbeat_monitor_latency_seconds{monitor="api"} 0.012"#,
            r#"heapbeat_monitor_memory_rss_bytes{monitor="api"} 157286400"#,
            r#"heapbeat_monitor_state_since_timestamp_seconds{monitor="db"} 1767225600"#,
            r#"heapbeat_monitor_last_exit_timestamp_seconds{monitor="api",kind="oom_kill"} 1767225601"#,
            r#"heapbeat_monitor_restarts{monitor="api"} 2"#,
            r#"heapbeat_monitor_uptime_ratio{monitor="api",window="24h"} 0.9998"#,
            r#"heapbeat_monitor_coverage_ratio{monitor="api",window="24h"} 0.14285"#,
            "heapbeat_edge_ticks_total 5",
            "heapbeat_edge_tick_lateness_seconds 1.25",
            "heapbeat_edge_last_tick_timestamp_seconds 1767225600",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
        for absent in [r#"heapbeat_monitor_up{monitor="db"}"#, r#"uptime_ratio{monitor="db""#, "limit_bytes{"]
        {
            assert!(!text.contains(absent), "{absent}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
