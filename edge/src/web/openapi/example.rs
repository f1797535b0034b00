//! The examples of the document: JSON that is read into the types of responses, so that an example with a missing field fails a test.
//! Tests use them as values, too.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::monitor_config::applied::Applied;
use crate::view::{
    AlertTestView, AppliedMonitorsView, ChannelsView, DayView, ImportResultView, IncidentDetailView,
    LatencyHistoryView, MaintenanceListView, MaintenanceResultView, MemoryHistoryView, MonitorDetailView,
    MonitorView, StatusView, SubscriptionsView, UptimeHistoryView, VersionsView,
};

const NOW: &str = "2026-01-01T12:00:00Z";
const STARTED: &str = "2025-12-30T12:00:00Z";

/// Unix milliseconds of [`NOW`].
const NOW_MS: i64 = 1_767_268_800_000;

const MB: u64 = 1024 * 1024;

/// The beginning and the end of a page of an export.
pub(crate) const EXPORT_PAGE: &str = "{\"schema\":1,\"hub\":0}\n{\"table\":\"ledger\",\"row\":[\"api\",1767225600000,\"up\"]}\n{\"next\":\"0-3-200\"}\n";

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| panic!("an example is not of its type: {error}"))
}

/// The status of one monitor and of announced maintenance.
pub(crate) fn status() -> StatusView {
    read(json!({
        "status": "up",
        "updated": NOW,
        "monitors": [monitor_json()],
        "problems": [],
        "notices": [],
        "maintenance": [{
            "id": "move",
            "title": "We move to larger machines",
            "monitors": ["api"],
            "from": "2026-01-02T12:00:00Z",
            "to": "2026-01-02T13:00:00Z",
        }],
        "edge": {
            "day": "2026-01-01T00:00:00Z",
            "ticks": 720,
            "ticks_missed": 1,
            "max_tick_delay_ms": 1240,
            "requests": 1523,
            "rows_read": 2960,
            "rows_written": 742,
            "subrequests": 721,
            "active_seconds": 212,
            "max_tick_subrequests": 3,
            "min_interval_seconds": 0,
            "hubs": 1,
            "config_problems": 0,
            "failing_channels": 0,
        },
    }))
}

/// A monitor that sends signed reports.
pub(crate) fn monitor() -> MonitorView {
    read(monitor_json())
}

/// The same with the time of the last tick.
pub(crate) fn monitor_detail() -> MonitorDetailView {
    MonitorDetailView { updated: status().updated, monitor: monitor() }
}

fn monitor_json() -> Value {
    let latencies: Vec<Option<u32>> = (0..48).map(|at| (at != 7).then_some(11 + at % 5)).collect();
    let days = [&".".repeat(29), &"u".repeat(51), "~", &"u".repeat(6), "d", "uu"].concat();
    json!({
        "id": "api",
        "name": "API",
        "group": "Backend",
        "state": "up",
        "since": STARTED,
        "reason": null,
        "latency_ms": 12,
        "latencies": latencies,
        "uptime": {
            "24h": { "percent": 100, "coverage": 100 },
            "7d": { "percent": 99.96, "coverage": 100 },
            "90d": { "percent": 99.987, "coverage": 98.4 },
        },
        "days": days,
        "memory": {
            "rss": 150,
            "heapUsed": 120,
            "heapTotal": 140,
            "external": 9,
            "limit": 512,
            "pressure": "calm",
            "at": NOW,
        },
        "started": STARTED,
        "restarts": ["2025-12-23T12:00:00Z", STARTED],
        "forecast": {
            "verdict": "steady",
            "bytes_per_hour": null,
            "reaches_limit": null,
            "earliest": null,
            "latest": null,
        },
        "regions": [{ "region": "weur", "state": "up", "latency_ms": 31, "reason": null }],
        "last_exit": {
            "kind": "oom_kill",
            "at": "2025-12-30T11:59:40Z",
            "sure": true,
            "evidence": ["the OOM kill count of its control group rose by 1"],
            "evidence_statements": [{ "code": "cgroup-oom-count", "params": { "count": 1 } }],
        },
    })
}

/// Uptime of thirty days.
pub(crate) fn uptime() -> UptimeHistoryView {
    let day = 86_400;
    read(json!({
        "monitor": "api",
        "window_seconds": 30 * day,
        "percent": 99.987,
        "coverage": 98.4,
        "restarts": 2,
        "mean_time_between_restarts_seconds": 14 * day,
        "crashes": 1,
        "mean_time_between_crashes_seconds": 29 * day,
        "crash_free_seconds": 2 * day,
    }))
}

/// A row of memory so many seconds before now.
fn sample(seconds_ago: i64, working_set_mb: u64) -> Value {
    let mb = |mb: u64| mb * MB;
    let (rss, used, total) = (working_set_mb + 2, working_set_mb - 9, working_set_mb - 4);
    json!([NOW_MS - seconds_ago * 1000, mb(rss), mb(used), mb(total), mb(3), mb(working_set_mb)])
}

const COLUMNS: [&str; 6] = ["at", "rss", "heapUsed", "heapTotal", "external", "workingSet"];

/// Memory with an instance that starts and a gap.
pub(crate) fn memory() -> MemoryHistoryView {
    let minute = 60_000;
    read(json!({
        "monitor": "api",
        "resolution": "1s",
        "from": NOW_MS - 180 * minute,
        "to": NOW_MS,
        "columns": COLUMNS,
        "samples": [sample(2, 150), sample(1, 151), sample(0, 151)],
        "instances": [NOW_MS - 2000],
        "gaps": [{ "from": NOW_MS - 90 * minute, "to": NOW_MS - 80 * minute, "missing": 600 }],
    }))
}

/// Latency by probe.
pub(crate) fn latency() -> LatencyHistoryView {
    let minute = 60_000;
    read(json!({
        "monitor": "api",
        "resolution": "tick",
        "from": NOW_MS - 1440 * minute,
        "to": NOW_MS,
        "columns": ["at", "ms"],
        "samples": [
            [NOW_MS - 4 * minute, 12],
            [NOW_MS - 3 * minute, 14],
            [NOW_MS - 2 * minute, null],
            [NOW_MS - minute, 11],
        ],
        "gaps": [],
    }))
}

/// The last three of ninety days.
pub(crate) fn days() -> Vec<DayView> {
    read(json!([
        { "day": "2025-12-30", "state": "down", "percent": 99.976, "coverage": 100 },
        { "day": "2025-12-31", "state": "up", "percent": 100, "coverage": 100 },
        { "day": "2026-01-01", "state": "up", "percent": 100, "coverage": 100 },
    ]))
}

/// Memory of two versions.
pub(crate) fn versions() -> VersionsView {
    let marks = |reached: usize, mb: u64| -> Vec<Option<u64>> {
        let ages = crate::domain::report::version_comparison::AGES.len();
        (0..ages).map(|at| (at < reached).then_some((mb + at as u64 * 3) * MB)).collect()
    };
    read(json!({
        "monitor": "api",
        "ages_seconds": crate::domain::report::version_comparison::AGES,
        "versions": [
            { "version": "1f3a9c2", "since": STARTED, "working_set": marks(7, 120) },
            { "version": "b7720de", "since": "2025-12-23T12:00:00Z", "working_set": marks(6, 116) },
        ],
        "compared": { "age_seconds": 43_200, "now": 135 * MB, "before": 131 * MB },
    }))
}

/// A resolved incident with its recording.
pub(crate) fn incident() -> IncidentDetailView {
    read(json!({
        "id": "api-1767095980",
        "monitor": "api",
        "severity": "crashed",
        "current": null,
        "opened": "2025-12-30T11:59:40Z",
        "closed": "2025-12-30T12:02:00Z",
        "durations": [{ "state": "crashed", "seconds": 20 }, { "state": "up", "seconds": 120 }],
        "cause": "out of memory",
        "cause_code": "out-of-memory",
        "evidence": ["the OOM kill count of its control group rose by 1"],
        "evidence_statements": [{ "code": "cgroup-oom-count", "params": { "count": 1 } }],
        "acknowledged": true,
        "inhibited_by": null,
        "timeline": [
            {
                "at": "2025-12-30T11:59:40Z",
                "message": "instance ran out of memory and was killed by the kernel (OOM)",
                "message_code": "instance-oom-kill",
            },
            { "at": STARTED, "message": "instance started", "message_code": "instance-started" },
            { "at": "2025-12-30T12:02:00Z", "message": "all checks pass again", "message_code": "recovered" },
        ],
        "recording": [{
            "instance": "00c0ffee00c0ffee",
            "columns": COLUMNS,
            "samples": [sample(172_822, 506), sample(172_821, 511)],
        }],
    }))
}

/// A monitor as the owner writes it.
pub(crate) fn monitor_entry() -> Value {
    json!({
        "id": "api",
        "name": "API",
        "kind": "http",
        "url": "https://api.example.com/status",
        "interval": "60s",
        "conditions": ["[STATUS] == 200", "[BODY].database == UP"],
        "group": "Backend",
    })
}

/// A maintenance window as the owner writes it.
pub(crate) fn maintenance_entry() -> Value {
    json!({
        "id": "weekly",
        "title": "Weekly restart",
        "schedule": "0 3 * * sun",
        "time-zone": "Europe/Berlin",
        "duration": "30m",
        "monitors": ["api"],
    })
}

/// The applied monitors.
pub(crate) fn applied_monitors() -> AppliedMonitorsView {
    read(json!({ "monitors": [monitor_entry()], "wrangler": ["web"] }))
}

/// A list that was applied.
pub(crate) fn applied() -> Applied {
    let lists = json!({ "added": ["api"], "changed": [], "removed": ["old"], "unchanged": [] });
    let reason = "the Worker has no secret `MONITOR_API`; set it by `wrangler secret put MONITOR_API`";
    let warning = json!({ "position": "api", "reason": reason });
    read(merged(lists, json!({ "applied": true, "problems": [], "warnings": [warning] })))
}

/// A list that was rejected.
pub(crate) fn apply_rejected() -> Applied {
    let reason = "`C` is not a valid id: use 1 to 40 of a-z, 0-9 and -, with no - at either end";
    let lists = json!({ "added": [], "changed": [], "removed": [], "unchanged": [] });
    let problems = json!([{ "position": "monitors[1].id", "reason": reason }]);
    read(merged(lists, json!({ "applied": false, "problems": problems, "warnings": [] })))
}

fn merged(mut all: Value, more: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

/// The announced maintenance.
pub(crate) fn maintenance_list() -> MaintenanceListView {
    read(json!({ "maintenance": [maintenance_entry()] }))
}

/// A list of maintenance that was announced.
pub(crate) fn maintenance_set() -> MaintenanceResultView {
    read(json!({ "applied": true, "problems": [] }))
}

/// A list of maintenance that was rejected.
pub(crate) fn maintenance_rejected() -> MaintenanceResultView {
    let reason = "this setting is required: how long the maintenance takes, such as \"30m\"";
    read(json!({
        "applied": false,
        "problems": [{ "position": "maintenance[0].duration", "reason": reason }],
    }))
}

/// The answer to an import.
pub(crate) fn imported() -> ImportResultView {
    read(json!({ "rows": 200 }))
}

/// One channel that works, and one whose secret is wrong.
pub(crate) fn alert_test() -> AlertTestView {
    read(json!({
        "channels": [
            { "channel": "ops", "kind": "slack", "accepted": true, "result": "accepted", "reply": "" },
            {
                "channel": "dev", "kind": "discord", "accepted": false,
                "result": "the service refused the message: status 401", "reply": "{\"code\": 50027}",
            },
        ],
    }))
}

/// One channel that works, and one whose service refuses alerts.
pub(crate) fn channels() -> ChannelsView {
    read(json!({
        "channels": [
            {
                "channel": "ops", "kind": "slack", "state": "working", "reason": null, "since": null, "failures": 0,
                "next_attempt": null, "waiting": 0,
            },
            {
                "channel": "dev", "kind": "discord", "state": "refusing", "reason": "status 401", "since": "2026-01-31T14:00:00Z",
                "failures": 3, "next_attempt": "2026-01-31T14:45:00Z", "waiting": 2,
            },
        ],
    }))
}

/// One webhook.
pub(crate) fn subscriptions() -> SubscriptionsView {
    read(json!({
        "subscriptions": [{ "url": "https://hooks.example/status", "monitors": ["api"], "push": false }],
    }))
}
