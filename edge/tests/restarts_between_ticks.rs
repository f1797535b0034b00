//! Restarts between two ticks, through the real engine, compared with a model that knows every second.
//!
//! A process crashes and is back 5 to 55 s later, always between two ticks. Some ticks are missed, so that it may crash several times
//! between two of them. Of every fourth instance the flight recorder is lost, so that nobody knows when it ended. Every probe
//! succeeds. Compared are each second of the ledger, the number of restarts, and the samples.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use heapbeat_edge::domain::State;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, EngineEvent, Tick};
use heapbeat_edge::domain::report::verification::VerifiedReport;
use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{Block, EarlierInstances, LastSamples, Limit, PressureState, Report, System};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, UnixMillis};

const SEEDS: u64 = 30;
const SECONDS: i64 = 6 * 3600;

/// One instance, from its start to its end in seconds. The second of the end is the first without it.
#[derive(Clone, Copy)]
struct Instance {
    started: i64,
    ended: i64,
    /// Whether its flight recorder survived.
    recorded: bool,
}

fn roll(state: &mut u64, sides: i64) -> i64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    i64::try_from((state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides.unsigned_abs()).unwrap()
}

fn instances(seed: &mut u64) -> Vec<Instance> {
    let (mut instances, mut started) = (Vec::new(), -600);
    loop {
        let minute = (started.max(0) / 60) + 1 + roll(seed, 12);
        let away = 5 + roll(seed, 50);
        let ended = minute * 60 + 1 + roll(seed, 59 - away);
        if ended >= SECONDS - 600 {
            instances.push(Instance { started, ended: i64::MAX, recorded: true });
            return instances;
        }
        instances.push(Instance { started, ended, recorded: roll(seed, 4) != 0 });
        started = ended + away;
    }
}

/// The samples of an instance, one a second, from `from` up to but not including `to`.
fn samples(instance: Instance, from: i64, to: i64) -> Series {
    let memory = Bytes::from_mb(100);
    let sample = |second| Sample {
        at: UnixMillis(second * 1000),
        rss: memory,
        heap_used: memory,
        heap_total: memory,
        heap_resident: memory,
        working_set: memory,
    };
    Series {
        first: u64::try_from(from - instance.started - 1).unwrap(),
        samples: (from..to).map(sample).collect(),
    }
}

/// The samples that the last reported instance left, if the flight recorders of all instances since then survived.
fn left(instances: &[Instance], index: usize, (who, until): (usize, i64)) -> Option<Series> {
    let gone = instances
        .get(who)
        .filter(|_| who < index && instances[who..index].iter().all(|instance| instance.recorded))?;
    Some(samples(*gone, until + 1, gone.ended)).filter(|left| !left.samples.is_empty())
}

fn report(instances: &[Instance], index: usize, second: i64, last: (usize, i64)) -> VerifiedReport {
    let at = |second: i64| UnixMillis(second * 1000);
    let instance = instances[index];
    let from = if last.0 == index { last.1 + 1 } else { instance.started + 1 };
    let series = samples(instance, from, second + 1);
    let latest = *series.samples.last().unwrap();
    let before =
        index.checked_sub(1).map(|before| (before, instances[before])).filter(|(_, before)| before.recorded);
    let previous_exit = before.map(|(before, instance)| Exit {
        kind: ExitKind::OomKill,
        sure: true,
        at: at(instance.ended),
        instance: Some(InstanceId(before as u64)),
        started: Some(at(instance.started)),
        ..Exit::default()
    });
    let report = Report {
        status: heapbeat_shared::Status::Healthy,
        memory: latest.to_health_memory(),
        uptime: u64::try_from(second - instance.started).unwrap(),
        instance: InstanceId(index as u64),
        version: "1".into(),
        started: at(instance.started),
        now: at(second),
        limit: Limit { bytes: Bytes::from_mb(512), origin: String::new() },
        pressure: PressureState { level: Pressure::Calm, since: at(instance.started), shed: 0 },
        latest,
        system: System::default(),
        events: Vec::new(),
        routes: Vec::new(),
        functions: Vec::new(),
        forecast: Forecaster::new().assess(Bytes::from_mb(512)),
        samples: Block::of(&series, 0),
        unavailable_sources: Vec::new(),
        previous_exit,
        earlier: EarlierInstances::default(),
        last_samples: left(instances, index, last)
            .map(|left| LastSamples { instance: InstanceId(last.0 as u64), samples: Block::of(&left, 0) }),
        instances: Vec::new(),
        traffic: None,
    };
    VerifiedReport { report, series }
}

/// The state that the ledger can know of each second, from the ticks and instances around it.
fn model(instances: &[Instance], ticks: &[i64]) -> Vec<State> {
    let alive = |second: i64| {
        instances.iter().position(|instance| (instance.started..instance.ended).contains(&second))
    };
    let known = |second: i64| {
        let before = *ticks.iter().rev().find(|tick| **tick <= second).unwrap();
        let after = ticks.iter().find(|tick| **tick > second);
        let observed = if second < before + 90 { State::Up } else { State::Unobserved };
        let Some(after) = after else { return observed };
        let (first, last) = (alive(before).unwrap(), alive(*after).unwrap());
        if first == last {
            return observed;
        }
        let previous = instances[last - 1];
        // The last sample that an instance left is of the second before its end.
        let proven = instances[first..last].iter().all(|instance| instance.recorded)
            && second < instances[first].ended - 1;
        match previous.recorded {
            _ if proven => observed,
            true if second >= previous.ended && second < instances[last].started => State::Down,
            true if last - 1 > first && second < previous.started => State::Unobserved,
            false if second < instances[last].started => State::Unobserved,
            _ => observed,
        }
    };
    (ticks[0]..SECONDS).map(known).collect()
}

#[test]
fn restarts_between_two_ticks_are_found_in_reports() {
    let config = MonitorConfig::parse(
        Some(r#"[{"id":"api","kind":"heapbeat","url":"https://a.example","failure-threshold":2}]"#),
        false,
    );
    assert_eq!(config.problems, []);
    let (mut down, mut hidden, mut crashes_in_all) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let state = &mut seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let instances = instances(state);
        let ticks: Vec<i64> = (0..SECONDS).step_by(60).filter(|t| *t == 0 || roll(state, 8) != 0).collect();
        let mut engine = Engine::default();
        let mut last = (usize::MAX, 0);
        let mut crashes = 0;
        let (mut expected, mut added) = (Vec::new(), Vec::new());
        for second in &ticks {
            let index = instances
                .iter()
                .position(|instance| (instance.started..instance.ended).contains(second))
                .unwrap();
            let signed = report(&instances, index, *second, last);
            // All samples of the instance are expected up to now, or up to its end if it left them.
            let mut expect_samples = |instance: usize, series: &Series| {
                expected.extend(
                    (series.first..).take(series.samples.len()).map(|number| (instance as u64, number)),
                );
            };
            if let Some(series) = left(&instances, index, last) {
                expect_samples(last.0, &series);
            }
            expect_samples(index, &signed.series);
            last = (index, *second);
            let body = ResponseBody::Whole(signed.report.health().to_json());
            let latency = Duration::from_millis(5);
            let answer =
                ProbeResponse { report: Some(Box::new(signed)), ..ProbeResponse::new(200, latency, body) };
            let at = UnixMillis(second * 1000);
            let probes = [ProbeResult { monitor: "api".parse().unwrap(), received: at, result: Ok(answer) }];
            let commit = engine.apply_tick(&config, Tick { at, received: at }, &probes);
            for run in commit.probes.iter().flat_map(|reading| &reading.runs) {
                let numbers = (run.series.first..).take(run.series.samples.len());
                added.extend(numbers.map(|number| (run.instance.0, number)));
            }
            crashes +=
                commit.events.iter().filter(|event| matches!(event, EngineEvent::Restarted { .. })).count();
        }
        assert_eq!(added, expected, "seed {seed}: every sample once, in order");
        let states = model(&instances, &ticks);
        let count = |state: State| states.iter().filter(|s| **s == state).count() as f64;
        let now = UnixMillis(SECONDS * 1000);
        let window = Duration::from_secs(u64::try_from(SECONDS).unwrap());
        let statistics = engine.window_statistics(&"api".parse().unwrap(), window, now);
        let (up, gone) = (count(State::Up), count(State::Down));
        let percent = 100.0 * up / (up + gone);
        let found = statistics.uptime.percent.unwrap();
        assert!((found - percent).abs() < 1e-9, "seed {seed}: {found} instead of {percent}");
        let coverage = 100.0 * (up + gone) / SECONDS as f64;
        let found = statistics.uptime.coverage;
        assert!((found - coverage).abs() < 1e-9, "seed {seed}: covers {found} instead of {coverage}");
        // In no second that the model calls down a process was running.
        for (second, state) in (ticks[0]..).zip(&states) {
            let alive = instances.iter().any(|instance| (instance.started..instance.ended).contains(&second));
            assert!(!(alive && *state == State::Down), "seed {seed}, second {second}");
            hidden += i64::from(!alive && *state == State::Up);
        }
        let at = |second: i64| instances.iter().position(|instance| second < instance.ended).unwrap();
        let known_restarts: Vec<_> = ticks.windows(2).filter(|pair| at(pair[0]) != at(pair[1])).collect();
        assert_eq!(crashes, known_restarts.len(), "seed {seed}: every restart that can be known is");
        // An instance that came and went between two ticks is known if it is the one before the last.
        let unseen = known_restarts.iter().filter(|pair| {
            let (first, last) = (at(pair[0]), at(pair[1]));
            last - 1 > first && instances[last - 1].recorded
        });
        let known_crashes = known_restarts.len() + unseen.count();
        assert_eq!(statistics.crashes, known_crashes.min(20), "seed {seed}: of the last twenty");
        let last = known_restarts.last().unwrap();
        let previous = instances[at(last[1]) - 1];
        let ended = if previous.recorded { previous.ended } else { last[0] };
        let since = &states[usize::try_from(ended).unwrap()..];
        let free = since.iter().filter(|state| **state != State::Unobserved).count();
        assert!(
            statistics.time_since_crash.as_secs().abs_diff(free as u64) <= 1,
            "seed {seed}: {:?}, {free}",
            statistics.time_since_crash
        );
        down += states.iter().filter(|state| **state == State::Down).count();
        crashes_in_all += instances.len() - 1;
    }
    assert!(
        crashes_in_all > 800 && down > 8_000,
        "{crashes_in_all} crashes_in_all, {down} s down: nothing happened"
    );
    assert_eq!(hidden, 0, "seconds without a process that the ledger calls up");
}
