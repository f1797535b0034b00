//! A histogram of bytes per request, of fixed size and without a lock, whose quantiles are within 6 %.
//!
//! Its buckets are log-linear, as those of `HdrHistogram`: eight to each doubling, from 64 B to 64 GiB.

use std::sync::atomic::{AtomicU64, Ordering};

/// log2 of the buckets per doubling.
const FINE: u32 = 3;
/// log2 of the unit in bytes.
const UNIT: u32 = 6;
/// log2 of the largest value; larger ones share the last bucket.
const TOP: u32 = 36;
const BUCKETS: usize = ((TOP - UNIT - FINE + 1) << FINE) as usize;

/// Counts of values by bucket.
pub(super) struct Histogram {
    counts: [AtomicU64; BUCKETS],
}

fn bucket(value: u64) -> usize {
    let units = (value >> UNIT).min((1 << (TOP - UNIT)) - 1);
    let octave = (units | 1 << FINE).ilog2() - FINE;
    #[allow(clippy::cast_possible_truncation)] // below BUCKETS
    let index = ((u64::from(octave) << FINE) + (units >> octave)) as usize;
    index
}

/// Returns the middle of a bucket, in bytes.
fn middle(bucket: usize) -> u64 {
    let index = bucket as u64;
    let octave = (index >> FINE).saturating_sub(1);
    let units = index - (octave << FINE);
    ((units << octave) << UNIT) + ((1 << octave << UNIT) >> 1)
}

impl Histogram {
    pub(super) const fn new() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS] }
    }

    pub(super) fn add(&self, value: u64) {
        self.counts[bucket(value)].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of values, and the approximate quantile for each of the `shares`, which ascend; 0 without values.
    pub(super) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> (u64, [u64; N]) {
        let counts: [u64; BUCKETS] = std::array::from_fn(|n| self.counts[n].load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        let mut found = [0; N];
        let (mut seen, mut next) = (0, 0);
        for (n, count) in counts.iter().enumerate() {
            seen += count;
            while next < N && seen > 0 && seen as f64 >= shares[next] * total as f64 {
                found[next] = middle(n);
                next += 1;
            }
        }
        (total, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_ascend_and_their_middles_are_close() {
        let mut last = 0;
        let mut value = 1_u64;
        while value < 1 << TOP {
            let at = bucket(value);
            assert!(at == last || at == last + 1, "{value}");
            last = at;
            let off = middle(at).abs_diff(value);
            assert!(off <= 32 || off as f64 <= 0.0625 * value as f64, "{value} shown as {}", middle(at));
            value += 1 + value / 40;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_match_a_sorted_list() {
        let histogram = Histogram::new();
        assert_eq!(histogram.quantiles([0.5]), (0, [0]));
        let mut values: Vec<u64> = (0..10_000_u64).map(|n| 300 + n * n).collect();
        for value in &values {
            histogram.add(*value);
        }
        values.sort_unstable();
        let (total, [half, most]) = histogram.quantiles([0.5, 0.99]);
        assert_eq!(total, 10_000);
        for (shown, index) in [(half, 5_000), (most, 9_900)] {
            assert!(
                (shown as f64 / values[index] as f64 - 1.0).abs() < 0.07,
                "{shown} for {}",
                values[index]
            );
        }
    }
}
