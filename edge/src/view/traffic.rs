//! The requests to a guarded program.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::report::traffic::{RouteSummary, TrafficSummary};

/// The requests that passed through the front of `heapbeat run`, of the last signed report. Only the owner gets them, as paths can tell
/// secrets; the page of a monitor shows them with `public-routes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Traffic")]
pub struct TrafficView {
    /// Requests in flight, those that wait for the program included.
    pub in_flight: u64,
    /// Requests that wait for the program.
    pub waiting: u64,
    /// Requests that ended since the guard started.
    pub requests: u64,
    /// Requests that the program did not answer and that could not be repeated.
    pub failed: u64,
    /// Requests that were shed because of memory pressure.
    pub shed: u64,
    /// Median time until the head of the response within the last minutes in milliseconds; `null` if unknown.
    pub latency_p50_ms: Option<f64>,
    /// The 99th percentile of that time; `null` if unknown.
    pub latency_p99_ms: Option<f64>,
    /// The routes with requests in flight, then those with most requests, at most eight.
    pub routes: Vec<RouteTrafficView>,
}

/// The requests of one method and path pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RouteTraffic")]
pub struct RouteTrafficView {
    /// Method and path pattern, such as `GET /users/:id`.
    pub route: String,
    /// Requests in flight.
    pub in_flight: u64,
    /// Requests that ended.
    pub requests: u64,
    /// Those with a status, by its class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub statuses: [u64; 5],
    /// Mean time until the head of the response in milliseconds; `null` if unknown.
    pub latency_mean_ms: Option<f64>,
}

impl From<&TrafficSummary> for TrafficView {
    fn from(summary: &TrafficSummary) -> Self {
        TrafficView {
            in_flight: summary.in_flight,
            waiting: summary.waiting,
            requests: summary.requests,
            failed: summary.failed,
            shed: summary.shed,
            latency_p50_ms: summary.latency_p50_ms,
            latency_p99_ms: summary.latency_p99_ms,
            routes: summary.routes.iter().map(RouteTrafficView::from).collect(),
        }
    }
}

/// The least share of all requests, in percent, that a route on a public page has.
const LEAST_PERCENT: u64 = 1;

impl TrafficView {
    /// Returns what a public page shows, if the owner wants it to. Where a program answers every path, anybody may choose the name of a route;
    /// routes that few ask for are left out, so that such a name needs a part of the program's traffic.
    pub fn for_the_public(summary: &TrafficSummary) -> Self {
        let mut view = TrafficView::from(summary);
        view.routes.retain(|route| {
            u128::from(route.requests) * 100 >= u128::from(summary.requests) * u128::from(LEAST_PERCENT)
        });
        view
    }
}

impl From<&RouteSummary> for RouteTrafficView {
    fn from(summary: &RouteSummary) -> Self {
        RouteTrafficView {
            route: summary.route.clone(),
            in_flight: summary.in_flight,
            requests: summary.requests,
            statuses: summary.statuses,
            latency_mean_ms: summary.latency_mean_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_few_ask_for_is_on_no_public_page() {
        let route = |name: &str, in_flight, requests| RouteSummary {
            route: name.to_owned(),
            in_flight,
            requests,
            ..RouteSummary::default()
        };
        let routes = vec![route("GET /buy-now", 1, 9), route("GET /", 0, 990), route("GET /rare", 0, 10)];
        let summary = TrafficSummary { requests: 1000, routes, ..TrafficSummary::default() };
        let names = |view: TrafficView| view.routes.into_iter().map(|it| it.route).collect::<Vec<_>>();
        assert_eq!(names(TrafficView::for_the_public(&summary)), ["GET /", "GET /rare"]);
        assert_eq!(names(TrafficView::from(&summary)).len(), 3, "the owner sees all");
    }
}
