//! What is known of a process at one look.

use heapbeat_shared::event::Event;
use heapbeat_forecast::{Assessment, Forecaster, Heap, Point};
use heapbeat_shared::report::{Limit, Report, RouteReport, Standing, System};
use heapbeat_shared::{Bytes, Exit, Health, Sample, Status, UnixMillis};
use serde::Serialize;

/// How much the target tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Detail {
    /// The signed report.
    Full,
    /// The public answer of `/health`: whole megabytes, neither limit nor routes.
    Public,
    /// A process of this machine, from the outside: what the kernel knows of it.
    Outside,
}

/// Everything that the views are made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Picture {
    /// What was looked at: an address, or a process id with its command.
    pub(crate) target: String,
    /// How much it tells.
    pub(crate) detail: Detail,
    /// When, by this machine's clock.
    pub(crate) at: UnixMillis,
    /// Its own word for itself.
    pub(crate) status: Option<Status>,
    /// Which build runs.
    pub(crate) version: Option<String>,
    /// Seconds since it started.
    pub(crate) uptime: Option<u64>,
    /// The figures, in bytes.
    pub(crate) sample: Sample,
    /// Whether the heap's figures are known.
    pub(crate) heap_known: bool,
    /// The limit, where known.
    pub(crate) limit: Option<Limit>,
    /// Where the ladder stands.
    pub(crate) pressure: Option<Standing>,
    /// More figures.
    pub(crate) system: System,
    /// Who holds memory.
    pub(crate) routes: Vec<RouteReport>,
    /// What happened lately.
    pub(crate) events: Vec<Event>,
    /// Whether it leaks.
    pub(crate) forecast: Assessment,
    /// How the instance before this one ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Exit>,
    /// Sources that the target cannot read.
    pub(crate) missing: Vec<String>,
    /// Why less is told than was asked for.
    pub(crate) note: Option<String>,
    /// Readings since the look before, oldest first: a report brings those that were not seen.
    #[serde(skip)]
    pub(crate) history: Vec<Sample>,
}

impl Picture {
    /// Of a signed report.
    pub(crate) fn of_report(target: String, at: UnixMillis, report: Report, history: Vec<Sample>) -> Self {
        Picture {
            target,
            detail: Detail::Full,
            at,
            status: Some(report.status),
            version: Some(report.version),
            uptime: Some(report.uptime),
            sample: report.latest,
            heap_known: true,
            limit: Some(report.limit),
            pressure: Some(report.pressure),
            system: report.system,
            routes: report.routes,
            events: report.events,
            forecast: report.forecast,
            previous: report.previous,
            missing: report.missing,
            note: None,
            history,
        }
    }

    /// Of a public answer; the forecast is this side's own, from the looks so far.
    pub(crate) fn of_health(
        target: String,
        sample: Sample,
        health: &Health,
        limit: Option<Limit>,
        forecast: Assessment,
    ) -> Self {
        Picture {
            status: Some(health.status),
            uptime: Some(health.uptime),
            heap_known: true,
            ..Picture::bare(target, Detail::Public, sample, limit, forecast)
        }
    }

    /// With the figures and nothing else.
    pub(crate) fn bare(
        target: String,
        detail: Detail,
        sample: Sample,
        limit: Option<Limit>,
        forecast: Assessment,
    ) -> Self {
        Picture {
            target,
            detail,
            at: sample.at,
            status: None,
            version: None,
            uptime: None,
            sample,
            heap_known: false,
            limit,
            pressure: None,
            system: System::default(),
            routes: Vec::new(),
            events: Vec::new(),
            forecast,
            previous: None,
            missing: Vec::new(),
            note: None,
            history: Vec::new(),
        }
    }

    /// Share of the limit that is used, 1 for all of it; `None` without a limit.
    pub(crate) fn used_share(&self) -> Option<f64> {
        let limit = self.limit.as_ref()?.bytes;
        (limit > Bytes::ZERO).then(|| self.sample.working_set.0 as f64 / limit.0 as f64)
    }
}

/// A public answer as a sample: whole megabytes, and the allocator's resident part from `external`.
pub(crate) fn sample_of_health(at: UnixMillis, health: &Health) -> Sample {
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

/// Feeds one look to a forecaster of this side's own and asks it.
pub(crate) fn foresee(
    forecaster: &mut Forecaster,
    sample: &Sample,
    heap_known: bool,
    limit: Option<Bytes>,
) -> Assessment {
    let heap = heap_known.then_some(Heap { used: sample.heap_used, resident: Some(sample.heap_resident) });
    forecaster.push(Point { at: sample.at, total: sample.working_set, heap });
    forecaster.assess(limit.unwrap_or(Bytes(u64::MAX)))
}
