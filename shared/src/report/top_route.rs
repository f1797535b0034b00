//! The route that explains the growth of memory, if one does.
//!
//! The terminal view, the server's alert and the edge's alert name it. A wrong name would mislead, so the evidence must be
//! strong: the route's growth exceeds twice its standard error and makes up at least half of all growth.

use std::fmt;

use super::RouteReport;
use crate::units::Bytes;

/// Least requests per minute for a figure per request.
const MIN_REQUESTS: f64 = 1.0;

/// Length limit of a route in a sentence, in bytes.
const MAX_ROUTE_BYTES: usize = 100;

/// The route that explains the growth.
#[derive(Clone, Debug, PartialEq)]
pub struct TopRoute<'a> {
    /// Method and path, or a name in parentheses for work outside of routes.
    pub route: &'a str,
    /// Bytes retained per request, if there are enough requests.
    pub per_request: Option<Bytes>,
    /// Bytes retained per minute.
    pub per_minute: Bytes,
    /// The route's share of all growth, 1 for all of it.
    pub share: f64,
}

/// Finds the route that explains the growth; `None` if no route does.
pub fn top_route(routes: &[RouteReport]) -> Option<TopRoute<'_>> {
    let (top, all) = find_growing_route(routes)?;
    let requests = top.requests_per_second * 60.0;
    Some(TopRoute {
        route: &top.route,
        per_request: (requests >= MIN_REQUESTS).then(|| bytes(growth(top) / requests)),
        per_minute: bytes(growth(top)),
        share: growth(top) / all,
    })
}

/// Finds the route that explains the growth, and the total growth in bytes per minute.
fn find_growing_route(routes: &[RouteReport]) -> Option<(&RouteReport, f64)> {
    let (mut all, mut top) = (0.0, routes.first()?);
    for route in routes {
        all += growth(route);
        if growth(route) > growth(top) {
            top = route;
        }
    }
    let sure = growth(top) > 2.0 * top.growth_error.unwrap_or(f64::INFINITY);
    (sure && growth(top) >= all / 2.0).then_some((top, all))
}

/// Describes the route that explains the growth, with the whole megabytes that it retains per hour: `POST /upload, 24 MB/h`.
pub fn describe_top_route(routes: &[RouteReport]) -> Option<String> {
    let (top, _) = find_growing_route(routes)?;
    let route = &top.route[..top.route.floor_char_boundary(MAX_ROUTE_BYTES)];
    Some([route, ", ", &(bytes(growth(top) * 60.0).0 >> 20).to_string(), " MB/h"].concat())
}

/// Returns the growth in bytes per minute; 0 for a route that shrinks.
fn growth(route: &RouteReport) -> f64 {
    route.growth_per_minute.unwrap_or(0.0).max(0.0)
}

impl fmt::Display for TopRoute<'_> {
    /// Formats `POST /upload keeps 1.9 MB a request; 96 % of the growth`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per_request {
            Some(bytes) => write!(f, "{} keeps {bytes} a request", self.route)?,
            None => write!(f, "{} keeps {} a minute", self.route, self.per_minute)?,
        }
        write!(f, "; {:.0} % of the growth", self.share * 100.0)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn bytes(amount: f64) -> Bytes {
    Bytes(amount.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, growth_mb: f64, per_second: f64) -> RouteReport {
        RouteReport {
            route: name.into(),
            requests_per_second: per_second,
            growth_per_minute: Some(growth_mb * 1_048_576.0),
            growth_error: Some(100_000.0),
            ..RouteReport::default()
        }
    }

    #[test]
    fn the_route_that_explains_the_growth_is_named() {
        let often = [route("GET /", 2.0, 100.0), route("POST /upload", 48.0, 0.42)];
        assert_eq!(
            top_route(&often).unwrap().to_string(),
            "POST /upload keeps 1.9 MB a request; 96 % of the growth"
        );
        let seldom = [route("POST /import", 48.0, 0.01), route("GET /", -5.0, 100.0)];
        assert_eq!(
            top_route(&seldom).unwrap().to_string(),
            "POST /import keeps 48.0 MB a minute; 100 % of the growth"
        );
        assert_eq!(describe_top_route(&seldom).as_deref(), Some("POST /import, 2880 MB/h"));
        let long = describe_top_route(&[route(&"é".repeat(1_000), 0.4, 1.0)]).unwrap();
        assert_eq!(long, format!("{}, 24 MB/h", "é".repeat(50)));
    }

    #[test]
    fn no_route_is_named_without_evidence() {
        let cases = [
            ("two alike", vec![route("a", 1.0, 1.0), route("b", 1.01, 1.0), route("c", 1.0, 1.0)]),
            ("within the error", vec![RouteReport { growth_error: Some(1e9), ..route("a", 5.0, 1.0) }]),
            ("an error unknown", vec![RouteReport { growth_error: None, ..route("a", 5.0, 1.0) }]),
            ("not enough data", vec![RouteReport { growth_per_minute: None, ..route("a", 5.0, 1.0) }]),
            ("none", vec![]),
        ];
        for (name, routes) in cases {
            assert_eq!(top_route(&routes), None, "{name}");
            assert_eq!(describe_top_route(&routes), None, "{name}");
        }
    }
}
