//! Restarts between ticks that no probe saw, through the real engine, against a model that knows every second.
//!
//! A process dies and comes back 5 to 55 s later, always between two ticks; some ticks are missed, so that it may die
//! several times between two that come; and in every fourth life the recorder is lost with the machine, so that nobody can
//! tell when it ended. Every probe finds it well. Counted: each second of the ledger, seconds booked as down that were
//! not, deaths without an incident, and samples that were taken, whether anybody lived to tell them or not.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use heapbeat_edge::config::Config;
use heapbeat_edge::domain::State;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, EngineEvent, Tick};
use heapbeat_edge::domain::report::verification::VerifiedReport;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{Block, LastSamples, Limit, PressureState, Report, System};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, UnixMillis};

const SEEDS: u64 = 30;
const SECONDS: i64 = 6 * 3600;

/// One life of the process: from its start to its end, both in seconds; the second of its end is the first without it.
#[derive(Clone, Copy)]
struct InstanceLifetime {
    started: i64,
    ended: i64,
    /// Whether its recorder outlived it.
    told: bool,
}

fn dice(state: &mut u64, sides: i64) -> i64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    i64::try_from((state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides.unsigned_abs()).unwrap()
}

fn lives(seed: &mut u64) -> Vec<InstanceLifetime> {
    let (mut lives, mut started) = (Vec::new(), -600);
    loop {
        let minute = (started.max(0) / 60) + 1 + dice(seed, 12);
        let away = 5 + dice(seed, 50);
        let ended = minute * 60 + 1 + dice(seed, 59 - away);
        if ended >= SECONDS - 600 {
            lives.push(InstanceLifetime { started, ended: i64::MAX, told: true });
            return lives;
        }
        lives.push(InstanceLifetime { started, ended, told: dice(seed, 4) != 0 });
        started = ended + away;
    }
}

/// One a second, from `from` up to `to`, which is not among them.
fn samples(life: InstanceLifetime, from: i64, to: i64) -> Series {
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
        first: u64::try_from(from - life.started - 1).unwrap(),
        samples: (from..to).map(sample).collect(),
    }
}

/// What the last one that was heard left behind, where the recorders of all since then outlived them.
fn left(lives: &[InstanceLifetime], index: usize, (who, until): (usize, i64)) -> Option<Series> {
    let gone = lives.get(who).filter(|_| who < index && lives[who..index].iter().all(|life| life.told))?;
    Some(samples(*gone, until + 1, gone.ended)).filter(|left| !left.samples.is_empty())
}

fn report(lives: &[InstanceLifetime], index: usize, second: i64, last: (usize, i64)) -> VerifiedReport {
    let at = |second: i64| UnixMillis(second * 1000);
    let life = lives[index];
    let from = if last.0 == index { last.1 + 1 } else { life.started + 1 };
    let series = samples(life, from, second + 1);
    let latest = *series.samples.last().unwrap();
    let before = index.checked_sub(1).map(|before| (before, lives[before])).filter(|(_, before)| before.told);
    let previous_exit = before.map(|(before, life)| Exit {
        kind: ExitKind::OomKill,
        sure: true,
        at: at(life.ended),
        instance: Some(InstanceId(before as u64)),
        started: Some(at(life.started)),
        ..Exit::default()
    });
    let report = Report {
        status: heapbeat_shared::Status::Healthy,
        memory: latest.to_health_memory(),
        uptime: u64::try_from(second - life.started).unwrap(),
        instance: InstanceId(index as u64),
        version: "1".into(),
        started: at(life.started),
        now: at(second),
        limit: Limit { bytes: Bytes::from_mb(512), origin: String::new() },
        pressure: PressureState { level: Pressure::Calm, since: at(life.started), shed: 0 },
        latest,
        system: System::default(),
        events: Vec::new(),
        routes: Vec::new(),
        forecast: Forecaster::new().assess(Bytes::from_mb(512)),
        samples: Block::of(&series, 0),
        missing: Vec::new(),
        previous_exit,
        last_samples: left(lives, index, last)
            .map(|left| LastSamples { instance: InstanceId(last.0 as u64), samples: Block::of(&left, 0) }),
    };
    VerifiedReport { report, series }
}

/// What the ledger may know of each second, from the ticks and the lives around it.
fn model(lives: &[InstanceLifetime], ticks: &[i64]) -> Vec<State> {
    let alive = |second: i64| lives.iter().position(|life| (life.started..life.ended).contains(&second));
    let known = |second: i64| {
        let before = *ticks.iter().rev().find(|tick| **tick <= second).unwrap();
        let after = ticks.iter().find(|tick| **tick > second);
        let looked = if second < before + 90 { State::Up } else { State::Unobserved };
        let Some(after) = after else { return looked };
        let (first, last) = (alive(before).unwrap(), alive(*after).unwrap());
        if first == last {
            return looked;
        }
        let previous = lives[last - 1];
        // The last sample of the one that was heard, where it was handed over, is of the second before its end.
        let proven = lives[first..last].iter().all(|life| life.told) && second < lives[first].ended - 1;
        match previous.told {
            _ if proven => looked,
            true if second >= previous.ended && second < lives[last].started => State::Down,
            true if last - 1 > first && second < previous.started => State::Unobserved,
            false if second < lives[last].started => State::Unobserved,
            _ => looked,
        }
    };
    (ticks[0]..SECONDS).map(known).collect()
}

#[test]
fn deaths_that_no_probe_saw() {
    let config = Config::parse(
        Some(r#"[{"id":"api","kind":"heapbeat","url":"https://a.example","failure-threshold":2}]"#),
        false,
    );
    assert_eq!(config.problems, []);
    let (mut down, mut hidden, mut deaths) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let state = &mut seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let lives = lives(state);
        let ticks: Vec<i64> = (0..SECONDS).step_by(60).filter(|t| *t == 0 || dice(state, 8) != 0).collect();
        let mut engine = Engine::default();
        let mut last = (usize::MAX, 0);
        let mut crashes = 0;
        let (mut told, mut taken) = (Vec::new(), Vec::new());
        for second in &ticks {
            let index = lives.iter().position(|life| (life.started..life.ended).contains(second)).unwrap();
            let signed = report(&lives, index, *second, last);
            // Of a life that was heard, all up to here; or to its end, where it left them.
            let mut expect = |life: usize, series: &Series| {
                told.extend((series.first..).take(series.samples.len()).map(|number| (life as u64, number)));
            };
            if let Some(series) = left(&lives, index, last) {
                expect(last.0, &series);
            }
            expect(index, &signed.series);
            last = (index, *second);
            let body = ResponseBody::Whole(signed.report.health().to_json());
            let latency = Duration::from_millis(5);
            let answer = ProbeResponse { status: 200, latency, body, report: Some(Box::new(signed)) };
            let at = UnixMillis(second * 1000);
            let probes = [ProbeResult { monitor: "api".parse().unwrap(), received: at, result: Ok(answer) }];
            let commit = engine.apply_tick(&config, Tick { at, came: at }, &probes);
            for run in commit.probes.iter().flat_map(|reading| &reading.runs) {
                let numbers = (run.series.first..).take(run.series.samples.len());
                taken.extend(numbers.map(|number| (run.instance.0, number)));
            }
            crashes +=
                commit.events.iter().filter(|note| matches!(note, EngineEvent::Restarted { .. })).count();
        }
        assert_eq!(taken, told, "seed {seed}: every sample once, in order");
        let states = model(&lives, &ticks);
        let count = |state: State| states.iter().filter(|s| **s == state).count() as f64;
        let now = UnixMillis(SECONDS * 1000);
        let window = Duration::from_secs(u64::try_from(SECONDS).unwrap());
        let past = engine.window_statistics(&"api".parse().unwrap(), window, now);
        let (up, gone) = (count(State::Up), count(State::Down));
        let percent = 100.0 * up / (up + gone);
        let said = past.uptime.percent.unwrap();
        assert!((said - percent).abs() < 1e-9, "seed {seed}: {said} instead of {percent}");
        let coverage = 100.0 * (up + gone) / SECONDS as f64;
        let said = past.uptime.coverage;
        assert!((said - coverage).abs() < 1e-9, "seed {seed}: covers {said} instead of {coverage}");
        // What the model calls down was: not one second of it had a process.
        for (second, state) in (ticks[0]..).zip(&states) {
            let alive = lives.iter().any(|life| (life.started..life.ended).contains(&second));
            assert!(!(alive && *state == State::Down), "seed {seed}, second {second}");
            hidden += i64::from(!alive && *state == State::Up);
        }
        let at = |second: i64| lives.iter().position(|life| second < life.ended).unwrap();
        let seen: Vec<_> = ticks.windows(2).filter(|pair| at(pair[0]) != at(pair[1])).collect();
        assert_eq!(crashes, seen.len(), "seed {seed}: every restart that can be known is");
        assert_eq!(past.crashes, seen.len().min(20), "seed {seed}: of the last twenty");
        let last = seen.last().unwrap();
        let previous = lives[at(last[1]) - 1];
        let ended = if previous.told { previous.ended } else { last[0] };
        let since = &states[usize::try_from(ended).unwrap()..];
        let free = since.iter().filter(|state| **state != State::Unobserved).count();
        assert!(
            past.crash_free.as_secs().abs_diff(free as u64) <= 1,
            "seed {seed}: {:?}, {free}",
            past.crash_free
        );
        down += states.iter().filter(|state| **state == State::Down).count();
        deaths += lives.len() - 1;
    }
    assert!(deaths > 800 && down > 8_000, "{deaths} deaths, {down} s down: nothing happened");
    assert_eq!(hidden, 0, "seconds without a process that the ledger calls up");
}
