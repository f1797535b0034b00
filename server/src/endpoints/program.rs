//! What the endpoints of a guarded program show besides the figures of one instance: whether the program serves, the exits of all
//! instances, and figures of the front and the agents.
//!
//! The supervisor's loop writes, requests read. No lock is held for longer than a copy takes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use heapbeat_shared::openmetrics::{Exposition, MetricKind};
use heapbeat_shared::report::{FunctionReport, InstanceReport, MAX_INSTANCES, Traffic};
use heapbeat_shared::{Exit, ExitKind};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::profile_queue::ProfileQueue;

/// Number of exits that are kept.
const MAX_EXITS: usize = 16;

/// Figures of what is in front of the program, which the library does not know. Called by requests, so it must not block.
pub trait FrontFigures: Send + Sync {
    /// Adds the metrics.
    fn write_metrics(&self, to: &mut Exposition);

    /// Returns the figures for the report.
    fn traffic(&self) -> Traffic;
}

/// Why a program does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Downtime {
    /// The reason, which strangers may read.
    pub(crate) reason: String,
    /// When it may serve again, if that is known.
    pub(crate) retry_at: Option<Instant>,
}

/// The state of a guarded program that is shared by all of its instances.
#[derive(Default)]
pub(crate) struct ProgramContext {
    down: ArcSwapOption<Downtime>,
    totals: Mutex<InstanceTotals>,
    front: OnceLock<Arc<dyn FrontFigures>>,
    /// The functions whose memory grows.
    functions: Mutex<Vec<FunctionReport>>,
    /// The instances that run.
    instances: Mutex<Vec<InstanceReport>>,
    profiles: ProfileQueue,
}

/// Totals over all instances.
#[derive(Debug, Default)]
struct InstanceTotals {
    starts: u64,
    exits: BTreeMap<&'static str, u64>,
    /// Processes that ran out of memory while the program went on, by kind.
    process_exits: BTreeMap<&'static str, u64>,
    latest_exits: VecDeque<Exit>,
}

/// The body of `/health` while the program does not serve.
#[derive(Serialize)]
struct DownBody<'a> {
    reason: &'a str,
    status: &'static str,
}

impl Downtime {
    /// Returns `Retry-After` in seconds.
    fn retry_after(&self, now: Instant) -> u64 {
        const USUAL: u64 = 5;
        self.retry_at.map_or(USUAL, |at| at.saturating_duration_since(now).as_secs() + 1)
    }

    /// Adds the status and `Retry-After` to a response.
    pub(super) fn mark<B>(&self, response: &mut Response<B>) {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(self.retry_after(Instant::now())));
    }

    /// Creates the public response.
    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        let body = serde_json::to_vec(&DownBody { reason: &self.reason, status: "down" });
        let mut response = Response::new(Full::from(body.unwrap_or_default()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.mark(&mut response);
        response
    }
}

impl ProgramContext {
    /// Returns the requests for heap profiles.
    pub(crate) fn profiles(&self) -> &ProfileQueue {
        &self.profiles
    }

    /// Sets the functions whose memory grows.
    pub(crate) fn set_functions(&self, functions: Vec<FunctionReport>) {
        *self.functions.lock().unwrap_or_else(PoisonError::into_inner) = functions;
    }

    /// Returns the functions whose memory grows, fastest first.
    pub(super) fn functions(&self) -> Vec<FunctionReport> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the instances that run, in the order of their starts.
    pub(crate) fn set_instances(&self, instances: Vec<InstanceReport>) {
        *self.instances() = instances;
    }

    /// Returns the instances that run, if there are several.
    pub(super) fn several_instances(&self) -> Vec<InstanceReport> {
        let instances = self.instances();
        if instances.len() > 1 { instances.iter().take(MAX_INSTANCES).copied().collect() } else { Vec::new() }
    }

    fn instances(&self) -> MutexGuard<'_, Vec<InstanceReport>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what is in front of the program, once.
    pub(crate) fn set_front(&self, front: Arc<dyn FrontFigures>) {
        let _ = self.front.set(front);
    }

    /// Sets why the program does not serve; `None` while it does.
    pub(crate) fn set_down(&self, down: Option<Downtime>) {
        self.down.store(down.map(Arc::new));
    }

    /// Returns why the program does not serve.
    pub(crate) fn down(&self) -> Option<Arc<Downtime>> {
        self.down.load_full()
    }

    /// Creates the response to any request before the first start.
    pub(crate) fn not_started(&self) -> Response<Full<Bytes>> {
        let down = self.down().map(|down| Downtime::clone(&down));
        let down =
            down.unwrap_or(Downtime { reason: "the program was not started yet".into(), retry_at: None });
        down.response()
    }

    /// Counts a start.
    pub(crate) fn count_start(&self) {
        self.totals().starts += 1;
    }

    /// Counts an exit, and lists it.
    pub(crate) fn record_exit(&self, exit: &Exit) {
        *self.totals().exits.entry(exit.kind.as_str()).or_default() += 1;
        self.list_exit(exit);
    }

    /// Counts and lists the exit of a process without which the program goes on: no exit of the program.
    pub(crate) fn record_process_exit(&self, exit: &Exit) {
        *self.totals().process_exits.entry(exit.kind.as_str()).or_default() += 1;
        self.list_exit(exit);
    }

    /// Lists an exit of an earlier supervisor, which is not counted.
    pub(crate) fn list_exit(&self, exit: &Exit) {
        let mut totals = self.totals();
        totals.latest_exits.push_back(exit.clone());
        if totals.latest_exits.len() > MAX_EXITS {
            totals.latest_exits.pop_front();
        }
    }

    /// Returns the body of `/exits`, oldest first.
    pub(super) fn exits(&self) -> Vec<u8> {
        serde_json::to_vec(&self.totals().latest_exits).unwrap_or_default()
    }

    /// Returns the requests for the report.
    pub(super) fn traffic(&self) -> Option<Traffic> {
        self.front.get().map(|front| front.traffic())
    }

    /// Adds the metrics.
    pub(super) fn write_metrics(&self, to: &mut Exposition) {
        {
            let totals = self.totals();
            to.family("heapbeat_starts", MetricKind::Counter, "Starts of the program.")
                .sample(&[], totals.starts);
            let mut exits =
                to.family("heapbeat_exits", MetricKind::Counter, "Exits of the program, by kind.");
            for (kind, count) in &totals.exits {
                exits.sample(&[("kind", kind)], *count);
            }
            let mut processes = to.family(
                "heapbeat_process_exits",
                MetricKind::Counter,
                "Processes of the program that ran out of memory while the program went on, by kind.",
            );
            for kind in [ExitKind::OomKill, ExitKind::OutOfMemory].map(ExitKind::as_str) {
                processes.sample(&[("kind", kind)], totals.process_exits.get(kind).copied().unwrap_or(0));
            }
        }
        {
            let instances = self.instances();
            let mut memory = to.family(
                "heapbeat_instance_memory_bytes",
                MetricKind::Gauge,
                "Memory of each instance of the program that runs.",
            );
            for instance in instances.iter().take(MAX_INSTANCES) {
                memory.sample(&[("instance", &*instance.number.to_string())], instance.memory.0);
            }
            let serving = instances.iter().filter(|instance| instance.serves).count();
            to.family("heapbeat_instances_serving", MetricKind::Gauge, "Instances that get new requests.")
                .sample(&[], serving as u64);
        }
        to.family(
            "heapbeat_serving",
            MetricKind::Gauge,
            "Whether the program serves; 1 also while requests wait for its next instance.",
        )
        .sample(&[], u64::from(self.down().is_none()));
        if let Some(front) = self.front.get() {
            front.write_metrics(to);
        }
    }

    fn totals(&self) -> MutexGuard<'_, InstanceTotals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for ProgramContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgramContext").field("down", &self.down()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::UnixMillis;

    use super::*;

    #[test]
    fn exits_are_counted_and_the_last_ones_are_listed() {
        let context = ProgramContext::default();
        let exit = |at| Exit { kind: ExitKind::Crash, at: UnixMillis(at), ..Exit::default() };
        context.list_exit(&exit(-1));
        for at in 0..20 {
            context.count_start();
            context.record_exit(&exit(at));
        }
        let listed: Vec<Exit> = serde_json::from_slice(&context.exits()).unwrap();
        let times: Vec<i64> = listed.iter().map(|exit| exit.at.0).collect();
        assert_eq!(times, (4..20).collect::<Vec<_>>());
        let mut to = Exposition::new(heapbeat_shared::openmetrics::Format::OpenMetrics);
        context.write_metrics(&mut to);
        let text = to.finish();
        for line in
            ["heapbeat_starts_total 20", "heapbeat_exits_total{kind=\"crash\"} 20", "heapbeat_serving 1"]
        {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_program_that_does_not_serve_says_when_to_come_back() {
        let now = Instant::now();
        let down = |retry_at| Downtime { reason: "it \"crashed\"".into(), retry_at };
        assert_eq!(down(None).retry_after(now), 5);
        assert_eq!(down(Some(now + Duration::from_millis(2500))).retry_after(now), 3);
        assert_eq!(down(Some(now)).retry_after(now + Duration::from_secs(9)), 1);
        let response = down(None).response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (503, &HeaderValue::from(5))
        );
    }
}
