//! `GET /api/v1/status`, as in Contract 5: a pure function of the read model.

use std::fmt::Write as _;

use heapbeat_shared::ending::EndingKind;
use heapbeat_shared::{HealthMemory, Megabytes, Pressure, Sample, UnixMillis};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::config::Problem;
use crate::instant::rfc3339;
use crate::view::{EndingView, MemoryView, MonitorView, StatusView, WindowUptime};
use crate::watch::State;
use crate::watch::board::Past;
use crate::watch::incident::Incident;
use crate::watch::rollup::{Line, Tier};

/// The body of `GET /api/v1/status`.
pub fn status_json(view: &StatusView) -> String {
    let body = Body {
        status: view.state,
        updated: view.updated.map(rfc3339),
        monitors: view.monitors.iter().map(Monitor::from).collect(),
        problems: &view.problems,
    };
    serde_json::to_string(&body).unwrap_or_else(|_| "{}".to_owned())
}

#[derive(serde::Serialize)]
struct Body<'v> {
    status: State,
    updated: Option<String>,
    monitors: Vec<Monitor<'v>>,
    problems: &'v [Problem],
}

#[derive(serde::Serialize)]
struct Monitor<'v> {
    id: &'v str,
    name: &'v str,
    group: Option<&'v str>,
    state: State,
    since: String,
    reason: Option<&'v str>,
    latency_ms: Option<u32>,
    uptime: Windows<'v>,
    memory: Option<Memory>,
    started: Option<String>,
    restarts: Vec<String>,
    /// How the previous instance ended; only signed reports tell it.
    last_ending: Option<LastEnding<'v>>,
}

impl<'v> From<&'v MonitorView> for Monitor<'v> {
    fn from(view: &'v MonitorView) -> Self {
        Monitor {
            id: &view.id,
            name: &view.name,
            group: view.group.as_deref(),
            state: view.state,
            since: rfc3339(view.since),
            reason: view.reason.as_deref(),
            latency_ms: view.latency_ms,
            uptime: Windows(&view.uptime),
            memory: view.memory.as_ref().map(Memory::from),
            started: view.started.map(rfc3339),
            restarts: view.restarts.iter().copied().map(rfc3339).collect(),
            last_ending: view.last_ending.as_ref().map(LastEnding::from),
        }
    }
}

#[derive(serde::Serialize)]
struct LastEnding<'v> {
    kind: EndingKind,
    at: String,
    sure: bool,
    evidence: &'v [String],
}

impl<'v> From<&'v EndingView> for LastEnding<'v> {
    fn from(view: &'v EndingView) -> Self {
        LastEnding { kind: view.kind, at: rfc3339(view.at), sure: view.sure, evidence: &view.evidence }
    }
}

/// The figures of `/health` and what a signed report adds.
#[derive(serde::Serialize)]
struct Memory {
    #[serde(flatten)]
    figures: HealthMemory,
    limit: Option<Megabytes>,
    pressure: Option<Pressure>,
    at: String,
}

impl From<&MemoryView> for Memory {
    fn from(view: &MemoryView) -> Self {
        let MemoryView { figures, limit, pressure, at } = *view;
        Memory { figures, limit, pressure, at: rfc3339(at) }
    }
}

/// Windows by name, in their order: `{"24h":{"percent":…,"coverage":…},…}`.
struct Windows<'v>(&'v [WindowUptime]);

impl Serialize for Windows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for window in self.0 {
            let figures =
                Window { percent: window.percent.map(thousandths), coverage: thousandths(window.coverage) };
            map.serialize_entry(&window.window, &figures)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Window {
    percent: Option<f64>,
    coverage: f64,
}

/// Three decimals, rounded down: 99.9999 % is not 100 %.
fn thousandths(percent: f64) -> f64 {
    // The tiny amount forgives what binary fractions lose: 99.98 is stored a little lower than it is.
    ((percent + 1e-9) * 1000.0).floor() / 1000.0
}

/// The body of `GET /api/v1/incidents`.
pub fn incidents_json(list: &[Incident]) -> String {
    let incidents: Vec<_> = list
        .iter()
        .map(|incident| {
            serde_json::json!({
                "id": incident.id(),
                "monitor": incident.monitor,
                "severity": incident.severity,
                "opened": rfc3339(incident.opened),
                "closed": incident.closed.map(rfc3339),
                "cause": incident.cause.sentence(),
                "evidence": incident.evidence,
                "behind": incident.behind,
                "timeline": incident.timeline.iter().map(|moment| {
                    serde_json::json!({ "at": rfc3339(moment.at), "what": moment.what })
                }).collect::<Vec<_>>(),
            })
        })
        .collect();
    serde_json::json!({ "incidents": incidents }).to_string()
}

/// The body of `GET /api/v1/monitors/{id}/memory`: a row a sample, figures in bytes, instants in Unix milliseconds.
pub fn memory_json(monitor: &str, tier: Tier, (from, to): (UnixMillis, UnixMillis), line: &Line) -> String {
    let mut out = format!(
        r#"{{"monitor":"{monitor}","resolution":"{}","from":{},"to":{},"columns":["at","rss","heapUsed","heapTotal","external","workingSet"],"samples":["#,
        tier.as_str(),
        from.0,
        to.0
    );
    for (index, (sample, _)) in line.samples.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let Sample { at, rss, heap_used, heap_total, working_set, .. } = sample;
        let external = sample.external();
        let _ = write!(
            out,
            "{comma}[{},{},{},{},{},{}]",
            at.0, rss.0, heap_used.0, heap_total.0, external.0, working_set.0
        );
    }
    let begins = line.samples.iter().filter(|(_, begins)| *begins).map(|(sample, _)| sample.at.0.to_string());
    let gaps = line
        .gaps
        .iter()
        .map(|(from, to, missing)| format!(r#"{{"from":{},"to":{},"missing":{missing}}}"#, from.0, to.0));
    let (begins, gaps) = (begins.collect::<Vec<_>>().join(","), gaps.collect::<Vec<_>>().join(","));
    let _ = write!(out, r#"],"instances":[{begins}],"gaps":[{gaps}]}}"#);
    out
}

/// The body of `GET /api/v1/monitors/{id}/uptime`.
pub fn uptime_json(monitor: &str, past: &Past) -> String {
    let percent =
        past.uptime.percent.map_or_else(|| "null".to_owned(), |share| thousandths(share).to_string());
    let between = past.between.map_or_else(|| "null".to_owned(), |span| span.as_secs().to_string());
    format!(
        r#"{{"monitor":"{monitor}","window_seconds":{},"percent":{percent},"coverage":{},"restarts":{},"mean_time_between_restarts_seconds":{between}}}"#,
        past.window.as_secs(),
        thousandths(past.uptime.coverage),
        past.restarts
    )
}

/// An error as RFC 9457 has it.
pub fn problem_json(status: u16, title: &str, detail: &str) -> String {
    serde_json::json!({ "type": "about:blank", "title": title, "status": status, "detail": detail })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> StatusView {
        StatusView {
            state: State::Up,
            now: UnixMillis(1_767_225_600_000),
            updated: Some(UnixMillis(1_767_225_600_000)),
            monitors: vec![MonitorView {
                id: "api".into(),
                name: "API".into(),
                group: Some("Backend".into()),
                state: State::Up,
                since: UnixMillis(1_767_139_200_999),
                reason: None,
                latency_ms: Some(12),
                uptime: vec![
                    WindowUptime { window: "24h".into(), percent: Some(99.98), coverage: 100.0 },
                    WindowUptime { window: "7d".into(), percent: Some(99.999_999_9), coverage: 14.285_714 },
                    WindowUptime { window: "90d".into(), percent: None, coverage: 0.0 },
                ],
                memory: Some(MemoryView {
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
                last_ending: Some(EndingView {
                    kind: EndingKind::OomKill,
                    at: UnixMillis(1_767_222_000_000),
                    sure: false,
                    evidence: vec!["its last sample was 1010.0 MB of 1.00 GB".into()],
                }),
                chart: Vec::new(),
            }],
            problems: vec![Problem { position: "MONITORS[1].url".into(), reason: "is missing".into() }],
        }
    }

    #[test]
    fn the_body_is_the_contracts() {
        let expected = concat!(
            r#"{"status":"up","updated":"2026-01-01T00:00:00Z","monitors":["#,
            r#"{"id":"api","name":"API","group":"Backend","state":"up","since":"2025-12-31T00:00:00Z","#,
            r#""reason":null,"latency_ms":12,"uptime":{"24h":{"percent":99.98,"coverage":100.0},"#,
            r#""7d":{"percent":99.999,"coverage":14.285},"90d":{"percent":null,"coverage":0.0}},"#,
            r#""memory":{"rss":150,"heapUsed":120,"heapTotal":200,"external":30,"limit":1024,"pressure":"calm","#,
            r#""at":"2026-01-01T00:00:00Z"},"started":"2025-12-31T23:00:00Z","#,
            r#""restarts":["2025-12-31T23:00:00Z"],"last_ending":{"kind":"oom_kill","at":"2025-12-31T23:00:00Z","#,
            r#""sure":false,"evidence":["its last sample was 1010.0 MB of 1.00 GB"]}}],"#,
            r#""problems":[{"position":"MONITORS[1].url","reason":"is missing"}]}"#,
        );
        assert_eq!(status_json(&view()), expected);
    }

    #[test]
    fn nothing_seen_yet() {
        let nothing = StatusView {
            state: State::Unobserved,
            now: UnixMillis(0),
            updated: None,
            monitors: Vec::new(),
            problems: Vec::new(),
        };
        assert_eq!(
            status_json(&nothing),
            r#"{"status":"unobserved","updated":null,"monitors":[],"problems":[]}"#
        );
    }

    #[test]
    fn an_error_is_a_problem_document() {
        assert_eq!(
            problem_json(404, "Not Found", "there is nothing at /x"),
            r#"{"detail":"there is nothing at /x","status":404,"title":"Not Found","type":"about:blank"}"#
        );
    }
}
