//! The read model: all that a page or the API may know, as owned values.
//!
//! The hub makes one [`StatusSnapshot`] from its tables; the page and the API are pure functions of it, and only what they
//! make leaves the hub. What is not in here cannot leak: no URL, header or secret of a monitor's configuration has a field.

use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::forecast::Slope;
use heapbeat_shared::{HealthMemory, Megabytes, Pressure, Statement, UnixMillis};
use minicbor::{Decode, Encode};

use crate::config::Problem;
use crate::domain::State;
use crate::domain::check::quorum::RegionVerdict;
use crate::domain::history::days::Day;
use crate::domain::maintenance::MaintenanceWindow;
use crate::domain::quota::QuotaUsage;
use crate::domain::report::last_report::LastReport;

/// Everything the public status shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusSnapshot {
    /// The worst state of any monitor; `Unobserved` when there is none or nothing was seen yet.
    pub state: State,
    /// The instant that all of this is as of: the last tick's clock, gone on since.
    pub now: UnixMillis,
    /// The instant of the last tick that was stored; `None` before the first.
    pub updated: Option<UnixMillis>,
    /// One entry a configured monitor, in configuration order.
    pub monitors: Vec<MonitorSnapshot>,
    /// Entries of the configuration that were refused.
    pub problems: Vec<Problem>,
    /// Notices about the monitoring itself.
    pub notices: Vec<Statement>,
    /// Announced work that is under way or will be soon, soonest first.
    pub work: Vec<MaintenanceWindow>,
    /// What the day has cost, and the edge's own cadence.
    pub usage: QuotaUsage,
}

/// One monitor as the public sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorSnapshot {
    /// Its id: `a-z 0-9 -`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The heading it stands under.
    pub group: Option<String>,
    /// What is known now.
    pub state: State,
    /// Since when.
    pub since: UnixMillis,
    /// What the last probe said when it was not a success: `connection refused`. Public by intent:
    /// made from a fixed set of sentences, never from text that the target sent.
    pub reason: Option<Statement>,
    /// How long the last answer took, in milliseconds.
    pub latency_ms: Option<u32>,
    /// The median latency of each half-hour of the last day in milliseconds, oldest first, 48 of them, the last one under
    /// way; empty where there is none at all.
    pub latencies: Vec<Option<u32>>,
    /// Uptime over the windows that the page shows, shortest first.
    pub uptime: Vec<WindowUptime>,
    /// The last 90 days, oldest first; the last is today.
    pub days: Vec<Day>,
    /// The last memory figures and when they were read.
    pub memory: Option<MemorySnapshot>,
    /// When the present instance started, as its last answer told.
    pub started: Option<UnixMillis>,
    /// Instants at which a restart was seen (the uptime began anew), oldest first, at most the last 20.
    pub restarts: Vec<UnixMillis>,
    /// How the instance before the present one ended.
    pub last_exit: Option<ExitSummary>,
    /// Whether memory is on its way to the limit; only a signed report tells it.
    pub forecast: Option<ForecastSnapshot>,
    /// Memory over the last 24 hours, oldest first, at most 288 points; a gap is a missing point.
    pub chart: Vec<ChartPoint>,
    /// What was found from elsewhere, where it is asked from there.
    pub voices: Vec<RegionVerdict>,
}

/// What the server makes of its memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastSnapshot {
    /// The verdict in one word: `steady`, `growing`, `leaking`, `fragmenting`, `unknown`.
    pub verdict: &'static str,
    /// How fast it grows, in bytes an hour; `None` where no growth is established.
    pub bytes_per_hour: Option<i64>,
    /// When the limit is reached, and the ends of the interval; `None` where that is not established.
    pub reaches: Option<[UnixMillis; 3]>,
}

impl From<&LastReport> for ForecastSnapshot {
    fn from(told: &LastReport) -> Self {
        let forecast = &told.forecast;
        // A float cast saturates.
        #[allow(clippy::cast_possible_truncation)]
        let per_hour = |slope: Slope| (slope.expected.0 * 3600.0) as i64;
        ForecastSnapshot {
            verdict: forecast.verdict.as_str(),
            bytes_per_hour: forecast.slope.map(per_hour),
            reaches: forecast
                .time_to_limit
                .map(|time| [time.expected, time.earliest, time.latest].map(|wait| told.at.plus(wait))),
        }
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExitSummary {
    /// How.
    #[n(0)]
    pub kind: ExitKind,
    /// When it was last heard of.
    #[n(1)]
    pub at: UnixMillis,
    /// Whether the evidence decides.
    #[n(2)]
    pub sure: bool,
    /// What speaks for it; text of the server may be part of it, cut to a length.
    #[n(3)]
    pub evidence: Vec<Statement>,
}

impl From<&Exit> for ExitSummary {
    fn from(ending: &Exit) -> Self {
        let Exit { kind, at, sure, evidence, .. } = ending.clone();
        ExitSummary { kind, at, sure, evidence }
    }
}

/// Uptime over one window, with the share of it that was watched at all.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowUptime {
    /// `24h`, `7d`, `90d`.
    pub window: String,
    /// Share of the observed time that was up or degraded, in percent; `None` when nothing was observed.
    pub percent: Option<f64>,
    /// Share of the window that was observed, in percent; time before the monitor existed counts as not.
    pub coverage: f64,
}

/// The memory figures of the last good answer.
#[derive(Clone, Debug, PartialEq)]
pub struct MemorySnapshot {
    /// The figures of `/health`, whole megabytes.
    pub figures: HealthMemory,
    /// The limit the guard lives within; only a signed report tells it.
    pub limit: Option<Megabytes>,
    /// Where the ladder stands; only a signed report tells it.
    pub pressure: Option<Pressure>,
    /// When they were read.
    pub at: UnixMillis,
}

/// One point of the memory chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    /// When.
    pub at: UnixMillis,
    /// The figures then.
    pub memory: HealthMemory,
}
