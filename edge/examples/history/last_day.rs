//! The last day: every tick of it, through the engine, as the hub would have written it.

use std::collections::BTreeMap;
use std::time::Duration;

use heapbeat_edge::config::{Kind, MonitorId};
use heapbeat_edge::domain::Failure;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::engine::{Engine, PersistedStates, Tick};
use heapbeat_edge::domain::history::latency::LatencyAccumulator;
use heapbeat_edge::domain::monitor_state::PersistedState;
use heapbeat_edge::domain::quota::{QuotaCost, QuotaUsage};
use heapbeat_edge::domain::report::verification::VerifiedReport;
use heapbeat_edge::store::export_format::Cell;
use heapbeat_edge::store::pack_tick;
use heapbeat_forecast::Forecaster;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::{Block, Limit, PressureState, Report, System};
use heapbeat_shared::series;
use heapbeat_shared::series::Series;
use heapbeat_shared::{Health, HealthMemory, Megabytes, Status, UnixMillis, codec};

use crate::memory::{InstanceLifetime, LIMIT, Lives, pressure};
use crate::older::killed;
use crate::rows::Rows;
use crate::story::{Story, What};
use crate::{HOUR, MINUTE, Wanted};

/// Ticks of it: somewhat more than a day, and less than the ring of a hub holds.
const TICKS: i64 = 1530;

/// The tick with which it begins.
pub(crate) fn begins((start, until): (i64, i64)) -> i64 {
    start.max(until - (TICKS - 1) * MINUTE)
}

pub(crate) fn write(stories: &[Story], wanted: &Wanted, rows: &mut Rows) {
    let (first, until) = (begins(wanted.span), wanted.span.1);
    let mut entries = litemap::LiteMap::new();
    for (id, ledger) in &rows.ledgers {
        entries.insert(id.clone(), ledger.clone());
    }
    let mut engine = Engine::restore(None, remembered(stories, first), entries);
    let mut hours: BTreeMap<(i64, MonitorId), LatencyAccumulator> = BTreeMap::new();
    let (mut usage, mut last, mut slot) = (QuotaUsage::default(), None, 0);
    let ticks = (first..=until).step_by(60_000);
    let seen =
        |at: &i64| stories.first().and_then(|story| story.at(*at)).is_none_or(|it| it.what != What::Nobody);
    for at in ticks.filter(seen) {
        let now = UnixMillis(at);
        let tick = Tick { at: now, came: UnixMillis(wanted.came.0 - (until - at)) };
        let on = |story: &&Story| story.at(at).is_some_and(|it| it.what == What::MaintenanceWindow);
        engine.set_maintenance(stories.iter().filter(on).map(|story| story.id.clone()).collect());
        let since = last.unwrap_or(UnixMillis(at - MINUTE)).0;
        let probes: Vec<ProbeResult> = stories.iter().map(|story| probed(story, since, at)).collect();
        let commit = engine.apply_tick(&wanted.config, tick, &probes);
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
        let spent =
            QuotaCost { requests: 1, rows_read: 2, rows_written: 1, subrequests: stories.len() as u64 };
        usage.record_tick(now, now, last, spent);
        // Only the newest row's memos are ever read.
        let persisted_states =
            if at == until { commit.persisted_states } else { codec::encode(&PersistedStates::new()) };
        let cells = [
            Cell::Integer(slot),
            Cell::Integer(at),
            Cell::Integer(tick.came.0),
            Cell::Bytes(pack_tick(&commit.probes)),
            Cell::Bytes(persisted_states),
            Cell::Bytes(codec::encode(&usage)),
        ];
        rows.row("tick", &cells);
        slot += 1;
        last = Some(now);
    }
    for ((hour, id), probes) in hours {
        // The hour that is under way is in no day yet; of the first one the older part is told with it.
        if hour + HOUR <= until
            && let Some(folded) = probes.summarize()
        {
            rows.hours.entry(hour).or_default().push((id, folded));
        }
    }
}

/// What would be remembered of the time before the first tick: restarts and deaths.
fn remembered(stories: &[Story], before: i64) -> PersistedStates {
    let of = |story: &Story| {
        let deaths = story.episodes.iter().filter(|it| it.what == What::Death && it.to < before);
        let (crashes, restarts) = deaths.map(|it| (UnixMillis(it.from), UnixMillis(it.to))).unzip();
        (story.id.clone(), PersistedState { crashes: Some(crashes), restarts, ..PersistedState::default() })
    };
    stories.iter().filter(|story| story.lives.is_some()).map(of).collect()
}

/// What a probe of the tick at `at` finds; `since`: the tick before it.
fn probed(story: &Story, since: i64, at: i64) -> ProbeResult {
    let answer = |status, ms: u32, body, report| {
        Ok(ProbeResponse {
            status,
            latency: Duration::from_millis(ms.into()),
            body: ResponseBody::Whole(body),
            report,
        })
    };
    let ms = story.latency(at);
    let signed = story.lives.as_ref().and_then(|lives| signed(lives, since, at));
    let result = match story.at(at).map(|it| it.what) {
        Some(What::Down(Failure::Status(status))) => answer(status, ms, Vec::new(), None),
        Some(What::Down(failure)) => Err(failure.into()),
        Some(What::Slow(slow)) => answer(200, slow, health(story, at), None),
        _ => match signed {
            Some(signed) => answer(200, ms, signed.report.health().to_json(), Some(Box::new(signed))),
            None if story.kind == Kind::Heapbeat => answer(200, ms, health(story, at), None),
            None if story.kind == Kind::Http => answer(200, ms, Vec::new(), None),
            None => answer(0, ms, Vec::new(), None),
        },
    };
    ProbeResult { monitor: story.id.clone(), received: UnixMillis(at), result }
}

/// The public answer of a server that signs nothing.
fn health(story: &Story, at: i64) -> Vec<u8> {
    if story.kind != Kind::Heapbeat {
        return Vec::new();
    }
    let rss = 90 + (story.index as u64 * 13) % 120 + (at / HOUR).unsigned_abs() % 7;
    let memory = HealthMemory {
        rss: Megabytes(rss),
        heap_used: Megabytes(rss - 25),
        heap_total: Megabytes(rss - 10),
        external: Megabytes(6),
    };
    let uptime = u64::try_from((at - story.since) / 1000).unwrap_or(0) + 3600;
    Health { memory, uptime, ..Health::default() }.to_json()
}

/// The report at `at`, with the samples since the tick before.
pub(crate) fn signed(lives: &Lives, since: i64, at: i64) -> Option<VerifiedReport> {
    let (life, before) = lives.at(at)?;
    let run = lives.runs((since + 1000).max(life.from), at + 1, 1000).pop()?;
    let Series { first, samples } = run.series;
    let latest = *samples.last()?;
    let rung = pressure(latest.working_set);
    let status = if rung == heapbeat_shared::Pressure::Calm { Status::Healthy } else { Status::Degraded };
    let report = Report {
        status,
        memory: latest.to_health_memory(),
        uptime: u64::try_from((at - life.from) / 1000).unwrap_or(0),
        instance: life.instance,
        version: life.version.clone(),
        started: UnixMillis(life.from),
        now: UnixMillis(at),
        limit: Limit { bytes: LIMIT, origin: "the cgroup".to_owned() },
        pressure: PressureState { level: rung, since: UnixMillis(at), shed: 0 },
        latest,
        system: System::default(),
        events: climbed(lives, life, since, at).into_iter().collect(),
        routes: Vec::new(),
        forecast: Forecaster::new().assess(LIMIT),
        samples: Block { first, count: samples.len() as u64, lost: 0, data: series::encode(first, &samples) },
        missing: Vec::new(),
        previous_exit: before.filter(|life| life.died).map(killed),
        last_samples: None,
    };
    Some(VerifiedReport { report, series: Series { first, samples } })
}

/// The rung that was climbed, or come down to, from one instant to another in a life.
pub(crate) fn climbed(lives: &Lives, life: &InstanceLifetime, since: i64, at: i64) -> Option<Event> {
    if since < life.from {
        return None;
    }
    let of = |at: i64| lives.sample(life, at).working_set;
    let (from, to, memory) = (pressure(of(since)), pressure(of(at)), of(at));
    (from != to).then_some(Event { at: UnixMillis(at), kind: EventKind::Pressure { from, to, memory } })
}
