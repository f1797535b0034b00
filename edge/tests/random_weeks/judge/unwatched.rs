//! What the owner's channels are told about monitors that are not watched.

use std::collections::BTreeSet;

use heapbeat_edge::domain::incident::Severity;

use super::{Judge, MOST_TURNS, is_channel};
use crate::record::{Answer, Heard};
use crate::script::{CHANNELS, JOB, MINUTE, MONITORS, TickPlan};

/// How soon after a message a channel is told of changes, while some of its monitors are not watched all the time.
const UPDATE_INTERVAL: i64 = 30 * MINUTE;

/// The monitors that are not watched; none says that all are.
type Unwatched = BTreeSet<usize>;

/// What a channel was told.
#[derive(Clone, Debug, Default)]
pub(super) struct WatchBelief {
    /// What it believes: what its service accepted last.
    believes: Unwatched,
    /// What the edge knows that it was told, and when.
    confirmed: Unwatched,
    at: i64,
    /// What was sent since without a known answer.
    uncertain: Vec<Unwatched>,
    /// What an edge that was killed may have meant to send since, and to know of afterwards.
    doubted: Vec<Unwatched>,
    /// The key of the last message that may have been accepted and whose answer is not known, and what it said.
    key: Option<(String, Unwatched)>,
    /// The turns for which nothing hindered a message that is due, and in which the channel accepted no other one.
    turns: usize,
    /// The same, with the turns in which it accepted others.
    waited: usize,
    /// The most other messages that waited meanwhile.
    crowd: usize,
}

impl WatchBelief {
    /// The monitors that the channel was told of, or may have been. `with_doubts`: as far as an edge that was killed may know of it.
    fn heard(&self, with_doubts: bool) -> Unwatched {
        let doubted = self.doubted.iter().filter(|_| with_doubts);
        self.uncertain.iter().chain(doubted).fold(self.confirmed.clone(), |all, one| &all | one)
    }

    /// What was sent, or may have been, without a known answer.
    fn unanswered(&self) -> impl Iterator<Item = &Unwatched> {
        self.uncertain.iter().chain(&self.doubted)
    }
}

/// The monitors that a title names.
pub(super) fn named_in(title: &str) -> Unwatched {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    let numbers = words.filter_map(|word| word.strip_prefix('m')?.parse().ok());
    numbers.filter(|number| *number < MONITORS).collect()
}

impl Judge<'_> {
    /// The monitors that a channel has to believe not to be watched; `with_doubts`: that it may believe so.
    fn unwatched(&self, tick: &TickPlan, channel: usize, with_doubts: bool) -> Unwatched {
        let heard = self.watch[channel].heard(with_doubts);
        let is_unwatched = |monitor: &usize| {
            let (watch, is_maintained) = (&self.monitors[*monitor].watch, tick.monitors[*monitor].maintained);
            // One that it was told of stays one until it is watched again, whatever keeps the edge from that.
            let is_told = heard.contains(monitor) || watch.is_left_out(tick.at) && !is_maintained;
            tick.wants(channel, *monitor) && watch.is_unwatched(tick.at, self.script.step) && is_told
        };
        (0..MONITORS).filter(|monitor| *monitor != JOB).filter(is_unwatched).collect()
    }

    /// Applies a message about monitors that are not watched, or are watched again.
    pub(super) fn hear_unwatched(
        &mut self,
        tick: &TickPlan,
        heard: &Heard,
        is_new: bool,
    ) -> Result<(), String> {
        let channel = heard.recipient;
        if !is_channel(channel) {
            return Err("unasked: a subscriber is not told".to_owned());
        }
        let (least, most) = (self.unwatched(tick, channel, false), self.unwatched(tick, channel, true));
        let (told, named) = (&self.watch[channel], named_in(&heard.said.title));
        let fail = |what: &str| Err(format!("{what}: {named:?} instead of {least:?}; {told:?}"));
        if heard.said.severity != Severity::Warning || !heard.said.incident.starts_with("unwatched:m") {
            return fail("false");
        }
        if self.script.is_quiet(channel, tick.at) {
            return fail("unasked: in quiet hours");
        }
        let said = if heard.said.event == "unwatched" { named.clone() } else { Unwatched::new() };
        if !least.is_subset(&said)
            || !said.is_subset(&most)
            || said.is_empty() != (heard.said.event == "watched")
        {
            return fail("false");
        }
        let is_due = if said.is_empty() {
            !told.confirmed.is_empty() || told.unanswered().any(|it| !it.is_empty())
        } else {
            let differs = told.confirmed != said || told.unanswered().any(|it| *it != said);
            told.confirmed.is_empty()
                || told.unanswered().any(Unwatched::is_empty)
                || differs && tick.at + 2000 - told.at >= UPDATE_INTERVAL
        };
        if !is_due {
            return fail("false: not due");
        }
        if said.is_empty() {
            let is_named = named.is_subset(&told.heard(true)) && told.confirmed.is_subset(&named);
            let is_checked = |monitor: &usize| {
                tick.monitors[*monitor].listed && self.monitors[*monitor].watch.has_result_since(told.at)
            };
            let says_checked = heard.said.title.contains("checked again");
            if !is_named || says_checked && !named.iter().all(is_checked) {
                return fail("false: these are not the monitors");
            }
        }
        let is_accepted = matches!(heard.answer, Answer::Accepted | Answer::Lost | Answer::Killed(true));
        if is_accepted {
            if told.believes == said && told.unanswered().next().is_none() {
                return fail("doubled");
            }
            let is_other = |(key, before): &(String, Unwatched)| *before == said && *key != heard.key;
            if told.key.as_ref().is_some_and(is_other) {
                return fail("doubled: with another key");
            }
        }
        let told = &mut self.watch[channel];
        if is_accepted && is_new {
            told.believes.clone_from(&said);
        }
        match heard.answer {
            Answer::Accepted => {
                (told.confirmed, told.at, told.key) = (said, tick.at, None);
                told.uncertain.clear();
                told.doubted.clear();
            }
            Answer::Lost | Answer::Killed(true) => {
                told.key = Some((heard.key.clone(), said.clone()));
                told.uncertain.push(said);
            }
            Answer::Failed | Answer::Killed(false) => {
                told.key.take_if(|(_, before)| *before != said);
                told.uncertain.push(said);
            }
            Answer::Busy(_) | Answer::Rejected | Answer::Gone => {}
        }
        Ok(())
    }

    /// An edge that was killed cannot know which of the messages that it meant to send did arrive.
    pub(super) fn doubt_unwatched(&mut self, tick: &TickPlan) {
        for channel in 0..CHANNELS {
            let expected = self.unwatched(tick, channel, true);
            let told = &mut self.watch[channel];
            if told.confirmed != expected || told.unanswered().any(|it| *it != expected) {
                told.key = None;
                told.doubted.push(expected);
            }
        }
    }

    /// Whether a channel should be told now of monitors that are not watched, or are watched again.
    pub(super) fn owes_unwatched(&self, tick: &TickPlan, recipient: usize) -> bool {
        if !is_channel(recipient) || self.script.is_quiet(recipient, tick.at) {
            return false;
        }
        let (least, most) = (self.unwatched(tick, recipient, false), self.unwatched(tick, recipient, true));
        let told = &self.watch[recipient];
        let is_late = most.is_empty() || told.believes.is_empty() || tick.at - told.at >= UPDATE_INTERVAL;
        let is_so = least.is_subset(&told.believes) && told.believes.is_subset(&most);
        !is_so && is_late
    }

    /// Checks after the messages of a turn that every channel believes what is so, or will soon.
    pub(super) fn check_unwatched(&mut self, tick: &TickPlan) -> Result<(), String> {
        for channel in 0..CHANNELS {
            let (is_owed, is_clear) = (self.owes_unwatched(tick, channel), self.is_clear(tick, channel));
            let (was_served, crowd) = (self.served[channel], self.recipients[channel].crowd);
            let expected = self.unwatched(tick, channel, false);
            let told = &mut self.watch[channel];
            if !is_owed {
                if told.turns > 0 {
                    self.summary.turns[told.turns.min(MOST_TURNS)] += 1;
                }
                (told.turns, told.waited, told.crowd) = (0, 0, 0);
            } else if is_clear {
                (told.turns, told.waited) = (told.turns + usize::from(!was_served), told.waited + 1);
                told.crowd = told.crowd.max(crowd);
                self.summary.longest = self.summary.longest.max(told.waited.saturating_sub(told.crowd));
            }
            if told.turns > MOST_TURNS || told.waited > MOST_TURNS + told.crowd {
                return Err(format!(
                    "lost: c{channel} has to believe {expected:?} not watched, and {told:?}"
                ));
            }
        }
        Ok(())
    }
}
