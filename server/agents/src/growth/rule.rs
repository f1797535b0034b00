//! The rule of growth: whether the memory of a function grows for good, from what of it survived from report to report.
//!
//! `values[k]` are the bytes that a function allocated before report `k - 1` and that were live at report `k`: memory that outlived a
//! whole pause between two reports. What a program allocates and lets go within a pause is in none of them, at whatever moment of its
//! cycle the reports come. A run of values at the end is growth if
//!
//! 1. none of its steps falls by more than sampling can explain,
//! 2. each third of it brings at least a sixth of its growth, and nothing falls back below what the thirds before have brought; and at
//!    the last report at least a quarter of a mean step is new,
//! 3. its growth beyond what the function held before the run, and beyond what it held within it and let go for the most part, is more
//!    than sampling can explain, and at least a quarter of what it has let go.
//!
//! **A function whose memory is let go at least once in [`MIN_VALUES`]` - 1` pauses is not named, whatever the phase.** Let what remains
//! each time be `r`. Of any three values in a row at least one is `r`, as a pause in which memory is let go leaves no more of it, and no
//! value is less. By (2) all values after the first third of a run are above its first value, so none of them is `r`; but they are at
//! least three. A longer cycle looks like a leak until it ends for the first time; after that, (3) holds. What remains is chance in
//! sampling, whose standard deviation for `b` bytes at a mean distance `d` is about `sqrt(b * d)`; the tests simulate it.

/// Number of values from which on a function can be named.
pub(super) const MIN_VALUES: usize = 4;

/// Maximum number of values of a run.
pub(super) const MAX_VALUES: usize = 16;

/// Mean distance between two samples of an agent, in bytes.
pub(super) const SAMPLE_INTERVAL: f64 = 512.0 * 1024.0;

/// Growth in standard deviations of sampling, below which it may be chance.
const SIGNIFICANCE: f64 = 4.0;

/// Least growth in bytes.
const MIN_GROWTH: f64 = 8.0 * 1024.0 * 1024.0;

/// Least growth beyond what a function held before, as a share of what it has let go of that.
const MIN_EXCESS: f64 = 0.25;

/// Least part of the growth in each third of a run. Even growth brings a third.
const MIN_THIRD: f64 = 1.0 / 6.0;

/// Least part of a mean step that is new at the last report.
const MIN_LAST_STEP: f64 = 0.25;

/// The memory of a function at one report, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FunctionMemory {
    /// All that is live.
    pub(super) live: f64,
    /// The part of it that was live at the report before.
    pub(super) survived: f64,
}

/// Returns the growth in bytes and the number of values of the longest run at the end of a series that is growth.
pub(super) fn judge(series: &[FunctionMemory]) -> Option<(f64, usize)> {
    let longest = series.len().min(MAX_VALUES);
    (MIN_VALUES..=longest).rev().find_map(|length| {
        let (before, run) = series.split_at(series.len() - length);
        let let_go = run.windows(2).filter(|pair| pair[1].survived < pair[0].live / 2.0).map(|pair| pair[0]);
        let held_before = before.iter().copied().chain(let_go).map(|it| it.live).fold(0.0, f64::max);
        let values: Vec<f64> = run.iter().map(|it| it.survived).collect();
        let growth = growth_of(held_before, &values)?;
        let is_growing_still = run.last().is_some_and(|last| {
            last.live - last.survived >= MIN_LAST_STEP * (last.survived - values[0]) / (length - 1) as f64
        });
        is_growing_still.then_some((growth, length))
    })
}

/// Standard deviation of a number of bytes, as sampling makes it uncertain.
fn noise(bytes: f64) -> f64 {
    (bytes * SAMPLE_INTERVAL).sqrt()
}

/// The growth of a run in bytes, if it is growth. The function held `held_before` before, which it may have let go.
fn growth_of(held_before: f64, run: &[f64]) -> Option<f64> {
    let (&first, &last) = (run.first()?, run.last()?);
    if run.windows(2).any(|step| step[1] - step[0] < -noise(step[0])) || !is_even(run, last - first) {
        return None;
    }
    let let_go = (held_before - first).max(0.0);
    let growth = last - first - let_go;
    (growth >= MIN_GROWTH.max(SIGNIFICANCE * noise(last)).max(MIN_EXCESS * let_go)).then_some(growth)
}

/// Whether each third of a run brings its part of the growth, and keeps it.
fn is_even(run: &[f64], growth: f64) -> bool {
    let steps = run.len() - 1;
    let marks = [0, steps.div_ceil(3), (2 * steps).div_ceil(3), steps];
    let value = |index: usize| run.get(index).copied().unwrap_or_default();
    let part = MIN_THIRD * growth;
    let brings = |ends: &[usize]| value(ends[1]) - value(ends[0]) >= part;
    let keeps = |mark: usize, parts: f64| run.iter().skip(mark).all(|it| *it >= value(0) + parts * part);
    growth > 0.0 && marks.windows(2).all(brings) && keeps(marks[1], 1.0) && keeps(marks[2], 2.0)
}

#[cfg(test)]
mod tests;
