//! Growth of a route's live bytes, estimated from a bounded series of points. Pure.
//!
//! Live bytes swing as requests come and go, so the difference of two single readings is mostly noise. The median of the first third
//! of the window is compared with the median of its last third, which tolerates outliers in up to half of either.

/// Live bytes at one time, with their standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LivePoint {
    pub(super) seconds: f64,
    pub(super) bytes: f64,
    pub(super) error: f64,
}

/// Estimated growth in bytes per minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GrowthEstimate {
    pub(super) per_minute: f64,
    /// Upper bound of one standard error. Allocations that are alive at both ends were sampled once and cancel out, so the true error
    /// is smaller the fewer allocations a route replaces.
    pub(super) error: f64,
}

/// Estimates growth from `points` in ascending time. `None` with fewer than two, or if no time lies between them.
pub(super) fn estimate_growth(points: &[LivePoint]) -> Option<GrowthEstimate> {
    let third = points.len().div_ceil(3);
    if points.len() < 2 {
        return None;
    }
    let (first, last) = (&points[..third], &points[points.len() - third..]);
    let minutes = (median(last, |p| p.seconds) - median(first, |p| p.seconds)) / 60.0;
    if minutes <= 0.0 {
        return None;
    }
    let error = median(first, |p| p.error).hypot(median(last, |p| p.error));
    let gained = median(last, |p| p.bytes) - median(first, |p| p.bytes);
    Some(GrowthEstimate { per_minute: gained / minutes, error: error / minutes })
}

fn median(points: &[LivePoint], of: impl Fn(&LivePoint) -> f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: &[f64]) -> Vec<LivePoint> {
        bytes
            .iter()
            .zip(0_u32..)
            .map(|(b, n)| LivePoint { seconds: f64::from(n) * 20.0, bytes: *b, error: 3.0 })
            .collect()
    }

    #[test]
    fn growth_of_rows() {
        let cases: [(&str, &[f64], Option<f64>); 7] = [
            ("nothing", &[], None),
            ("one mark", &[5.0], None),
            ("two marks", &[0.0, 10.0], Some(30.0)),
            ("flat", &[7.0; 9], Some(0.0)),
            ("a line of 3 bytes a second", &[0.0, 60.0, 120.0, 180.0, 240.0, 300.0], Some(180.0)),
            (
                "a line with a spike at each end",
                &[900.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 420.0, 0.0],
                Some(120.0),
            ),
            ("a sawtooth", &[0.0, 9.0, 0.0, 9.0, 0.0, 9.0, 0.0, 9.0, 0.0], Some(0.0)),
        ];
        for (name, bytes, expected) in cases {
            let got = estimate_growth(&row(bytes)).map(|growth| growth.per_minute);
            assert_eq!(got.map(f64::round), expected, "{name}");
        }
        let error = estimate_growth(&row(&[0.0, 10.0])).unwrap().error;
        assert!((error - 18.0_f64.sqrt() * 3.0).abs() < 1e-9, "{error}");
        assert_eq!(estimate_growth(&[LivePoint { seconds: 1.0, bytes: 1.0, error: 0.0 }; 2]), None);
    }
}
