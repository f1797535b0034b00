//! The trend of one window of floors: whether it rises, and whether the rise is likely to continue.
//!
//! A trend test says only that the end is above the beginning, which also holds for a cache that fills, a morning and a deploy.
//! A rise therefore has to exceed the residuals of its line and anything that was returned before, and continue in the recent
//! half. It is established where it is also straight, made of many increments, and predicts its own last third better than
//! "same as now" does.

use super::point::{CHANNELS, TOTAL};
use super::pyramid::{Level, WARM_UP_MS};
use super::stats::{Kendall, Line, MOST, Run, Shape, Slopes, Z95, line, median, rank_inflation};

/// Fewest floors a window is judged by: eight in strict order have one chance in 40,320.
pub(super) const FEWEST: usize = 8;

/// Kendall's statistic has to be this many standard deviations from none: windows are looked at again and again.
const SIGNIFICANT: f64 = 2.5;

/// A rise below this share of the total is no matter, whatever its significance.
const IMMATERIAL: f64 = 1.0 / 200.0;

/// A rise has to exceed by this factor whatever was given back before at the same resolution.
const BEYOND_GIVEN_BACK: f64 = 1.5;

/// By this factor a rise that is established has to exceed what could just be told.
const CLEAR: f64 = 1.5;

/// Share of a rise that must be higher than anything before the window.
const NEW_GROUND: f64 = 0.5;

/// The recent half has to rise by this share of the whole window's slope, else the growth is over.
const GOES_ON: f64 = 0.25;

/// The same, to be established.
const PERSISTS: f64 = 0.6;

/// One increment may make up this share of a rise that is established, and ...
const LARGEST_STEP: f64 = 0.3;

/// ... this share of a rise that is one at all; beyond, it is a step.
const MOSTLY_STEP: f64 = 0.5;

/// The line's error in the backtest, at most this share of the error of "same as now".
const BACKTEST: f64 = 0.7;

/// Of the slope of the half before, what the recent half must reach in every longer window too.
const SLOWS_DOWN: f64 = 0.65;

/// How much longer a window has to be to have a say about a shorter one, may be to speak of bends, and may be at all.
const SAY: (f64, f64, f64) = (1.15, 1.4, 4.5);

/// What a window shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// Nothing that stands out from the noise.
    Flat,
    /// It rises by no more than what was given back before at this resolution, or regains ground.
    Usual,
    /// It rose, and stopped.
    Settled,
    /// It rose at one instant.
    Stepped,
    /// It rises, but may well stop.
    Rising(Doubt),
    /// It rises in a line, and nothing says that it will stop.
    Established,
}

/// Why a rise is not established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its recent part is slower.
    Slowing,
    /// It accelerates, or is S-shaped.
    Bent,
    /// It hardly stands out.
    Faint,
    /// A few increments make up most of it.
    Uneven,
    /// A line through its first part did not predict the rest.
    Unpredictive,
}

/// A window and what was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trend {
    /// Seconds from the first floor to the last.
    pub(super) span: f64,
    /// Bytes per second and level, by floors; slope 0 when flat.
    pub(super) line: Line,
    /// 95 % interval of the slope.
    pub(super) interval: (f64, f64),
    /// The least rise over `span` that could have been told from what is usual, in bytes.
    pub(super) needed: f64,
    /// Slope of the recent half over the slope of the first half, where both are known.
    pub(super) late_over_early: Option<f64>,
    /// What it shows.
    pub(super) growth: Growth,
}

/// Floors of one channel within one level's latest buckets.
pub(super) struct Window {
    t: [f64; MOST],
    y: [f64; MOST],
    /// Floor and top of the total, for the same buckets.
    tops: [f64; MOST],
    len: usize,
    /// Highest floor before the window.
    ceiling: f64,
    given_back: f64,
    /// Median floor of the total: what "immaterial" is measured against.
    total: f64,
}

impl Window {
    /// The latest `count` slots of a level, later than `skip` milliseconds after the origin. `None` where fewer than
    /// [`FEWEST`] of them, or than half, hold a reading.
    pub(super) fn of(level: &Level, channel: usize, count: usize, skip: u64) -> Option<Window> {
        debug_assert!(channel < CHANNELS);
        if level.len() < FEWEST {
            return None;
        }
        let newest = level.closed().last()?.slot;
        let oldest = (newest + 1).saturating_sub(count as u64);
        let mut window = Window {
            t: [0.0; MOST],
            y: [0.0; MOST],
            tops: [0.0; MOST],
            len: 0,
            ceiling: level.ceiling(channel),
            given_back: level.given_back(channel),
            total: 0.0,
        };
        let mut totals = [0.0; MOST];
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
        if window.len < FEWEST || window.len * 2 < count.min(usize::try_from(newest + 1).unwrap_or(count)) {
            return None;
        }
        window.total = median(&mut totals[..window.len]);
        Some(window)
    }

    fn run(&self) -> Run<'_> {
        Run { t: &self.t[..self.len], y: &self.y[..self.len] }
    }

    /// How far the total's peaks stand above its floors: the usual bucket's, and the highest, in bytes.
    pub(super) fn peaks(&self) -> (f64, f64) {
        let mut tops = self.tops;
        let highest = tops[..self.len].iter().copied().fold(0.0, f64::max);
        (median(&mut tops[..self.len]), highest)
    }

    /// The line through the floors with the slope's interval, whatever it shows.
    pub(super) fn line(&self) -> (Line, (f64, f64)) {
        let run = self.run();
        let slopes = Slopes::of(run);
        let line = line(run, slopes.median());
        let kendall = Kendall::of(run.y);
        let inflation = rank_inflation(&residuals(run, line)[..run.len()]);
        (line, slopes.interval(kendall.deviation * inflation.sqrt(), Z95))
    }

    /// Everything that can be said without knowing the limit.
    pub(super) fn examine(&self) -> Trend {
        let run = self.run();
        let span = run.span();
        let kendall = Kendall::of(run.y);
        let usual = (self.given_back * BEYOND_GIVEN_BACK).max(self.total * IMMATERIAL);
        let mut trend = Trend {
            span,
            line: Line { slope: 0.0, at_origin: median(&mut { self.y }[..self.len]) },
            interval: (0.0, 0.0),
            needed: usual.max(range(run.y)),
            late_over_early: None,
            growth: Growth::Flat,
        };
        // Most windows of a healthy process end here, before anything costly.
        if kendall.z(1.0) < SIGNIFICANT {
            return trend;
        }
        let slopes = Slopes::of(run);
        trend.line = line(run, slopes.median());
        let residuals = residuals(run, trend.line);
        let residuals = &residuals[..run.len()];
        let inflation = rank_inflation(residuals);
        trend.interval = slopes.interval(kendall.deviation * inflation.sqrt(), Z95);
        trend.needed = usual.max(range(residuals));
        let (early, late) = halves(run);
        trend.late_over_early = (early > 0.0).then(|| late / early);
        trend.growth = self.growth(&trend, residuals, kendall.z(inflation), late);
        trend
    }

    fn growth(&self, trend: &Trend, residuals: &[f64], z: f64, late: f64) -> Growth {
        let run = self.run();
        let slope = trend.line.slope;
        let rise = slope * trend.span;
        if slope <= 0.0 || trend.interval.0 <= 0.0 {
            return Growth::Flat;
        }
        let step = largest_step(run.y);
        let net = run.y[run.len() - 1] - run.y[0];
        if step > MOSTLY_STEP * net.max(rise) {
            return Growth::Stepped;
        }
        if late < GOES_ON * slope {
            return Growth::Settled;
        }
        let end = trend.line.at(run.t[run.len() - 1]);
        let noise = range(residuals).max(self.total * IMMATERIAL);
        if rise < noise || z < SIGNIFICANT {
            return Growth::Flat;
        }
        if rise < trend.needed || end - self.ceiling < NEW_GROUND * rise {
            return Growth::Usual;
        }
        let faint = rise < CLEAR * noise;
        let uneven = step > LARGEST_STEP * net.max(rise);
        bend(run, slope, late)
            .or(uneven.then_some(Doubt::Uneven))
            .or(faint.then_some(Doubt::Faint))
            .or((backtest(run) > BACKTEST).then_some(Doubt::Unpredictive))
            .map_or(Growth::Established, Growth::Rising)
    }
}

/// What a longer window says against the rise that a shorter one establishes: that it has slowed down, that the
/// straight part is one of a curve, or that rises as steep and longer have come and gone. A leak that began late is a
/// bend too, so bends only count where the window is not much longer.
pub(super) fn objection(longer: &Trend, short: &Trend) -> Option<Growth> {
    let factor = longer.span / short.span;
    if factor < SAY.0 {
        None
    } else if longer.growth == Growth::Usual && longer.interval.1 >= short.interval.0 {
        Some(Growth::Usual)
    } else if factor < SAY.2 && longer.late_over_early.is_some_and(|ratio| ratio < SLOWS_DOWN) {
        Some(Growth::Rising(Doubt::Slowing))
    } else {
        let bent = Growth::Rising(Doubt::Bent);
        (factor < SAY.1 && longer.growth == bent).then_some(bent)
    }
}

/// Whether a rise is bent, and how.
fn bend(run: Run<'_>, slope: f64, late: f64) -> Option<Doubt> {
    if late < PERSISTS * slope {
        return Some(Doubt::Slowing);
    }
    if let Some(Shape { bend, twist, errors }) = Shape::of(run) {
        let beyond = |value: f64, bound: f64, least: f64, error: f64| {
            value - 1.5 * error > bound || (value > least && value > 3.0 * error)
        };
        if beyond(-bend, 0.10, 0.04, errors.0) {
            return Some(Doubt::Slowing);
        }
        let bent = beyond(bend, 0.15, 0.06, errors.0);
        let twisted = beyond(twist.abs(), 0.10, 0.05, errors.1);
        if bent || twisted {
            return Some(Doubt::Bent);
        }
    }
    None
}

/// Mean error of a line through the first two thirds in predicting the last third, over the error of "same as now"
/// (the last floor seen). Below 1 the line is better; infinite where nothing moved.
fn backtest(run: Run<'_>) -> f64 {
    let origin = run.len() * 2 / 3;
    let known = run.part(0, origin);
    let line = line(known, Slopes::of(known).median());
    let now = run.y[origin - 1];
    let (mut by_line, mut by_now) = (0.0, 0.0);
    for (t, y) in run.t[origin..].iter().zip(&run.y[origin..]) {
        by_line += (line.at(*t) - y).abs();
        by_now += (now - y).abs();
    }
    if by_now > 0.0 { by_line / by_now } else { f64::INFINITY }
}

/// The largest rise between neighbours that outlasts them (from the higher of two floors to the lower of the next
/// two), if it is not of the size of what neighbours differ by anyway; else 0.
fn largest_step(y: &[f64]) -> f64 {
    let step = y.windows(4).map(|y| y[2].min(y[3]) - y[0].max(y[1])).fold(0.0, f64::max);
    let mut usual = [0.0; MOST];
    for (usual, pair) in usual.iter_mut().zip(y.windows(2)) {
        *usual = (pair[1] - pair[0]).abs();
    }
    let count = y.len().saturating_sub(1).min(MOST);
    if step > 3.0 * median(&mut usual[..count]) { step } else { 0.0 }
}

/// Theil's slope of the first half and of the recent half.
fn halves(run: Run<'_>) -> (f64, f64) {
    let middle = run.len() / 2;
    let slope = |part| Slopes::of(part).median();
    (slope(run.part(0, middle)), slope(run.part(middle, run.len())))
}

fn residuals(run: Run<'_>, line: Line) -> [f64; MOST] {
    let mut residuals = [0.0; MOST];
    for (residual, (t, y)) in residuals.iter_mut().zip(run.t.iter().zip(run.y)) {
        *residual = y - line.at(*t);
    }
    residuals
}

fn range(values: &[f64]) -> f64 {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (most - least).max(0.0)
}
