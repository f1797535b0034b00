//! Small statistics, by their published formulas.
//!
//! - Slope: Theil (1950), the median of all pairwise slopes; robust against a quarter of outliers.
//! - Its interval: Sen (1968), order statistics of those slopes at Kendall's variance.
//! - Trend: Mann (1945) and Kendall (1975), the sign statistic with the correction for ties. It only rejects trends, as
//!   by itself it gives false alarms (Machida, Andrzejak, Matias, Vicente 2013).
//! - Serial correlation: Hamed and Rao (1998) widen the variance of that statistic, and with it the interval.
//! - Shape: least squares on polynomials made orthogonal on the points (Gram-Schmidt), standard errors widened by
//!   `(1 + r) / (1 - r)` for a lag-one correlation r of the residuals (Bayley and Hammersley 1946, for a long series).

use super::pyramid::BUCKETS;

/// Most values of a series.
pub(super) const MAX_VALUES: usize = BUCKETS;

/// Standard normal quantile of a two-sided 95 % interval.
pub(super) const Z95: f64 = 1.959_964;

/// A series of values in order of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeSeries<'a> {
    /// Seconds.
    pub(super) t: &'a [f64],
    /// Bytes.
    pub(super) y: &'a [f64],
}

impl<'a> TimeSeries<'a> {
    pub(super) const fn len(&self) -> usize {
        self.t.len()
    }

    /// Returns the values with indexes from `from` to below `to`.
    pub(super) fn part(&self, from: usize, to: usize) -> TimeSeries<'a> {
        TimeSeries { t: &self.t[from..to], y: &self.y[from..to] }
    }

    /// Returns the seconds from the first value to the last.
    pub(super) fn span(&self) -> f64 {
        match (self.t.first(), self.t.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0.0,
        }
    }
}

/// Returns the median; 0 without values. Reorders `values`.
pub(super) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (lower, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if even { f64::midpoint(lower.iter().copied().fold(f64::NEG_INFINITY, f64::max), upper) } else { upper }
}

/// A line `y = at_origin + slope * t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FittedLine {
    /// Bytes per second.
    pub(super) slope: f64,
    /// Bytes at t = 0: the median of `y - slope * t`.
    pub(super) at_origin: f64,
}

impl FittedLine {
    pub(super) fn at(&self, t: f64) -> f64 {
        self.at_origin + self.slope * t
    }
}

/// Every pairwise slope of a series of at most [`MAX_VALUES`] values, sorted; pairs at the same instant have none.
pub(super) struct Slopes {
    values: [f64; MAX_VALUES * (MAX_VALUES - 1) / 2],
    len: usize,
}

impl Slopes {
    pub(super) fn of(series: TimeSeries<'_>) -> Self {
        let mut slopes = Slopes { values: [0.0; MAX_VALUES * (MAX_VALUES - 1) / 2], len: 0 };
        for later in 1..series.len().min(MAX_VALUES) {
            for earlier in 0..later {
                let dt = series.t[later] - series.t[earlier];
                if dt > 0.0 {
                    slopes.values[slopes.len] = (series.y[later] - series.y[earlier]) / dt;
                    slopes.len += 1;
                }
            }
        }
        slopes.values[..slopes.len].sort_unstable_by(f64::total_cmp);
        slopes
    }

    fn sorted(&self) -> &[f64] {
        &self.values[..self.len]
    }

    /// Returns Theil's slope; 0 without pairs.
    pub(super) fn median(&self) -> f64 {
        let sorted = self.sorted();
        match (sorted.len(), sorted.len() / 2) {
            (0, _) => 0.0,
            (len, middle) if len.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
            (_, middle) => sorted[middle],
        }
    }

    /// Returns Sen's interval: the slopes `z * deviation` (of Kendall's statistic) around the middle.
    pub(super) fn interval(&self, deviation: f64, z: f64) -> (f64, f64) {
        let sorted = self.sorted();
        let Some(last) = sorted.len().checked_sub(1) else { return (0.0, 0.0) };
        let reach = (z * deviation).clamp(0.0, sorted.len() as f64);
        // Non-negative and at most the count of pairs, which is below 500.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let below = ((sorted.len() as f64 - reach) / 2.0).floor() as usize;
        (sorted[below.min(last)], sorted[last - below.min(last)])
    }
}

/// Fits Theil's line to a series.
pub(super) fn fit_line(series: TimeSeries<'_>, slope: f64) -> FittedLine {
    let mut offsets = [0.0; MAX_VALUES];
    let n = series.len().min(MAX_VALUES);
    for (offset, (t, y)) in offsets.iter_mut().zip(series.t.iter().zip(series.y)) {
        *offset = y - slope * t;
    }
    FittedLine { slope, at_origin: median(&mut offsets[..n]) }
}

/// Kendall's statistic of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kendall {
    /// Pairs that rise minus pairs that fall.
    pub(super) s: f64,
    /// The standard deviation of `s` without trend and serial correlation.
    pub(super) deviation: f64,
}

impl Kendall {
    pub(super) fn of(y: &[f64]) -> Self {
        let n = y.len() as f64;
        let mut s = 0.0;
        let mut tied = 0.0;
        for (later, value) in y.iter().enumerate() {
            let mut twins = 0.0f64;
            for earlier in &y[..later] {
                if earlier < value {
                    s += 1.0;
                } else if earlier > value {
                    s -= 1.0;
                } else {
                    twins += 1.0;
                }
            }
            // Summed over a group of g ties this telescopes to g (g - 1) (2 g + 5).
            let group = |g: f64| g * (g - 1.0) * (2.0 * g + 5.0);
            tied += group(twins + 1.0) - group(twins);
        }
        let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - tied) / 18.0;
        Kendall { s, deviation: variance.max(0.0).sqrt() }
    }

    /// Returns the statistic in standard deviations, with continuity correction; `inflation` widens the variance.
    pub(super) fn z(&self, inflation: f64) -> f64 {
        let deviation = self.deviation * inflation.sqrt();
        if deviation > 0.0 { (self.s.abs() - 1.0).max(0.0) * self.s.signum() / deviation } else { 0.0 }
    }
}

/// Returns the factor by which serial correlation inflates the variance of Kendall's statistic (Hamed and Rao 1998), at least 1, from the
/// ranks of the residuals. Every lag counts up to the first one that is not positive, even if it may be chance, so that an interval is
/// rather too wide than too narrow.
pub(super) fn rank_inflation(residuals: &[f64]) -> f64 {
    let count = residuals.len().min(MAX_VALUES);
    if count < 4 {
        return 1.0;
    }
    let n = count as f64;
    let mut ranks = [0.0; MAX_VALUES];
    for (rank, value) in ranks.iter_mut().zip(residuals) {
        let below = residuals.iter().filter(|other| *other < value).count();
        let above = residuals.iter().filter(|other| *other > value).count();
        // Equal values share the mean of their ranks.
        *rank = f64::midpoint(below as f64, n - above as f64);
    }
    let mut sum = 0.0;
    for lag in 1..=count / 3 {
        let correlation = autocorrelation(&ranks[..count], lag);
        if correlation <= 0.0 {
            break;
        }
        let left = (count - lag) as f64;
        sum += left * (left - 1.0) * (left - 2.0) * correlation;
    }
    1.0 + 2.0 * sum / (n * (n - 1.0) * (n - 2.0))
}

/// Returns the correlation of a sequence with itself `lag` places later; 0 if it is constant.
fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let power: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let product: f64 = values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum();
    if power > 0.0 { product / power } else { 0.0 }
}

/// The deviation of a series from a straight line: the coefficients of the second and third orthogonal polynomial in units of the first,
/// with their standard errors in the same units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    /// Above 0, the series accelerates; below 0, it slows down. A parabola that ends level has -1/3.
    pub(super) bend: f64,
    /// Below 0, the series is S-shaped (slow, fast, slow; half a sine from trough to crest has -0.18); above 0, it is the reverse.
    pub(super) twist: f64,
    /// Standard errors of the two.
    pub(super) errors: (f64, f64),
}

impl Shape {
    /// Computes the shape of a series; `None` if it has fewer than six values or does not change.
    pub(super) fn of(series: TimeSeries<'_>) -> Option<Shape> {
        let n = series.len().min(MAX_VALUES);
        let span = series.span();
        if n < 6 || span <= 0.0 {
            return None;
        }
        let mut basis = [[0.0f64; MAX_VALUES]; 4];
        let mut left = [0.0f64; MAX_VALUES];
        for i in 0..n {
            let u = 2.0 * (series.t[i] - series.t[0]) / span - 1.0;
            left[i] = series.y[i];
            for (power, row) in basis.iter_mut().enumerate() {
                row[i] = [1.0, u, u * u, u * u * u][power];
            }
        }
        let mut coefficients = [0.0; 4];
        let mut powers = [0.0; 4];
        for degree in 0..4 {
            let (lower, rest) = basis.split_at_mut(degree);
            let row = &mut rest[0][..n];
            for (other, power) in lower.iter().zip(powers) {
                let share = dot(row, &other[..n]) / power;
                row.iter_mut().zip(other).for_each(|(value, other)| *value -= share * other);
            }
            powers[degree] = dot(row, row);
            if powers[degree] <= 1e-9 {
                return None;
            }
            coefficients[degree] = dot(row, &left[..n]) / powers[degree];
            for (value, basis) in left.iter_mut().zip(row.iter()) {
                *value -= coefficients[degree] * basis;
            }
        }
        let first = coefficients[1];
        if first == 0.0 {
            return None;
        }
        // Monic polynomials to Legendre's scale, where each is 1 at the end: P2 = 3/2 (u^2 - 1/3), P3 = 5/2 (...).
        let (second, third) = (coefficients[2] * 2.0 / 3.0 / first, coefficients[3] * 0.4 / first);
        let left = &left[..n];
        let r = autocorrelation(left, 1).clamp(0.0, 0.9);
        let variance = dot(left, left) / (n as f64 - 4.0) * (1.0 + r) / (1.0 - r);
        let error = |degree: usize, scale: f64| (variance / powers[degree]).sqrt() * scale / first.abs();
        Some(Shape { bend: second, twist: third, errors: (error(2, 2.0 / 3.0), error(3, 0.4)) })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-6 * right.abs().max(1.0), "{left} is not {right}");
    }

    /// The example of R's `statpsych::ci.theil`: slope 0.5, 95 % interval 0.3243243 to 0.75.
    #[test]
    fn theil_and_sen_agree_with_the_published_example() {
        let mut pairs: Vec<(f64, f64)> = [67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51]
            .into_iter()
            .zip([21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19])
            .map(|(x, y)| (f64::from(x), f64::from(y)))
            .collect();
        pairs.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let (t, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let slopes = Slopes::of(TimeSeries { t: &t, y: &y });
        close(slopes.median(), 0.5);
        let (low, high) = slopes.interval((15.0 * 14.0 * 35.0 / 18.0f64).sqrt(), Z95);
        assert!((0.29..0.36).contains(&low) && (0.71..0.80).contains(&high), "{low} {high}");
    }

    #[test]
    fn a_quarter_of_wild_values_does_not_move_the_slope() {
        let t: Vec<f64> = (0..32).map(f64::from).collect();
        let y: Vec<f64> = (0..32u32)
            .map(|i| (i, f64::from(i)))
            .map(|(i, t)| if i % 4 == 1 { 1e9 * (t - 15.0) } else { 3.0 * t + 7.0 })
            .collect();
        let series = TimeSeries { t: &t, y: &y };
        let line = fit_line(series, Slopes::of(series).median());
        assert!((2.9..3.2).contains(&line.slope), "{line:?}");
    }

    #[test]
    fn kendall_counts_pairs_and_ties() {
        // S and Var(S) by hand; the tied one is n = 4 with a pair: (4*3*13 - 2*1*9) / 18 = 7.6667.
        let cases: [(&[f64], f64, f64); 4] = [
            (&[1.0, 2.0, 3.0, 4.0, 5.0], 10.0, 50.0 / 3.0),
            (&[5.0, 4.0, 3.0, 2.0, 1.0], -10.0, 50.0 / 3.0),
            (&[1.0, 2.0, 2.0, 3.0], 5.0, 23.0 / 3.0),
            (&[2.0, 2.0, 2.0], 0.0, 0.0),
        ];
        for (y, s, variance) in cases {
            let kendall = Kendall::of(y);
            close(kendall.s, s);
            close(kendall.deviation.powi(2), variance);
        }
        close(Kendall::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).z(1.0), 9.0 / (50.0f64 / 3.0).sqrt());
        close(Kendall::of(&[2.0, 2.0, 2.0]).z(1.0), 0.0);
    }

    #[test]
    fn correlated_residuals_inflate_and_alternating_ones_do_not() {
        let wave: Vec<f64> = (0..32).map(|i| (f64::from(i) / 5.0).sin()).collect();
        let saw: Vec<f64> = (0..32).map(|i| f64::from(i % 2)).collect();
        assert!(rank_inflation(&wave) > 4.0, "{}", rank_inflation(&wave));
        close(rank_inflation(&saw), 1.0);
        close(rank_inflation(&[1.0; 32]), 1.0);
    }

    #[test]
    fn shapes_have_their_analytic_coefficients() {
        let t: Vec<f64> = (0..32).map(f64::from).collect();
        let shape = |f: &dyn Fn(f64) -> f64| {
            let y: Vec<f64> = t.iter().map(|t| f(t / 31.0)).collect();
            Shape::of(TimeSeries { t: &t, y: &y }).unwrap()
        };
        let straight = shape(&|x| 5.0 + 3.0 * x);
        assert!(straight.bend.abs() < 1e-9 && straight.twist.abs() < 1e-9, "{straight:?}");
        let parabola = shape(&|x| 1.0 - (1.0 - x).powi(2));
        assert!((parabola.bend + 1.0 / 3.0).abs() < 0.01, "{parabola:?}");
        let half_sine = shape(&|x| -(std::f64::consts::PI * x).cos());
        assert!((half_sine.twist + 0.185).abs() < 0.02 && half_sine.bend.abs() < 1e-9, "{half_sine:?}");
        let saturating = shape(&|x| 1.0 - (-2.0 * x).exp());
        assert!(saturating.bend < -0.25, "{saturating:?}");
        assert!(Shape::of(TimeSeries { t: &t, y: &[1.0; 32] }).is_none());
    }

    #[test]
    fn medians_of_even_odd_and_nothing() {
        close(median(&mut [3.0, 1.0, 2.0]), 2.0);
        close(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        close(median(&mut []), 0.0);
    }
}
