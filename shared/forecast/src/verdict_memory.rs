//! The hysteresis of the verdict: noise at the bound of a test turns it at every other assessment, which helps nobody.

use std::time::Duration;

use heapbeat_shared::forecast::{Assessment, Basis, TimeToLimit, Verdict};

/// Share of the window for which a verdict must have been found before it takes the place of another one: two or three of its floors are
/// new. Where the heap is not known it is twice as much, as a resident set stands still and jumps.
const HELD: u32 = 16;

/// What is true once it has been found for long enough without interruption.
#[derive(Clone, Copy, Debug, Default)]
struct Debounced {
    is: bool,
    /// When the opposite was found first, and ever since.
    other_since: Option<Duration>,
}

impl Debounced {
    /// Adds what was found now; `None` speaks neither for nor against it.
    fn update(&mut self, found: Option<bool>, now: Duration, hold: Duration) -> bool {
        let Some(found) = found else { return self.is };
        if found == self.is {
            self.other_since = None;
        } else if now.saturating_sub(*self.other_since.get_or_insert(now)) >= hold {
            *self = Debounced { is: found, other_since: None };
        }
        self.is
    }
}

/// The last verdict, and since when another one is found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VerdictMemory {
    last: Option<Assessment>,
    rises: Debounced,
    leaks: Debounced,
}

impl VerdictMemory {
    /// Returns the assessment that is valid now: `new`, or the last one for as long as the new verdict has not lasted. The first one, a leak
    /// that was given back, and a verdict whose window is over, need no confirmation.
    pub(super) fn confirm(&mut self, new: Assessment, knows_heap: bool) -> Assessment {
        let now = new.observed;
        let last = self.last.filter(|last| {
            !(last.verdict.is_leak() && new.basis == Basis::GivenBack)
                && now.saturating_sub(last.observed) <= last.window.max(new.window)
        });
        // A series that was judged cannot be too short.
        if let (Some(last), Basis::InsufficientData) = (last, new.basis) {
            return after(last, now);
        }
        let leak = new.verdict.is_leak();
        let rise = leak || new.verdict == Verdict::Growing;
        let hold = |window: fn(Duration, Duration) -> Duration| {
            let held = if knows_heap { HELD } else { HELD / 2 };
            last.map_or(Duration::ZERO, |last| window(last.window, new.window) / held)
        };
        let rises = self.rises.update(Some(rise), now, hold(Duration::max));
        let leaks = self.leaks.update(speaks_for_leak(&new), now, hold(Duration::min));
        let valid = match last.filter(|last| last.limit == new.limit) {
            Some(last) if (leaks && !leak) || (!leaks && rises != rise) => after(last, now),
            _ if leak && !leaks => {
                let basis = Basis::ObservedTooBriefly;
                Assessment { verdict: Verdict::Growing, basis, time_to_limit: None, ..new }
            }
            _ => new,
        };
        self.last = Some(valid);
        valid
    }
}

/// Returns whether an assessment speaks for a leak; `None` if it only doubts it.
fn speaks_for_leak(assessment: &Assessment) -> Option<bool> {
    use Basis::{BacktestFailed, ObservedTooBriefly, WeakGrowth};
    let doubts = matches!(assessment.basis, BacktestFailed | ObservedTooBriefly | WeakGrowth);
    (assessment.verdict.is_leak() || !doubts).then_some(assessment.verdict.is_leak())
}

/// Returns an assessment as it is later: less time is left.
fn after(last: Assessment, now: Duration) -> Assessment {
    let passed = now.saturating_sub(last.observed);
    let time_to_limit = last.time_to_limit.map(|time| TimeToLimit {
        expected: time.expected.saturating_sub(passed),
        earliest: time.earliest.saturating_sub(passed),
        latest: time.latest.saturating_sub(passed),
    });
    Assessment { observed: now, time_to_limit, ..last }
}
