//! Uptime with its coverage, and `GET /api/v1/monitors/{id}/uptime`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Percent, Timestamp, schema};
use crate::domain::engine::WindowStatistics;
use crate::domain::snapshot::WindowUptime;

/// Uptime over one window, and how much of it was observed at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Uptime")]
pub struct UptimeView {
    /// Share of the observed time that was up or degraded; `null` when nothing was observed.
    pub percent: Option<Percent>,
    /// Share of the window that was observed; of a younger monitor, of the time `since` it was first observed.
    pub coverage: Percent,
    /// When the monitor was first observed, if that is within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl From<&WindowUptime> for UptimeView {
    fn from(uptime: &WindowUptime) -> Self {
        UptimeView {
            percent: uptime.percent.map(Percent::cut),
            coverage: Percent::cut(uptime.coverage),
            since: uptime.since.map(Timestamp),
        }
    }
}

/// Uptime, restarts and crashes of a monitor in a window that ends now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "UptimeHistory")]
pub struct UptimeHistoryView {
    /// The monitor's id.
    #[schemars(with = "schema::MonitorId")]
    pub monitor: String,
    /// The length of the window.
    pub window_seconds: u64,
    /// Share of the observed time that was up or degraded; `null` when nothing was observed.
    pub percent: Option<Percent>,
    /// Share of the window that was observed; of a younger monitor, of the time `since` it was first observed.
    pub coverage: Percent,
    /// When the monitor was first observed, if that is within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Restarts in the window, of the last twenty.
    pub restarts: u64,
    /// The mean observed time between restarts; `null` without one.
    pub mean_time_between_restarts_seconds: Option<u64>,
    /// Unrequested exits in the window, of the last twenty exits; signed reports only.
    pub crashes: u64,
    /// The mean observed time between crashes; `null` without one.
    pub mean_time_between_crashes_seconds: Option<u64>,
    /// The observed time since the last crash, or in the whole window without one.
    pub crash_free_seconds: u64,
}

impl UptimeHistoryView {
    /// Builds the history of `monitor`.
    pub fn new(monitor: &str, past: &WindowStatistics) -> Self {
        let UptimeView { percent, coverage, since } = UptimeView::from(&past.uptime);
        UptimeHistoryView {
            monitor: monitor.to_owned(),
            window_seconds: past.window.as_secs(),
            percent,
            coverage,
            since,
            restarts: past.restarts as u64,
            mean_time_between_restarts_seconds: past.mean_time_between_restarts.map(|span| span.as_secs()),
            crashes: past.crashes as u64,
            mean_time_between_crashes_seconds: past.mean_time_between_crashes.map(|span| span.as_secs()),
            crash_free_seconds: past.time_since_crash.as_secs(),
        }
    }
}
