//! How far off the forecasts are, how often their intervals hold, and whether a quiet week stays quiet.
#![allow(dead_code)]

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use heapbeat_forecast::{Forecaster, Heap, Point, Verdict};
use heapbeat_shared::Bytes;

use super::scenarios::{Dice, Process, linear_leak, rhythm, single, steady};

/// One forecast, and what really happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forecast {
    /// MB a minute that really leak.
    pub(crate) rate: f64,
    /// Seconds until the total really reached the limit.
    pub(crate) truth: f64,
    /// Seconds that were forecast, if any were.
    pub(crate) expected: Option<f64>,
    /// Whether the truth lay within the interval.
    pub(crate) within: bool,
    /// Whether the interval of the slope held the true rate.
    pub(crate) slope_within: bool,
}

impl Forecast {
    /// Relative error; infinite where there was no forecast.
    pub(crate) fn error(&self) -> f64 {
        self.expected.map_or(f64::INFINITY, |expected| (expected / self.truth - 1.0).abs())
    }
}

/// A linear leak of `rate` MB a minute, forecast after `age` seconds, and what then happened.
pub(crate) fn forecast(seed: u64, rate: f64, age: u32, one_figure: bool) -> Forecast {
    let limit = Bytes::from_mb(512);
    let mut process = linear_leak(seed, rate / 60.0);
    let mut forecaster = Forecaster::new();
    for second in 0..=age {
        let point = process.at(f64::from(second));
        forecaster.push(if one_figure { single(point) } else { point });
    }
    let assessment = forecaster.assess(limit);
    let mut second = f64::from(age);
    while process.at(second).total < limit {
        second += 1.0;
    }
    let truth = second - f64::from(age);
    let time = assessment.time_to_limit;
    Forecast {
        rate,
        truth,
        expected: time.map(|time| time.expected.as_secs_f64()),
        within: time
            .is_some_and(|time| (time.earliest.as_secs_f64()..=time.latest.as_secs_f64()).contains(&truth)),
        slope_within: assessment.slope.is_some_and(|slope| {
            let true_slope = rate / 60.0 * 1_048_576.0;
            (slope.low.0..=slope.high.0).contains(&true_slope)
        }),
    }
}

/// Forecasts after `seen` seconds of leaks between 1 and 20 MB a minute.
pub(crate) fn forecasts(seeds: u64, seen: u32, one_figure: bool) -> Vec<Forecast> {
    (0..seeds)
        .map(|seed| {
            let rate = Dice::new(seed ^ 0x4d2).between(0.0f64, 20.0f64.ln()).exp();
            forecast(seed, rate, seen, one_figure)
        })
        .collect()
}

/// Forecasts at three ages, summed up.
pub(crate) struct Accuracy {
    ages: Vec<(u32, Vec<Forecast>)>,
}

impl Accuracy {
    pub(crate) fn run(seeds: u64, one_figure: bool) -> Accuracy {
        Accuracy { ages: [300, 450, 600].map(|age| (age, forecasts(seeds, age, one_figure))).into() }
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| seen | runs | forecast | within 20 % | median error | truth in the interval |")?;
        writeln!(f, "|{}|", ["---"; 6].join("|"))?;
        for (age, forecasts) in &self.ages {
            let mut errors: Vec<f64> =
                forecasts.iter().map(Forecast::error).filter(|error| error.is_finite()).collect();
            errors.sort_by(f64::total_cmp);
            writeln!(
                f,
                "| {age} s | {} | {} | {} | {:.1} % | {} |",
                forecasts.len(),
                errors.len(),
                errors.iter().filter(|error| **error <= 0.2).count(),
                100.0 * errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN),
                forecasts.iter().filter(|forecast| forecast.within).count(),
            )?;
        }
        Ok(())
    }
}

fn whole_bytes(bytes: f64) -> u64 {
    // Some megabytes.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = bytes as u64;
    whole
}

/// Twenty minutes of a steady process, and the same with a leak of `factor` times what it called detectable: what is
/// said of the second.
pub(crate) fn at_the_edge(seed: u64, factor: f64) -> Verdict {
    let limit = Bytes::from_mb(512);
    let points: Vec<Point> = {
        let mut process = steady(seed);
        (0..1200u32).map(|second| process.at(f64::from(second))).collect()
    };
    let rate =
        Forecaster::of(points.iter().copied()).assess(limit).detectable.map_or(0.0, |rate| rate.0 * factor);
    let leaking = points.iter().zip(0u32..).map(|(point, second)| {
        let lost = whole_bytes(rate * f64::from(second));
        let more = |bytes: Bytes| Bytes(bytes.0 + lost);
        let heap = point.heap.map(|heap| Heap { used: more(heap.used), resident: heap.resident.map(more) });
        Point { total: more(point.total), heap, ..*point }
    });
    Forecaster::of(leaking).assess(limit).verdict
}

/// Time per reading and per assessment over a day of a steady process, in words.
pub(crate) fn cost() -> String {
    let mut process = steady(1);
    let points: Vec<_> = (0..86_400u32).map(|second| process.at(f64::from(second))).collect();
    let started = Instant::now();
    let forecaster = Forecaster::of(points.iter().copied());
    let pushed = started.elapsed();
    let started = Instant::now();
    let assessments = 1000;
    for _ in 0..assessments {
        black_box(black_box(&forecaster).assess(Bytes::from_mb(512)));
    }
    let assessed = started.elapsed();
    let started = Instant::now();
    for _ in 0..assessments {
        black_box(black_box(&forecaster).imminent(Bytes::from_mb(512), Duration::from_secs(60)));
    }
    format!(
        "{} bytes of state; a reading {} ns, an assessment {} us, imminent {} ns",
        Forecaster::state_bytes(),
        pushed.as_nanos() / points.len() as u128,
        assessed.as_micros() / assessments,
        started.elapsed().as_nanos() / assessments,
    )
}

/// Looks at a week of 1 Hz, one every `every` seconds, by verdict in the order of [`Verdict::ALL`].
pub(crate) fn week(mut process: Process, every: u32, one_figure: bool) -> [usize; 5] {
    let mut forecaster = Forecaster::new();
    let mut looks = [0; 5];
    for second in 0..604_800u32 {
        let point = process.at(f64::from(second));
        forecaster.push(if one_figure { single(point) } else { point });
        if second % every == 0 {
            let verdict = forecaster.assess(Bytes::from_mb(512)).verdict;
            looks[Verdict::ALL.iter().position(|other| *other == verdict).unwrap_or_default()] += 1;
        }
    }
    looks
}

/// Weeks without a leak, looked at every minute.
pub(crate) struct Weeks {
    steady: Vec<[usize; 5]>,
    rhythm: Vec<[usize; 5]>,
}

impl Weeks {
    pub(crate) fn run(seeds: u64, one_figure: bool) -> Weeks {
        let weeks = |process: fn(u64) -> Process| {
            (0..seeds).map(|seed| week(process(seed), 60, one_figure)).collect()
        };
        Weeks { steady: weeks(steady), rhythm: weeks(|seed| rhythm(seed, 86_400.0)) }
    }
}

impl fmt::Display for Weeks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Verdict::ALL.map(Verdict::as_str);
        writeln!(f, "| a week at 1 Hz, looks | {} | weeks ever leaking |", words.join(" | "))?;
        writeln!(f, "|{}|", ["---"; 7].join("|"))?;
        for (name, weeks) in [("steady", &self.steady), ("daily rhythm", &self.rhythm)] {
            let sum = |verdict: usize| weeks.iter().map(|week| week[verdict]).sum::<usize>().to_string();
            let ever = weeks.iter().filter(|week| week[2] > 0).count();
            writeln!(f, "| {name} | {} | {ever}/{} |", [0, 1, 2, 3, 4].map(sum).join(" | "), weeks.len())?;
        }
        Ok(())
    }
}
