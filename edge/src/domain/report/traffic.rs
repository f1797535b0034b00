//! The requests to a guarded program, as far as the edge keeps them: paths can tell secrets, so only the owner sees them.

use heapbeat_shared::event::cut;
use heapbeat_shared::report::{RouteTraffic, Traffic};
use minicbor::{Decode, Encode};

/// Most routes that are kept of each monitor: with the texts below, 40 monitors take some 30 kB of the hub's state.
const MAX_ROUTES: usize = 8;

/// Longest text of a route in bytes.
const MAX_TEXT: usize = 64;

/// The requests of the last report.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct TrafficSummary {
    /// Requests in flight, those that wait included.
    #[n(0)]
    pub in_flight: u64,
    /// Requests that wait for the program.
    #[n(1)]
    pub waiting: u64,
    /// Requests that ended since the guard started.
    #[n(2)]
    pub requests: u64,
    /// Requests that the program did not answer and that could not be repeated.
    #[n(3)]
    pub failed: u64,
    /// Requests that were shed.
    #[n(4)]
    pub shed: u64,
    /// Median latency within the last minutes in milliseconds.
    #[n(5)]
    pub latency_p50_ms: Option<f64>,
    /// The 99th percentile.
    #[n(6)]
    pub latency_p99_ms: Option<f64>,
    /// By method and path pattern: those with requests in flight first, then those with most requests.
    #[n(7)]
    pub routes: Vec<RouteSummary>,
}

/// The requests of one method and path pattern.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct RouteSummary {
    /// Method and path pattern, such as `GET /users/:id`.
    #[n(0)]
    pub route: String,
    /// Requests in flight.
    #[n(1)]
    pub in_flight: u64,
    /// Requests that ended.
    #[n(2)]
    pub requests: u64,
    /// Those with a status, by its class: 1xx to 5xx.
    #[n(3)]
    pub statuses: [u64; 5],
    /// Mean latency in milliseconds.
    #[n(4)]
    pub latency_mean_ms: Option<f64>,
}

impl From<&Traffic> for TrafficSummary {
    fn from(traffic: &Traffic) -> Self {
        TrafficSummary {
            in_flight: traffic.in_flight,
            waiting: traffic.waiting,
            requests: traffic.requests,
            failed: traffic.failed,
            shed: traffic.shed,
            latency_p50_ms: traffic.latency_p50_ms,
            latency_p99_ms: traffic.latency_p99_ms,
            routes: traffic.routes.iter().take(MAX_ROUTES).map(RouteSummary::from).collect(),
        }
    }
}

impl From<&RouteTraffic> for RouteSummary {
    fn from(route: &RouteTraffic) -> Self {
        let mut text = cut(&route.route);
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        RouteSummary {
            route: text,
            in_flight: route.in_flight,
            requests: route.requests,
            statuses: route.statuses,
            latency_mean_ms: route.latency_mean_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let route = RouteTraffic { route: "GET /é".repeat(60), in_flight: 1, ..RouteTraffic::default() };
        let traffic = Traffic { in_flight: 20, routes: vec![route; 20], ..Traffic::default() };
        let kept = TrafficSummary::from(&traffic);
        assert_eq!((kept.in_flight, kept.routes.len()), (20, MAX_ROUTES));
        assert!(kept.routes.iter().all(|route| (40..=MAX_TEXT).contains(&route.route.len())));
        let encoded = minicbor::to_vec(&kept).unwrap();
        assert!(encoded.len() < 800, "{}", encoded.len());
        assert_eq!(minicbor::decode::<TrafficSummary>(&encoded).unwrap(), kept);
    }
}
