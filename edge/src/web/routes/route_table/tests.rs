//! Paths, methods and queries become routes, and errors name the parameter, the value and what would be right.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::*;
use crate::domain::heartbeat::JobSignal;
use crate::hub_api::{ExportCursor, NamedRange, PageRange, TimeRange};
use crate::web::api::badge::{Metric, Style};
use crate::web::routes::parameters::BadgeOptions;

fn monitor() -> MonitorId {
    "api".parse().unwrap()
}

fn incident() -> IncidentId {
    "api-1767225600".parse().unwrap()
}

/// The route of a method and of a path with its query.
fn route(method: &Method, target: &str) -> Result<Route, String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let found = match_path(path).ok_or("no such path")?;
    let operation = found.endpoint.operation(method).ok_or("no such method")?;
    found.route(operation, query).map_err(|error| error.to_string())?.ok_or("no route".to_owned())
}

#[test]
fn a_path_and_a_query_give_a_route_with_parsed_parameters() {
    let (from, to) = (Some(UnixMillis(60_000)), Some(UnixMillis(120_000)));
    let none = TimeRange::default();
    let badge =
        |metric, style, label: Option<&str>| BadgeOptions { metric, style, label: label.map(str::to_owned) };
    let cases = [
        ("/", Route::StatusPage),
        (
            "/monitors/api?range=7d&utm=x",
            Route::MonitorPage { monitor: monitor(), range: PageRange::Named(NamedRange::Week) },
        ),
        ("/incidents/api-1767225600", Route::IncidentPage { incident: incident() }),
        ("/api/v1/status", Route::Status),
        ("/api/v1/monitors/api", Route::Monitor { monitor: monitor() }),
        (
            "/api/v1/monitors/api/uptime?window=91d",
            Route::Uptime { monitor: monitor(), window: Duration::from_secs(91 * 86_400) },
        ),
        ("/api/v1/monitors/api/memory", Route::Memory { monitor: monitor(), range: none }),
        (
            "/api/v1/monitors/api/latency?from=60001&to=119999",
            Route::Latency { monitor: monitor(), range: TimeRange { from, to } },
        ),
        ("/api/v1/incidents", Route::Incidents { limit: 50, before: None }),
        (
            "/api/v1/incidents?limit=1&before=api-1767225600",
            Route::Incidents { limit: 1, before: Some(incident()) },
        ),
        ("/api/v1/incidents/api-1767225600", Route::Incident { incident: incident() }),
        (
            "/badge/api.svg?metric=uptime&style=flat-square&label=x",
            Route::Badge { monitor: monitor(), options: badge(Metric::Uptime, Style::FlatSquare, Some("x")) },
        ),
        (
            "/badge/api.json",
            Route::ShieldsBadge { monitor: monitor(), options: badge(Metric::Status, Style::Flat, None) },
        ),
        (
            "/api/v1/admin/export?from=1-2-3",
            Route::Export { from: ExportCursor { hub: 1, table: 2, row: 3 }, with_subscriptions: false },
        ),
    ];
    for (target, expected) in cases {
        assert_eq!(route(&Method::GET, target), Ok(expected.clone()), "{target}");
        assert_eq!(route(&Method::HEAD, target), Ok(expected), "HEAD {target}");
    }
}

#[test]
fn methods_of_one_path_are_different_routes() {
    let cases = [
        (Method::GET, "/api/v1/admin/monitors", Route::ListMonitors),
        (Method::PUT, "/api/v1/admin/monitors?dry-run=true", Route::ApplyMonitors { dry_run: true }),
        (Method::POST, "/api/v1/admin/import?schema=3", Route::Import { schema: 3 }),
        (Method::POST, "/api/v1/subscriptions", Route::Subscribe),
        (Method::DELETE, "/api/v1/subscriptions", Route::Unsubscribe),
        (Method::DELETE, "/api/v1/admin/subscriptions", Route::RemoveSubscription),
        (
            Method::POST,
            "/api/v1/heartbeats/api?event=start",
            Route::Heartbeat { monitor: monitor(), signal: JobSignal::Start },
        ),
    ];
    for (method, target, expected) in cases {
        assert_eq!(route(&method, target), Ok(expected), "{method} {target}");
    }
}

#[test]
fn a_path_that_only_looks_like_another_is_not_found() {
    let paths = [
        "",
        "//",
        "/api/v1/status/",
        "/api/v1//status",
        "/API/v1/status",
        "/api/v1/monitors/",
        "/api/v1/monitors//uptime",
        "/api/v1/monitors/API",
        "/api/v1/monitors/a%2fb",
        "/api/v1/monitors/..",
        "/api/v1/monitors/é",
        "/api/v1/monitors/a/b/uptime",
        "/api/v1/incidents/api",
        "/api/v1/incidents/api-99999999999999",
        "/badge/api.png",
        "/badge/a.b.svg",
        "/badge/.svg",
    ];
    for path in paths {
        assert!(match_path(path).is_none(), "{path}");
    }
    assert!(match_path(&format!("/monitors/{}", "a".repeat(41))).is_none());
}

#[test]
fn allow_lists_the_methods_of_a_path() {
    let cases = [
        ("/api/v1/status", "GET, HEAD, OPTIONS", true),
        ("/api/v1/admin/status", "GET, HEAD, OPTIONS", false),
        ("/api/v1/admin/maintenance", "GET, HEAD, PUT, OPTIONS", false),
        ("/api/v1/heartbeats/a", "POST, OPTIONS", false),
        ("/api/v1/subscriptions", "POST, DELETE, OPTIONS", false),
        ("/api/v1/admin/subscriptions", "GET, HEAD, DELETE, OPTIONS", false),
    ];
    for (path, allow, public) in cases {
        let endpoint = match_path(path).unwrap().endpoint;
        assert_eq!((endpoint.allow().as_str(), endpoint.is_public()), (allow, public), "{path}");
    }
}

#[test]
fn every_operation_of_the_table_builds_a_route() {
    for endpoint in all_endpoints() {
        let path = match endpoint.id {
            IdKind::Incident => endpoint.template.replace("{id}", "api-1767225600"),
            _ => endpoint.template.replace("{id}", "api"),
        };
        for operation in &endpoint.operations {
            let query = if operation.parameters.contains(&"schema") { "schema=1" } else { "" };
            let found = match_path(&path).expect(endpoint.template);
            assert!(matches!(found.route(operation, query), Ok(Some(_))), "{} {path}", operation.method);
        }
    }
}

#[test]
fn an_error_names_the_parameter_the_value_and_what_would_be_right() {
    let long = "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd.";
    let label = format!("/badge/api.json?label={long}");
    let long_label = format!("label: `{long}` is not a text of at most 40 characters.");
    let window = "a duration of at most 91d, such as 24h or 30d.";
    let instant = "an instant: RFC 3339, such as 2026-01-01T00:00:00Z, or Unix milliseconds.";
    let before = "the id of an incident, such as api-1767225600; `next` of the page before has it.";
    let cases = [
        ("/api/v1/status?window=1h", "window: unknown parameter; this path has no parameters.".to_owned()),
        (
            "/api/v1/monitors/api/uptime?windw=1h",
            "windw: unknown parameter; the parameters of this path are window.".to_owned(),
        ),
        ("/api/v1/monitors/api/uptime?window=92d", format!("window: `92d` is not {window}")),
        ("/api/v1/monitors/api/uptime?window=0s", format!("window: `0s` is not {window}")),
        ("/api/v1/monitors/api/uptime?window=", format!("window: `` is not {window}")),
        ("/api/v1/monitors/api/memory?from=yesterday", format!("from: `yesterday` is not {instant}")),
        (
            "/api/v1/monitors/api/memory?to=99999-01-01T00:00Z",
            format!("to: `99999-01-01T00:00Z` is not {instant}"),
        ),
        ("/api/v1/monitors/api/memory?to=-5", format!("to: `-5` is not {instant}")),
        ("/api/v1/monitors/api/memory?from=2&to=2", "from: `2` is not before to, `2`.".to_owned()),
        ("/badge/api.svg?metric=cpu", "metric: `cpu` is not one of status, uptime, memory.".to_owned()),
        ("/badge/api.svg?style=x", "style: `x` is not one of flat, flat-square, for-the-badge.".to_owned()),
        (&label, long_label),
        (
            "/badge/api.json?style=flat",
            "style: unknown parameter; the parameters of this path are metric, label.".to_owned(),
        ),
        (
            "/api/v1/admin/monitors?dry-run=true",
            "dry-run: unknown parameter; this path has no parameters.".to_owned(),
        ),
        (
            "/api/v1/admin/export?from=x",
            "from: `x` is not the `next` of an export's last line, such as 0-3-200.".to_owned(),
        ),
        ("/api/v1/incidents?limit=0", "limit: `0` is not a whole number from 1 to 50.".to_owned()),
        ("/api/v1/incidents?limit=51", "limit: `51` is not a whole number from 1 to 50.".to_owned()),
        ("/api/v1/incidents?before=api", format!("before: `api` is not {before}")),
        ("/api/v1/incidents?before=", format!("before: `` is not {before}")),
    ];
    for (target, expected) in cases {
        assert_eq!(route(&Method::GET, target), Err(expected), "{target}");
    }
    let cases = [
        (Method::PUT, "/api/v1/admin/monitors?dry-run=1", "dry-run: `1` is not `true`, its only value."),
        (Method::PUT, "/api/v1/admin/maintenance?x=1", "x: unknown parameter; this path has no parameters."),
        (
            Method::POST,
            "/api/v1/admin/import",
            "schema: missing; give the number in the first line of the export.",
        ),
    ];
    for (method, target, expected) in cases {
        assert_eq!(route(&method, target), Err(expected.to_owned()), "{target}");
    }
}
