//! heapbeat's endpoints as the front asks for them, and the front's figures as the endpoints ask for them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use heapbeat::dependency::{CheckDetails, CheckError, Dependency};
use heapbeat::supervisor::program_status::{FrontFigures, ProgramRoutes};
use heapbeat_front::{
    FrontHandle, FrontStatistics, LATENCY_BUCKETS, OperatorResponse, OperatorRoutes, RouteStatistics,
    fetch_status,
};
use heapbeat_shared::openmetrics::Exposition;
use heapbeat_shared::report::{MAX_ROUTES, RouteTraffic, Traffic};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// Shortest time between two snapshots of the latencies. The figures are of the time since the snapshot before the last one.
const WINDOW: Duration = Duration::from_secs(60);

/// Longest time that the program's own health check may take.
const OWN_HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// The response to any other path on the side port.
const NOT_FOUND: &str =
    r#"{"title":"Not Found","status":404,"detail":"this port has only the endpoints of heapbeat"}"#;

/// The endpoints before the program.
pub(super) struct PublicRoutes(pub(super) Arc<ProgramRoutes>);

/// The endpoints on a port of their own.
pub(super) struct SideRoutes(pub(super) Arc<ProgramRoutes>);

impl OperatorRoutes for PublicRoutes {
    fn serves(&self, request: &Parts) -> bool {
        self.0.serves(request)
    }

    fn respond(&self, request: &Parts) -> Option<OperatorResponse> {
        Some(Box::pin(self.0.respond(request)?))
    }
}

impl OperatorRoutes for SideRoutes {
    fn serves(&self, _request: &Parts) -> bool {
        true
    }

    fn respond(&self, request: &Parts) -> Option<OperatorResponse> {
        match self.0.respond(request) {
            Some(response) => Some(Box::pin(response)),
            None => Some(Box::pin(std::future::ready(not_found()))),
        }
    }
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(NOT_FOUND));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Returns the program's own health check, for `/health/ready` and the signed report. `front` is set once the front runs.
pub(super) fn own_health_check(path: String, front: Arc<OnceLock<FrontHandle>>) -> Dependency {
    let name = format!("GET {path}");
    Dependency::new(&name, move || {
        let (path, address) = (path.clone(), front.get().and_then(FrontHandle::active_address));
        async move {
            let address = address.ok_or_else(|| CheckError::failed("no instance of the program is ready"))?;
            let status = fetch_status(&address, &path).await.map_err(CheckError::failed)?;
            if status.is_success() || status.is_redirection() {
                return Ok(CheckDetails::default().with("status", status.as_u16().into()));
            }
            Err(CheckError::failed(format!("the program answers with {}", status.as_u16())))
        }
    })
    .timeout(OWN_HEALTH_TIMEOUT)
}

/// The figures of the front.
pub(super) struct Figures {
    front: FrontHandle,
    latencies: Mutex<LatencyWindow>,
}

/// Two snapshots of the counters of latencies.
#[derive(Debug, Default)]
struct LatencyWindow {
    /// The snapshot that the figures are relative to.
    base: [u64; 13],
    last: [u64; 13],
    last_at: Option<Instant>,
}

impl Figures {
    pub(super) fn new(front: FrontHandle) -> Self {
        Figures { front, latencies: Mutex::default() }
    }
}

impl FrontFigures for Figures {
    fn write_metrics(&self, to: &mut Exposition) {
        self.front.statistics().write_metrics(to);
    }

    fn traffic(&self) -> Traffic {
        let statistics = self.front.statistics();
        let recent = {
            let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            latencies.advance(statistics.latency, Instant::now())
        };
        traffic(statistics, &recent)
    }
}

impl LatencyWindow {
    /// Takes the counters of `now`, and returns the increase since the snapshot before the last one.
    fn advance(&mut self, counts: [u64; 13], now: Instant) -> [u64; 13] {
        if self.last_at.is_none_or(|at| now.duration_since(at) >= WINDOW) {
            (self.base, self.last) = (self.last, counts);
            self.last_at = Some(now);
        }
        let mut increase = counts;
        for (count, before) in increase.iter_mut().zip(self.base) {
            *count = count.saturating_sub(before);
        }
        increase
    }
}

fn traffic(statistics: FrontStatistics, recent: &[u64; 13]) -> Traffic {
    let requests = |route: &RouteStatistics| route.outcomes.iter().sum::<u64>();
    let mut routes = statistics.routes;
    let total = routes.iter().map(requests).sum();
    routes.sort_by_key(|route| std::cmp::Reverse((route.in_flight, requests(route))));
    Traffic {
        in_flight: statistics.in_flight,
        waiting: u64::try_from(statistics.held.now).unwrap_or(u64::MAX),
        requests: total,
        failed: statistics.failed,
        shed: statistics.shed,
        latency_p50_ms: quantile(recent, 0.5),
        latency_p99_ms: quantile(recent, 0.99),
        routes: routes.iter().take(MAX_ROUTES).map(route_traffic).collect(),
    }
}

fn route_traffic(route: &RouteStatistics) -> RouteTraffic {
    let requests: u64 = route.outcomes.iter().sum();
    // Requests whose client went away have no latency.
    let answered: u64 = route.outcomes.iter().take(5).sum();
    let mean = (answered > 0).then(|| route.latency_sum.as_secs_f64() * 1e3 / answered as f64);
    RouteTraffic {
        route: format!("{} {}", route.method, route.pattern),
        in_flight: route.in_flight,
        requests,
        statuses: [0, 1, 2, 3, 4].map(|class| route.outcomes[class]),
        latency_mean_ms: mean.map(tenths),
    }
}

/// Returns a quantile of a histogram in milliseconds, with linear interpolation inside of a bucket, as Prometheus's
/// `histogram_quantile`; `None` without requests.
fn quantile(counts: &[u64; 13], share: f64) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    let wanted = total as f64 * share;
    let (mut below, mut lower) = (0.0, 0.0);
    for (count, bound) in counts.iter().zip(LATENCY_BUCKETS) {
        let (count, upper) = (*count as f64, bound.as_secs_f64() * 1e3);
        if count > 0.0 && below + count >= wanted {
            return Some(tenths(lower + (upper - lower) * (wanted - below) / count));
        }
        (below, lower) = (below + count, upper);
    }
    (total > 0).then_some(lower)
}

fn tenths(milliseconds: f64) -> f64 {
    (milliseconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_between_the_bounds() {
        let counts = |pairs: &[(usize, u64)]| {
            let mut counts = [0; 13];
            for (bucket, count) in pairs {
                counts[*bucket] = *count;
            }
            counts
        };
        let cases = [
            (counts(&[]), None, None),
            (counts(&[(0, 100)]), Some(0.5), Some(1.0)),
            (counts(&[(0, 50), (5, 50)]), Some(1.0), Some(99.0)),
            (counts(&[(12, 10)]), Some(10_000.0), Some(10_000.0)),
        ];
        for (counts, median, high) in cases {
            assert_eq!((quantile(&counts, 0.5), quantile(&counts, 0.99)), (median, high), "{counts:?}");
        }
    }

    #[test]
    fn latencies_are_those_since_the_snapshot_before_the_last_one() {
        let begun = Instant::now();
        let mut window = LatencyWindow::default();
        let counts = |count| {
            let mut counts = [0; 13];
            counts[0] = count;
            counts
        };
        let steps = [(0, 10, 10), (30, 20, 20), (60, 30, 20), (90, 40, 30), (120, 50, 20), (600, 60, 10)];
        for (second, count, expected) in steps {
            let now = begun + Duration::from_secs(second);
            assert_eq!(window.advance(counts(count), now)[0], expected, "after {second} s");
        }
    }

    #[test]
    fn routes_with_requests_in_flight_come_first_and_are_bounded() {
        let route = |pattern: usize, in_flight| RouteStatistics {
            method: "GET",
            pattern: format!("/{pattern}"),
            in_flight,
            outcomes: [0, 6, 0, 0, 2, 2],
            latency_sum: Duration::from_millis(100),
        };
        let mut routes: Vec<RouteStatistics> = (0..30).map(|pattern| route(pattern, 0)).collect();
        routes[29].in_flight = 3;
        let statistics = FrontStatistics { routes, in_flight: 3, ..FrontStatistics::default() };
        let traffic = traffic(statistics, &[0; 13]);
        assert_eq!((traffic.requests, traffic.in_flight, traffic.routes.len()), (300, 3, MAX_ROUTES));
        let first = &traffic.routes[0];
        assert_eq!((first.route.as_str(), first.in_flight, first.statuses), ("GET /29", 3, [0, 6, 0, 0, 2]));
        assert_eq!(first.errors(), 2);
        assert_eq!((first.requests, first.latency_mean_ms), (10, Some(12.5)));
    }
}
