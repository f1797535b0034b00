//! What the front counts: requests by method and path pattern, statuses, latency, waits, repetitions and failures.

mod metrics;
mod table;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;

use crate::hold::HoldStatistics;
use crate::route_pattern::route_pattern;
use table::RouteTable;

/// Upper bounds of the latency buckets.
pub const LATENCY_BUCKETS: [Duration; 12] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2500),
    Duration::from_millis(5000),
    Duration::from_millis(10_000),
];

/// Names of the outcomes that are counted: the classes of statuses, and requests whose client went away first.
pub const OUTCOMES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];

/// The counters of all requests.
#[derive(Debug, Default)]
pub(crate) struct StatisticsRecorder {
    table: Mutex<RouteTable>,
    repeated: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    /// Requests that wait in the kernel's buffers.
    waiting: AtomicU64,
}

/// A request that waits in the kernel's buffer, until it is dropped.
#[derive(Debug)]
pub(crate) struct WaitingRequest(Arc<StatisticsRecorder>);

impl Drop for WaitingRequest {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Figures that are recorded elsewhere.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) held: HoldStatistics,
    pub(crate) active: Vec<u64>,
    pub(crate) shed: u64,
    pub(crate) memory: usize,
}

/// The figures of one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrontStatistics {
    /// Ids of the copies that get new requests.
    pub active: Vec<u64>,
    /// Requests in flight, waiting ones included.
    pub in_flight: u64,
    /// Requests by method and path pattern.
    pub routes: Vec<RouteStatistics>,
    /// Responses by latency until the response head: one count for each of [`LATENCY_BUCKETS`], and one for slower ones.
    pub latency: [u64; 13],
    /// Sum of all latencies.
    pub latency_sum: Duration,
    /// Requests that waited for a program.
    pub held: HoldStatistics,
    /// Requests that were sent again, because the copy that had them died.
    pub repeated: u64,
    /// Requests that a copy did not answer and that could not be repeated.
    pub failed: u64,
    /// Requests that were refused as malformed or ambiguous.
    pub rejected: u64,
    /// Requests that were shed.
    pub shed: u64,
    /// Bytes that are counted for the requests in flight: the most that they may need.
    pub memory: usize,
}

/// The figures of one method and path pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteStatistics {
    /// The method; `OTHER` if it is not a standard one.
    pub method: &'static str,
    /// The pattern, such as `/users/:id`; `other` beyond the limit on patterns.
    pub pattern: String,
    /// Requests in flight.
    pub in_flight: u64,
    /// Ended requests by outcome, in the order of [`OUTCOMES`].
    pub outcomes: [u64; 6],
    /// Sum of latencies until the response head.
    pub latency_sum: Duration,
}

/// A request that is counted as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct RequestTicket {
    recorder: Arc<StatisticsRecorder>,
    slot: usize,
    started: Instant,
    answered: Option<(StatusCode, Duration)>,
}

/// The route of a request, while the request is in flight.
#[derive(Clone, Debug)]
pub(crate) struct RouteKey {
    recorder: Arc<StatisticsRecorder>,
    slot: usize,
}

/// Method and path pattern.
pub(crate) type RouteName = (&'static str, String);

impl RouteKey {
    /// Returns the name of the route.
    pub(crate) fn name(&self) -> RouteName {
        self.recorder.table().name(self.slot)
    }

    /// Whether both are keys of the same route.
    pub(crate) const fn is(&self, other: &RouteKey) -> bool {
        self.slot == other.slot
    }
}

impl StatisticsRecorder {
    /// Begins a request.
    pub(crate) fn begin(self: &Arc<Self>, method: &Method, path: &str, now: Instant) -> RequestTicket {
        let slot = self.table().begin(method_label(method), route_pattern(path));
        RequestTicket { recorder: Arc::clone(self), slot, started: now, answered: None }
    }

    /// Counts a request that waits in the kernel's buffer.
    pub(crate) fn count_waiting(self: &Arc<Self>) -> WaitingRequest {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        WaitingRequest(Arc::clone(self))
    }

    pub(crate) fn count_repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the figures that are recorded here.
    pub(crate) fn snapshot(&self, gauges: Gauges) -> FrontStatistics {
        let Gauges { held, active, shed, memory } = gauges;
        let table = self.table();
        let routes = table.routes();
        FrontStatistics {
            active,
            in_flight: routes.iter().map(|route| route.in_flight).sum::<u64>()
                + self.waiting.load(Ordering::Relaxed),
            routes,
            latency: table.latency,
            latency_sum: table.latency_sum,
            held,
            repeated: self.repeated.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            shed,
            memory,
        }
    }

    fn table(&self) -> MutexGuard<'_, RouteTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestTicket {
    /// Returns the route.
    pub(crate) fn route(&self) -> RouteKey {
        RouteKey { recorder: Arc::clone(&self.recorder), slot: self.slot }
    }

    /// Records the status of the response, and the latency until now.
    pub(crate) fn answer(&mut self, status: StatusCode) {
        self.answered = Some((status, self.started.elapsed()));
    }
}

impl Drop for RequestTicket {
    fn drop(&mut self) {
        self.recorder.table().end(self.slot, self.answered);
    }
}

fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("OTHER")
}
