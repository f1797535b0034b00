//! The interval of a forecast, from the errors of the forecasts that the same series would have had in its past.
//!
//! At each past instant the forecast is made in the way of today's, from what was known then, and compared with the time that each later
//! rise really took. The next error is taken for one more of the same kind (split conformal prediction, Vovk and others 2005).

use super::stats::TimeSeries;

/// Share of errors outside of the interval.
const MISSED: f64 = 0.1;

/// Longest factor of an error: a rise that never came.
const MAX_FACTOR: f64 = 16.0;

/// Returns the lowest and the highest usual factor from a forecast time to the real one, in the past of `series`; `None` if there were too
/// few forecasts. `slope` extrapolates what was known.
pub(super) fn past_errors(
    series: TimeSeries<'_>,
    slope: impl Fn(TimeSeries<'_>) -> f64,
) -> Option<(f64, f64)> {
    let mut factors: Vec<f64> = Vec::new();
    for origin in series.len() / 4..series.len() {
        let slope = slope(series.part(0, origin + 1));
        if slope <= 0.0 {
            continue;
        }
        for later in origin + 2..series.len() {
            let (took, rise) = (series.t[later] - series.t[origin], series.y[later] - series.y[origin]);
            factors.push((took * slope / rise.max(f64::MIN_POSITIVE)).min(MAX_FACTOR));
        }
    }
    factors.sort_unstable_by(f64::total_cmp);
    // The finite-sample quantile: of n past errors and the next one, each place in their order is as likely.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let outside = ((factors.len() + 1) as f64 * MISSED / 2.0) as usize;
    Some((factors[outside.checked_sub(1)?], factors[factors.len() - outside]))
}
