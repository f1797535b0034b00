//! The guard's decisions about memory: `(state, observation) -> (state, decision)`, and nothing else.
//!
//! The [`Ladder`] says which level memory is at and which actions that calls for. The controller adds what a process needs
//! around it: the growth that is expected before the next reading, the interval to that reading, the time after which
//! refused clients should return, purges that take longer than one interval, and observe-only mode. Whoever calls it applies
//! the effects; see `guard/effects.rs`.

use std::time::Duration;

use heapbeat_shared::{Bytes, Pressure};

use super::ladder::{
    Action, Ladder, LadderRules, LadderStep, Observation, PurgeResult, RecycleReason, ReplacementStatus,
    ShedShare,
};
use super::retry_after::RateEstimator;
use super::sample_interval::{FASTEST, GrowthTracker};
use crate::config::thresholds::{Levels, Thresholds, ThresholdsError};

/// Grace after the start if a replacement is available, which costs clients nothing.
const GRACE_WHEN_REPLACEABLE: Duration = Duration::from_secs(5);

/// One reading of memory and what is known around it. Times are the age of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryState {
    /// When memory was read.
    pub(crate) now: Duration,
    /// The working set.
    pub(crate) memory: Bytes,
    /// The memory limit at this moment.
    pub(crate) limit: Bytes,
    /// When the forecast expects memory to reach the limit, if that is soon.
    pub(crate) reaches_limit_in: Option<Duration>,
    /// Whether a replacement worker could take over; `None` without a supervisor.
    pub(crate) replacement: Option<ReplacementStatus>,
    /// How the purge that was running ended, if it ended since the last reading.
    pub(crate) purge_ended: Option<PurgeEnd>,
}

/// How a purge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PurgeEnd {
    /// It ran to its end and took this long.
    Finished(Duration),
    /// It could not be started or broke off; the reason was logged.
    Failed,
}

/// What follows from a reading.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// The level that memory is at; calm in observe-only mode.
    pub(crate) pressure: Pressure,
    /// Share of new requests to refuse.
    pub(crate) shed: ShedShare,
    /// Seconds after which a refused client should return.
    pub(crate) retry_after: u32,
    /// Time to the next reading.
    pub(crate) next: Duration,
    /// What to do, in this order.
    pub(crate) effects: Vec<OverloadEffect>,
}

/// Something to do or to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverloadEffect {
    /// Report that memory reached this level, which begins at `threshold`.
    Alert { level: Pressure, threshold: Bytes },
    /// Report that memory is calm again.
    Cleared,
    /// Run the shrink hooks, then purge the allocator. `excess` is how far memory is above the purge threshold.
    StartPurge { pressure: Pressure, excess: Bytes },
    /// Report what a purge gave back.
    PurgeFinished { before: Bytes, after: Bytes, took: Duration },
    /// Restore the allocator's decay, which purging tightened.
    RelaxDecay,
    /// Ask the supervisor for a replacement worker.
    RequestReplacement {
        /// Why.
        reason: RecycleReason,
        /// The threshold of the level at which one is requested.
        threshold: Bytes,
    },
    /// Finish what is in flight and exit.
    Shutdown,
    /// Report that requests are no longer refused, and for how long they were.
    SheddingEnded { lasted: Duration },
    /// Report what would be done if this were not observe-only mode.
    WouldAct(Action),
}

/// The ladder under its thresholds, and what is in progress.
#[derive(Debug)]
pub(crate) struct Controller {
    ladder: Ladder,
    thresholds: Thresholds,
    levels: Levels,
    observe_only: bool,
    growth: GrowthTracker,
    rate: RateEstimator,
    /// Memory when the purge that is running was started.
    purging: Option<Bytes>,
    decay_tightened: bool,
    /// Since when requests are refused.
    shedding_since: Option<Duration>,
    gave_up: bool,
}

impl Controller {
    /// Creates a controller at the calm level. `replaceable` is whether there is a supervisor. Fails if the thresholds cannot work under
    /// `limit`.
    pub(crate) fn new(
        thresholds: Thresholds,
        limit: Bytes,
        observe_only: bool,
        replaceable: bool,
    ) -> Result<Self, ThresholdsError> {
        let usual = LadderRules::default();
        let grace = if replaceable { GRACE_WHEN_REPLACEABLE } else { usual.grace };
        Ok(Controller {
            ladder: Ladder::new(LadderRules { grace, ..usual }),
            thresholds,
            levels: thresholds.levels(limit)?,
            observe_only,
            growth: GrowthTracker::default(),
            rate: RateEstimator::default(),
            purging: None,
            decay_tightened: false,
            shedding_since: None,
            gave_up: false,
        })
    }

    /// Decides what follows from a reading; the next one is due within `calm_interval` at the latest.
    pub(crate) fn decide(&mut self, state: &MemoryState, calm_interval: Duration) -> Decision {
        // Thresholds of a fixed size may not fit a limit that shrank; then the levels stay where they were.
        if let Ok(levels) = self.thresholds.levels(state.limit) {
            self.levels = levels;
        }
        let MemoryState { now, memory, .. } = *state;
        let mut effects = Vec::new();
        self.rate.push(now, memory);
        self.finish_purge(state, &mut effects);
        let (growth, next) = self.growth.expect(now, memory, &self.levels, calm_interval);
        let step = self.ladder.step(&Observation {
            now,
            read: now,
            memory: Bytes(memory.0.saturating_add(growth.0)),
            is_confirmed: false,
            levels: self.levels,
            reaches_limit_in: state.reaches_limit_in,
            replacement: state.replacement,
        });
        for action in &step.actions {
            effects.extend(self.effect_of(*action, &step, memory));
        }
        if self.observe_only {
            let (pressure, shed) = (Pressure::Calm, ShedShare::NONE);
            return Decision { pressure, shed, retry_after: 0, next, effects };
        }
        let retry_after = self.follow_shedding(now, memory, step.shed, &mut effects);
        if step.pressure < Pressure::Purge && self.purging.is_none() && self.decay_tightened {
            self.decay_tightened = false;
            effects.push(OverloadEffect::RelaxDecay);
        }
        // Near the limit the next reading decides which requests are admitted, so it is not delayed even if memory is constant because all
        // requests are refused.
        let near = self.purging.is_some() || step.pressure >= Pressure::Recycle;
        let next = if near { next.min(FASTEST) } else { next };
        Decision { pressure: step.pressure, shed: step.shed, retry_after, next, effects }
    }

    fn effect_of(&mut self, action: Action, step: &LadderStep, memory: Bytes) -> Option<OverloadEffect> {
        match action {
            Action::Alert(level) => {
                Some(OverloadEffect::Alert { level, threshold: self.levels.enter(level) })
            }
            Action::Cleared => Some(OverloadEffect::Cleared),
            Action::Purge if self.observe_only => Some(OverloadEffect::WouldAct(action)),
            Action::Purge if self.purging.is_some() => None,
            Action::Purge => {
                self.purging = Some(memory);
                self.decay_tightened = true;
                let excess = memory.saturating_sub(self.levels.enter(Pressure::Purge));
                Some(OverloadEffect::StartPurge { pressure: step.pressure, excess })
            }
            // In observe-only mode a replacement that never comes would be asked for at every reading.
            Action::Recycle(_) | Action::Shutdown if self.observe_only => {
                (!std::mem::replace(&mut self.gave_up, true)).then_some(OverloadEffect::WouldAct(action))
            }
            Action::Recycle(reason) => {
                let threshold = self.levels.enter(Pressure::Recycle);
                Some(OverloadEffect::RequestReplacement { reason, threshold })
            }
            Action::Shutdown => {
                (!std::mem::replace(&mut self.gave_up, true)).then_some(OverloadEffect::Shutdown)
            }
        }
    }

    fn finish_purge(&mut self, state: &MemoryState, effects: &mut Vec<OverloadEffect>) {
        let Some(end) = state.purge_ended else { return };
        let Some(before) = self.purging.take() else { return };
        if let PurgeEnd::Finished(took) = end {
            let after = state.memory;
            self.ladder.record_purge(PurgeResult { before, after });
            effects.push(OverloadEffect::PurgeFinished { before, after, took });
        }
    }

    /// Keeps for how long requests are refused; the seconds after which a refused client should return.
    fn follow_shedding(
        &mut self,
        now: Duration,
        memory: Bytes,
        share: ShedShare,
        effects: &mut Vec<OverloadEffect>,
    ) -> u32 {
        let lasted = self.shedding_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let excess = memory.saturating_sub(self.levels.enter(Pressure::Recycle));
        if share > ShedShare::NONE {
            self.shedding_since.get_or_insert(now);
        } else if self.shedding_since.take().is_some() {
            effects.push(OverloadEffect::SheddingEnded { lasted });
        }
        self.rate.retry_after(excess, lasted)
    }
}

#[cfg(test)]
mod tests;
