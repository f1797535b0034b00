//! `GET /metrics`: the monitors and the edge itself, for Prometheus and everything that reads its formats.
//!
//! The values of labels are bounded: ids, names and windows by the configuration, reasons by the codes of
//! `heapbeat_shared::statement::catalog`. An unknown figure has no sample; a zero would be wrong.

use heapbeat_shared::openmetrics::{Exposition, Format, MetricKind};
use heapbeat_shared::units::BYTES_PER_MB;
use heapbeat_shared::{Megabytes, UnixMillis};

use crate::domain::State;
use crate::view::{EdgeView, MonitorView, Percent, StatusView, UptimeView};

/// A family with at most one sample of each monitor, or one of the edge.
struct MetricFamily<T> {
    name: &'static str,
    help: &'static str,
    read: fn(&T) -> Option<f64>,
}

const fn family<T>(name: &'static str, help: &'static str, read: fn(&T) -> Option<f64>) -> MetricFamily<T> {
    MetricFamily { name, help, read }
}

const MONITOR_GAUGES: [MetricFamily<MonitorView>; 10] = [
    family("heapbeat_monitor_latency_seconds", "Response time of the last check", |it| {
        it.latency_ms.map(|ms| f64::from(ms) / 1000.0)
    }),
    family("heapbeat_monitor_memory_rss_bytes", "Resident set", |it| it.memory.map(|it| bytes(it.rss))),
    family("heapbeat_monitor_memory_heap_used_bytes", "Live heap", |it| it.memory?.heap_used.map(bytes)),
    family("heapbeat_monitor_memory_heap_total_bytes", "Heap held by the allocator", |it| {
        it.memory?.heap_total.map(bytes)
    }),
    family("heapbeat_monitor_memory_limit_bytes", "Memory limit", |it| it.memory?.limit.map(bytes)),
    family("heapbeat_monitor_state_since_timestamp_seconds", "Since when the state holds", |it| {
        Some(seconds(it.since.0))
    }),
    family("heapbeat_monitor_last_check_timestamp_seconds", "Time of the last result of a check", |it| {
        it.checked.map(|at| seconds(at.0))
    }),
    family("heapbeat_monitor_unwatched", "1 if there was no result for longer than three intervals", |it| {
        Some(f64::from(u8::from(it.unwatched)))
    }),
    family("heapbeat_monitor_started_timestamp_seconds", "Start of the instance", |it| {
        it.started.map(|at| seconds(at.0))
    }),
    family("heapbeat_monitor_last_restart_timestamp_seconds", "Time of the last detected restart", |it| {
        it.restarts.last().map(|at| seconds(at.0))
    }),
];

const EDGE_GAUGES: [MetricFamily<EdgeView>; 5] = [
    family("heapbeat_edge_max_tick_delay_seconds", "Maximum delay of a tick of the day", |it| {
        Some(it.max_tick_delay_ms as f64 / 1000.0)
    }),
    family("heapbeat_edge_min_interval_seconds", "Shortest interval between probes", |it| {
        Some(it.min_interval_seconds as f64)
    }),
    family("heapbeat_edge_silent_hubs", "Hubs that did not respond", |it| Some(it.silent_hubs as f64)),
    family("heapbeat_edge_config_problems", "WorkerSettings that were rejected", |it| {
        Some(it.config_problems as f64)
    }),
    family("heapbeat_edge_failing_channels", "Alert channels whose service does not accept messages", |it| {
        Some(it.failing_channels as f64)
    }),
];

/// The counters of the day, which begins at midnight UTC.
const EDGE_COUNTERS: [MetricFamily<EdgeView>; 7] = [
    family("heapbeat_edge_ticks", "Ticks of the day", |it| Some(it.ticks as f64)),
    family("heapbeat_edge_ticks_missed", "Minutes without a tick", |it| Some(it.ticks_missed as f64)),
    family("heapbeat_edge_requests", "Requests that the hubs received", |it| Some(it.requests as f64)),
    family("heapbeat_edge_subrequests", "Requests that the hubs sent", |it| Some(it.subrequests as f64)),
    family("heapbeat_edge_rows_read", "Rows that SQLite read", |it| Some(it.rows_read as f64)),
    family("heapbeat_edge_rows_written", "Rows that SQLite wrote", |it| Some(it.rows_written as f64)),
    family("heapbeat_edge_active_seconds", "Seconds in which the hubs were active", |it| {
        Some(it.active_seconds as f64)
    }),
];

/// Renders the metrics of a status.
pub fn render_metrics(format: Format, status: &StatusView) -> String {
    let mut all = Exposition::new(format);
    let monitors = &status.monitors;
    write_states(&mut all, monitors);
    for MetricFamily { name, help, read } in &MONITOR_GAUGES {
        let mut family = all.family(name, MetricKind::Gauge, help);
        for it in monitors {
            if let Some(figure) = read(it) {
                family.sample(&[("monitor", &it.id)], figure);
            }
        }
    }
    let name = "heapbeat_monitor_last_exit_timestamp_seconds";
    let mut family = all.family(name, MetricKind::Gauge, "Exit of the previous instance, by kind");
    for it in monitors {
        if let Some(exit) = &it.last_exit {
            family.sample(&[("monitor", &it.id), ("kind", exit.kind.as_str())], seconds(exit.at.0));
        }
    }
    write_ratios(
        &mut all,
        monitors,
        ("heapbeat_monitor_uptime_ratio", "Share of the observed time that was up"),
        |it| it.percent,
    );
    write_ratios(
        &mut all,
        monitors,
        (
            "heapbeat_monitor_coverage_ratio",
            "Share of the window, or of the time since the monitor was first observed, that was observed",
        ),
        |it| Some(it.coverage),
    );
    if let Some(updated) = status.updated {
        let name = "heapbeat_edge_last_tick_timestamp_seconds";
        all.family(name, MetricKind::Gauge, "Time of the last tick").sample(&[], seconds(updated.0));
    }
    write_edge(&mut all, MetricKind::Gauge, &EDGE_GAUGES, &status.edge);
    write_edge(&mut all, MetricKind::Counter, &EDGE_COUNTERS, &status.edge);
    all.finish()
}

/// Writes names, states and reasons.
fn write_states(all: &mut Exposition, monitors: &[MonitorView]) {
    let mut family = all.family("heapbeat_monitor", MetricKind::Info, "Name and group of the monitor");
    for it in monitors {
        let group = it.group.as_deref().unwrap_or_default();
        family.sample(&[("monitor", &it.id), ("name", &it.name), ("group", group)], 1);
    }
    let name = "heapbeat_monitor_state";
    let mut family = all.family(name, MetricKind::StateSet, "State of the monitor");
    for it in monitors {
        for state in State::ALL {
            family.sample(&[("monitor", &it.id), (name, state.as_str())], u64::from(state == it.state));
        }
    }
    let mut family =
        all.family("heapbeat_monitor_up", MetricKind::Gauge, "1 if it is up or degraded, 0 if it is down");
    for it in monitors {
        let up = match it.state {
            State::Up | State::Degraded => 1,
            State::Down => 0,
            State::Waking | State::Maintenance | State::Unobserved => continue,
        };
        family.sample(&[("monitor", &it.id)], up);
    }
    let mut family = all.family(
        "heapbeat_monitor_failing",
        MetricKind::Gauge,
        "1 while the monitor is not up; the label is the reason",
    );
    for it in monitors {
        if let Some(code) = &it.reason_code {
            family.sample(&[("monitor", &it.id), ("reason", code)], 1);
        }
    }
}

/// Writes a family with a ratio for each monitor and window.
fn write_ratios(
    all: &mut Exposition,
    monitors: &[MonitorView],
    (name, help): (&str, &str),
    read: fn(&UptimeView) -> Option<Percent>,
) {
    let mut family = all.family(name, MetricKind::Gauge, help);
    for it in monitors {
        for (window, uptime) in it.uptime.by_name() {
            if let Some(percent) = read(&uptime) {
                // Three decimals of a percent are five of a ratio; division leaves more.
                let ratio = (percent.value() * 1000.0).round() / 100_000.0;
                family.sample(&[("monitor", &it.id), ("window", window)], ratio);
            }
        }
    }
}

fn write_edge(all: &mut Exposition, kind: MetricKind, figures: &[MetricFamily<EdgeView>], edge: &EdgeView) {
    for MetricFamily { name, help, read } in figures {
        let mut family = all.family(name, kind, help);
        if let Some(figure) = read(edge) {
            family.sample(&[], figure);
        }
    }
}

fn bytes(megabytes: Megabytes) -> f64 {
    (megabytes.0 * BYTES_PER_MB) as f64
}

/// Whole seconds of Unix time.
fn seconds(at: UnixMillis) -> f64 {
    (at.0 / 1000) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{ExitView, MonitorView, Timestamp, UptimeWindowsView};
    use crate::web::openapi::example;

    fn status() -> StatusView {
        let mut status = example::status();
        let at = |ms: i64| Timestamp(UnixMillis(1_767_225_600_000 + ms));
        let mut api = MonitorView {
            name: "A \"b\"".into(),
            group: None,
            state: State::Down,
            since: at(0),
            reason: Some("HTTP status 503".into()),
            reason_code: Some("http-status".into()),
            latency_ms: Some(12),
            started: None,
            restarts: vec![at(0), at(1000)],
            ..status.monitors.remove(0)
        };
        api.uptime.day =
            UptimeView { percent: Some(Percent::cut(99.98)), coverage: Percent::cut(14.285), since: None };
        api.memory.as_mut().unwrap().limit = None;
        api.last_exit = api.last_exit.map(|exit| ExitView { at: at(1000), ..exit });
        let db = MonitorView {
            id: "db".into(),
            state: State::Unobserved,
            reason: None,
            reason_code: None,
            uptime: UptimeWindowsView::default(),
            memory: None,
            last_exit: None,
            ..api.clone()
        };
        let edge = EdgeView { ticks: 5, max_tick_delay_ms: 1250, ..EdgeView::default() };
        StatusView { updated: Some(at(0)), monitors: vec![api, db], edge, ..status }
    }

    #[test]
    fn a_known_figure_has_a_sample_and_an_unknown_one_has_none() {
        let text = render_metrics(Format::OpenMetrics, &status());
        for line in [
            r#"heapbeat_monitor_info{monitor="api",name="A \"b\"",group=""} 1"#,
            r#"heapbeat_monitor_state{monitor="api",heapbeat_monitor_state="down"} 1"#,
            r#"heapbeat_monitor_state{monitor="db",heapbeat_monitor_state="down"} 0"#,
            r#"heapbeat_monitor_up{monitor="api"} 0"#,
            r#"heapbeat_monitor_failing{monitor="api",reason="http-status"} 1"#,
            r#"heapbeat_monitor_latency_seconds{monitor="api"} 0.012"#,
            r#"heapbeat_monitor_memory_rss_bytes{monitor="api"} 157286400"#,
            r#"heapbeat_monitor_state_since_timestamp_seconds{monitor="db"} 1767225600"#,
            r#"heapbeat_monitor_last_exit_timestamp_seconds{monitor="api",kind="oom_kill"} 1767225601"#,
            r#"heapbeat_monitor_last_restart_timestamp_seconds{monitor="api"} 1767225601"#,
            r#"heapbeat_monitor_uptime_ratio{monitor="api",window="24h"} 0.9998"#,
            r#"heapbeat_monitor_coverage_ratio{monitor="api",window="24h"} 0.14285"#,
            "heapbeat_edge_ticks_total 5",
            "heapbeat_edge_max_tick_delay_seconds 1.25",
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
