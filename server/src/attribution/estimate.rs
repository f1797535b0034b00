//! The arithmetic of sampling allocations by bytes. Pure: no clock, no state, no randomness of its own.
//!
//! A Poisson process puts points on the stream of allocated bytes, one every `mean` bytes on average; an allocation is sampled
//! when a point falls into it. As the process is memoryless, each allocation of `c` bytes
//! is sampled independently with probability `p = 1 - exp(-c / mean)`. Counting a sampled one `1 / p` times
//! (Horvitz and Thompson, 1952) makes every sum of such counts unbiased; the same weight is used by tcmalloc
//! (`docs/sampling.md`) and by jemalloc's profiles (`doc_internal/PROFILING_INTERNALS.md`), which also explains why a
//! weight of `mean / c` is biased for large objects.
//!
//! Error: the variance of the sum over live objects of `u` bytes is `Σ u² (1 - p) / p`, estimated without bias by
//! `Σ u² (1 - p) / p²` over the sampled ones. As `(1 - p) / p = 1 / (exp(c / mean) - 1) <= mean / c`, the relative
//! standard error of `L` live bytes is at most about `sqrt(mean / L)`: 10 % at 50 MB for the default distance, and
//! almost nothing for objects much larger than it.

use super::stacks;
use super::stacks::StackId;
use super::tag::Tag;

/// Mean distance between two samples, in allocated bytes: a power of two from 4 KiB to 32 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeanDistance(u8);

impl MeanDistance {
    const LEAST: u8 = 12;
    const MOST: u8 = 25;

    /// 512 KiB: two samples in each MB, ±10 % (one standard error) on 50 MB, at a cost that cannot be measured in a request.
    pub const DEFAULT: Self = Self(19);

    /// Returns the smallest power of two that is at least `bytes`, clamped to 4 KiB and 32 MiB.
    pub const fn from_bytes(bytes: u64) -> Self {
        let mut log2 = Self::LEAST;
        while log2 < Self::MOST && (1 << log2) < bytes {
            log2 += 1;
        }
        Self(log2)
    }

    /// Returns the distance in bytes.
    pub const fn bytes(self) -> u64 {
        1 << self.0
    }

    /// Returns the exponent, which is never 0; the inverse of [`MeanDistance::from_log2`].
    pub(super) const fn log2(self) -> u8 {
        self.0
    }

    /// Returns the distance with this exponent, or `None` if there is none, as for 0.
    pub(super) const fn from_log2(log2: u8) -> Option<Self> {
        if log2 < Self::LEAST || log2 > Self::MOST { None } else { Some(Self(log2)) }
    }

    /// Returns the probability that an allocation charged with `charge` bytes is sampled.
    pub(crate) fn probability(self, charge: usize) -> f64 {
        -(-(charge as f64) / self.bytes() as f64).exp_m1()
    }

    /// Returns the bytes to the next sample: exponentially distributed, by inversion of a uniform `random` word.
    pub(super) fn draw(self, random: u64) -> i64 {
        // (0, 1], so that the logarithm is finite.
        let uniform = ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        #[allow(clippy::cast_possible_truncation)] // at most 32 MiB * 37; the floor is what makes `p` exact
        let distance = (-uniform.ln() * self.bytes() as f64) as i64;
        distance
    }
}

/// One sampled allocation: its route, and the bytes that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SampledAllocation {
    pub(crate) tag: Tag,
    pub(crate) mean: MeanDistance,
    /// Estimated bytes: `usable / p`.
    pub(crate) bytes: u64,
    /// Estimated variance, `usable² (1 - p) / p²`, in square KiB (2^20 square bytes), below 2^40.
    pub(crate) spread: u64,
    /// The call stack that made it, if stacks are recorded.
    pub(crate) stack: StackId,
}

impl SampledAllocation {
    /// Creates a sample. `charge` is the bytes that the countdown was lowered by, `usable` those that the allocator set aside, at
    /// most about twice as many.
    pub(crate) fn new(tag: Tag, mean: MeanDistance, charge: usize, usable: usize) -> Self {
        let p = mean.probability(charge);
        let weight = usable as f64 / p;
        let spread = weight * weight * (1.0 - p) / f64::from(1 << 20);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive; `as` saturates
        let (bytes, spread) = (weight.round() as u64, spread.round() as u64);
        Self { tag, mean, bytes, spread: spread.min((1 << 40) - 1), stack: StackId::NONE }
    }

    /// Returns the sample with the call stack of the caller.
    pub(crate) fn with_current_stack(self) -> Self {
        Self { stack: stacks::capture_stack(), ..self }
    }
}

/// Returns the standard error in bytes of a sum with this spread (in square KiB).
pub(crate) fn standard_error(spread: u64) -> f64 {
    (spread as f64).sqrt() * 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splitmix(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn distances_are_powers_of_two_within_bounds() {
        let cases = [
            (0, 4096),
            (4096, 4096),
            (4097, 8192),
            (512 << 10, 512 << 10),
            (500_000, 512 << 10),
            (u64::MAX, 32 << 20),
        ];
        for (asked, got) in cases {
            assert_eq!(MeanDistance::from_bytes(asked).bytes(), got, "asked for {asked}");
        }
        for log2 in 0..=u8::MAX {
            assert_eq!(
                MeanDistance::from_log2(log2).map(MeanDistance::log2),
                (12..=25).contains(&log2).then_some(log2)
            );
        }
    }

    #[test]
    fn draws_have_the_mean_and_the_median_of_an_exponential() {
        let mean = MeanDistance::DEFAULT;
        let mut state = 7;
        let mut draws: Vec<i64> = (0..100_000).map(|_| mean.draw(splitmix(&mut state))).collect();
        draws.sort_unstable();
        let average = draws.iter().sum::<i64>() as f64 / draws.len() as f64;
        let expected = mean.bytes() as f64;
        assert!((average / expected - 1.0).abs() < 0.02, "mean {average}");
        let median = draws[draws.len() / 2] as f64;
        assert!((median / (expected * std::f64::consts::LN_2) - 1.0).abs() < 0.02, "median {median}");
        assert_eq!(mean.draw(u64::MAX), 0);
        assert!(mean.draw(0) < 40 << 19);
    }

    /// Objects of a size each, sampled as the allocator does; the estimates of many runs against the known sum.
    #[test]
    fn sums_are_unbiased_and_their_error_is_as_stated() {
        let mean = MeanDistance::from_bytes(64 << 10);
        let mut state = 1;
        for (size, count) in [(64, 65_536), (5_000, 2_000), (100_000, 200), (1 << 20, 40)] {
            let truth = (size * count) as f64;
            let (mut sum, mut within, mut squares) = (0.0, 0, 0.0);
            let runs = 300;
            for _ in 0..runs {
                let (mut bytes, mut spread, mut left) = (0, 0, mean.draw(splitmix(&mut state)));
                for _ in 0..count {
                    left -= i64::try_from(size).unwrap();
                    if left < 0 {
                        left = mean.draw(splitmix(&mut state));
                        let sample = SampledAllocation::new(Tag::UNTAGGED, mean, size, size);
                        bytes += sample.bytes;
                        spread += sample.spread;
                    }
                }
                sum += bytes as f64;
                squares += (bytes as f64 - truth).powi(2);
                within += i32::from((bytes as f64 - truth).abs() <= 2.0 * standard_error(spread) + 1024.0);
            }
            let bias = sum / f64::from(runs) / truth - 1.0;
            let error = (squares / f64::from(runs)).sqrt() / truth;
            let bound = (mean.bytes() as f64 / truth).sqrt();
            assert!(bias.abs() < 0.03, "{size} B objects: bias {bias}");
            assert!(error < bound * 1.15, "{size} B objects: error {error}, formula {bound}");
            assert!(within >= 270, "{size} B objects: {within} of {runs} within two standard errors");
        }
    }
}
