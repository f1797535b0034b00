//! The trend of one window of floors: whether it rises, and whether the rise is likely to continue.
//!
//! A trend test only shows that the end is above the beginning, which is also true of a filling cache, a morning and a deploy. A rise
//! must therefore still be held now, exceed everything that was freed within the window, continue in the recent half, and predict its
//! own last third better than "same as now".

use super::floors::{BUCKETS, Floors, Level};
use super::point::TOTAL;
use super::stats::{TimeSeries, median};

/// Fewest floors of a window: three in each of its quarters, four in each third.
const MIN_FLOORS: usize = BUCKETS / 4;

/// Factor from which on two figures differ: what is not twice as large, or half as large, can be the same fluctuation once more.
pub(super) const CLEAR: f64 = 2.0;

/// Factor by which a rise must be steeper than those that were given back: rhythms differ by less from period to period.
const STEEPER: f64 = 1.5;

/// Curvature from which on a rise is no line: half of the 0.24 of a sine from trough to crest.
const CURVED: f64 = 0.12;

/// Number of deviations of the noise that must not explain it.
const NOISE: f64 = 1.5;

/// A rise below this share of the total is ignored: in half a percent of memory nobody finds a cause.
const NEGLIGIBLE: f64 = 1.0 / 200.0;

/// Least slope of the last third, as a share of the slope of all: less leaves a step, or growth that has stopped.
const GOES_ON: f64 = 0.25;

/// Largest error of a line in the backtest, as a share of the error of "same as now": a line that is not clearly better is no forecast.
const BACKTEST: f64 = 0.7;

/// The growth in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// No growth exceeds what was freed within the window.
    Flat,
    /// What has grown is not held any more.
    GivenBack,
    /// Rises as long, and nearly as steep, were given back before.
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
    /// The rise barely exceeds what was freed.
    Weak,
    /// A line through its first part did not predict the rest.
    Unpredicted,
}

/// The trend of one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    /// The index of the window's level.
    pub(super) level: usize,
    /// Seconds from the first floor to the last.
    pub(super) span: f64,
    /// Theil's slope.
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
    t: Vec<f64>,
    y: Vec<f64>,
    /// The lowest value of now, which is what is held, and its second.
    pub(super) newest: (f64, f64),
    /// Median floor of the total.
    total: f64,
    /// Median height of the total's peaks above its floors, in bytes.
    pub(super) peak: f64,
}

impl Window {
    /// Returns the floors of a level that begin later than `skip` milliseconds after the origin; `None` if there are fewer than
    /// [`MIN_FLOORS`], or if more than half of the slots in between have no point.
    pub(super) fn of(floors: &Floors, level: &Level, channel: usize, skip: u64) -> Option<Window> {
        let buckets: Vec<_> =
            level.closed().filter(|bucket| bucket.slot.saturating_mul(level.width) >= skip).collect();
        let slots = buckets.last()?.slot - buckets.first()?.slot + 1;
        if buckets.len() < MIN_FLOORS || (buckets.len() as u64) < slots / 2 {
            return None;
        }
        Some(Window {
            t: buckets.iter().map(|bucket| bucket.second(level.width, channel)).collect(),
            y: buckets.iter().map(|bucket| bucket.floor[channel] as f64).collect(),
            newest: floors.newest(level, channel),
            total: median(buckets.iter().map(|bucket| bucket.floor[TOTAL] as f64).collect()),
            peak: median(buckets.iter().map(|bucket| (bucket.top - bucket.floor[TOTAL]) as f64).collect()),
        })
    }

    /// Returns the floors as a series.
    pub(super) fn series(&self) -> TimeSeries<'_> {
        TimeSeries { t: &self.t, y: &self.y }
    }

    /// Returns the mean seconds between two floors.
    pub(super) fn resolution(&self) -> f64 {
        self.series().span() / (self.y.len() - 1) as f64
    }

    /// Examines the trend, which does not depend on the limit. `quantum` is the resolution of the series.
    pub(super) fn examine(&self, level: usize, quantum: u64) -> Trend {
        let series = self.series();
        let (middle, fall) = (series.len() / 2, largest_fall(series.y).max(quantum as f64));
        let mut trend = Trend {
            level,
            span: series.span(),
            slope: series.slope(),
            halves: (0.0, 0.0),
            straight: true,
            needed: fall.max(self.total * NEGLIGIBLE),
            growth: Growth::Flat,
        };
        trend.growth = self.rise(&trend);
        // Most windows of a healthy process end here, before the expensive part.
        if !matches!(trend.growth, Growth::Flat | Growth::GivenBack) {
            trend.halves = (series.part(0, middle).slope(), series.part(middle, series.len()).slope());
        }
        if trend.growth == Growth::Established {
            trend.straight = series.curvature(NOISE) < CURVED;
            trend.growth = self.doubt(&trend, fall).map_or(Growth::Established, Growth::Rising);
        }
        trend
    }

    /// Returns whether the window rises until now; [`Growth::Established`] if it does, whatever doubts there are.
    fn rise(&self, trend: &Trend) -> Growth {
        let series = self.series();
        let (rise, first, last) = (trend.slope * trend.span, series.y[0], series.y[series.len() - 1]);
        let last_third = || series.part(2 * series.len().div_ceil(3), series.len()).slope();
        if rise <= 0.0 {
            Growth::Flat
        } else if self.newest.0 < first + rise / CLEAR {
            Growth::GivenBack
        } else if largest_step(series.y) * CLEAR > rise.max(last - first) {
            Growth::SingleStep
        } else if last_third() < GOES_ON * trend.slope {
            Growth::Stopped
        } else if rise < trend.needed {
            Growth::Flat
        } else {
            Growth::Established
        }
    }

    /// Returns whether anything had grown until the highest floor: clearly more than fell before, and than half of what comes and goes within
    /// a bucket. In flat memory any floor may be the highest one.
    pub(super) fn has_grown(&self) -> bool {
        let y = &self.y;
        let highest = (0..y.len()).max_by(|left, right| y[*left].total_cmp(&y[*right])).unwrap_or(0);
        let (rise, fall) = (y[highest] - y[0], largest_fall(&y[..=highest]));
        highest * 4 >= y.len() && rise > (CLEAR * fall).max(self.peak / CLEAR).max(self.total * NEGLIGIBLE)
    }

    /// Returns whether at least half of the recent rate of growth stays if it goes on to slow down as it has since the series began; `None` if
    /// it does not slow down beyond noise. A cache slows with the logarithm of time, so the rates are those of the last half, of the
    /// quarter and of the eighth before it. If each change is the same share of the one before, the rate tends to Aitken's limit.
    pub(super) fn rate_stays(&self) -> Option<bool> {
        let (series, count) = (self.series(), self.t.len());
        let [eighth, quarter, half] =
            [8.0, 4.0, 2.0].map(|part| self.t.partition_point(|t| *t < self.t[count - 1] / part));
        if quarter < eighth + 2 || series.curvature(CLEAR * NOISE) <= 0.0 {
            return None;
        }
        let rate = |from: usize, to: usize| series.part(from, (to + 1).min(count)).slope();
        let (first, second, last) = (rate(eighth, quarter), rate(quarter, half), rate(half, count));
        let (before, change) = (first - second, second - last);
        (last > 0.0 && first > STEEPER * last).then_some(change * change * CLEAR < last * (before - change))
    }

    /// Returns the reason why a rise may stop, if there is one.
    fn doubt(&self, trend: &Trend, fall: f64) -> Option<Doubt> {
        let (early, late) = trend.halves;
        // A rise that is no line has to accelerate.
        let slower = if trend.straight { late * CLEAR < early } else { late < early * CLEAR };
        if slower {
            Some(Doubt::Slower)
        } else if trend.slope * trend.span < CLEAR * fall {
            Some(Doubt::Weak)
        } else {
            (backtest(self.series()) > BACKTEST).then_some(Doubt::Unpredicted)
        }
    }

    /// Returns what this window makes of a rise that a shorter one has: [`Growth::Usual`] if one that was as long and nearly as steep was
    /// given back by half or more; a doubt if it was twice as steep before, unless the rate is known to stay; `None` if there is no
    /// objection.
    pub(super) fn objection_to(&self, own: &Trend, short: &Trend, rate_stays: bool) -> Option<Growth> {
        if self.was_given_back(short) {
            return Some(Growth::Usual);
        }
        let rises = !matches!(own.growth, Growth::Flat | Growth::GivenBack);
        (rises && !rate_stays && short.slope * CLEAR < own.halves.0).then_some(Growth::Rising(Doubt::Slower))
    }

    /// Returns whether a rise like a given one was given back. A jump is no such rise: both halves of its time must have risen.
    fn was_given_back(&self, like: &Trend) -> bool {
        let series = self.series();
        // At least two steps, at most the window.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let steps = ((like.span / self.resolution() / 2.0).ceil() as usize).clamp(1, BUCKETS) * 2;
        let mut later = self.newest.0;
        (steps..series.len()).rev().any(|end| {
            let [from, middle, to] = [end - steps, end - steps / 2, end].map(|index| series.y[index]);
            let rise = 2.0 * (middle - from).min(to - middle);
            let returned = rise > 0.0 && (to - later) * CLEAR >= rise;
            later = later.min(to);
            returned && rise * STEEPER > like.slope * (series.t[end] - series.t[end - steps])
        })
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
    let known = series.part(0, origin);
    let (slope, now) = (known.slope(), series.y[origin - 1]);
    let at_origin = known.at_origin(slope);
    let (mut by_line, mut by_now) = (0.0, 0.0);
    for (t, y) in series.t[origin..].iter().zip(&series.y[origin..]) {
        by_line += (at_origin + slope * t - y).abs();
        by_now += (now - y).abs();
    }
    if by_now > 0.0 { by_line / by_now } else { f64::INFINITY }
}

/// Returns the largest lasting rise between neighbors: from the higher of two floors to the lower of the next two.
fn largest_step(y: &[f64]) -> f64 {
    y.windows(4).map(|y| y[2].min(y[3]) - y[0].max(y[1])).fold(0.0, f64::max)
}
