//! The request of a monitor of Uptime Kuma, and what it checks.

use serde_json::{Value as Json, json};

use super::monitor::{is_set, number_of, text_of};
use crate::builder::MonitorBuilder;
use crate::checks::{Conditions, escape_pattern};
use crate::cursor::Cursor;
use crate::note::NoteKind;

/// Settings of credentials, whose values are never written.
pub(super) const CREDENTIAL_KEYS: [&str; 13] = [
    "basic_auth_pass",
    "bearer_token",
    "bearerToken",
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
    let method = cursor.text("method").unwrap_or("GET").to_ascii_uppercase();
    if method != "GET" {
        builder.set("method", json!(method));
    }
    convert_body(cursor, &method, builder);
    convert_authentication(cursor, builder);
    convert_headers(cursor, builder);
    if is_set(cursor, &["ignoreTls", "ignore_tls"]) {
        builder.changed("ignore TLS errors: a Worker always validates certificates, so it is down if the certificate is not valid");
    }
    if is_set(cursor, &["expiryNotification", "expiry_notification"]) {
        builder.changed("nobody is told before the certificate expires, as a Worker cannot see it");
    }
    if number_of(cursor, &["proxyId", "proxy_id"]).is_some() {
        builder.changed("its request does not go through a proxy");
    }
    if is_set(cursor, &["cacheBust", "cache_bust"]) {
        builder.changed("its address gets no random parameter, so it may be answered by a cache");
    }
    let mut conditions = Conditions::default();
    let accepted = accepted_statuses(cursor, builder);
    conditions.push_statuses(&accepted, builder);
    let (keyword, inverted) = (cursor.text("keyword"), is_set(cursor, &["invertKeyword", "invert_keyword"]));
    if let Some(keyword) = keyword.filter(|keyword| kind == "keyword" && !keyword.is_empty()) {
        conditions.push_contains(keyword, !inverted, builder);
        if keyword.contains(['"', ':', ',', '{', '}', '[', ']']) {
            builder.changed(
                "its keyword is looked for in the body as it is; Uptime Kuma looks for it in JSON without spaces and line breaks",
            );
        }
    }
    let path = text_of(cursor, &["jsonPath", "json_path"]);
    let operator = text_of(cursor, &["jsonPathOperator", "json_path_operator"]).unwrap_or("==");
    let expected = text_of(cursor, &["expectedValue", "expected_value"]).unwrap_or_default();
    let only_status = is_set(cursor, &["retryOnlyOnStatusCodeFailure", "retry_only_on_status_code_failure"]);
    if kind == "json-query" {
        convert_query(path.unwrap_or("$"), operator, expected, &mut conditions, builder);
        if only_status && number_of(cursor, &["maxretries"]).is_some_and(|count| count > 0) {
            builder
                .changed("it is asked again after a query that fails as well, and not after a status only");
        }
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
    // What would be a function or a placeholder in a condition is a text for Kuma.
    let is_text = expected.contains(['(', '[']);
    let condition = match operator {
        _ if !is_plain || (is_text && operator != "contains") => None,
        "==" | "!=" | "<" | "<=" | ">" | ">=" => {
            Some(format!("[BODY]{} {operator} {expected}", with_dot(plain)))
        }
        "contains" => Some(format!("[BODY]{} == pat(*{}*)", with_dot(plain), escape_pattern(expected))),
        _ => None,
    };
    match condition {
        Some(condition) => conditions.push(condition, builder),
        None => builder.changed(format!(
            "the query `{path}` {operator} `{expected}` was not converted: it is no plain path, or no plain comparison"
        )),
    }
}

fn with_dot(path: &str) -> String {
    if path.is_empty() || path.starts_with('[') { path.to_owned() } else { format!(".{path}") }
}

/// Returns the ranges of accepted statuses: `200-299`, `404`. They are a list, or the text of one in a database.
fn accepted_statuses(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) -> Vec<(u16, u16)> {
    let list = cursor.get("accepted_statuscodes");
    let written = cursor.text("accepted_statuscodes_json");
    let mut texts: Vec<String> =
        list.iter().flat_map(Cursor::items).filter_map(|code| code.as_text().map(str::to_owned)).collect();
    if let Some(text) = written {
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
    if texts.is_empty() && (list.is_some() || written.is_some()) {
        builder.leave_out("it accepts no status, so Uptime Kuma always shows it as down");
    }
    if texts.is_empty() { vec![(200, 299)] } else { ranges }
}

fn convert_body(cursor: &Cursor<'_>, method: &str, builder: &mut MonitorBuilder) {
    let encoding = text_of(cursor, &["httpBodyEncoding", "http_body_encoding"]).filter(|it| !it.is_empty());
    let Some(body) = cursor.text("body").filter(|body| !body.trim().is_empty()) else { return };
    let media_type = match encoding.unwrap_or("json") {
        "json" if serde_json::from_str::<Json>(body).is_err() => {
            builder.leave_out("its body is not JSON, so Uptime Kuma always shows it as down");
            return;
        }
        "json" => "application/json",
        "xml" => "text/xml; charset=utf-8",
        "form" => "application/x-www-form-urlencoded",
        other => {
            builder.changed(format!("the body is not sent: its encoding `{other}` is unknown"));
            return;
        }
    };
    if matches!(method, "GET" | "HEAD") {
        builder.changed("the body is not sent: the platform sends none with GET and HEAD");
        return;
    }
    builder.set("body", json!(body));
    builder.set_header("Content-Type", media_type);
}

/// Returns the headers, if they are a table in JSON.
fn read_headers(cursor: &Cursor<'_>) -> Option<serde_json::Map<String, Json>> {
    match serde_json::from_str(cursor.text("headers")?) {
        Ok(Json::Object(headers)) => Some(headers),
        _ => None,
    }
}

fn convert_headers(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let headers = read_headers(cursor);
    if headers.is_none() && cursor.text("headers").is_some_and(|text| !text.trim().is_empty()) {
        builder.changed("its headers were not converted: they are not JSON");
    }
    for (name, value) in headers.unwrap_or_default() {
        let value = match value {
            Json::String(text) => text,
            other => other.to_string(),
        };
        builder.set_header(&name, &value);
    }
}

fn convert_authentication(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let method = text_of(cursor, &["authMethod", "auth_method"]).unwrap_or_default();
    // Old versions have no setting for the method, and use a name whenever there is one.
    let knows_methods = ["authMethod", "auth_method"].iter().any(|key| cursor.node().get(key).is_some());
    let has_user = cursor.text("basic_auth_user").is_some_and(|user| !user.is_empty());
    for key in CREDENTIAL_KEYS {
        cursor.mark_read(key);
    }
    // A header of the monitor's own replaces that of the method.
    let replaced = read_headers(cursor)
        .is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")));
    match method {
        "" | "null" if !has_user => {}
        "" | "null" if knows_methods => {
            builder.note(
                NoteKind::Dropped,
                "its name and password are not sent, as it has no method of authentication",
            );
        }
        "" | "null" | "basic" | "bearer" if replaced => {}
        "bearer" => {
            let secret = builder.insert_secret_header("Authorization", Some("Bearer "));
            builder.note(
                NoteKind::Todo,
                format!("its bearer token is not written; set it with `wrangler secret put {secret}`"),
            );
        }
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
