//! Replays a timeline of probe results through the edge's decision code, without a network, a store or waiting.
//!
//! Each line of JSON that goes in is a tick, which may be late, doubled or out of order. The lines of JSON that come out are the hub's
//! decisions: states, restarts, incidents, alerts and their delivery. The format is described in `docs/replay.md`.

mod error;
mod input;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use chrono::DateTime;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::report::{Block, EarlierInstances, Limit, PressureState, Report, System};
use heapbeat_shared::series;
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, Health, HealthMemory, InstanceId, Megabytes, Sample, UnixMillis};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::check::outcome::{ProbeError, ProbeResponse, ProbeResult, ResponseBody};
use crate::domain::check::self_check;
use crate::domain::check::self_check::SelfCheck;
use crate::domain::engine::{Engine, EngineEvent, Tick};
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::instant::rfc3339;
use crate::domain::maintenance::{affected_monitors, announced_windows};
use crate::domain::report::verification::VerifiedReport;
use crate::monitor_config::maintenance;
use crate::monitor_config::maintenance::{MAINTENANCE, Maintenance};
use crate::monitor_config::{MonitorConfig, MonitorId};
use crate::notify::{
    Channel, Channels, DeliveryResult, NotificationRecords, Recipient, SendQueue, Situation,
};

pub use error::ReplayError;

use input::{ConfigLine, DeliveryInput, ProbeInput, ReportInput, TickLine};

/// The most messages of a tick.
const MAX_MESSAGES: usize = 15;

/// The state between two lines.
struct Replay {
    config: MonitorConfig,
    channels: Channels,
    maintenance: Vec<Maintenance>,
    page: Option<String>,
    engine: Engine,
    /// What the channels were told.
    book: NotificationRecords,
    services: BTreeMap<MonitorId, DeliveryInput>,
    incidents: BTreeMap<MonitorId, Incident>,
    /// The next sample's number of each instance, and the instant of its last report.
    next_samples: BTreeMap<(MonitorId, u64), (u64, UnixMillis)>,
    out: String,
}

/// Replays a timeline. Returns the lines of its decisions.
pub fn replay(text: &str) -> Result<String, ReplayError> {
    let lines = text.lines().zip(1..);
    let mut lines = lines.filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'));
    let (first, _) = lines.next().ok_or(ReplayError::Empty)?;
    let mut replay = Replay::new(parse_line(first, 1)?)?;
    for (text, line) in lines {
        replay.apply_tick(parse_line(text, line)?, line)?;
    }
    replay.write_end();
    Ok(replay.out)
}

fn parse_line<T: DeserializeOwned>(text: &str, line: usize) -> Result<T, ReplayError> {
    serde_json::from_str(text).map_err(|error| ReplayError::Line { line, error })
}

impl Replay {
    fn new(input: ConfigLine) -> Result<Self, ReplayError> {
        let config = MonitorConfig::parse(Some(&input.monitors.to_string()), true);
        let channels = Channels::parse(input.alerts.map(|alerts| alerts.to_string()).as_deref(), true);
        let (maintenance, problems) = maintenance::parse_windows(MAINTENANCE, &input.maintenance);
        if let Some(problem) = config.problems.iter().chain(&channels.problems).chain(&problems).next() {
            return Err(ReplayError::Config(problem.clone()));
        }
        Ok(Replay {
            config,
            channels,
            maintenance,
            page: input.page,
            engine: Engine::default(),
            book: NotificationRecords::default(),
            services: BTreeMap::new(),
            incidents: BTreeMap::new(),
            next_samples: BTreeMap::new(),
            out: String::new(),
        })
    }

    fn write_line(&mut self, line: &Value) {
        let _ = writeln!(self.out, "{line}");
    }

    fn apply_tick(&mut self, input: TickLine, line: usize) -> Result<(), ReplayError> {
        let at = DateTime::parse_from_rfc3339(&input.at)
            .map_err(|_| ReplayError::Instant { line, at: input.at.clone() })?;
        let at = UnixMillis(at.timestamp_millis());
        self.services.extend(input.channels);
        let shown = rfc3339(at);
        if self.engine.last_tick().is_some_and(|last| at <= last.at) {
            self.write_line(
                &json!({ "at": shown, "ignored": "a tick with this or a later time was applied before" }),
            );
            return Ok(());
        }
        let mut probes: Vec<_> =
            input.probes.into_iter().map(|(id, result)| self.probe_result(id, result, at)).collect();
        let check = input.references.self_check();
        if self_check::is_suspect(&self.engine, &self.config, &probes, check != SelfCheck::NotRun) {
            self_check::mark_unobserved(&self.engine, &mut probes, check, at);
        }
        let tick = Tick { at, received: at };
        // Time zones are known to the platform only; here all of them are UTC.
        let windows = announced_windows(&self.maintenance, at, |_, _| 0);
        self.engine.set_maintenance(affected_monitors(&windows, &self.config, at));
        let commit = self.engine.apply_tick(&self.config, tick, &probes);
        for event in &commit.events {
            self.write_line(&match event {
                EngineEvent::StateChanged { monitor, from, to, reason } => {
                    json!({ "at": shown, "monitor": monitor, "state": to.as_str(), "was": from.as_str(), "reason": reason })
                }
                EngineEvent::Restarted { monitor } => json!({ "at": shown, "monitor": monitor, "restarted": true }),
                EngineEvent::EdgeOffline { probes } => json!({ "at": shown, "offline": probes }),
                EngineEvent::ProbeSkipped { monitor, reason } => {
                    json!({ "at": shown, "monitor": monitor, "skipped": reason })
                }
            });
        }
        for incident in &commit.incidents {
            self.write_incident(&shown, incident);
        }
        self.deliver(&shown, at);
        Ok(())
    }

    /// Writes a line about an incident if something that is notified or shown has changed.
    fn write_incident(&mut self, shown: &str, incident: &Incident) {
        let before = self.incidents.insert(incident.monitor.clone(), incident.clone());
        let before = before.filter(|before| before.opened == incident.opened);
        let visible = |incident: &Incident| {
            (incident.closed, incident.severity, incident.cause, incident.inhibited_by.clone())
        };
        if before.as_ref().map(visible) != Some(visible(incident)) {
            self.write_line(&json!({
                "at": shown, "incident": incident.id().to_string(), "severity": incident.severity.as_str(),
                "cause": incident.cause.statement().text, "opened": rfc3339(incident.opened),
                "closed": incident.closed.map(rfc3339), "inhibited_by": incident.inhibited_by,
            }));
        }
    }

    /// Sends the messages of a turn.
    fn deliver(&mut self, shown: &str, now: UnixMillis) {
        let situation = Situation::new(&self.engine, &self.config, now, self.page.as_deref());
        let recipient = |channel| {
            // Time zones are known to the platform only; here all of them are UTC.
            let is_quiet =
                |channel: &Channel| channel.quiet.as_ref().is_some_and(|it| it.is_quiet_at(now, 0));
            Recipient::channel(channel, is_quiet(channel), None)
        };
        let recipients: Vec<_> = self.channels.list.iter().map(recipient).collect();
        // Each tick has its turn, so no incident is replaced between two of them.
        let find = |_: &IncidentId| Ok::<_, Infallible>(None);
        let turn = self.book.plan_turn(&situation, &recipients, now, MAX_MESSAGES, find);
        for mut queue in SendQueue::list(&turn, now) {
            while let Some(delivery) = queue.next(&mut self.book, now) {
                let (channel, message) = (&delivery.recipient, &delivery.message);
                let input = self.services.get(channel).copied().unwrap_or(DeliveryInput::Accepted);
                let (result, name) = match input {
                    DeliveryInput::Accepted => (DeliveryResult::Accepted, "accepted".to_owned()),
                    DeliveryInput::Failed => (DeliveryResult::Failed(None), "failed".to_owned()),
                    DeliveryInput::RateLimited(seconds) => {
                        let delay = Some(Duration::from_secs(seconds));
                        (DeliveryResult::Deferred(429, delay), "rate-limited".to_owned())
                    }
                    DeliveryInput::Rejected(status) => {
                        (DeliveryResult::Rejected(status), format!("rejected: {status}"))
                    }
                };
                let line = json!({
                    "at": shown, "alert": message.key, "channel": channel, "event": message.event.as_str(),
                    "title": message.title, "result": name,
                });
                let _ = queue.record_result(&mut self.book, delivery, result, now);
                self.write_line(&line);
            }
        }
    }

    fn probe_result(&mut self, monitor: MonitorId, input: ProbeInput, at: UnixMillis) -> ProbeResult {
        let response = |status, ms, body: Vec<u8>, report| {
            let latency = Duration::from_millis(ms);
            Ok(ProbeResponse { report, ..ProbeResponse::new(status, latency, ResponseBody::Whole(body)) })
        };
        let result = match input {
            ProbeInput::Response { status, ms, body } => response(status, ms, body.into_bytes(), None),
            ProbeInput::Health { ms, rss, uptime } => response(200, ms, health(rss, uptime).to_json(), None),
            ProbeInput::Failure(failure) => Err(ProbeError::Failed(failure)),
            ProbeInput::Skipped(reason) => Err(ProbeError::Skipped(reason)),
            ProbeInput::Report(report) => {
                let verified = self.verified_report(&monitor, *report, at);
                response(200, 10, verified.report.health().to_json(), Some(Box::new(verified)))
            }
        };
        ProbeResult { monitor, received: at, result }
    }

    /// Completes an abridged report, with a sample for each second since the instance's last report.
    fn verified_report(&mut self, monitor: &MonitorId, input: ReportInput, at: UnixMillis) -> VerifiedReport {
        let started = at.minus(Duration::from_secs(input.uptime));
        let (first, since) =
            self.next_samples.get(&(monitor.clone(), input.instance)).copied().unwrap_or((0, started));
        let count = at.since(since).as_secs().min(3600);
        let memory = Bytes::from_mb(input.rss);
        let sample = |n: u64| Sample {
            at: at.minus(Duration::from_secs(count - 1 - n)),
            rss: memory,
            heap_used: memory,
            heap_total: memory,
            heap_resident: memory,
            working_set: memory,
        };
        let samples: Vec<_> = (0..count).map(sample).collect();
        self.next_samples.insert((monitor.clone(), input.instance), (first + count, at));
        let Health { status, memory, uptime } = health(input.rss, input.uptime);
        let report = Report {
            status,
            memory,
            uptime,
            instance: InstanceId(input.instance),
            version: input.version,
            started,
            now: at,
            limit: Limit { bytes: Bytes::from_mb(input.limit), origin: String::new() },
            pressure: PressureState { level: input.pressure, since: at, shed: 0 },
            latest: samples.last().copied().unwrap_or_default(),
            system: System::default(),
            events: input.events,
            routes: Vec::new(),
            functions: Vec::new(),
            forecast: Forecaster::new().assess(Bytes::from_mb(input.limit)),
            samples: Block { first, count, dropped: 0, data: series::encode(first, &samples) },
            unavailable_sources: Vec::new(),
            previous_exit: input.previous_exit,
            earlier: EarlierInstances::default(),
            last_samples: None,
            instances: Vec::new(),
            traffic: None,
        };
        VerifiedReport { report, series: Series { first, samples } }
    }

    /// Writes the final states, uptime, and what channels were not told.
    fn write_end(&mut self) {
        let Some(last) = self.engine.last_tick() else { return };
        let snapshot = self.engine.snapshot(&self.config, last.received);
        for monitor in &snapshot.monitors {
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
        let mut owed = Vec::new();
        for channel in &self.channels.list {
            let Some(record) = self.book.record(&channel.id) else { continue };
            for (monitor, opened, told) in record.incidents() {
                if told.owed_since.is_some() {
                    let incident = format!("{monitor}-{opened}");
                    owed.push(json!({ "end": rfc3339(last.at), "owed": incident, "channel": channel.id }));
                }
            }
        }
        for line in owed {
            self.write_line(&line);
        }
    }
}

/// The public response of a heapbeat server.
fn health(rss: u64, uptime: u64) -> Health {
    let memory = HealthMemory {
        rss: Megabytes(rss),
        heap_used: Megabytes(rss),
        heap_total: Megabytes(rss),
        external: Megabytes(0),
    };
    Health { memory, uptime, ..Health::default() }
}
