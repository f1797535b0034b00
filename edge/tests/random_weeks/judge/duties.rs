//! What each recipient has to be told, and how soon.

use heapbeat_edge::domain::incident::Severity;

use super::Judge;
use super::told::Belief;
use crate::episode::Episode;
use crate::script::{DAY, MINUTE, MONITORS, RECIPIENTS, TickPlan};

/// The most turns after which a recipient is told, once nothing hinders the message: its service works, no delay of a failure lasts, no
/// quiet hours and no dependency hold it back. So long it is for turns in which the recipient accepts nothing else. With the others,
/// it is one turn more for each message that waited for the recipient at the same time: each turn brings it at least one, those that have
/// waited for longer first, and what came and went after everything else.
pub(crate) const MOST_TURNS: usize = 6;

/// The most incidents that came and went of which a recipient has to be told; a hundred, and some of them may be told of already.
const MOST_PAST: usize = 90;

/// An improvement is told after it has held for this long.
const STEADY: i64 = 2 * MINUTE;

/// What a recipient has to believe about an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    /// Anything may be believed.
    Any,
    Trouble(Severity),
    /// It is over. If nobody told of it before, that it was.
    Over,
}

impl Duty {
    fn is_done(self, told: &Belief, episode: &Episode) -> bool {
        match self {
            Duty::Any => true,
            Duty::Trouble(severity) => {
                told.believes == Some(severity) && (told.said_cause || !episode.why.is_deep())
            }
            Duty::Over => told.believes.is_none() && !told.is_owed,
        }
    }
}

impl Judge<'_> {
    /// Records before the messages of a turn what it should tell.
    pub(super) fn record_duties(&mut self, tick: &TickPlan, is_killed: bool) {
        for recipient in (0..RECIPIENTS).filter(|it| !self.recipients[*it].is_gone).collect::<Vec<_>>() {
            for monitor in 0..MONITORS {
                let is_wanted = tick.wants(recipient, monitor);
                let Some(last) = self.episodes[monitor].len().checked_sub(1) else { continue };
                let episode = &self.episodes[monitor][last];
                let is_tellable = is_wanted
                    && episode.current.is_some()
                    && !self.monitors[monitor].is_unknown
                    && self.monitors[monitor].is_observed
                    && !self.is_quiet(tick, recipient, episode);
                let is_held = is_tellable && self.is_explained(tick, recipient, monitor, false);
                let settled = self.recipients[recipient].settled[monitor];
                let all = &mut self.recipients[recipient].told[monitor][settled..];
                if !is_wanted && !is_killed {
                    for told in all.iter_mut() {
                        (told.is_owed, told.may_be_owed) = (false, false);
                    }
                }
                let told = &mut all[last - settled];
                told.may_be_owed |= is_tellable;
                told.is_owed |= is_tellable && !is_held && !is_killed && told.confirmed.is_none();
            }
        }
    }

    /// Of more than so many incidents that came and went, nobody is told of the oldest.
    fn limit_past(&mut self) {
        for recipient in &mut self.recipients {
            let all = recipient.told.iter_mut().zip(&self.episodes);
            let owed = all.flat_map(|(told, episodes)| told.iter_mut().zip(episodes));
            let mut owed: Vec<_> = owed.filter(|(told, it)| told.is_owed && !it.is_open()).collect();
            owed.sort_by_key(|(_, episode)| episode.opened);
            let surplus = owed.len().saturating_sub(MOST_PAST);
            owed.into_iter().take(surplus).for_each(|(told, _)| told.is_owed = false);
        }
    }

    /// Checks after the messages of a turn that everybody believes what is so, or will soon.
    pub(super) fn check_duties(&mut self, tick: &TickPlan) -> Result<(), String> {
        self.limit_past();
        for recipient in (0..RECIPIENTS).filter(|it| !self.recipients[*it].is_gone).collect::<Vec<_>>() {
            let mut duties = Vec::new();
            for monitor in 0..MONITORS {
                self.recipients[recipient].settle(monitor);
                for index in self.recipients[recipient].settled[monitor]..self.episodes[monitor].len() {
                    let duty = self.duty(tick, recipient, monitor, index);
                    let told = &self.recipients[recipient].told[monitor][index];
                    duties.push((monitor, index, duty, duty.is_done(told, &self.episodes[monitor][index])));
                }
            }
            let crowd = duties.iter().filter(|(.., is_done)| !is_done).count();
            self.recipients[recipient].crowd = crowd;
            for (monitor, index, duty, is_done) in duties {
                self.count_turn(tick, recipient, (monitor, index), (duty, is_done), crowd)?;
            }
        }
        Ok(())
    }

    /// Counts a turn for what a recipient has to believe about an incident.
    fn count_turn(
        &mut self,
        tick: &TickPlan,
        recipient: usize,
        (monitor, index): (usize, usize),
        (duty, is_done): (Duty, bool),
        crowd: usize,
    ) -> Result<(), String> {
        let is_clear = self.is_clear(tick, recipient);
        let episode = &self.episodes[monitor][index];
        let told = &mut self.recipients[recipient].told[monitor][index];
        if is_done {
            if duty != Duty::Any && told.turns > 0 {
                self.summary.turns[told.turns.min(MOST_TURNS)] += 1;
            }
            (told.turns, told.waited, told.crowd) = (0, 0, 0);
        } else if is_clear {
            told.turns += usize::from(!self.served[recipient]);
            // What came and went is told after everything else.
            let is_past = duty == Duty::Over && told.confirmed.is_none();
            told.waited += usize::from(!is_past || !self.served_news[recipient]);
            told.crowd = told.crowd.max(crowd);
            self.summary.longest = self.summary.longest.max(told.waited.saturating_sub(told.crowd));
        }
        let interval = self.script.reminders[recipient].filter(|_| !episode.is_acknowledged);
        let is_reminded = interval.is_some_and(|interval| tick.at - told.at >= interval)
            && matches!(duty, Duty::Trouble(severity) if told.is_surely(Some(severity)));
        if !is_reminded {
            told.reminder_turns = 0;
        } else if is_clear && !self.served[recipient] {
            told.reminder_turns += 1;
        }
        if told.turns > MOST_TURNS || told.waited > MOST_TURNS + told.crowd {
            let state = &self.monitors[monitor];
            return Err(format!(
                "lost: r{recipient} has to believe {duty:?} of m{monitor}, and {told:?}; {episode:?}; {state:?}"
            ));
        }
        if told.reminder_turns > MOST_TURNS {
            return Err(format!("lost: a reminder to r{recipient} of m{monitor}: {told:?}; {episode:?}"));
        }
        Ok(())
    }

    /// Whether something waits for a recipient.
    pub(super) fn has_duties(&self, tick: &TickPlan, recipient: usize) -> bool {
        self.owes_unwatched(tick, recipient)
            || (0..MONITORS).any(|monitor| {
                let state = &self.recipients[recipient];
                let mut unsettled = state.settled[monitor]..self.episodes[monitor].len();
                unsettled.any(|index| {
                    let (episode, told) = (&self.episodes[monitor][index], &state.told[monitor][index]);
                    !self.duty(tick, recipient, monitor, index).is_done(told, episode)
                })
            })
    }

    fn duty(&self, tick: &TickPlan, recipient: usize, monitor: usize, index: usize) -> Duty {
        let (episode, told) =
            (&self.episodes[monitor][index], &self.recipients[recipient].told[monitor][index]);
        if told.believes.is_none() && !told.is_owed && !episode.is_open() {
            return Duty::Any;
        }
        if self.monitors[monitor].is_unknown || self.is_quiet(tick, recipient, episode) {
            return Duty::Any;
        }
        if !tick.wants(recipient, monitor) {
            return if told.believes.is_some() { Duty::Over } else { Duty::Any };
        }
        if let Some((ended, _)) = episode.ended {
            let is_owed = told.is_owed && tick.at - ended <= DAY;
            return if told.believes.is_some() || is_owed { Duty::Over } else { Duty::Any };
        }
        let Some(current) = episode.current else { return Duty::Any };
        if !self.monitors[monitor].is_observed || self.is_explained(tick, recipient, monitor, false) {
            return Duty::Any;
        }
        let is_improvement = told.believes > Some(current) || told.confirmed > Some(current);
        let is_steady = self.is_steady(tick, monitor, episode) && !episode.is_restless(tick.at);
        if is_improvement && !is_steady {
            return Duty::Any;
        }
        Duty::Trouble(current)
    }

    /// Whether an improvement has held for long enough.
    pub(super) fn is_steady(&self, tick: &TickPlan, monitor: usize, episode: &Episode) -> bool {
        !self.monitors[monitor].is_flapping()
            && episode.current != Some(Severity::Crashed)
            && tick.at - episode.since >= STEADY
    }

    /// Whether trouble of a dependency explains that of a monitor to a recipient: trouble that is as bad, and that it is to be told of,
    /// or, if `is_strict`, was told of.
    pub(super) fn is_explained(
        &self,
        tick: &TickPlan,
        recipient: usize,
        monitor: usize,
        is_strict: bool,
    ) -> bool {
        let latest = |monitor: usize| self.episodes[monitor].last().filter(|it| it.is_open());
        let Some(current) = latest(monitor).and_then(|it| it.current) else { return false };
        self.dependencies(tick, monitor).into_iter().any(|on| {
            let Some(episode) = latest(on) else { return false };
            let Some(told) = self.recipients[recipient].told[on].last() else { return false };
            let is_known = if is_strict {
                told.confirmed.is_some_and(|it| it >= current) && told.uncertain.is_empty()
            } else {
                !self.is_quiet(tick, recipient, episode) || told.confirmed.is_some()
            };
            let is_as_bad = episode.current.is_some_and(|it| it >= current && it >= Severity::Degraded);
            is_as_bad
                && is_known
                && tick.wants(recipient, on)
                && !self.monitors[on].is_unknown
                && self.monitors[on].is_observed
        })
    }
}
