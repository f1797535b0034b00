//! Measures the error of forecasts, the coverage of their intervals, the cost of an assessment, and false alarms in simulated weeks.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use heapbeat_forecast::{Forecaster, Heap, Point, Verdict};
use heapbeat_shared::Bytes;

use crate::process::{Process, Random, linear_leak, rhythm, steady, without_heap};

/// One forecast, and the truth.
#[derive(Clone, Copy, Debug)]
pub struct ForecastResult {
    /// Seconds until the total reached the limit.
    pub truth: f64,
    /// Forecast seconds, if there was a forecast.
    pub expected: Option<f64>,
    /// Whether the truth was within the interval.
    pub within: bool,
}

impl ForecastResult {
    /// Returns the relative error; infinite without a forecast.
    pub fn error(&self) -> f64 {
        self.expected.map_or(f64::INFINITY, |expected| (expected / self.truth - 1.0).abs())
    }
}

/// Forecasts a linear leak of `rate` MB per minute after `age` seconds, and simulates until the limit is reached.
fn measure_forecast(seed: u64, rate: f64, age: u32, total_only: bool) -> ForecastResult {
    let limit = Bytes::from_mb(512);
    let mut process = linear_leak(seed, rate / 60.0);
    let mut forecaster = Forecaster::new();
    for second in 0..=age {
        let point = process.point_at(f64::from(second));
        forecaster.push(if total_only { without_heap(point) } else { point });
    }
    let assessment = forecaster.assess(limit);
    let mut second = f64::from(age);
    while process.point_at(second).total < limit {
        second += 1.0;
    }
    let truth = second - f64::from(age);
    let time = assessment.time_to_limit;
    ForecastResult {
        truth,
        expected: time.map(|time| time.expected.as_secs_f64()),
        within: time
            .is_some_and(|time| (time.earliest.as_secs_f64()..=time.latest.as_secs_f64()).contains(&truth)),
    }
}

/// Returns the second at which each of several leaks of 1 MB per minute is named, if it is within twenty minutes.
pub fn measure_detection(seeds: u64, total_only: bool) -> Vec<Option<u32>> {
    let detect = |seed| {
        let mut process = linear_leak(seed, 1.0 / 60.0);
        let mut forecaster = Forecaster::new();
        (0..=1200u32).find(|second| {
            let point = process.point_at(f64::from(*second));
            forecaster.push(if total_only { without_heap(point) } else { point });
            second % 5 == 0 && forecaster.assess(Bytes::from_mb(512)).verdict == Verdict::Leaking
        })
    };
    (0..seeds).map(detect).collect()
}

/// Forecasts leaks between 1 and 20 MB per minute after `age` seconds.
pub fn measure_forecasts(seeds: u64, age: u32, total_only: bool) -> Vec<ForecastResult> {
    (0..seeds)
        .map(|seed| {
            let rate = Random::new(seed ^ 0x4d2).between(0.0f64, 20.0f64.ln()).exp();
            measure_forecast(seed, rate, age, total_only)
        })
        .collect()
}

/// The accuracy of forecasts at three ages.
pub struct Accuracy {
    ages: Vec<(u32, Vec<ForecastResult>)>,
}

impl Accuracy {
    /// Measures ten leaks per seed.
    pub fn measure(seeds: u64, total_only: bool) -> Accuracy {
        Accuracy { ages: [450, 600, 900].map(|age| (age, measure_forecasts(seeds, age, total_only))).into() }
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| seen | runs | forecast | within 20 % | median error | truth in the interval |")?;
        writeln!(f, "|{}|", ["---"; 6].join("|"))?;
        for (age, forecasts) in &self.ages {
            let mut errors: Vec<f64> =
                forecasts.iter().map(ForecastResult::error).filter(|error| error.is_finite()).collect();
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
    // The value is some megabytes.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = bytes as u64;
    whole
}

/// Adds to twenty minutes of a steady process a leak of `factor` times the smallest detectable slope, and returns the verdict.
pub fn verdict_on_detectable_leak(seed: u64, factor: f64) -> Verdict {
    let limit = Bytes::from_mb(512);
    let points: Vec<Point> = {
        let mut process = steady(seed);
        (0..1200u32).map(|second| process.point_at(f64::from(second))).collect()
    };
    let rate =
        Forecaster::of(points.iter().copied()).assess(limit).detectable.map_or(0.0, |rate| rate.0 * factor);
    let leaking = points.iter().zip(0u32..).map(|(point, second)| {
        let lost = whole_bytes(rate * f64::from(second));
        let more = |bytes: Bytes| Bytes(bytes.0 + lost);
        let heap = point.heap.map(|heap| Heap {
            used: heap.used.map(more),
            resident: heap.resident.map(more),
            external: None,
        });
        Point { total: more(point.total), heap, ..*point }
    });
    Forecaster::of(leaking).assess(limit).verdict
}

/// Measures the time per point and per assessment over a day of a steady process, and describes it.
pub fn measure_cost() -> String {
    let mut process = steady(1);
    let points: Vec<_> = (0..86_400u32).map(|second| process.point_at(f64::from(second))).collect();
    let started = Instant::now();
    let mut forecaster = Forecaster::of(points.iter().copied());
    let pushed = started.elapsed();
    let started = Instant::now();
    let assessments = 1000;
    for _ in 0..assessments {
        black_box(black_box(&mut forecaster).assess(Bytes::from_mb(512)));
    }
    let assessed = started.elapsed();
    let started = Instant::now();
    for _ in 0..assessments {
        black_box(black_box(&forecaster).time_to_limit_within(Bytes::from_mb(512), Duration::from_secs(60)));
    }
    format!(
        "{} bytes of state; a point {} ns, an assessment {} us, time to the limit within a minute {} ns",
        Forecaster::state_bytes(),
        pushed.as_nanos() / points.len() as u128,
        assessed.as_micros() / assessments,
        started.elapsed().as_nanos() / assessments,
    )
}

/// Simulates a week at one point per second with an assessment every `interval` seconds. Returns the number of assessments by verdict,
/// in the order of [`Verdict::ALL`].
pub fn count_verdicts_of_week(mut process: Process, interval: u32, total_only: bool) -> [usize; 5] {
    let mut forecaster = Forecaster::new();
    let mut counts = [0; 5];
    for second in 0..604_800u32 {
        let point = process.point_at(f64::from(second));
        forecaster.push(if total_only { without_heap(point) } else { point });
        if second % interval == 0 {
            let verdict = forecaster.assess(Bytes::from_mb(512)).verdict;
            counts[Verdict::ALL.iter().position(|other| *other == verdict).unwrap_or_default()] += 1;
        }
    }
    counts
}

/// Verdicts on weeks without a leak, assessed every minute.
pub struct Weeks {
    steady: Vec<[usize; 5]>,
    rhythm: Vec<[usize; 5]>,
}

impl Weeks {
    /// Simulates two weeks per seed.
    pub fn measure(seeds: u64, total_only: bool) -> Weeks {
        let weeks = |process: fn(u64) -> Process| {
            (0..seeds).map(|seed| count_verdicts_of_week(process(seed), 60, total_only)).collect()
        };
        Weeks { steady: weeks(steady), rhythm: weeks(|seed| rhythm(seed, 86_400.0)) }
    }
}

impl fmt::Display for Weeks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Verdict::ALL.map(Verdict::as_str);
        writeln!(f, "| a week at 1 Hz, assessments | {} | weeks ever leaking |", words.join(" | "))?;
        writeln!(f, "|{}|", ["---"; 7].join("|"))?;
        for (name, weeks) in [("steady", &self.steady), ("daily rhythm", &self.rhythm)] {
            let sum = |verdict: usize| weeks.iter().map(|week| week[verdict]).sum::<usize>().to_string();
            let ever = weeks.iter().filter(|week| week[2] > 0).count();
            writeln!(f, "| {name} | {} | {ever}/{} |", [0, 1, 2, 3, 4].map(sum).join(" | "), weeks.len())?;
        }
        Ok(())
    }
}
