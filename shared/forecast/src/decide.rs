//! The verdict, from the trends of everything, of its last half, of the half of that, and so on.
//!
//! A leak is established by one window, unless a longer one objects. The longest establishing window gives the slope. The observation
//! time that a verdict needs depends on the limit.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::forecast::{Assessment, Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};

use super::floors::Floors;
use super::past::past_errors;
use super::point::{CHANNELS, FigureSet, OUTSIDE, TOTAL};
use super::stats::TimeSeries;
use super::window::{CLEAR, Doubt, Growth, Trend, Window};

/// Values before this age are ignored, as a start has spikes of its own; in a short series the first fifth is. A rise must last for as
/// long to be `growing`, and twice as long to be `fragmenting`.
const WARM_UP: f64 = 60.0;

/// Seconds that a rise must last for `leaking`, unless it is near the limit: most caches of a start are full after six minutes. Half of
/// that shows what a start does, so that memory that does not rise is `steady`.
const LEAK_AFTER: f64 = 350.0;

/// Growth that takes longer than this to the limit (18 h) may be the rising part of a daily rhythm: the steepest part of a sine takes
/// `24 h / pi * room / swing`, which is longer unless the swing exceeds 42 % of the room. Twice of it, a day and a half, rules that out.
const RHYTHM: f64 = 64_800.0;

/// What is assessed, and what is known besides.
pub(super) struct Assessor<'a> {
    pub(super) floors: &'a Floors,
    pub(super) kind: FigureSet,
    /// Milliseconds since the origin.
    pub(super) elapsed: u64,
    pub(super) limit: Bytes,
    /// The size to which the program's runtime lets its heap grow before it collects at any cost.
    pub(super) runtime_max: Option<Bytes>,
    /// The smallest change of every channel between two readings: the resolution of the series. Less than that is not seen.
    pub(super) quanta: [u64; CHANNELS],
}

/// Returns the assessment without data.
pub(super) fn unknown(limit: Bytes, elapsed: u64) -> Assessment {
    Assessment {
        verdict: Verdict::Unknown,
        basis: Basis::InsufficientData,
        part: MemoryPart::Total,
        slope: None,
        time_to_limit: None,
        detectable: None,
        observed: Duration::from_millis(elapsed),
        window: Duration::ZERO,
        limit,
        runtime_max: None,
    }
}

/// The time to the limit.
#[derive(Clone, Copy)]
struct LimitForecast {
    /// The time, if there are enough past errors for an interval.
    time: Option<TimeToLimit>,
    /// Seconds to the limit.
    expected: f64,
}

/// The trends of one part of memory.
struct PartTrends {
    channel: usize,
    part: MemoryPart,
    /// The trends of all windows, longest first.
    trends: Vec<Trend>,
    /// Whether growth has slowed down since the series began, so that most of its rate ends.
    slows: bool,
}

impl PartTrends {
    /// Returns the windows with an established rise: those in which it is a line, longest first, then the others.
    fn established(&self) -> impl Iterator<Item = &Trend> {
        let rises = self.trends.iter().filter(|trend| trend.growth == Growth::Established);
        rises.clone().filter(|trend| trend.straight).chain(rises.filter(|trend| !trend.straight))
    }

    /// Returns the longest window with a rise in doubt.
    fn doubtful(&self) -> Option<(&Trend, Doubt)> {
        self.trends.iter().find_map(|trend| match trend.growth {
            Growth::Rising(doubt) => Some((trend, doubt)),
            _ => None,
        })
    }

    /// Returns the smallest slope that the most sensitive window could have detected.
    fn detectable(&self) -> Option<Rate> {
        let rates = self.trends.iter().filter(|trend| trend.span > 0.0);
        rates.map(|trend| trend.needed / trend.span).min_by(f64::total_cmp).map(Rate)
    }
}

impl Assessor<'_> {
    /// Assesses all points so far.
    pub(super) fn assess(&self) -> Assessment {
        // The first part is the live heap, or all memory if the heap is unknown.
        let mut parts = self.kind.parts().iter().map(|(channel, part)| self.examine_part(*channel, *part));
        let Some(own) = parts.next() else { return unknown(self.limit, self.elapsed) };
        let own_growth = self.assess_own(&own);
        let leaks = matches!(&own_growth, Some(found) if found.verdict == Verdict::Leaking);
        // If a gap grows many times as fast as the leak, the gap is what reaches the limit, and not the leak.
        let beside = parts
            .filter(|part| {
                !leaks || part.part == MemoryPart::AllocatorOverhead && part.established().next().is_some()
            })
            .find_map(|part| self.assess_beside(&part, &own));
        let found = beside.or(own_growth).unwrap_or_else(|| self.assess_without_growth(&own));
        self.below_runtime_max(found)
    }

    /// Takes back that something had grown if floors of flat memory could look the same.
    pub(super) fn without_chance(&self, found: Assessment) -> Assessment {
        let says_grown = matches!(found.basis, Basis::GivenBack | Basis::GrowthStopped | Basis::SingleStep);
        let (channel, levels) = (self.kind.parts()[0].0, self.floors.levels().len());
        let mut windows = (levels.saturating_sub(2)..levels).filter_map(|level| self.window(channel, level));
        if says_grown && !windows.any(|window| window.has_grown()) {
            return Assessment { basis: Basis::NoGrowth, ..found };
        }
        found
    }

    fn window(&self, channel: usize, level: usize) -> Option<Window> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let skip = (self.elapsed / 5).min((WARM_UP * 1000.0) as u64);
        Window::of(self.floors, &self.floors.levels()[level], channel, skip)
    }

    /// Examines one part of memory in all windows.
    fn examine_part(&self, channel: usize, part: MemoryPart) -> PartTrends {
        let rate_stays = self.rate_stays(channel);
        let mut longer: Vec<(Window, Trend)> = Vec::new();
        for level in (0..self.floors.levels().len()).rev() {
            let Some(window) = self.window(channel, level) else { continue };
            let mut trend = window.examine(level, self.quanta[channel]);
            if matches!(trend.growth, Growth::Established | Growth::Rising(_)) {
                let objection = longer
                    .iter()
                    .find_map(|(window, own)| window.objection_to(own, &trend, rate_stays == Some(true)));
                trend.growth = match (objection, trend.growth) {
                    (Some(Growth::Rising(_)), Growth::Rising(doubt)) => Growth::Rising(doubt),
                    (objection, growth) => objection.unwrap_or(growth),
                };
            }
            longer.push((window, trend));
        }
        let mut trends: Vec<Trend> = longer.into_iter().map(|(_, trend)| trend).collect();
        // What its last half has stopped to do, a window does not go on to do.
        for index in 1..trends.len() {
            let stops = matches!(trends[index].growth, Growth::Stopped | Growth::Rising(Doubt::Slower));
            if stops && trends[index - 1].growth == Growth::Established {
                trends[index - 1].growth = Growth::Rising(Doubt::Slower);
            }
        }
        PartTrends { channel, part, trends, slows: rate_stays == Some(false) }
    }

    /// Returns whether growth that slows down goes on, by the windows that cover everything; `None` if it does not slow down, or if more is
    /// known than one figure: a heap that is known needs less caution, and the outside of a managed one has to grow for longer anyway.
    fn rate_stays(&self, channel: usize) -> Option<bool> {
        let levels = self.floors.levels().len();
        let windows = (levels.saturating_sub(2)..levels).filter(|_| self.kind == FigureSet::Single);
        windows
            .filter_map(|level| self.window(channel, level)?.rate_stays())
            .reduce(|one, other| one && other)
    }

    /// Assesses the part that the application holds; `None` if it does not rise.
    fn assess_own(&self, part: &PartTrends) -> Option<Assessment> {
        let rises: Vec<_> = part
            .established()
            .map(|trend| (trend, self.time_to_limit(part.channel, trend)))
            .map(|(trend, forecast)| (trend, forecast, self.too_early(trend, forecast, part.slows)))
            .collect();
        let mut leaks = rises.iter().filter(|(.., early)| early.is_none());
        let has_time = |forecast: &Option<LimitForecast>| forecast.is_some_and(|it| it.time.is_some());
        let leak = leaks.clone().find(|(_, forecast, _)| has_time(forecast)).or(leaks.next());
        let young = rises.first().filter(|(trend, ..)| trend.span >= WARM_UP);
        if let Some((trend, forecast, early)) = leak.or(young) {
            let verdict = if early.is_some() { Verdict::Growing } else { Verdict::Leaking };
            let accelerates = trend.halves.1 > CLEAR * trend.halves.0;
            let basis = if accelerates { Basis::AcceleratingGrowth } else { Basis::SustainedGrowth };
            return Some(self.rise(verdict, early.unwrap_or(basis), part, trend, *forecast));
        }
        let (trend, doubt) = part.doubtful().filter(|(trend, _)| trend.span >= WARM_UP)?;
        Some(self.rise(Verdict::Growing, doubt.into(), part, trend, None))
    }

    /// Assesses memory beyond it; `None` if that does not rise, or if the live heap explains the rise.
    fn assess_beside(&self, part: &PartTrends, own: &PartTrends) -> Option<Assessment> {
        let (trend, doubt) = match part.established().next() {
            Some(trend) => (trend, None),
            None => part.doubtful().map(|(trend, doubt)| (trend, Some(Basis::from(doubt))))?,
        };
        let held = self.window(own.channel, trend.level)?.series().slope();
        if trend.span < 2.0 * WARM_UP || held * CLEAR > trend.slope {
            return None;
        }
        let time = self.time_to_limit(part.channel, trend).filter(|_| doubt.is_none());
        let (verdict, basis) = match (part.part, doubt.or(self.too_early(trend, time, part.slows))) {
            (MemoryPart::AllocatorOverhead, _) => (Verdict::Fragmenting, Basis::LiveHeapFlat),
            (_, Some(doubt)) => (Verdict::Growing, doubt),
            (MemoryPart::External, None) => (Verdict::Leaking, Basis::SustainedGrowth),
            (MemoryPart::Total, None) => (Verdict::Growing, Basis::HeapMayFill),
            (_, None) => (Verdict::Growing, Basis::OutsideLiveHeap),
        };
        Some(self.rise(verdict, basis, part, trend, time))
    }

    fn rise(
        &self,
        verdict: Verdict,
        basis: Basis,
        part: &PartTrends,
        trend: &Trend,
        forecast: Option<LimitForecast>,
    ) -> Assessment {
        use Basis::{GrowthSlowing, LimitFarAway, ObservedTooBriefly};
        let ((early, late), slope) = (trend.halves, trend.slope);
        let bounds = [early, late, slope];
        let low = bounds.into_iter().fold(f64::INFINITY, f64::min);
        let high = bounds.into_iter().fold(f64::NEG_INFINITY, f64::max);
        Assessment {
            verdict,
            basis,
            part: part.part,
            slope: Some(Slope { expected: Rate(slope), low: Rate(low), high: Rate(high) }),
            // A rise that may stop before does not justify a forecast.
            time_to_limit: forecast
                .and_then(|forecast| forecast.time)
                .filter(|_| !matches!(basis, ObservedTooBriefly | LimitFarAway | GrowthSlowing)),
            detectable: part.detectable(),
            window: to_duration(trend.span),
            ..unknown(self.limit, self.elapsed)
        }
    }

    /// Assesses memory that does not rise: a verdict only if there is enough data.
    fn assess_without_growth(&self, own: &PartTrends) -> Assessment {
        let nothing =
            Assessment { part: own.part, detectable: own.detectable(), ..unknown(self.limit, self.elapsed) };
        let Some(longest) = own.trends.first() else { return nothing };
        let nothing = Assessment { window: to_duration(longest.span), ..nothing };
        if longest.span * CLEAR < LEAK_AFTER {
            return nothing;
        }
        let room =
            self.window(TOTAL, longest.level).map_or(0.0, |total| self.limit.0 as f64 - total.newest.0);
        let over = own.trends.iter().find(|trend| {
            matches!(trend.growth, Growth::Stopped | Growth::SingleStep | Growth::GivenBack)
                && trend.span * CLEAR > longest.span
        });
        let basis = match over.map(|trend| trend.growth) {
            Some(Growth::SingleStep) => Basis::SingleStep,
            Some(Growth::GivenBack) => Basis::GivenBack,
            Some(_) => Basis::GrowthStopped,
            None if (0.0..=longest.needed).contains(&room) => {
                return Assessment { basis: Basis::TooNoisy, ..nothing };
            }
            None => Basis::NoGrowth,
        };
        Assessment { verdict: Verdict::Steady, basis, ..nothing }
    }

    /// Returns the time until the total reaches the limit if the rise in `channel` continues from what is held now. The total is noisier
    /// than its parts, and may not rise yet, as a part grows into pages that are already resident.
    fn time_to_limit(&self, channel: usize, trend: &Trend) -> Option<LimitForecast> {
        let total = self.window(TOTAL, trend.level)?;
        let part = self.window(channel, trend.level)?;
        let slope_of: fn(TimeSeries<'_>) -> f64 = if trend.straight { all_slope } else { recent_slope };
        let (of_total, of_part) = (total.series(), part.series());
        // A heap that is being filled beside what is outside of it will be full.
        let is_total = self.kind != FigureSet::Runtime && slope_of(of_total) > slope_of(of_part);
        let rise = if is_total { of_total } else { of_part };
        let slope = slope_of(rise);
        if slope <= 0.0 {
            return None;
        }
        let (newest, at) = total.newest;
        let held = newest + slope * (self.elapsed as f64 / 1000.0 - at);
        // A floor is known to the width of its bucket, within which the rise is no peak.
        let width = total.resolution();
        let peak = (total.peak - slope * width).max(0.0);
        let expected = (self.limit.0 as f64 - held - peak).max(0.0) / slope;
        let recent = recent_slope(rise);
        let slowing = if recent > 0.0 { (slope / recent).max(1.0) } else { 1.0 };
        let time = past_errors(rise, slope_of).map(|(low, high)| TimeToLimit {
            expected: to_duration(expected),
            earliest: to_duration(expected * low.min(1.0) - width),
            latest: to_duration(expected * high.max(1.0) * slowing + width),
        });
        Some(LimitForecast { time, expected })
    }

    /// Returns a basis if a rise has not lasted long enough to be called a leak: for half of the time that is left, or for the longest time
    /// needed. That is twice as long outside of a managed heap, where the collector's tables and compiled code grow at first, and twice as
    /// long if the rise is no line: half of a rhythm is none either, and has turned by then. Growth that `slows` has no longest time.
    fn too_early(&self, trend: &Trend, forecast: Option<LimitForecast>, slows: bool) -> Option<Basis> {
        let left = forecast.map_or(f64::INFINITY, |forecast| forecast.expected);
        let longest = if self.kind == FigureSet::Runtime { CLEAR * LEAK_AFTER } else { LEAK_AFTER };
        let needed = (left / CLEAR).min(longest);
        if slows && left > CLEAR * self.elapsed as f64 / 1000.0 {
            Some(Basis::GrowthSlowing)
        } else if trend.span < if trend.straight { needed } else { CLEAR * needed } {
            Some(Basis::ObservedTooBriefly)
        } else if left > RHYTHM && trend.span < 2.0 * RHYTHM {
            Some(Basis::LimitFarAway)
        } else {
            None
        }
    }

    /// Takes back what the resident set of a managed runtime cannot show: below the maximum of its heap, its collector may still be
    /// filling it. It reaches the limit only if the full heap does, with what is outside of it.
    fn below_runtime_max(&self, found: Assessment) -> Assessment {
        let held = |channel: usize| self.window(channel, 0).map_or(0.0, |window| window.newest.0);
        let (outside, may_fill) = match self.kind {
            FigureSet::Single => (0.0, found.verdict == Verdict::Leaking),
            FigureSet::Runtime => (held(OUTSIDE), found.basis == Basis::HeapMayFill),
            _ => return found,
        };
        let Some(max) = self.runtime_max else { return found };
        let found = Assessment { runtime_max: Some(max), ..found };
        if !may_fill || self.kind == FigureSet::Single && held(TOTAL) >= max.0 as f64 {
            return found;
        }
        let time_to_limit = found.time_to_limit.filter(|_| self.limit.0 as f64 <= max.0 as f64 + outside);
        Assessment { verdict: Verdict::Growing, basis: Basis::HeapMayFill, time_to_limit, ..found }
    }
}

impl From<Doubt> for Basis {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Slower => Basis::GrowthSlowing,
            Doubt::Weak => Basis::WeakGrowth,
            Doubt::Unpredicted => Basis::BacktestFailed,
        }
    }
}

fn all_slope(series: TimeSeries<'_>) -> f64 {
    series.slope()
}

fn recent_slope(series: TimeSeries<'_>) -> f64 {
    series.part(series.len() / 2, series.len()).slope()
}

/// Converts seconds to a duration; the longest one if they do not fit.
fn to_duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
