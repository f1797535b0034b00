//! `GET /metrics` of the real program, read by a strict and independent parser.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]
#![allow(clippy::float_cmp, reason = "counts are written without a fraction")]

use heapbeat_test_support::openmetrics::{Family, parse};
use heapbeat_test_support::{Response, Server, send_request, wait_for};

const TOKEN: &str = "a token of sixteen or more";

fn get(server: &Server, headers: &str) -> Response {
    let request = format!("GET /metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
    send_request(server.connect(), "GET", request.as_bytes())
}

fn scrape(server: &Server) -> Vec<Family> {
    let accept = "accept: application/openmetrics-text; version=1.0.0; q=0.9, */*; q=0.1\r\n";
    let response = get(server, &format!("{accept}authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(response.status, 200, "{}", response.text());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.header("content-type"), Some(content_type));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    parse(response.text()).unwrap_or_else(|wrong| panic!("{wrong} in\n{}", response.text()))
}

/// Returns the value of a sample, by the name of its family and labels such as `route=GET /`.
fn find_value(families: &[Family], name: &str, labels: &str) -> Option<f64> {
    let family = families.iter().find(|family| family.name == name)?;
    let format_labels = |sample: &heapbeat_test_support::openmetrics::Sample| {
        let labels: Vec<String> =
            sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        labels.join(",")
    };
    family.samples.iter().find(|sample| format_labels(sample) == labels).map(|sample| sample.value)
}

#[test]
fn figures_match_the_process() {
    let server = Server::start(&[
        ("HEAPBEAT_METRICS_TOKEN", TOKEN),
        ("HEAPBEAT_MEMORY_LIMIT", "200MB"),
        ("HEAPBEAT_SAMPLE_INTERVAL", "50ms"),
    ]);
    for _ in 0..3 {
        assert_eq!(server.get("/demo/leak?mb=10").status, 200);
    }
    let families = wait_for("the leak in the metrics", || {
        let families = scrape(&server);
        (find_value(&families, "jemalloc_allocated_bytes", "")? > 30e6).then_some(families)
    });
    let of = |name: &str, labels: &str| {
        find_value(&families, name, labels).unwrap_or_else(|| panic!("{name} {labels}"))
    };
    let rss = server.proc_status("VmRSS") as f64;
    let reported = of("process_resident_memory_bytes", "");
    assert!((reported - rss).abs() < rss / 4.0, "reported {reported}, measured by the kernel {rss}");
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
fn purges_and_shed_requests_are_counted() {
    let server = Server::start(&[
        ("HEAPBEAT_METRICS_TOKEN", TOKEN),
        ("HEAPBEAT_MEMORY_LIMIT", "100MB"),
        ("HEAPBEAT_SAMPLE_INTERVAL", "50ms"),
    ]);
    let refused = wait_for("a shed request", || (server.get("/demo/leak?mb=2").status == 503).then_some(1.0));
    let families = wait_for("both in the metrics", || {
        let families = scrape(&server);
        let purges = find_value(&families, "heapbeat_purges", "")?;
        let shed = find_value(&families, "heapbeat_shed_requests", "")?;
        (purges >= 1.0 && shed >= refused).then_some(families)
    });
    assert!(find_value(&families, "heapbeat_purge_seconds", "").unwrap() > 0.0);
    assert!(find_value(&families, "heapbeat_shed_ratio", "").unwrap() <= 1.0);
}

#[test]
fn metrics_need_a_token_unless_they_are_public() {
    let server = Server::start(&[("HEAPBEAT_METRICS_TOKEN", TOKEN)]);
    for headers in
        ["", "authorization: Bearer a token of sixteen or mora\r\n", "authorization: Basic YTpi\r\n"]
    {
        let response = get(&server, headers);
        assert_eq!(
            (response.status, response.header("www-authenticate")),
            (401, Some("Bearer")),
            "{headers:?}"
        );
        assert!(!response.text().contains("bytes"), "{}", response.text());
    }
    assert_eq!(server.request("POST", "/metrics").status, 405);
    let closed = Server::start(&[]);
    assert_eq!(get(&closed, "").status, 404, "without a token the path belongs to the application");
    let open = Server::start(&[("HEAPBEAT_METRICS", "public")]);
    let response = get(&open, "");
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(response.text().contains("\nprocess_cpu_seconds_total "), "{}", response.text());
}
