//! `GET /api/v1/status`: the present status of all monitors.

use heapbeat_shared::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::statement::split_statements;
use super::{MaintenanceView, MonitorView, Timestamp, TranslationView};
use crate::domain::State;
use crate::domain::quota::QuotaUsage;
use crate::domain::snapshot::StatusSnapshot;
use crate::monitor_config::ConfigProblem;

/// The status of all monitors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Status")]
pub struct StatusView {
    /// The worst state of any monitor; `unobserved` if there is no monitor or no probe yet. It is never `up` while a monitor is
    /// `unwatched`, or a hub does not respond.
    pub status: State,
    /// The instant of the last tick; `null` before the first.
    pub updated: Option<Timestamp>,
    /// One entry for each monitor, in the order of the configuration.
    pub monitors: Vec<MonitorView>,
    /// The settings that were rejected, each with its position, value and reason. Only the owner sees them: for the public the list is
    /// empty, and `edge.config_problems` is their number.
    pub problems: Vec<ConfigProblem>,
    /// Notices about the monitoring itself, in sentences.
    pub notices: Vec<String>,
    /// The code and the values of each notice.
    #[serde(default)]
    pub notice_statements: Vec<TranslationView>,
    /// Maintenance that is active or begins within a week, soonest first.
    pub maintenance: Vec<MaintenanceView>,
    /// The use of the day's quota, and the regularity of ticks.
    pub edge: EdgeView,
}

impl From<&StatusSnapshot> for StatusView {
    fn from(snapshot: &StatusSnapshot) -> Self {
        let (notices, notice_statements) = split_statements(&snapshot.notices);
        StatusView {
            status: snapshot.state,
            updated: snapshot.updated.map(Timestamp),
            monitors: snapshot.monitors.iter().map(MonitorView::from).collect(),
            problems: snapshot.problems.clone(),
            notices,
            notice_statements,
            maintenance: snapshot.maintenance.iter().map(MaintenanceView::from).collect(),
            edge: EdgeView {
                config_problems: u64::try_from(snapshot.problems.len()).unwrap_or(u64::MAX),
                silent_hubs: u64::from(snapshot.is_silent_hub),
                failing_channels: snapshot.failing_channels,
                ..EdgeView::from(&snapshot.usage)
            },
        }
    }
}

impl StatusView {
    /// Returns the status without the problems of the configuration, which are the owner's.
    pub fn public(snapshot: &StatusSnapshot) -> StatusView {
        StatusView { problems: Vec::new(), ..StatusView::from(snapshot) }
    }
}

/// The use of the day's quota, and the regularity of ticks. With several hubs these are sums, unless a field says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Edge")]
pub struct EdgeView {
    /// Midnight UTC at which the day began.
    pub day: Timestamp,
    /// Ticks of the day; with several hubs the maximum.
    pub ticks: u64,
    /// Minutes without a tick; with several hubs the maximum.
    pub ticks_missed: u64,
    /// How late the latest tick was, in milliseconds; with several hubs the maximum.
    pub max_tick_delay_ms: u64,
    /// Requests to the hubs.
    pub requests: u64,
    /// Those of the requests that came from readers.
    #[serde(default)]
    pub reader_requests: u64,
    /// Rows that SQLite read.
    pub rows_read: u64,
    /// Those of the rows that were read for readers.
    #[serde(default)]
    pub reader_rows_read: u64,
    /// Rows that SQLite wrote.
    pub rows_written: u64,
    /// Requests that the hubs made.
    pub subrequests: u64,
    /// How long the hubs were active, in seconds: nearly all of it waiting for targets.
    #[serde(default)]
    pub active_seconds: u64,
    /// The most requests that one tick made; with several hubs the maximum.
    pub max_tick_subrequests: u64,
    /// No monitor is probed more often than this, in seconds; with several hubs the maximum.
    pub min_interval_seconds: u64,
    /// How many hubs there are.
    pub hubs: u64,
    /// How many of them did not respond.
    #[serde(default)]
    pub silent_hubs: u64,
    /// The number of settings that were rejected. `problems` of the owner's status names them.
    pub config_problems: u64,
    /// The number of alert channels whose service does not accept messages; with several hubs the maximum.
    pub failing_channels: u64,
}

impl From<&QuotaUsage> for EdgeView {
    fn from(usage: &QuotaUsage) -> Self {
        EdgeView {
            day: Timestamp(UnixMillis(usage.day.saturating_mul(86_400_000))),
            ticks: usage.ticks,
            ticks_missed: usage.missed,
            max_tick_delay_ms: usage.max_delay_ms,
            requests: usage.requests,
            rows_read: usage.rows_read,
            reader_requests: usage.reader_requests,
            reader_rows_read: usage.reader_rows_read,
            rows_written: usage.rows_written,
            subrequests: usage.subrequests,
            active_seconds: usage.active_ms / 1000,
            max_tick_subrequests: usage.busiest,
            min_interval_seconds: usage.min_interval().as_secs(),
            hubs: 1,
            silent_hubs: 0,
            config_problems: 0,
            failing_channels: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::exit::Evidence;
    use heapbeat_shared::{ExitKind, HealthMemory, Megabytes, Pressure, Statement};

    use super::*;
    use crate::domain::Failure;
    use crate::domain::check::quorum::RegionVerdict;
    use crate::domain::check::verdict::CheckVerdict;
    use crate::domain::maintenance::MaintenanceWindow;
    use crate::domain::snapshot::{
        ExitSummary, ForecastSnapshot, MemorySnapshot, MonitorSnapshot, WindowUptime,
    };

    fn view() -> StatusSnapshot {
        StatusSnapshot {
            state: State::Up,
            failing_channels: 0,
            now: UnixMillis(1_767_225_600_000),
            updated: Some(UnixMillis(1_767_225_600_000)),
            monitors: vec![MonitorSnapshot {
                id: "api".into(),
                name: "API".into(),
                group: Some("Backend".into()),
                state: State::Up,
                since: UnixMillis(1_767_139_200_999),
                checked: Some(UnixMillis(1_767_225_600_000)),
                unwatched: false,
                reason: None,
                latency_ms: Some(12),
                uptime: vec![
                    WindowUptime {
                        window: "24h".into(),
                        percent: Some(99.98),
                        coverage: 100.0,
                        since: None,
                        observed: Duration::ZERO,
                    },
                    WindowUptime {
                        window: "7d".into(),
                        percent: Some(99.999_999_9),
                        coverage: 14.285_714,
                        since: None,
                        observed: Duration::ZERO,
                    },
                    WindowUptime {
                        window: "90d".into(),
                        percent: None,
                        coverage: 0.0,
                        since: None,
                        observed: Duration::ZERO,
                    },
                ],
                latencies: vec![None, Some(11)],
                days: crate::domain::history::days::days([].into_iter(), UnixMillis(0)),
                memory: Some(MemorySnapshot {
                    figures: HealthMemory {
                        rss: Megabytes(150),
                        heap_used: Megabytes(120),
                        heap_total: Megabytes(200),
                        external: Megabytes(30),
                    },
                    limit: Some(Megabytes(1024)),
                    pressure: Some(Pressure::Calm),
                    at: UnixMillis(1_767_225_600_000),
                }),
                started: Some(UnixMillis(1_767_222_000_000)),
                restarts: vec![UnixMillis(1_767_222_000_000)],
                last_exit: Some(ExitSummary {
                    kind: ExitKind::OomKill,
                    at: UnixMillis(1_767_222_000_000),
                    sure: false,
                    evidence: vec![Evidence::MemoryWhenLastSeen(99).statement()],
                }),
                forecast: Some(ForecastSnapshot {
                    verdict: "leaking",
                    bytes_per_hour: Some(1_048_576),
                    reaches: Some([1_767_229_200_000, 1_767_228_600_000, 1_767_230_000_500].map(UnixMillis)),
                }),
                chart: Vec::new(),
                region_verdicts: vec![RegionVerdict {
                    region: "weur",
                    verdict: Some(CheckVerdict::Failed(Failure::ConnectionRefused)),
                    latency_ms: None,
                }],
            }],
            problems: vec![ConfigProblem { position: "MONITORS[1].url".into(), reason: "is missing".into() }],
            notices: vec![Statement::interval_raised(5)],
            is_silent_hub: false,
            maintenance: vec![MaintenanceWindow {
                id: "move".parse().unwrap(),
                title: "We move".into(),
                monitors: Some(vec!["api".parse().unwrap()]),
                from: UnixMillis(1_767_225_600_000),
                to: UnixMillis(1_767_229_200_000),
            }],
            usage: QuotaUsage {
                day: 20_454,
                requests: 7,
                ticks: 5,
                throttle_level: 1,
                ..QuotaUsage::default()
            },
        }
    }

    #[test]
    fn the_json_is_that_of_the_api() {
        let expected = concat!(
            r#"{"status":"up","updated":"2026-01-01T00:00:00Z","monitors":["#,
            r#"{"id":"api","name":"API","group":"Backend","state":"up","since":"2025-12-31T00:00:00Z","checked":"2026-01-01T00:00:00Z","unwatched":false,"#,
            r#""reason":null,"reason_code":null,"reason_params":{},"latency_ms":12,"latencies":[null,11],"uptime":{"24h":{"percent":99.98,"coverage":100},"#,
            r#""7d":{"percent":99.999,"coverage":14.285},"90d":{"percent":null,"coverage":0}},"#,
            r#""days":"..........................................................................................","#,
            r#""memory":{"rss":150,"heapUsed":120,"heapTotal":200,"external":30,"limit":1024,"pressure":"calm","#,
            r#""at":"2026-01-01T00:00:00Z"},"started":"2025-12-31T23:00:00Z","#,
            r#""restarts":["2025-12-31T23:00:00Z"],"forecast":{"verdict":"leaking","bytes_per_hour":1048576,"#,
            r#""reaches_limit":"2026-01-01T01:00:00Z","earliest":"2026-01-01T00:50:00Z","#,
            r#""latest":"2026-01-01T01:13:20Z"},"regions":[{"region":"weur","state":"down","latency_ms":null,"#,
            r#""reason":"connection refused","reason_code":"connection-refused","reason_params":{}}],"last_exit":{"kind":"oom_kill","at":"2025-12-31T23:00:00Z","#,
            r#""sure":false,"evidence":["memory was at 99 % of the limit when last seen"],"#,
            r#""evidence_statements":[{"code":"memory-when-last-seen","params":{"percent":99}}]}}],"#,
            r#""problems":[{"position":"MONITORS[1].url","reason":"is missing"}],"#,
            r#""notices":["The daily quota is nearly used: until midnight UTC each monitor is checked at most every 5 min."],"#,
            r#""notice_statements":[{"code":"interval-raised","params":{"minutes":5}}],"#,
            r#""maintenance":[{"id":"move","title":"We move","monitors":["api"],"from":"2026-01-01T00:00:00Z","#,
            r#""to":"2026-01-01T01:00:00Z"}],"#,
            r#""edge":{"day":"2026-01-01T00:00:00Z","ticks":5,"ticks_missed":0,"max_tick_delay_ms":0,"requests":7,"reader_requests":0,"rows_read":0,"reader_rows_read":0,"#,
            r#""rows_written":0,"subrequests":0,"active_seconds":0,"max_tick_subrequests":0,"min_interval_seconds":60,"hubs":1,"silent_hubs":0,"config_problems":1,"failing_channels":0}}"#,
        );
        assert_eq!(serde_json::to_string(&StatusView::from(&view())).unwrap(), expected);
        let read: StatusView = serde_json::from_str(expected).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), expected);
    }

    #[test]
    fn the_public_sees_the_number_of_problems_only() {
        let public = StatusView::public(&view());
        assert_eq!((public.problems, public.edge.config_problems), (Vec::new(), 1));
    }

    #[test]
    fn the_status_before_the_first_tick_is_unobserved() {
        let nothing = StatusSnapshot::default();
        assert_eq!(
            serde_json::to_string(&StatusView::from(&nothing)).unwrap(),
            r#"{"status":"unobserved","updated":null,"monitors":[],"problems":[],"notices":[],"notice_statements":[],"maintenance":[],"edge":{"day":"1970-01-01T00:00:00Z","ticks":0,"ticks_missed":0,"max_tick_delay_ms":0,"requests":0,"reader_requests":0,"rows_read":0,"reader_rows_read":0,"rows_written":0,"subrequests":0,"active_seconds":0,"max_tick_subrequests":0,"min_interval_seconds":0,"hubs":1,"silent_hubs":0,"config_problems":0,"failing_channels":0}}"#
        );
    }
}
