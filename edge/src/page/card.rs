//! One monitor on the page.

use heapbeat_shared::{EndingKind, HealthMemory, UnixMillis};

use super::chart::{self, Chart};
use super::{Moment, words};
use crate::instant;
use crate::view::{ChartPoint, EndingView, MonitorView, WindowUptime};
use crate::watch::State;

/// Rows of the table behind a chart: enough to follow the curve by ear.
const TABLE_ROWS: usize = 24;

/// Most pieces of evidence of an ending; the API has all.
const MOST_EVIDENCE: usize = 3;

/// A monitor, in words.
pub(super) struct Card<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) state: State,
    pub(super) since: Option<Moment>,
    pub(super) reason: Option<&'a str>,
    pub(super) latency: Option<String>,
    pub(super) uptime: Vec<Window<'a>>,
    pub(super) memory: Option<Memory>,
    pub(super) running: Option<String>,
    pub(super) ended: Option<Ended<'a>>,
    pub(super) chart: Option<Chart>,
    pub(super) rows: Vec<Row>,
    pub(super) restarts: Vec<Moment>,
}

/// How the instance before the present one ended.
pub(super) struct Ended<'a> {
    /// `was killed by the kernel for want of memory`, with `probably` where the evidence does not decide.
    pub(super) how: String,
    pub(super) at: Moment,
    /// What speaks for it, the strongest first.
    pub(super) evidence: &'a [String],
}

impl<'a> Ended<'a> {
    fn new(ending: &'a EndingView, now: UnixMillis) -> Self {
        let probably = if ending.sure || ending.kind == EndingKind::Unknown { "" } else { "probably " };
        Ended {
            how: format!("{probably}{}", ending.kind.phrase()),
            at: Moment::new(ending.at, now),
            evidence: &ending.evidence[..ending.evidence.len().min(MOST_EVIDENCE)],
        }
    }
}

pub(super) struct Window<'a> {
    pub(super) name: &'a str,
    pub(super) percent: String,
    pub(super) coverage: String,
}

pub(super) struct Memory {
    pub(super) figures: HealthMemory,
    pub(super) of_limit: Option<String>,
    pub(super) pressure: Option<&'static str>,
    pub(super) at: Moment,
}

pub(super) struct Row {
    pub(super) at: String,
    pub(super) memory: HealthMemory,
}

impl<'a> Card<'a> {
    pub(super) fn new(monitor: &'a MonitorView, now: UnixMillis) -> Self {
        let seen = monitor.state != State::Unobserved || monitor.since.0 > 0;
        let limit = monitor.memory.as_ref().and_then(|memory| memory.limit);
        Card {
            id: &monitor.id,
            name: &monitor.name,
            state: monitor.state,
            since: seen.then(|| Moment::new(monitor.since, now)),
            reason: monitor.reason.as_deref(),
            latency: monitor.latency_ms.map(|ms| format!("{ms} ms")),
            uptime: monitor.uptime.iter().map(Window::new).collect(),
            memory: monitor.memory.as_ref().map(|memory| Memory {
                figures: memory.figures,
                of_limit: memory.limit.map(|limit| limit.to_string()),
                pressure: memory.pressure.map(heapbeat_shared::Pressure::as_str),
                at: Moment::new(memory.at, now),
            }),
            ended: monitor.last_ending.as_ref().map(|ending| Ended::new(ending, now)),
            running: monitor.started.map(|started| words::span(now.since(started).as_secs())),
            chart: chart::chart(&monitor.chart, &monitor.restarts, limit, now),
            rows: rows(&monitor.chart),
            restarts: monitor.restarts.iter().rev().map(|at| Moment::new(*at, now)).collect(),
        }
    }
}

impl<'a> Window<'a> {
    fn new(uptime: &'a WindowUptime) -> Self {
        Window {
            name: &uptime.window,
            percent: uptime.percent.map_or_else(|| "no data".into(), words::percent),
            coverage: words::percent(uptime.coverage),
        }
    }
}

/// Every so many points, the last one always among them.
fn rows(points: &[ChartPoint]) -> Vec<Row> {
    let step = points.len().div_ceil(TABLE_ROWS).max(1);
    let row = |point: &ChartPoint| Row { at: instant::clock(point.at), memory: point.memory };
    let mut rows: Vec<Row> = points.iter().rev().step_by(step).map(row).collect();
    rows.reverse();
    rows
}
