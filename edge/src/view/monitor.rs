//! One monitor: its entry in the status, and `GET /api/v1/monitors/{id}`.

use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::{HealthMemory, Megabytes, Pressure};
use serde::{Deserialize, Serialize};

use super::{Timestamp, UptimeView};
use crate::domain::State;
use crate::domain::check::quorum::Voice;
use crate::domain::check::verdict::Verdict;
use crate::domain::history::days::letters;
use crate::domain::snapshot::{ExitSummary, ForecastSnapshot, MemorySnapshot, MonitorSnapshot, WindowUptime};

/// One monitor as the public sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorView {
    /// Its id: `a-z 0-9 -`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The heading it stands under.
    pub group: Option<String>,
    /// What is known of it now.
    pub state: State,
    /// Since when that state holds.
    pub since: Timestamp,
    /// What the last probe found when it was not a success, from a fixed set of sentences.
    pub reason: Option<String>,
    /// How long the last answer took, in milliseconds.
    pub latency_ms: Option<u32>,
    /// The median latency of each half-hour of the last day in milliseconds, oldest first; empty where there is none at all.
    pub latencies: Vec<Option<u32>>,
    /// Uptime over the windows that the page shows.
    pub uptime: UptimeWindowsView,
    /// The last 90 days, one letter each, oldest first (see [`State::letter`]).
    pub days: String,
    /// The last memory figures.
    pub memory: Option<MemoryView>,
    /// When the present instance started.
    pub started: Option<Timestamp>,
    /// Instants at which a restart was seen, oldest first, at most the last 20.
    pub restarts: Vec<Timestamp>,
    /// Whether memory is on its way to the limit; only a signed report tells it.
    pub forecast: Option<ForecastView>,
    /// What probes from other regions found.
    pub regions: Vec<RegionView>,
    /// How the previous instance ended; only signed reports tell it.
    pub last_exit: Option<ExitView>,
}

impl From<&MonitorSnapshot> for MonitorView {
    fn from(snapshot: &MonitorSnapshot) -> Self {
        MonitorView {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            group: snapshot.group.clone(),
            state: snapshot.state,
            since: Timestamp(snapshot.since),
            reason: snapshot.reason.clone(),
            latency_ms: snapshot.latency_ms,
            latencies: snapshot.latencies.clone(),
            uptime: UptimeWindowsView::from(snapshot.uptime.as_slice()),
            days: letters(&snapshot.days),
            memory: snapshot.memory.as_ref().map(MemoryView::from),
            started: snapshot.started.map(Timestamp),
            restarts: snapshot.restarts.iter().copied().map(Timestamp).collect(),
            forecast: snapshot.forecast.as_ref().map(ForecastView::from),
            regions: snapshot.voices.iter().map(RegionView::from).collect(),
            last_exit: snapshot.last_exit.as_ref().map(ExitView::from),
        }
    }
}

/// One monitor, and as of when: `GET /api/v1/monitors/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonitorDetailView {
    /// The instant of the last tick; `null` before the first.
    pub updated: Option<Timestamp>,
    /// Its entry in the status.
    #[serde(flatten)]
    pub monitor: MonitorView,
}

/// Uptime over the windows that the page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UptimeWindowsView {
    /// The last 24 hours.
    #[serde(rename = "24h")]
    pub day: UptimeView,
    /// The last 7 days.
    #[serde(rename = "7d")]
    pub week: UptimeView,
    /// The last 90 days.
    #[serde(rename = "90d")]
    pub quarter: UptimeView,
}

impl UptimeWindowsView {
    /// The windows by their names in the API, shortest first.
    pub const fn by_name(&self) -> [(&'static str, UptimeView); 3] {
        [("24h", self.day), ("7d", self.week), ("90d", self.quarter)]
    }
}

impl From<&[WindowUptime]> for UptimeWindowsView {
    fn from(windows: &[WindowUptime]) -> Self {
        let named = |name: &str| windows.iter().find(|it| it.window == name).map(UptimeView::from);
        let named = |name| named(name).unwrap_or_default();
        UptimeWindowsView { day: named("24h"), week: named("7d"), quarter: named("90d") }
    }
}

/// The memory figures of the last good answer: those of `/health` in whole megabytes, and what a signed report adds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryView {
    /// Resident set.
    pub rss: Megabytes,
    /// Live heap.
    #[serde(rename = "heapUsed")]
    pub heap_used: Megabytes,
    /// Heap that is held.
    #[serde(rename = "heapTotal")]
    pub heap_total: Megabytes,
    /// What is resident and not the allocator's.
    pub external: Megabytes,
    /// The limit that the guard enforces.
    pub limit: Option<Megabytes>,
    /// How close memory is to the limit.
    pub pressure: Option<Pressure>,
    /// When the figures were read.
    pub at: Timestamp,
}

impl From<&MemorySnapshot> for MemoryView {
    fn from(snapshot: &MemorySnapshot) -> Self {
        let HealthMemory { rss, heap_used, heap_total, external } = snapshot.figures;
        let MemorySnapshot { limit, pressure, at, .. } = *snapshot;
        MemoryView { rss, heap_used, heap_total, external, limit, pressure, at: Timestamp(at) }
    }
}

/// Where memory is on its way to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastView {
    /// The verdict in one word: `steady`, `growing`, `leaking`, `fragmenting`, `unknown`.
    pub verdict: String,
    /// How fast memory grows, in bytes an hour; `null` where no growth is established.
    pub bytes_per_hour: Option<i64>,
    /// When the limit is reached, as expected.
    pub reaches_limit: Option<Timestamp>,
    /// When the limit is reached at the earliest.
    pub earliest: Option<Timestamp>,
    /// When the limit is reached at the latest.
    pub latest: Option<Timestamp>,
}

impl From<&ForecastSnapshot> for ForecastView {
    fn from(snapshot: &ForecastSnapshot) -> Self {
        let instant = |index: usize| snapshot.reaches.map(|instants| Timestamp(instants[index]));
        ForecastView {
            verdict: snapshot.verdict.to_owned(),
            bytes_per_hour: snapshot.bytes_per_hour,
            reaches_limit: instant(0),
            earliest: instant(1),
            latest: instant(2),
        }
    }
}

/// What a probe from one region found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionView {
    /// The region, such as `weur`.
    pub region: String,
    /// The state as seen from there.
    pub state: State,
    /// How long the answer took there, in milliseconds.
    pub latency_ms: Option<u32>,
    /// What the probe found when it was not a success.
    pub reason: Option<String>,
}

impl From<&Voice> for RegionView {
    fn from(voice: &Voice) -> Self {
        RegionView {
            region: voice.region.to_owned(),
            state: voice.state(),
            latency_ms: voice.latency_ms,
            reason: voice.verdict.and_then(Verdict::sentence),
        }
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitView {
    /// How it ended.
    pub kind: ExitKind,
    /// When it was last heard of.
    pub at: Timestamp,
    /// Whether the evidence decides.
    pub sure: bool,
    /// The evidence; text of the server may be part of it, cut to a length.
    pub evidence: Vec<String>,
}

impl From<&ExitSummary> for ExitView {
    fn from(exit: &ExitSummary) -> Self {
        let ExitSummary { kind, at, sure, evidence } = exit.clone();
        ExitView { kind, at: Timestamp(at), sure, evidence }
    }
}
