//! Monitors and channels with a tick a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use crate::domain::check::probe_schedule::AttemptOutcome;
use crate::domain::engine::{Engine, ProbeAttempt, Tick};
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::{Incident, Severity};
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::MonitorConfig;
use crate::notify::circuit::Obstacle;
use crate::notify::message::MessageEvent;
use crate::notify::subscriber::Subscriber;
use crate::notify::{
    ChannelId, ChannelKind, Channels, DeliveryResult, Message, NotificationRecords, Recipient,
    RecipientRecord, RecordChange, SendQueue, Situation, Turn,
};

#[path = "../../../../tests/support/replies.rs"]
mod replies;
#[path = "../../../../tests/support/service.rs"]
mod service;

pub(super) use service::Service;

/// What becomes of a message to a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    Answered(Service),
    /// The service accepts it, and the edge is killed before it can record that.
    KillsTheEdge,
    /// The secret is not set.
    Unset,
}

impl From<Service> for Fate {
    fn from(service: Service) -> Self {
        Fate::Answered(service)
    }
}

/// A message that a service accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) minute: i64,
    pub(super) channel: String,
    pub(super) message: Message,
}

/// The edge without a network.
pub(super) struct World {
    pub(super) config: MonitorConfig,
    pub(super) channels: Channels,
    pub(super) subscribers: Vec<Subscriber>,
    pub(super) engine: Engine,
    pub(super) book: NotificationRecords,
    pub(super) fates: BTreeMap<String, Fate>,
    /// Whether nothing can be stored of what recipients were told.
    pub(super) store_fails: bool,
    /// How long each message takes.
    pub(super) send_time: Duration,
    pub(super) accepted: Vec<Accepted>,
    pub(super) minute: i64,
    pub(super) budget: usize,
    /// The number of requests, and of rows written.
    pub(super) requests: usize,
    pub(super) rows_written: usize,
    /// What each channel believes of each incident, by the messages that its service received.
    pub(super) beliefs: BTreeMap<(String, String), Option<Severity>>,
    /// The keys of what each channel received, and `?` for an attempt whose result is not known.
    pub(super) received: BTreeMap<String, Vec<String>>,
    /// What each key that a channel received says.
    claims: BTreeMap<(String, String), String>,
    stored: BTreeMap<ChannelId, RecipientRecord>,
    pub(super) incidents: BTreeMap<(String, i64), Incident>,
}

/// Reads monitors, each by its settings beside kind and address: `"id":"api"`.
pub(super) fn monitors(entries: &[String]) -> MonitorConfig {
    let entry = |more: &String| {
        format!(
            r#"{{"kind":"http","url":"https://a.example","degraded":["[RESPONSE_TIME] < 100"],"failure-threshold":1,{more}}}"#
        )
    };
    let list: Vec<_> = entries.iter().map(entry).collect();
    let config = MonitorConfig::parse(Some(&format!("[{}]", list.join(","))), false);
    assert_eq!(config.problems, []);
    config
}

/// Reads channels: `ops slack`, with further settings after the kind.
pub(super) fn channels(entries: &[&str]) -> Channels {
    let entry = |text: &&str| {
        let mut words = text.splitn(3, ' ');
        let (id, kind) = (words.next().unwrap(), words.next().unwrap());
        let more = words.next().map(|more| format!(",{more}")).unwrap_or_default();
        format!(r#"{{"id":"{id}","kind":"{kind}","secret":"S"{more}}}"#)
    };
    let list: Vec<_> = entries.iter().map(entry).collect();
    let channels = Channels::parse(Some(&format!("[{}]", list.join(","))), false);
    assert_eq!(channels.problems, []);
    channels
}

impl World {
    /// Monitors with these settings, and channels.
    pub(super) fn new(entries: &[String], list: &[&str]) -> World {
        World {
            config: monitors(entries),
            channels: channels(list),
            subscribers: Vec::new(),
            engine: Engine::default(),
            book: NotificationRecords::default(),
            fates: BTreeMap::new(),
            store_fails: false,
            send_time: Duration::ZERO,
            accepted: Vec::new(),
            minute: 0,
            budget: 5,
            requests: 0,
            rows_written: 0,
            beliefs: BTreeMap::new(),
            received: BTreeMap::new(),
            claims: BTreeMap::new(),
            stored: BTreeMap::new(),
            incidents: BTreeMap::new(),
        }
    }

    /// Monitors with these ids.
    pub(super) fn with_ids(ids: &[&str], list: &[&str]) -> World {
        World::new(&ids.iter().map(|id| format!(r#""id":"{id}""#)).collect::<Vec<_>>(), list)
    }

    pub(super) fn set(&mut self, channel: &str, fate: impl Into<Fate>) {
        self.fates.insert(channel.to_owned(), fate.into());
    }

    pub(super) fn now(&self) -> UnixMillis {
        UnixMillis(self.minute * 60_000)
    }

    /// Runs a tick for each text, which has a letter for each monitor: `u`p, slow (`g`), `d`own, not asked as there is no room
    /// (`x`; `n` if its probe was not even started), the edge is offline (`o`), a job that has not been heard of (`h`), or `-` for no probe.
    pub(super) fn run(&mut self, ticks: &[&str]) {
        for letters in ticks {
            self.probe(letters);
            self.notify();
            self.minute += 1;
        }
    }

    /// Runs the same tick for some minutes.
    pub(super) fn run_for(&mut self, minutes: i64, letters: &str) {
        for _ in 0..minutes {
            self.run(&[letters]);
        }
    }

    pub(super) fn probe(&mut self, letters: &str) {
        let at = self.now();
        assert_eq!(letters.len(), self.config.monitors.len());
        let (mut probes, mut left_out) = (Vec::new(), Vec::new());
        for (monitor, letter) in self.config.monitors.iter().zip(letters.chars()) {
            let response = |ms| ProbeResponse::new(200, Duration::from_millis(ms), ResponseBody::Unread);
            let result = match letter {
                '-' => continue,
                'n' => {
                    let attempt = ProbeAttempt::not_started(monitor.id.clone(), AttemptOutcome::NoRoom);
                    left_out.push(attempt);
                    continue;
                }
                'd' => Err(Failure::ConnectionRefused.into()),
                'g' => Ok(response(500)),
                'x' => Err(ProbeSkipped::Budget.into()),
                'o' => Err(ProbeSkipped::EdgeOffline.into()),
                'h' => Err(ProbeSkipped::NoHeartbeatYet.into()),
                _ => Ok(response(5)),
            };
            probes.push(ProbeResult { monitor: monitor.id.clone(), received: at, result });
        }
        self.engine.record_attempts(at, &left_out);
        let commit = self.engine.apply_tick(&self.config, Tick { at, received: at }, &probes);
        for incident in commit.incidents {
            self.incidents.insert((incident.monitor.to_string(), incident.opened.0 / 1000), incident);
        }
    }

    /// Changes the latest incident of a monitor, as somebody on call does.
    pub(super) fn change_incident(&mut self, monitor: &str, change: impl FnOnce(&mut Incident, UnixMillis)) {
        let mut incident = self.engine.latest_incident(&monitor.parse().unwrap()).unwrap().clone();
        change(&mut incident, self.now());
        self.incidents.insert((monitor.to_owned(), incident.opened.0 / 1000), incident.clone());
        self.engine.replace_incident(incident);
    }

    /// Runs the turns of channels and subscribers, and sends their messages.
    pub(super) fn notify(&mut self) {
        let now = self.now();
        let (channels, subscribers) = (self.channels.clone(), self.subscribers.clone());
        let recipient = |channel: &'_ crate::notify::Channel| {
            let is_quiet = channel.quiet.as_ref().is_some_and(|quiet| quiet.is_quiet_at(now, 0));
            let is_unset = self.fates.get(channel.id.as_str()) == Some(&Fate::Unset);
            (is_quiet, is_unset.then_some(Obstacle::NoSecret))
        };
        let states: Vec<_> = channels.list.iter().map(recipient).collect();
        let channel_recipients: Vec<_> = channels
            .list
            .iter()
            .zip(states)
            .map(|(channel, (is_quiet, obstacle))| Recipient::channel(channel, is_quiet, obstacle))
            .collect();
        let subscriber_recipients: Vec<_> = subscribers.iter().map(Recipient::subscriber).collect();
        for recipients in [channel_recipients, subscriber_recipients] {
            let situation = Situation::new(&self.engine, &self.config, now, None);
            let find = |id: &IncidentId| {
                let stored = self.incidents.get(&(id.monitor.to_string(), id.opened)).cloned();
                if self.store_fails { Err(()) } else { Ok(stored) }
            };
            let turn = self.book.plan_turn(&situation, &recipients, now, self.budget, find);
            assert!(turn.deliveries.len() <= self.budget);
            self.store(turn.changes.clone());
            self.send(&turn);
        }
    }

    fn send(&mut self, turn: &Turn) {
        let begin = self.now();
        for mut queue in SendQueue::list(turn, begin) {
            let mut clock = begin;
            while let Some(delivery) = queue.next(&mut self.book, clock) {
                clock = clock.plus(self.send_time);
                self.requests += 1;
                let channel = delivery.recipient.to_string();
                let fate = self.fates.get(&channel).copied().unwrap_or(Service::Works.into());
                if fate == Fate::KillsTheEdge || matches!(fate, Fate::Answered(it) if it.accepts()) {
                    let (minute, message) = (self.minute, delivery.message.clone());
                    self.receive(&channel, &message);
                    self.accepted.push(Accepted { minute, channel: channel.clone(), message });
                }
                if fate != Fate::Answered(Service::Works) {
                    self.received.entry(channel).or_default().push("?".to_owned());
                }
                let result = match fate {
                    Fate::Answered(service) => service.result(),
                    Fate::Unset => DeliveryResult::Rejected(0),
                    Fate::KillsTheEdge => return self.restart(),
                };
                let changes = queue.record_result(&mut self.book, delivery, result, begin);
                self.store(changes);
            }
        }
    }

    /// Records what a channel believes by a message, which has to be true.
    fn receive(&mut self, channel: &str, message: &Message) {
        let claim = format!("{} {:?} {}", message.event.as_str(), message.severity, message.incident);
        let before = self.claims.insert((channel.to_owned(), message.key.clone()), claim.clone());
        assert!(
            before.as_ref().is_none_or(|before| *before == claim),
            "{}: {before:?}, {claim}",
            message.key
        );
        let entry = self.channels.list.iter().find(|it| it.id.as_str() == channel);
        if before.is_some() && entry.is_some_and(|it| matches!(it.service, ChannelKind::Webhook { .. })) {
            self.received.entry(channel.to_owned()).or_default().push(message.key.clone());
            return; // The service has processed this key.
        }
        let one = (message.incident.clone(), message.event.as_str(), message.severity, message.key.clone());
        let parts = message.parts.iter();
        let mut all: Vec<_> =
            parts.map(|it| (it.incident.clone(), it.event, it.severity, it.key.clone())).collect();
        if all.is_empty() && !message.monitor.is_empty() && message.event != MessageEvent::Unwatched {
            all.push(one);
        }
        for (id, event, severity, key) in all {
            let (monitor, opened) = id.rsplit_once('-').unwrap();
            let incident = &self.incidents[&(monitor.to_owned(), opened.parse().unwrap())];
            let is_end = matches!(event, "recovered" | "ended" | "past");
            let context = format!("minute {}, {channel}: {event} {severity:?} {key}", self.minute);
            match event {
                "ended" => {}
                _ if is_end => assert!(incident.closed.is_some(), "{context}"),
                _ => assert_eq!((incident.closed, incident.current), (None, Some(severity)), "{context}"),
            }
            self.beliefs.insert((channel.to_owned(), id), (!is_end).then_some(severity));
            self.received.entry(channel.to_owned()).or_default().push(key);
        }
    }

    /// Restores what was told from what is stored.
    pub(super) fn restart(&mut self) {
        let rows = self.stored.iter().map(|(id, record)| (id.clone(), record.clone())).collect();
        self.book = NotificationRecords::restore(rows, self.incidents.values().cloned().collect());
    }

    fn store(&mut self, changes: Vec<RecordChange>) {
        if self.store_fails {
            return self.book.mark_unwritten(&changes);
        }
        self.rows_written += changes.len();
        for change in changes {
            match change.record {
                Some(record) => self.stored.insert(change.recipient, record),
                None => self.stored.remove(&change.recipient),
            };
        }
    }

    /// What a channel accepted since the last call: `3 opened api`, or the title of a message about many.
    pub(super) fn take(&mut self, channel: &str) -> Vec<String> {
        let (of_channel, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.accepted).into_iter().partition(|accepted| accepted.channel == channel);
        self.accepted = others;
        let describe = |Accepted { minute, message, .. }: &Accepted| {
            let about = match message.parts.len() {
                0 if message.monitor.is_empty() => &message.title,
                0 => &message.monitor,
                _ => &message.title,
            };
            format!("{minute} {} {about}", message.event.as_str())
        };
        of_channel.iter().map(describe).collect()
    }
}
