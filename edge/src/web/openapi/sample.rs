//! What the examples of the document are made of; the writers of the API write them.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, HealthMemory, InstanceId, Megabytes, Pressure, Sample, UnixMillis};

use crate::config::{MonitorId, Problem};
use crate::domain::State;
use crate::domain::check::quorum::Voice;
use crate::domain::check::verdict::Verdict;
use crate::domain::engine::Past;
use crate::domain::history::days::{Day, days};
use crate::domain::history::ledger::Segment;
use crate::domain::history::rollup::Line;
use crate::domain::history::uptime::WINDOWS;
use crate::domain::incident::cause::Cause;
use crate::domain::incident::{Incident, Moment, Notice, Severity};
use crate::domain::maintenance::Work;
use crate::domain::quota::Usage;
use crate::domain::report::last_report::Run;
use crate::domain::report::version_comparison::{AGES, Growth, Version};
use crate::domain::snapshot::{
    ExitSummary, ForecastSnapshot, MemorySnapshot, MonitorSnapshot, StatusSnapshot, WindowUptime,
};
use crate::view::{MonitorDetailView, MonitorView, Timestamp};
use crate::web::api::to_json;

/// The monitor of all examples.
pub(super) const ID: &str = "api";

/// When they are asked for.
pub(super) const NOW: UnixMillis = UnixMillis(1_767_268_800_000);

const MB: u64 = 1024 * 1024;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So many milliseconds ago.
pub(super) const fn ago(ms: i64) -> UnixMillis {
    UnixMillis(NOW.0 - ms)
}

/// The last three hours.
pub(super) const WINDOW: (UnixMillis, UnixMillis) = (ago(3 * HOUR), NOW);

/// An id of an example.
///
/// # Panics
///
/// Where it is none.
pub(super) fn id(text: &str) -> MonitorId {
    text.parse().unwrap_or_else(|_| panic!("{text} is no id"))
}

/// Everything that holds.
pub(super) fn status() -> StatusSnapshot {
    StatusSnapshot {
        state: State::Up,
        now: NOW,
        updated: Some(NOW),
        monitors: vec![monitor()],
        problems: vec![Problem { position: "ALERTS[1].secret".into(), reason: "is missing".into() }],
        notices: Vec::new(),
        work: vec![Work {
            id: id("move"),
            title: "We move to larger machines".into(),
            monitors: Some(vec![id(ID)]),
            from: ago(-DAY),
            to: ago(-DAY - HOUR),
        }],
        usage: Usage {
            day: NOW.0 / DAY,
            requests: 1523,
            rows_read: 2960,
            rows_written: 742,
            subrequests: 721,
            busiest: 3,
            ticks: 720,
            missed: 1,
            latest_ms: 1240,
            lowered: 0,
        },
    }
}

/// One monitor as the API tells it.
pub(super) fn monitor_json() -> String {
    let (status, monitor) = (status(), MonitorView::from(&monitor()));
    to_json(&MonitorDetailView { updated: status.updated.map(Timestamp), monitor })
}

fn monitor() -> MonitorSnapshot {
    let shares = [(100.0, 100.0), (99.96, 100.0), (99.987_6, 98.4)];
    let uptime = WINDOWS.iter().zip(shares).map(|((window, _), (percent, coverage))| WindowUptime {
        window: (*window).to_owned(),
        percent: Some(percent),
        coverage,
    });
    MonitorSnapshot {
        id: ID.into(),
        name: "API".into(),
        group: Some("Backend".into()),
        state: State::Up,
        since: ago(2 * DAY),
        reason: None,
        latency_ms: Some(12),
        latencies: (0..48).map(|at| (at != 7).then_some(11 + at % 5)).collect(),
        uptime: uptime.collect(),
        days: all_days(),
        memory: Some(MemorySnapshot {
            figures: HealthMemory {
                rss: Megabytes(150),
                heap_used: Megabytes(120),
                heap_total: Megabytes(140),
                external: Megabytes(9),
            },
            limit: Some(Megabytes(512)),
            pressure: Some(Pressure::Calm),
            at: NOW,
        }),
        started: Some(ago(2 * DAY)),
        restarts: vec![ago(9 * DAY), ago(2 * DAY)],
        last_exit: Some(ExitSummary {
            kind: ExitKind::OomKill,
            at: ago(2 * DAY + 20_000),
            sure: true,
            evidence: vec!["the kernel counted an OOM kill in its cgroup".into()],
        }),
        forecast: Some(ForecastSnapshot { verdict: "steady", bytes_per_hour: None, reaches: None }),
        chart: Vec::new(),
        voices: vec![Voice { region: "weur", verdict: Some(Verdict::Up), latency_ms: Some(31) }],
    }
}

/// Ninety of them.
fn all_days() -> Vec<Day> {
    let segment = |from: i64, to: i64, state| Segment { from: ago(from), to: ago(to), state };
    let story = [
        segment(60 * DAY, 9 * DAY, State::Up),
        segment(9 * DAY, 9 * DAY - HOUR, State::Degraded),
        segment(9 * DAY - HOUR, 2 * DAY + 20_000, State::Up),
        segment(2 * DAY + 20_000, 2 * DAY, State::Down),
        segment(2 * DAY, 0, State::Up),
    ];
    days(story.into_iter(), NOW)
}

/// Three of them.
pub(super) fn some_days() -> Vec<Day> {
    all_days().split_off(87)
}

/// What its uptime is told from.
pub(super) fn past() -> Past {
    let (day, window) = (86_400, Duration::from_secs(30 * 86_400));
    Past {
        window,
        uptime: WindowUptime { window: String::new(), percent: Some(99.987_6), coverage: 98.4 },
        restarts: 2,
        between: Some(Duration::from_secs(14 * day)),
        crashes: 1,
        between_crashes: Some(Duration::from_secs(29 * day)),
        crash_free: Duration::from_secs(2 * day),
    }
}

fn sample(at: UnixMillis, working_set: u64) -> Sample {
    Sample {
        at,
        rss: Bytes(working_set + 2 * MB),
        heap_used: Bytes(working_set - 9 * MB),
        heap_total: Bytes(working_set - 4 * MB),
        heap_resident: Bytes(working_set - MB),
        working_set: Bytes(working_set),
    }
}

/// Memory of the last hours, with another instance and a gap.
pub(super) fn line() -> Line {
    Line {
        samples: vec![
            (sample(ago(2000), 150 * MB), true),
            (sample(ago(1000), 151 * MB), false),
            (sample(NOW, 151 * MB), false),
        ],
        gaps: vec![(ago(90 * MINUTE), ago(80 * MINUTE), 600)],
    }
}

/// Memory of two versions.
pub(super) fn growth() -> Growth {
    let version = |name: &str, days, reached: usize, mb: u64| {
        let mark = |at: usize| (at < reached).then(|| Bytes((mb + at as u64 * 3) * MB));
        Version { name: name.into(), since: ago(days * DAY), marks: (0..AGES.len()).map(mark).collect() }
    };
    Growth { versions: vec![version("1f3a9c2", 2, 7, 120), version("b7720de", 9, 6, 116)] }
}

/// An incident that is over, and the samples before it.
pub(super) fn incident() -> (Incident, Vec<Run>) {
    let opened = ago(2 * DAY + 20_000);
    let moment = |ms, what: &str| Moment { at: opened.plus(Duration::from_millis(ms)), what: what.into() };
    let timeline = [
        moment(0, "the instance was killed by the kernel for want of memory"),
        moment(20_000, "an instance started"),
        moment(140_000, "it is over"),
    ];
    let incident = Incident {
        monitor: id(ID),
        opened,
        closed: Some(opened.plus(Duration::from_secs(140))),
        severity: Severity::Crashed,
        cause: Cause::OutOfMemory,
        evidence: vec!["the kernel counted an OOM kill in its cgroup".into()],
        timeline: VecDeque::from(timeline),
        flaps: 0,
        quiet: None,
        notice: Notice { acknowledged: true, ..Notice::default() },
        behind: None,
        resolved: None,
    };
    let samples =
        vec![sample(UnixMillis(opened.0 - 2000), 506 * MB), sample(UnixMillis(opened.0 - 1000), 511 * MB)];
    (
        incident,
        vec![Run { instance: InstanceId(0x00c0_ffee_00c0_ffee), series: Series { first: 3598, samples } }],
    )
}
