//! The trend of one window of floors: whether it rises, and whether the rise is likely to continue.
//!
//! A trend test only shows that the end is above the beginning, which is also true of a filling cache, a morning and a deploy. A rise
//! must therefore still be held now, exceed everything that was freed within the window, continue in the recent half, and predict its
//! own last third better than "same as now".

use super::floors::{Floors, Level};
use super::point::TOTAL;
use super::stats::{FittedLine, Kendall, MAX_VALUES, TimeSeries, median};

/// Fewest floors of a window: three in each of its thirds.
const MIN_FLOORS: usize = 9;

/// Number of standard deviations that Kendall's statistic must reach: one false trend in 160 windows without serial correlation. It
/// only vetoes; the other conditions decide.
const SIGNIFICANT: f64 = 2.5;

/// Curvature from which on a rise is no line: half of the 0.24 of a sine from trough to crest.
const CURVED: f64 = 0.12;

/// Number of deviations of the noise that must not explain it.
const NOISE: f64 = 1.5;

/// A rise below this share of the total is ignored: in half a percent of memory nobody finds a cause.
const NEGLIGIBLE: f64 = 1.0 / 200.0;

/// Factor by which a leak must exceed the largest fall within its window: what was given back may have been rising just before, so that
/// a rise that is hardly larger can be the same fluctuation once more.
const CLEAR: f64 = 2.0;

/// Factor by which a rise must be steeper than those that were given back: rhythms differ by less from period to period.
const STEEPER: f64 = 1.5;

/// Below this share of the early slope the recent slope is slower. `ln(t)` has 0.55 after ten minutes and 0.25 after an hour; the noise
/// of a straight rise that is twice as large as its falls seldom has less than 0.6.
const SLOWER: f64 = 0.5;

/// Growth accelerates if the recent half is steeper than the first by this factor; the noise of a straight rise seldom has more.
pub(super) const ACCELERATES: f64 = 1.6;

/// Least slope of each third, as a share of the slope of all: a third without a rise leaves a step, or a growth that has just begun.
const EVEN: f64 = 0.25;

/// Largest share of one increment in a rise: beyond, it is a step.
const MAX_STEP: f64 = 0.5;

/// Largest error of a line in the backtest, as a share of the error of "same as now": a line that is not clearly better is no forecast.
const BACKTEST: f64 = 0.7;

/// The growth in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// No growth exceeds what was freed within the window.
    Flat,
    /// What has grown is not held any more.
    GivenBack,
    /// Rises as steep and as long have been given back before.
    Usual,
    /// The rise has stopped.
    Stopped,
    /// Memory rose once.
    SingleStep,
    /// Memory rises, but the rise may stop.
    Rising(Doubt),
    /// Memory rises, with no sign of stopping.
    Established,
}

/// The reason why a rise is not established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The recent half is slower.
    Slower,
    /// A part of the window has nearly all of the rise.
    Uneven,
    /// The rise barely exceeds what was freed.
    Weak,
    /// A line through its first part did not predict the rest.
    Unpredicted,
}

/// The trend of one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    /// Seconds from the first floor to the last.
    pub(super) span: f64,
    /// Theil's slope; 0 if nothing rises significantly.
    pub(super) slope: f64,
    /// Slopes of the first and of the recent half.
    pub(super) halves: (f64, f64),
    /// Whether the floors are a line with noise.
    pub(super) straight: bool,
    /// The smallest rise over `span` that exceeds the usual variation, in bytes.
    pub(super) needed: f64,
    /// The growth.
    pub(super) growth: Growth,
}

/// Floors of one channel within one level.
pub(super) struct Window {
    t: [f64; MAX_VALUES],
    y: [f64; MAX_VALUES],
    /// Height of the total's peaks above its floor, per bucket.
    tops: [f64; MAX_VALUES],
    len: usize,
    /// The lowest value of now, and its second.
    newest: (f64, f64),
    /// Median floor of the total.
    total: f64,
    /// The smallest change between two readings: the resolution of the series. Less than that is not seen.
    quantum: f64,
}

impl Window {
    /// Returns the floors of a level that begin later than `skip` milliseconds after the origin; `None` if there are fewer than
    /// [`MIN_FLOORS`], or if more than half of the slots in between have no point.
    pub(super) fn of(
        floors: &Floors,
        level: &Level,
        channel: usize,
        skip: u64,
        quantum: u64,
    ) -> Option<Window> {
        let mut window = Window {
            t: [0.0; MAX_VALUES],
            y: [0.0; MAX_VALUES],
            tops: [0.0; MAX_VALUES],
            len: 0,
            newest: floors.newest(level, channel),
            total: 0.0,
            quantum: quantum as f64,
        };
        let mut totals = [0.0; MAX_VALUES];
        let (mut first, mut last) = (None, 0);
        for bucket in level.closed() {
            let start = bucket.slot.saturating_mul(level.width);
            if start < skip {
                continue;
            }
            let at = start.saturating_add(u64::from(bucket.floor_at[channel]));
            window.t[window.len] = at as f64 / 1000.0;
            window.y[window.len] = bucket.floor[channel] as f64;
            window.tops[window.len] = bucket.top.saturating_sub(bucket.floor[TOTAL]) as f64;
            totals[window.len] = bucket.floor[TOTAL] as f64;
            window.len += 1;
            (first, last) = (first.or(Some(bucket.slot)), bucket.slot);
        }
        let slots = last - first? + 1;
        if window.len < MIN_FLOORS || (window.len as u64) < slots / 2 {
            return None;
        }
        window.total = median(&mut totals[..window.len]);
        Some(window)
    }

    /// Returns the floors as a series.
    pub(super) fn series(&self) -> TimeSeries<'_> {
        TimeSeries { t: &self.t[..self.len], y: &self.y[..self.len] }
    }

    /// Returns the lowest value of now, which is what is held, and its second.
    pub(super) const fn newest(&self) -> (f64, f64) {
        self.newest
    }

    /// Returns the mean seconds between two floors.
    pub(super) fn resolution(&self) -> f64 {
        self.series().span() / (self.len - 1) as f64
    }

    /// Returns the height of the total's peaks above its floors in bytes: the median, and the highest.
    pub(super) fn peaks(&self) -> (f64, f64) {
        let mut tops = self.tops;
        let highest = tops[..self.len].iter().copied().fold(0.0, f64::max);
        (median(&mut tops[..self.len]), highest)
    }

    /// Examines the trend, which does not depend on the limit.
    pub(super) fn examine(&self) -> Trend {
        let series = self.series();
        let fall = largest_fall(series.y).max(self.quantum);
        let trend = Trend {
            span: series.span(),
            slope: 0.0,
            halves: (0.0, 0.0),
            straight: true,
            needed: fall.max(self.total * NEGLIGIBLE),
            growth: Growth::Flat,
        };
        // Most windows of a healthy process end here, before the expensive part.
        if Kendall::of(series.y).z() < SIGNIFICANT {
            return trend;
        }
        let straight = series.curvature(NOISE) < CURVED;
        let (slope, middle) = (series.slope(), series.len() / 2);
        let halves = (series.part(0, middle).slope(), series.part(middle, series.len()).slope());
        let trend = Trend { slope, halves, straight, ..trend };
        Trend { growth: self.growth(&trend, fall), ..trend }
    }

    fn growth(&self, trend: &Trend, fall: f64) -> Growth {
        let series = self.series();
        let rise = trend.slope * trend.span;
        if rise <= 0.0 {
            return Growth::Flat;
        }
        if self.newest.0 < series.y[0] + rise / 2.0 {
            return Growth::GivenBack;
        }
        let net = series.y[series.len() - 1] - series.y[0];
        if largest_step(series.y) > MAX_STEP * rise.max(net) {
            return Growth::SingleStep;
        }
        let third = series.len().div_ceil(3);
        let part = |from: usize| series.part(from, (from + third).min(series.len())).slope();
        let [first, middle, last] =
            [part(0), part(third), part(2 * third)].map(|slope| slope >= EVEN * trend.slope);
        if !last {
            return Growth::Stopped;
        }
        if rise < trend.needed {
            return Growth::Flat;
        }
        let share = if trend.straight { SLOWER } else { ACCELERATES };
        let slower = trend.halves.1 < share * trend.halves.0;
        slower
            .then_some(Doubt::Slower)
            .or((!first || !middle).then_some(Doubt::Uneven))
            .or((rise < CLEAR * fall).then_some(Doubt::Weak))
            .or((backtest(series) > BACKTEST).then_some(Doubt::Unpredicted))
            .map_or(Growth::Established, Growth::Rising)
    }

    /// Returns the steepest slope of a rise that lasted for at least `span` seconds and was given back by half or more; 0 if there was
    /// none. A jump is no rise: both halves of the time must have risen.
    fn returned_slope(&self, span: f64) -> f64 {
        let series = self.series();
        let width = self.resolution();
        // At least two steps, at most the window.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let steps = ((span / width / 2.0).ceil() as usize).clamp(1, MAX_VALUES) * 2;
        let mut later = self.newest.0;
        let mut steepest = 0.0f64;
        for end in (steps..series.len()).rev() {
            let [from, middle, to] = [end - steps, end - steps / 2, end].map(|index| series.y[index]);
            let rise = 2.0 * (middle - from).min(to - middle);
            if rise > 0.0 && to - later >= rise / 2.0 {
                steepest = steepest.max(rise / (series.t[end] - series.t[end - steps]));
            }
            later = later.min(to);
        }
        steepest
    }

    /// Returns the objection of this window to a rise that a shorter one establishes: rises as steep and as long have been given back,
    /// or it was faster before.
    pub(super) fn objection_to(&self, own: &Trend, short: &Trend) -> Option<Growth> {
        if self.returned_slope(short.span) * STEEPER > short.slope {
            Some(Growth::Usual)
        } else {
            let rises = !matches!(own.growth, Growth::Flat | Growth::GivenBack);
            (rises && short.slope < SLOWER * own.halves.0).then_some(Growth::Rising(Doubt::Slower))
        }
    }
}

/// Returns the largest fall from a value to a later one.
fn largest_fall(y: &[f64]) -> f64 {
    let mut highest = f64::NEG_INFINITY;
    y.iter().fold(0.0, |fall: f64, value| {
        highest = highest.max(*value);
        fall.max(highest - value)
    })
}

/// Returns the error of a line through the first two thirds in predicting the last third, divided by the error of "same as now" (the last
/// known floor). Below 1, the line is better; infinite if nothing changed.
fn backtest(series: TimeSeries<'_>) -> f64 {
    let origin = series.len() * 2 / 3;
    let line: FittedLine = series.part(0, origin).line();
    let now = series.y[origin - 1];
    let (mut by_line, mut by_now) = (0.0, 0.0);
    for (t, y) in series.t[origin..].iter().zip(&series.y[origin..]) {
        by_line += (line.at(*t) - y).abs();
        by_now += (now - y).abs();
    }
    if by_now > 0.0 { by_line / by_now } else { f64::INFINITY }
}

/// Returns the largest lasting rise between neighbors: from the higher of two floors to the lower of the next two.
fn largest_step(y: &[f64]) -> f64 {
    y.windows(4).map(|y| y[2].min(y[3]) - y[0].max(y[1])).fold(0.0, f64::max)
}
