//! The trend of one window of floors: whether it rises, and whether the rise is likely to continue.
//!
//! A trend test only shows that the end is above the beginning, which is also true of a filling cache, a morning and a deploy. A rise
//! must therefore exceed the residuals of its line and everything that was freed before, and continue in the recent half. It is
//! established if it is also linear, consists of many increments, and predicts its own last third better than "same as now".

use super::point::{CHANNELS, TOTAL};
use super::pyramid::{Level, WARM_UP_MS};
use super::stats::{
    FittedLine, Kendall, MAX_VALUES, Shape, Slopes, TimeSeries, Z95, fit_line, median, rank_inflation,
};

/// Fewest floors of a window: eight in strictly rising order have a chance of one in 40,320.
pub(super) const MIN_FLOORS: usize = 8;

/// Number of standard deviations that Kendall's statistic must reach; it is high, as windows are examined again and again.
const SIGNIFICANT: f64 = 2.5;

/// A rise below this share of the total is ignored, whatever its significance.
const NEGLIGIBLE: f64 = 1.0 / 200.0;

/// Factor by which a rise must exceed the largest fall so far at the same resolution.
const FALL_FACTOR: f64 = 1.5;

/// Factor by which an established rise must exceed the smallest detectable one.
const CLEAR_FACTOR: f64 = 1.5;

/// Share of a rise that must be higher than anything before the window.
const NEW_GROUND: f64 = 0.5;

/// Least slope of the recent half, as a share of the whole window's slope; below, the growth is over.
const MIN_LATE_SLOPE: f64 = 0.25;

/// The same for an established rise.
const MIN_LATE_SLOPE_OF_LEAK: f64 = 0.6;

/// Largest share of one increment in an established rise.
const MAX_STEP_OF_LEAK: f64 = 0.3;

/// Largest share of one increment in a rise; beyond, it is a step.
const MAX_STEP: f64 = 0.5;

/// Largest error of the line in the backtest, as a share of the error of "same as now".
const BACKTEST: f64 = 0.7;

/// Least slope of the recent half in every longer window, as a share of the slope of the first half.
const SLOWS_DOWN: f64 = 0.65;

/// Factors by which a window must be longer to object to a shorter one, and may at most be longer to object for a bend, or at all.
const LONGER_WINDOW: (f64, f64, f64) = (1.15, 1.4, 4.5);

/// The growth in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowGrowth {
    /// No growth exceeds the noise.
    Flat,
    /// The rise is not larger than earlier falls at this resolution, or only makes up for one.
    Usual,
    /// The rise has stopped.
    Stopped,
    /// Memory rose once.
    SingleStep,
    /// Memory rises, but the rise may stop.
    Rising(Doubt),
    /// Memory rises linearly, with no sign of stopping.
    Established,
}

/// The reason why a rise is not established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The recent part is slower.
    GrowthSlowing,
    /// The rise accelerates or is S-shaped.
    NonLinear,
    /// The rise barely exceeds the noise.
    WeakGrowth,
    /// A few increments make up most of the rise.
    FewIncrements,
    /// A line through its first part did not predict the rest.
    BacktestFailed,
}

/// The trend of one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    /// Seconds from the first floor to the last.
    pub(super) span: f64,
    /// The line through the floors; its slope is 0 if they are flat.
    pub(super) line: FittedLine,
    /// 95 % interval of the slope.
    pub(super) interval: (f64, f64),
    /// The smallest rise over `span` that exceeds the usual variation, in bytes.
    pub(super) needed: f64,
    /// The slope of the recent half divided by that of the first half, if that is above 0.
    pub(super) late_over_early: Option<f64>,
    /// The growth.
    pub(super) growth: WindowGrowth,
}

/// Floors of one channel within one level's latest buckets.
pub(super) struct Window {
    t: [f64; MAX_VALUES],
    y: [f64; MAX_VALUES],
    /// Height of the total's peaks above its floor, per bucket.
    tops: [f64; MAX_VALUES],
    len: usize,
    /// Highest floor before the window.
    ceiling: f64,
    largest_fall: f64,
    /// Median floor of the total.
    total: f64,
}

impl Window {
    /// Returns the latest `count` slots of a level that begin later than `skip` milliseconds after the origin; `None` if fewer than
    /// [`MIN_FLOORS`] or fewer than half of them have a point.
    pub(super) fn of(level: &Level, channel: usize, count: usize, skip: u64) -> Option<Window> {
        debug_assert!(channel < CHANNELS);
        if level.len() < MIN_FLOORS {
            return None;
        }
        let newest = level.closed().last()?.slot;
        let oldest = (newest + 1).saturating_sub(count as u64);
        let mut window = Window {
            t: [0.0; MAX_VALUES],
            y: [0.0; MAX_VALUES],
            tops: [0.0; MAX_VALUES],
            len: 0,
            ceiling: level.ceiling(channel),
            largest_fall: level.largest_fall(channel),
            total: 0.0,
        };
        let mut totals = [0.0; MAX_VALUES];
        for bucket in level.closed() {
            let start = bucket.slot.saturating_mul(level.width());
            let floor = bucket.floor[channel] as f64;
            if bucket.slot < oldest || start < skip {
                if start >= WARM_UP_MS {
                    window.ceiling = window.ceiling.max(floor);
                }
                continue;
            }
            let at = start.saturating_add(u64::from(bucket.floor_at[channel]));
            window.t[window.len] = at as f64 / 1000.0;
            window.y[window.len] = floor;
            window.tops[window.len] = bucket.top.saturating_sub(bucket.floor[TOTAL]) as f64;
            totals[window.len] = bucket.floor[TOTAL] as f64;
            window.len += 1;
        }
        if window.len < MIN_FLOORS || window.len * 2 < count.min(usize::try_from(newest + 1).unwrap_or(count))
        {
            return None;
        }
        window.total = median(&mut totals[..window.len]);
        Some(window)
    }

    /// Returns the floors as a series.
    fn series(&self) -> TimeSeries<'_> {
        TimeSeries { t: &self.t[..self.len], y: &self.y[..self.len] }
    }

    /// Returns the height of the total's peaks above its floors in bytes: the median, and the highest.
    pub(super) fn peaks(&self) -> (f64, f64) {
        let mut tops = self.tops;
        let highest = tops[..self.len].iter().copied().fold(0.0, f64::max);
        (median(&mut tops[..self.len]), highest)
    }

    /// Fits a line to the floors, and returns it with the interval of its slope.
    pub(super) fn line(&self) -> (FittedLine, (f64, f64)) {
        let series = self.series();
        let slopes = Slopes::of(series);
        let line = fit_line(series, slopes.median());
        let kendall = Kendall::of(series.y);
        let inflation = rank_inflation(&residuals(series, line)[..series.len()]);
        (line, slopes.interval(kendall.deviation * inflation.sqrt(), Z95))
    }

    /// Examines the trend, which does not depend on the limit.
    pub(super) fn examine(&self) -> Trend {
        let series = self.series();
        let span = series.span();
        let kendall = Kendall::of(series.y);
        let usual = (self.largest_fall * FALL_FACTOR).max(self.total * NEGLIGIBLE);
        let mut trend = Trend {
            span,
            line: FittedLine { slope: 0.0, at_origin: median(&mut { self.y }[..self.len]) },
            interval: (0.0, 0.0),
            needed: usual.max(range(series.y)),
            late_over_early: None,
            growth: WindowGrowth::Flat,
        };
        // Most windows of a healthy process end here, before the expensive part.
        if kendall.z(1.0) < SIGNIFICANT {
            return trend;
        }
        let slopes = Slopes::of(series);
        trend.line = fit_line(series, slopes.median());
        let residuals = residuals(series, trend.line);
        let residuals = &residuals[..series.len()];
        let inflation = rank_inflation(residuals);
        trend.interval = slopes.interval(kendall.deviation * inflation.sqrt(), Z95);
        trend.needed = usual.max(range(residuals));
        let (early, late) = halves(series);
        trend.late_over_early = (early > 0.0).then(|| late / early);
        trend.growth = self.growth(&trend, residuals, kendall.z(inflation), late);
        trend
    }

    fn growth(&self, trend: &Trend, residuals: &[f64], z: f64, late: f64) -> WindowGrowth {
        let series = self.series();
        let slope = trend.line.slope;
        let rise = slope * trend.span;
        if slope <= 0.0 || trend.interval.0 <= 0.0 {
            return WindowGrowth::Flat;
        }
        let step = largest_step(series.y);
        let net = series.y[series.len() - 1] - series.y[0];
        if step > MAX_STEP * net.max(rise) {
            return WindowGrowth::SingleStep;
        }
        if late < MIN_LATE_SLOPE * slope {
            return WindowGrowth::Stopped;
        }
        let end = trend.line.at(series.t[series.len() - 1]);
        let noise = range(residuals).max(self.total * NEGLIGIBLE);
        if rise < noise || z < SIGNIFICANT {
            return WindowGrowth::Flat;
        }
        if rise < trend.needed || end - self.ceiling < NEW_GROUND * rise {
            return WindowGrowth::Usual;
        }
        let faint = rise < CLEAR_FACTOR * noise;
        let uneven = step > MAX_STEP_OF_LEAK * net.max(rise);
        bend(series, slope, late)
            .or(uneven.then_some(Doubt::FewIncrements))
            .or(faint.then_some(Doubt::WeakGrowth))
            .or((backtest(series) > BACKTEST).then_some(Doubt::BacktestFailed))
            .map_or(WindowGrowth::Established, WindowGrowth::Rising)
    }
}

/// Returns the objection of a longer window to a rise that a shorter one establishes: the rise has slowed down, its linear part belongs to a
/// curve, or rises as steep and longer have been freed again. A leak that began late is a bend as well, so bends only count if the window
/// is not much longer.
pub(super) fn objection_of(longer: &Trend, short: &Trend) -> Option<WindowGrowth> {
    let factor = longer.span / short.span;
    if factor < LONGER_WINDOW.0 {
        None
    } else if longer.growth == WindowGrowth::Usual && longer.interval.1 >= short.interval.0 {
        Some(WindowGrowth::Usual)
    } else if factor < LONGER_WINDOW.2 && longer.late_over_early.is_some_and(|ratio| ratio < SLOWS_DOWN) {
        Some(WindowGrowth::Rising(Doubt::GrowthSlowing))
    } else {
        let bent = WindowGrowth::Rising(Doubt::NonLinear);
        (factor < LONGER_WINDOW.1 && longer.growth == bent).then_some(bent)
    }
}

/// Returns the doubt about a rise that is not linear.
fn bend(series: TimeSeries<'_>, slope: f64, late: f64) -> Option<Doubt> {
    if late < MIN_LATE_SLOPE_OF_LEAK * slope {
        return Some(Doubt::GrowthSlowing);
    }
    if let Some(Shape { bend, twist, errors }) = Shape::of(series) {
        let beyond = |value: f64, bound: f64, least: f64, error: f64| {
            value - 1.5 * error > bound || (value > least && value > 3.0 * error)
        };
        if beyond(-bend, 0.10, 0.04, errors.0) {
            return Some(Doubt::GrowthSlowing);
        }
        let bent = beyond(bend, 0.15, 0.06, errors.0);
        let twisted = beyond(twist.abs(), 0.10, 0.05, errors.1);
        if bent || twisted {
            return Some(Doubt::NonLinear);
        }
    }
    None
}

/// Returns the error of a line through the first two thirds in predicting the last third, divided by the error of "same as now" (the last
/// known floor). Below 1, the line is better; infinite if nothing changed.
fn backtest(series: TimeSeries<'_>) -> f64 {
    let origin = series.len() * 2 / 3;
    let known = series.part(0, origin);
    let line = fit_line(known, Slopes::of(known).median());
    let now = series.y[origin - 1];
    let (mut by_line, mut by_now) = (0.0, 0.0);
    for (t, y) in series.t[origin..].iter().zip(&series.y[origin..]) {
        by_line += (line.at(*t) - y).abs();
        by_now += (now - y).abs();
    }
    if by_now > 0.0 { by_line / by_now } else { f64::INFINITY }
}

/// Returns the largest lasting rise between neighbors (from the higher of two floors to the lower of the next two); 0 if neighbors usually
/// differ as much.
fn largest_step(y: &[f64]) -> f64 {
    let step = y.windows(4).map(|y| y[2].min(y[3]) - y[0].max(y[1])).fold(0.0, f64::max);
    let mut usual = [0.0; MAX_VALUES];
    for (usual, pair) in usual.iter_mut().zip(y.windows(2)) {
        *usual = (pair[1] - pair[0]).abs();
    }
    let count = y.len().saturating_sub(1).min(MAX_VALUES);
    if step > 3.0 * median(&mut usual[..count]) { step } else { 0.0 }
}

/// Returns Theil's slopes of the first half and of the recent half.
fn halves(series: TimeSeries<'_>) -> (f64, f64) {
    let middle = series.len() / 2;
    let slope = |part| Slopes::of(part).median();
    (slope(series.part(0, middle)), slope(series.part(middle, series.len())))
}

fn residuals(series: TimeSeries<'_>, line: FittedLine) -> [f64; MAX_VALUES] {
    let mut residuals = [0.0; MAX_VALUES];
    for (residual, (t, y)) in residuals.iter_mut().zip(series.t.iter().zip(series.y)) {
        *residual = y - line.at(*t);
    }
    residuals
}

fn range(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most - least).max(0.0)
}
