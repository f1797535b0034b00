//! `GET /metrics`: all figures of one instant as text.
//!
//! `process_*` are Prometheus's standard names for figures of a process, `jemalloc_*` are the allocator's statistics, `heapbeat_*` are
//! figures of the guard. A figure that this machine does not provide is left out, and never 0. Pure: figures in, text out. The only
//! labels that the application determines are its route patterns (at most 512) and the names of its dependencies (at most 16).
//! `docs/metrics.md` explains each metric.

use std::time::Duration;

use heapbeat_forecast::{Assessment, Verdict};
use heapbeat_shared::openmetrics::{Exposition, Format, MetricKind};
use heapbeat_shared::{Bytes, Pressure, UnixMillis};

use crate::attribution::AttributionSnapshot;
use crate::dependency::DependencyStatus;
use crate::edge_liveness::EdgeVisits;
use crate::sampling::{CgroupMemory, HeapMemory, ProcessMemory, ProgramMemory, Reading};

/// The figures of one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricsSnapshot<'a> {
    pub(crate) version: &'a str,
    pub(crate) started: UnixMillis,
    pub(crate) now: UnixMillis,
    pub(crate) reading: &'a Reading,
    pub(crate) pressure: Pressure,
    /// Share of new requests that is shed, in thousandths.
    pub(crate) shed: u16,
    /// Requests that were shed, if it is known.
    pub(crate) refused: Option<u64>,
    pub(crate) purges: PurgeTotals,
    pub(crate) forecast: &'a Assessment,
    pub(crate) routes: &'a AttributionSnapshot,
    pub(crate) dependencies: &'a [DependencyStatus],
    pub(crate) visits: EdgeVisits,
}

/// Totals of all purges since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PurgeTotals {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    pub(crate) micros: u64,
}

impl PurgeTotals {
    /// Adds a purge.
    pub(crate) fn add(&mut self, back: Bytes, took: Duration) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(back.0);
        self.micros = self.micros.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

/// Renders the figures as text; `more` adds further ones.
pub(crate) fn render(
    format: Format,
    figures: &MetricsSnapshot,
    more: impl FnOnce(&mut Exposition),
) -> String {
    let mut to = Exposition::new(format);
    write_build_info(&mut to, figures);
    if let Some(memory) = &figures.reading.process {
        process(&mut to, memory);
    }
    if let Some(memory) = &figures.reading.heap {
        heap(&mut to, memory);
    }
    if let Some(memory) = &figures.reading.cgroup {
        cgroup(&mut to, memory);
    }
    if let Some(memory) = &figures.reading.program {
        program(&mut to, memory);
    }
    guard(&mut to, figures);
    forecast(&mut to, figures.forecast);
    // Attribution is of this process.
    if figures.reading.program.is_none() {
        routes(&mut to, figures.routes);
    }
    dependencies(&mut to, figures.dependencies);
    visits(&mut to, figures.visits);
    more(&mut to);
    to.finish()
}

fn gauge(to: &mut Exposition, name: &str, help: &str, bytes: Bytes) {
    to.family(name, MetricKind::Gauge, help).sample(&[], bytes.0);
}

fn write_build_info(to: &mut Exposition, figures: &MetricsSnapshot) {
    let reading = figures.reading;
    let labels = [("version", figures.version), ("heapbeat", env!("CARGO_PKG_VERSION"))];
    to.family("heapbeat_build", MetricKind::Info, "Versions of the application and of heapbeat.")
        .sample(&labels, 1);
    to.family(
        "process_start_time_seconds",
        MetricKind::Gauge,
        "When the process started, in seconds since 1970.",
    )
    .sample(&[], seconds(figures.started));
    to.family("heapbeat_uptime_seconds", MetricKind::Gauge, "Age of the process.")
        .sample(&[], reading.now.age.as_secs_f64());
    let age = figures.now.0.saturating_sub(reading.now.wall.0).max(0);
    to.family(
        "heapbeat_sample_age_seconds",
        MetricKind::Gauge,
        "Age of the memory figures; large if the sampler is stuck.",
    )
    .sample(&[], seconds(UnixMillis(age)));
    if reading.program.is_none() {
        to.family("process_cpu_seconds", MetricKind::Counter, "CPU time, user and system.")
            .sample(&[], reading.cpu.as_secs_f64());
    }
}

fn program(to: &mut Exposition, memory: &ProgramMemory) {
    gauge(
        to,
        "heapbeat_tree_memory_bytes",
        "Proportional set size of the program and all processes that it started.",
        memory.tree,
    );
    to.family("heapbeat_tree_processes", MetricKind::Gauge, "Processes of the program.")
        .sample(&[], u64::from(memory.processes));
    let Some(heap) = memory.heap else { return };
    let all = [
        ("heapbeat_runtime_heap_used_bytes", "Bytes of objects, garbage included.", heap.used),
        ("heapbeat_runtime_heap_total_bytes", "Bytes that the runtime holds for its heap.", heap.total),
        ("heapbeat_runtime_external_bytes", "Bytes outside of the heap that objects hold.", heap.external),
        ("heapbeat_runtime_heap_limit_bytes", "Size at which the runtime gives up.", heap.limit),
    ];
    for (name, help, bytes) in all {
        if let Some(bytes) = bytes {
            gauge(to, name, help, bytes);
        }
    }
}

fn process(to: &mut Exposition, memory: &ProcessMemory) {
    gauge(to, "process_resident_memory_bytes", "Resident set.", memory.rss);
    gauge(to, "process_resident_memory_max_bytes", "Highest resident set so far.", memory.peak);
    let mut parts = to.family(
        "heapbeat_process_memory_bytes",
        MetricKind::Gauge,
        "Parts of the process's memory; without swap they make the resident set.",
    );
    for (part, bytes) in
        [("anonymous", memory.anon), ("file", memory.file), ("shared", memory.shmem), ("swap", memory.swap)]
    {
        parts.sample(&[("part", part)], bytes.0);
    }
    to.family("process_threads", MetricKind::Gauge, "Threads.").sample(&[], u64::from(memory.threads));
    if let Some(count) = memory.descriptors {
        to.family("process_open_fds", MetricKind::Gauge, "Open file descriptors.")
            .sample(&[], u64::from(count));
    }
}

fn heap(to: &mut Exposition, memory: &HeapMemory) {
    let all = [
        ("jemalloc_allocated_bytes", "Bytes that the application holds.", memory.allocated),
        ("jemalloc_active_bytes", "Bytes in pages with at least one allocation.", memory.active),
        ("jemalloc_resident_bytes", "Bytes in pages that jemalloc keeps in memory.", memory.resident),
        ("jemalloc_mapped_bytes", "Address space in use.", memory.mapped),
        ("jemalloc_retained_bytes", "Address space kept without memory behind it.", memory.retained),
        ("jemalloc_metadata_bytes", "jemalloc's own bookkeeping.", memory.metadata),
    ];
    for (name, help, bytes) in all {
        gauge(to, name, help, bytes);
    }
}

fn cgroup(to: &mut Exposition, memory: &CgroupMemory) {
    gauge(
        to,
        "heapbeat_cgroup_memory_usage_bytes",
        "Memory charged to the control group with the limit.",
        memory.usage,
    );
    gauge(
        to,
        "heapbeat_cgroup_memory_working_set_bytes",
        "Part of the charged memory that the kernel cannot drop easily.",
        memory.working_set(),
    );
    if let Some(limit) = memory.limit {
        gauge(to, "heapbeat_cgroup_memory_limit_bytes", "Limit of the control group.", limit);
    }
    let events = memory.events;
    let mut family = to.family(
        "heapbeat_cgroup_memory_events",
        MetricKind::Counter,
        "Memory events of the control group, as the kernel counts them.",
    );
    for (event, count) in
        [("high", events.high), ("max", events.max), ("oom", events.oom), ("oom_kill", events.oom_kill)]
    {
        family.sample(&[("event", event)], count);
    }
}

fn guard(to: &mut Exposition, figures: &MetricsSnapshot) {
    let (reading, purges) = (figures.reading, figures.purges);
    to.family("heapbeat_memory_limit_bytes", MetricKind::Gauge, "The memory limit, and its origin.")
        .sample(&[("origin", reading.limit.origin.as_str())], reading.limit.bytes.0);
    gauge(
        to,
        "heapbeat_memory_working_set_bytes",
        "Memory that is compared with the limit.",
        reading.working_set(),
    );
    to.family("heapbeat_pressure", MetricKind::StateSet, "Level of memory pressure.")
        .states(Pressure::ALL.map(|level| (level.as_str(), level == figures.pressure)));
    to.family("heapbeat_shed_ratio", MetricKind::Gauge, "Share of new requests that is shed now.")
        .sample(&[], f64::from(figures.shed) / 1000.0);
    if let Some(refused) = figures.refused {
        to.family("heapbeat_shed_requests", MetricKind::Counter, "Requests shed because of memory pressure.")
            .sample(&[], refused);
    }
    to.family(
        "heapbeat_purges",
        MetricKind::Counter,
        "Purges: caches were shrunk and the allocator returned memory.",
    )
    .sample(&[], purges.count);
    to.family("heapbeat_purged_bytes", MetricKind::Counter, "Bytes by which purges reduced the working set.")
        .sample(&[], purges.bytes);
    to.family("heapbeat_purge_seconds", MetricKind::Counter, "Time spent in purges, on a separate thread.")
        .sample(&[], purges.micros as f64 / 1e6);
    if let Some(late) = reading.runtime_delay {
        let help = "Longest delay of a task of the async runtime within the last minute.";
        to.family("heapbeat_runtime_delay_seconds", MetricKind::Gauge, help).sample(&[], late.as_secs_f64());
    }
}

fn forecast(to: &mut Exposition, assessment: &Assessment) {
    to.family("heapbeat_forecast_verdict", MetricKind::StateSet, "Whether memory leaks.")
        .states(Verdict::ALL.map(|verdict| (verdict.as_str(), verdict == assessment.verdict)));
    if let Some(slope) = assessment.slope {
        to.family(
            "heapbeat_forecast_growth_bytes_per_second",
            MetricKind::Gauge,
            "Growth of memory, with its 95 % interval.",
        )
        .sample(&[("bound", "low")], slope.low.0)
        .sample(&[("bound", "expected")], slope.expected.0)
        .sample(&[("bound", "high")], slope.high.0);
    }
    if let Some(time) = assessment.time_to_limit {
        to.family(
            "heapbeat_forecast_time_to_limit_seconds",
            MetricKind::Gauge,
            "Time until memory reaches the limit, with its interval.",
        )
        .sample(&[("bound", "earliest")], time.earliest.as_secs_f64())
        .sample(&[("bound", "expected")], time.expected.as_secs_f64())
        .sample(&[("bound", "latest")], time.latest.as_secs_f64());
    }
}

fn routes(to: &mut Exposition, snapshot: &AttributionSnapshot) {
    // The list is sorted by growth; metrics are sorted by label, so that their order is stable between scrapes.
    let mut routes: Vec<_> = snapshot.routes.iter().collect();
    routes.sort_unstable_by_key(|route| route.route);
    let mut family =
        |name: &str, kind: MetricKind, help: &str, of: &dyn Fn(&crate::attribution::RouteMemory) -> u64| {
            let mut family = to.family(name, kind, help);
            for route in &routes {
                family.sample(&[("route", route.route)], of(route));
            }
        };
    family(
        "heapbeat_route_requests",
        MetricKind::Counter,
        "Requests that ended, however they ended.",
        &|r| r.requests,
    );
    family(
        "heapbeat_route_allocated_bytes",
        MetricKind::Counter,
        "Bytes that requests allocated, freed or not.",
        &|r| r.allocated_bytes,
    );
    family(
        "heapbeat_route_live_bytes",
        MetricKind::Gauge,
        "Bytes that the route holds now; an estimate.",
        &|r| r.live_bytes,
    );
    family(
        "heapbeat_route_live_error_bytes",
        MetricKind::Gauge,
        "One standard error of heapbeat_route_live_bytes.",
        &|r| r.live_error,
    );
    family(
        "heapbeat_route_over_budget_requests",
        MetricKind::Counter,
        "Requests ended or refused because of their budget.",
        &|r| r.over_budget,
    );
    to.family(
        "heapbeat_samples_dropped",
        MetricKind::Counter,
        "Samples of allocations that the table had no slot for; live bytes are too low by them.",
    )
    .sample(&[], snapshot.sampling.dropped);
}

fn dependencies(to: &mut Exposition, statuses: &[DependencyStatus]) {
    if statuses.is_empty() {
        return;
    }
    let mut up = to.family(
        "heapbeat_dependency_up",
        MetricKind::Gauge,
        "Whether the last check of the dependency passed.",
    );
    for status in statuses {
        up.sample(&[("dependency", &status.name)], u64::from(status.ok));
    }
    let mut took =
        to.family("heapbeat_dependency_check_seconds", MetricKind::Gauge, "Duration of the last check.");
    for status in statuses {
        took.sample(&[("dependency", &status.name)], status.duration_ms as f64 / 1e3);
    }
    let mut figures = to.family(
        "heapbeat_dependency_detail",
        MetricKind::Gauge,
        "Details of the last check, such as the size of a pool.",
    );
    for status in statuses {
        for (name, value) in status.details.iter() {
            figures.sample(&[("dependency", &status.name), ("detail", name)], value);
        }
    }
}

fn visits(to: &mut Exposition, visits: EdgeVisits) {
    if let Some(last) = visits.last {
        to.family(
            "heapbeat_edge_last_request_age_seconds",
            MetricKind::Gauge,
            "Time since the last signed request of the edge for /health.",
        )
        .sample(&[], last.as_secs_f64());
        to.family(
            "heapbeat_edge_overdue",
            MetricKind::Gauge,
            "Whether the next signed request of the edge for /health is overdue.",
        )
        .sample(&[], u64::from(visits.silent));
    }
    if let Some((delivered, failed)) = visits.alerts {
        to.family("heapbeat_alerts", MetricKind::Counter, "Alerts of this process, by result.")
            .sample(&[("outcome", "delivered")], delivered)
            .sample(&[("outcome", "failed")], failed);
    }
}

fn seconds(millis: UnixMillis) -> f64 {
    millis.0 as f64 / 1e3
}

#[cfg(test)]
mod tests;
