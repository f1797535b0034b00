//! What pages are made of: what the API tells, in one answer a page, and some pictures' worth of figures.

use std::time::Duration;

use heapbeat_shared::{Bytes, UnixMillis};

use super::versions::compared;
use super::{days, days_json, incident, monitor, status};
use crate::domain::State;
use crate::domain::history::downsample::Thinned;
use crate::domain::history::latency::{HALF_HOUR_MS, POINTS};
use crate::domain::incident::{Incident, Severity};
use crate::domain::instant::rfc3339;
use crate::domain::monitor_state::Ended;
use crate::domain::report::version_comparison::Growth;
use crate::json;
use crate::json::{List, Object};
use crate::view::{ChartPoint, MonitorView, StatusView};

/// The stretches that a page can show, by their names, in hours.
pub const RANGES: [(&str, i64); 5] = [("1h", 1), ("24h", 24), ("7d", 168), ("30d", 720), ("90d", 2160)];

const DAY: Duration = Duration::from_secs(86_400);

/// What `/` is made of.
pub fn status_page(view: &StatusView, incidents: &[Incident]) -> String {
    let name = |it: &Incident| {
        let named = view.monitors.iter().find(|monitor| monitor.id == it.monitor.as_str());
        named.map_or("", |monitor| &monitor.name)
    };
    json::object(|o| {
        o.set("now", view.now.0);
        status(o, view, |o, view| {
            monitor(o, view);
            peaks(o, view);
        });
        o.list("incidents", |list| incidents.iter().for_each(|it| list.object(|o| short(o, it, name(it)))));
    })
}

/// One monitor, as its page has it.
#[derive(Debug)]
pub struct MonitorPage<'a> {
    /// The monitor.
    pub view: &'a MonitorView,
    /// The instant that all of this is as of.
    pub now: UnixMillis,
    /// The stretch that is shown, by its name; empty where it was chosen freely.
    pub range: &'a str,
    /// The stretch that is shown.
    pub window: (UnixMillis, UnixMillis),
    /// Memory in it.
    pub memory: Thinned,
    /// Latency in it, finished.
    pub latency: String,
    /// Incidents, newest first.
    pub incidents: Vec<Incident>,
    /// Starts of instances in it, each with how the one before ended.
    pub restarts: Vec<(UnixMillis, Option<Ended>)>,
    /// Memory of the versions.
    pub growth: Option<&'a Growth>,
    /// The route that makes memory grow, where anybody may know it.
    pub grows: Option<&'a String>,
}

/// What `/monitors/{id}` is made of.
pub fn monitor_page(page: &MonitorPage<'_>) -> String {
    let incidents = |list: &mut List<'_>, those: &mut dyn Iterator<Item = &Incident>| {
        those.for_each(|it| list.object(|o| short(o, it, &page.view.name)));
    };
    json::object(|o| {
        o.set("now", page.now.0);
        o.set("status", page.view.state.as_str());
        o.object("monitor", |o| monitor(o, page.view));
        o.set("range", page.range);
        o.set("from", page.window.0.0);
        o.set("to", page.window.1.0);
        o.object("memory", |o| {
            let limit = page.view.memory.as_ref().and_then(|memory| memory.limit).map(Bytes::from);
            let to = forecast(o, page).unwrap_or(page.window.1);
            memory(o, (page.window.0, to), limit, &page.memory);
            o.list("marks", |list| page.restarts.iter().for_each(|(at, _)| list.push(at.0)));
        });
        o.list("restarts", |list| {
            for (at, ended) in &page.restarts {
                list.object(|o| {
                    o.set("at", at.0);
                    o.set("kind", ended.map(|it| it.kind.as_str()));
                    o.set("sure", ended.is_none_or(|it| it.sure));
                });
            }
        });
        compared(o, page.growth);
        o.set("grows", page.grows);
        o.list("incidents", |list| incidents(list, &mut page.incidents.iter()));
        // Newest first, each with what happened on it.
        o.list("troubled", |list| {
            let fine = |state| matches!(state, State::Up | State::Unobserved);
            for day in page.view.days.iter().rev().filter(|day| !fine(day.state)) {
                let (from, to) = (day.from, day.from.plus(DAY));
                let on_it = |it: &&Incident| it.opened < to && it.closed.is_none_or(|closed| closed >= from);
                list.object(|o| {
                    days::day(o, day);
                    o.list("incidents", |list| incidents(list, &mut page.incidents.iter().filter(on_it)));
                });
            }
        });
        o.written("days", &days_json(&page.view.days));
        o.written("latency", &page.latency);
    })
}

/// Where memory is on its way to, as a picture that ends now goes on with; says how far that is.
fn forecast(o: &mut Object<'_>, page: &MonitorPage<'_>) -> Option<UnixMillis> {
    let [reaches, earliest, latest] = page.view.forecast?.reaches?;
    let last = page.memory.samples.last().filter(|_| page.window.1 == page.now)?;
    o.object("forecast", |o| {
        o.set("from", last.at.0);
        o.set("level", last.working_set.0);
        o.set("at", reaches.0);
        o.set("earliest", earliest.0);
        o.set("latest", latest.0);
    });
    let (from, to) = page.window;
    // Half as long again at most, and a little beyond what is expected.
    Some(to.plus(to.since(from).min(reaches.since(to) + reaches.since(to) / 4) / 2))
}

/// What `/incidents/{id}` is made of.
pub fn incident_page(
    it: &Incident,
    name: &str,
    limit: Option<Bytes>,
    now: UnixMillis,
    recording: &Thinned,
) -> String {
    let samples = &recording.samples;
    let window = samples.first().zip(samples.last()).map(|(first, last)| (first.at, last.at.max(it.opened)));
    let state = match it.severity {
        _ if it.closed.is_some() => State::Up,
        Severity::Down => State::Down,
        _ => State::Degraded,
    };
    json::object(|o| {
        o.set("now", now.0);
        o.set("status", state.as_str());
        o.set("name", name);
        incident(o, it);
        lasted(o, it);
        o.object("memory", |o| {
            memory(o, window.unwrap_or((now, now)), limit, recording);
            o.list("marks", |list| list.push(it.opened.0));
        });
    })
}

/// A picture of memory (`page/plot.rs`).
fn memory(o: &mut Object<'_>, (from, to): (UnixMillis, UnixMillis), limit: Option<Bytes>, line: &Thinned) {
    o.set("limit", limit.map(|limit| limit.0));
    o.set("from", from.0);
    o.set("to", to.0);
    o.list("samples", |list| line.samples.iter().for_each(|it| list.list(|row| super::sample(row, it))));
    o.list("instances", |list| line.instances.iter().for_each(|at| list.push(at.0)));
}

/// An incident in a line.
fn short(o: &mut Object<'_>, it: &Incident, name: &str) {
    o.set("id", &it.id());
    o.set("monitor", it.monitor.as_str());
    o.set("name", name);
    o.set("severity", it.severity.as_str());
    o.set("opened", &rfc3339(it.opened));
    o.set("closed", it.closed.map(rfc3339).as_ref());
    o.set("cause", &it.cause.sentence());
    o.set("acknowledged", it.notice.acknowledged);
    lasted(o, it);
}

/// How long it lasted, in seconds, where it is over.
fn lasted(o: &mut Object<'_>, it: &Incident) {
    o.set("lasted", it.closed.map(|closed| closed.since(it.opened).as_secs()));
}

/// The highest resident memory of each half an hour of the last day, in MB; the limit, where it is known.
fn peaks(o: &mut Object<'_>, view: &MonitorView) {
    let Some(last) = view.chart.last() else { return };
    o.object("memory_day", |o| {
        o.set("top", view.memory.as_ref().and_then(|memory| memory.limit).map(|limit| limit.0));
        o.list("points", |list| points(list, &view.chart, last.at));
    });
}

fn points(out: &mut List<'_>, chart: &[ChartPoint], last: UnixMillis) {
    let mut points = chart.iter().peekable();
    for index in 0..POINTS {
        let end = last.0 - (POINTS - 1 - index) * HALF_HOUR_MS;
        let mut highest: Option<u64> = None;
        while let Some(point) = points.next_if(|point| point.at.0 <= end) {
            if point.at.0 > end - HALF_HOUR_MS {
                highest = highest.max(Some(point.memory.rss.0));
            }
        }
        out.push(highest);
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::{HealthMemory, Megabytes};

    use super::*;

    #[test]
    fn a_small_picture_has_the_peak_of_each_half_hour() {
        let point = |minute: i64, rss| ChartPoint {
            at: UnixMillis(minute * 60_000),
            memory: HealthMemory { rss: Megabytes(rss), ..HealthMemory::default() },
        };
        // A day that ends with minute 1440: the last half hour is 1411 to 1440.
        let chart = [point(5, 9), point(31, 1), point(32, 7), point(1410, 3), point(1411, 4), point(1440, 2)];
        let body = json::list(|list| points(list, &chart, UnixMillis(1440 * 60_000)));
        let read: Vec<Option<u64>> = serde_json::from_str(&body).unwrap();
        assert_eq!(read.len(), 48);
        let known: Vec<_> = read.iter().enumerate().filter_map(|(i, it)| it.map(|it| (i, it))).collect();
        assert_eq!(known, [(0, 9), (1, 7), (46, 3), (47, 4)]);
    }
}
