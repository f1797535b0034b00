//! What pages are made of, in one answer each: `GET /page`, `/monitors/<id>/page?<range>`, `/incidents/<id>/page`.

use heapbeat_shared::{Bytes, HealthMemory, Sample, UnixMillis};

use super::machines::keep;
use super::{Hub, Told};
use crate::domain::history::downsample::Thinned;
use crate::probe::wall_clock;
use crate::view::ChartPoint;
use crate::web::api;
use crate::web::api::{MonitorPage, RANGES};

/// How long closed incidents stand on the first page.
const PAST_MS: i64 = 14 * 86_400_000;

/// Most of those.
const MOST_PAST: usize = 10;

/// Most incidents of a page.
const MOST_INCIDENTS: i64 = 30;

const HOUR_MS: i64 = 3_600_000;

impl Hub {
    /// `GET /page`, or what stands in for another hub's.
    pub(super) fn status_page(&self, silent: Option<usize>) -> Told<String> {
        if let Some(hub) = silent {
            return Ok(api::status_page(&self.stand_in(hub, true)?, &[]));
        }
        let config = self.shown()?;
        let view = self.view_of(&config)?;
        let mut incidents = self.incidents_of(&config, "", MOST_INCIDENTS)?;
        let mut closed = 0;
        incidents.retain(|it| {
            closed += usize::from(it.closed.is_some());
            it.closed.is_none_or(|at| at.0 > view.now.0 - PAST_MS && closed <= MOST_PAST)
        });
        Ok(api::status_page(&view, &incidents))
    }

    pub(super) fn page(&self, path: &str, query: &str) -> Told<Option<String>> {
        let mut parts = path.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("monitors"), Some(id)) => {
                self.monitor_page(id, if query.is_empty() { "24h" } else { query })
            }
            (Some("incidents"), Some(id)) => self.incident_page(id),
            _ => Ok(None),
        }
    }

    fn monitor_page(&self, id: &str, range: &str) -> Told<Option<String>> {
        let config = keep(&*self.config()?, &|it| it.public && it.id.as_str() == id);
        let view = self.view_of(&config)?;
        let (Some(monitor), Some(shown)) = (config.monitors.first(), view.monitors.first()) else {
            return Ok(None);
        };
        let board = self.board()?;
        let named = RANGES.iter().find(|(name, _)| *name == range);
        let window = match (named, range.split_once('-')) {
            (Some((_, hours)), _) => (UnixMillis(view.now.0 - hours * HOUR_MS), view.now),
            (None, Some((from, to))) => match (from.parse(), to.parse()) {
                (Ok(from), Ok(to)) if from < to => (UnixMillis(from), UnixMillis(to)),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let last = board.last().map_or(view.now, |last| last.at);
        let (_, line) = self.store()?.memory(&monitor.id, window, last).map_err(|error| error.to_string())?;
        let mut memory = Thinned::of(line.samples, window.0, window.1);
        if memory.samples.is_empty() {
            // Without a signed report there are the figures of the last day, by tick.
            let inside = shown.chart.iter().filter(|point| point.at >= window.0 && point.at <= window.1);
            memory = Thinned::of(inside.map(|point| (whole(point), false)), window.0, window.1);
        }
        let endings = board.endings(&monitor.id);
        let restarts = shown.restarts.iter().filter(|at| **at >= window.0 && **at <= window.1);
        let restarts = restarts
            .map(|at| (*at, endings.iter().rfind(|it| it.at <= *at && at.0 - it.at.0 < HOUR_MS).copied()))
            .collect();
        let incidents = self.incidents_of(&config, "", MOST_INCIDENTS)?;
        Ok(Some(api::monitor_page(&MonitorPage {
            view: shown,
            now: view.now,
            range: named.map_or("", |(name, _)| name),
            window,
            memory,
            latency: self.latency(monitor, window, last, true)?,
            incidents,
            restarts,
            growth: board.growth(&monitor.id),
            grows: board
                .told(&monitor.id)
                .filter(|_| monitor.shows_routes())
                .and_then(|told| told.grows.as_ref()),
        })))
    }

    fn incident_page(&self, id: &str) -> Told<Option<String>> {
        let Some((incident, runs, name)) = self.shown_incident(id)? else { return Ok(None) };
        let board = self.board()?;
        let limit = board.told(&incident.monitor).map(|told| told.limit);
        let now = board.clock(wall_clock());
        Ok(Some(api::incident_page(&incident, &name, limit, now, &Thinned::of_runs(&runs))))
    }
}

/// The figures of a point as a sample.
fn whole(point: &ChartPoint) -> Sample {
    let HealthMemory { rss, heap_used, heap_total, external } = point.memory;
    Sample {
        at: point.at,
        rss: Bytes::from(rss),
        heap_used: Bytes::from(heap_used),
        heap_total: Bytes::from(heap_total),
        heap_resident: Bytes(Bytes::from(rss).0.saturating_sub(Bytes::from(external).0)),
        working_set: Bytes::from(rss),
    }
}
