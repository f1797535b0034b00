//! Converts a monitor of Uptime Kuma.

use serde_json::json;

use super::{Context, checks};
use crate::builder::{MAX_GRACE, MAX_THRESHOLD, MonitorBuilder, format_millis};
use crate::cursor::{Cursor, DurationValue};
use crate::note::NoteKind;

/// Kuma's default of the interval, in seconds.
const INTERVAL: i64 = 60;

/// Settings of the kinds that heapbeat has not, and of Kuma's own page. A monitor of another kind has them as well, without a meaning.
const OTHER_KINDS: &[&str] = &[
    "id",
    "active",
    "forceInactive",
    "force_inactive",
    "user_id",
    "userId",
    "created_date",
    "pathName",
    "path",
    "childrenIDs",
    "parent",
    "includeSensitiveData",
    "weight",
    "description",
    "maintenance",
    "screenshot",
    "packetSize",
    "packet_size",
    "ping_count",
    "ping_numeric",
    "ping_per_request_timeout",
    "dns_resolve_type",
    "dns_resolve_server",
    "dns_last_result",
    "docker_container",
    "docker_host",
    "databaseQuery",
    "database_query",
    "databaseConnectionString",
    "database_connection_string",
    "game",
    "gamedigGivenPortOnly",
    "gamedig_given_port_only",
    "radiusUsername",
    "radius_username",
    "radiusPassword",
    "radius_password",
    "radiusSecret",
    "radius_secret",
    "radiusCalledStationId",
    "radius_called_station_id",
    "radiusCallingStationId",
    "radius_calling_station_id",
    "remote_browser",
    "remoteBrowser",
    "retryOnlyOnStatusCodeFailure",
    "cacheBust",
    "cache_bust",
    "notificationIDList",
    "tags",
    "conditions",
    "certInfo",
    "manual_status",
    "system_service_name",
    "ipFamily",
    "ip_family",
];

/// How the settings of other kinds begin.
const OTHER_PREFIXES: [&str; 9] =
    ["mqtt", "grpc", "kafka", "rabbitmq", "snmp", "ssh", "sftp", "smtp", "oauth"];

/// Converts a monitor.
pub(super) fn convert(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context) {
    if matches!(cursor.text("active"), Some("false" | "0")) {
        builder.leave_out("it is paused");
        return;
    }
    let kind = cursor.text("type").unwrap_or_default();
    match kind {
        "http" | "keyword" | "json-query" => {
            builder.set("kind", json!("http"));
            builder.set("url", json!(cursor.text("url").unwrap_or_default()));
            checks::convert(cursor, kind, builder);
        }
        "port" => {
            let (host, port) =
                (cursor.text("hostname").unwrap_or_default(), cursor.text("port").unwrap_or_default());
            let host = if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]")
            } else {
                host.to_owned()
            };
            builder.set("kind", json!("tcp"));
            builder.set("url", json!(format!("tcp://{host}:{port}")));
            builder.set("conditions", json!(["[CONNECTED] == true"]));
            mark_request_read(cursor);
        }
        "push" => builder.set("kind", json!("heartbeat")),
        other => {
            builder.leave_out(format!("heapbeat has no monitor of type {other}"));
            return;
        }
    }
    if is_set(cursor, &["upsideDown", "upside_down"]) {
        builder.leave_out("it is up when the check fails (upside down); write the opposite as a condition");
        return;
    }
    convert_alerts(cursor, builder, context);
    if kind == "push" {
        convert_push(cursor, builder);
    } else {
        convert_times(cursor, builder);
    }
    if cursor.node().get("tags").is_some_and(|tags| !tags.items().is_empty()) {
        builder.note(NoteKind::Dropped, "its tags are about the page of Uptime Kuma");
    }
    if cursor.text("description").is_some_and(|text| !text.is_empty()) {
        builder.note(NoteKind::Dropped, "its description is about the page of Uptime Kuma");
    }
    for (key, _) in cursor.entries() {
        if OTHER_KINDS.contains(&key)
            || OTHER_PREFIXES.iter().any(|prefix| key.to_ascii_lowercase().starts_with(prefix))
        {
            cursor.mark_read(key);
        }
    }
}

/// Returns whether one of these settings is true: a flag, or 1 in a database.
pub(super) fn is_set(cursor: &Cursor<'_>, keys: &[&str]) -> bool {
    keys.iter().any(|key| matches!(cursor.text(key), Some("true" | "1")))
}

/// Returns the number of the first of these settings that is there.
pub(super) fn number_of(cursor: &Cursor<'_>, keys: &[&str]) -> Option<i64> {
    keys.iter().find_map(|key| cursor.text(key)?.parse().ok())
}

/// Records that the settings of a request were read, which only HTTP has.
fn mark_request_read(cursor: &Cursor<'_>) {
    for key in [
        "url",
        "method",
        "body",
        "headers",
        "keyword",
        "invertKeyword",
        "invert_keyword",
        "jsonPath",
        "json_path",
        "jsonPathOperator",
        "json_path_operator",
        "expectedValue",
        "expected_value",
        "accepted_statuscodes",
        "accepted_statuscodes_json",
        "maxredirects",
        "ignoreTls",
        "ignore_tls",
        "expiryNotification",
        "expiry_notification",
        "httpBodyEncoding",
        "http_body_encoding",
        "authMethod",
        "auth_method",
        "basic_auth_user",
        "proxyId",
        "proxy_id",
    ]
    .iter()
    .chain(&checks::CREDENTIAL_KEYS)
    {
        cursor.mark_read(key);
    }
}

fn convert_times(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let seconds = |number: i64| DurationValue::Nanos(number.saturating_mul(1_000_000_000));
    let interval = number_of(cursor, &["interval"]).unwrap_or(INTERVAL);
    builder.set_interval(seconds(interval));
    for unused in ["hostname", "port", "pushToken", "push_token"] {
        cursor.mark_read(unused);
    }
    // Kuma's own timeout is 80 % of the interval.
    let timeout =
        cursor.text("timeout").and_then(|text| text.parse::<f64>().ok()).filter(|timeout| *timeout > 0.0);
    #[allow(clippy::cast_possible_truncation)] // The cast saturates.
    let millis = timeout.map_or(interval.saturating_mul(800), |timeout| (timeout * 1000.0) as i64);
    builder.set_timeout(DurationValue::Nanos(millis.saturating_mul(1_000_000)));
    let retries = number_of(cursor, &["maxretries"]).unwrap_or(0).max(0);
    let retry_interval = number_of(cursor, &["retryInterval", "retry_interval"])
        .filter(|interval| *interval > 0)
        .unwrap_or(interval);
    if retries > 0 {
        builder.set("failure-threshold", json!((retries + 1).min(MAX_THRESHOLD)));
        if retries >= MAX_THRESHOLD {
            builder.changed(format!(
                "{retries} retries are not possible; it is down after {MAX_THRESHOLD} failures"
            ));
        }
        if retry_interval != interval {
            builder.changed(format!(
                "it is asked again after {interval} s and not {retry_interval} s while it fails"
            ));
        }
    }
}

fn convert_push(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let interval = number_of(cursor, &["interval"]).unwrap_or(INTERVAL).saturating_mul(1000);
    builder.set_job_interval("interval", interval);
    let retries = number_of(cursor, &["maxretries"]).unwrap_or(0).max(0);
    let retry = number_of(cursor, &["retryInterval", "retry_interval"]).unwrap_or(INTERVAL).max(0);
    let grace = retries.saturating_mul(retry).saturating_mul(1000);
    if grace > MAX_GRACE {
        builder.changed(format!(
            "its grace is {} and not {}",
            format_millis(MAX_GRACE),
            format_millis(grace)
        ));
    }
    builder.set("grace", json!(format_millis(grace.min(MAX_GRACE))));
    for unused in ["hostname", "port", "timeout", "pushToken", "push_token"] {
        cursor.mark_read(unused);
    }
    mark_request_read(cursor);
    let id = builder.id().to_owned();
    builder.note(
        NoteKind::Todo,
        format!("the job has to call POST /api/v1/heartbeats/{id} with the secret HEARTBEAT_TOKEN"),
    );
}

fn convert_alerts(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context) {
    let notifications = cursor.get("notificationIDList");
    let mut numbers: Vec<&str> = Vec::new();
    for (number, on) in notifications.iter().flat_map(Cursor::entries) {
        if on.as_text() == Some("true") {
            numbers.push(number);
        }
    }
    numbers.extend(notifications.iter().flat_map(Cursor::items).filter_map(|number| number.as_text()));
    let channels: Vec<_> =
        numbers.iter().filter_map(|number| context.channels.get(*number)).cloned().collect();
    if notifications.is_none() {
        builder.changed(
            "its notifications are not in the input; nobody is told: add the ids of channels to `alerts`",
        );
    } else if channels.len() < numbers.len() {
        builder.note(NoteKind::Dropped, "one of its notifications does not exist or is not active");
    }
    let resend = number_of(cursor, &["resendInterval", "resend_interval"]).unwrap_or(0);
    if resend > 0 {
        let interval = number_of(cursor, &["interval"]).unwrap_or(INTERVAL);
        let reminder = resend.saturating_mul(interval).saturating_mul(1000);
        for channel in &channels {
            let known = context.reminders.entry(channel.clone()).or_insert(reminder);
            *known = (*known).min(reminder);
        }
        builder.changed("reminders belong to the channel, which has the shortest interval of its monitors");
    }
    builder.set("alerts", json!(channels));
}
