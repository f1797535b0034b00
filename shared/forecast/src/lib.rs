//! The leak forecast: whether memory leaks, and when it reaches the limit.
//!
//! A trend test alone gives false alarms (Machida et al. 2013), and on a real series a Theil-Sen line had an error of 9.4 %, while "same as
//! now" had 0.05 %. The verdict is therefore `leaking` only if the floor of memory, after the warm-up, rises until the end of a window,
//! is held now, exceeds everything that was freed, does not slow down, and predicts its own last third. In all other cases the verdict is
//! `growing`, `fragmenting`, `steady` or `unknown`. `docs/forecast.md` describes the
//! method and its limits.

#![forbid(unsafe_code)]

mod decide;
mod floors;
mod imminent;
mod past;
mod point;
mod stats;
mod verdict_memory;
mod window;

use std::time::Duration;

use heapbeat_shared::{Bytes, UnixMillis};

pub use heapbeat_shared::forecast::{Assessment, Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};
pub use point::{Heap, Point};

use floors::Floors;
use imminent::RecentPoints;
use point::{CHANNELS, FigureSet};
use verdict_memory::VerdictMemory;

/// A point that is older than the newest by more than this begins another series; a less old one is late and is dropped.
const MAX_LATENESS: Duration = Duration::from_secs(60);

/// The reason to discard the points so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// A new process started.
    Restart,
    /// Caches shrank or the allocator returned memory. A purge that returned nothing is no reset.
    Purge,
    /// The limit changed, and perhaps the behavior of the process with it.
    Limit,
    /// Time went back by more than a minute.
    TimeWentBack,
    /// The set of known figures changed.
    OtherFigures,
}

/// The series so far, in constant space: 55 kB, allocated at construction.
///
/// [`push`](Self::push) takes 0.2 us. [`assess`](Self::assess) takes less than half a millisecond.
/// Neither reads a clock, and the result depends only on differences of time.
#[derive(Clone, Debug)]
pub struct Forecaster {
    floors: Floors,
    recent: RecentPoints,
    /// The time span since the last reset, and the known figures.
    span: Option<Span>,
    /// The smallest change of every channel from one point to the next, which is its resolution; 0 if nothing changed.
    quanta: [u64; CHANNELS],
    reset: Option<Reset>,
    runtime_max: Option<Bytes>,
    verdict: VerdictMemory,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    first: UnixMillis,
    last: UnixMillis,
    kind: FigureSet,
    figures: [u64; CHANNELS],
}

impl Span {
    /// Returns the milliseconds from the first point to `at`, which must not be before it.
    fn elapsed(&self, at: UnixMillis) -> u64 {
        at.0.abs_diff(self.first.0)
    }
}

impl Default for Forecaster {
    fn default() -> Self {
        Self::new()
    }
}

impl Forecaster {
    /// Makes an empty forecaster.
    pub fn new() -> Self {
        Forecaster {
            floors: Floors::new(),
            recent: RecentPoints::new(),
            span: None,
            quanta: [0; CHANNELS],
            reset: None,
            runtime_max: None,
            verdict: VerdictMemory::default(),
        }
    }

    /// Makes a forecaster from a series.
    pub fn of(points: impl IntoIterator<Item = Point>) -> Self {
        let mut forecaster = Forecaster::new();
        points.into_iter().for_each(|point| forecaster.push(point));
        forecaster
    }

    /// Adds a point. A point that is up to a minute older than the newest is dropped; an older one, or one with another set of figures,
    /// resets the series.
    pub fn push(&mut self, point: Point) {
        let (kind, figures) = point.channels();
        if let Some(span) = self.span {
            if kind != span.kind {
                self.reset(Reset::OtherFigures);
            } else if point.at < span.last {
                if span.last.since(point.at) <= MAX_LATENESS {
                    return;
                }
                self.reset(Reset::TimeWentBack);
            }
        }
        let span = self.span.get_or_insert(Span { first: point.at, last: point.at, kind, figures });
        span.last = point.at;
        for (quantum, (now, before)) in self.quanta.iter_mut().zip(figures.into_iter().zip(span.figures)) {
            let change = now.abs_diff(before);
            if change > 0 && (*quantum == 0 || change < *quantum) {
                *quantum = change;
            }
        }
        span.figures = figures;
        let elapsed = span.elapsed(point.at);
        self.floors.push(elapsed, figures);
        self.recent.push(elapsed, point.total.0);
    }

    /// Returns whether there is no point since the last reset.
    pub const fn is_empty(&self) -> bool {
        self.span.is_none()
    }

    /// Discards the points so far.
    pub fn reset(&mut self, reason: Reset) {
        self.floors.clear();
        self.recent.clear();
        self.verdict = VerdictMemory::default();
        self.span = None;
        self.quanta = [0; CHANNELS];
        self.reset = Some(reason);
    }

    /// Returns the reason of the last reset; `None` if there was none.
    pub fn last_reset(&self) -> Option<Reset> {
        self.reset
    }

    /// Sets the size to which the runtime of the program lets its heap grow, if that is known. Below it, growth of the resident set alone
    /// is no leak.
    pub fn set_runtime_max(&mut self, max: Option<Bytes>) {
        self.runtime_max = max;
    }

    /// Assesses the series against `limit`. The verdict has hysteresis: it changes once another one has lasted, and a leak that was found
    /// stays one until its memory is given back or its growth stops.
    pub fn assess(&mut self, limit: Bytes) -> Assessment {
        let Some(span) = &self.span else { return decide::unknown(limit, 0) };
        let assessor = decide::Assessor {
            floors: &self.floors,
            kind: span.kind,
            elapsed: span.elapsed(span.last),
            limit,
            runtime_max: self.runtime_max,
            quanta: self.quanta,
        };
        let assessment = self.verdict.confirm(assessor.assess(), span.kind.knows_heap());
        assessor.without_chance(assessment)
    }

    /// Returns the time until `limit` at the rate of the last 2 to 16 seconds, if that is within `horizon`: a reason to sample more often and
    /// to recycle early. It uses the lower end of the rate's interval, needs at least five points over two seconds, and says nothing about
    /// leaks.
    pub fn time_to_limit_within(&self, limit: Bytes, horizon: Duration) -> Option<Duration> {
        self.recent.time_to_limit_within(limit.0, horizon)
    }

    /// Returns the size of the state in bytes, which is constant.
    pub const fn state_bytes() -> usize {
        size_of::<Forecaster>() + Floors::bytes() + RecentPoints::bytes()
    }
}

#[cfg(test)]
mod tests;
