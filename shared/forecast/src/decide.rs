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
use super::trend::{Doubt, Growth, Trend, Window, objection};

/// Slots per window: all of a level, three quarters and half of it. The half is as long as all of the finer level, with
/// half as many buckets twice as wide, which see through a rhythm that the finer ones follow.
const COUNTS: [usize; 3] = [BUCKETS, BUCKETS * 3 / 4, BUCKETS / 2];

/// Seconds after the warm-up before anything is called steady.
const STEADY_AFTER: f64 = 170.0;

/// Seconds a rise must have been seen to be called growing: if it is straight, and if it is in doubt.
const GROWING_AFTER: (f64, f64) = (30.0, 60.0);

/// Seconds of a rise that are needed to call it a leak, however near the limit, and that are enough, however far.
const LEAK_AFTER: (f64, f64) = (12.0, 350.0);

/// In between, a rise must have been seen for this share of the time that is left.
const LEAK_SHARE: f64 = 0.5;

/// Growth that needs longer than this to the limit (18 h) may be the rising part of a daily rhythm: a sine reaches
/// it no sooner at its steepest, `24 h / pi * room / swing`, unless it swings over more than 42 % of the room ...
const RHYTHM: f64 = 64_800.0;

/// ... until so many seconds of it were seen: a day and a half.
const DAY_AND_A_HALF: f64 = 129_600.0;

/// Even then, nobody extrapolates further than so many times what was seen.
const FARTHEST: f64 = 30.0;

/// The live heap is flat beside a gap that grows if it grows by less than this share of it.
const BESIDE: f64 = 0.25;

/// The verdict on everything seen up to `elapsed` milliseconds after the origin.
pub(super) fn assess(pyramid: &Pyramid, kind: FigureSet, elapsed: u64, limit: Bytes) -> Assessment {
    let skip = (elapsed / 5).min(WARM_UP_MS);
    let ask = Assessor { pyramid, skip, elapsed, limit };
    // The first part is what the application holds, or all that is known.
    let mut parts = kind.parts().iter().map(|(channel, place)| ask.part(*channel, *place));
    let Some(own) = parts.next() else { return unknown(limit, elapsed) };
    let judged = ask.own(&own);
    let leaks = matches!(judged, Some(found) if found.verdict == Verdict::Leaking);
    // A gap that grows many times as fast as what leaks is what reaches the limit, and the leak would be said to.
    let beside = parts
        .filter(|part| !leaks || part.place == MemoryPart::Gap && part.established.is_some())
        .find_map(|part| ask.beside(&part, &own));
    beside.or(judged).unwrap_or_else(|| ask.quiet(&own))
}

/// The verdict on nothing.
pub(super) fn unknown(limit: Bytes, elapsed: u64) -> Assessment {
    Assessment {
        verdict: Verdict::Unknown,
        basis: Basis::TooShort,
        place: MemoryPart::Memory,
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

/// One part of memory through all windows.
struct Part {
    channel: usize,
    place: MemoryPart,
    /// The longest window, whatever it shows.
    longest: Option<WindowTrend>,
    /// The longest that establishes a rise.
    established: Option<WindowTrend>,
    /// The longest that shows a rise that is in doubt.
    doubtful: Option<(WindowTrend, Doubt)>,
    /// The longest that shows a rise that is over.
    over: Option<WindowTrend>,
    /// Bytes per second that the most sensitive window could have distinguished from the usual variation.
    detectable: Option<Rate>,
}

/// The inputs of an assessment.
struct Assessor<'a> {
    pyramid: &'a Pyramid,
    /// Milliseconds at the start that do not count.
    skip: u64,
    /// Milliseconds since the origin.
    elapsed: u64,
    limit: Bytes,
}

impl Assessor<'_> {
    fn window(&self, channel: usize, level: usize, count: usize) -> Option<Window> {
        Window::of(&self.pyramid.levels()[level], channel, count, self.skip)
    }

    fn part(&self, channel: usize, place: MemoryPart) -> Part {
        let mut seen: Vec<WindowTrend> = Vec::with_capacity(self.pyramid.levels().len() * COUNTS.len());
        for level in 0..self.pyramid.levels().len() {
            // A shorter window of a level that is not full would be the same again.
            let held = self.pyramid.levels()[level].len();
            for count in COUNTS.into_iter().filter(|count| *count == BUCKETS || *count < held) {
                if let Some(window) = self.window(channel, level, count) {
                    seen.push(WindowTrend { level, count, trend: window.examine() });
                }
            }
        }
        let mut part = Part {
            channel,
            place,
            longest: None,
            established: None,
            doubtful: None,
            over: None,
            detectable: None,
        };
        for one in &seen {
            let span = one.trend.span;
            let keep = |slot: &mut Option<WindowTrend>| {
                if slot.is_none_or(|held| held.trend.span < span) {
                    *slot = Some(*one);
                }
            };
            keep(&mut part.longest);
            let growth = match one.trend.growth {
                Growth::Established => seen
                    .iter()
                    .find_map(|longer| objection(&longer.trend, &one.trend))
                    .unwrap_or(Growth::Established),
                growth => growth,
            };
            match growth {
                Growth::Established => keep(&mut part.established),
                Growth::Settled | Growth::Stepped => keep(&mut part.over),
                Growth::Rising(doubt) if part.doubtful.is_none_or(|(held, _)| held.trend.span < span) => {
                    part.doubtful = Some((*one, doubt));
                }
                Growth::Rising(_) | Growth::Flat | Growth::Usual => {}
            }
            let told = Rate(one.trend.needed / span);
            if span > 0.0 && part.detectable.is_none_or(|least| told < least) {
                part.detectable = Some(told);
            }
        }
        part
    }

    /// The verdict on what the application holds, if it rises.
    fn own(&self, part: &Part) -> Option<Assessment> {
        if let Some(seen) = part.established {
            let time = self.time_to_limit(part.channel, &seen);
            let (verdict, basis) = match too_early(&seen.trend, time) {
                Some(basis) => (Verdict::Growing, basis),
                None => (Verdict::Leaking, Basis::Retained),
            };
            if verdict == Verdict::Leaking || seen.trend.span >= GROWING_AFTER.0 {
                return Some(self.rise(verdict, basis, part, &seen, time));
            }
        }
        let (seen, doubt) = part.doubtful.filter(|(seen, _)| seen.trend.span >= GROWING_AFTER.1)?;
        Some(self.rise(Verdict::Growing, doubt.into(), part, &seen, None))
    }

    /// The verdict on what is resident beyond it, if that rises and the live heap does not explain it.
    fn beside(&self, part: &Part, own: &Part) -> Option<Assessment> {
        let (seen, doubt) = match (part.established, part.doubtful) {
            (Some(seen), _) => (seen, None),
            (None, doubtful) => doubtful.map(|(seen, doubt)| (seen, Some(doubt)))?,
        };
        let held = self.window(own.channel, seen.level, seen.count)?.line().0.slope;
        if seen.trend.span < 2.0 * GROWING_AFTER.1 || held > BESIDE * seen.trend.line.slope {
            return None;
        }
        let time = doubt.is_none().then(|| self.time_to_limit(part.channel, &seen)).flatten();
        let early = doubt.is_none().then(|| too_early(&seen.trend, time)).flatten();
        Some(match (part.place, doubt) {
            (MemoryPart::Outside, Some(doubt)) => {
                self.rise(Verdict::Growing, doubt.into(), part, &seen, None)
            }
            (MemoryPart::Outside, None) => {
                self.rise(Verdict::Growing, early.unwrap_or(Basis::Elsewhere), part, &seen, time)
            }
            _ => self.rise(Verdict::Fragmenting, Basis::HeapFlat, part, &seen, time),
        })
    }

    fn rise(
        &self,
        verdict: Verdict,
        basis: Basis,
        part: &Part,
        seen: &WindowTrend,
        time: Option<TimeToLimit>,
    ) -> Assessment {
        let (low, high) = seen.trend.interval;
        let slope = Slope { expected: Rate(seen.trend.line.slope), low: Rate(low), high: Rate(high) };
        Assessment {
            verdict,
            basis,
            place: part.place,
            slope: Some(slope),
            // Too short a rise is no ground for a forecast.
            time_to_limit: time.filter(|_| verdict == Verdict::Leaking || seen.trend.span >= STEADY_AFTER),
            detectable: part.detectable,
            window: span(seen.trend.span),
            ..unknown(self.limit, self.elapsed)
        }
    }

    /// Nothing rises: that is a verdict if enough was seen.
    fn quiet(&self, own: &Part) -> Assessment {
        let nothing =
            Assessment { place: own.place, detectable: own.detectable, ..unknown(self.limit, self.elapsed) };
        let Some(longest) = own.longest else { return nothing };
        let nothing = Assessment { window: span(longest.trend.span), ..nothing };
        if longest.trend.span < STEADY_AFTER {
            return nothing;
        }
        let total = self.window(TOTAL, longest.level, longest.count);
        let room = total.map_or(0.0, |window| self.limit.0 as f64 - window.line().0.at(self.now()));
        let over = own.over.filter(|over| over.trend.span * 2.0 > longest.trend.span);
        let basis = match over.map(|seen| seen.trend.growth) {
            Some(Growth::Stepped) => Basis::Stepped,
            Some(_) => Basis::Settled,
            None if (0.0..=longest.trend.needed).contains(&room) => {
                return Assessment { basis: Basis::TooNoisy, ..nothing };
            }
            None => Basis::Flat,
        };
        Assessment { verdict: Verdict::Steady, basis, ..nothing }
    }

    fn now(&self) -> f64 {
        self.elapsed as f64 / 1000.0
    }

    /// When the total reaches the limit, from now, if a rise in `channel` goes on. The total is noisier than its parts:
    /// where nothing says that its slope is another, the part's is expected, and the interval spans both.
    fn time_to_limit(&self, channel: usize, seen: &WindowTrend) -> Option<TimeToLimit> {
        let total = self.window(TOTAL, seen.level, seen.count)?;
        let (line, (total_low, total_high)) = total.line();
        let (part_low, part_high) = seen.trend.interval;
        let part = seen.trend.line.slope;
        let (expected, low, high) = if channel == TOTAL || total_low > part_high {
            (line.slope, total_low, total_high)
        } else {
            // A total that does not rise yet, as the part grows into pages that are resident already, is no excuse.
            (
                part,
                if total_low > 0.0 { total_low.min(part_low) } else { part_low },
                total_high.max(part_high),
            )
        };
        let now = line.at(self.now());
        let (usual, highest) = total.peaks();
        let after = |peak: f64, slope: f64| {
            (slope > 0.0).then(|| span(((self.limit.0 as f64 - now - peak) / slope).max(0.0)))
        };
        Some(TimeToLimit {
            expected: after(usual, expected)?,
            earliest: after(highest, high)?,
            latest: after(0.0, low)?,
        })
    }
}

/// Whether a straight rise was seen for too short a time to be called a leak, given when it reaches the limit.
fn too_early(trend: &Trend, time: Option<TimeToLimit>) -> Option<Basis> {
    let left = time.map_or(f64::INFINITY, |time| time.expected.as_secs_f64());
    if trend.span < (left * LEAK_SHARE).clamp(LEAK_AFTER.0, LEAK_AFTER.1) {
        Some(Basis::TooSoon)
    } else if left > RHYTHM && (trend.span < DAY_AND_A_HALF || left > FARTHEST * trend.span) {
        Some(Basis::Remote)
    } else {
        None
    }
}

impl From<Doubt> for Basis {
    fn from(doubt: Doubt) -> Self {
        match doubt {
            Doubt::Slowing => Basis::Slowing,
            Doubt::Bent => Basis::Bent,
            Doubt::Faint => Basis::Faint,
            Doubt::Uneven => Basis::Uneven,
            Doubt::Unpredictive => Basis::Unpredictive,
        }
    }
}

/// Seconds as a duration; as long as there is where it does not fit.
fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
