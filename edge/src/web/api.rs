//! `GET /api/v1/status`, as in Contract 5: a pure function of the read model.

use std::fmt::Write as _;

use heapbeat_shared::units;
use heapbeat_shared::{HealthMemory, Pressure, Sample, UnixMillis};

use crate::config::{MonitorId, Problem};
use crate::domain::check::quorum::Voice;
use crate::domain::check::verdict::Verdict;
use crate::domain::engine::Past;
use crate::domain::history::days::letters;
use crate::domain::history::rollup::{Line, Tier};
use crate::domain::incident::Incident;
use crate::domain::instant::rfc3339;
use crate::domain::maintenance::Work;
use crate::domain::quota::Usage;
use crate::domain::report::last_report::Run;
use crate::json;
use crate::json::{List, Object, Plain};
use crate::view::{ForecastView, MemoryView, MonitorView, StatusView};

pub mod badge;
pub mod calendar;
mod days;
pub mod feed;
mod incidents;
mod latency;
pub mod markup;
pub mod metrics;
mod page;
pub mod records;
mod versions;

pub use days::days_json;
pub use incidents::{incidents_page, incidents_told};
pub use latency::Rows;
pub use page::{MonitorPage, RANGES, incident_page, monitor_page, status_page};
pub use versions::versions_json;

/// The body of `GET /api/v1/status`.
pub fn status_json(view: &StatusView) -> String {
    json::object(|o| status(o, view, monitor))
}

/// All that the status says; `one` writes a monitor.
fn status(o: &mut Object<'_>, view: &StatusView, one: fn(&mut Object<'_>, &MonitorView)) {
    o.set("status", view.state.as_str());
    o.set("updated", view.updated.map(rfc3339).as_ref());
    o.list("monitors", |list| {
        view.monitors.iter().for_each(|view| list.object(|o| one(o, view)));
    });
    o.list("problems", |list| view.problems.iter().for_each(|it| list.object(|o| problem(o, it))));
    o.texts("notices", view.notices.iter().map(String::as_str));
    o.list("maintenance", |list| view.work.iter().for_each(|it| list.object(|o| work(o, it))));
    o.object("edge", |o| usage(o, &view.usage));
}

/// A text of what was told; empty where there is none.
fn text_of(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The body of `GET /api/v1/monitors/{id}`: its entry in the status, and as of when.
pub fn monitor_json(status: &StatusView, view: &MonitorView) -> String {
    json::object(|o| {
        o.set("updated", status.updated.map(rfc3339).as_ref());
        monitor(o, view);
    })
}

/// What the day has cost so far, and how regularly the edge came.
fn usage(o: &mut Object<'_>, usage: &Usage) {
    o.set("day", &rfc3339(UnixMillis(usage.day.saturating_mul(86_400_000))));
    o.set("ticks", usage.ticks);
    o.set("ticks_missed", usage.missed);
    o.set("latest_tick_ms", usage.latest_ms);
    o.set("requests", usage.requests);
    o.set("rows_read", usage.rows_read);
    o.set("rows_written", usage.rows_written);
    o.set("subrequests", usage.subrequests);
    o.set("busiest_tick_subrequests", usage.busiest);
    o.set("interval_floor_seconds", usage.floor().as_secs());
    // Of many hubs, whose answers are put together, this is the sum like the rest.
    o.set("hubs", 1_u64);
}

fn work(o: &mut Object<'_>, work: &Work) {
    o.set("id", work.id.as_str());
    o.set("title", &work.title);
    match &work.monitors {
        Some(ids) => o.texts("monitors", ids.iter().map(MonitorId::as_str)),
        None => o.set("monitors", Plain::Null),
    }
    o.set("from", &rfc3339(work.from));
    o.set("to", &rfc3339(work.to));
}

fn monitor(o: &mut Object<'_>, view: &MonitorView) {
    o.set("id", &view.id);
    o.set("name", &view.name);
    o.set("group", view.group.as_ref());
    o.set("state", view.state.as_str());
    o.set("since", &rfc3339(view.since));
    o.set("reason", view.reason.as_ref());
    o.set("latency_ms", view.latency_ms);
    o.list("latencies", |list| view.latencies.iter().for_each(|ms| list.push(*ms)));
    // Windows by name, in their order: `{"24h":{"percent":…,"coverage":…},…}`.
    o.object("uptime", |o| {
        for window in &view.uptime {
            o.object(&window.window, |o| shares(o, window.percent, window.coverage));
        }
    });
    // One letter a day, oldest first (`watch/state.rs`).
    o.set("days", &letters(&view.days));
    match &view.memory {
        Some(view) => o.object("memory", |o| memory(o, view)),
        None => o.set("memory", Plain::Null),
    }
    o.set("started", view.started.map(rfc3339).as_ref());
    o.list("restarts", |list| view.restarts.iter().for_each(|at| list.push(&rfc3339(*at))));
    match view.forecast {
        Some(view) => o.object("forecast", |o| forecast(o, &view)),
        None => o.set("forecast", Plain::Null),
    }
    o.list("regions", |list| view.voices.iter().for_each(|it| list.object(|o| voice(o, it))));
    // How the previous instance ended; only signed reports tell it.
    match &view.last_ending {
        Some(ending) => o.object("last_ending", |o| {
            o.set("kind", ending.kind.as_str());
            o.set("at", &rfc3339(ending.at));
            o.set("sure", ending.sure);
            o.texts("evidence", ending.evidence.iter().map(String::as_str));
        }),
        None => o.set("last_ending", Plain::Null),
    }
}

/// What was found from somewhere.
fn voice(o: &mut Object<'_>, voice: &Voice) {
    o.set("region", voice.region);
    o.set("state", voice.state().as_str());
    o.set("latency_ms", voice.latency_ms);
    o.set("reason", voice.verdict.and_then(Verdict::sentence).as_ref());
}

/// Where memory is on its way to.
fn forecast(o: &mut Object<'_>, view: &ForecastView) {
    o.set("verdict", view.verdict);
    o.set("bytes_per_hour", view.bytes_per_hour);
    for (index, name) in ["reaches_limit", "earliest", "latest"].into_iter().enumerate() {
        o.set(name, view.reaches.map(|instants| rfc3339(instants[index])).as_ref());
    }
}

/// The figures of `/health` and what a signed report adds.
fn memory(o: &mut Object<'_>, view: &MemoryView) {
    let HealthMemory { rss, heap_used, heap_total, external } = view.figures;
    o.set("rss", rss.0);
    o.set("heapUsed", heap_used.0);
    o.set("heapTotal", heap_total.0);
    o.set("external", external.0);
    o.set("limit", view.limit.map(|limit| limit.0));
    o.set("pressure", view.pressure.map(Pressure::as_str));
    o.set("at", &rfc3339(view.at));
}

/// Uptime and coverage, cut to three decimals: 99.9999 % is not 100 %.
fn shares(o: &mut Object<'_>, percent: Option<f64>, coverage: f64) {
    o.set("percent", percent.map(|share| units::floor_to(share, 3)));
    o.set("coverage", units::floor_to(coverage, 3));
}

/// A refused entry of the configuration.
pub(crate) fn problem(o: &mut Object<'_>, problem: &Problem) {
    o.set("position", &problem.position);
    o.set("reason", &problem.reason);
}

/// The body of `GET /api/v1/incidents/{id}`: the incident, and the samples before it as they were frozen in.
pub fn incident_json(it: &Incident, runs: &[Run]) -> String {
    json::object(|o| {
        incident(o, it);
        o.list("recording", |list| {
            for run in runs {
                list.object(|o| {
                    o.set("instance", &run.instance.to_string());
                    o.texts("columns", COLUMNS);
                    o.list("samples", |list| {
                        run.series.samples.iter().for_each(|it| list.list(|row| sample(row, it)));
                    });
                });
            }
        });
    })
}

/// What a row of samples holds.
const COLUMNS: [&str; 6] = ["at", "rss", "heapUsed", "heapTotal", "external", "workingSet"];

fn sample(row: &mut List<'_>, sample: &Sample) {
    row.push(sample.at.0);
    for figure in [sample.rss, sample.heap_used, sample.heap_total, sample.external(), sample.working_set] {
        row.push(figure.0);
    }
}

fn incident(o: &mut Object<'_>, incident: &Incident) {
    o.set("id", &incident.id());
    o.set("monitor", incident.monitor.as_str());
    o.set("severity", incident.severity.as_str());
    o.set("opened", &rfc3339(incident.opened));
    o.set("closed", incident.closed.map(rfc3339).as_ref());
    o.set("cause", &incident.cause.sentence());
    o.texts("evidence", incident.evidence.iter().map(String::as_str));
    o.set("acknowledged", incident.notice.acknowledged);
    o.set("behind", incident.behind.as_ref().map(MonitorId::as_str));
    o.list("timeline", |list| {
        for moment in &incident.timeline {
            list.object(|o| {
                o.set("at", &rfc3339(moment.at));
                o.set("what", &moment.what);
            });
        }
    });
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
    json::object(|o| {
        o.set("monitor", monitor);
        o.set("window_seconds", past.window.as_secs());
        shares(o, past.uptime.percent, past.uptime.coverage);
        o.set("restarts", past.restarts as u64);
        o.set("mean_time_between_restarts_seconds", past.between.map(|span| span.as_secs()));
        o.set("crashes", past.crashes as u64);
        o.set("mean_time_between_crashes_seconds", past.between_crashes.map(|span| span.as_secs()));
        o.set("crash_free_seconds", past.crash_free.as_secs());
    })
}

/// An error as RFC 9457 has it.
pub fn problem_json(status: u16, title: &str, detail: &str) -> String {
    json::object(|o| {
        o.set("type", "about:blank");
        o.set("title", title);
        o.set("status", u32::from(status));
        o.set("detail", detail);
    })
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::{ExitKind, Megabytes};

    use super::*;
    use crate::domain::{Failure, State};
    use crate::view::{EndingView, WindowUptime};

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
                latencies: vec![None, Some(11)],
                days: crate::domain::history::days::days([].into_iter(), UnixMillis(0)),
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
                    kind: ExitKind::OomKill,
                    at: UnixMillis(1_767_222_000_000),
                    sure: false,
                    evidence: vec!["its last sample was 1010.0 MB of 1.00 GB".into()],
                }),
                forecast: Some(ForecastView {
                    verdict: "leaking",
                    bytes_per_hour: Some(1_048_576),
                    reaches: Some([1_767_229_200_000, 1_767_228_600_000, 1_767_230_000_500].map(UnixMillis)),
                }),
                chart: Vec::new(),
                voices: vec![Voice {
                    region: "weur",
                    verdict: Some(Verdict::Failed(Failure::Refused)),
                    latency_ms: None,
                }],
            }],
            problems: vec![Problem { position: "MONITORS[1].url".into(), reason: "is missing".into() }],
            notices: vec!["a notice".into()],
            work: vec![Work {
                id: "move".parse().unwrap(),
                title: "We move".into(),
                monitors: Some(vec!["api".parse().unwrap()]),
                from: UnixMillis(1_767_225_600_000),
                to: UnixMillis(1_767_229_200_000),
            }],
            usage: Usage { day: 20_454, requests: 7, ticks: 5, lowered: 1, ..Usage::default() },
        }
    }

    #[test]
    fn the_body_is_the_contracts() {
        let expected = concat!(
            r#"{"status":"up","updated":"2026-01-01T00:00:00Z","monitors":["#,
            r#"{"id":"api","name":"API","group":"Backend","state":"up","since":"2025-12-31T00:00:00Z","#,
            r#""reason":null,"latency_ms":12,"latencies":[null,11],"uptime":{"24h":{"percent":99.98,"coverage":100},"#,
            r#""7d":{"percent":99.999,"coverage":14.285},"90d":{"percent":null,"coverage":0}},"#,
            r#""days":"..........................................................................................","#,
            r#""memory":{"rss":150,"heapUsed":120,"heapTotal":200,"external":30,"limit":1024,"pressure":"calm","#,
            r#""at":"2026-01-01T00:00:00Z"},"started":"2025-12-31T23:00:00Z","#,
            r#""restarts":["2025-12-31T23:00:00Z"],"forecast":{"verdict":"leaking","bytes_per_hour":1048576,"#,
            r#""reaches_limit":"2026-01-01T01:00:00Z","earliest":"2026-01-01T00:50:00Z","#,
            r#""latest":"2026-01-01T01:13:20Z"},"regions":[{"region":"weur","state":"down","latency_ms":null,"#,
            r#""reason":"the connection was refused"}],"last_ending":{"kind":"oom_kill","at":"2025-12-31T23:00:00Z","#,
            r#""sure":false,"evidence":["its last sample was 1010.0 MB of 1.00 GB"]}}],"#,
            r#""problems":[{"position":"MONITORS[1].url","reason":"is missing"}],"notices":["a notice"],"#,
            r#""maintenance":[{"id":"move","title":"We move","monitors":["api"],"from":"2026-01-01T00:00:00Z","#,
            r#""to":"2026-01-01T01:00:00Z"}],"#,
            r#""edge":{"day":"2026-01-01T00:00:00Z","ticks":5,"ticks_missed":0,"latest_tick_ms":0,"requests":7,"rows_read":0,"#,
            r#""rows_written":0,"subrequests":0,"busiest_tick_subrequests":0,"interval_floor_seconds":60,"hubs":1}}"#,
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
            notices: Vec::new(),
            work: Vec::new(),
            usage: Usage::default(),
        };
        assert_eq!(
            status_json(&nothing),
            r#"{"status":"unobserved","updated":null,"monitors":[],"problems":[],"notices":[],"maintenance":[],"edge":{"day":"1970-01-01T00:00:00Z","ticks":0,"ticks_missed":0,"latest_tick_ms":0,"requests":0,"rows_read":0,"rows_written":0,"subrequests":0,"busiest_tick_subrequests":0,"interval_floor_seconds":0,"hubs":1}}"#
        );
    }

    #[test]
    fn an_error_is_a_problem_document() {
        assert_eq!(
            problem_json(404, "Not Found", "there is nothing at /x"),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is nothing at /x"}"#
        );
    }
}
