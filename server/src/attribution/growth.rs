//! How fast a route's live bytes grow, from a bounded row of marks. Pure.
//!
//! Live bytes swing as requests come and go, so two single readings would mostly show which moment they hit. The
//! median of the window's first third is compared with that of its last third: a third of either may be wild.

/// Live bytes at one time, with one standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) seconds: f64,
    pub(super) bytes: f64,
    pub(super) error: f64,
}

/// Bytes a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GrowthEstimate {
    pub(super) per_minute: f64,
    /// One standard error, at most: what is alive at both ends was sampled once and cancels out, so the true one is
    /// smaller the less a route's memory is exchanged.
    pub(super) error: f64,
}

/// `points` ascending in time. `None` with fewer than two, or when no time lies between them.
pub(super) fn growth(points: &[Point]) -> Option<GrowthEstimate> {
    let third = points.len().div_ceil(3);
    if points.len() < 2 {
        return None;
    }
    let (first, last) = (&points[..third], &points[points.len() - third..]);
    let minutes = (middle(last, |p| p.seconds) - middle(first, |p| p.seconds)) / 60.0;
    if minutes <= 0.0 {
        return None;
    }
    let error = middle(first, |p| p.error).hypot(middle(last, |p| p.error));
    let gained = middle(last, |p| p.bytes) - middle(first, |p| p.bytes);
    Some(GrowthEstimate { per_minute: gained / minutes, error: error / minutes })
}

fn middle(points: &[Point], of: impl Fn(&Point) -> f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: &[f64]) -> Vec<Point> {
        bytes
            .iter()
            .zip(0_u32..)
            .map(|(b, n)| Point { seconds: f64::from(n) * 20.0, bytes: *b, error: 3.0 })
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
            let got = growth(&row(bytes)).map(|growth| growth.per_minute);
            assert_eq!(got.map(f64::round), expected, "{name}");
        }
        let error = growth(&row(&[0.0, 10.0])).unwrap().error;
        assert!((error - 18.0_f64.sqrt() * 3.0).abs() < 1e-9, "{error}");
        assert_eq!(growth(&[Point { seconds: 1.0, bytes: 1.0, error: 0.0 }; 2]), None);
    }
}
