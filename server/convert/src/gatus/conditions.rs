//! Converts conditions. Where none is left, the monitor asks for a connection only, and never for more than Gatus did.

use heapbeat_monitors::condition::{Condition, Placeholder};
use heapbeat_monitors::registered_domain;
use serde_json::{Value, json};

use crate::builder::MonitorBuilder;
use crate::cursor::Cursor;
use crate::environment::unknown_names;

/// The most conditions of a monitor.
const MAX_CONDITIONS: usize = 20;

/// Returns why a condition is not possible for a kind of monitors.
fn find_lack(kind: &str, host: &str, condition: &Condition) -> Option<&'static str> {
    condition.placeholders().find_map(|used| match (kind, used) {
        ("tcp", Placeholder::Status | Placeholder::Body) => {
            Some("a TCP monitor opens a connection only, so it has neither [STATUS] nor [BODY]")
        }
        ("dns", Placeholder::Status) => Some("a DNS query has no [STATUS]"),
        (_, Placeholder::DomainExpiration) if registered_domain(host).is_none() => {
            Some("[DOMAIN_EXPIRATION] needs a public domain name")
        }
        ("http" | "tcp", Placeholder::DnsRcode) => Some("only a DNS query has [DNS_RCODE]"),
        _ => None,
    })
}

/// Converts the conditions of an endpoint.
pub(super) fn convert(cursor: &Cursor<'_>, kind: &str, builder: &mut MonitorBuilder) {
    let text = |key| builder.setting(key).and_then(Value::as_str).unwrap_or_default();
    let address = text("url").split_once("://").map_or("", |(_, rest)| rest);
    let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match kind {
        "dns" => text("query-name"),
        _ => authority
            .rsplit_once(':')
            .filter(|_| !authority.ends_with(']'))
            .map_or(authority, |(host, _)| host),
    }
    .to_owned();
    let mut valid: Vec<&str> = Vec::new();
    let mut uses_body = false;
    let mut given = 0_usize;
    for text in read_texts(cursor, builder) {
        given += 1;
        let unknown = unknown_names(text);
        let parsed = Condition::parse(text).map_err(|error| error.to_string());
        let reason = match parsed {
            _ if !unknown.is_empty() => Some(format!("give the value of {} with --env", unknown.join(", "))),
            Err(error) => Some(error),
            Ok(condition) if find_lack(kind, &host, &condition).is_some() => {
                find_lack(kind, &host, &condition).map(str::to_owned)
            }
            Ok(_) if valid.len() == MAX_CONDITIONS => {
                Some(format!("a monitor has at most {MAX_CONDITIONS} conditions"))
            }
            Ok(condition) => {
                uses_body |= condition.uses(Placeholder::Body);
                valid.push(text);
                None
            }
        };
        if let Some(reason) = reason {
            builder.changed(format!("the condition `{text}` was not converted: {reason}"));
        }
    }
    if given == 0 {
        builder.changed("there are no conditions, which Gatus refuses; it asks for a connection only");
    } else if valid.is_empty() {
        builder.changed("no condition is left; it asks for a connection only: [CONNECTED] == true");
    }
    if valid.is_empty() {
        valid.push("[CONNECTED] == true");
    }
    builder.set("conditions", json!(valid));
    if uses_body && kind == "http" {
        // Gatus reads the whole body.
        builder.set("max-body", json!("256kB"));
    }
}

/// Returns the texts of the list.
fn read_texts<'t>(cursor: &Cursor<'t>, builder: &mut MonitorBuilder) -> Vec<&'t str> {
    let Some(list) = cursor.get("conditions") else { return Vec::new() };
    if let Some(text) = list.as_text() {
        builder
            .changed("`conditions` is a text and no list, which Gatus refuses; it was read as one condition");
        return vec![text];
    }
    list.items().iter().filter_map(Cursor::as_text).collect()
}
