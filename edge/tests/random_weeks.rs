//! Random weeks through the real engine and the real turn of alerts, beside a simple model of what each channel must have been told.
//!
//! The model knows the script of a week (what each probe finds, which channel works when) and the messages that a channel's service
//! has accepted. It knows nothing of incidents, records and circuits. It holds `docs/alerts.md` against the messages:
//!
//! - **false**: a message says what no probe has just found, or that all is well while it is not.
//! - **lost**: a channel that works, and that is to be told of a monitor, believes something else for longer than the stated delay.
//! - **doubled**: the same is said twice in a row with two keys, without a lost answer between.
//! - **unasked**: a channel is told of trouble in its quiet hours, or of trouble that a dependency explains of which it was told.
//!
//! `HEAPBEAT_WEEKS=10000 cargo test --release -p heapbeat-edge --test random_weeks` runs that many; `HEAPBEAT_WEEK=17` runs one and prints it.
//! To shrink a week that fails, lower `HEAPBEAT_WEEK_TICKS`.

#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use heapbeat_edge::domain::Failure;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, Tick};
use heapbeat_edge::domain::incident::Severity;
use heapbeat_edge::domain::incident::actions::IncidentUpdate;
use heapbeat_edge::domain::incident::notification::NotificationReason;
use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_edge::notify::message::MessageEvent;
use heapbeat_edge::notify::records::Subject;
use heapbeat_edge::notify::{Channels, DeliveryResult, Message, NotificationRecords, Recipient, Situation};
use heapbeat_shared::UnixMillis;

/// The time between two ticks, and the interval of every monitor.
const STEP: i64 = 300_000;

/// The ticks of a week.
const TICKS: i64 = 7 * 288;

/// The longest time from a change until a channel that works has been told: the longest delay of a circuit, and three ticks.
const DELAY: i64 = 15 * 60_000 + 3 * STEP;

/// The same for an improvement or a recovery, which waits for a monitor that flaps to hold its state.
const CALM_DELAY: i64 = 30 * 60_000 + 15 * 60_000 + 3 * STEP;

/// A service may ask for so long.
const RETRY_AFTER: i64 = 3_600_000;

const MONITORS: usize = 4;
const CHANNELS: usize = 3;

/// What a probe finds.
type Found = Option<Severity>;

/// What is random about a week.
struct Script {
    depends: [Option<usize>; MONITORS],
    /// Whether a channel is told of a monitor.
    wants: [[bool; MONITORS]; CHANNELS],
    present: [bool; MONITORS],
    maintained: [bool; MONITORS],
    found: [Found; MONITORS],
    works: [Service; CHANNELS],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Service {
    Works,
    Fails,
    Busy,
    Rejects,
    /// It accepts, and its answer is lost.
    Mute,
}

impl Script {
    fn new(rng: &mut Rng) -> Self {
        let mut depends = [None; MONITORS];
        for (index, on) in depends.iter_mut().enumerate().skip(1) {
            *on = rng.bool().then(|| rng.usize(..index));
        }
        let mut wants = [[true; MONITORS]; CHANNELS];
        wants.iter_mut().flatten().for_each(|it| *it = rng.u8(..10) < 8);
        Script {
            depends,
            wants,
            present: [true; MONITORS],
            maintained: [false; MONITORS],
            found: [None; MONITORS],
            works: [Service::Works; CHANNELS],
        }
    }

    /// Changes what is random at a tick.
    fn step(&mut self, rng: &mut Rng) {
        for monitor in 0..MONITORS {
            if rng.u8(..60) == 0 || self.found[monitor].is_some() && rng.u8(..8) == 0 {
                self.found[monitor] =
                    [None, None, Some(Severity::Degraded), Some(Severity::Down)][rng.usize(..4)];
            }
            self.maintained[monitor] =
                if self.maintained[monitor] { rng.u8(..20) != 0 } else { rng.u16(..1500) == 0 };
            if rng.u16(..1000) == 0 {
                self.present[monitor] =
                    !self.present[monitor] || self.present.iter().filter(|it| **it).count() == 1;
            }
            if rng.u16(..800) == 0 {
                let channel = rng.usize(..CHANNELS);
                self.wants[channel][monitor] = !self.wants[channel][monitor];
            }
        }
        for works in &mut self.works {
            if rng.u16(..150) == 0 || *works != Service::Works && rng.u8(..15) == 0 {
                let states = [Service::Works, Service::Fails, Service::Busy, Service::Rejects, Service::Mute];
                *works = states[rng.usize(..5)];
            }
        }
    }

    fn config(&self) -> MonitorConfig {
        let entry = |monitor: usize| {
            let alerts: Vec<_> =
                (0..CHANNELS).filter(|it| self.wants[*it][monitor]).map(|it| format!(r#""c{it}""#)).collect();
            let on = self.depends[monitor].filter(|on| self.present[*on]);
            format!(
                r#"{{"id":"m{monitor}","kind":"http","url":"https://a.example","interval":"5m","failure-threshold":1,
                "degraded":["[RESPONSE_TIME] < 100"],"alerts":[{}],"depends-on":[{}]}}"#,
                alerts.join(","),
                on.map_or_else(String::new, |on| format!(r#""m{on}""#))
            )
        };
        let list: Vec<_> = (0..MONITORS).filter(|it| self.present[*it]).map(entry).collect();
        let config = MonitorConfig::parse(Some(&format!("[{}]", list.join(","))), false);
        assert_eq!(config.problems, []);
        config
    }

    fn is_watched(&self, monitor: usize) -> bool {
        self.present[monitor] && !self.maintained[monitor]
    }

    /// Whether trouble of a dependency that the same channel is told of explains trouble of `severity`.
    fn is_explained(
        &self,
        channel: usize,
        monitor: usize,
        severity: Severity,
        muted: [Found; MONITORS],
    ) -> bool {
        let Some(on) = self.depends[monitor].filter(|on| self.present[*on]) else { return false };
        let explains = self.is_watched(on)
            && self.wants[channel][on]
            && muted[on].is_none()
            && self.found[on].is_some_and(|found| found >= severity);
        explains || self.is_explained(channel, on, severity, muted)
    }
}

/// What one channel was told about one monitor, and since when it should believe something else.
#[derive(Clone, Default)]
struct Belief {
    /// The severity by incident; none is left of what is over.
    told: BTreeMap<i64, Severity>,
    /// The last message that was accepted: its incident, state and key.
    last: Option<(i64, Found, String)>,
    /// Whether an attempt had an unknown result since.
    uncertain: bool,
    differs_since: Option<i64>,
}

struct Week {
    rng: Rng,
    script: Script,
    engine: Engine,
    records: NotificationRecords,
    beliefs: Vec<Vec<Belief>>,
    /// Since when nothing keeps a channel from being told.
    free_since: [i64; CHANNELS],
    /// Since when a probe finds the same; and the severity with which somebody resolved the incident.
    same_since: [i64; MONITORS],
    muted: [Found; MONITORS],
    log: Vec<String>,
}

fn quiet(channel: usize, now: i64) -> bool {
    let hour = now / 3_600_000 % 24;
    channel == 1 && !(7..22).contains(&hour)
}

impl Week {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let script = Script::new(&mut rng);
        Week {
            rng,
            script,
            engine: Engine::default(),
            records: NotificationRecords::default(),
            beliefs: vec![vec![Belief::default(); MONITORS]; CHANNELS],
            free_since: [0; CHANNELS],
            same_since: [0; MONITORS],
            muted: [None; MONITORS],
            log: Vec::new(),
        }
    }

    fn run(&mut self, ticks: i64) -> Result<(), String> {
        let channels = Channels::parse(
            Some(
                r#"[{"id":"c0","kind":"webhook","secret":"S"},
                {"id":"c1","kind":"slack","secret":"S","quiet":"22:00-07:00","reminder":"1h"},
                {"id":"c2","kind":"pagerduty","secret":"S","reminder":"4h"}]"#,
            ),
            false,
        );
        assert_eq!(channels.problems, []);
        for tick in 1..=ticks {
            let before = self.script.found;
            self.script.step(&mut self.rng);
            let now = tick * STEP;
            for (monitor, found) in before.iter().enumerate() {
                if *found != self.script.found[monitor] {
                    self.same_since[monitor] = now;
                }
            }
            // A tick is missed now and then; what was found is not known then.
            if self.rng.u8(..40) == 0 {
                self.same_since = [now; MONITORS];
                continue;
            }
            self.tick(&channels, now)?;
            if self.rng.u8(..30) == 0 {
                self.turn(&channels, now)?;
            }
            self.act(now);
            self.check(now)?;
        }
        Ok(())
    }

    fn tick(&mut self, channels: &Channels, now: i64) -> Result<(), String> {
        let at = UnixMillis(now);
        let config = self.script.config();
        let id = |monitor: usize| format!("m{monitor}").parse().unwrap();
        let maintained = (0..MONITORS).filter(|it| self.script.maintained[*it]).map(id).collect();
        self.engine.set_maintenance(maintained);
        let probe = |monitor: usize| {
            let response = |ms| ProbeResponse {
                status: 200,
                latency: Duration::from_millis(ms),
                body: ResponseBody::Unread,
                report: None,
            };
            let result = match self.script.found[monitor] {
                None => Ok(response(5)),
                Some(Severity::Down) => Err(Failure::ConnectionRefused.into()),
                Some(_) => Ok(response(500)),
            };
            ProbeResult { monitor: id(monitor), received: at, result }
        };
        let probes: Vec<_> = (0..MONITORS).filter(|it| self.script.present[*it]).map(probe).collect();
        let _ = self.engine.apply_tick(&config, Tick { at, received: at }, &probes);
        for monitor in 0..MONITORS {
            let found = self.script.found[monitor];
            if found.is_none() || found > self.muted[monitor] || !self.script.is_watched(monitor) {
                self.muted[monitor] = None;
            }
        }
        self.turn(channels, now)
    }

    fn turn(&mut self, channels: &Channels, now: i64) -> Result<(), String> {
        let config = self.script.config();
        let situation =
            Situation { config: &config, incidents: self.engine.incident_statuses(), status_page: None };
        let recipients: Vec<Recipient<'_>> = channels
            .list
            .iter()
            .enumerate()
            .map(|(index, channel)| Recipient::channel(channel, quiet(index, now), None))
            .collect();
        let turn = self.records.plan_turn(&situation, &recipients, UnixMillis(now), 5 + self.rng.usize(..10));
        let mut stopped = [false; CHANNELS];
        for delivery in turn.deliveries {
            let channel = channels.list.iter().position(|it| it.id == delivery.recipient).unwrap();
            if stopped[channel] {
                continue;
            }
            let result = match self.script.works[channel] {
                Service::Works => DeliveryResult::Accepted,
                Service::Fails => DeliveryResult::Failed(Some(500)),
                Service::Mute => DeliveryResult::Failed(None),
                Service::Busy => {
                    DeliveryResult::Deferred(429, Some(Duration::from_secs(self.rng.u64(..3600))))
                }
                Service::Rejects => DeliveryResult::Rejected(404),
            };
            stopped[channel] = result != DeliveryResult::Accepted;
            let accepted = matches!(self.script.works[channel], Service::Works | Service::Mute);
            self.log.push(format!("{} c{channel} {:?} {result:?}", now / STEP, delivery.message.key));
            for covered in &delivery.covers {
                let Subject::Incident(monitor, opened) = &covered.subject else { continue };
                let monitor: usize = monitor.as_str()[1..].parse().unwrap();
                let said = (*opened, covered.severity, delivery.message.key.clone());
                if accepted {
                    self.judge(now, (channel, monitor), &said, &delivery.message)?;
                }
                let belief = &mut self.beliefs[channel][monitor];
                if accepted {
                    match covered.severity {
                        Some(severity) => belief.told.insert(*opened, severity),
                        None => belief.told.remove(opened),
                    };
                    belief.last = Some(said);
                    belief.uncertain = false;
                }
                belief.uncertain |= result != DeliveryResult::Accepted;
            }
            self.records.record_result(&delivery, result, UnixMillis(now));
        }
        Ok(())
    }

    /// Whether a channel was told of trouble of the monitor's dependency that is as bad, and that goes on.
    fn knows_of_dependency(&self, channel: usize, monitor: usize, severity: Severity) -> bool {
        let Some(on) = self.script.depends[monitor].filter(|on| self.script.present[*on]) else {
            return false;
        };
        let belief = &self.beliefs[channel][on];
        self.script.is_watched(on)
            && self.script.wants[channel][on]
            && self.muted[on].is_none()
            && !belief.uncertain
            && self.script.found[on].is_some_and(|found| found >= severity)
            && belief.told.values().any(|told| *told >= severity)
    }

    /// Whether a message that was accepted is true and new.
    fn judge(
        &self,
        now: i64,
        (channel, monitor): (usize, usize),
        said: &(i64, Found, String),
        Message { event, title, .. }: &Message,
    ) -> Result<(), String> {
        let event = *event;
        let belief = &self.beliefs[channel][monitor];
        let found = self.script.found[monitor];
        let watched = self.script.is_watched(monitor) && self.script.wants[channel][monitor];
        let fail = |what: &str| {
            Err(format!("tick {}: {what}: c{channel} m{monitor} {said:?} {event:?} {title}", now / STEP))
        };
        let is_new = belief.last.as_ref().is_none_or(|last| last.2 != said.2);
        let reason = match event {
            MessageEvent::Incident(reason) => Some(reason),
            _ => None,
        };
        if let Some(severity) = said.1 {
            if found != Some(severity) || !watched {
                return fail("false");
            }
            if quiet(channel, now) && severity != Severity::Down && !belief.told.contains_key(&said.0) {
                let was_down = self.engine.latest_incident(&format!("m{monitor}").parse().unwrap());
                if was_down.is_some_and(|it| it.severity != Severity::Down) {
                    return fail("told in quiet hours");
                }
            }
            let is_trouble = matches!(reason, Some(NotificationReason::Opened | NotificationReason::Worse));
            if is_trouble && self.knows_of_dependency(channel, monitor, severity) {
                return fail("told of what a dependency explains");
            }
        } else if reason == Some(NotificationReason::Recovered) && found.is_some() && watched {
            // It may be about an earlier incident, which is over; then it must not say that the monitor is well.
            let latest = self.engine.latest_incident(&format!("m{monitor}").parse().unwrap());
            let is_latest = latest.is_some_and(|latest| latest.opened.0 / 1000 == said.0);
            if is_latest || title.ends_with("has recovered") {
                return fail("false recovery");
            }
        }
        let repeats = belief.last.as_ref().is_some_and(|last| (last.0, last.1) == (said.0, said.1));
        if is_new && repeats && !belief.uncertain && reason != Some(NotificationReason::Reminder) {
            return fail("doubled");
        }
        Ok(())
    }

    /// Somebody on call acts on an incident.
    fn act(&mut self, now: i64) {
        let monitor = self.rng.usize(..MONITORS);
        let id = format!("m{monitor}").parse().unwrap();
        let Some(incident) = self.engine.latest_incident(&id).filter(|it| it.closed.is_none()) else {
            return;
        };
        let action = self.rng.u8(..60);
        let update = IncidentUpdate { note: None, acknowledge: action == 0, resolve: action == 1 };
        let mut incident = incident.clone();
        if action < 2 && update.apply(&mut incident, UnixMillis(now)).is_ok() {
            self.log.push(format!("{} m{monitor} {update:?}", now / STEP));
            if update.resolve {
                self.muted[monitor] = self.script.found[monitor];
            }
            self.engine.replace_incident(incident);
        }
    }

    /// Whether a channel that works believes what is so, within the stated delay.
    fn check(&mut self, now: i64) -> Result<(), String> {
        for channel in 0..CHANNELS {
            if self.script.works[channel] != Service::Works {
                // It may have asked for a pause in its last answer.
                self.free_since[channel] = now + RETRY_AFTER;
            }
            for monitor in 0..MONITORS {
                let watched = self.script.is_watched(monitor) && self.script.wants[channel][monitor];
                let found = self.script.found[monitor].filter(|_| watched && self.muted[monitor].is_none());
                let held = found.is_some_and(|it| self.script.is_explained(channel, monitor, it, self.muted))
                    || quiet(channel, now) && found != Some(Severity::Down);
                let belief = &mut self.beliefs[channel][monitor];
                let worst = belief.told.values().max().copied();
                if held
                    || worst == found
                    || worst.is_some() && belief.told.values().any(|it| Some(*it) == found)
                {
                    belief.differs_since = None;
                    continue;
                }
                let differs = *belief.differs_since.get_or_insert(now);
                let begin = differs.max(self.free_since[channel]).max(self.same_since[monitor]);
                let allowed = if found < worst { CALM_DELAY } else { DELAY };
                if now - begin > allowed {
                    return Err(format!(
                        "tick {}: lost: c{channel} believes {:?} of m{monitor}, which is {found:?} since tick {}",
                        now / STEP,
                        belief.told,
                        self.same_since[monitor] / STEP
                    ));
                }
            }
        }
        Ok(())
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_channel_ends_up_having_been_told_the_truth() {
    let ticks = variable("HEAPBEAT_WEEK_TICKS").and_then(|ticks| i64::try_from(ticks).ok()).unwrap_or(TICKS);
    let seeds = match variable("HEAPBEAT_WEEK") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("HEAPBEAT_WEEKS").unwrap_or(12),
    };
    let (mut failures, count) = (Vec::new(), seeds.end - seeds.start);
    for seed in seeds {
        let mut week = Week::new(seed);
        if let Err(error) = week.run(ticks) {
            if count == 1 {
                println!("{}", week.log.join("\n"));
            }
            failures.push(format!("HEAPBEAT_WEEK={seed}: {error}"));
        }
    }
    let first: Vec<_> = failures.iter().take(12).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} of {count} weeks:\n{}", failures.len(), first.join("\n"));
}
