//! The data of the pages, in one response each.

use heapbeat_shared::{Bytes, HealthMemory, Sample, UnixMillis};

use super::error::HubResult;
use super::incidents::Incidents;
use super::queries::{Queries, monitor_not_found, select_monitors};
use crate::domain::history::downsample::Downsampled;
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::snapshot::{ChartPoint, MonitorSnapshot};
use crate::hub_api::{NamedRange, PageRange};
use crate::monitor_config::MonitorId;
use crate::platform::clock::wall_clock;
use crate::view::{
    ComparisonView, DayView, IncidentPageView, IncidentSummaryView, MemoryChartView, MemoryDayView,
    MonitorPageView, MonitorView, RestartView, StatusPageView, StatusView, TrafficView,
};

/// How long the status page lists a closed incident.
const CLOSED_FOR_MS: i64 = 14 * 86_400_000;

/// The most closed incidents of the status page.
const MAX_CLOSED: usize = 10;

/// The most incidents of a page.
const MAX_INCIDENTS: usize = 30;

const HOUR_MS: i64 = 3_600_000;

/// Builds the data of pages.
#[derive(Clone, Debug)]
pub(super) struct PageViews {
    pub(super) queries: Queries,
    pub(super) incidents: Incidents,
}

impl PageViews {
    /// Returns the data of the status page.
    pub(super) fn status(&self) -> HubResult<StatusPageView> {
        let config = self.queries.config.public_monitors()?;
        let snapshot = self.queries.snapshot_of(&config)?;
        let mut incidents = self.incidents.newest_incidents(&config, None, MAX_INCIDENTS)?;
        let mut closed = 0;
        incidents.retain(|it| {
            closed += usize::from(it.closed.is_some());
            it.closed.is_none_or(|at| at.0 > snapshot.now.0 - CLOSED_FOR_MS && closed <= MAX_CLOSED)
        });
        let summary = |it: &Incident| {
            let named = config.monitors.iter().find(|monitor| monitor.id == it.monitor);
            IncidentSummaryView::new(it, named.map_or("", |monitor| &monitor.name))
        };
        Ok(StatusPageView {
            now: snapshot.now,
            status: StatusView::public(&snapshot),
            memory_days: snapshot.monitors.iter().filter_map(MemoryDayView::of).collect(),
            incidents: incidents.iter().map(summary).collect(),
        })
    }

    /// Returns the data of a monitor's page.
    pub(super) fn monitor(&self, id: &MonitorId, range: PageRange) -> HubResult<MonitorPageView> {
        let config = select_monitors(&*self.queries.config.monitors()?, |it| it.public && it.id == *id);
        let snapshot = self.queries.snapshot_of(&config)?;
        let (monitor, shown) =
            config.monitors.first().zip(snapshot.monitors.first()).ok_or_else(monitor_not_found)?;
        let engine = self.queries.engine.loaded()?;
        let now = snapshot.now;
        let named = |range: NamedRange| (Some(range), (UnixMillis(now.0 - range.hours() * HOUR_MS), now));
        let (name, window) = match range {
            PageRange::ByAge => named(NamedRange::for_age(engine.first_observed(&monitor.id, now), now)),
            PageRange::Named(range) => named(range),
            PageRange::Between { from, to } => (None, (from, to)),
        };
        let within = |at: UnixMillis| at >= window.0 && at <= window.1;
        let last = engine.last_tick().map_or(now, |last| last.at);
        let (_, line) = self.queries.store.opened()?.memory(&monitor.id, window, last)?;
        let mut samples = Downsampled::from_samples(line.samples, window.0, window.1);
        if samples.samples.is_empty() {
            // Without a signed report, the memory of the last day is known by tick.
            let inside = shown.chart.iter().filter(|point| within(point.at));
            samples =
                Downsampled::from_samples(inside.map(|point| (sample_of(point), false)), window.0, window.1);
        }
        let exits = engine.exits(&monitor.id);
        let restarts = shown.restarts.iter().filter(|at| within(**at)).map(|at| {
            let exit = exits.iter().find(|it| it.restarted == Some(*at));
            RestartView::new(*at, exit.copied())
        });
        let restarts: Vec<RestartView> = restarts.collect();
        let incidents = self.incidents.newest_incidents(&config, None, MAX_INCIDENTS)?;
        let report = engine.last_report(&monitor.id).filter(|_| monitor.shows_routes());
        Ok(MonitorPageView {
            now,
            monitor: MonitorView::from(shown),
            range: name.map(|name| name.as_str().to_owned()),
            from: window.0,
            to: window.1,
            memory: memory_chart(shown, &samples, window, now, &restarts),
            restarts,
            compared: engine.version_comparison(&monitor.id).and_then(ComparisonView::of),
            growing_route: report.and_then(|report| report.top_route.clone()),
            traffic: report.and_then(|report| report.traffic.as_ref()).map(TrafficView::for_the_public),
            incidents: incidents.iter().map(|it| IncidentSummaryView::new(it, &shown.name)).collect(),
            days: shown.days.iter().map(DayView::from).collect(),
            latency: self.queries.latency_in(monitor, window, last, true)?,
        })
    }

    /// Returns the data of an incident's page.
    pub(super) fn incident(&self, id: &IncidentId) -> HubResult<IncidentPageView> {
        let (incident, runs, name) = self.incidents.find_public(id)?;
        let engine = self.queries.engine.loaded()?;
        let limit = engine.last_report(&incident.monitor).map(|report| report.limit);
        let now = engine.clock(wall_clock());
        Ok(IncidentPageView::new(&incident, &name, limit, now, &Downsampled::from_runs(&runs)))
    }
}

fn memory_chart(
    monitor: &MonitorSnapshot,
    samples: &Downsampled,
    window: (UnixMillis, UnixMillis),
    now: UnixMillis,
    restarts: &[RestartView],
) -> MemoryChartView {
    let limit = monitor.memory.as_ref().and_then(|memory| memory.limit).map(Bytes::from);
    let mut chart = MemoryChartView::new(window, limit, samples);
    chart.marks = restarts.iter().map(|restart| restart.at).collect();
    // A chart that ends now continues with the forecast.
    if let (Some(forecast), Some(last)) = (&monitor.forecast, samples.samples.last())
        && window.1 == now
    {
        chart.extend(forecast, last);
    }
    chart
}

/// Returns the memory of a point as a sample.
fn sample_of(point: &ChartPoint) -> Sample {
    let HealthMemory { rss, heap_used, heap_total, external } = point.memory;
    Sample {
        at: point.at,
        rss: Bytes::from(rss),
        heap_used: Bytes::from(heap_used),
        heap_total: Bytes::from(heap_total),
        heap_resident: Bytes(Bytes::from(rss).0.saturating_sub(Bytes::from(external).0)),
        working_set: Bytes::from(rss),
    }
}
