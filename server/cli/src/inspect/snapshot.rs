//! Snapshots: all figures of a process at one measurement.

use std::time::Duration;

use heapbeat_forecast::{Assessment, Forecaster, Heap, MemoryPart, Point};
use heapbeat_shared::event::Event;
use heapbeat_shared::report::{
    FunctionReport, InstanceReport, Limit, PressureState, Report, RouteReport, System, Traffic,
};
use heapbeat_shared::{Bytes, Exit, Health, Sample, Status, UnixMillis};
use serde::Serialize;

/// Origin of a limit that the command line states.
pub(crate) const GIVEN_LIMIT: &str = "--limit";

/// Time within which fast growth is reported before there is a forecast.
pub(crate) const FAST_GROWTH: Duration = Duration::from_secs(60);

/// How much is known about the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Detail {
    /// The signed report.
    Full,
    /// The public figures of `/health`: whole megabytes, without limit and routes.
    Public,
    /// The kernel's figures on a process of this machine.
    Kernel,
}

/// All figures of a process at one measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Snapshot {
    /// The target: an address, or a process id with its command.
    pub(crate) target: String,
    /// How much is known.
    pub(crate) detail: Detail,
    /// Time of the measurement, by this machine's clock.
    pub(crate) at: UnixMillis,
    /// Status that the server reports.
    pub(crate) status: Option<Status>,
    /// Version of the build.
    pub(crate) version: Option<String>,
    /// Seconds since the start of the process.
    pub(crate) uptime: Option<u64>,
    /// Whether the instance is starting: status, uptime and memory are those of the instance before it.
    pub(crate) starting: bool,
    /// The figures, in bytes.
    pub(crate) sample: Sample,
    /// Whether the heap's figures are known.
    pub(crate) heap_known: bool,
    /// The limit, where known.
    pub(crate) limit: Option<Limit>,
    /// Pressure level, and when it began.
    pub(crate) pressure: Option<PressureState>,
    /// Figures of the operating system.
    pub(crate) system: System,
    /// Memory by route.
    pub(crate) routes: Vec<RouteReport>,
    /// Functions whose live memory grows.
    pub(crate) functions: Vec<FunctionReport>,
    /// The requests to a guarded program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic: Option<Traffic>,
    /// Instances of a guarded program, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) instances: Vec<InstanceReport>,
    /// The processes that are measured, those with most memory first, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) processes: Vec<MeasuredProcess>,
    /// Recent events.
    pub(crate) events: Vec<Event>,
    /// Leak forecast.
    pub(crate) forecast: Assessment,
    /// Time until the limit is reached at the growth of the last seconds, if that is within a minute.
    #[serde(skip)]
    pub(crate) reaches_limit_in: Option<Duration>,
    /// Exit of the previous instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous_exit: Option<Exit>,
    /// Sources that the target cannot read.
    pub(crate) unavailable_sources: Vec<String>,
    /// The reason if less is known than was requested.
    pub(crate) note: Option<String>,
    /// Samples since the last measurement, oldest first.
    #[serde(skip)]
    pub(crate) history: Vec<Sample>,
}

/// A process of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MeasuredProcess {
    /// Process id.
    pub(crate) pid: u32,
    /// The kernel's name of it.
    pub(crate) name: String,
    /// Its proportional set size.
    pub(crate) memory: Bytes,
}

impl Snapshot {
    /// Converts a signed report.
    pub(crate) fn from_report(target: String, at: UnixMillis, report: Report, history: Vec<Sample>) -> Self {
        let starting = report.latest.is_absent();
        let sample = if starting { sample_from_health(at, &report.health()) } else { report.latest };
        Snapshot {
            target,
            detail: Detail::Full,
            at,
            status: Some(report.status),
            version: Some(report.version),
            uptime: Some(report.uptime).filter(|_| !starting),
            starting,
            sample,
            heap_known: sample.heap_used.known().is_some(),
            limit: Some(report.limit),
            pressure: Some(report.pressure),
            system: report.system,
            routes: report.routes,
            functions: report.functions,
            traffic: report.traffic,
            instances: report.instances,
            processes: Vec::new(),
            events: report.events,
            forecast: report.forecast,
            reaches_limit_in: None,
            previous_exit: report.previous_exit,
            unavailable_sources: report.unavailable_sources,
            note: None,
            history,
        }
    }

    /// Converts the public figures, with a forecast from the measurements so far.
    pub(crate) fn from_health(
        target: String,
        sample: Sample,
        health: &Health,
        limit: Option<Limit>,
        forecast: Assessment,
    ) -> Self {
        Snapshot {
            status: Some(health.status),
            uptime: Some(health.uptime),
            heap_known: sample.heap_used.known().is_some(),
            ..Snapshot::bare(target, Detail::Public, sample, limit, forecast)
        }
    }

    /// Returns a snapshot of a sample with nothing else known.
    pub(crate) fn bare(
        target: String,
        detail: Detail,
        sample: Sample,
        limit: Option<Limit>,
        forecast: Assessment,
    ) -> Self {
        Snapshot {
            target,
            detail,
            at: sample.at,
            status: None,
            version: None,
            uptime: None,
            starting: false,
            sample,
            heap_known: false,
            limit,
            pressure: None,
            system: System::default(),
            routes: Vec::new(),
            functions: Vec::new(),
            traffic: None,
            instances: Vec::new(),
            processes: Vec::new(),
            events: Vec::new(),
            forecast,
            reaches_limit_in: None,
            previous_exit: None,
            unavailable_sources: Vec::new(),
            note: None,
            history: Vec::new(),
        }
    }

    /// Describes how much of the limit is used, such as `48.2 %`; `None` without a limit.
    pub(crate) fn used_percent(&self) -> Option<String> {
        self.used_share().map(|share| format!("{:.1} %", share * 100.0))
    }

    /// Returns the used share of the limit, 1 for all of it; `None` without a limit.
    pub(crate) fn used_share(&self) -> Option<f64> {
        let limit = self.limit.as_ref()?.bytes;
        (limit > Bytes::ZERO).then(|| self.sample.working_set.0 as f64 / limit.0 as f64)
    }
}

/// Converts the public figures to a sample, in whole megabytes; the allocator's resident memory follows from `external`.
pub(crate) fn sample_from_health(at: UnixMillis, health: &Health) -> Sample {
    let memory = health.memory;
    let rss = Bytes::from(memory.rss);
    Sample {
        at,
        rss,
        heap_used: memory.heap_used.into(),
        heap_total: memory.heap_total.into(),
        heap_resident: rss.saturating_sub(memory.external.into()),
        working_set: rss,
    }
}

/// Returns the figures of the heap, if they are known. What is outside of it is a figure of its own, be it an allocator's heap or a runtime's.
pub(crate) fn heap_of(sample: &Sample) -> Option<Heap> {
    let external = Some(sample.external());
    sample.heap_used.known().map(|used| Heap { used: Some(used), resident: None, external })
}

/// Adds public figures to a forecaster, and returns its assessment. Whose memory is outside of the heap they do not tell: in a Node program
/// objects hold it, in others threads and libraries do.
pub(crate) fn update_public_forecast(
    forecaster: &mut Forecaster,
    sample: &Sample,
    limit: Option<Bytes>,
) -> Assessment {
    let forecast = update_forecast(forecaster, sample, heap_of(sample), limit);
    let part = match forecast.part {
        MemoryPart::External => MemoryPart::OutsideHeap,
        part => part,
    };
    Assessment { part, ..forecast }
}

/// Adds a sample to a forecaster, and returns its assessment.
pub(crate) fn update_forecast(
    forecaster: &mut Forecaster,
    sample: &Sample,
    heap: Option<Heap>,
    limit: Option<Bytes>,
) -> Assessment {
    forecaster.push(Point { at: sample.at, total: sample.working_set, heap });
    forecaster.assess(limit.unwrap_or(Bytes(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_of_zero_is_one_that_is_not_known() {
        let snapshot = |used: u32| {
            let body = format!(
                r#"{{"status":"healthy","memory":{{"rss":200,"heapUsed":{used},"heapTotal":{used},"external":50}},"uptime":9}}"#
            );
            let health = Health::parse(body.as_bytes()).unwrap();
            let sample = sample_from_health(UnixMillis(0), &health);
            let forecast = update_public_forecast(&mut Forecaster::new(), &sample, None);
            Snapshot::from_health("x".into(), sample, &health, None, forecast)
        };
        assert!(!snapshot(0).heap_known);
        assert!(snapshot(150).heap_known);
    }
}
