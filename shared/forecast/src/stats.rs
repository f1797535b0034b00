//! Small statistics, by their published formulas.
//!
//! - Slope: Theil (1950) and Sen (1968), the median of all pairwise slopes; robust against a quarter of outliers.
//! - Curvature: the second and third difference of the medians of four quarters, against the noise between neighbors.

use std::f64::consts::FRAC_PI_2;

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

    /// Returns the slope of every pair of values; pairs at the same instant have none.
    fn slopes(&self) -> Vec<f64> {
        let mut slopes = Vec::with_capacity(self.len() * self.len() / 2);
        for later in 1..self.len() {
            for earlier in 0..later {
                let dt = self.t[later] - self.t[earlier];
                if dt > 0.0 {
                    slopes.push((self.y[later] - self.y[earlier]) / dt);
                }
            }
        }
        slopes
    }

    /// Returns the median of all pairwise slopes; 0 without pairs.
    pub(super) fn slope(&self) -> f64 {
        median(self.slopes())
    }

    /// Returns the lower end of Sen's interval of the slope: `z` deviations of Kendall's statistic below the middle, which is that
    /// without ties.
    pub(super) fn lowest_slope(&self, z: f64) -> f64 {
        let mut slopes = self.slopes();
        slopes.sort_unstable_by(f64::total_cmp);
        let n = self.len() as f64;
        let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        // The cast saturates, and a half of the count of pairs is small.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let below = ((slopes.len() as f64 - z * deviation) / 2.0) as usize;
        slopes.get(below).copied().unwrap_or(0.0)
    }

    /// Returns the curvature: the second and the third difference of the medians of four quarters, as a share of the rise between the first
    /// and the last of them; 0 if `deviations` of the noise between neighbors explain it.
    pub(super) fn curvature(&self, deviations: f64) -> f64 {
        let count = self.len();
        let quarters = [0, 1, 2, 3].map(|index| &self.y[count * index / 4..count * (index + 1) / 4]);
        let [first, second, third, last] = quarters.map(|values| median(values.to_vec()));
        let rise = last - first;
        // The changes between neighbors that no parabola through their quarter explains: their variance, and covariance with the next.
        let (mut variance, mut covariance, mut free) = (0.0, 0.0, 0.0);
        for values in quarters {
            let mut changes: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
            remove_line(&mut changes);
            variance += changes.iter().map(|change| change * change).sum::<f64>();
            covariance += changes.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
            free += (changes.len() as f64 - 2.0).max(0.0);
        }
        if free < 4.0 {
            return 0.0;
        }
        let (variance, covariance) = (variance / free, covariance / free);
        // Noise on a line has -1 times its variance as covariance, a random walk has none. The variance of a third difference of four
        // medians is 20 times that of one (pi / 2 times that of a mean), and that of a walk of as many steps.
        let (noise, walk) = ((-covariance).max(0.0), (variance + 2.0 * covariance).max(0.0));
        let error = (20.0 * 4.0 * FRAC_PI_2 * noise / count as f64 + walk * count as f64).sqrt() / rise;
        let (bend, twist) = ((last - third) - (second - first), 3.0 * (third - second) - rise);
        let curvature = (bend / rise).hypot(twist / rise);
        if rise > 0.0 && curvature > deviations * error { curvature } else { 0.0 }
    }

    /// Returns the value of Theil's line with `slope` at t = 0: the median of what is left.
    pub(super) fn at_origin(&self, slope: f64) -> f64 {
        median(self.t.iter().zip(self.y).map(|(t, y)| y - slope * t).collect())
    }
}

/// Subtracts the line of least squares through equidistant values.
fn remove_line(values: &mut [f64]) {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let place = |index: usize| index as f64 - middle;
    let moment: f64 = values.iter().enumerate().map(|(index, value)| place(index) * value).sum();
    let spread: f64 = (0..values.len()).map(|index| place(index).powi(2)).sum();
    let slope = if spread > 0.0 { moment / spread } else { 0.0 };
    values.iter_mut().enumerate().for_each(|(index, value)| *value -= mean + slope * place(index));
}

/// Returns the median; 0 without values.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let (middle, even) = (values.len() / 2, values.len().is_multiple_of(2));
    let (lower, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if even { f64::midpoint(lower.iter().copied().fold(f64::NEG_INFINITY, f64::max), upper) } else { upper }
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
        let series = TimeSeries { t: &t, y: &y };
        close(series.slope(), 0.5);
        let low = series.lowest_slope(1.959_964);
        assert!((0.29..0.36).contains(&low), "{low}");
    }

    #[test]
    fn a_quarter_of_wild_values_does_not_move_the_line() {
        let t: Vec<f64> = (0..32).map(f64::from).collect();
        let y: Vec<f64> = (0..32u32)
            .map(|i| (i, f64::from(i)))
            .map(|(i, t)| if i % 4 == 1 { 1e9 * (t - 15.0) } else { 3.0 * t + 7.0 })
            .collect();
        let series = TimeSeries { t: &t, y: &y };
        let (slope, at_origin) = (series.slope(), series.at_origin(series.slope()));
        assert!((2.9..3.2).contains(&slope) && (5.0..9.0).contains(&at_origin), "{slope} {at_origin}");
    }

    #[test]
    fn curves_are_told_from_noise_on_a_line() {
        let curvature = |f: &dyn Fn(f64) -> f64| {
            let t: Vec<f64> = (0..48).map(f64::from).collect();
            let y: Vec<f64> = t.iter().map(|t| f(t / 47.0)).collect();
            TimeSeries { t: &t, y: &y }.curvature(2.0)
        };
        let straight = curvature(&|x| 5.0 + 3.0 * x);
        assert!(straight < 1e-9, "{straight}");
        let noisy = curvature(&|x| 5.0 + 3.0 * x + (x * 1e6).sin());
        assert!(noisy < 1e-9, "{noisy}");
        let half_sine = curvature(&|x| -(std::f64::consts::PI * x).cos());
        assert!((0.2..0.3).contains(&half_sine), "{half_sine}");
        let parabola = curvature(&|x| x * x);
        assert!(parabola > 0.3, "{parabola}");
    }

    #[test]
    fn medians_of_even_odd_and_nothing() {
        close(median(vec![3.0, 1.0, 2.0]), 2.0);
        close(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        close(median(vec![]), 0.0);
    }
}
