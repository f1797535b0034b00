//! Converts a site of Upptime.

use serde_json::json;

use super::Context;
use crate::builder::MonitorBuilder;
use crate::checks::Conditions;
use crate::cursor::{Cursor, DurationValue};
use crate::environment::unknown_names;
use crate::note::NoteKind;

/// The statuses that Upptime expects if none are named.
const EXPECTED: [(u16, u16); 3] = [(200, 208), (226, 226), (300, 308)];

/// The timeout of a request in seconds.
const TIMEOUT: i64 = 60;

/// Settings of the page, the issues and the log.
const DROPPED: [&str; 4] = ["icon", "slug", "tags", "verbose"];

/// Converts a site.
pub(super) fn convert(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    let Some(address) = expand_known(cursor, "url", "address", builder, context) else { return };
    match cursor.text("check").unwrap_or("http") {
        "http" => {
            builder.set("kind", json!("http"));
            // curl, and Globalping, put a scheme before an address that has none.
            let scheme = if is_globalping(cursor) { "https" } else { "http" };
            let url = if address.contains("://") { address } else { format!("{scheme}://{address}") };
            builder.set("url", json!(url));
            convert_request(cursor, builder, context);
            convert_checks(cursor, builder, context);
            convert_redirects(cursor, builder, context);
        }
        "tcp-ping" => convert_tcp(cursor, &address, builder, context),
        "ssl" => builder.leave_out("a Worker cannot see when a certificate expires"),
        other => builder.leave_out(format!("heapbeat has no check {other}")),
    }
    if builder.is_left_out() {
        return;
    }
    builder.set_interval(DurationValue::Nanos(context.interval.saturating_mul(60_000_000_000)));
    builder.set("retries", json!(2));
    convert_attempts(cursor, builder);
    note_the_rest(cursor, builder);
}

/// Whether a site is checked by Globalping.
fn is_globalping(cursor: &Cursor<'_>) -> bool {
    match cursor.get("type") {
        Some(kind) if matches!(kind.scalar(), Some("globalping" | "local")) => {
            kind.as_text() == Some("globalping")
        }
        _ => false, // Another type stays unread, and is noted.
    }
}

/// Returns a text with its variables. A monitor with one that is not known is left out.
fn expand_known(
    cursor: &Cursor<'_>,
    key: &str,
    what: &str,
    builder: &mut MonitorBuilder,
    context: &mut Context<'_>,
) -> Option<String> {
    let text = context.expand(cursor.text(key).unwrap_or_default());
    let unknown = unknown_names(&text).join(", ");
    if unknown.is_empty() {
        return Some(text);
    }
    builder.leave_out(format!("the {what} needs a variable; give the value of {unknown} with --env"));
    None
}

fn convert_tcp(cursor: &Cursor<'_>, host: &str, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    let Some(port) = expand_known(cursor, "port", "port", builder, context) else { return };
    let host =
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    builder.set("kind", json!("tcp"));
    builder.set("url", json!(format!("tcp://{host}:{port}")));
    builder.set("conditions", json!(["[CONNECTED] == true"]));
    let mut degraded = Conditions::default();
    push_response_time(cursor, &mut degraded, builder);
    degraded.finish_degraded(builder);
    builder.changed("it is up when one of five connections succeeds; here one is opened");
    // The others are of requests.
    for key in [
        "method",
        "headers",
        "body",
        "expectedStatusCodes",
        "maxRedirects",
        "requestTimeout",
        "connectTimeout",
    ] {
        cursor.mark_read(key);
    }
    builder.set_timeout(DurationValue::Nanos(5_000_000_000));
}

fn convert_request(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    let method = cursor.text("method").unwrap_or("GET").to_ascii_uppercase();
    if method != "GET" {
        builder.set("method", json!(method));
    }
    let body = cursor.text("body").is_some_and(|body| !body.is_empty());
    if body && matches!(method.as_str(), "GET" | "HEAD") {
        builder.changed("the body is not sent: the platform sends none with GET and HEAD");
    } else if body {
        let Some(body) = expand_known(cursor, "body", "body", builder, context) else { return };
        builder.set("body", json!(body));
        // What curl sends unless a header says otherwise.
        builder.set_header("Content-Type", "application/x-www-form-urlencoded");
    }
    for header in cursor.list("headers") {
        let Some(text) = header.as_text() else { continue };
        match text.split_once(':') {
            Some((name, value)) => builder.set_header(name.trim(), context.expand(value).trim()),
            None => builder.changed(format!("the header `{text}` was not converted: it has no colon")),
        }
    }
    let timeout = cursor.number("requestTimeout").filter(|timeout| *timeout > 0).unwrap_or(TIMEOUT);
    builder.set_timeout(DurationValue::Nanos(timeout.saturating_mul(1_000_000_000)));
    if cursor.mark_read("connectTimeout") {
        builder.changed("connectTimeout: the timeout is that of the whole request");
    }
}

fn convert_checks(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    let expected = cursor.get("expectedStatusCodes");
    let statuses: Vec<(u16, u16)> = expected
        .iter()
        .flat_map(Cursor::items)
        .filter_map(|status| status.as_text()?.trim().parse().ok())
        .map(|status| (status, status))
        .collect();
    let (mut conditions, mut degraded) = (Conditions::default(), Conditions::default());
    if expected.is_some() && statuses.is_empty() {
        builder.leave_out("it expects no status, so Upptime always shows it as down");
    }
    conditions.push_statuses(if statuses.is_empty() { &EXPECTED } else { &statuses }, builder);
    push_response_time(cursor, &mut degraded, builder);
    for (key, contains, is_down) in [
        ("__dangerous__body_down", false, true),
        ("__dangerous__body_down_if_text_missing", true, true),
        ("__dangerous__body_degraded", false, false),
        ("__dangerous__body_degraded_if_text_missing", true, false),
    ] {
        let list = if is_down { &mut conditions } else { &mut degraded };
        if cursor.text(key).is_some_and(|text| !text.is_empty())
            && let Some(text) = expand_known(cursor, key, "text that is looked for", builder, context)
        {
            list.push_contains(&text, contains, builder);
        }
    }
    conditions.finish(builder);
    degraded.finish_degraded(builder);
}

/// Adds the condition of the longest response time, beyond which a site is degraded.
fn push_response_time(cursor: &Cursor<'_>, degraded: &mut Conditions, builder: &mut MonitorBuilder) {
    if let Some(most) = cursor.number("maxResponseTime").filter(|most| *most > 0) {
        degraded.push(format!("[RESPONSE_TIME] <= {most}"), builder);
    }
}

fn convert_redirects(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    match cursor.number("maxRedirects").unwrap_or(3) {
        0 => builder.set("redirects", json!("refuse")),
        5 => {}
        3 => context.follows_three_redirects = true,
        count => builder.changed(format!("up to five redirects are followed, and not {count}")),
    }
}

/// Notes the attempts that Upptime makes within a check when there is no response.
fn convert_attempts(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    if let Some(count) = cursor.number("maxRetries").filter(|count| *count != 3) {
        builder.changed(format!(
            "maxRetries: without a response it is asked three times, as by default, and not {count} times in each check"
        ));
    }
}

fn note_the_rest(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let is_set = |key: &str| cursor.flag(key) == Some(true);
    let insecure =
        ["__dangerous__insecure", "__dangerous__disable_verify_peer", "__dangerous__disable_verify_host"]
            .map(is_set);
    if insecure.contains(&true) {
        builder
            .changed("a Worker always validates certificates, so it is down if the certificate is not valid");
    }
    if is_set("ipv6") {
        builder.changed("it is not asked by IPv6 only: the platform chooses");
    }
    let location = cursor.text("location");
    if is_globalping(cursor) {
        builder.changed(format!(
            "it is not asked from {} by Globalping, but from where the hub is, or from `regions`",
            location.unwrap_or("anywhere")
        ));
    }
    if cursor.mark_read("assignees") {
        builder.changed("assignees: nobody is assigned to an incident");
    }
    let dropped: Vec<_> = DROPPED.into_iter().filter(|key| cursor.mark_read(key)).collect();
    if !dropped.is_empty() {
        let keys = dropped.join(", ");
        builder.note(NoteKind::Dropped, format!("{keys}: about the page, the issues and the log of Upptime"));
    }
}
