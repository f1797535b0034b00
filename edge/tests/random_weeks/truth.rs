//! What is so: the state of one monitor after each tick, by the documentation of monitors and jobs.

use crate::job::Job;
use crate::script::{ExitPlan, Found, JOB, MINUTE, SERVER, Script, Skip, TickKind, TickPlan};
use crate::watch::Watch;

/// How late the next result may be before nothing is known: half a minute.
const TOLERANCE: i64 = MINUTE / 2;

/// What is known of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    Degraded,
    Down,
    /// Nothing is known.
    Unobserved,
    /// Announced maintenance lasts.
    Maintenance,
    /// A job has not reported since it was added.
    Unheard,
    /// It is not in the list, and its last result has expired.
    Removed,
}

/// What one tick found of a monitor.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) state: State,
    /// What failed, if it is why the monitor is in this state.
    pub(crate) failing: Option<Failing>,
    /// Whether there was no valid result before this tick.
    pub(crate) after_gap: bool,
    /// What a report said about memory; `None` without a report.
    pub(crate) short_of_memory: Option<bool>,
    /// The ends of instances that a report made known, and that nobody asked for.
    pub(crate) crashes: Vec<(i64, ExitPlan)>,
    /// Since when the monitor changes between serving and down again and again.
    pub(crate) is_flapping: bool,
}

/// A way in which a monitor fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    Slow,
    Refused,
    Missing,
    Job,
}

impl Failing {
    /// What a title says about it: one of these.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Failing::Slow => &["response took", "[BODY]"],
            Failing::Refused => &["connection refused", "HTTP status 503"],
            Failing::Missing => &["HTTP status 404"],
            Failing::Job => {
                &["no heartbeat in time", "job failed", "job reported a failure", "job not finished in time"]
            }
        }
    }
}

/// One monitor from tick to tick.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Monitor {
    /// The last state that enough results in a row decided, and whether it is confirmed since the last gap.
    held: Option<State>,
    is_decided: bool,
    failures: u32,
    successes: u32,
    /// Whether the last result was one of maintenance.
    was_maintained: bool,
    /// Until when the last result is valid.
    valid_until: Option<i64>,
    /// When it changed between serving and down.
    changes: Vec<i64>,
    was_down: Option<bool>,
    is_flapping: bool,
    /// Whether the edge reached nothing at the last tick.
    pub(crate) is_unknown: bool,
    /// Whether a valid result decides the state after the last tick.
    pub(crate) is_observed: bool,
    /// Whether it is watched.
    pub(crate) watch: Watch,
    /// The instance of the server that reported last.
    instance: Option<usize>,
    /// What the job has reported.
    pub(crate) job: Job,
}

impl Monitor {
    /// The state that the last result stands for at `now`.
    fn state_at(&self, now: i64) -> State {
        match self.valid_until {
            Some(until) if now <= until && self.was_maintained => State::Maintenance,
            Some(until) if now <= until && self.is_decided => self.held.unwrap_or(State::Unobserved),
            _ => State::Unobserved,
        }
    }

    pub(crate) fn is_flapping(&self) -> bool {
        self.is_flapping
    }

    /// Applies a tick that the edge processed; `None` if nothing was to be found.
    pub(crate) fn observe(&mut self, script: &Script, tick: &TickPlan, monitor: usize) -> Option<Reading> {
        let reading = self.find(script, tick, monitor);
        self.is_observed = self.state_at(tick.at) != State::Unobserved;
        reading
    }

    fn find(&mut self, script: &Script, tick: &TickPlan, monitor: usize) -> Option<Reading> {
        assert_ne!(tick.kind, TickKind::Missed);
        let (now, entry) = (tick.at, tick.monitors[monitor]);
        let mut reading = Reading {
            state: self.state_at(now),
            failing: None,
            after_gap: self.state_at(now) == State::Unobserved,
            short_of_memory: None,
            crashes: Vec::new(),
            is_flapping: self.is_flapping,
        };
        if !entry.listed {
            self.job.forget();
            if self.valid_until.is_some_and(|until| now <= until) {
                return None;
            }
            *self = Monitor { valid_until: self.valid_until, ..Monitor::default() };
            reading.state = State::Removed;
            return Some(reading);
        }
        self.is_unknown = tick.offline;
        if monitor == JOB {
            self.job.begin_tick(now, entry.maintained);
        } else if tick.offline {
            self.watch.miss(now, true);
            return Some(reading);
        } else if let Some(skip) = entry.skipped {
            self.watch.miss(now, false);
            return (skip == Skip::Secret).then_some(reading);
        } else {
            self.watch.find(now);
        }
        let found = if monitor == JOB {
            match self.job.is_well(script, now) {
                None => {
                    (self.held, self.is_decided, self.failures, self.successes) = (None, false, 0, 0);
                    if !reading.after_gap {
                        (self.valid_until, self.was_maintained) = (Some(now + MINUTE), false);
                    }
                    reading.state = State::Unheard;
                    return Some(reading);
                }
                Some(true) => Found::Well,
                Some(false) => Found::Refused,
            }
        } else {
            entry.found
        };
        let interval = if monitor == JOB { MINUTE } else { script.step };
        let is_gap = self.valid_until.is_none_or(|until| now > until) || self.was_maintained;
        if !entry.maintained {
            self.count(script, monitor, found, is_gap);
        }
        self.was_maintained = entry.maintained;
        self.valid_until = Some(now + interval + TOLERANCE);
        reading.state = self.state_at(now);
        self.watch_flapping(now, reading.state);
        reading.is_flapping = self.is_flapping;
        reading.failing = match (reading.state, found) {
            (State::Down, Found::Refused) if monitor == JOB => Some(Failing::Job),
            (State::Down, Found::Refused) => Some(Failing::Refused),
            (State::Down, Found::Missing) => Some(Failing::Missing),
            (State::Degraded, Found::Slow) => Some(Failing::Slow),
            _ => None,
        };
        if monitor == SERVER && matches!(found, Found::Well | Found::Slow) {
            reading.short_of_memory = Some(tick.short_of_memory);
            if let Some(before) = self.instance.replace(tick.instance) {
                let ended = script.exits[before..tick.instance].iter().copied();
                reading.crashes = ended.filter(|(_, kind)| *kind != ExitPlan::Deploy).collect();
            }
        }
        Some(reading)
    }

    /// Counts a result: a monitor is down after so many failures in a row, and serves again after so many successes. After a gap nothing
    /// is known until a result decides again.
    fn count(&mut self, script: &Script, monitor: usize, found: Found, is_gap: bool) {
        let plan = script.monitors[monitor];
        if is_gap {
            (self.is_decided, self.failures, self.successes) = (false, 0, 0);
        }
        let was_down = self.held == Some(State::Down);
        let (next, is_enough) = match found {
            Found::Refused | Found::Missing => {
                (self.failures, self.successes) = (self.failures + 1, 0);
                (State::Down, was_down || self.failures >= plan.failure_threshold)
            }
            served => {
                (self.failures, self.successes) = (0, self.successes + 1);
                let state = if served == Found::Slow { State::Degraded } else { State::Up };
                (state, !was_down || self.successes >= plan.success_threshold)
            }
        };
        if is_enough {
            (self.held, self.is_decided) = (Some(next), true);
        }
    }

    /// Six changes between serving and down within an hour are flapping, until there was none for half an hour.
    fn watch_flapping(&mut self, now: i64, state: State) {
        let is_down = match state {
            State::Down => true,
            State::Up | State::Degraded => false,
            _ => return,
        };
        if self.was_down.replace(is_down).is_some_and(|before| before != is_down) {
            self.changes.push(now);
        }
        let Some(last) = self.changes.last() else { return };
        if now - last >= 30 * MINUTE {
            self.is_flapping = false;
        } else if let [.., first, _, _, _, _, last] = self.changes[..] {
            self.is_flapping |= last - first <= 60 * MINUTE;
        }
    }
}
