//! The verdict, from the trends of all windows.
//!
//! Every part of memory is examined in every window that ends now. A leak is established by one window, unless a longer window
//! shows the growth slowing down: a warm-up of twenty minutes is straight for four. The longest establishing window gives the
//! slope. The observation time that a verdict needs depends on the limit.

use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::forecast::{Assessment, Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};

use super::point::{FigureSet, TOTAL};
use super::pyramid::{BUCKETS, Pyramid, WARM_UP_MS};
use super::trend::{Doubt, Trend, Window, WindowGrowth, objection_of};

/// Slots per window: all of a level, three quarters, and half of it. The half is as long as all of the finer level, but has half as many
/// buckets of twice the width, which hide a rhythm that the finer ones follow.
const COUNTS: [usize; 3] = [BUCKETS, BUCKETS * 3 / 4, BUCKETS / 2];

/// Seconds after the warm-up before anything is called steady.
const STEADY_AFTER: f64 = 170.0;

/// Seconds that a rise must last for `growing`: if it is linear, and if it is in doubt.
const GROWING_AFTER: (f64, f64) = (30.0, 60.0);

/// Bounds of the seconds that a rise must last for `leaking`: the lower one applies near the limit, the upper one far from it.
const LEAK_AFTER: (f64, f64) = (12.0, 350.0);

/// Between these bounds, a rise must last for this share of the time to the limit.
const LEAK_SHARE: f64 = 0.5;

/// Growth that takes longer than this to the limit (18 h) may be the rising part of a daily rhythm: the steepest part of a sine takes
/// `24 h / pi * room / swing`, which is longer unless the swing exceeds 42 % of the room.
const RHYTHM: f64 = 64_800.0;

/// Seconds of observation that rule out a daily rhythm: a day and a half.
const DAY_AND_A_HALF: f64 = 129_600.0;

/// Longest extrapolation, as a multiple of the observed time.
const MAX_EXTRAPOLATION: f64 = 30.0;

/// The live heap counts as flat beside a growing gap if it grows by less than this share of the gap's growth.
const MAX_HEAP_SHARE: f64 = 0.25;

/// Assesses all points up to `elapsed` milliseconds after the origin.
pub(super) fn assess(pyramid: &Pyramid, kind: FigureSet, elapsed: u64, limit: Bytes) -> Assessment {
    let skip = (elapsed / 5).min(WARM_UP_MS);
    let assessor = Assessor { pyramid, skip, elapsed, limit };
    // The first part is the live heap, or all memory if the heap is unknown.
    let mut parts = kind.parts().iter().map(|(channel, part)| assessor.examine_part(*channel, *part));
    let Some(own) = parts.next() else { return unknown(limit, elapsed) };
    let own_growth = assessor.assess_own(&own);
    let leaks = matches!(own_growth, Some(found) if found.verdict == Verdict::Leaking);
    // If a gap grows many times as fast as the leak, the gap is what reaches the limit, and not the leak.
    let beside = parts
        .filter(|part| !leaks || part.part == MemoryPart::AllocatorOverhead && part.established.is_some())
        .find_map(|part| assessor.assess_beside(&part, &own));
    beside.or(own_growth).unwrap_or_else(|| assessor.assess_without_growth(&own))
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
    }
}

/// The trend of one window, with the position of the window.
#[derive(Clone, Copy)]
struct WindowTrend {
    level: usize,
    count: usize,
    trend: Trend,
}

/// The trends of one part of memory in all windows.
struct PartTrends {
    channel: usize,
    part: MemoryPart,
    /// The longest window.
    longest: Option<WindowTrend>,
    /// The longest window with an established rise.
    established: Option<WindowTrend>,
    /// The longest window with a doubtful rise.
    doubtful: Option<(WindowTrend, Doubt)>,
    /// The longest window with a rise that is over.
    over: Option<WindowTrend>,
    /// The smallest slope that the most sensitive window could have detected.
    detectable: Option<Rate>,
}

/// The inputs of an assessment.
struct Assessor<'a> {
    pyramid: &'a Pyramid,
    /// Milliseconds at the start that are skipped.
    skip: u64,
    /// Milliseconds since the origin.
    elapsed: u64,
    limit: Bytes,
}

impl Assessor<'_> {
    fn window(&self, channel: usize, level: usize, count: usize) -> Option<Window> {
        Window::of(&self.pyramid.levels()[level], channel, count, self.skip)
    }

    /// Examines one part of memory in all windows.
    fn examine_part(&self, channel: usize, part: MemoryPart) -> PartTrends {
        let mut windows: Vec<WindowTrend> = Vec::with_capacity(self.pyramid.levels().len() * COUNTS.len());
        for level in 0..self.pyramid.levels().len() {
            // A shorter window of a level that is not full would be identical.
            let held = self.pyramid.levels()[level].len();
            for count in COUNTS.into_iter().filter(|count| *count == BUCKETS || *count < held) {
                if let Some(window) = self.window(channel, level, count) {
                    windows.push(WindowTrend { level, count, trend: window.examine() });
                }
            }
        }
        let mut part = PartTrends {
            channel,
            part,
            longest: None,
            established: None,
            doubtful: None,
            over: None,
            detectable: None,
        };
        for window in &windows {
            let span = window.trend.span;
            let keep = |slot: &mut Option<WindowTrend>| {
                if slot.is_none_or(|held| held.trend.span < span) {
                    *slot = Some(*window);
                }
            };
            keep(&mut part.longest);
            let growth = match window.trend.growth {
                WindowGrowth::Established => windows
                    .iter()
                    .find_map(|longer| objection_of(&longer.trend, &window.trend))
                    .unwrap_or(WindowGrowth::Established),
                growth => growth,
            };
            match growth {
                WindowGrowth::Established => keep(&mut part.established),
                WindowGrowth::Stopped | WindowGrowth::SingleStep => keep(&mut part.over),
                WindowGrowth::Rising(doubt)
                    if part.doubtful.is_none_or(|(held, _)| held.trend.span < span) =>
                {
                    part.doubtful = Some((*window, doubt));
                }
                WindowGrowth::Rising(_) | WindowGrowth::Flat | WindowGrowth::Usual => {}
            }
            let detectable = Rate(window.trend.needed / span);
            if span > 0.0 && part.detectable.is_none_or(|least| detectable < least) {
                part.detectable = Some(detectable);
            }
        }
        part
    }

    /// Assesses the part that the application holds; `None` if it does not rise.
    fn assess_own(&self, part: &PartTrends) -> Option<Assessment> {
        if let Some(seen) = part.established {
            let time = self.time_to_limit(part.channel, &seen);
            let (verdict, basis) = match too_early(&seen.trend, time) {
                Some(basis) => (Verdict::Growing, basis),
                None => (Verdict::Leaking, Basis::SustainedGrowth),
            };
            if verdict == Verdict::Leaking || seen.trend.span >= GROWING_AFTER.0 {
                return Some(self.rise(verdict, basis, part, &seen, time));
            }
        }
        let (seen, doubt) = part.doubtful.filter(|(seen, _)| seen.trend.span >= GROWING_AFTER.1)?;
        Some(self.rise(Verdict::Growing, doubt.into(), part, &seen, None))
    }

    /// Assesses resident memory beyond it; `None` if that does not rise, or if the live heap explains the rise.
    fn assess_beside(&self, part: &PartTrends, own: &PartTrends) -> Option<Assessment> {
        let (seen, doubt) = match (part.established, part.doubtful) {
            (Some(seen), _) => (seen, None),
            (None, doubtful) => doubtful.map(|(seen, doubt)| (seen, Some(doubt)))?,
        };
        let held = self.window(own.channel, seen.level, seen.count)?.line().0.slope;
        if seen.trend.span < 2.0 * GROWING_AFTER.1 || held > MAX_HEAP_SHARE * seen.trend.line.slope {
            return None;
        }
        let time = doubt.is_none().then(|| self.time_to_limit(part.channel, &seen)).flatten();
        let early = doubt.is_none().then(|| too_early(&seen.trend, time)).flatten();
        Some(match (part.part, doubt) {
            (MemoryPart::OutsideHeap, Some(doubt)) => {
                self.rise(Verdict::Growing, doubt.into(), part, &seen, None)
            }
            (MemoryPart::OutsideHeap, None) => {
                self.rise(Verdict::Growing, early.unwrap_or(Basis::OutsideLiveHeap), part, &seen, time)
            }
            _ => self.rise(Verdict::Fragmenting, Basis::LiveHeapFlat, part, &seen, time),
        })
    }

    fn rise(
        &self,
        verdict: Verdict,
        basis: Basis,
        part: &PartTrends,
        seen: &WindowTrend,
        time: Option<TimeToLimit>,
    ) -> Assessment {
        let (low, high) = seen.trend.interval;
        let slope = Slope { expected: Rate(seen.trend.line.slope), low: Rate(low), high: Rate(high) };
        Assessment {
            verdict,
            basis,
            part: part.part,
            slope: Some(slope),
            // A short rise does not justify a forecast.
            time_to_limit: time.filter(|_| verdict == Verdict::Leaking || seen.trend.span >= STEADY_AFTER),
            detectable: part.detectable,
            window: to_duration(seen.trend.span),
            ..unknown(self.limit, self.elapsed)
        }
    }

    /// Assesses memory that does not rise: a verdict only if there is enough data.
    fn assess_without_growth(&self, own: &PartTrends) -> Assessment {
        let nothing =
            Assessment { part: own.part, detectable: own.detectable, ..unknown(self.limit, self.elapsed) };
        let Some(longest) = own.longest else { return nothing };
        let nothing = Assessment { window: to_duration(longest.trend.span), ..nothing };
        if longest.trend.span < STEADY_AFTER {
            return nothing;
        }
        let total = self.window(TOTAL, longest.level, longest.count);
        let room = total.map_or(0.0, |window| self.limit.0 as f64 - window.line().0.at(self.now()));
        let over = own.over.filter(|over| over.trend.span * 2.0 > longest.trend.span);
        let basis = match over.map(|seen| seen.trend.growth) {
            Some(WindowGrowth::SingleStep) => Basis::SingleStep,
            Some(_) => Basis::GrowthStopped,
            None if (0.0..=longest.trend.needed).contains(&room) => {
                return Assessment { basis: Basis::TooNoisy, ..nothing };
            }
            None => Basis::NoGrowth,
        };
        Assessment { verdict: Verdict::Steady, basis, ..nothing }
    }

    fn now(&self) -> f64 {
        self.elapsed as f64 / 1000.0
    }

    /// Returns the time until the total reaches the limit if the rise in `channel` continues. The total is noisier than its parts. Unless its
    /// slope clearly differs, the slope of the part is expected, and the interval spans both.
    fn time_to_limit(&self, channel: usize, seen: &WindowTrend) -> Option<TimeToLimit> {
        let total = self.window(TOTAL, seen.level, seen.count)?;
        let (line, (total_low, total_high)) = total.line();
        let (part_low, part_high) = seen.trend.interval;
        let part = seen.trend.line.slope;
        let (expected, low, high) = if channel == TOTAL || total_low > part_high {
            (line.slope, total_low, total_high)
        } else {
            // The total may not rise yet, as the part grows into pages that are already resident.
            (
                part,
                if total_low > 0.0 { total_low.min(part_low) } else { part_low },
                total_high.max(part_high),
            )
        };
        let now = line.at(self.now());
        let (usual, highest) = total.peaks();
        let after = |peak: f64, slope: f64| {
            (slope > 0.0).then(|| to_duration(((self.limit.0 as f64 - now - peak) / slope).max(0.0)))
        };
        Some(TimeToLimit {
            expected: after(usual, expected)?,
            earliest: after(highest, high)?,
            latest: after(0.0, low)?,
        })
    }
}

/// Returns a basis if a linear rise has not lasted long enough to be called a leak, given its time to the limit.
fn too_early(trend: &Trend, time: Option<TimeToLimit>) -> Option<Basis> {
    let left = time.map_or(f64::INFINITY, |time| time.expected.as_secs_f64());
    if trend.span < (left * LEAK_SHARE).clamp(LEAK_AFTER.0, LEAK_AFTER.1) {
        Some(Basis::ObservedTooBriefly)
    } else if left > RHYTHM && (trend.span < DAY_AND_A_HALF || left > MAX_EXTRAPOLATION * trend.span) {
        Some(Basis::LimitFarAway)
    } else {
        None
    }
}

impl From<Doubt> for Basis {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::GrowthSlowing => Basis::GrowthSlowing,
            Doubt::NonLinear => Basis::NonLinear,
            Doubt::WeakGrowth => Basis::WeakGrowth,
            Doubt::FewIncrements => Basis::FewIncrements,
            Doubt::BacktestFailed => Basis::BacktestFailed,
        }
    }
}

/// Converts seconds to a duration; the longest one if they do not fit.
fn to_duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
