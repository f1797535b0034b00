//! `GET /api/v1/monitors/{id}/latency`: one row for each tick or hour, instants in Unix milliseconds.

use heapbeat_shared::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

use crate::domain::history::latency_series::LatencySeries;

/// A row: the instant, then the milliseconds of a tick, or the five figures of an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Option<i64>>", into = "Vec<Option<i64>>")]
pub struct LatencyRow {
    /// The tick, or the beginning of the hour.
    pub at: UnixMillis,
    /// The figures in the order of the columns; `null` if there was no response.
    pub figures: Vec<Option<u32>>,
}

impl From<LatencyRow> for Vec<Option<i64>> {
    fn from(row: LatencyRow) -> Self {
        let figures = row.figures.into_iter().map(|figure| figure.map(i64::from));
        [Some(row.at.0)].into_iter().chain(figures).collect()
    }
}

impl From<Vec<Option<i64>>> for LatencyRow {
    fn from(row: Vec<Option<i64>>) -> Self {
        let mut numbers = row.into_iter();
        let at = UnixMillis(numbers.next().flatten().unwrap_or_default());
        let figure = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        LatencyRow { at, figures: numbers.map(figure).collect() }
    }
}

/// The latency of a monitor over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LatencyHistory")]
pub struct LatencyHistoryView {
    /// The monitor's id.
    #[schemars(with = "schema::MonitorId")]
    pub monitor: String,
    /// The time of a row: one probe, or one hour.
    #[schemars(schema_with = "schema::latency_resolution")]
    pub resolution: String,
    /// The first instant of the window.
    #[schemars(with = "schema::Instant")]
    pub from: UnixMillis,
    /// The end of the window.
    #[schemars(with = "schema::Instant")]
    pub to: UnixMillis,
    /// The names of the columns of `samples`; figures of memory are bytes, those of latency milliseconds.
    #[schemars(schema_with = "schema::latency_columns")]
    pub columns: Vec<String>,
    /// The rows, oldest first.
    pub samples: Vec<LatencyRow>,
    /// Intervals without a probe.
    pub gaps: Vec<LatencyGapView>,
}

impl LatencyHistoryView {
    /// Whether any row has a latency: a job that reports no start has none, and neither has a monitor that never answered.
    pub fn has_figures(&self) -> bool {
        self.samples.iter().any(|row| row.figures.first().is_some_and(Option::is_some))
    }

    /// Builds the history of `monitor` from its series.
    pub fn new(monitor: &str, (from, to): (UnixMillis, UnixMillis), series: LatencySeries) -> Self {
        let columns: &[&str] =
            if series.hourly { &["at", "min", "p50", "p95", "probes", "failed"] } else { &["at", "ms"] };
        LatencyHistoryView {
            monitor: monitor.to_owned(),
            resolution: if series.hourly { "1h" } else { "tick" }.to_owned(),
            from,
            to,
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            samples: series.rows.into_iter().map(|(at, figures)| LatencyRow { at, figures }).collect(),
            gaps: series.gaps.into_iter().map(|(from, to)| LatencyGapView { from, to }).collect(),
        }
    }
}

/// An interval without a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LatencyGap")]
pub struct LatencyGapView {
    /// The last row before it.
    #[schemars(with = "schema::Instant")]
    pub from: UnixMillis,
    /// The first row after it.
    #[schemars(with = "schema::Instant")]
    pub to: UnixMillis,
}
