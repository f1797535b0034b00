//! Converts a monitor of UptimeFlare.

use heapbeat_monitors::REGIONS;
use serde_json::json;

use super::Context;
use crate::builder::MonitorBuilder;
use crate::checks::Conditions;
use crate::cursor::{Cursor, DurationValue};
use crate::environment::unknown_names;
use crate::note::NoteKind;

/// The highest threshold of a monitor.
const MAX_THRESHOLD: i64 = 100;

/// Converts a monitor.
pub(super) fn convert(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &Context) {
    let method = cursor.text("method").unwrap_or("GET");
    let Some(target) = cursor.text("target") else {
        builder.leave_out("its target is missing, or is program code, which is not run");
        return;
    };
    let unknown = unknown_names(target);
    if !unknown.is_empty() {
        builder.leave_out(format!(
            "the address needs the variable {}; write its value into the file",
            unknown.join(", ")
        ));
        return;
    }
    if method == "TCP_PING" {
        builder.set("kind", json!("tcp"));
        let address = target.trim_start_matches("tcp://");
        builder.set("url", json!(format!("tcp://{address}")));
        builder.set("conditions", json!(["[CONNECTED] == true"]));
        for key in ["expectedCodes", "headers", "body", "responseKeyword", "responseForbiddenKeyword"] {
            if cursor.mark_read(key) {
                builder.note(NoteKind::Dropped, format!("{key} has no meaning for TCP_PING"));
            }
        }
    } else {
        builder.set("kind", json!("http"));
        builder.set("url", json!(target));
        if method != "GET" {
            builder.set("method", json!(method));
        }
        convert_request(cursor, method, builder);
        convert_checks(cursor, builder);
    }
    if let Some(millis) = cursor.number("timeout").filter(|millis| *millis > 0) {
        builder.set_timeout(DurationValue::Nanos(millis.saturating_mul(1_000_000)));
    }
    convert_proxy(cursor, builder);
    for key in ["tooltip", "statusPageLink", "hideLatencyChart"] {
        if cursor.mark_read(key) {
            builder.note(NoteKind::Dropped, format!("{key} is about the page of UptimeFlare"));
        }
    }
    let quiet = context.quiet.iter().any(|id| Some(id.as_str()) == cursor.text("id"));
    match context.channel.as_ref().filter(|_| !quiet) {
        Some(channel) => {
            builder.set("alerts", json!([channel]));
            if context.grace > 0 {
                let threshold = context.grace + 1;
                if threshold > MAX_THRESHOLD {
                    builder.changed(format!(
                        "gracePeriod: {threshold} failures are not possible, now {MAX_THRESHOLD}"
                    ));
                }
                builder.set("failure-threshold", json!(threshold.min(MAX_THRESHOLD)));
            }
        }
        None => builder.set("alerts", json!([])),
    }
}

fn convert_request(cursor: &Cursor<'_>, method: &str, builder: &mut MonitorBuilder) {
    if let Some(headers) = cursor.get("headers") {
        for (name, value) in headers.entries() {
            let value = value.as_text();
            if name.eq_ignore_ascii_case("host") {
                builder
                    .leave_out("it sends a header Host, and the platform sends only the host of the address");
            } else if let Some(value) = value {
                builder.set_header(name, value);
            }
        }
    }
    if let Some(body) = cursor.text("body") {
        let unknown = unknown_names(body);
        if !unknown.is_empty() {
            builder.leave_out(format!(
                "the body needs the variable {}; write its value into the file",
                unknown.join(", ")
            ));
        } else if matches!(method, "GET" | "HEAD") {
            builder.changed("the body is not sent: the platform sends none with GET and HEAD");
        } else {
            builder.set("body", json!(body));
        }
    }
}

fn convert_checks(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let mut conditions = Conditions::default();
    let codes = cursor.get("expectedCodes");
    let listed: Vec<u16> = codes
        .as_ref()
        .map(|codes| codes.items().iter().filter_map(|code| code.as_text()?.parse().ok()).collect())
        .unwrap_or_default();
    match &codes {
        None => conditions.push_statuses(&[(200, 299)], builder),
        Some(_) if listed.is_empty() => {
            builder.changed("expectedCodes is empty, so that it is never up; the status is not checked");
        }
        Some(_) => {
            conditions.push_statuses(&listed.iter().map(|code| (*code, *code)).collect::<Vec<_>>(), builder);
        }
    }
    for (key, contains) in [("responseKeyword", true), ("responseForbiddenKeyword", false)] {
        if let Some(text) = cursor.text(key).filter(|text| !text.is_empty()) {
            conditions.push_contains(text, contains, builder);
        }
    }
    conditions.finish(builder);
}

/// Converts the place from which it is checked.
fn convert_proxy(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    cursor.mark_read("checkProxyFallback");
    let Some(proxy) = cursor.text("checkProxy") else { return };
    match proxy.strip_prefix("worker://").filter(|region| REGIONS.contains(region)) {
        Some(region) => {
            builder.set("regions", json!([region]));
            builder
                .changed(format!("it is checked from {region} and from the hub, and is down when both fail"));
        }
        None => builder
            .changed("its checkProxy was not converted: it is checked from the hub; `regions` adds others"),
    }
}
