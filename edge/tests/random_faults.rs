//! Days with random faults, through the real engine and the turn of notifications, compared with a simple model.
//!
//! The model keeps one state a second and one list of probes. Ticks are missed, doubled, late and out of order; probes fail, flap or are
//! skipped; the alert service is down for hours. Compared are alerts that are lost, duplicated or false, the state of every second,
//! and the uptime.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, Tick};
use heapbeat_edge::domain::incident::Incident;
use heapbeat_edge::domain::incident::id::IncidentId;
use heapbeat_edge::domain::{Failure, ProbeSkipped, State};
use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_edge::notify::{Channels, Message, NotificationRecords, Recipient, SendQueue, Situation};
use heapbeat_shared::UnixMillis;

#[path = "support/replies.rs"]
mod replies;
#[path = "support/service.rs"]
mod service;

use service::Service;

const SEEDS: u64 = 150;
const HOURS: i64 = 24;
/// The end of the day, in which all is well, so that waiting alerts are delivered.
const TAIL: i64 = 2 * 3600;
const SECONDS: i64 = HOURS * 3600;

/// Returns the seconds of the day: `true` in random spells of about `yes` seconds, `false` in those of about `no` seconds between them.
fn random_spells(random: &mut Rng, no: u64, yes: u64) -> Vec<bool> {
    let mut seconds = Vec::new();
    let mut on = false;
    while seconds.len() < usize::try_from(SECONDS).unwrap() {
        let length = 1 + random.u64(..2 * if on { yes } else { no });
        seconds.extend((0..length).map(|_| on));
        on = !on;
    }
    seconds.truncate(usize::try_from(SECONDS - TAIL).unwrap());
    seconds.extend((0..TAIL).map(|_| false));
    seconds
}

/// How the alert service answers in each second of the day.
fn random_services(random: &mut Rng) -> Vec<Service> {
    let is_down = random_spells(random, 10_000, 4000);
    let mut services: Vec<Service> = Vec::new();
    for is_down in is_down {
        let last = services.last().copied().unwrap_or(Service::Works);
        services.push(match (is_down, last) {
            (false, _) => Service::Works,
            (true, Service::Works) => Service::random_failure(random, false),
            (true, failing) => failing,
        });
    }
    services
}

#[derive(Clone, Copy, PartialEq)]
enum Found {
    Up,
    Down,
    Nothing,
}

/// A tick: the instant for which it is scheduled, and what a probe would find.
struct TraceTick {
    second: i64,
    found: Found,
}

fn trace(random: &mut Rng, down: &[bool], absent: &[bool], skipped: &[bool]) -> Vec<TraceTick> {
    let mut steps = Vec::new();
    for second in (0..SECONDS).step_by(60) {
        let index = usize::try_from(second).unwrap();
        if absent[index] {
            continue;
        }
        let found = match (skipped[index], down[index]) {
            (true, _) => Found::Nothing,
            (false, true) => Found::Down,
            (false, false) => Found::Up,
        };
        steps.push(TraceTick { second, found });
        match random.u8(..20) {
            0 => steps.push(TraceTick { second, found }), // doubled
            1 => steps.push(TraceTick { second: second - 120, found }), // an old one, late
            2 => steps.push(TraceTick { second, found: Found::Down }), // doubled, and it would see something else
            _ => {}
        }
    }
    steps
}

/// The state of every second, from all probes that count; `failures` in a row make the monitor down.
fn model(steps: &[TraceTick], failures: usize) -> Vec<State> {
    let mut counted: Vec<(i64, Found)> = Vec::new();
    let mut newest = -1;
    for step in steps {
        if step.second > newest {
            newest = step.second;
            if step.found != Found::Nothing {
                counted.push((step.second, step.found));
            }
        }
    }
    // The state after each probe, from the probes that are connected to it without a gap.
    let mut after_each: Vec<(i64, State)> = Vec::new();
    let (mut held, mut streak) = (None, 0);
    for (index, (second, found)) in counted.iter().enumerate() {
        let gap = index == 0 || second - counted[index - 1].0 > 90;
        if gap {
            streak = 0;
        }
        let known = if gap { None } else { after_each.last().map(|(_, state)| *state) };
        streak = if *found == Found::Up { 0 } else { streak + 1 };
        let state = if *found == Found::Up {
            State::Up
        } else if streak >= failures || held == Some(State::Down) {
            State::Down
        } else {
            known.unwrap_or(State::Unobserved)
        };
        if state != State::Unobserved {
            held = Some(state);
        }
        after_each.push((*second, state));
    }
    (0..SECONDS)
        .map(|second| match after_each[..after_each.partition_point(|(at, _)| *at <= second)].last() {
            Some((at, state)) if second < at + 90 => *state,
            _ => State::Unobserved,
        })
        .collect()
}

/// The result of a run.
struct RunResult {
    engine: Engine,
    incidents: BTreeMap<i64, Incident>,
    delivered: Vec<(i64, Message)>,
}

fn run(config: &MonitorConfig, channels: &Channels, steps: &[TraceTick], services: &[Service]) -> RunResult {
    let mut outcome =
        RunResult { engine: Engine::default(), incidents: BTreeMap::new(), delivered: Vec::new() };
    let mut book = NotificationRecords::default();
    // The keys of messages whose answer was lost.
    let mut unanswered = Vec::new();
    for step in steps {
        let at = UnixMillis(step.second * 1000);
        if outcome.engine.last_tick().is_none_or(|last| at > last.at) {
            let result = match step.found {
                Found::Up => {
                    Ok(ProbeResponse::new(200, Duration::from_millis(5), ResponseBody::Whole(Vec::new())))
                }
                Found::Down => Err(Failure::ConnectionRefused.into()),
                Found::Nothing => Err(ProbeSkipped::Platform.into()),
            };
            let probes = [ProbeResult { monitor: "api".parse().unwrap(), received: at, result }];
            let tick = Tick { at, received: at };
            let commit = outcome.engine.apply_tick(config, tick, &probes);
            for incident in commit.incidents {
                outcome.incidents.insert(incident.opened.0, incident);
            }
        }
        // Every tick has a turn, also a doubled one.
        let now = outcome.engine.last_tick().unwrap().at;
        let situation = Situation::new(&outcome.engine, config, now, None);
        let recipients = [Recipient::channel(&channels.list[0], false, None)];
        let stored = |id: &IncidentId| outcome.incidents.values().find(|it| it.id() == *id).cloned();
        let turn = book.plan_turn(&situation, &recipients, now, 5, |id| Ok::<_, ()>(stored(id)));
        let service = services[usize::try_from(now.0 / 1000).unwrap()];
        for mut queue in SendQueue::list(&turn, now) {
            while let Some(delivery) = queue.next(&mut book, now) {
                let _ = queue.record_result(&mut book, delivery, service.result(), now);
                // The service processes each key once.
                let is_known = outcome.delivered.iter().any(|(_, known)| known.key == delivery.message.key);
                assert!(!is_known || unanswered.contains(&delivery.message.key), "sent twice");
                match service {
                    Service::Works => unanswered.retain(|key| *key != delivery.message.key),
                    Service::Mute => unanswered.push(delivery.message.key.clone()),
                    _ => {}
                }
                if service.accepts() && !is_known {
                    outcome.delivered.push((now.0 / 1000, delivery.message.clone()));
                }
            }
        }
    }
    outcome
}

#[test]
fn days_of_random_faults() {
    let entry = r#"[{"id":"api","kind":"http","url":"https://a.example","failure-threshold":2}]"#;
    let config = MonitorConfig::parse(Some(entry), false);
    let channels = Channels::parse(Some(r#"[{"id":"ops","kind":"slack","secret":"S"}]"#), false);
    assert_eq!((config.problems.len(), channels.problems.len()), (0, 0));
    let (mut alerts, mut downs) = (0, 0);
    for seed in 1..=SEEDS {
        let random = &mut Rng::with_seed(seed);
        let down = random_spells(random, 5400, 400);
        let absent = random_spells(random, 7200, 300);
        let skipped = random_spells(random, 9000, 90);
        let services = random_services(random);
        let steps = trace(random, &down, &absent, &skipped);
        let states = model(&steps, 2);
        let outcome = run(&config, &channels, &steps, &services);
        check_ledger(seed, &outcome, &config, &states);
        check_truth(seed, &states, &down);
        check_alerts(seed, &outcome, &states);
        alerts += outcome.delivered.len();
        downs += states.windows(2).filter(|pair| pair[0] != State::Down && pair[1] == State::Down).count();
    }
    assert!(alerts > 500 && downs > 500, "the traces are empty: {alerts} alerts, {downs} times down");
}

/// The engine's figures equal the model's.
fn check_ledger(seed: u64, outcome: &RunResult, config: &MonitorConfig, states: &[State]) {
    let last = outcome.engine.last_tick().unwrap();
    let until = usize::try_from(last.at.0 / 1000).unwrap();
    let view = outcome.engine.snapshot(config, last.received);
    let day = &view.monitors[0].uptime[0];
    let tail = &states[..until];
    let count = |state: State| tail.iter().filter(|s| **s == state).count() as f64;
    let (up, down) = (count(State::Up), count(State::Down));
    // Of the time since it was first observed.
    let first = tail.iter().position(|state| matches!(state, State::Up | State::Down)).unwrap();
    let coverage = 100.0 * (up + down) / (until - first).min(86_400) as f64;
    assert!((day.coverage - coverage).abs() < 1e-6, "seed {seed}: {} instead of {coverage}", day.coverage);
    let percent = 100.0 * up / (up + down);
    assert!(
        (day.percent.unwrap() - percent).abs() < 1e-6,
        "seed {seed}: {:?} instead of {percent}",
        day.percent
    );
}

/// Where the model says up or down, that was so, except for the two probes that a change takes and the time for which a result is valid.
fn check_truth(seed: u64, states: &[State], down: &[bool]) {
    let steady = |second: usize| down[second.saturating_sub(180)..=second].iter().all(|d| *d == down[second]);
    for (second, state) in states.iter().enumerate().skip(180) {
        if steady(second) {
            let wrong = matches!((state, down[second]), (State::Up, true) | (State::Down, false));
            assert!(!wrong, "seed {seed}, second {second}: {state:?}");
        }
    }
}

/// No alert is lost, duplicated or false, and alerts are in order.
fn check_alerts(seed: u64, outcome: &RunResult, states: &[State]) {
    let mut keys: Vec<_> = outcome.delivered.iter().map(|(_, message)| message.key.clone()).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "seed {seed}: each once");
    let mut open = None;
    let mut ended = Vec::new();
    for (second, message) in &outcome.delivered {
        let state = states[usize::try_from(*second).unwrap()];
        let context = format!("seed {seed}, second {second}: {} {state:?}", message.title);
        match message.event.as_str() {
            "opened" => {
                assert!(open.is_none() && state == State::Down, "{context}");
                open = Some(message.incident.clone());
            }
            "recovered" => {
                // If the answer to its end was lost, and it opened again and ended, it ends once more.
                let has_ended = ended.contains(&message.incident);
                assert!(open.take().map_or(has_ended, |open| open == message.incident), "{context}");
                assert!(state != State::Down || !message.title.contains("has recovered"), "{context}");
                ended.push(message.incident.clone());
            }
            "past" => {
                // It may follow the alert of what goes on, which is more urgent. If the answer to its own alert was lost, it is its end.
                open = open.filter(|open| *open != message.incident);
                ended.push(message.incident.clone());
            }
            _ => panic!("{context}"),
        }
    }
    assert_eq!(open, None, "seed {seed}: all is well at the end, but the alert was not resolved");
    for incident in outcome.incidents.values() {
        assert!(ended.contains(&incident.id().to_string()), "seed {seed}: {} was not told", incident.id());
    }
    let mut covered = vec![false; states.len()];
    for incident in outcome.incidents.values() {
        let second = |at: UnixMillis| usize::try_from(at.0 / 1000).unwrap();
        let (from, to) = (second(incident.opened), incident.closed.map_or(states.len(), second));
        assert!(
            states[from..to].contains(&State::Down),
            "seed {seed}: an incident without an outage at {from}"
        );
        covered[from..to].fill(true);
    }
    for (second, state) in states.iter().enumerate() {
        assert!(
            *state != State::Down || covered[second],
            "seed {seed}, second {second}: down, and no incident"
        );
    }
}
