//! A timeline of outcomes through the real state machine, without a network, a store or a wait.
//!
//! One line of JSON in is a tick, late, doubled or out of order as it likes; lines of JSON out are what the hub would
//! have decided: states, restarts, incidents, alerts and their delivery. The format is in `docs/replay.md`. It is for
//! asking "what would it have done" before the night in which it matters, and our own tests keep their stories in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::DateTime;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::event::Event;
use heapbeat_shared::exit::Exit;
use heapbeat_shared::report::{Block, Limit, PressureState, Report, System};
use heapbeat_shared::series;
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, Health, HealthMemory, InstanceId, Megabytes, Pressure, Sample, UnixMillis};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::maintenance;
use crate::config::maintenance::{MAINTENANCE, Maintenance};
use crate::config::{Config, MonitorId};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ProbeResult, ResponseBody};
use crate::domain::check::self_check;
use crate::domain::check::self_check::SelfCheck;
use crate::domain::engine::{Engine, EngineEvent, Tick};
use crate::domain::incident::Incident;
use crate::domain::instant::rfc3339;
use crate::domain::maintenance::{affected_monitors, announced_windows};
use crate::domain::report::verification::VerifiedReport;
use crate::domain::{Failure, ProbeSkipped};
use crate::notify::outbox::{Next, after, sendable};
use crate::notify::{Channels, DeliveryResult, OutboxRow, Recipients, plan_notifications};

/// The first line: what is watched, and who is told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    monitors: Value,
    #[serde(default)]
    alerts: Option<Value>,
    #[serde(default)]
    page: Option<String>,
    #[serde(default)]
    maintenance: Vec<Value>,
}

/// A tick.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: String,
    #[serde(default)]
    probes: BTreeMap<MonitorId, Finds>,
    #[serde(default)]
    channels: BTreeMap<MonitorId, Says>,
    #[serde(default)]
    references: References,
}

/// What the reference targets would say, were they asked.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum References {
    #[default]
    None,
    Answer,
    Silent,
}

impl References {
    fn sight(self) -> SelfCheck {
        match self {
            References::None => SelfCheck::NotRun,
            References::Answer => SelfCheck::Online,
            References::Silent => SelfCheck::Offline,
        }
    }
}

/// What a probe found.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Finds {
    /// An answer.
    Answer {
        #[serde(default = "ok")]
        status: u16,
        #[serde(default)]
        ms: u64,
        #[serde(default)]
        body: String,
    },
    /// The public answer of a heapbeat server.
    Health {
        #[serde(default)]
        ms: u64,
        #[serde(default)]
        rss: u64,
        uptime: u64,
    },
    /// A signed report.
    Report(Box<LastReport>),
    /// No answer.
    Failure(Failure),
    /// Nobody could look.
    Blind(ProbeSkipped),
}

/// A report in short.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LastReport {
    instance: u64,
    #[serde(default)]
    version: String,
    uptime: u64,
    rss: u64,
    #[serde(default = "limit")]
    limit: u64,
    #[serde(default)]
    pressure: Pressure,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    previous_exit: Option<Exit>,
}

/// What a channel's service answers from now on.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Says {
    Taken,
    Failed,
    Busy(u64),
    Refused(u16),
}

const fn ok() -> u16 {
    200
}

const fn limit() -> u64 {
    1024
}

/// Everything between two lines.
struct Replay {
    config: Config,
    channels: Channels,
    maintenance: Vec<Maintenance>,
    page: Option<String>,
    engine: Engine,
    rows: Vec<OutboxRow>,
    next_row: i64,
    services: BTreeMap<MonitorId, Says>,
    incidents: BTreeMap<MonitorId, Incident>,
    numbers: BTreeMap<(MonitorId, u64), (u64, UnixMillis)>,
    out: String,
}

/// Replays a timeline and gives the lines that come of it. An error names the line and what would be right.
pub fn replay(text: &str) -> Result<String, String> {
    let mut lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let (_, head) = lines.next().ok_or("the timeline is empty; its first line says what is watched")?;
    let head: Head = serde_json::from_str(head).map_err(|error| format!("line 1: {error}"))?;
    let config = Config::parse(Some(&head.monitors.to_string()), true);
    let channels = Channels::parse(head.alerts.map(|alerts| alerts.to_string()).as_deref(), true);
    let (maintenance, wrong) = maintenance::parse_windows(MAINTENANCE, &head.maintenance);
    if let Some(problem) = config.problems.iter().chain(&channels.problems).chain(&wrong).next() {
        return Err(format!("line 1: {}: {}", problem.position, problem.reason));
    }
    let mut replay = Replay {
        config,
        channels,
        maintenance,
        page: head.page,
        engine: Engine::default(),
        rows: Vec::new(),
        next_row: 1,
        services: BTreeMap::new(),
        incidents: BTreeMap::new(),
        numbers: BTreeMap::new(),
        out: String::new(),
    };
    for (index, line) in lines {
        let line: Line =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", index + 1))?;
        replay.apply_line(line).map_err(|error| format!("line {}: {error}", index + 1))?;
    }
    replay.end();
    Ok(replay.out)
}

impl Replay {
    fn say(&mut self, line: &Value) {
        let _ = writeln!(self.out, "{line}");
    }

    fn apply_line(&mut self, line: Line) -> Result<(), String> {
        let at = DateTime::parse_from_rfc3339(&line.at)
            .map_err(|_| format!("`{}` is no instant, such as 2026-01-01T00:01:00Z", line.at))?;
        let at = UnixMillis(at.timestamp_millis());
        self.services.extend(line.channels);
        let shown = rfc3339(at);
        if self.engine.last_tick().is_some_and(|last| at <= last.at) {
            self.say(&json!({ "at": shown, "skipped": "this tick, or a later one, was there before" }));
            return Ok(());
        }
        let mut probes: Vec<_> =
            line.probes.into_iter().map(|(id, finds)| self.probed(id, finds, at)).collect();
        let sight = line.references.sight();
        if self_check::is_suspect(&self.engine, &self.config, &probes, sight != SelfCheck::NotRun) {
            self_check::mark_unobserved(&self.engine, &mut probes, sight, at);
        }
        let tick = Tick { at, came: at };
        // The platform knows the zones; here every clock is UTC.
        let windows = announced_windows(&self.maintenance, at, |_, _| 0);
        self.engine.set_maintenance(affected_monitors(&windows, &self.config, at));
        let mut commit = self.engine.apply_tick(&self.config, tick, &probes);
        let recipients = Recipients { channels: &self.channels, subscribers: &[] };
        let facts = self.engine.incident_facts(&self.config);
        let plan = plan_notifications(facts, recipients, self.page.as_deref(), at);
        self.engine.record_notifications(plan.incidents, &mut commit);
        for event in &commit.events {
            self.say(&match event {
                EngineEvent::StateChanged { monitor, from, to, reason } => {
                    json!({ "at": shown, "monitor": monitor, "state": to.as_str(), "was": from.as_str(), "reason": reason })
                }
                EngineEvent::Restarted { monitor } => json!({ "at": shown, "monitor": monitor, "restarted": true }),
                EngineEvent::EdgeOffline { probes } => json!({ "at": shown, "unseen": probes }),
                EngineEvent::ProbeSkipped { monitor, reason } => {
                    json!({ "at": shown, "monitor": monitor, "blind": reason })
                }
            });
        }
        for incident in &commit.incidents {
            self.incident(&shown, incident);
        }
        for (channel, message) in plan.messages {
            self.say(&json!({
                "at": shown, "alert": message.key, "channel": channel, "occasion": message.occasion.as_str(),
                "title": message.title,
            }));
            self.rows.push(OutboxRow { id: self.next_row, channel, message, due: at, attempts: 0 });
            self.next_row += 1;
        }
        self.deliver(&shown, at);
        Ok(())
    }

    /// Says what of an incident others would notice.
    fn incident(&mut self, shown: &str, incident: &Incident) {
        let before = self.incidents.insert(incident.monitor.clone(), incident.clone());
        let before = before.filter(|before| before.opened == incident.opened);
        let face = |incident: &Incident| {
            (incident.closed, incident.severity, incident.cause, incident.inhibited_by.clone())
        };
        if before.as_ref().map(face) != Some(face(incident)) {
            self.say(&json!({
                "at": shown, "incident": incident.id().to_string(), "severity": incident.severity.as_str(),
                "cause": incident.cause.statement().text, "opened": rfc3339(incident.opened),
                "closed": incident.closed.map(rfc3339), "behind": incident.inhibited_by,
            }));
        }
    }

    fn deliver(&mut self, shown: &str, now: UnixMillis) {
        let due: Vec<OutboxRow> = sendable(&self.rows, now, 5).into_iter().cloned().collect();
        for row in due {
            let answered = match self.services.get(&row.channel).copied().unwrap_or(Says::Taken) {
                Says::Taken => DeliveryResult::Taken,
                Says::Failed => DeliveryResult::Failed,
                Says::Busy(seconds) => DeliveryResult::Busy(Some(Duration::from_secs(seconds))),
                Says::Refused(status) => DeliveryResult::Refused(status),
            };
            let key = row.message.key.clone();
            let what = match after(&row, answered, now) {
                Next::Again(due) => {
                    for other in self.rows.iter_mut().filter(|other| other.id == row.id) {
                        (other.due, other.attempts) = (due, row.attempts + 1);
                    }
                    continue;
                }
                Next::Delivered => "delivered",
                Next::Dropped => "dropped",
            };
            self.rows.retain(|other| other.id != row.id);
            self.say(
                &json!({ "at": shown, what: key, "channel": row.channel, "attempts": row.attempts + 1 }),
            );
        }
    }

    fn probed(&mut self, monitor: MonitorId, finds: Finds, at: UnixMillis) -> ProbeResult {
        let answer = |status, ms, body: Vec<u8>, report| {
            Ok(ProbeResponse {
                status,
                latency: Duration::from_millis(ms),
                body: ResponseBody::Whole(body),
                report,
            })
        };
        let result = match finds {
            Finds::Answer { status, ms, body } => answer(status, ms, body.into_bytes(), None),
            Finds::Health { ms, rss, uptime } => answer(200, ms, health(rss, uptime).to_json(), None),
            Finds::Failure(failure) => Err(ProbeError::Failed(failure)),
            Finds::Blind(blindness) => Err(ProbeError::Skipped(blindness)),
            Finds::Report(told) => {
                let signed = self.signed(&monitor, *told, at);
                answer(200, 10, signed.report.health().to_json(), Some(Box::new(signed)))
            }
        };
        ProbeResult { monitor, received: at, result }
    }

    /// The report that `told` is short for, with a sample for each second since the instance's last report.
    fn signed(&mut self, monitor: &MonitorId, told: LastReport, at: UnixMillis) -> VerifiedReport {
        let started = at.minus(Duration::from_secs(told.uptime));
        let (first, since) =
            self.numbers.get(&(monitor.clone(), told.instance)).copied().unwrap_or((0, started));
        let count = at.since(since).as_secs().min(3600);
        let memory = Bytes::from_mb(told.rss);
        let sample = |n: u64| Sample {
            at: at.minus(Duration::from_secs(count - 1 - n)),
            rss: memory,
            heap_used: memory,
            heap_total: memory,
            heap_resident: memory,
            working_set: memory,
        };
        let samples: Vec<_> = (0..count).map(sample).collect();
        self.numbers.insert((monitor.clone(), told.instance), (first + count, at));
        let Health { status, memory, uptime } = health(told.rss, told.uptime);
        let report = Report {
            status,
            memory,
            uptime,
            instance: InstanceId(told.instance),
            version: told.version,
            started,
            now: at,
            limit: Limit { bytes: Bytes::from_mb(told.limit), origin: String::new() },
            pressure: PressureState { level: told.pressure, since: at, shed: 0 },
            latest: samples.last().copied().unwrap_or_default(),
            system: System::default(),
            events: told.events,
            routes: Vec::new(),
            forecast: Forecaster::new().assess(Bytes::from_mb(told.limit)),
            samples: Block { first, count, lost: 0, data: series::encode(first, &samples) },
            missing: Vec::new(),
            previous_exit: told.previous_exit,
            last_samples: None,
        };
        VerifiedReport { report, series: Series { first, samples } }
    }

    /// What is left at the end: states, uptime, alerts that nobody took.
    fn end(&mut self) {
        let Some(last) = self.engine.last_tick() else { return };
        let view = self.engine.snapshot(&self.config, last.came);
        for monitor in &view.monitors {
            let uptime: serde_json::Map<_, _> = monitor
                .uptime
                .iter()
                .map(|window| {
                    let round = |share: f64| (share * 1000.0).round() / 1000.0;
                    let figures = json!({
                        "percent": window.percent.map(round), "coverage": round(window.coverage),
                    });
                    (window.window.clone(), figures)
                })
                .collect();
            let line = json!({
                "end": rfc3339(last.at), "monitor": monitor.id, "state": monitor.state.as_str(),
                "since": rfc3339(monitor.since), "uptime": uptime, "restarts": monitor.restarts.len(),
            });
            let _ = writeln!(self.out, "{line}");
        }
        for row in std::mem::take(&mut self.rows) {
            self.say(&json!({ "end": rfc3339(last.at), "waiting": row.message.key, "channel": row.channel }));
        }
    }
}

fn health(rss: u64, uptime: u64) -> Health {
    let memory = HealthMemory {
        rss: Megabytes(rss),
        heap_used: Megabytes(rss),
        heap_total: Megabytes(rss),
        external: Megabytes(0),
    };
    Health { memory, uptime, ..Health::default() }
}
