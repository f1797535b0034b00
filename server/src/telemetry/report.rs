//! Builds the report from copies of the telemetry.

use heapbeat_forecast::Assessment;
use heapbeat_shared::event::cut;
use heapbeat_shared::report::{Limit, MAX_ROUTES, Report, RouteReport, System};
use heapbeat_shared::{Bytes, Cursor, Sample};

use super::{Telemetry, lock};
use crate::attribution::RouteMemory;
use crate::sampling::{CgroupVersion, Reading};
use crate::state::State;

/// What is missing without an agent.
const NO_AGENT: &str =
    "there is no agent inside of the program: heapUsed and heapTotal are 0, and all memory is external";

impl Telemetry {
    /// Builds the report with the samples after a cursor. This takes milliseconds, and some 400 kB meanwhile.
    pub(crate) fn report(&self, state: &State, after: Option<Cursor>) -> Report {
        let (pressure_state, tail) = {
            let kept = lock(&self.kept);
            (kept.pressure_state, kept.history.after(after))
        };
        let reading = *state.reading();
        let shown = reading.sample();
        let latest = if state.is_inherited() { Sample::default() } else { shown };
        let now = self.clock.now();
        Report {
            status: state.status(),
            memory: shown.to_health_memory(),
            uptime: reading.now.age.as_secs(),
            instance: self.instance.id,
            version: self.instance.version.clone(),
            started: self.instance.started,
            now: now.wall,
            limit: Limit { bytes: reading.limit.bytes, origin: reading.limit.origin.to_string() },
            pressure: pressure_state,
            latest,
            system: system(&reading),
            events: self.event_log.latest_events(),
            routes: self.routes(),
            functions: Vec::new(),
            forecast: self.forecast(&reading),
            samples: tail.block(),
            previous_exit: self.previous_exit(),
            earlier: self.earlier_instances(),
            last_samples: self.last_samples(after),
            unavailable_sources: self.unavailable_sources(&reading),
            instances: Vec::new(),
            traffic: None,
        }
    }

    /// Describes the sources that cannot be read here, or not now.
    fn unavailable_sources(&self, reading: &Reading) -> Vec<String> {
        let no_agent = reading.program.is_some_and(|program| program.heap.is_none());
        let no_agent = no_agent.then_some(NO_AGENT);
        self.missing.iter().copied().chain(no_agent).map(str::to_owned).collect()
    }

    /// Assesses whether memory leaks, under the limit of `reading`.
    pub(crate) fn forecast(&self, reading: &Reading) -> Assessment {
        lock(&self.forecaster).assess(reading.limit.bytes)
    }

    /// Returns the routes that grow fastest or hold most.
    pub(crate) fn routes(&self) -> Vec<RouteReport> {
        let snapshot = lock(&self.routes).observer.snapshot(self.clock.now().age);
        snapshot.routes.iter().take(MAX_ROUTES).map(route_report).collect()
    }
}

fn route_report(route: &RouteMemory) -> RouteReport {
    RouteReport {
        route: cut(route.route),
        requests: route.requests,
        requests_per_second: thousandths(route.requests_per_second),
        allocated_mean: Bytes(route.per_request.mean),
        allocated_p99: Bytes(route.per_request.p99),
        live: Bytes(route.live_bytes),
        live_error: Bytes(route.live_error),
        growth_per_minute: route.growth_per_minute.map(f64::round),
        growth_error: route.growth_error.map(f64::round),
    }
}

/// Rounds to thousandths; further digits would only make the report longer.
fn thousandths(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

fn system(reading: &Reading) -> System {
    let (process, heap, cgroup) = (reading.process, reading.heap, reading.cgroup);
    let of_version_2 = cgroup.filter(|cgroup| cgroup.version == CgroupVersion::V2);
    let group = cgroup.and_then(|cgroup| cgroup.stall);
    let percent = |hundredths: u32| f64::from(hundredths) / 100.0;
    System {
        threads: process.map(|process| process.threads.into()),
        open_files: process.and_then(|process| process.descriptors).map(u64::from),
        cpu_seconds: reading.program.is_none().then(|| thousandths(reading.cpu.as_secs_f64())),
        anon: process.map(|process| process.anon),
        file: process.map(|process| Bytes(process.file.0 + process.shmem.0)),
        swap: process.map(|process| process.swap),
        peak: process.map(|process| process.peak),
        heap_mapped: heap.map(|heap| heap.mapped),
        heap_retained: heap.map(|heap| heap.retained),
        heap_metadata: heap.map(|heap| heap.metadata),
        cgroup_usage: cgroup.map(|cgroup| cgroup.usage),
        cgroup_swap: cgroup.and_then(|cgroup| cgroup.swap),
        cgroup_high: of_version_2.map(|cgroup| cgroup.events.high),
        cgroup_max: cgroup.map(|cgroup| cgroup.events.max),
        cgroup_oom: of_version_2.map(|cgroup| cgroup.events.oom),
        oom_kills: cgroup.map(|cgroup| cgroup.events.oom_kill),
        memory_stall_percent: group.map(|stall| percent(stall.some)),
        memory_stall_full_percent: group.and_then(|stall| stall.full).map(percent),
        machine_stall_percent: reading.stall.map(|stall| percent(stall.some)),
        machine_stall_full_percent: reading.stall.and_then(|stall| stall.full).map(percent),
        runtime_delay_ms: reading
            .runtime_delay
            .map(|late| u64::try_from(late.as_millis()).unwrap_or(u64::MAX)),
    }
}
