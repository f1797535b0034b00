//! One monitor: its entry in the status, and `GET /api/v1/monitors/{id}`.

use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::{HealthMemory, Megabytes, Params, Pressure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::statement::split_statements;
use super::{Timestamp, TrafficView, TranslationView, UptimeView, schema};
use crate::domain::State;
use crate::domain::check::quorum::RegionVerdict;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::history::days::letters;
use crate::domain::snapshot::{ExitSummary, ForecastSnapshot, MemorySnapshot, MonitorSnapshot, WindowUptime};

/// One monitor as the public sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Monitor")]
pub struct MonitorView {
    /// The monitor's id.
    #[schemars(with = "schema::MonitorId")]
    pub id: String,
    /// The display name.
    pub name: String,
    /// The heading of its group; `null` without one.
    pub group: Option<String>,
    /// The present state.
    pub state: State,
    /// Since when that state holds.
    pub since: Timestamp,
    /// The instant of the last result of a probe; `null` before the first.
    #[serde(default)]
    pub checked: Option<Timestamp>,
    /// Whether it should be watched and has had no result for longer than three of its intervals.
    #[serde(default)]
    pub unwatched: bool,
    /// Why the last probe failed, a sentence from a fixed set; `null` after a success.
    pub reason: Option<String>,
    /// The stable name of the reason, by which it can be translated; `null` without a reason.
    #[serde(default)]
    pub reason_code: Option<String>,
    /// The values in the reason by name.
    #[serde(default)]
    #[schemars(with = "schema::Params")]
    pub reason_params: Params,
    /// The latency of the last answer in milliseconds; `null` without an answer.
    pub latency_ms: Option<u32>,
    /// The median latency of each half-hour of the last day in milliseconds, oldest first; empty without any.
    pub latencies: Vec<Option<u32>>,
    /// Uptime over the windows that the page shows.
    pub uptime: UptimeWindowsView,
    /// The last 90 days of UTC, one letter a day for its worst state, oldest first: `u` up, `~` degraded, `d` down, `w` waking, `m`
    /// maintenance, `.` unobserved.
    #[schemars(schema_with = "schema::day_letters")]
    pub days: String,
    /// The last memory figures; `null` without any.
    pub memory: Option<MemoryView>,
    /// When the present instance started; `null` if unknown.
    pub started: Option<Timestamp>,
    /// Instants at which a restart was seen, oldest first, at most the last 20.
    pub restarts: Vec<Timestamp>,
    /// The memory forecast; `null` without signed reports.
    pub forecast: Option<ForecastView>,
    /// The results of probes from other regions.
    pub regions: Vec<RegionView>,
    /// The exit of the previous instance; `null` without signed reports.
    pub last_exit: Option<ExitView>,
    /// The requests to the program; only in the owner's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficView>,
}

impl From<&MonitorSnapshot> for MonitorView {
    fn from(snapshot: &MonitorSnapshot) -> Self {
        MonitorView {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            group: snapshot.group.clone(),
            state: snapshot.state,
            since: Timestamp(snapshot.since),
            checked: snapshot.checked.map(Timestamp),
            unwatched: snapshot.unwatched,
            reason: snapshot.reason.as_ref().map(|it| it.text.clone()),
            reason_code: snapshot.reason.as_ref().map(|it| it.code.clone()),
            reason_params: snapshot.reason.as_ref().map(|it| it.params.clone()).unwrap_or_default(),
            latency_ms: snapshot.latency_ms,
            latencies: snapshot.latencies.clone(),
            uptime: UptimeWindowsView::from(snapshot.uptime.as_slice()),
            days: letters(&snapshot.days),
            memory: snapshot.memory.as_ref().map(MemoryView::from),
            started: snapshot.started.map(Timestamp),
            restarts: snapshot.restarts.iter().copied().map(Timestamp).collect(),
            forecast: snapshot.forecast.as_ref().map(ForecastView::from),
            regions: snapshot.region_verdicts.iter().map(RegionView::from).collect(),
            last_exit: snapshot.last_exit.as_ref().map(ExitView::from),
            traffic: None,
        }
    }
}

/// One monitor with the time of the last tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MonitorDetail")]
pub struct MonitorDetailView {
    /// The instant of the last tick; `null` before the first.
    pub updated: Option<Timestamp>,
    /// Its entry in the status.
    #[serde(flatten)]
    pub monitor: MonitorView,
}

/// Uptime over the windows that the page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "UptimeWindows")]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Memory")]
pub struct MemoryView {
    /// The resident set.
    #[schemars(with = "u64")]
    pub rss: Megabytes,
    /// The live heap; `null` if it is not known, as of a program without an agent.
    #[serde(rename = "heapUsed")]
    #[schemars(with = "Option<u64>")]
    pub heap_used: Option<Megabytes>,
    /// The heap that the allocator holds; `null` if it is not known.
    #[serde(rename = "heapTotal")]
    #[schemars(with = "Option<u64>")]
    pub heap_total: Option<Megabytes>,
    /// Resident memory that is not the allocator's.
    #[schemars(with = "u64")]
    pub external: Megabytes,
    /// The memory limit; `null` without signed reports.
    #[schemars(with = "Option<u64>")]
    pub limit: Option<Megabytes>,
    /// The level of memory pressure; `null` without signed reports.
    #[schemars(schema_with = "schema::pressure")]
    pub pressure: Option<Pressure>,
    /// When the figures were read.
    pub at: Timestamp,
}

impl From<&MemorySnapshot> for MemoryView {
    fn from(snapshot: &MemorySnapshot) -> Self {
        let HealthMemory { rss, heap_used, heap_total, external } = snapshot.figures;
        let MemorySnapshot { limit, pressure, at, .. } = *snapshot;
        let (heap_used, heap_total) = (heap_used.known(), heap_total.known());
        MemoryView { rss, heap_used, heap_total, external, limit, pressure, at: Timestamp(at) }
    }
}

/// The forecast of memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Forecast")]
pub struct ForecastView {
    /// The verdict in one word.
    #[schemars(schema_with = "schema::verdict")]
    pub verdict: String,
    /// The growth in bytes per hour; `null` if no growth is established.
    pub bytes_per_hour: Option<i64>,
    /// The expected time at which the limit is reached; `null` if unknown.
    pub reaches_limit: Option<Timestamp>,
    /// The earliest time at which the limit is reached; `null` if unknown.
    pub earliest: Option<Timestamp>,
    /// The latest time at which the limit is reached; `null` if unknown.
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

/// The result of a probe from one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Region")]
pub struct RegionView {
    /// The region, a location hint of Cloudflare.
    #[schemars(schema_with = "schema::region")]
    pub region: String,
    /// The state as it is seen from there.
    pub state: State,
    /// The latency there in milliseconds; `null` without an answer.
    pub latency_ms: Option<u32>,
    /// Why the probe failed; `null` after a success.
    pub reason: Option<String>,
    /// The stable name of the reason, by which it can be translated; `null` without a reason.
    #[serde(default)]
    pub reason_code: Option<String>,
    /// The values in the reason by name.
    #[serde(default)]
    #[schemars(with = "schema::Params")]
    pub reason_params: Params,
}

impl From<&RegionVerdict> for RegionView {
    fn from(voice: &RegionVerdict) -> Self {
        let reason = voice.verdict.and_then(CheckVerdict::statement);
        RegionView {
            region: voice.region.to_owned(),
            state: voice.state(),
            latency_ms: voice.latency_ms,
            reason: reason.as_ref().map(|it| it.text.clone()),
            reason_code: reason.as_ref().map(|it| it.code.clone()),
            reason_params: reason.map(|it| it.params).unwrap_or_default(),
        }
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Exit")]
pub struct ExitView {
    /// The kind of the exit.
    #[schemars(schema_with = "schema::exit_kind")]
    pub kind: ExitKind,
    /// When the instance gave its last sign of life.
    pub at: Timestamp,
    /// Whether the evidence is conclusive.
    pub sure: bool,
    /// The evidence, which may contain shortened text of the server.
    pub evidence: Vec<String>,
    /// The code and the values of each piece of evidence.
    #[serde(default)]
    pub evidence_statements: Vec<TranslationView>,
}

impl From<&ExitSummary> for ExitView {
    fn from(exit: &ExitSummary) -> Self {
        let (evidence, evidence_statements) = split_statements(&exit.evidence);
        ExitView { kind: exit.kind, at: Timestamp(exit.at), sure: exit.sure, evidence, evidence_statements }
    }
}
