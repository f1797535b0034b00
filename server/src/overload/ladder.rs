//! The ladder: from observations of memory to a level of pressure and actions. Pure.
//!
//! A step is a function of the ladder's state and one observation. It rises at once where a delay would be harmful (purge, shed), and only
//! on a second observation where a false alarm would be (alert, recycle), unless the first rests on several readings. It falls after memory has stayed below the level's exit
//! threshold for a while. An action that does not help is not repeated; the ladder escalates instead. Times are monotonic, since the
//! start of the process, so a clock that jumps has no effect.

mod purging;
mod shedding;

use std::fmt;
use std::time::Duration;

use heapbeat_shared::{Bytes, Pressure};
use serde::{Deserialize, Serialize};

use crate::config::thresholds::Levels;

pub use purging::PurgeResult;
pub use shedding::ShedShare;

use purging::Purging;
use shedding::Shedding;

/// Times of the ladder. `docs/ladder.md` gives the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LadderRules {
    /// Time after the start without alert and recycle, as a start-up spike is not a leak.
    pub grace: Duration,
    /// Whether requests are shed within that time, where nothing else can be done.
    pub shed_in_grace: bool,
    /// Time that memory must stay below a level's exit threshold before the level is left.
    pub settle: Duration,
    /// Minimum time between two alerts for the same level.
    pub alert_again: Duration,
    /// Minimum time between two purges.
    pub purge_again: Duration,
    /// Time of purging without leaving the level after which a replacement is requested.
    pub purge_timeout: Duration,
    /// Time of shedding after which the process is replaced or exits.
    pub shed_timeout: Duration,
    /// Time that a replacement needs to get ready; a shorter forecast recycles early.
    pub replacement: Duration,
    /// Age from which an observation is ignored.
    pub stale: Duration,
}

impl Default for LadderRules {
    fn default() -> Self {
        LadderRules {
            grace: Duration::from_secs(10),
            shed_in_grace: true,
            settle: Duration::from_secs(5),
            alert_again: Duration::from_secs(300),
            purge_again: Duration::from_secs(5),
            purge_timeout: Duration::from_secs(60),
            shed_timeout: Duration::from_secs(60),
            replacement: Duration::from_secs(10),
            stale: Duration::from_secs(5),
        }
    }
}

/// One observation of memory.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Time of the step, since the process started.
    pub now: Duration,
    /// When memory was read, on the same clock.
    pub read: Duration,
    /// The working set, plus the expected growth before the next observation.
    pub memory: Bytes,
    /// Whether several readings show what is observed, so that a second observation would say nothing new.
    pub is_confirmed: bool,
    /// The current thresholds.
    pub levels: Levels,
    /// Forecast time until the limit is reached, if there is one.
    pub reaches_limit_in: Option<Duration>,
    /// Whether a replacement worker could take over; `None` without a supervisor that could start one.
    pub replacement: Option<ReplacementStatus>,
}

/// Whether a replacement worker could take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplacementStatus {
    /// A replacement can be started.
    Available,
    /// A replacement is starting.
    InProgress,
    /// The last replacement is too recent, or did not get ready.
    RateLimited,
}

impl Observation {
    /// Whether a replacement worker can be started or is starting.
    fn replaceable(&self) -> bool {
        matches!(self.replacement, Some(ReplacementStatus::Available | ReplacementStatus::InProgress))
    }
}

/// An action that a step requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Alert that this level was reached.
    Alert(Pressure),
    /// Run the shrink hooks, then purge the allocator; report the result with [`Ladder::record_purge`].
    Purge,
    /// Request a replacement worker.
    Recycle(RecycleReason),
    /// Finish requests in flight and exit, as nothing helps and no worker can take over; the platform restarts the process.
    Shutdown,
    /// Memory is calm again.
    Cleared,
}

/// Why a replacement worker is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecycleReason {
    /// Memory reached the recycle threshold.
    Threshold,
    /// The forecast reaches the limit before a later replacement could be ready.
    Forecast,
    /// Purging did not help within its time.
    PurgeIneffective,
    /// Refusing requests did not help within its time.
    Shedding,
}

impl RecycleReason {
    /// Describes the reason for a replacement at `memory`. What the ladder judges is memory with the growth that is expected before the next
    /// reading, so the threshold need not be reached yet.
    pub fn describe(self, memory: Bytes, threshold: Bytes) -> String {
        match self {
            RecycleReason::Threshold if memory < threshold => {
                format!(
                    "memory reaches the recycle threshold of {threshold} before the next reading if it grows on"
                )
            }
            reason => reason.to_string(),
        }
    }
}

impl fmt::Display for RecycleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecycleReason::Threshold => "memory reached the recycle threshold",
            RecycleReason::Forecast => "memory will soon reach the limit if it grows on",
            RecycleReason::PurgeIneffective => "purging did not help",
            RecycleReason::Shedding => "load shedding did not reduce memory",
        })
    }
}

/// The result of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct LadderStep {
    /// The level of pressure.
    pub pressure: Pressure,
    /// When the level was reached, as the age of the process.
    pub since: Duration,
    /// Share of new requests to refuse.
    pub shed: ShedShare,
    /// Why a replacement worker is wanted, whether one can be started or not; `None` if none is.
    pub reason: Option<RecycleReason>,
    /// The actions, in this order.
    pub actions: Vec<Action>,
}

/// The level of the process, and the actions in progress.
#[derive(Clone, Debug)]
pub struct Ladder {
    rules: LadderRules,
    level: Pressure,
    since: Duration,
    /// Number of consecutive observations that requested at least this level.
    wanted: [u8; Pressure::ALL.len()],
    /// Since when memory has been below the exit threshold.
    low_since: Option<Duration>,
    alerted: Option<LastAlert>,
    purging: Purging,
    shedding: Shedding,
}

/// The last alert.
#[derive(Clone, Copy, Debug)]
struct LastAlert {
    level: Pressure,
    at: Duration,
    /// Whether memory has been above calm since.
    open: bool,
}

/// Returns the number of consecutive observations that must request a level before it is entered. An alert or a recycle on a single
/// observation could be a false alarm; a late purge or shed would be too late.
const fn observations_needed(level: Pressure) -> u8 {
    match level {
        Pressure::Alert | Pressure::Recycle => 2,
        Pressure::Calm | Pressure::Purge | Pressure::Shed => 1,
    }
}

impl Ladder {
    /// Creates a ladder at the calm level, at time zero.
    pub fn new(rules: LadderRules) -> Self {
        Ladder {
            rules,
            level: Pressure::Calm,
            since: Duration::ZERO,
            wanted: [0; Pressure::ALL.len()],
            low_since: None,
            alerted: None,
            purging: Purging::default(),
            shedding: Shedding::default(),
        }
    }

    /// Returns the current level.
    pub fn pressure(&self) -> Pressure {
        self.level
    }

    /// Sets the time that a replacement needs to get ready.
    pub fn set_replacement_time(&mut self, time: Duration) {
        self.rules.replacement = time;
    }

    /// Makes one step.
    pub fn step(&mut self, observation: &Observation) -> LadderStep {
        let mut actions = Vec::new();
        let mut reason = None;
        if observation.now.saturating_sub(observation.read) <= self.rules.stale {
            reason = self.recycle_reason(observation);
            self.climb(observation, reason.is_some());
            self.descend(observation, reason.is_some(), &mut actions);
            self.choose_actions(observation, reason, &mut actions);
        }
        LadderStep { pressure: self.level, since: self.since, shed: self.shedding.share(), reason, actions }
    }

    /// Records the result of a purge.
    pub fn record_purge(&mut self, result: PurgeResult) {
        self.purging.record(result);
    }

    /// Returns why this observation requests a replacement worker, if it does.
    fn recycle_reason(&self, observation: &Observation) -> Option<RecycleReason> {
        if observation.now < self.rules.grace {
            return None;
        }
        let levels = &observation.levels;
        if levels.reached(observation.memory) >= Pressure::Recycle {
            return Some(RecycleReason::Threshold);
        }
        let soon = observation.reaches_limit_in.is_some_and(|time| time <= self.rules.replacement);
        if soon && levels.reached(observation.memory) >= Pressure::Alert {
            return Some(RecycleReason::Forecast);
        }
        let tried =
            self.purging.tried_for(observation.now).is_some_and(|time| time >= self.rules.purge_timeout);
        (tried && levels.held(observation.memory) >= Pressure::Purge)
            .then_some(RecycleReason::PurgeIneffective)
    }

    /// Returns the level that this observation alone requests.
    fn requested_level(&self, observation: &Observation, replace: bool) -> Pressure {
        let reached = observation.levels.reached(observation.memory);
        if observation.now < self.rules.grace {
            if reached == Pressure::Alert {
                return Pressure::Calm;
            }
            if !self.rules.shed_in_grace {
                return reached.min(Pressure::Recycle);
            }
        }
        let wanted =
            if replace && observation.replaceable() { reached.max(Pressure::Recycle) } else { reached };
        self.or_shed(observation, wanted)
    }

    /// Returns `level`, or shed if a replacement worker is needed and cannot be started.
    fn or_shed(&self, observation: &Observation, level: Pressure) -> Pressure {
        let in_grace = observation.now < self.rules.grace;
        let cannot = !observation.replaceable() || in_grace;
        if in_grace && !self.rules.shed_in_grace {
            level.min(Pressure::Recycle)
        } else if level == Pressure::Recycle && cannot {
            Pressure::Shed
        } else {
            level
        }
    }

    fn climb(&mut self, observation: &Observation, replace: bool) {
        let target = self.requested_level(observation, replace);
        for (level, observations) in Pressure::ALL.into_iter().zip(&mut self.wanted) {
            *observations = if level <= target { observations.saturating_add(1) } else { 0 };
        }
        let seen_enough = |level: &Pressure| {
            let needed = if observation.is_confirmed { 1 } else { observations_needed(*level) };
            *level <= target && self.wanted[*level as usize] >= needed
        };
        let reached = Pressure::ALL.into_iter().rev().find(seen_enough).unwrap_or_default();
        if reached > self.level {
            self.level = reached;
            self.since = observation.now;
        }
    }

    fn descend(&mut self, observation: &Observation, replace: bool, actions: &mut Vec<Action>) {
        let held = self
            .requested_level(observation, replace)
            .max(self.or_shed(observation, observation.levels.held(observation.memory)));
        if held >= self.level {
            self.low_since = None;
            return;
        }
        let since = *self.low_since.get_or_insert(observation.now);
        if observation.now.saturating_sub(since) < self.rules.settle {
            return;
        }
        self.level = held;
        self.since = observation.now;
        self.low_since = None;
        if held < Pressure::Purge {
            self.purging = Purging::default();
        }
        if let Some(alerted) = self.alerted.as_mut().filter(|alerted| alerted.open && held == Pressure::Calm)
        {
            alerted.open = false;
            actions.push(Action::Cleared);
        }
    }

    fn choose_actions(
        &mut self,
        observation: &Observation,
        reason: Option<RecycleReason>,
        actions: &mut Vec<Action>,
    ) {
        if self.level >= Pressure::Alert && self.alert_is_due(observation.now) {
            self.alerted = Some(LastAlert { level: self.level, at: observation.now, open: true });
            actions.push(Action::Alert(self.level));
        }
        let coming_down = self.low_since.is_some();
        if self.level >= Pressure::Purge
            && !coming_down
            && self.purging.is_due(observation, self.rules.purge_again)
        {
            self.purging.begin(observation);
            actions.push(Action::Purge);
        }
        self.shedding.follow(observation, self.level);
        let exhausted = self.shedding.lasted(observation.now) >= self.rules.shed_timeout;
        actions.extend(match (observation.replacement, reason) {
            (Some(ReplacementStatus::Available), Some(reason)) if self.level >= Pressure::Recycle => {
                Some(Action::Recycle(reason))
            }
            // A replacement soon after the last one is better than shedding forever.
            (Some(ReplacementStatus::RateLimited), _) if exhausted => {
                Some(Action::Recycle(RecycleReason::Shedding))
            }
            (None, _) if exhausted => Some(Action::Shutdown),
            _ => None,
        });
    }

    fn alert_is_due(&self, now: Duration) -> bool {
        self.alerted.is_none_or(|last| {
            self.level > last.level || now.saturating_sub(last.at) >= self.rules.alert_again
        })
    }
}

#[cfg(test)]
mod tests;
