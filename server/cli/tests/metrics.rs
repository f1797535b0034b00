//! `/metrics` of the real binary, read by a strict parser of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![allow(clippy::float_cmp, reason = "counts are written as counts")]

use heapbeat_test_support::openmetrics::{Family, parse};
use heapbeat_test_support::{Reply, Server, ask, until};

const TOKEN: &str = "a token of sixteen or more";

fn get(server: &Server, headers: &str) -> Reply {
    let request = format!("GET /metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
    ask(server.connect(), "GET", request.as_bytes())
}

fn scrape(server: &Server) -> Vec<Family> {
    let accept = "accept: application/openmetrics-text; version=1.0.0; q=0.9, */*; q=0.1\r\n";
    let reply = get(server, &format!("{accept}authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(content_type));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    parse(reply.text()).unwrap_or_else(|wrong| panic!("{wrong} in\n{}", reply.text()))
}

/// The value of a sample by the family's name and labels like `route=GET /`.
fn value(families: &[Family], name: &str, labels: &str) -> Option<f64> {
    let family = families.iter().find(|family| family.name == name)?;
    let written = |sample: &heapbeat_test_support::openmetrics::Sample| {
        let labels: Vec<String> =
            sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        labels.join(",")
    };
    family.samples.iter().find(|sample| written(sample) == labels).map(|sample| sample.value)
}

#[test]
fn the_figures_are_those_of_the_process() {
    let server = Server::start(&[
        ("HEAPBEAT_METRICS_TOKEN", TOKEN),
        ("HEAPBEAT_MEMORY_LIMIT", "200MB"),
        ("HEAPBEAT_SAMPLE_INTERVAL", "50ms"),
    ]);
    for _ in 0..3 {
        assert_eq!(server.get("/demo/leak?mb=10").status, 200);
    }
    let families = until("the leak in the figures", || {
        let families = scrape(&server);
        (value(&families, "jemalloc_allocated_bytes", "")? > 30e6).then_some(families)
    });
    let of = |name: &str, labels: &str| {
        value(&families, name, labels).unwrap_or_else(|| panic!("{name} {labels}"))
    };
    let rss = server.kernel("VmRSS") as f64;
    let told = of("process_resident_memory_bytes", "");
    assert!((told - rss).abs() < rss / 4.0, "told {told}, the kernel says {rss}");
    assert_eq!(of("heapbeat_memory_limit_bytes", "origin=configured"), f64::from(200 << 20));
    assert_eq!(of("heapbeat_pressure", "heapbeat_pressure=calm"), 1.0);
    assert_eq!(of("heapbeat_route_requests", "route=GET /demo/leak"), 3.0);
    assert!(of("heapbeat_route_allocated_bytes", "route=GET /demo/leak") >= 30.0 * 1024.0 * 1024.0);
    let live = of("heapbeat_route_live_bytes", "route=GET /demo/leak");
    let error = of("heapbeat_route_live_error_bytes", "route=GET /demo/leak");
    assert!((live - f64::from(30 << 20)).abs() < 4.0 * error + 1e6, "{live} +- {error}");
    let uptime = of("heapbeat_uptime_seconds", "");
    assert!(uptime > 0.0 && uptime < 3600.0, "{uptime}");
    assert!(families.iter().any(|family| family.name == "heapbeat_build"));
    let states: f64 = families
        .iter()
        .find(|it| it.name == "heapbeat_forecast_verdict")
        .unwrap()
        .samples
        .iter()
        .map(|it| it.value)
        .sum();
    assert_eq!(states, 1.0);
}

#[test]
fn a_purge_and_a_refusal_are_counted() {
    let server = Server::start(&[
        ("HEAPBEAT_METRICS_TOKEN", TOKEN),
        ("HEAPBEAT_MEMORY_LIMIT", "100MB"),
        ("HEAPBEAT_SAMPLE_INTERVAL", "50ms"),
    ]);
    let refused = until("a refusal", || (server.get("/demo/leak?mb=2").status == 503).then_some(1.0));
    let families = until("both in the figures", || {
        let families = scrape(&server);
        let purges = value(&families, "heapbeat_purges", "")?;
        let told = value(&families, "heapbeat_shed_requests", "")?;
        (purges >= 1.0 && told >= refused).then_some(families)
    });
    assert!(value(&families, "heapbeat_purge_seconds", "").unwrap() > 0.0);
    assert!(value(&families, "heapbeat_shed_ratio", "").unwrap() <= 1.0);
}

#[test]
fn strangers_are_told_nothing() {
    let server = Server::start(&[("HEAPBEAT_METRICS_TOKEN", TOKEN)]);
    for headers in
        ["", "authorization: Bearer a token of sixteen or mora\r\n", "authorization: Basic YTpi\r\n"]
    {
        let reply = get(&server, headers);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")), "{headers:?}");
        assert!(!reply.text().contains("bytes"), "{}", reply.text());
    }
    assert_eq!(server.ask("POST", "/metrics").status, 405);
    let closed = Server::start(&[]);
    assert_eq!(get(&closed, "").status, 404, "nobody could read them: the path is the application's");
    let open = Server::start(&[("HEAPBEAT_METRICS", "public")]);
    let reply = get(&open, "");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(reply.text().contains("\nprocess_cpu_seconds_total "), "{}", reply.text());
}
