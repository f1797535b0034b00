//! The last day: every tick runs through the engine, and is written as the hub writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use heapbeat_edge::domain::Failure;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, PersistedStates, Tick};
use heapbeat_edge::domain::history::latency::LatencyAccumulator;
use heapbeat_edge::domain::monitor_state::PersistedState;
use heapbeat_edge::domain::quota::{QuotaCost, QuotaUsage};
use heapbeat_edge::domain::report::verification::VerifiedReport;
use heapbeat_edge::monitor_config::{MonitorId, MonitorKind};
use heapbeat_edge::store::export_format::Cell;
use heapbeat_edge::store::pack_tick;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::{Block, EarlierInstances, Limit, PressureState, Report, System};
use heapbeat_shared::series;
use heapbeat_shared::series::Series;
use heapbeat_shared::{Health, HealthMemory, Megabytes, Status, UnixMillis, codec};

use crate::memory::{Instance, Instances, LIMIT, pressure};
use crate::older::oom_kill;
use crate::rows::Rows;
use crate::scenario::{EpisodeKind, Scenario};
use crate::{HOUR, HistoryRequest, MINUTE};

/// The number of ticks: somewhat more than a day, and less than the ring of a hub holds.
const TICKS: i64 = 1530;

/// Returns the instant of its first tick.
pub(crate) fn first_tick((start, until): (i64, i64)) -> i64 {
    start.max(until - (TICKS - 1) * MINUTE)
}

pub(crate) fn write(scenarios: &[Scenario], request: &HistoryRequest, rows: &mut Rows) {
    let (first, until) = (first_tick(request.span), request.span.1);
    let mut entries = litemap::LiteMap::new();
    for (id, ledger) in &rows.ledgers {
        entries.insert(id.clone(), ledger.clone());
    }
    let mut engine = Engine::restore(None, initial_states(scenarios, first), entries);
    let mut hours: BTreeMap<(i64, MonitorId), LatencyAccumulator> = BTreeMap::new();
    let (mut usage, mut last, mut slot) = (QuotaUsage::default(), None, 0);
    let ticks = (first..=until).step_by(60_000);
    let is_observed = |at: &i64| {
        scenarios
            .first()
            .and_then(|scenario| scenario.episode_at(*at))
            .is_none_or(|it| it.kind != EpisodeKind::Unobserved)
    };
    for at in ticks.filter(is_observed) {
        let now = UnixMillis(at);
        let tick = Tick { at: now, received: UnixMillis(request.received.0 - (until - at)) };
        let on = |scenario: &&Scenario| {
            scenario.episode_at(at).is_some_and(|it| it.kind == EpisodeKind::Maintenance)
        };
        engine.set_maintenance(scenarios.iter().filter(on).map(|scenario| scenario.id.clone()).collect());
        let since = last.unwrap_or(UnixMillis(at - MINUTE)).0;
        let probes: Vec<ProbeResult> =
            scenarios.iter().map(|scenario| probe_result(scenario, since, at)).collect();
        let commit = engine.apply_tick(&request.config, tick, &probes);
        for reading in &commit.probes {
            hours
                .entry((at - at.rem_euclid(HOUR), reading.monitor.clone()))
                .or_default()
                .add(&reading.evaluation);
        }
        for (id, changes) in commit.ledgers {
            rows.change(&id, changes);
        }
        commit.incidents.into_iter().for_each(|incident| rows.incident(incident));
        for (id, opened, runs) in &commit.recordings {
            rows.recording(id, *opened, runs);
        }
        let spent = QuotaCost {
            requests: 1,
            rows_read: 2,
            rows_written: 1,
            subrequests: scenarios.len() as u64,
            ..QuotaCost::default()
        };
        usage.record_tick(now, now, last, spent);
        // Only the newest row's states are ever read.
        let persisted_states =
            if at == until { commit.persisted_states } else { codec::encode(&PersistedStates::new()) };
        let probes = pack_tick(&commit.probes, persisted_states.len());
        let cells = [
            Cell::Integer(slot),
            Cell::Integer(at),
            Cell::Integer(tick.received.0),
            Cell::Bytes(probes),
            Cell::Bytes(persisted_states),
            Cell::Bytes(codec::encode(&usage)),
        ];
        rows.row("tick", &cells);
        slot += 1;
        last = Some(now);
    }
    for ((hour, id), probes) in hours {
        // The present hour is not complete; the older part of the first one is added to it.
        if hour + HOUR <= until
            && let Some(folded) = probes.summarize()
        {
            rows.hours.entry(hour).or_default().push((id, folded));
        }
    }
}

/// The persisted states before the first tick: restarts and crashes.
fn initial_states(scenarios: &[Scenario], before: i64) -> PersistedStates {
    let of = |scenario: &Scenario| {
        let deaths = scenario.episodes.iter().filter(|it| it.kind == EpisodeKind::Crash && it.to < before);
        let (crashes, restarts) = deaths.map(|it| (UnixMillis(it.from), UnixMillis(it.to))).unzip();
        (
            scenario.id.clone(),
            PersistedState { crashes: Some(crashes), restarts, ..PersistedState::default() },
        )
    };
    scenarios.iter().filter(|scenario| scenario.instances.is_some()).map(of).collect()
}

/// The result of a probe in the tick at `at`; `since` is the tick before it.
fn probe_result(scenario: &Scenario, since: i64, at: i64) -> ProbeResult {
    let response = |status, ms: u32, body, report| {
        let latency = Duration::from_millis(ms.into());
        Ok(ProbeResponse { report, ..ProbeResponse::new(status, latency, ResponseBody::Whole(body)) })
    };
    let ms = scenario.latency(at);
    let signed = scenario.instances.as_ref().and_then(|instances| verified_report(instances, since, at));
    let result = match scenario.episode_at(at).map(|it| it.kind) {
        Some(EpisodeKind::Down(Failure::Status(status))) => response(status, ms, Vec::new(), None),
        Some(EpisodeKind::Down(failure)) => Err(failure.into()),
        Some(EpisodeKind::Slow(slow)) => response(200, slow, health(scenario, at), None),
        _ => match signed {
            Some(signed) => response(200, ms, signed.report.health().to_json(), Some(Box::new(signed))),
            None if scenario.kind == MonitorKind::Heapbeat => response(200, ms, health(scenario, at), None),
            None if scenario.kind == MonitorKind::Http => response(200, ms, Vec::new(), None),
            None => response(0, ms, Vec::new(), None),
        },
    };
    ProbeResult { monitor: scenario.id.clone(), received: UnixMillis(at), result }
}

/// The public response of a server that signs nothing.
fn health(scenario: &Scenario, at: i64) -> Vec<u8> {
    if scenario.kind != MonitorKind::Heapbeat {
        return Vec::new();
    }
    let rss = 90 + (scenario.index as u64 * 13) % 120 + (at / HOUR).unsigned_abs() % 7;
    let memory = HealthMemory {
        rss: Megabytes(rss),
        heap_used: Megabytes(rss - 25),
        heap_total: Megabytes(rss - 10),
        external: Megabytes(6),
    };
    let uptime = u64::try_from((at - scenario.since) / 1000).unwrap_or(0) + 3600;
    Health { memory, uptime, ..Health::default() }.to_json()
}

/// The verified report at `at`, with the samples since the tick before.
pub(crate) fn verified_report(instances: &Instances, since: i64, at: i64) -> Option<VerifiedReport> {
    let (instance, before) = instances.instance_at(at)?;
    let run = instances.runs((since + 1000).max(instance.from), at + 1, 1000).pop()?;
    let Series { first, samples } = run.series;
    let latest = *samples.last()?;
    let level = pressure(latest.working_set);
    let status = if level == heapbeat_shared::Pressure::Calm { Status::Healthy } else { Status::Degraded };
    let report = Report {
        status,
        memory: latest.to_health_memory(),
        uptime: u64::try_from((at - instance.from) / 1000).unwrap_or(0),
        instance: instance.id,
        version: instance.version.clone(),
        started: UnixMillis(instance.from),
        now: UnixMillis(at),
        limit: Limit { bytes: LIMIT, origin: "the cgroup".to_owned() },
        pressure: PressureState { level, since: UnixMillis(at), shed: 0 },
        latest,
        system: System::default(),
        events: pressure_event(instances, instance, since, at).into_iter().collect(),
        routes: Vec::new(),
        functions: Vec::new(),
        forecast: Forecaster::new().assess(LIMIT),
        samples: Block {
            first,
            count: samples.len() as u64,
            dropped: 0,
            data: series::encode(first, &samples),
        },
        unavailable_sources: Vec::new(),
        previous_exit: before.filter(|instance| instance.killed).map(oom_kill),
        earlier: EarlierInstances::default(),
        last_samples: None,
        instances: Vec::new(),
        traffic: None,
    };
    Some(VerifiedReport { report, series: Series { first, samples } })
}

/// The change of memory pressure from one instant to another of an instance.
pub(crate) fn pressure_event(
    instances: &Instances,
    instance: &Instance,
    since: i64,
    at: i64,
) -> Option<Event> {
    if since < instance.from {
        return None;
    }
    let of = |at: i64| instances.sample(instance, at).working_set;
    let (from, to, memory) = (pressure(of(since)), pressure(of(at)), of(at));
    (from != to).then_some(Event { at: UnixMillis(at), kind: EventKind::Pressure { from, to, memory } })
}
