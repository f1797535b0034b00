//! The error of a forecast, from the forecasts that the same series would have had in its past.
//!
//! At each past instant the forecast is made in the way of today's, by the slope of the recent half of what was known, and compared with
//! the time that each later rise really took. The errors of those whose reach was most like today's give the correction and the interval
//! (split conformal prediction, Vovk and others 2005): the next error is taken for one more of the same kind.

use super::stats::{MAX_VALUES, TimeSeries};

/// Share of errors outside of the interval.
const MISSED: f64 = 0.1;

/// Number of past errors that are compared: more are less like today's reach, fewer have no tenth.
const NEAREST: usize = 60;

/// Factor by which the interval is wider than that of the past errors. They overlap, and are worth about four that do not: Student's 90 %
/// quantile of four is 1.43 times that of many.
const FEW: f64 = 1.43;

/// Longest and shortest factor of an error: a rise that never came, or came at once.
const MAX_FACTOR: f64 = 16.0;

/// Factors from the forecast time to the real one: lower end, middle and upper end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PastErrors {
    pub(super) low: f64,
    pub(super) middle: f64,
    pub(super) high: f64,
}

impl PastErrors {
    /// Returns the errors of the past forecasts of a series whose reach, as a multiple of the time known, was most like `reach`; `None`
    /// if there were too few. `slope` extrapolates what was known.
    pub(super) fn of(
        series: TimeSeries<'_>,
        slope: impl Fn(TimeSeries<'_>) -> f64,
        reach: f64,
    ) -> Option<PastErrors> {
        let mut farthest = 0.0f64;
        let mut errors: Vec<(f64, f64)> = Vec::with_capacity(MAX_VALUES * MAX_VALUES / 2);
        for origin in (series.len() / 4).max(6)..series.len() {
            let known = series.part(0, origin + 1);
            let slope = slope(known);
            if slope <= 0.0 {
                continue;
            }
            for later in origin + 2..series.len() {
                let took = series.t[later] - series.t[origin];
                let rise = series.y[later] - series.y[origin];
                let factor = (took * slope / rise.max(f64::MIN_POSITIVE)).clamp(1.0 / MAX_FACTOR, MAX_FACTOR);
                farthest = farthest.max(took / known.span());
                errors.push(((took / known.span() / reach).ln().abs(), factor));
            }
        }
        errors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        errors.truncate(NEAREST);
        let mut factors: Vec<f64> = errors.into_iter().map(|(_, factor)| factor).collect();
        factors.sort_unstable_by(f64::total_cmp);
        // The finite-sample quantile: of n past errors and the next one, each place in their order is as likely.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let outside = ((factors.len() + 1) as f64 * MISSED / 2.0) as usize;
        let [low, high] = [outside.checked_sub(1)?, factors.len() - outside].map(|place| factors[place]);
        // No error of the past corrects a forecast that is farther than all of them.
        let middle = if reach > farthest { 1.0 } else { factors[factors.len() / 2] };
        let wider = |factor: f64| middle * (factor / middle).powf(FEW);
        Some(PastErrors { low: wider(low), middle, high: wider(high) })
    }
}
