//! The verdict, from the trends of everything, of its last half, of the half of that, and so on.
//!
//! A leak is established by one window, unless a longer one objects. The longest establishing window gives the slope. The observation
//! time that a verdict needs depends on the limit.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::forecast::{Assessment, Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};

use super::floors::Floors;
use super::past::PastErrors;
use super::point::{CHANNELS, FigureSet, TOTAL};
use super::stats::TimeSeries;
use super::window::{ACCELERATES, Doubt, Growth, Trend, Window};

/// Values before this age are ignored, as a start has spikes of its own; in a short series the first fifth is.
const WARM_UP: f64 = 60.0;

/// Seconds after the warm-up before anything is called steady: what rises within three minutes of the start would be seen by then.
const STEADY_AFTER: f64 = 170.0;

/// Seconds that a rise must last for `growing`.
const GROWING_AFTER: f64 = 60.0;

/// Bounds of the seconds that a rise must last for `leaking`: near the limit there is no time to wait, and most caches of a start are
/// full after six minutes.
const LEAK_AFTER: (f64, f64) = (12.0, 350.0);

/// Between these bounds, a rise must last for this share of the time to the limit: half of what is left to act remains.
const LEAK_SHARE: f64 = 0.5;

/// A rise that is no line must last longer by this factor: half of a rhythm is no line, and has turned by then if a quarter of it has
/// seemed to be a leak.
const CURVED: f64 = 2.5;

/// Growth that takes longer than this to the limit (18 h) may be the rising part of a daily rhythm: the steepest part of a sine takes
/// `24 h / pi * room / swing`, which is longer unless the swing exceeds 42 % of the room.
const RHYTHM: f64 = 64_800.0;

/// Seconds of observation that rule out a daily rhythm: a day and a half.
const DAY_AND_A_HALF: f64 = 129_600.0;

/// Longest extrapolation, as a multiple of the observed time.
const MAX_EXTRAPOLATION: f64 = 30.0;

/// The live heap counts as flat beside a growing gap if it grows by less than this share of the gap's growth.
const MAX_HEAP_SHARE: f64 = 0.25;

/// What is assessed, and what is known besides.
pub(super) struct Assessor<'a> {
    pub(super) floors: &'a Floors,
    pub(super) kind: FigureSet,
    /// Milliseconds since the origin.
    pub(super) elapsed: u64,
    pub(super) limit: Bytes,
    /// The size to which the program's runtime lets its heap grow before it collects at any cost.
    pub(super) runtime_max: Option<Bytes>,
    /// The smallest change of every channel between two readings.
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

/// The trend of the window of a level.
#[derive(Clone, Copy)]
struct LevelTrend {
    level: usize,
    trend: Trend,
}

/// The forecast of a window.
#[derive(Clone, Copy)]
struct LevelForecast {
    /// The time, if there are enough past errors for an interval.
    time: Option<TimeToLimit>,
    /// Seconds to the limit: as expected, and by the slope alone, without the correction by past errors.
    expected: f64,
    linear: f64,
}

/// The trends of one part of memory.
struct PartTrends {
    channel: usize,
    part: MemoryPart,
    /// The trends of all windows, longest first.
    trends: Vec<LevelTrend>,
}

impl PartTrends {
    /// Returns the windows with an established rise: those in which it is a line, longest first, then the others.
    fn established(&self) -> impl Iterator<Item = &LevelTrend> {
        let established = |straight| {
            self.trends.iter().filter(move |seen| {
                seen.trend.growth == Growth::Established && seen.trend.straight == straight
            })
        };
        established(true).chain(established(false))
    }

    /// Returns the longest window with a rise in doubt.
    fn doubtful(&self) -> Option<(LevelTrend, Doubt)> {
        self.trends.iter().find_map(|seen| match seen.trend.growth {
            Growth::Rising(doubt) => Some((*seen, doubt)),
            _ => None,
        })
    }

    /// Returns the smallest slope that the most sensitive window could have detected.
    fn detectable(&self) -> Option<Rate> {
        let rates = self.trends.iter().filter(|seen| seen.trend.span > 0.0);
        rates.map(|seen| seen.trend.needed / seen.trend.span).min_by(f64::total_cmp).map(Rate)
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

    fn window(&self, channel: usize, level: usize) -> Option<Window> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let skip = (self.elapsed / 5).min((WARM_UP * 1000.0) as u64);
        Window::of(self.floors, &self.floors.levels()[level], channel, skip, self.quanta[channel])
    }

    /// Examines one part of memory in all windows.
    fn examine_part(&self, channel: usize, part: MemoryPart) -> PartTrends {
        let mut longer: Vec<(Window, Trend)> = Vec::new();
        let mut trends: Vec<LevelTrend> = Vec::new();
        for level in (0..self.floors.levels().len()).rev() {
            let Some(window) = self.window(channel, level) else { continue };
            let mut trend = window.examine();
            if let Growth::Established | Growth::Rising(_) = trend.growth {
                let objection = longer.iter().find_map(|(window, own)| window.objection_to(own, &trend));
                trend.growth = match (objection, trend.growth) {
                    (Some(Growth::Usual), _) => Growth::Usual,
                    (Some(objection), Growth::Established) => objection,
                    (_, growth) => growth,
                };
            }
            trends.push(LevelTrend { level, trend });
            longer.push((window, trend));
        }
        // What its last half has stopped to do, a window does not go on to do.
        for index in 1..trends.len() {
            let half = trends[index];
            if let (Growth::Established, Growth::Stopped | Growth::Rising(Doubt::Slower)) =
                (trends[index - 1].trend.growth, half.trend.growth)
            {
                trends[index - 1].trend.growth = Growth::Rising(Doubt::Slower);
            }
        }
        PartTrends { channel, part, trends }
    }

    /// Assesses the part that the application holds; `None` if it does not rise.
    fn assess_own(&self, part: &PartTrends) -> Option<Assessment> {
        let rises: Vec<_> = part.established().map(|seen| self.judge_rise(part, seen)).collect();
        let mut leaks = rises.iter().filter(|(_, _, early)| early.is_none());
        let with_time = |(_, forecast, _): &&&(_, Option<LevelForecast>, _)| {
            forecast.is_some_and(|forecast| forecast.time.is_some())
        };
        let leak = leaks.clone().find(|rise| with_time(&rise)).or(leaks.next());
        let young = rises.first().filter(|(seen, ..)| seen.trend.span >= GROWING_AFTER / 2.0);
        if let Some((seen, time, early)) = leak.or(young).copied() {
            let verdict = if early.is_some() { Verdict::Growing } else { Verdict::Leaking };
            let accelerates = seen.trend.halves.1 > ACCELERATES * seen.trend.halves.0;
            let basis = if accelerates { Basis::AcceleratingGrowth } else { Basis::SustainedGrowth };
            return Some(self.rise(verdict, early.unwrap_or(basis), part, &seen, time));
        }
        let (seen, doubt) = part.doubtful().filter(|(seen, _)| seen.trend.span >= GROWING_AFTER)?;
        Some(self.rise(Verdict::Growing, doubt.into(), part, &seen, None))
    }

    /// Returns a rise with its forecast, and with the reason if it has not lasted for long enough.
    fn judge_rise(
        &self,
        part: &PartTrends,
        seen: &LevelTrend,
    ) -> (LevelTrend, Option<LevelForecast>, Option<Basis>) {
        let time = self.time_to_limit(part.channel, seen);
        (*seen, time, too_early(&seen.trend, time))
    }

    /// Assesses memory beyond it; `None` if that does not rise, or if the live heap explains the rise.
    fn assess_beside(&self, part: &PartTrends, own: &PartTrends) -> Option<Assessment> {
        let (seen, doubt) = match part.established().next() {
            Some(seen) => (*seen, None),
            None => part.doubtful().map(|(seen, doubt)| (seen, Some(doubt)))?,
        };
        let held = self.window(own.channel, seen.level)?.series().slope();
        if seen.trend.span < 2.0 * GROWING_AFTER || held > MAX_HEAP_SHARE * seen.trend.slope {
            return None;
        }
        let time = doubt.is_none().then(|| self.time_to_limit(part.channel, &seen)).flatten();
        let early = doubt.is_none().then(|| too_early(&seen.trend, time)).flatten();
        let doubt = doubt.map(Basis::from).or(early);
        Some(match (part.part, doubt) {
            (MemoryPart::AllocatorOverhead, _) => {
                self.rise(Verdict::Fragmenting, Basis::LiveHeapFlat, part, &seen, time)
            }
            (MemoryPart::External, None) => {
                self.rise(Verdict::Leaking, Basis::SustainedGrowth, part, &seen, time)
            }
            (_, None) => self.rise(Verdict::Growing, Basis::OutsideLiveHeap, part, &seen, time),
            (_, Some(doubt)) => self.rise(Verdict::Growing, doubt, part, &seen, time),
        })
    }

    fn rise(
        &self,
        verdict: Verdict,
        basis: Basis,
        part: &PartTrends,
        seen: &LevelTrend,
        forecast: Option<LevelForecast>,
    ) -> Assessment {
        let (early, late) = seen.trend.halves;
        let slope = seen.trend.slope;
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
                .filter(|_| !matches!(basis, Basis::ObservedTooBriefly | Basis::LimitFarAway)),
            detectable: part.detectable(),
            window: to_duration(seen.trend.span),
            ..unknown(self.limit, self.elapsed)
        }
    }

    /// Assesses memory that does not rise: a verdict only if there is enough data.
    fn assess_without_growth(&self, own: &PartTrends) -> Assessment {
        let nothing =
            Assessment { part: own.part, detectable: own.detectable(), ..unknown(self.limit, self.elapsed) };
        let Some(longest) = own.trends.first() else { return nothing };
        let nothing = Assessment { window: to_duration(longest.trend.span), ..nothing };
        if longest.trend.span < STEADY_AFTER {
            return nothing;
        }
        let room =
            self.window(TOTAL, longest.level).map_or(0.0, |total| self.limit.0 as f64 - total.newest().0);
        let over = own.trends.iter().map(|seen| seen.trend).find(|trend| {
            matches!(trend.growth, Growth::Stopped | Growth::SingleStep | Growth::GivenBack)
                && trend.span * 2.0 > longest.trend.span
        });
        let basis = match over.map(|trend| trend.growth) {
            Some(Growth::SingleStep) => Basis::SingleStep,
            Some(Growth::GivenBack) => Basis::GivenBack,
            Some(_) => Basis::GrowthStopped,
            None if (0.0..=longest.trend.needed).contains(&room) => {
                return Assessment { basis: Basis::TooNoisy, ..nothing };
            }
            None => Basis::NoGrowth,
        };
        Assessment { verdict: Verdict::Steady, basis, ..nothing }
    }

    /// Returns the time until the total reaches the limit if the rise in `channel` continues from what is held now. The total is noisier
    /// than its parts, and may not rise yet, as a part grows into pages that are already resident.
    fn time_to_limit(&self, channel: usize, seen: &LevelTrend) -> Option<LevelForecast> {
        let total = self.window(TOTAL, seen.level)?;
        let part = self.window(channel, seen.level)?;
        let slope_of: fn(TimeSeries<'_>) -> f64 = if seen.trend.straight { all_slope } else { recent_slope };
        let (of_total, of_part) = (total.series(), part.series());
        let rise = if slope_of(of_total) > slope_of(of_part) { of_total } else { of_part };
        let slope = slope_of(rise);
        let (newest, at) = total.newest();
        let held = newest + slope * (self.elapsed as f64 / 1000.0 - at);
        // A floor is known to the width of its bucket, within which the rise is no peak.
        let width = total.resolution();
        let (usual, highest) = total.peaks();
        let [usual, highest] = [usual, highest].map(|peak| (peak - slope * width).max(0.0));
        if slope <= 0.0 {
            return None;
        }
        let after = |peak: f64| (self.limit.0 as f64 - held - peak).max(0.0) / slope;
        let reach = after(usual) / rise.span();
        let errors = PastErrors::of(rise, slope_of, reach.max(0.01));
        let middle = errors.filter(|_| !seen.trend.straight).map_or(1.0, |errors| errors.middle);
        let (expected, linear) = (after(usual) * middle, after(usual));
        let time = errors.map(|errors| TimeToLimit {
            expected: to_duration(expected),
            earliest: to_duration((after(highest) * errors.low).min(expected) - width),
            latest: to_duration((linear * errors.high).max(expected) + width),
        });
        Some(LevelForecast { time, expected, linear })
    }

    /// Takes back what the resident set of a managed runtime cannot show: below the maximum of its heap, its collector may still be
    /// filling it.
    fn below_runtime_max(&self, found: Assessment) -> Assessment {
        let Some(max) = self.runtime_max.filter(|_| self.kind == FigureSet::Single) else { return found };
        let held = self.window(TOTAL, 0).map_or(0.0, |total| total.newest().0);
        let found = Assessment { runtime_max: Some(max), ..found };
        if found.verdict != Verdict::Leaking || held >= max.0 as f64 {
            return found;
        }
        let time_to_limit = found.time_to_limit.filter(|_| self.limit <= max);
        Assessment { verdict: Verdict::Growing, basis: Basis::HeapMayFill, time_to_limit, ..found }
    }
}

/// Returns a basis if a rise has not lasted long enough to be called a leak, given its time to the limit.
fn too_early(trend: &Trend, forecast: Option<LevelForecast>) -> Option<Basis> {
    let left = forecast.map_or(f64::INFINITY, |forecast| forecast.expected);
    // The acceleration of a rhythm does not last.
    let far = forecast.map_or(f64::INFINITY, |forecast| forecast.linear).max(left);
    let needed = (left * LEAK_SHARE).clamp(LEAK_AFTER.0, LEAK_AFTER.1);
    if trend.span < if trend.straight { needed } else { CURVED * needed } {
        Some(Basis::ObservedTooBriefly)
    } else if far > RHYTHM && (trend.span < DAY_AND_A_HALF || far > MAX_EXTRAPOLATION * trend.span) {
        Some(Basis::LimitFarAway)
    } else {
        None
    }
}

impl From<Doubt> for Basis {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Slower => Basis::GrowthSlowing,
            Doubt::Uneven => Basis::FewIncrements,
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
