//! From looks at memory to pressure and actions: the decisions of the guard, and nothing else.
//!
//! A step is a function of the ladder's own state, one look and that look's time. It climbs at once where waiting
//! would be worse (purge, shed), and only on a second look where an error would be (alert, recycle). It comes down
//! one settled stretch after memory fell below the level's way back. Whatever does not help is not repeated: it moves
//! on. Times are the process's own (monotonic, since its start), so a clock that jumps decides nothing.

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

/// How long things take and how long to wait between them. See `docs/ladder.md` for the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LadderRules {
    /// After the start: neither alert nor recycle, as a start-up spike is not a leak.
    pub grace: Duration,
    /// How long memory must have stayed below a level's way back before the level is left.
    pub settle: Duration,
    /// Least time between two alerts for the same level.
    pub alert_again: Duration,
    /// Least time between two purges.
    pub purge_again: Duration,
    /// How long purging may go on without leaving its level before a replacement is wanted.
    pub purge_patience: Duration,
    /// How long requests may be refused before the process itself is given up.
    pub shed_patience: Duration,
    /// How long a replacement needs to get ready: a forecast that is shorter recycles early.
    pub replacement: Duration,
    /// A look older than this decides nothing.
    pub stale: Duration,
}

impl Default for LadderRules {
    fn default() -> Self {
        LadderRules {
            grace: Duration::from_secs(10),
            settle: Duration::from_secs(5),
            alert_again: Duration::from_secs(300),
            purge_again: Duration::from_secs(5),
            purge_patience: Duration::from_secs(60),
            shed_patience: Duration::from_secs(60),
            replacement: Duration::from_secs(10),
            stale: Duration::from_secs(5),
        }
    }
}

/// One look at memory.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Time of the step, since the process started.
    pub now: Duration,
    /// When memory was read, on the same clock.
    pub read: Duration,
    /// What is judged: the working set, plus what growth would add before the next look.
    pub memory: Bytes,
    /// Where the rungs are at present.
    pub levels: Levels,
    /// When the forecast says that the limit is reached, if it says anything.
    pub reaches_limit_in: Option<Duration>,
    /// Whether a fresh worker could take over; `None` without a supervisor that could start one.
    pub replacement: Option<ReplacementStatus>,
}

/// Whether a fresh worker could take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplacementStatus {
    /// A replacement is started when it is asked for.
    Available,
    /// A replacement is starting.
    InProgress,
    /// The last replacement is too recent, or did not get ready.
    TooSoon,
}

impl Observation {
    /// Whether a fresh worker is there to be had, or on its way.
    fn replaceable(&self) -> bool {
        matches!(self.replacement, Some(ReplacementStatus::Available | ReplacementStatus::InProgress))
    }
}

/// What a step asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell somebody that this level was reached.
    Alert(Pressure),
    /// Run the shrink hooks, then let the allocator give back; report with [`Ladder::purged`].
    Purge,
    /// Ask for a fresh worker.
    Recycle(RecycleReason),
    /// Nothing helps and nobody can take over: finish what is in flight and leave, so that whoever started the
    /// process starts it anew.
    Shutdown,
    /// Memory is calm again.
    Cleared,
}

/// Why a fresh worker is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecycleReason {
    /// Memory reached the mark.
    Threshold,
    /// The forecast reaches the limit before a later replacement could be ready.
    Forecast,
    /// Purging did not help within its time.
    PurgeIneffective,
    /// Refusing requests did not help within its time.
    Shedding,
}

impl fmt::Display for RecycleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecycleReason::Threshold => "memory reached the recycle threshold",
            RecycleReason::Forecast => {
                "memory will reach the limit before a later replacement could be ready"
            }
            RecycleReason::PurgeIneffective => "purging did not help",
            RecycleReason::Shedding => "refusing requests did not help",
        })
    }
}

/// The outcome of one look.
#[derive(Clone, Debug, PartialEq)]
pub struct LadderStep {
    /// The level.
    pub pressure: Pressure,
    /// Since when, on the process's clock.
    pub since: Duration,
    /// Share of new requests to refuse.
    pub shed: ShedShare,
    /// What to do now, in this order.
    pub actions: Vec<Action>,
}

/// Where the process stands, and what it has tried.
#[derive(Clone, Debug)]
pub struct Ladder {
    rules: LadderRules,
    level: Pressure,
    since: Duration,
    /// Looks in a row that wanted at least this level, for those that need more than one.
    wanted: [u8; Pressure::ALL.len()],
    /// Since when memory has been low enough to come down.
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
    /// Whether memory has not been calm since.
    open: bool,
}

/// Looks in a row that must want a level before it is climbed. Alerting and recycling on one look would be to act
/// on a blip; purging and shedding late would be too late.
const fn observations_needed(level: Pressure) -> u8 {
    match level {
        Pressure::Alert | Pressure::Recycle => 2,
        Pressure::Calm | Pressure::Purge | Pressure::Shed => 1,
    }
}

impl Ladder {
    /// At the foot, at time zero.
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

    /// The present level.
    pub fn pressure(&self) -> Pressure {
        self.level
    }

    /// Judges one look.
    pub fn step(&mut self, observation: &Observation) -> LadderStep {
        let mut actions = Vec::new();
        if observation.now.saturating_sub(observation.read) <= self.rules.stale {
            let reason = self.recycle_reason(observation);
            self.climb(observation, reason.is_some());
            self.descend(observation, reason.is_some(), &mut actions);
            self.choose_actions(observation, reason, &mut actions);
        }
        LadderStep { pressure: self.level, since: self.since, shed: self.shedding.share(), actions }
    }

    /// Tells what the purge that was asked for gave back.
    pub fn record_purge(&mut self, result: PurgeResult) {
        self.purging.record(result);
    }

    /// Why a fresh worker is wanted at this look, if one is.
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
            self.purging.tried_for(observation.now).is_some_and(|time| time >= self.rules.purge_patience);
        (tried && levels.held(observation.memory) >= Pressure::Purge)
            .then_some(RecycleReason::PurgeIneffective)
    }

    /// The level that this look alone asks for.
    fn requested_level(&self, observation: &Observation, replace: bool) -> Pressure {
        let reached = observation.levels.reached(observation.memory);
        if reached == Pressure::Alert && observation.now < self.rules.grace {
            return Pressure::Calm;
        }
        let wanted =
            if replace && observation.replaceable() { reached.max(Pressure::Recycle) } else { reached };
        self.or_shed(observation, wanted)
    }

    /// `level`, but shedding where a fresh process would have to come and cannot.
    fn or_shed(&self, observation: &Observation, level: Pressure) -> Pressure {
        let cannot = !observation.replaceable() || observation.now < self.rules.grace;
        if level == Pressure::Recycle && cannot { Pressure::Shed } else { level }
    }

    fn climb(&mut self, observation: &Observation, replace: bool) {
        let target = self.requested_level(observation, replace);
        for (level, observations) in Pressure::ALL.into_iter().zip(&mut self.wanted) {
            *observations = if level <= target { observations.saturating_add(1) } else { 0 };
        }
        let seen_enough = |level: &Pressure| {
            *level <= target && self.wanted[*level as usize] >= observations_needed(*level)
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
        let exhausted = self.shedding.lasted(observation.now) >= self.rules.shed_patience;
        actions.extend(match (observation.replacement, reason) {
            (Some(ReplacementStatus::Available), Some(reason)) if self.level >= Pressure::Recycle => {
                Some(Action::Recycle(reason))
            }
            // A replacement that is too recent is still better than refusing people for ever.
            (Some(ReplacementStatus::TooSoon), _) if exhausted => {
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
