//! Servers that hold their secrets and report what costs most, through the real engine: what a hub stores of them is bounded.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, Tick, TickChanges};
use heapbeat_edge::domain::report::verification::VerifiedReport;
use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_edge::store::pack_tick;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::exit::{Exit, ExitKind, MAX_EVIDENCE};
use heapbeat_shared::report::{
    Block, EarlierInstances, Limit, MAX_EARLIER_EXITS, PressureState, Report, System,
};
use heapbeat_shared::series::{self, Series};
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, Statement, Status, UnixMillis};
use serde_json::json;

const MINUTE: i64 = 60_000;

/// The most bytes of a row of a Durable Object's SQLite.
const PLATFORM_ROW: usize = 2_000_000;

/// A statement with the longest texts that a report can carry, and different ones for each `number`.
fn long_statement(number: usize) -> Statement {
    let text = format!("{number:0>300}");
    let params: serde_json::Map<_, _> = (0..8).map(|param| (format!("{param:0>300}"), json!(text))).collect();
    serde_json::from_value(json!({ "code": text, "params": params, "text": text })).unwrap()
}

/// A crash at `at` of the instance `id`, which started a second before.
fn crash(id: u64, at: i64) -> Exit {
    Exit {
        kind: ExitKind::Crash,
        sure: true,
        at: UnixMillis(at),
        started: Some(UnixMillis(at - 1000)),
        instance: Some(InstanceId(id)),
        version: "v".repeat(1000),
        evidence: vec![Statement::untranslated("x"); MAX_EVIDENCE],
        ..Exit::default()
    }
}

/// As many samples of noise before `at` as fit into a tick.
fn noise(at: i64, count: i64) -> Series {
    let mut state = at.unsigned_abs() | 1;
    let mut pages = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Bytes((state >> 12) * series::PAGE)
    };
    let sample = |n: i64| Sample {
        at: UnixMillis(at - (count - n) * 50),
        rss: pages(),
        heap_used: pages(),
        heap_total: pages(),
        heap_resident: pages(),
        working_set: pages(),
    };
    Series { first: 0, samples: (0..count).map(sample).collect() }
}

/// What a server reports in every minute: another instance, after as many crashes as it may name.
fn hostile_report(minute: i64, samples: i64) -> VerifiedReport {
    let now = minute * MINUTE;
    let id = |number: u64| minute.unsigned_abs() * 100 + number;
    let crashes = (0..MAX_EARLIER_EXITS).map(|n| {
        let n = u64::try_from(n).unwrap();
        crash(id(n), now - 30_000 + 3000 * n.cast_signed())
    });
    let mut previous = crash(id(20), now - 2000);
    previous.evidence = (0..MAX_EVIDENCE).map(long_statement).collect();
    let series = noise(now, samples);
    let latest = series.samples.last().copied().unwrap_or_default();
    let event = Event { at: UnixMillis(now), kind: EventKind::Stop { by: "b".repeat(300) } };
    let report = Report {
        status: Status::Healthy,
        memory: latest.to_health_memory(),
        uptime: 1,
        instance: InstanceId(id(99)),
        version: format!("{minute}{}", "v".repeat(1000)),
        started: UnixMillis(now - 1000),
        now: UnixMillis(now),
        limit: Limit { bytes: Bytes(1), origin: "o".repeat(1000) },
        pressure: PressureState { level: Pressure::Shed, since: UnixMillis(now), shed: 1000 },
        latest,
        system: System::default(),
        events: vec![event],
        routes: Vec::new(),
        functions: Vec::new(),
        forecast: Forecaster::new().assess(Bytes(1)),
        samples: Block::of(&series, 0),
        unavailable_sources: Vec::new(),
        previous_exit: Some(previous),
        earlier: EarlierInstances { running: 0, exits: crashes.collect() },
        last_samples: None,
        instances: Vec::new(),
        traffic: None,
    };
    let (report, series) = Report::parse(&report.to_json()).unwrap();
    VerifiedReport { report, series }
}

/// Runs a tick in which each server reports `report`.
fn tick(engine: &mut Engine, config: &MonitorConfig, minute: i64, report: &VerifiedReport) -> TickChanges {
    let at = UnixMillis(minute * MINUTE);
    let probes: Vec<_> = config
        .monitors
        .iter()
        .map(|monitor| {
            let body = ResponseBody::Whole(report.report.health().to_json());
            let report = Some(Box::new(report.clone()));
            let answer = ProbeResponse { report, ..ProbeResponse::new(200, Duration::from_millis(5), body) };
            ProbeResult { monitor: monitor.id.clone(), received: at, result: Ok(answer) }
        })
        .collect();
    engine.apply_tick(config, Tick { at, received: at }, &probes)
}

/// A hub of servers whose ids are as long as they may be.
fn config(count: usize) -> MonitorConfig {
    let entry = |n: usize| json!({ "id": format!("m{n:0>39}"), "kind": "heapbeat", "url": format!("https://m{n}.example/health") });
    let entries: Vec<_> = (0..count).map(entry).collect();
    let config = MonitorConfig::parse(Some(&json!(entries).to_string()), false);
    assert_eq!((config.monitors.len(), &config.problems), (count, &Vec::new()));
    config
}

#[test]
fn what_forty_hostile_servers_report_fits_into_one_row() {
    let config = config(40);
    let mut engine = Engine::default();
    let mut most = (0, 0);
    for minute in 1..=30 {
        let changes = tick(&mut engine, &config, minute, &hostile_report(minute, 500));
        let states = changes.persisted_states.len();
        let probes = pack_tick(&changes.probes, states).len();
        if states + probes > most.0 + most.1 {
            most = (states, probes);
        }
        for incident in &changes.incidents {
            let bytes = heapbeat_shared::codec::encode(incident).len();
            assert!(bytes < PLATFORM_ROW / 8, "an incident takes {bytes} bytes");
        }
    }
    let (states, probes) = most;
    assert!(states + probes < PLATFORM_ROW * 95 / 100, "{states} + {probes} bytes");
    assert!(probes > 40 * 10_000, "{probes} bytes: the servers were not hostile");
}

#[test]
fn a_hostile_server_writes_few_rows() {
    let config = config(1);
    let mut engine = Engine::default();
    let mut rows = 0;
    for minute in 1..=1440 {
        let changes = tick(&mut engine, &config, minute, &hostile_report(minute, 1));
        let ledger: usize = changes.ledgers.iter().map(|(_, changes)| 2 * changes.added.len()).sum();
        rows += 1 + ledger + 2 * changes.incidents.len() + changes.recordings.len();
    }
    // 61,883 before gaps had a rate.
    assert!(rows < 10_000, "{rows} rows of the 100,000 of a day");
}
