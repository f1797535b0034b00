//! The values that pages are rendered from: those of the API, and the points of charts.

use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::{Bytes, Megabytes, Params, Sample, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{
    ComparisonView, DayView, IncidentView, LatencyHistoryView, MonitorView, SampleRow, StateDurationView,
    StatusView, TrafficView,
};
use crate::domain::State;
use crate::domain::history::downsample::Downsampled;
use crate::domain::history::latency::{HALF_HOUR_MS, POINTS};
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::{Incident, Severity};
use crate::domain::monitor_state::ExitRecord;
use crate::domain::snapshot::{ChartPoint, ForecastSnapshot, MonitorSnapshot};
use crate::monitor_config::MonitorId;

/// The values of the status page, `/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusPageView {
    /// The time of the values.
    pub now: UnixMillis,
    /// The status.
    pub status: StatusView,
    /// The memory of the last day of each monitor that reports it.
    pub memory_days: Vec<MemoryDayView>,
    /// Open incidents and those that were resolved lately, newest first.
    pub incidents: Vec<IncidentSummaryView>,
}

/// The highest resident memory of each half-hour of the last day of a monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryDayView {
    /// The monitor's id.
    pub monitor: String,
    /// The memory limit, if it is known.
    pub limit: Option<Megabytes>,
    /// The peaks, oldest first, 48 of them; `null` without a measurement.
    pub peaks: Vec<Option<u64>>,
}

impl MemoryDayView {
    /// Builds the peaks from a monitor's chart; `None` if it is empty.
    pub fn of(monitor: &MonitorSnapshot) -> Option<Self> {
        let last = monitor.chart.last()?;
        Some(MemoryDayView {
            monitor: monitor.id.clone(),
            limit: monitor.memory.as_ref().and_then(|memory| memory.limit),
            peaks: peaks(&monitor.chart, last.at),
        })
    }
}

fn peaks(chart: &[ChartPoint], last: UnixMillis) -> Vec<Option<u64>> {
    let mut points = chart.iter().peekable();
    let peak = |index: i64| {
        let end = last.0 - (POINTS - 1 - index) * HALF_HOUR_MS;
        let mut highest: Option<u64> = None;
        while let Some(point) = points.next_if(|point| point.at.0 <= end) {
            if point.at.0 > end - HALF_HOUR_MS {
                highest = highest.max(Some(point.memory.rss.0));
            }
        }
        highest
    };
    (0..POINTS).map(peak).collect()
}

/// The values of the page of a monitor, `/monitors/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorPageView {
    /// The time of the values.
    pub now: UnixMillis,
    /// The monitor.
    pub monitor: MonitorView,
    /// The name of the window that is shown, such as `24h`; `null` if it has other bounds.
    pub range: Option<String>,
    /// The first instant of the window.
    pub from: UnixMillis,
    /// The end of the window.
    pub to: UnixMillis,
    /// Memory in the window.
    pub memory: MemoryChartView,
    /// Starts of instances in the window.
    pub restarts: Vec<RestartView>,
    /// Memory of the present version and of the one before.
    pub compared: Option<ComparisonView>,
    /// The route that causes most of the memory growth, if it may be public.
    pub growing_route: Option<String>,
    /// The requests to the program, if they may be public.
    pub traffic: Option<TrafficView>,
    /// Incidents, newest first.
    pub incidents: Vec<IncidentSummaryView>,
    /// The last 90 days, oldest first.
    pub days: Vec<DayView>,
    /// Latency in the window.
    pub latency: LatencyHistoryView,
}

/// The start of an instance, and the exit of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartView {
    /// When the instance started.
    pub at: UnixMillis,
    /// The exit of the instance before, if it is known.
    pub kind: Option<ExitKind>,
    /// Whether the evidence is conclusive.
    pub sure: bool,
}

impl RestartView {
    /// Combines a restart and the exit before it.
    pub fn new(at: UnixMillis, ended: Option<ExitRecord>) -> Self {
        RestartView { at, kind: ended.map(|it| it.kind), sure: ended.is_none_or(|it| it.sure) }
    }
}

/// The values of the page of an incident, `/incidents/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentPageView {
    /// The time of the values.
    pub now: UnixMillis,
    /// The state that the page shows: `up` once the incident is resolved.
    pub status: State,
    /// The monitor's name.
    pub name: String,
    /// The incident.
    pub incident: IncidentView,
    /// Memory from an hour before it until after its end.
    pub memory: MemoryChartView,
}

impl IncidentPageView {
    /// Builds the page of an incident from its recording and its monitor.
    pub fn new(
        incident: &Incident,
        name: &str,
        limit: Option<Bytes>,
        now: UnixMillis,
        recording: &Downsampled,
    ) -> Self {
        let samples = &recording.samples;
        let window =
            samples.first().zip(samples.last()).map(|(first, last)| (first.at, last.at.max(incident.opened)));
        let status = match incident.current {
            _ if incident.closed.is_some() => State::Up,
            Some(Severity::Down) => State::Down,
            _ => State::Degraded,
        };
        let memory = MemoryChartView::new(window.unwrap_or((now, now)), limit, recording);
        IncidentPageView {
            now,
            status,
            name: name.to_owned(),
            incident: IncidentView::from(incident),
            memory: MemoryChartView {
                marks: [incident.opened].into_iter().chain(incident.closed).collect(),
                ..memory
            },
        }
    }
}

/// A chart of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryChartView {
    /// The memory limit, if it is known.
    pub limit: Option<Bytes>,
    /// The first instant of the chart.
    pub from: UnixMillis,
    /// The end of the chart; with a forecast it lies in the future.
    pub to: UnixMillis,
    /// Samples, oldest first, at most as many as a chart can show.
    pub samples: Vec<SampleRow>,
    /// The instants of samples with which another instance begins.
    pub instances: Vec<UnixMillis>,
    /// Instants that are marked.
    pub marks: Vec<UnixMillis>,
    /// The forecast of memory.
    pub forecast: Option<ForecastLine>,
}

impl MemoryChartView {
    /// Builds a chart of the samples in a window, without marks and forecast.
    pub fn new((from, to): (UnixMillis, UnixMillis), limit: Option<Bytes>, line: &Downsampled) -> Self {
        MemoryChartView {
            limit,
            from,
            to,
            samples: line.samples.iter().map(SampleRow::from).collect(),
            instances: line.instances.clone(),
            marks: Vec::new(),
            forecast: None,
        }
    }

    /// Adds a forecast that begins with the `last` sample, and extends the chart to a little after the expected time, by at most half of
    /// the window.
    pub fn extend(&mut self, forecast: &ForecastSnapshot, last: &Sample) {
        let Some([at, earliest, latest]) = forecast.reaches else { return };
        self.forecast = Some(ForecastLine { from: last.at, level: last.working_set, at, earliest, latest });
        let (length, ahead) = (self.to.since(self.from), at.since(self.to));
        self.to = self.to.plus(length.min(ahead + ahead / 4) / 2);
    }
}

/// The line from the last sample to the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastLine {
    /// The instant of the last sample.
    pub from: UnixMillis,
    /// The working set at that instant.
    pub level: Bytes,
    /// The expected time at which the limit is reached; `null` if unknown.
    pub at: UnixMillis,
    /// The earliest time at which the limit is reached; `null` if unknown.
    pub earliest: UnixMillis,
    /// The latest time at which the limit is reached; `null` if unknown.
    pub latest: UnixMillis,
}

/// An incident in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentSummaryView {
    /// The incident's id.
    pub id: IncidentId,
    /// The monitor's id.
    pub monitor: MonitorId,
    /// The monitor's name.
    pub name: String,
    /// The severity of what is so now, or the worst if all is well or it is resolved.
    pub severity: Severity,
    /// How long each state held, the worst first.
    pub durations: Vec<StateDurationView>,
    /// When it began.
    pub opened: super::Timestamp,
    /// When it was resolved; `null` while it is open.
    pub closed: Option<super::Timestamp>,
    /// The cause as far as it is known, in a sentence.
    pub cause: String,
    /// The stable name of the cause, by which it can be translated.
    #[serde(default)]
    pub cause_code: String,
    /// The values in the cause by name.
    #[serde(default)]
    pub cause_params: Params,
    /// Whether somebody on call has acknowledged it.
    pub acknowledged: bool,
}

impl IncidentSummaryView {
    /// Summarizes an incident of the monitor with this name.
    pub fn new(incident: &Incident, name: &str) -> Self {
        let (severity, cause) = incident.headline();
        let cause = cause.statement();
        IncidentSummaryView {
            id: incident.id(),
            monitor: incident.monitor.clone(),
            name: name.to_owned(),
            severity,
            durations: StateDurationView::list(incident),
            opened: super::Timestamp(incident.opened),
            closed: incident.closed.map(super::Timestamp),
            cause: cause.text,
            cause_code: cause.code,
            cause_params: cause.params,
            acknowledged: incident.acknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::HealthMemory;

    use super::*;

    #[test]
    fn a_small_chart_has_the_peak_of_each_half_hour() {
        let point = |minute: i64, rss| ChartPoint {
            at: UnixMillis(minute * 60_000),
            memory: HealthMemory { rss: Megabytes(rss), ..HealthMemory::default() },
        };
        // A day that ends with minute 1440: the last half-hour is 1411 to 1440.
        let chart = [point(5, 9), point(31, 1), point(32, 7), point(1410, 3), point(1411, 4), point(1440, 2)];
        let read = peaks(&chart, UnixMillis(1440 * 60_000));
        assert_eq!(read.len(), 48);
        let known: Vec<_> = read.iter().enumerate().filter_map(|(i, it)| it.map(|it| (i, it))).collect();
        assert_eq!(known, [(0, 9), (1, 7), (46, 3), (47, 4)]);
    }
}
