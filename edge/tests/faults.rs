//! Days with random faults through the real engine and outbox, against a model that is slow and knows nothing of them.
//!
//! The model keeps one state a second and one list of probes, and looks at all of it for every question. Ticks are
//! missed, doubled, late and out of order; probes fail, flap and cannot look; the service that is to be told is down for
//! hours. Counted: alerts lost, doubled and false, seconds booked wrongly, and how far uptime is from the truth.

// Helpers of a test are a test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use heapbeat_edge::config::Config;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, Tick};
use heapbeat_edge::domain::incident::Incident;
use heapbeat_edge::domain::incident::notification::Occasion;
use heapbeat_edge::domain::{Failure, ProbeSkipped, State};
use heapbeat_edge::notify::outbox::{AttemptOutcome, conclude_attempt, due_rows};
use heapbeat_edge::notify::{Channels, DeliveryResult, Message, OutboxRow, Recipients, plan_notifications};
use heapbeat_shared::UnixMillis;

const SEEDS: u64 = 150;
const HOURS: i64 = 24;
/// The tail in which all is well, so that what waits can go out.
const TAIL: i64 = 2 * 3600;
const SECONDS: i64 = HOURS * 3600;

/// A small generator of our own (xorshift64*), so that a seed means the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    /// Stretches of `yes` among `no`, in seconds: which seconds are `yes`.
    fn stretches(&mut self, no: u64, yes: u64) -> Vec<bool> {
        let mut seconds = Vec::new();
        let mut on = false;
        while seconds.len() < usize::try_from(SECONDS).unwrap() {
            let length = 1 + self.roll(2 * if on { yes } else { no });
            seconds.extend((0..length).map(|_| on));
            on = !on;
        }
        seconds.truncate(usize::try_from(SECONDS - TAIL).unwrap());
        seconds.extend((0..TAIL).map(|_| false));
        seconds
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Saw {
    Up,
    Down,
    Nothing,
}

/// A tick of the trace: the instant it is for, and what a probe would see.
struct Step {
    second: i64,
    saw: Saw,
}

fn trace(dice: &mut Dice, down: &[bool], absent: &[bool], blind: &[bool]) -> Vec<Step> {
    let mut steps = Vec::new();
    for second in (0..SECONDS).step_by(60) {
        let index = usize::try_from(second).unwrap();
        if absent[index] {
            continue;
        }
        let saw = match (blind[index], down[index]) {
            (true, _) => Saw::Nothing,
            (false, true) => Saw::Down,
            (false, false) => Saw::Up,
        };
        steps.push(Step { second, saw });
        match dice.roll(20) {
            0 => steps.push(Step { second, saw }),               // doubled
            1 => steps.push(Step { second: second - 120, saw }), // an old one, late
            2 => steps.push(Step { second, saw: Saw::Down }),    // doubled, and it would see something else
            _ => {}
        }
    }
    steps
}

/// One second, one state, from all probes that counted; `failures` in a row make it down.
fn model(steps: &[Step], failures: usize) -> Vec<State> {
    let mut counted: Vec<(i64, Saw)> = Vec::new();
    let mut newest = -1;
    for step in steps {
        if step.second > newest {
            newest = step.second;
            if step.saw != Saw::Nothing {
                counted.push((step.second, step.saw));
            }
        }
    }
    // The state after each probe, from the probes that are connected to it without a gap.
    let mut after_each: Vec<(i64, State)> = Vec::new();
    let (mut held, mut streak) = (None, 0);
    for (index, (second, saw)) in counted.iter().enumerate() {
        let gap = index == 0 || second - counted[index - 1].0 > 90;
        if gap {
            streak = 0;
        }
        let known = if gap { None } else { after_each.last().map(|(_, state)| *state) };
        streak = if *saw == Saw::Up { 0 } else { streak + 1 };
        let state = if *saw == Saw::Up {
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

/// What came of a trace.
struct Came {
    engine: Engine,
    incidents: BTreeMap<i64, Incident>,
    made: Vec<(i64, Message)>,
    delivered: Vec<(i64, String)>,
}

fn run(config: &Config, channels: &Channels, steps: &[Step], deaf: &[bool]) -> Came {
    let mut came = Came {
        engine: Engine::default(),
        incidents: BTreeMap::new(),
        made: Vec::new(),
        delivered: Vec::new(),
    };
    let (mut rows, mut next) = (Vec::<OutboxRow>::new(), 1);
    for step in steps {
        let at = UnixMillis(step.second * 1000);
        if came.engine.last_tick().is_none_or(|last| at > last.at) {
            let result = match step.saw {
                Saw::Up => Ok(ProbeResponse {
                    status: 200,
                    latency: Duration::from_millis(5),
                    body: ResponseBody::Whole(Vec::new()),
                    report: None,
                }),
                Saw::Down => Err(Failure::Refused.into()),
                Saw::Nothing => Err(ProbeSkipped::Platform.into()),
            };
            let probes = [ProbeResult { monitor: "api".parse().unwrap(), received: at, result }];
            let tick = Tick { at, came: at };
            let mut commit = came.engine.apply_tick(config, tick, &probes);
            let recipients = Recipients { channels, subscribers: &[] };
            let plan = plan_notifications(came.engine.incident_facts(config), recipients, None, at);
            came.engine.record_notifications(plan.incidents, &mut commit);
            for incident in commit.incidents {
                came.incidents.insert(incident.opened.0, incident);
            }
            for (channel, message) in plan.messages {
                came.made.push((step.second, message.clone()));
                rows.push(OutboxRow { id: next, channel, message, due: at, attempts: 0 });
                next += 1;
            }
        }
        // Every tick delivers, the doubled ones as well.
        let now = came.engine.last_tick().unwrap().at;
        let due: Vec<_> = due_rows(&rows, now, 5).into_iter().cloned().collect();
        for row in due {
            let deaf = deaf[usize::try_from(now.0 / 1000).unwrap()];
            if !deaf {
                came.delivered.push((now.0 / 1000, row.message.key.clone()));
            }
            match conclude_attempt(
                &row,
                if deaf { DeliveryResult::Failed } else { DeliveryResult::Accepted },
                now,
            ) {
                AttemptOutcome::RetryAt(due) => {
                    for other in rows.iter_mut().filter(|other| other.id == row.id) {
                        (other.due, other.attempts) = (due, other.attempts + 1);
                    }
                }
                _ => rows.retain(|other| other.id != row.id),
            }
        }
    }
    came
}

#[test]
fn days_of_random_faults() {
    let entry = r#"[{"id":"api","kind":"http","url":"https://a.example","failure-threshold":2}]"#;
    let config = Config::parse(Some(entry), false);
    let channels = Channels::parse(Some(r#"[{"id":"ops","kind":"slack","secret":"S"}]"#), false);
    assert_eq!((config.problems.len(), channels.problems.len()), (0, 0));
    let (mut alerts, mut downs) = (0, 0);
    for seed in 1..=SEEDS {
        let dice = &mut Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let down = dice.stretches(5400, 400);
        let absent = dice.stretches(7200, 300);
        let blind = dice.stretches(9000, 90);
        let deaf = dice.stretches(10_000, 4000);
        let steps = trace(dice, &down, &absent, &blind);
        let states = model(&steps, 2);
        let came = run(&config, &channels, &steps, &deaf);
        check_ledger(seed, &came, &config, &states);
        check_truth(seed, &states, &down);
        check_alerts(seed, &came, &states);
        alerts += came.made.len();
        downs += states.windows(2).filter(|pair| pair[0] != State::Down && pair[1] == State::Down).count();
    }
    assert!(
        alerts > 500 && downs > 500,
        "the traces have nothing in them: {alerts} alerts, {downs} times down"
    );
}

/// The board's figures are the model's seconds, counted.
fn check_ledger(seed: u64, came: &Came, config: &Config, states: &[State]) {
    let last = came.engine.last_tick().unwrap();
    let until = usize::try_from(last.at.0 / 1000).unwrap();
    let view = came.engine.snapshot(config, last.came);
    let day = &view.monitors[0].uptime[0];
    let tail = &states[..until];
    let count = |state: State| tail.iter().filter(|s| **s == state).count() as f64;
    let (up, down) = (count(State::Up), count(State::Down));
    let coverage = 100.0 * (up + down) / 86_400.0;
    assert!((day.coverage - coverage).abs() < 1e-6, "seed {seed}: {} instead of {coverage}", day.coverage);
    let percent = 100.0 * up / (up + down);
    assert!(
        (day.percent.unwrap() - percent).abs() < 1e-6,
        "seed {seed}: {:?} instead of {percent}",
        day.percent
    );
}

/// Where the model says up or down, it is what was; but for the two probes that a change takes, and the time for which
/// a probe vouches.
fn check_truth(seed: u64, states: &[State], down: &[bool]) {
    let steady = |second: usize| down[second.saturating_sub(180)..=second].iter().all(|d| *d == down[second]);
    for (second, state) in states.iter().enumerate().skip(180) {
        if steady(second) {
            let wrong = matches!((state, down[second]), (State::Up, true) | (State::Down, false));
            assert!(!wrong, "seed {seed}, second {second}: {state:?}");
        }
    }
}

/// Nothing lost, nothing doubled, nothing false, in order.
fn check_alerts(seed: u64, came: &Came, states: &[State]) {
    let made: Vec<_> = came.made.iter().map(|(_, message)| message.key.clone()).collect();
    let delivered: Vec<_> = came.delivered.iter().map(|(_, key)| key.clone()).collect();
    assert_eq!(made, delivered, "seed {seed}: each once, in the order in which it was made");
    let mut open = false;
    for (second, message) in &came.made {
        let state = states[usize::try_from(*second).unwrap()];
        match message.occasion {
            Occasion::Opened => {
                assert!(!open && state == State::Down, "seed {seed}, second {second}: {state:?}");
                open = true;
            }
            Occasion::Recovered => {
                assert!(open && state == State::Up, "seed {seed}, second {second}: {state:?}");
                open = false;
            }
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(!open, "seed {seed}: it was well at the end, and somebody still believes otherwise");
    let mut covered = vec![false; states.len()];
    for incident in came.incidents.values() {
        let second = |at: UnixMillis| usize::try_from(at.0 / 1000).unwrap();
        let (from, to) = (second(incident.opened), incident.closed.map_or(states.len(), second));
        assert!(states[from..to].contains(&State::Down), "seed {seed}: an incident about nothing at {from}");
        covered[from..to].fill(true);
    }
    for (second, state) in states.iter().enumerate() {
        assert!(
            *state != State::Down || covered[second],
            "seed {seed}, second {second}: down, and no incident"
        );
    }
}
