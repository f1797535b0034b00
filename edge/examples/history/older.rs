//! All but the last day: ledgers, incidents, memory and latencies are written from the scenarios alone.

use heapbeat_edge::domain::State;
use heapbeat_edge::domain::check::verdict::CheckVerdict;
use heapbeat_edge::domain::history::ledger::LedgerEntry;
use heapbeat_edge::domain::history::rollup::{Tier, keep_peaks};
use heapbeat_edge::domain::incident::recording::RECORDING_LENGTH;
use heapbeat_edge::domain::incident::tracker::{IncidentTracker, TickObservation};
use heapbeat_edge::domain::report::exit_matching::InstanceExit;
use heapbeat_edge::domain::report::last_report::ReportDelta;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::exit::{Evidence, Exit, ExitKind};
use heapbeat_shared::{Bytes, Pressure, Statement, UnixMillis};

use crate::last_day::first_tick;
use crate::rows::Rows;
use crate::scenario::{Episode, EpisodeKind, Scenario};
use crate::{DAY, HOUR, HistoryRequest, MINUTE};

/// How far back every sample is kept.
const SECONDS: i64 = 2 * DAY;

pub(crate) fn write(scenarios: &[Scenario], request: &HistoryRequest, rows: &mut Rows) {
    for scenario in scenarios {
        ledger(scenario, first_tick(request.span), rows);
        incidents(scenario, first_tick(request.span), rows);
        latencies(scenario, first_tick(request.span), rows);
        memory(scenario, request.span.1, rows);
    }
}

fn state(kind: EpisodeKind) -> State {
    match kind {
        EpisodeKind::Down(_) | EpisodeKind::Crash => State::Down,
        EpisodeKind::Slow(_) => State::Degraded,
        EpisodeKind::Maintenance => State::Maintenance,
        EpisodeKind::Waking => State::Waking,
        EpisodeKind::Unobserved => State::Unobserved,
    }
}

fn ledger(scenario: &Scenario, until: i64, rows: &mut Rows) {
    let entries = rows.ledgers.entry(scenario.id.clone()).or_default();
    if scenario.since >= until {
        return;
    }
    let mut put = |from, state| entries.push(LedgerEntry { from: UnixMillis(from), state });
    put(scenario.since, State::Up);
    for it in scenario.episodes.iter().filter(|it| it.from > scenario.since && it.to < until) {
        put(it.from, state(it.kind));
        put(it.to, State::Up);
    }
}

fn incidents(scenario: &Scenario, until: i64, rows: &mut Rows) {
    let mut incidents = IncidentTracker::default();
    for it in scenario.episodes.iter().filter(|it| it.from > scenario.since && it.to < until) {
        let (verdict, state) = match it.kind {
            EpisodeKind::Down(failure) => (CheckVerdict::Failed(failure), State::Down),
            EpisodeKind::Slow(ms) => {
                (CheckVerdict::Degraded(heapbeat_edge::domain::Failure::Slow(ms)), State::Degraded)
            }
            EpisodeKind::Crash => (CheckVerdict::Up, State::Up),
            EpisodeKind::Maintenance | EpisodeKind::Waking | EpisodeKind::Unobserved => continue,
        };
        let delta =
            if it.kind == EpisodeKind::Crash { crash_delta(scenario, it) } else { ReportDelta::default() };
        // A crash is reported in the first tick after it; all is well then, and for some minutes.
        let first =
            if it.kind == EpisodeKind::Crash { it.to - it.to.rem_euclid(MINUTE) + MINUTE } else { it.from };
        let observation = |at, verdict, state, delta, restarted| TickObservation {
            at: UnixMillis(at),
            state,
            verdict: Some(verdict),
            last_report: None,
            delta,
            restarted,
            flapping_since: None,
            unobserved_since: None,
        };
        let nothing = ReportDelta::default();
        incidents.record_tick(
            &scenario.id,
            &observation(first, verdict, state, &delta, it.kind == EpisodeKind::Crash),
        );
        if let Some(incident) = incidents.latest.as_mut().filter(|_| it.from % 3 == 0) {
            incident.acknowledged = true;
            incident.add_timeline_entry(UnixMillis(it.from + MINUTE), Statement::acknowledged());
            incident
                .add_timeline_entry(UnixMillis(it.from + MINUTE), Statement::note("we are looking into it"));
        }
        for minute in 0..5 {
            let at = it.to.max(first) + minute * MINUTE;
            incidents
                .record_tick(&scenario.id, &observation(at, CheckVerdict::Up, State::Up, &nothing, false));
        }
        let Some(incident) = incidents.latest.clone() else { continue };
        let opened = incident.opened;
        rows.incident(incident);
        if let Some(instances) = &scenario.instances {
            let runs = instances.runs(UnixMillis(opened.0).minus(RECORDING_LENGTH).0, opened.0, 1000);
            rows.recording(&scenario.id, opened, &runs);
        }
    }
}

/// What is new in the report after a crash.
fn crash_delta(scenario: &Scenario, it: &Episode) -> ReportDelta {
    let dead = scenario.instances.as_ref().and_then(|instances| instances.instance_at(it.from - 1));
    let events = [
        (90, Pressure::Calm, Pressure::Alert, 402),
        (25, Pressure::Alert, Pressure::Purge, 453),
        (6, Pressure::Purge, Pressure::Recycle, 482),
    ];
    let event = |(minutes, from, to, mb)| Event {
        at: UnixMillis(it.from - minutes * MINUTE),
        kind: EventKind::Pressure { from, to, memory: Bytes::from_mb(mb) },
    };
    ReportDelta {
        events: events.map(event).to_vec(),
        exits: dead
            .map(|(instance, _)| InstanceExit { exit: oom_kill(instance), restarted: UnixMillis(it.to) })
            .into_iter()
            .collect(),
        ..ReportDelta::default()
    }
}

/// The exit of an instance that the kernel killed.
pub(crate) fn oom_kill(instance: &crate::memory::Instance) -> Exit {
    Exit {
        kind: ExitKind::OomKill,
        sure: true,
        at: UnixMillis(instance.to),
        evidence: vec![
            Evidence::GroupOomCount(1).statement(),
            Evidence::LastSample {
                memory: Bytes(525_755_187),
                limit: Bytes::from_mb(512),
                pressure: Pressure::Purge,
            }
            .statement(),
        ],
        instance: Some(instance.id),
        version: instance.version.clone(),
        started: Some(UnixMillis(instance.from)),
        ..Exit::default()
    }
}

fn latencies(scenario: &Scenario, until: i64, rows: &mut Rows) {
    let mut at = scenario.since - scenario.since.rem_euclid(HOUR);
    while at + HOUR <= until - until.rem_euclid(HOUR) {
        let minutes = (0..60).map(|minute| at + minute * MINUTE).filter(|at| *at >= scenario.since);
        let (mut probes, mut failed, mut answers) = (0, 0, Vec::new());
        for minute in minutes {
            let kind = scenario.episode_at(minute).map(|it| it.kind);
            probes += u32::from(kind != Some(EpisodeKind::Unobserved));
            match kind {
                Some(EpisodeKind::Unobserved) => {}
                Some(EpisodeKind::Down(_)) => failed += 1,
                Some(EpisodeKind::Slow(ms)) => answers.push(ms),
                // Every tenth minute is enough for the summary of an hour.
                _ if minute % (10 * MINUTE) == 0 => answers.push(scenario.latency(minute)),
                _ => {}
            }
        }
        answers.sort_unstable();
        let rank =
            |percent: usize| answers.get((answers.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        if probes > 0 {
            let hour = [rank(0), rank(50), rank(95), Some(probes), Some(failed)];
            rows.hours.entry(at).or_default().push((scenario.id.clone(), hour));
        }
        at += HOUR;
    }
}

fn memory(scenario: &Scenario, until: i64, rows: &mut Rows) {
    let Some(instances) = &scenario.instances else { return };
    let hour = until - until.rem_euclid(HOUR);
    let minute = std::time::Duration::from_secs(60);
    let fine = (until - SECONDS).div_euclid(HOUR) * HOUR;
    let mut month = Vec::new();
    let mut day = scenario.since - scenario.since.rem_euclid(DAY);
    while day < until {
        let end = (day + DAY).min(hour);
        let mut minutes = instances.runs(day.max(scenario.since), end.min(fine), MINUTE);
        let mut at = day.max(fine);
        while at + HOUR <= end {
            let seconds = instances.runs(at, at + HOUR, 1000);
            rows.chunk(&scenario.id, Tier::Second, at, &seconds);
            minutes.extend(keep_peaks(&seconds, minute));
            at += HOUR;
        }
        let minutes = keep_peaks(&minutes, minute);
        rows.chunk(&scenario.id, Tier::Minute, day, &minutes);
        if day + DAY <= hour {
            month.extend(keep_peaks(&minutes, std::time::Duration::from_secs(3600)));
        }
        let next = Tier::Hour.chunk_slot(UnixMillis(day + DAY)).0;
        if next != Tier::Hour.chunk_slot(UnixMillis(day)).0 || day + DAY >= until {
            rows.chunk(&scenario.id, Tier::Hour, day, &std::mem::take(&mut month));
        }
        day += DAY;
    }
}
