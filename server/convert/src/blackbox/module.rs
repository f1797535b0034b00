//! Converts a module of the blackbox exporter for one target.

use serde_json::json;

use crate::builder::MonitorBuilder;
use crate::checks::Conditions;
use crate::cursor::Cursor;
use crate::note::NoteKind;

/// Converts a module. It is read once for each of its targets.
pub(super) fn convert(address: &str, module: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let timeout = module.duration("timeout");
    match module.text("prober").unwrap_or_default() {
        "http" => {
            builder.set("kind", json!("http"));
            // The exporter probes addresses without a scheme by HTTP.
            let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
            builder.set("url", json!(url));
            convert_http(module.get("http").as_ref(), &url, builder);
        }
        "tcp" => {
            builder.set("kind", json!("tcp"));
            builder.set("url", json!(format!("tcp://{address}")));
            builder.set("conditions", json!(["[CONNECTED] == true"]));
            if let Some(tcp) = module.get("tcp") {
                if tcp.flag("tls") == Some(true) {
                    builder.leave_out("a Worker cannot look at a TLS connection");
                }
                tcp.mark_whole_read();
                if tcp.node().get("query_response").is_some() {
                    builder.changed(
                        "query_response: nothing is sent or read; a TCP monitor opens a connection only",
                    );
                }
            }
        }
        other => {
            module.mark_whole_read();
            builder.leave_out(format!("heapbeat has no prober {other}"));
        }
    }
    if let Some(timeout) = timeout {
        builder.set_timeout(timeout);
    }
}

fn convert_http(http: Option<&Cursor<'_>>, url: &str, builder: &mut MonitorBuilder) {
    let mut conditions = Conditions::default();
    let statuses: Vec<(u16, u16)> = http
        .map(|http| http.list("valid_status_codes"))
        .unwrap_or_default()
        .iter()
        .filter_map(|status| status.as_text()?.parse().ok())
        .map(|status| (status, status))
        .collect();
    conditions.push_statuses(if statuses.is_empty() { &[(200, 299)] } else { &statuses }, builder);
    if let Some(http) = http {
        convert_request(http, url, builder);
        for (key, contains) in
            [("fail_if_body_not_matches_regexp", true), ("fail_if_body_matches_regexp", false)]
        {
            for pattern in http.list(key).iter().filter_map(Cursor::as_text) {
                if pattern.chars().any(|c| r"\^$.|?*+()[]{}".contains(c)) {
                    builder.changed(format!(
                        "{key}: `{pattern}` was not converted: heapbeat has no regular expressions"
                    ));
                } else {
                    conditions.push_contains(pattern, contains, builder);
                }
            }
        }
        for key in [
            "fail_if_header_matches",
            "fail_if_header_not_matches",
            "valid_http_versions",
            "fail_if_ssl",
            "body_size_limit",
        ] {
            if http.get(key).is_some() && http.flag(key) != Some(false) {
                http.mark_read(key);
                builder.changed(format!("{key} was not converted"));
            }
        }
        if http.flag("fail_if_not_ssl") == Some(true) && !url.starts_with("https://") {
            builder.changed("fail_if_not_ssl was not converted");
        }
    }
    conditions.finish(builder);
}

fn convert_request(http: &Cursor<'_>, url: &str, builder: &mut MonitorBuilder) {
    let method = http.text("method").unwrap_or("GET");
    if method != "GET" {
        builder.set("method", json!(method));
    }
    for (name, value) in http.get("headers").iter().flat_map(Cursor::entries) {
        if let Some(value) = value.as_text() {
            builder.set_header(name, value);
        }
    }
    if let Some(body) = http.text("body") {
        if matches!(method, "GET" | "HEAD") {
            builder.changed("the body is not sent: the platform sends none with GET and HEAD");
        } else {
            builder.set("body", json!(body));
        }
    }
    if http.flag("no_follow_redirects") == Some(true) || http.flag("follow_redirects") == Some(false) {
        builder.set("redirects", json!("refuse"));
    }
    for (key, prefix, what) in [
        ("basic_auth", "Basic ", "`name:password` in base64"),
        ("bearer_token", "Bearer ", "the token"),
        ("bearer_token_file", "Bearer ", "the token"),
        ("authorization", "Bearer ", "the token"),
    ] {
        if http.mark_read(key) {
            let secret = builder.insert_secret_header("Authorization", Some(prefix));
            builder.note(
                NoteKind::Todo,
                format!("{key} is not written; set {what} with `wrangler secret put {secret}`"),
            );
        }
    }
    if let Some(tls) = http.get("tls_config") {
        tls.mark_whole_read();
        let insecure = tls.flag("insecure_skip_verify") == Some(true);
        if ["cert", "cert_file", "key", "key_file"].iter().any(|key| tls.node().get(key).is_some()) {
            builder.leave_out("a Worker sends no client certificate of its own");
        } else if insecure && url.starts_with("https://") {
            builder.changed("tls_config: a Worker always validates certificates, so it is down if the certificate is not valid");
        } else {
            builder.changed("tls_config was not converted");
        }
    }
    if http.mark_read("oauth2") {
        builder.leave_out("heapbeat fetches no tokens by OAuth 2");
    }
    if http.mark_read("proxy_url") {
        builder.changed("proxy_url: requests do not go through a proxy");
    }
    for key in [
        "preferred_ip_protocol",
        "ip_protocol_fallback",
        "compression",
        "enable_http2",
        "skip_resolve_phase_with_proxy",
    ] {
        if http.mark_read(key) {
            builder.note(NoteKind::Dropped, format!("{key}: the platform chooses"));
        }
    }
}
