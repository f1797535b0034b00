//! Converts a monitor of Uptime Kuma.

use serde_json::json;

use super::times::{self, INTERVAL};
use super::{Context, checks};
use crate::builder::{MonitorBuilder, format_millis};
use crate::cursor::Cursor;
use crate::note::NoteKind;

/// The shortest time between reminders of a channel, in milliseconds.
pub(super) const MIN_REMINDER: i64 = 300_000;

/// Settings of the kinds that heapbeat has not, of Kuma's own page, and of what it stores. A monitor of another kind has them as well,
/// without a meaning.
const OTHER_KINDS: &[&str] = &[
    "id",
    "active",
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
    "screenshot",
    "screenshot_delay",
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
    "notificationIDList",
    "tags",
    "conditions",
    "certInfo",
    "manual_status",
    "system_service_name",
    "subtype",
    "location",
    "protocol",
    "gamedigToken",
    "gamedig_token",
    "saveResponse",
    "save_response",
    "saveErrorResponse",
    "save_error_response",
    "responseMaxLength",
    "response_max_length",
];

/// How the settings of other kinds begin.
const OTHER_PREFIXES: [&str; 11] =
    ["mqtt", "grpc", "kafka", "rabbitmq", "snmp", "ssh", "sftp", "smtp", "oauth", "ntp", "ws"];

/// Converts a monitor.
pub(super) fn convert(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context) {
    // A backup says of a monitor in a paused group that it is not active, and in the database only the group is not.
    if context.groups.is_paused(cursor) || is_set(cursor, &["forceInactive", "force_inactive"]) {
        builder.leave_out("its group is paused");
        return;
    }
    if is_paused(cursor) {
        builder.leave_out("it is paused");
        return;
    }
    let kind = cursor.text("type").unwrap_or_default();
    match kind {
        "http" | "keyword" | "json-query" => {
            builder.set("kind", json!("http"));
            builder.set("url", json!(cursor.text("url").unwrap_or_default()));
            checks::convert(cursor, kind, builder);
            convert_redirects(cursor, builder, context);
        }
        "port" => convert_port(cursor, builder),
        "push" => convert_push(cursor, builder),
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
        times::convert_push(cursor, builder);
    } else {
        times::convert(cursor, kind, builder);
    }
    note_the_rest(cursor, builder);
}

/// Notes what is not converted of a monitor of any kind.
fn note_the_rest(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    if is_set(cursor, &["domainExpiryNotification", "domain_expiry_notification"]) {
        builder.changed(
            "nobody is told before the registration of its domain expires; a condition such as `[DOMAIN_EXPIRATION] > 168h` does so",
        );
    }
    if is_set(cursor, &["maintenance"]) {
        builder
            .changed("it is under maintenance, which is not in the input; add it to `[[vars.MAINTENANCE]]`");
    }
    if let Some(family) = text_of(cursor, &["ipFamily", "ip_family"]).filter(|it| it.starts_with("ipv")) {
        builder.changed(format!("it is not asked by {family} only: the platform chooses"));
    }
    if cursor.node().get("tags").is_some_and(|tags| !tags.items().is_empty()) {
        builder.note(NoteKind::Dropped, "its tags are about the page of Uptime Kuma");
    }
    if cursor.text("description").is_some_and(|text| !text.is_empty()) {
        builder.note(NoteKind::Dropped, "its description is about the page of Uptime Kuma");
    }
    for unused in ["hostname", "port", "pushToken", "push_token"] {
        cursor.mark_read(unused);
    }
    for (key, value) in cursor.entries() {
        if OTHER_KINDS.contains(&key)
            || value.node().is_null()
            || OTHER_PREFIXES.iter().any(|prefix| key.to_ascii_lowercase().starts_with(prefix))
        {
            cursor.mark_read(key);
        }
    }
}

/// Returns whether a monitor or a group is paused.
pub(super) fn is_paused(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.text("active"), Some("false" | "0"))
}

/// Returns whether one of these settings is true: a flag, or 1 in a database. What is neither true nor false is left unread.
pub(super) fn is_set(cursor: &Cursor<'_>, keys: &[&str]) -> bool {
    keys.iter().filter_map(|key| cursor.get(key)).any(|value| match value.scalar() {
        Some("true" | "1") => {
            value.mark_whole_read();
            true
        }
        Some("false" | "0" | "") => {
            value.mark_whole_read();
            false
        }
        _ => false,
    })
}

/// Returns the number of the first of these settings that is one. What is no number is left unread.
pub(super) fn number_of(cursor: &Cursor<'_>, keys: &[&str]) -> Option<i64> {
    keys.iter().filter_map(|key| cursor.get(key)).find_map(|value| {
        let text = value.scalar()?;
        // A number of a database may have a fraction that is zero.
        let number = text.strip_suffix(".0").unwrap_or(text).parse().ok()?;
        value.mark_whole_read();
        Some(number)
    })
}

/// Returns the text of the first of these settings that has one.
pub(super) fn text_of<'t>(cursor: &Cursor<'t>, keys: &[&str]) -> Option<&'t str> {
    keys.iter().find_map(|key| cursor.text(key))
}

fn convert_redirects(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context) {
    match number_of(cursor, &["maxredirects"]).unwrap_or(10) {
        0 => builder.set("redirects", json!("refuse")),
        5 => {}
        10 => context.follows_ten_redirects = true,
        count => builder.changed(format!("at most five redirects are followed, and not {count}")),
    }
}

fn convert_port(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let (host, port) = (cursor.text("hostname").unwrap_or_default(), cursor.text("port").unwrap_or_default());
    let host =
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    builder.set("kind", json!("tcp"));
    builder.set("url", json!(format!("tcp://{host}:{port}")));
    builder.set("conditions", json!(["[CONNECTED] == true"]));
    let is_tls = matches!(text_of(cursor, &["smtpSecurity", "smtp_security"]), Some("secure" | "starttls"));
    if is_tls && is_set(cursor, &["expiryNotification", "expiry_notification"]) {
        builder.changed("its certificate is not checked: heapbeat opens the connection only");
    }
    if text_of(cursor, &["expectedTlsAlert", "expected_tls_alert"])
        .is_some_and(|it| !matches!(it, "" | "none"))
    {
        builder.leave_out("it expects an alert of TLS, and heapbeat opens the connection only");
    }
    mark_request_read(cursor);
}

fn convert_push(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    builder.set("kind", json!("heartbeat"));
    mark_request_read(cursor);
    let id = builder.id().to_owned();
    builder.note(
        NoteKind::Todo,
        format!("the job has to call POST /api/v1/heartbeats/{id} with the secret HEARTBEAT_TOKEN"),
    );
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
        "cacheBust",
        "cache_bust",
        "retryOnlyOnStatusCodeFailure",
        "retry_only_on_status_code_failure",
        "expectedTlsAlert",
        "expected_tls_alert",
    ]
    .iter()
    .chain(&checks::CREDENTIAL_KEYS)
    {
        cursor.mark_read(key);
    }
}

/// Returns the ids of the channels of a monitor; `None` if the input does not say which they are.
pub(super) fn find_channels(cursor: &Cursor<'_>, context: &Context) -> Option<Vec<String>> {
    let known = |number: &&str| context.channels.get(*number).cloned();
    Some(notifications_of(cursor)?.iter().filter_map(known).collect())
}

/// Returns the numbers of the notifications of a monitor, if the input has them.
fn notifications_of<'t>(cursor: &Cursor<'t>) -> Option<Vec<&'t str>> {
    let notifications = cursor.get("notificationIDList")?;
    let is_on = |(number, on): (&'t str, Cursor<'t>)| (on.as_text() == Some("true")).then_some(number);
    let mut numbers: Vec<_> = notifications.entries().into_iter().filter_map(is_on).collect();
    numbers.extend(notifications.items().iter().filter_map(Cursor::as_text));
    Some(numbers)
}

fn convert_alerts(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context) {
    let channels = find_channels(cursor, context);
    match (&channels, notifications_of(cursor)) {
        (Some(channels), Some(numbers)) if channels.len() < numbers.len() => {
            builder.note(NoteKind::Dropped, "one of its notifications does not exist or is not active");
        }
        (None, _) => builder.changed(
            "its notifications are not in the input; nobody is told: add the ids of channels to `alerts`",
        ),
        _ => {}
    }
    let channels = channels.unwrap_or_default();
    convert_reminders(cursor, &channels, builder, context);
    builder.set("alerts", json!(channels));
}

/// A monitor of Kuma reminds after so many failures, and a channel of heapbeat after a time.
fn convert_reminders(
    cursor: &Cursor<'_>,
    channels: &[String],
    builder: &mut MonitorBuilder,
    context: &mut Context,
) {
    let resend = number_of(cursor, &["resendInterval", "resend_interval"]).unwrap_or(0);
    if resend <= 0 {
        return;
    }
    let interval = number_of(cursor, &["interval"]).unwrap_or(INTERVAL);
    let reminder = resend.saturating_mul(interval).saturating_mul(1000);
    for channel in channels {
        let known = context.reminders.entry(channel.clone()).or_insert(reminder);
        *known = (*known).min(reminder);
    }
    builder.changed(format!(
        "it reminds every {}; reminders belong to the channel, which has the shortest interval of its monitors, and at least {}",
        format_millis(reminder),
        format_millis(MIN_REMINDER)
    ));
}
