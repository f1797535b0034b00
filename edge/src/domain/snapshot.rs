//! The read model: everything that a page or the API may show, as owned values.
//!
//! The hub makes one [`StatusSnapshot`]; views are pure functions of it. What is not in here cannot leak: no URL, header or secret
//! of a monitor's configuration has a field.

use std::time::Duration;

use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::forecast::Slope;
use heapbeat_shared::{HealthMemory, Megabytes, Pressure, Statement, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::State;
use crate::domain::check::quorum::RegionVerdict;
use crate::domain::history::days::Day;
use crate::domain::maintenance::MaintenanceWindow;
use crate::domain::quota::QuotaUsage;
use crate::domain::report::last_report::LastReport;
use crate::monitor_config::ConfigProblem;

/// Everything the public status shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusSnapshot {
    /// The worst state of any monitor; `Unobserved` if there is no monitor or no result yet, or if all seems well and a monitor is
    /// unwatched.
    pub state: State,
    /// The instant of the snapshot, by the tick's clock.
    pub now: UnixMillis,
    /// The instant of the last tick that was stored; `None` before the first.
    pub updated: Option<UnixMillis>,
    /// The monitors, in the order of the configuration.
    pub monitors: Vec<MonitorSnapshot>,
    /// Entries of the configuration that were rejected.
    pub problems: Vec<ConfigProblem>,
    /// The number of alert channels that do not accept messages.
    pub failing_channels: u64,
    /// Notices about the monitoring itself.
    pub notices: Vec<Statement>,
    /// Whether this stands for a hub that does not respond.
    pub is_silent_hub: bool,
    /// Maintenance that is in progress or announced, soonest first.
    pub maintenance: Vec<MaintenanceWindow>,
    /// What the day has cost, and how punctual the ticks were.
    pub usage: QuotaUsage,
}

/// One monitor as the public sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorSnapshot {
    /// The monitor's id: `a-z 0-9 -`.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The group under which it is listed.
    pub group: Option<String>,
    /// The state now.
    pub state: State,
    /// Since when the state holds.
    pub since: UnixMillis,
    /// The tick of the last result; `None` before the first.
    pub checked: Option<UnixMillis>,
    /// Whether it should be watched and has had no result for longer than three of its intervals.
    pub unwatched: bool,
    /// The reason of the state, unless it is `up`: `connection refused`. It is made from a fixed set of sentences, never from text
    /// that the target sent.
    pub reason: Option<Statement>,
    /// The last latency, in milliseconds.
    pub latency_ms: Option<u32>,
    /// The median latency of each half-hour of the last day in milliseconds, oldest first, 48 of them, the last one incomplete;
    /// empty if there is none at all.
    pub latencies: Vec<Option<u32>>,
    /// Uptime over the windows that the page shows, shortest first.
    pub uptime: Vec<WindowUptime>,
    /// The last 90 days, oldest first; the last is today.
    pub days: Vec<Day>,
    /// The last memory figures.
    pub memory: Option<MemorySnapshot>,
    /// When the present instance started.
    pub started: Option<UnixMillis>,
    /// The instants of the last restarts, oldest first, at most 20.
    pub restarts: Vec<UnixMillis>,
    /// How the previous instance ended.
    pub last_exit: Option<ExitSummary>,
    /// The leak verdict and forecast; only signed reports have it.
    pub forecast: Option<ForecastSnapshot>,
    /// Memory over the last 24 hours, oldest first, at most 288 points; a gap is a missing point.
    pub chart: Vec<ChartPoint>,
    /// The verdicts from other regions, if the monitor has regions.
    pub region_verdicts: Vec<RegionVerdict>,
}

/// The server's verdict and forecast of its memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastSnapshot {
    /// The verdict in one word: `steady`, `growing`, `leaking`, `fragmenting`, `unknown`.
    pub verdict: &'static str,
    /// The growth in bytes an hour; `None` if none is established.
    pub bytes_per_hour: Option<i64>,
    /// When the limit is reached: expected, earliest, latest; `None` if that is not established.
    pub reaches: Option<[UnixMillis; 3]>,
}

impl From<&LastReport> for ForecastSnapshot {
    fn from(report: &LastReport) -> Self {
        let forecast = &report.forecast;
        // A float cast saturates.
        #[allow(clippy::cast_possible_truncation)]
        let per_hour = |slope: Slope| (slope.expected.0 * 3600.0) as i64;
        ForecastSnapshot {
            verdict: forecast.verdict.as_str(),
            bytes_per_hour: forecast.slope.map(per_hour),
            reaches: forecast
                .time_to_limit
                .map(|time| [time.expected, time.earliest, time.latest].map(|wait| report.at.plus(wait))),
        }
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExitSummary {
    /// The kind of exit.
    #[n(0)]
    pub kind: ExitKind,
    /// The last sign of life.
    #[n(1)]
    pub at: UnixMillis,
    /// Whether the evidence decides.
    #[n(2)]
    pub sure: bool,
    /// The evidence; it may hold text of the server, cut to a length.
    #[n(3)]
    pub evidence: Vec<Statement>,
}

impl From<&Exit> for ExitSummary {
    fn from(exit: &Exit) -> Self {
        let Exit { kind, at, sure, .. } = *exit;
        ExitSummary { kind, at, sure, evidence: exit.public_evidence() }
    }
}

/// Uptime in one window, with its coverage.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowUptime {
    /// The window's name: `24h`, `7d`, `90d`.
    pub window: String,
    /// The share of the observed time that was up or degraded, in percent; `None` if nothing was observed.
    pub percent: Option<f64>,
    /// The share of the window that was observed, in percent; of a younger monitor, of the time since it was first observed.
    pub coverage: f64,
    /// When the monitor was first observed, if that is within the window.
    pub since: Option<UnixMillis>,
    /// The time that was observed.
    pub observed: Duration,
}

/// The memory figures of the last response that had any.
#[derive(Clone, Debug, PartialEq)]
pub struct MemorySnapshot {
    /// The figures of `/health`, whole megabytes.
    pub figures: HealthMemory,
    /// The memory limit; only signed reports have it.
    pub limit: Option<Megabytes>,
    /// The memory pressure; only signed reports have it.
    pub pressure: Option<Pressure>,
    /// The instant of the tick that read them.
    pub at: UnixMillis,
}

/// One point of the memory chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    /// The instant of the sample.
    pub at: UnixMillis,
    /// The figures.
    pub memory: HealthMemory,
}
