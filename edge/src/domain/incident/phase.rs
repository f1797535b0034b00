//! The phases of an incident: which state began when, and for how long each state held in all.
//!
//! An incident whose worst severity is `down` may have been down for three minutes of thirty-four. Only the durations of its states
//! say that.

use std::collections::VecDeque;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::incident::Severity;

/// The maximum number of phases that are kept one by one. The time of older ones is kept as a sum for each state.
pub const MAX_PHASES: usize = 24;

/// What was so during a phase of an incident; of the severities a later variant is worse.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Encode,
    Decode,
)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum PhaseState {
    /// Nobody could tell, or nobody was to: there was no valid result of a probe, or maintenance had been announced.
    #[n(0)]
    Unobserved,
    /// All was well, and the incident had not closed yet.
    #[n(1)]
    Up,
    /// Memory ran out or was forecast to; every request was served.
    #[n(2)]
    Warning,
    /// The monitor served, but failed a `degraded` condition.
    #[n(3)]
    Degraded,
    /// The instance had ended unexpectedly, and no probe had found it up again.
    #[n(4)]
    Crashed,
    /// The monitor did not serve.
    #[n(5)]
    Down,
}

impl PhaseState {
    /// Returns the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            PhaseState::Unobserved => "unobserved",
            PhaseState::Up => "up",
            PhaseState::Warning => "warning",
            PhaseState::Degraded => "degraded",
            PhaseState::Crashed => "crashed",
            PhaseState::Down => "down",
        }
    }

    /// Whether something was wrong.
    pub const fn is_trouble(self) -> bool {
        !matches!(self, PhaseState::Unobserved | PhaseState::Up)
    }
}

impl From<Severity> for PhaseState {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => PhaseState::Warning,
            Severity::Degraded => PhaseState::Degraded,
            Severity::Crashed => PhaseState::Crashed,
            Severity::Down => PhaseState::Down,
        }
    }
}

/// The beginning of a phase, which ends where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Phase {
    /// The first instant.
    #[n(0)]
    pub since: UnixMillis,
    /// What was so from then on.
    #[n(1)]
    pub state: PhaseState,
}

/// The phases of one incident, oldest first, of which no two neighbors have the same state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Phases {
    #[n(0)]
    list: VecDeque<Phase>,
    /// The milliseconds of phases that are no longer listed.
    #[n(1)]
    earlier: Vec<(PhaseState, u64)>,
}

impl Phases {
    /// Begins a phase, unless the present one has the same state. A phase that would begin before the present one begins with it; a
    /// phase without a duration is replaced by the one that follows.
    pub fn begin(&mut self, since: UnixMillis, state: PhaseState) {
        let since = self.list.back().map_or(since, |last| last.since.max(since));
        self.list.pop_back_if(|last| last.since == since);
        if self.list.back().is_some_and(|last| last.state == state) {
            return;
        }
        self.list.push_back(Phase { since, state });
        if self.list.len() > MAX_PHASES
            && let Some(first) = self.list.pop_front()
        {
            let end = self.list.front().map_or(first.since, |next| next.since);
            add(&mut self.earlier, first.state, millis_between(first.since, end));
        }
    }

    /// The present phase; `None` before the first.
    pub fn last(&self) -> Option<Phase> {
        self.list.back().copied()
    }

    /// How often the state changed at `since` or later, among the phases that are kept one by one. Time of which nothing is known
    /// changes nothing.
    pub fn changes_since(&self, since: UnixMillis) -> usize {
        let known = || self.list.iter().filter(|phase| phase.state != PhaseState::Unobserved);
        let pairs = known().zip(known().skip(1));
        pairs.filter(|(before, after)| before.state != after.state && after.since >= since).count()
    }

    /// The milliseconds that each state held until `end`, the worst first. States that did not occur are left out.
    pub fn durations(&self, end: UnixMillis) -> Vec<(PhaseState, u64)> {
        let mut sums = self.earlier.clone();
        let ends = self.list.iter().skip(1).map(|next| next.since).chain([end]);
        for (phase, phase_end) in self.list.iter().zip(ends) {
            add(&mut sums, phase.state, millis_between(phase.since, phase_end.min(end)));
        }
        sums.retain(|(_, millis)| *millis > 0);
        sums.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
        sums
    }
}

fn add(sums: &mut Vec<(PhaseState, u64)>, state: PhaseState, millis: u64) {
    match sums.iter_mut().find(|(known, _)| *known == state) {
        Some((_, sum)) => *sum = sum.saturating_add(millis),
        None => sums.push((state, millis)),
    }
}

/// The milliseconds from `begin` to `end`; 0 if `end` is earlier.
fn millis_between(begin: UnixMillis, end: UnixMillis) -> u64 {
    u64::try_from(end.0.saturating_sub(begin.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A name, the phases, the second in which the incident ends, and the durations.
    type Case = (&'static str, &'static [(i64, PhaseState)], i64, &'static [(PhaseState, u64)]);

    fn phases(list: &[(i64, PhaseState)]) -> Phases {
        let mut phases = Phases::default();
        for (second, state) in list {
            phases.begin(UnixMillis(second * 1000), *state);
        }
        phases
    }

    #[test]
    fn durations_are_summed_by_state_and_end_with_the_incident() {
        use PhaseState::{Degraded, Down, Unobserved, Up};
        let second = |second: i64| UnixMillis(second * 1000);
        let cases: [Case; 7] = [
            ("one phase", &[(0, Down)], 60, &[(Down, 60_000)]),
            ("the worst first", &[(0, Degraded), (60, Down)], 90, &[(Down, 30_000), (Degraded, 60_000)]),
            ("the same twice", &[(0, Down), (60, Up), (70, Down)], 100, &[(Down, 90_000), (Up, 10_000)]),
            ("closed when it became well", &[(0, Down), (60, Up)], 60, &[(Down, 60_000)]),
            ("no phase after the end", &[(0, Down), (60, Up), (90, Unobserved)], 60, &[(Down, 60_000)]),
            ("a phase without a duration", &[(0, Down), (60, Up), (60, Down)], 90, &[(Down, 90_000)]),
            ("out of order", &[(60, Down), (30, Up)], 90, &[(Up, 30_000)]),
        ];
        for (name, list, end, expected) in cases {
            assert_eq!(phases(list).durations(second(end)), expected, "{name}");
        }
    }

    proptest! {
        /// However many phases there were, none of their time is lost.
        #[test]
        fn the_durations_add_up_to_the_length(steps in prop::collection::vec((1_i64..500, 0_usize..6), 1..200)) {
            use PhaseState::{Crashed, Degraded, Down, Unobserved, Up, Warning};
            let states = [Unobserved, Up, Warning, Degraded, Crashed, Down];
            let (mut phases, mut now, mut expected) = (Phases::default(), 0, [0_u64; 6]);
            for (length, state) in &steps {
                phases.begin(UnixMillis(now), states[*state]);
                now += length;
                expected[*state] += length.unsigned_abs();
            }
            let durations = phases.durations(UnixMillis(now));
            for (state, millis) in states.iter().zip(expected) {
                let found = durations.iter().find(|(other, _)| other == state).map_or(0, |(_, millis)| *millis);
                prop_assert_eq!(found, millis);
            }
            prop_assert!(phases.list.len() <= MAX_PHASES);
        }
    }
}
