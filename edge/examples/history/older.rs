//! All but the last day: ledgers, incidents, memory and latencies, from the stories alone.

use heapbeat_edge::domain::State;
use heapbeat_edge::domain::check::verdict::Verdict;
use heapbeat_edge::domain::history::ledger::LedgerEntry;
use heapbeat_edge::domain::history::rollup::{Tier, keep_peaks};
use heapbeat_edge::domain::incident::RECORDING_LENGTH;
use heapbeat_edge::domain::incident::tracker::{IncidentTracker, TickObservation};
use heapbeat_edge::domain::report::last_report::ReportDelta;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::exit::{Evidence, Exit, ExitKind};
use heapbeat_shared::{Bytes, Pressure, Statement, UnixMillis};

use crate::last_day::begins;
use crate::rows::Rows;
use crate::story::{Episode, Story, What};
use crate::{DAY, HOUR, MINUTE, Wanted};

/// How far back samples are kept to the second.
const SECONDS: i64 = 2 * DAY;

pub(crate) fn write(stories: &[Story], wanted: &Wanted, rows: &mut Rows) {
    for story in stories {
        ledger(story, begins(wanted.span), rows);
        incidents(story, begins(wanted.span), rows);
        latencies(story, begins(wanted.span), rows);
        memory(story, wanted.span.1, rows);
    }
}

fn state(what: What) -> State {
    match what {
        What::Down(_) | What::Death => State::Down,
        What::Slow(_) => State::Degraded,
        What::MaintenanceWindow => State::Maintenance,
        What::Waking => State::Waking,
        What::Nobody => State::Unobserved,
    }
}

fn ledger(story: &Story, until: i64, rows: &mut Rows) {
    let entries = rows.ledgers.entry(story.id.clone()).or_default();
    if story.since >= until {
        return;
    }
    let mut put = |from, state| entries.push(LedgerEntry { from: UnixMillis(from), state });
    put(story.since, State::Up);
    for it in story.episodes.iter().filter(|it| it.from > story.since && it.to < until) {
        put(it.from, state(it.what));
        put(it.to, State::Up);
    }
}

fn incidents(story: &Story, until: i64, rows: &mut Rows) {
    let mut incidents = IncidentTracker::default();
    for it in story.episodes.iter().filter(|it| it.from > story.since && it.to < until) {
        let (verdict, state) = match it.what {
            What::Down(failure) => (Verdict::Failed(failure), State::Down),
            What::Slow(ms) => (Verdict::Degraded(heapbeat_edge::domain::Failure::Slow(ms)), State::Degraded),
            What::Death => (Verdict::Up, State::Up),
            What::MaintenanceWindow | What::Waking | What::Nobody => continue,
        };
        let delta = if it.what == What::Death { death(story, it) } else { ReportDelta::default() };
        // A death is told by the first tick after it; all is well then, and for some minutes.
        let first = if it.what == What::Death { it.to - it.to.rem_euclid(MINUTE) + MINUTE } else { it.from };
        let observation = |at, verdict, state, delta, restarted| TickObservation {
            at: UnixMillis(at),
            state,
            verdict: Some(verdict),
            last_report: None,
            delta,
            restarted,
            flapping_since: None,
        };
        let nothing = ReportDelta::default();
        incidents.record_tick(&story.id, &observation(first, verdict, state, &delta, it.what == What::Death));
        if let Some(incident) = incidents.latest.as_mut().filter(|_| it.from % 3 == 0) {
            incident.acknowledged = true;
            incident.add_timeline_entry(UnixMillis(it.from + MINUTE), Statement::acknowledged());
            incident
                .add_timeline_entry(UnixMillis(it.from + MINUTE), Statement::note("we are looking into it"));
        }
        for minute in 0..5 {
            let at = it.to.max(first) + minute * MINUTE;
            incidents.record_tick(&story.id, &observation(at, Verdict::Up, State::Up, &nothing, false));
        }
        let Some(incident) = incidents.latest.clone() else { continue };
        let opened = incident.opened;
        rows.incident(incident);
        if let Some(lives) = &story.lives {
            let runs = lives.runs(UnixMillis(opened.0).minus(RECORDING_LENGTH).0, opened.0, 1000);
            rows.recording(&story.id, opened, &runs);
        }
    }
}

/// What the report after a death tells.
fn death(story: &Story, it: &Episode) -> ReportDelta {
    let dead = story.lives.as_ref().and_then(|lives| lives.at(it.from - 1));
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
        exit: dead.map(|(life, _)| killed(life)),
        ..ReportDelta::default()
    }
}

/// The ending of a life for want of memory.
pub(crate) fn killed(life: &crate::memory::InstanceLifetime) -> Exit {
    Exit {
        kind: ExitKind::OomKill,
        sure: true,
        at: UnixMillis(life.to),
        evidence: vec![
            Evidence::GroupOomCount(1).statement(),
            Evidence::LastSample {
                memory: Bytes(525_755_187),
                limit: Bytes::from_mb(512),
                pressure: Pressure::Purge,
            }
            .statement(),
        ],
        instance: Some(life.instance),
        version: life.version.clone(),
        started: Some(UnixMillis(life.from)),
        ..Exit::default()
    }
}

fn latencies(story: &Story, until: i64, rows: &mut Rows) {
    let mut at = story.since - story.since.rem_euclid(HOUR);
    while at + HOUR <= until - until.rem_euclid(HOUR) {
        let minutes = (0..60).map(|minute| at + minute * MINUTE).filter(|at| *at >= story.since);
        let (mut probes, mut failed, mut answers) = (0, 0, Vec::new());
        for minute in minutes {
            let what = story.at(minute).map(|it| it.what);
            probes += u32::from(what != Some(What::Nobody));
            match what {
                Some(What::Nobody) => {}
                Some(What::Down(_)) => failed += 1,
                Some(What::Slow(ms)) => answers.push(ms),
                // An hour has its own noise; every tenth minute says enough of it.
                _ if minute % (10 * MINUTE) == 0 => answers.push(story.latency(minute)),
                _ => {}
            }
        }
        answers.sort_unstable();
        let rank =
            |percent: usize| answers.get((answers.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        if probes > 0 {
            let hour = [rank(0), rank(50), rank(95), Some(probes), Some(failed)];
            rows.hours.entry(at).or_default().push((story.id.clone(), hour));
        }
        at += HOUR;
    }
}

fn memory(story: &Story, until: i64, rows: &mut Rows) {
    let Some(lives) = &story.lives else { return };
    let hour = until - until.rem_euclid(HOUR);
    let minute = std::time::Duration::from_secs(60);
    let fine = (until - SECONDS).div_euclid(HOUR) * HOUR;
    let mut month = Vec::new();
    let mut day = story.since - story.since.rem_euclid(DAY);
    while day < until {
        let end = (day + DAY).min(hour);
        let mut minutes = lives.runs(day.max(story.since), end.min(fine), MINUTE);
        let mut at = day.max(fine);
        while at + HOUR <= end {
            let seconds = lives.runs(at, at + HOUR, 1000);
            rows.chunk(&story.id, Tier::Second, at, &seconds);
            minutes.extend(keep_peaks(&seconds, minute));
            at += HOUR;
        }
        let minutes = keep_peaks(&minutes, minute);
        rows.chunk(&story.id, Tier::Minute, day, &minutes);
        if day + DAY <= hour {
            month.extend(keep_peaks(&minutes, std::time::Duration::from_secs(3600)));
        }
        let next = Tier::Hour.chunk_slot(UnixMillis(day + DAY)).0;
        if next != Tier::Hour.chunk_slot(UnixMillis(day)).0 || day + DAY >= until {
            rows.chunk(&story.id, Tier::Hour, day, &std::mem::take(&mut month));
        }
        day += DAY;
    }
}
