//! Snapshots of the memory of all routes, for the report, the metrics and the terminal.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::growth::{LivePoint, estimate_growth};
use super::live_bytes;
use super::live_bytes::{SamplingCounts, sampling_counts};
use super::route;
use super::route::RouteCounts;
use super::tag::Tag;
use super::thread_state::sampling;

/// Number of marks that growth is estimated from.
const MAX_MARKS: usize = 31;

/// Memory of one route. All bytes are rounded up to jemalloc's size classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteMemory {
    /// Label such as `POST /upload`; `(unmatched)`, `(other)` for routes beyond the limit, `(untagged)` for memory of no route.
    pub route: &'static str,
    /// Requests that have ended since the start, however they ended.
    pub requests: u64,
    /// Requests refused or ended because of their budget, since the start.
    pub over_budget: u64,
    /// Requests per second over the window.
    pub requests_per_second: f64,
    /// Bytes that requests have allocated since the start, freed or not; exact.
    pub allocated_bytes: u64,
    /// Bytes per second that requests allocated over the window.
    pub allocated_per_second: f64,
    /// Bytes that tasks and threads started by requests have allocated since the start; exact.
    pub propagated_bytes: u64,
    /// Bytes allocated by one request.
    pub per_request: PerRequest,
    /// Bytes held now; an estimate.
    pub live_bytes: u64,
    /// One standard error of `live_bytes`. The true value is within two of them 19 times in 20.
    pub live_error: u64,
    /// Bytes per minute by which `live_bytes` grew over the window; `None` before the first window.
    pub growth_per_minute: Option<f64>,
    /// Upper bound of one standard error of `growth_per_minute`.
    pub growth_error: Option<f64>,
}

impl RouteMemory {
    /// Returns the growth that the sampling error does not explain, in bytes per minute; the list is sorted by it.
    fn sure_growth(&self) -> f64 {
        self.growth_per_minute.unwrap_or(0.0) - self.growth_error.unwrap_or(0.0)
    }
}

/// Bytes allocated by one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PerRequest {
    /// Mean, exact.
    pub mean: u64,
    /// Median, within 6 %.
    pub p50: u64,
    /// 99th percentile, within 6 %.
    pub p99: u64,
}

/// All routes at one time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttributionSnapshot {
    /// At most 512 routes: those with certain growth first, then by live bytes.
    pub routes: Vec<RouteMemory>,
    /// Mean bytes between two samples; `None` while sampling is off, when new allocations are missing from all live bytes.
    pub mean_distance: Option<u64>,
    /// Counters of the sampling itself.
    pub sampling: SamplingCounts,
    /// Length in seconds of the window of growth and rates.
    pub window_seconds: f64,
}

/// Takes snapshots, and keeps the marks that growth and rates are measured between: at most 31 marks of 512 routes.
#[derive(Debug)]
pub struct RouteObserver {
    spacing: Duration,
    marks: VecDeque<GrowthMark>,
}

/// One route as it was read: its tag, label, counters and live bytes.
type RouteReading = (Tag, &'static str, RouteCounts, live_bytes::LiveBytes);

/// Reads all known routes, by tag.
fn read_routes() -> Vec<RouteReading> {
    route::known_routes()
        .map(|(tag, route)| (tag, &*route.label, route.counts(), live_bytes::estimate_live_bytes(tag)))
        .collect()
}

#[derive(Debug)]
struct GrowthMark {
    at: Duration,
    /// By tag, ascending.
    routes: Vec<(Tag, RouteMark)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct RouteMark {
    requests: u64,
    allocated: u64,
    live: f64,
    error: f64,
}

impl Default for RouteObserver {
    /// A window of ten minutes.
    fn default() -> Self {
        Self::new(Duration::from_secs(20))
    }
}

impl RouteObserver {
    /// Creates an observer that keeps a mark every `spacing`; the window is thirty times as long.
    pub fn new(spacing: Duration) -> Self {
        Self { spacing, marks: VecDeque::with_capacity(MAX_MARKS) }
    }

    /// Records a mark; to be called at least once per spacing. `now` is the time since any fixed start and must not go back. It
    /// neither blocks nor stops other threads.
    pub fn record_mark(&mut self, now: Duration) {
        self.keep_mark(now, &read_routes());
    }

    /// Takes a snapshot, which also records a mark.
    pub fn snapshot(&mut self, now: Duration) -> AttributionSnapshot {
        let read = read_routes();
        self.keep_mark(now, &read);
        let seconds = self.marks.front().map_or(0.0, |first| now.saturating_sub(first.at).as_secs_f64());
        let mut routes: Vec<RouteMemory> = read
            .iter()
            .map(|(tag, label, counts, live)| self.route_memory(*tag, label, counts, *live, seconds))
            .collect();
        routes.sort_by(|a, b| {
            b.sure_growth()
                .total_cmp(&a.sure_growth())
                .then(b.live_bytes.cmp(&a.live_bytes))
                .then(a.route.cmp(b.route))
        });
        AttributionSnapshot {
            routes,
            mean_distance: sampling().map(super::MeanDistance::bytes),
            sampling: sampling_counts(),
            window_seconds: seconds,
        }
    }

    fn keep_mark(&mut self, now: Duration, read: &[RouteReading]) {
        let mark = GrowthMark {
            at: now,
            routes: read
                .iter()
                .map(|(tag, _, counts, live)| {
                    let (live, error) = (live.bytes as f64, live.standard_error);
                    (*tag, RouteMark { requests: counts.requests, allocated: counts.allocated, live, error })
                })
                .collect(),
        };
        // The newest mark is replaced until it is one spacing away from the mark before.
        let lasting = |last: &GrowthMark, before: Option<&GrowthMark>| {
            before.is_none_or(|it| last.at >= it.at + self.spacing)
        };
        if let Some(last) = self.marks.back()
            && !lasting(last, self.marks.iter().rev().nth(1))
        {
            self.marks.pop_back();
        }
        if self.marks.len() == MAX_MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    fn route_memory(
        &self,
        tag: Tag,
        label: &'static str,
        counts: &RouteCounts,
        live: live_bytes::LiveBytes,
        seconds: f64,
    ) -> RouteMemory {
        // A route that is missing from a mark was not known then and had nothing.
        let figures =
            |mark: &GrowthMark| mark.routes.iter().find(|(it, _)| *it == tag).map(|(_, figures)| *figures);
        let points: Vec<LivePoint> = self
            .marks
            .iter()
            .map(|mark| {
                let then = figures(mark).unwrap_or_default();
                LivePoint { seconds: mark.at.as_secs_f64(), bytes: then.live, error: then.error }
            })
            .collect();
        let growth = estimate_growth(&points);
        let first = self.marks.front().and_then(figures).unwrap_or_default();
        let per_second = |gained: u64| if seconds > 0.0 { gained as f64 / seconds } else { 0.0 };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a square root of what fits
        let live_error = live.standard_error.round() as u64;
        RouteMemory {
            route: label,
            requests: counts.requests,
            over_budget: counts.over_budget,
            requests_per_second: per_second(counts.requests.saturating_sub(first.requests)),
            allocated_bytes: counts.allocated,
            allocated_per_second: per_second(counts.allocated.saturating_sub(first.allocated)),
            propagated_bytes: counts.propagated,
            per_request: PerRequest {
                mean: counts.allocated.checked_div(counts.requests).unwrap_or(0),
                p50: counts.median,
                p99: counts.p99,
            },
            live_bytes: live.bytes,
            live_error,
            growth_per_minute: growth.map(|it| it.per_minute),
            growth_error: growth.map(|it| it.error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::estimate::SampledAllocation;
    use crate::attribution::stacks::StackId;
    use crate::attribution::{MeanDistance, record_sample, remove_sample};
    use http::Method;

    #[test]
    fn the_growing_route_comes_first_and_rates_are_of_the_window() {
        let tags = ["/steady", "/leak"].map(|path| route::intern(&Method::PUT, path));
        let sample = |n: usize, which: usize| {
            let sample = SampledAllocation {
                tag: tags[which],
                mean: MeanDistance::DEFAULT,
                bytes: 1 << 20,
                spread: 1 << 18,
                stack: StackId::NONE,
            };
            assert!(record_sample(0x7_0000_0000_0000 + (n << 12), sample));
        };
        (0..100).for_each(|n| sample(n, 0));
        let mut observer = RouteObserver::new(Duration::from_secs(20));
        for minute in 0..=10 {
            (0..4).for_each(|n| sample(1_000 + minute * 4 + n, 1));
            route::route(tags[1]).add_request(3_000);
            for second in [0, 10, 20, 30, 40] {
                observer.snapshot(Duration::from_secs(minute as u64 * 60 + second));
            }
        }
        let end = observer.snapshot(Duration::from_secs(641));
        assert!(observer.marks.len() <= MAX_MARKS);
        let find = |label: &str| end.routes.iter().find(|it| it.route == label).unwrap();
        assert_eq!(end.routes[0].route, "PUT /leak");
        let (leak, steady) = (find("PUT /leak"), find("PUT /steady"));
        assert_eq!((leak.live_bytes, steady.live_bytes), (44 << 20, 100 << 20));
        // 44 samples of variance 2^38 each.
        assert_eq!(leak.live_error, 3_477_733);
        let per_minute = leak.growth_per_minute.unwrap() / f64::from(1 << 20);
        assert!((per_minute - 4.0).abs() < 0.4, "{per_minute} MiB a minute");
        assert_eq!(steady.growth_per_minute, Some(0.0));
        assert_eq!((leak.requests, leak.per_request.mean, leak.allocated_bytes), (11, 3_000, 33_000));
        let window_requests = leak.requests_per_second * end.window_seconds;
        assert!((9.0..=11.0).contains(&window_requests), "{window_requests}");

        (0..100).for_each(|n| assert!(remove_sample(0x7_0000_0000_0000 + (n << 12))));
        assert_eq!(live_bytes::estimate_live_bytes(tags[0]).bytes, 0);
    }
}
