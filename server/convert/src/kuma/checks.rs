//! The request of a monitor of Uptime Kuma, and what it checks.

use serde_json::{Value as Json, json};

use super::monitor::{is_set, number_of};
use crate::builder::MonitorBuilder;
use crate::checks::Conditions;
use crate::cursor::Cursor;
use crate::note::NoteKind;

/// Settings of credentials, whose values are never written.
pub(super) const CREDENTIAL_KEYS: [&str; 11] = [
    "basic_auth_pass",
    "authWorkstation",
    "auth_workstation",
    "authDomain",
    "auth_domain",
    "tlsCa",
    "tls_ca",
    "tlsCert",
    "tls_cert",
    "tlsKey",
    "tls_key",
];

/// Converts the request and the checks of the types `http`, `keyword` and `json-query`.
pub(super) fn convert(cursor: &Cursor<'_>, kind: &str, builder: &mut MonitorBuilder) {
    let method = cursor.text("method").unwrap_or("GET");
    if method != "GET" {
        builder.set("method", json!(method));
    }
    convert_body(cursor, method, builder);
    convert_headers(cursor, builder);
    convert_authentication(cursor, builder);
    if number_of(cursor, &["maxredirects"]) == Some(0) {
        builder.set("redirects", json!("refuse"));
    }
    if is_set(cursor, &["ignoreTls", "ignore_tls"]) {
        builder.changed("ignore TLS errors: a Worker always validates certificates, so it is down if the certificate is not valid");
    }
    if is_set(cursor, &["expiryNotification", "expiry_notification"]) {
        builder.changed("nobody is told before the certificate expires, as a Worker cannot see it");
    }
    if number_of(cursor, &["proxyId", "proxy_id"]).is_some() {
        builder.changed("its request does not go through a proxy");
    }
    let mut conditions = Conditions::default();
    let accepted = accepted_statuses(cursor, builder);
    conditions.push_statuses(&accepted, builder);
    let (keyword, inverted) = (cursor.text("keyword"), is_set(cursor, &["invertKeyword", "invert_keyword"]));
    if let Some(keyword) = keyword.filter(|keyword| kind == "keyword" && !keyword.is_empty()) {
        conditions.push_contains(keyword, !inverted, builder);
    }
    let first = |keys: [&str; 2]| keys.iter().find_map(|key| cursor.text(key));
    let path = first(["jsonPath", "json_path"]);
    let operator = first(["jsonPathOperator", "json_path_operator"]).unwrap_or("==");
    let expected = first(["expectedValue", "expected_value"]).unwrap_or_default();
    if kind == "json-query" {
        convert_query(path.unwrap_or("$"), operator, expected, &mut conditions, builder);
    }
    conditions.finish(builder);
}

/// Converts a query in `JSONata`, if it is a plain path.
fn convert_query(
    path: &str,
    operator: &str,
    expected: &str,
    conditions: &mut Conditions,
    builder: &mut MonitorBuilder,
) {
    let plain = path.strip_prefix("$.").or_else(|| path.strip_prefix('$')).unwrap_or(path);
    let is_plain = plain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']'));
    let condition = match operator {
        _ if !is_plain => None,
        "==" | "!=" | "<" | "<=" | ">" | ">=" => {
            Some(format!("[BODY]{} {operator} {expected}", with_dot(plain)))
        }
        "contains" => Some(format!("[BODY]{} == pat(*{expected}*)", with_dot(plain))),
        _ => None,
    };
    match condition {
        Some(condition) => conditions.push(condition, builder),
        None => builder.changed(format!(
            "the query `{path}` {operator} `{expected}` was not converted: it is no plain path"
        )),
    }
}

fn with_dot(path: &str) -> String {
    if path.is_empty() || path.starts_with('[') { path.to_owned() } else { format!(".{path}") }
}

/// Returns the ranges of accepted statuses: `200-299`, `404`. They are a list, or the text of one in a database.
fn accepted_statuses(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) -> Vec<(u16, u16)> {
    let list = cursor.get("accepted_statuscodes");
    let mut texts: Vec<String> =
        list.iter().flat_map(Cursor::items).filter_map(|code| code.as_text().map(str::to_owned)).collect();
    if let Some(text) = cursor.text("accepted_statuscodes_json") {
        texts.extend(serde_json::from_str::<Vec<String>>(text).unwrap_or_default());
    }
    let mut ranges = Vec::new();
    for text in &texts {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) => ranges.push((from, to)),
            _ => builder.changed(format!("the status `{text}` was not converted")),
        }
    }
    if texts.is_empty() { vec![(200, 299)] } else { ranges }
}

fn convert_body(cursor: &Cursor<'_>, method: &str, builder: &mut MonitorBuilder) {
    let encoding =
        ["httpBodyEncoding", "http_body_encoding"].iter().find_map(|key| cursor.text(key)).unwrap_or("json");
    let Some(body) = cursor.text("body").filter(|body| !body.is_empty()) else { return };
    if matches!(method, "GET" | "HEAD") {
        builder.changed("the body is not sent: the platform sends none with GET and HEAD");
        return;
    }
    builder.set("body", json!(body));
    let media_type = match encoding {
        "xml" => "text/xml; charset=utf-8",
        "form" => "application/x-www-form-urlencoded",
        _ => "application/json",
    };
    builder.set_header("Content-Type", media_type);
}

fn convert_headers(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let Some(text) = cursor.text("headers").filter(|text| !text.trim().is_empty()) else { return };
    let Ok(Json::Object(headers)) = serde_json::from_str(text) else {
        builder.changed("its headers were not converted: they are not JSON");
        return;
    };
    for (name, value) in headers {
        let value = match value {
            Json::String(text) => text,
            other => other.to_string(),
        };
        builder.set_header(&name, &value);
    }
}

fn convert_authentication(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let method = ["authMethod", "auth_method"].iter().find_map(|key| cursor.text(key)).unwrap_or_default();
    let user = cursor.text("basic_auth_user").unwrap_or_default();
    for key in CREDENTIAL_KEYS {
        cursor.mark_read(key);
    }
    match method {
        "" | "null" if user.is_empty() => {}
        "" | "null" | "basic" => {
            let secret = builder.insert_secret_header("Authorization", Some("Basic "));
            builder.note(
                NoteKind::Todo,
                format!("its name and password are not written; set `name:password` in base64 with `wrangler secret put {secret}`"),
            );
        }
        other => builder.leave_out(format!("heapbeat has no authentication by {other}")),
    }
}
