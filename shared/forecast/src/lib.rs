//! The leak forecast: whether memory leaks, and when it reaches the limit.
//!
//! A trend test alone gives false alarms (Machida et al. 2013), and on a real series a Theil-Sen line missed by 9.4 % where
//! "same as now" missed by 0.05 %. The verdict is therefore `leaking` only where the floor of memory, after the warm-up, rises
//! in a line that continues in its recent half, exceeds what was ever returned before, and predicts its own last third. In all
//! other cases the verdict is `growing`, `steady` or `unknown`, and there is no forecast. `docs/forecast.md` describes the
//! method and its limits.

#![forbid(unsafe_code)]

mod decide;
mod imminent;
mod point;
mod pyramid;
mod stats;
mod trend;

use std::time::Duration;

use heapbeat_shared::{Bytes, UnixMillis};

pub use heapbeat_shared::forecast::{Assessment, Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};
pub use point::{Heap, Point};

use imminent::Latest;
use point::FigureSet;
use pyramid::Pyramid;

/// A reading older than the newest by more than this begins another series; by less, it came late and is dropped.
const LATE: Duration = Duration::from_secs(60);

/// The reason to discard the readings so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// Another process started.
    Restart,
    /// Caches shrank or the allocator returned memory. A purge that returned nothing is no reset.
    Purge,
    /// The limit changed, and with it perhaps what the process does.
    Limit,
    /// Time went back by more than a minute.
    TimeWentBack,
    /// The set of known figures changed.
    OtherFigures,
}

/// The series so far, in a space that does not grow: 38 kB, allocated when made.
///
/// [`push`](Self::push) costs a fifth of a microsecond, [`assess`](Self::assess) 60 of them for one figure and 150 with
/// the heap known, when nothing grows. Neither reads a clock, and the answer depends only on differences of time.
#[derive(Clone, Debug)]
pub struct Forecaster {
    pyramid: Pyramid,
    latest: Latest,
    /// Of the first reading since the last reset, of the newest, and what they know.
    span: Option<Span>,
    reset: Option<Reset>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    first: UnixMillis,
    last: UnixMillis,
    kind: FigureSet,
}

impl Span {
    /// Milliseconds from the first reading to `at`, which is not before it.
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
    /// Makes a forecaster without readings.
    pub fn new() -> Self {
        Forecaster { pyramid: Pyramid::new(), latest: Latest::new(), span: None, reset: None }
    }

    /// Makes a forecaster from a whole series.
    pub fn of(points: impl IntoIterator<Item = Point>) -> Self {
        let mut forecaster = Forecaster::new();
        points.into_iter().for_each(|point| forecaster.push(point));
        forecaster
    }

    /// Adds a reading. One that is up to a minute older than the newest is dropped; an older one, or one with another set of
    /// figures, resets the series.
    pub fn push(&mut self, point: Point) {
        let (kind, figures) = point.channels();
        if let Some(span) = self.span {
            if kind != span.kind {
                self.reset(Reset::OtherFigures);
            } else if point.at < span.last {
                if span.last.since(point.at) <= LATE {
                    return;
                }
                self.reset(Reset::TimeWentBack);
            }
        }
        let span = self.span.get_or_insert(Span { first: point.at, last: point.at, kind });
        span.last = point.at;
        let elapsed = span.elapsed(point.at);
        self.pyramid.push(elapsed, figures);
        self.latest.push(elapsed, point.total.0);
    }

    /// Discards the readings so far.
    pub fn reset(&mut self, reason: Reset) {
        self.pyramid.clear();
        self.latest.clear();
        self.span = None;
        self.reset = Some(reason);
    }

    /// The reason of the last reset; `None` when there was none.
    pub fn last_reset(&self) -> Option<Reset> {
        self.reset
    }

    /// Assesses the series against `limit`.
    pub fn assess(&self, limit: Bytes) -> Assessment {
        match &self.span {
            None => decide::unknown(limit, 0),
            Some(span) => decide::assess(&self.pyramid, span.kind, span.elapsed(span.last), limit),
        }
    }

    /// Time until `limit` at the pace of the last 2 to 16 seconds, if that is within `horizon`: for looking more often
    /// and for an early recycle. Takes the lower end of the pace's interval, and at least five readings over two
    /// seconds; says nothing about leaks.
    pub fn imminent(&self, limit: Bytes, horizon: Duration) -> Option<Duration> {
        self.latest.imminent(limit.0, horizon)
    }

    /// Bytes the state takes, whatever was pushed.
    pub const fn state_bytes() -> usize {
        size_of::<Forecaster>() + Pyramid::bytes() + Latest::bytes()
    }
}

#[cfg(test)]
mod tests;
