//! Converts an endpoint: its address, request and client.

use serde_json::json;

use super::{Context, conditions, dns};
use crate::builder::MonitorBuilder;
use crate::cursor::Cursor;
use crate::environment::unknown_names;
use crate::note::NoteKind;

/// What the schemes that heapbeat does not have are called.
const OTHER_SCHEMES: [(&str, &str); 10] = [
    ("icmp", "sends no ICMP"),
    ("udp", "sends no UDP"),
    ("sctp", "speaks no SCTP"),
    ("tls", "cannot look at a TLS connection"),
    ("starttls", "cannot look at a STARTTLS connection"),
    ("ws", "probes no WebSocket"),
    ("wss", "probes no WebSocket"),
    ("grpc", "probes no gRPC"),
    ("grpcs", "probes no gRPC"),
    ("ssh", "speaks no SSH"),
];

/// Names in a query that probably hold a credential.
const CREDENTIALS: [&str; 8] = ["token", "key", "secret", "password", "passwd", "auth", "sig", "credential"];

/// Converts an endpoint.
pub(super) fn convert(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    let url = cursor.text("url").unwrap_or_default();
    let kind = if let Some(query) = cursor.get("dns") {
        dns::convert(&query, url, builder);
        builder.set("kind", json!("dns"));
        "dns"
    } else {
        let Some((kind, address)) = read_address(cursor, url, builder) else { return };
        builder.set("kind", json!(kind));
        let address = move_credentials(kind, address, cursor, builder);
        builder.set("url", json!(address));
        kind
    };
    if builder.is_left_out() {
        return;
    }
    if let Some(interval) = cursor.duration("interval") {
        builder.set_interval(interval);
    }
    conditions::convert(cursor, kind, builder);
    if kind == "http" {
        convert_request(cursor, url, builder);
    } else if cursor.mark_read("body") {
        builder.changed(format!(
            "the body is not sent: a {} only",
            if kind == "dns" { "DNS query has a name and a type" } else { "TCP monitor opens a connection" }
        ));
    }
    if let Some(client) = cursor.get("client") {
        convert_client(&client, kind, builder);
    }
    context.providers.convert_alerts(cursor, builder);
    context.windows.read_list(cursor, builder);
    if let Some(ui) = cursor.get("ui") {
        convert_ui(&ui, builder);
    }
    if cursor.mark_read("extra-labels") {
        builder.note(NoteKind::Dropped, "extra-labels are labels of metrics");
    }
    for step in ["store", "always-run"] {
        if cursor.mark_read(step) {
            builder.note(NoteKind::Dropped, format!("{step} has a meaning only in a suite"));
        }
    }
    if kind != "http" {
        for unused in ["method", "headers", "graphql"] {
            if cursor.mark_read(unused) {
                builder.note(NoteKind::Dropped, format!("{unused} has no meaning for {kind}"));
            }
        }
    }
}

/// Returns the kind of the monitor and its address; else leaves the monitor out.
fn read_address<'u>(
    cursor: &Cursor<'_>,
    url: &'u str,
    builder: &mut MonitorBuilder,
) -> Option<(&'static str, &'u str)> {
    let unknown = unknown_names(url);
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    let block = cursor.get("ssh").map(|_| "ssh");
    let other = OTHER_SCHEMES.iter().find(|(name, _)| Some(*name) == block || *name == scheme);
    if let Some((_, reason)) = other {
        builder.leave_out(format!("a Worker {reason}"));
    } else if !unknown.is_empty() {
        builder.leave_out(format!(
            "the address needs a variable; give the value of {} with --env",
            unknown.join(", ")
        ));
    } else {
        match scheme.as_str() {
            "http" | "https" => return Some(("http", url)),
            "tcp" => return Some(("tcp", url)),
            "" => builder.leave_out("the address has no scheme, which Gatus refuses"),
            _ => builder.leave_out(format!("heapbeat does not know {scheme}://")),
        }
    }
    None
}

/// Moves the name and password of an address to a header, and lowers the case of the scheme.
fn move_credentials(kind: &str, url: &str, cursor: &Cursor<'_>, builder: &mut MonitorBuilder) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let query = path.split_once('?').map_or("", |(_, query)| query).to_ascii_lowercase();
    let named =
        |pair: &str| CREDENTIALS.iter().any(|word| pair.split('=').next().unwrap_or_default().contains(word));
    if query.split('&').any(named) {
        builder.note_credential("the address has what looks like a credential in its query");
    }
    let host = match authority.rsplit_once('@') {
        Some((_, host)) if kind == "http" => {
            let given = cursor.get("headers").is_some_and(|headers| {
                headers.node().entries().iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            });
            if !given {
                let secret = builder.insert_secret_header("Authorization", Some("Basic "));
                builder.note(NoteKind::Todo, format!("the name and password of the address are not written; set `name:password` in base64 with `wrangler secret put {secret}`"));
            }
            host
        }
        _ => authority,
    };
    format!("{}://{host}{path}", scheme.to_ascii_lowercase())
}

fn convert_request(cursor: &Cursor<'_>, url: &str, builder: &mut MonitorBuilder) {
    let method = cursor.text("method").unwrap_or("GET").trim();
    if !method.is_empty() && method != "GET" {
        builder.set("method", json!(method));
    }
    convert_headers(cursor, url, builder);
    let graphql = cursor.flag("graphql") == Some(true);
    let Some(body) = cursor.text("body").filter(|body| !body.is_empty()) else { return };
    if method.is_empty() || method.eq_ignore_ascii_case("GET") || method.eq_ignore_ascii_case("HEAD") {
        builder.changed("the body is not sent: the platform sends none with GET and HEAD");
        return;
    }
    let unknown = unknown_names(body);
    if !unknown.is_empty() {
        builder.leave_out(format!(
            "the body needs a variable; give the value of {} with --env",
            unknown.join(", ")
        ));
        return;
    }
    let field = |key: &str| cursor.text(key).unwrap_or_default();
    let body = body
        .replace("[ENDPOINT_NAME]", field("name"))
        .replace("[ENDPOINT_GROUP]", field("group"))
        .replace("[ENDPOINT_URL]", url);
    if body.contains("[RANDOM_STRING_") {
        builder.changed("[RANDOM_STRING_…] in the body is sent as it is");
    }
    let lower = body.to_ascii_lowercase();
    if ["password", "secret", "token"].iter().any(|word| lower.contains(word)) {
        builder.note_credential("the body has what looks like a credential");
    }
    let body = if graphql { json!({ "query": body }).to_string() } else { body };
    builder.set("body", json!(body));
}

fn convert_headers(cursor: &Cursor<'_>, url: &str, builder: &mut MonitorBuilder) {
    let Some(headers) = cursor.get("headers") else { return };
    for (name, value) in headers.entries() {
        let Some(value) = value.as_text() else { continue };
        if !name.eq_ignore_ascii_case("host") {
            builder.set_header(name, value);
            continue;
        }
        let authority = url
            .split_once("://")
            .map_or("", |(_, rest)| rest)
            .split(['/', '?', '#'])
            .next()
            .unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        if value.eq_ignore_ascii_case(host) {
            builder.note(NoteKind::Dropped, "the header Host is that of the address");
        } else {
            builder.leave_out(format!(
                "it sends Host: {value}, and the platform sends only the host of the address"
            ));
        }
    }
}

fn convert_client(client: &Cursor<'_>, kind: &str, builder: &mut MonitorBuilder) {
    if let Some(timeout) = client.duration("timeout") {
        builder.set_timeout(timeout);
    }
    if client.flag("ignore-redirect") == Some(true) && kind == "http" {
        builder.set("redirects", json!("refuse"));
    }
    if client.flag("insecure") == Some(true) {
        if kind == "http" {
            builder.changed("client.insecure: a Worker always validates certificates, so it is down if the certificate is not valid");
        } else {
            builder.note(NoteKind::Dropped, format!("client.insecure has no meaning for {kind}"));
        }
    }
    if client.flag("store-cookies") == Some(true) {
        builder.changed("client.store-cookies: cookies are not kept between redirects");
    }
    if client.mark_read("network") {
        builder.note(NoteKind::Dropped, "client.network has a meaning only for icmp://");
    }
    for (key, text) in [
        ("dns-resolver", "names are resolved by Cloudflare"),
        ("proxy-url", "requests do not go through a proxy"),
    ] {
        if client.mark_read(key) {
            builder.changed(format!("client.{key}: {text}"));
        }
    }
    for (key, text) in [
        ("oauth2", "heapbeat fetches no tokens by OAuth 2"),
        ("identity-aware-proxy", "heapbeat fetches no tokens for the Identity-Aware Proxy"),
        ("tls", "a Worker sends no client certificate of its own"),
        ("tunnel", "a Worker opens no SSH tunnel"),
    ] {
        if client.mark_read(key) {
            builder.leave_out(format!("client.{key}: {text}"));
        }
    }
}

/// Converts the settings for the page.
fn convert_ui(ui: &Cursor<'_>, builder: &mut MonitorBuilder) {
    for key in ["hide-hostname", "hide-url", "hide-port"] {
        if ui.flag(key) == Some(true) {
            builder.note(NoteKind::Dropped, format!("ui.{key}: the page never shows addresses"));
        }
    }
    for key in ["hide-conditions", "hide-errors", "dont-resolve-failed-conditions"] {
        if ui.flag(key) == Some(true) {
            builder.changed(format!("ui.{key}: the page shows why a check failed, with the values found; set `public = false` to hide it"));
        }
    }
    ui.flag("resolve-successful-conditions");
    if ui.mark_read("badge") {
        builder.note(NoteKind::Dropped, "ui.badge: badges have fixed colors");
    }
}
