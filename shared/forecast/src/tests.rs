//! The forecaster on series of known shape: verdicts, their confirmation, their texts, and properties that hold for any series.

use super::*;

mod confirmation;
mod managed_runtimes;
mod properties;
mod resets;
mod texts;
mod verdicts;

const LIMIT: Bytes = Bytes::from_mb(512);

/// Returns points one second apart, with `f(second)` bytes.
fn series(seconds: i64, f: impl Fn(f64) -> f64) -> Vec<Point> {
    (0..seconds).map(|s| Point::single(UnixMillis(s * 1000), megabytes(f(s as f64) / 1_048_576.0))).collect()
}

/// Returns the bytes of a leak of 1 MB per minute from 100 MB on, with a ripple of 0.2 MB.
fn slow_leak(second: f64) -> f64 {
    (100.0 + second / 60.0 + 0.1 * (second * 1.7).sin()) * 1_048_576.0
}

/// Feeds the megabytes of each second, and returns the assessment at every fifth.
fn assess_often(seconds: i64, limit: Bytes, f: impl Fn(f64) -> f64) -> Vec<(i64, Assessment)> {
    let mut forecaster = Forecaster::new();
    let mut assessments = Vec::new();
    for second in 0..seconds {
        let ripple = 0.05 * (second as f64 * 1.7).sin();
        forecaster.push(Point::single(UnixMillis(second * 1000), megabytes(f(second as f64) + ripple)));
        if second % 5 == 0 {
            assessments.push((second, forecaster.assess(limit)));
        }
    }
    assessments
}

fn first(assessments: &[(i64, Assessment)], found: impl Fn(&Assessment) -> bool) -> Option<i64> {
    assessments.iter().find(|(_, assessment)| found(assessment)).map(|(second, _)| *second)
}

const SOON: Duration = Duration::from_secs(3600);

fn megabytes(mb: f64) -> Bytes {
    // Test series are positive and small.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Bytes((mb * 1_048_576.0) as u64)
}
