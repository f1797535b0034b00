//! A week in this process: the real engine and the real turn of notifications, with services that answer as the script says.

mod turns;

use std::time::Duration;

use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::check::probe_schedule::AttemptOutcome;
use heapbeat_edge::domain::engine::{Engine, ProbeAttempt, Tick};
use heapbeat_edge::domain::heartbeat::{JobSignal, JobState, check_job};
use heapbeat_edge::domain::incident::actions::IncidentUpdate;
use heapbeat_edge::domain::{Failure, ProbeSkipped};
use heapbeat_edge::monitor_config::{Heartbeat, Monitor, MonitorConfig, MonitorId, Target};
use heapbeat_edge::notify::subscriber::{self, Subscription};
use heapbeat_edge::notify::{Channels, NotificationRecords, Subscriber};
use heapbeat_forecast::Forecaster;
use heapbeat_shared::UnixMillis;
use heapbeat_shared::forecast::Assessment;

use crate::record::{Acted, Record};
use crate::reports::{MEMORY_LIMIT, signed_report};
use crate::script::{
    Action, CHANNELS, Found, HOUR, JOB, MONITORS, Report, SERVER, Script, Skip, TickKind, TickPlan,
};
use crate::store::Store;

/// The edge without a network.
struct Simulation<'s> {
    script: &'s Script,
    channels: Channels,
    subscriber: Subscriber,
    is_subscribed: bool,
    ids: Vec<MonitorId>,
    config: MonitorConfig,
    engine: Engine,
    records: NotificationRecords,
    job: Option<JobState>,
    store: Store,
    record: Record,
    /// The forecast of every report: there is none.
    forecast: Assessment,
}

/// The edge was killed.
struct Killed;

/// Runs a week.
pub(crate) fn simulate(script: &Script) -> Record {
    let mut simulation = Simulation::new(script);
    for (number, tick) in script.ticks.iter().enumerate() {
        if script.is_edited(number) {
            simulation.configure(&script.config(tick, &|_| "https://a.example".to_owned()));
        }
        simulation.run_tick(number, tick);
    }
    simulation.record
}

impl<'s> Simulation<'s> {
    fn new(script: &'s Script) -> Self {
        let kinds = ["webhook", "slack", "pagerduty"];
        let channel = |index: usize| {
            let mut entry =
                serde_json::json!({ "id": format!("c{index}"), "kind": kinds[index], "secret": "S" });
            if let Some(reminder) = script.reminders[index] {
                entry["reminder"] = format!("{}h", reminder / HOUR).into();
            }
            if let Some((from, to)) = script.quiet[index] {
                entry["quiet"] = format!("{from:02}:00-{to:02}:00").into();
            }
            entry
        };
        let list: Vec<_> = (0..CHANNELS).map(channel).collect();
        let channels = Channels::parse(Some(&serde_json::json!(list).to_string()), false);
        assert_eq!(channels.problems, []);
        let delivery = subscriber::Delivery::Webhook { secret: "whsec_AAAA".into() };
        let subscription =
            Subscription { url: "https://b.example/".into(), delivery, monitors: Vec::new(), client: 0 };
        Simulation {
            script,
            channels,
            subscriber: Subscriber::new(subscription).unwrap(),
            is_subscribed: true,
            ids: (0..MONITORS).map(|monitor| format!("m{monitor}").parse().unwrap()).collect(),
            config: MonitorConfig::default(),
            engine: Engine::default(),
            records: NotificationRecords::default(),
            job: None,
            store: Store::default(),
            record: Record::default(),
            forecast: Forecaster::new().assess(MEMORY_LIMIT),
        }
    }

    fn configure(&mut self, list: &[serde_json::Value]) {
        self.config = MonitorConfig::parse(Some(&serde_json::json!(list).to_string()), false);
        assert_eq!(self.config.problems, []);
        if !self.config.monitors.iter().any(|it| it.id == self.ids[JOB]) {
            self.job = None;
        }
    }

    fn run_tick(&mut self, number: usize, tick: &TickPlan) {
        if tick.restarts {
            self.restart();
        }
        if tick.kind == TickKind::Missed {
            return;
        }
        self.is_subscribed |= tick.subscribes;
        self.probe(tick);
        let turns = if tick.kind == TickKind::Doubled { 2 } else { 1 };
        if (0..turns).try_for_each(|_| self.run_turn(number, tick)).is_err() {
            self.restart();
        }
        if let (Some(report), Some(job)) = (tick.report, find_job(&self.config)) {
            let signal = match report {
                Report::Start => JobSignal::Start,
                Report::Success => JobSignal::Success,
                Report::Failure => JobSignal::Fail(Some(1)),
            };
            self.job =
                Some(JobState::after_signal(self.job.as_ref(), job, signal, UnixMillis(tick.at), |_| 0));
        }
        if let Some((monitor, action)) = tick.action {
            self.act(number, tick, monitor, action);
        }
    }

    /// The edge is stopped, and begins with what is stored.
    fn restart(&mut self) {
        (self.engine, self.records) = self.store.load();
    }

    fn probe(&mut self, tick: &TickPlan) {
        let at = UnixMillis(tick.at);
        let maintained = (0..MONITORS).filter(|it| tick.monitors[*it].maintained);
        self.engine.set_maintenance(maintained.map(|it| self.ids[it].clone()).collect());
        let (mut probes, mut left_out) = (Vec::new(), Vec::new());
        for monitor in (0..MONITORS).filter(|it| tick.monitors[*it].listed) {
            let result = match find_job(&self.config).filter(|_| monitor == JOB) {
                Some(job) => {
                    let unwatched = || self.engine.unwatched_spans(&self.ids[JOB], at);
                    check_job(self.job.as_ref(), job, at, |_| 0, unwatched)
                }
                None if tick.offline => Err(ProbeSkipped::EdgeOffline.into()),
                None => match tick.monitors[monitor].skipped {
                    Some(Skip::Secret) => Err(ProbeSkipped::Secret.into()),
                    Some(skip) => {
                        let outcome = if skip == Skip::NoRoom {
                            AttemptOutcome::NoRoom
                        } else {
                            AttemptOutcome::NoTime
                        };
                        left_out.push(ProbeAttempt::not_started(self.ids[monitor].clone(), outcome));
                        continue;
                    }
                    None => self.request(tick, monitor),
                },
            };
            probes.push(ProbeResult { monitor: self.ids[monitor].clone(), received: at, result });
        }
        self.engine.record_attempts(at, &left_out);
        let changes = self.engine.apply_tick(&self.config, Tick { at, received: at }, &probes);
        self.store.commit(changes);
    }

    fn request(
        &self,
        tick: &TickPlan,
        monitor: usize,
    ) -> Result<ProbeResponse, heapbeat_edge::domain::check::outcome::ProbeError> {
        let respond = |status, ms, body: &str| {
            ProbeResponse::new(
                status,
                Duration::from_millis(ms),
                ResponseBody::Whole(body.as_bytes().to_vec()),
            )
        };
        let mut response = match tick.monitors[monitor].found {
            Found::Well => respond(200, 5, "well"),
            Found::Slow => respond(200, 500, "slow"),
            Found::Missing => respond(404, 5, ""),
            Found::Refused => return Err(Failure::ConnectionRefused.into()),
        };
        if monitor == SERVER {
            let report = signed_report(self.script, tick, self.forecast);
            response.body = ResponseBody::Whole(report.report.health().to_json());
            response.report = Some(Box::new(report));
        }
        Ok(response)
    }

    /// Somebody on call acts on the open incident of a monitor.
    fn act(&mut self, number: usize, tick: &TickPlan, monitor: usize, action: Action) {
        let open = self.engine.latest_incident(&self.ids[monitor]).filter(|it| it.closed.is_none()).cloned();
        let incident = open.as_ref().map(|it| it.id().to_string());
        self.record.acted.push(Acted { tick: number, monitor, incident });
        let Some(mut incident) = open else { return };
        let is_resolved = action == Action::Resolve;
        let update = IncidentUpdate { note: None, acknowledge: !is_resolved, resolve: is_resolved };
        update.apply(&mut incident, UnixMillis(tick.at)).unwrap();
        self.store.write_incident(&incident);
        self.engine.replace_incident(incident);
    }
}

fn find_job(config: &MonitorConfig) -> Option<&Heartbeat> {
    let job = |monitor: &'_ Monitor| matches!(monitor.target, Target::Heartbeat(_));
    match &config.monitors.iter().find(|it| job(it))?.target {
        Target::Heartbeat(job) => Some(job),
        _ => None,
    }
}
