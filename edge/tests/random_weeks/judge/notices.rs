//! What the owner's channels are told about each other.

use std::collections::BTreeMap;

use heapbeat_edge::domain::incident::Severity;

use super::{Judge, MOST_TURNS, is_channel};
use crate::record::{Answer, Heard};
use crate::script::{CHANNELS, MINUTE, TickPlan};

/// How long a channel does not accept messages before another one is told.
const DELAY: i64 = 30 * MINUTE;

/// What each channel was told about another one.
#[derive(Clone, Copy, Debug, Default)]
struct NoticeBelief {
    /// Whether it believes that the other one fails.
    believes: bool,
    /// Whether the edge knows that.
    is_confirmed: bool,
    is_uncertain: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Notices {
    /// By the channel that fails and the one that was told.
    told: BTreeMap<(usize, usize), NoticeBelief>,
    turns: [usize; CHANNELS],
    /// Since when each failed before the turn.
    pub(super) failing_since: [Option<i64>; CHANNELS],
}

impl Judge<'_> {
    /// Applies a message about another channel.
    pub(super) fn hear_notice(&mut self, tick: &TickPlan, heard: &Heard, is_new: bool) -> Result<(), String> {
        let id = heard.said.incident.strip_prefix("channel:c").and_then(|id| id.strip_suffix(":0"));
        let id = id.and_then(|id| id.parse::<usize>().ok());
        let Some(other) =
            id.filter(|id| *id < CHANNELS && *id != heard.recipient && is_channel(heard.recipient))
        else {
            return Err("false: about which channel?".to_owned());
        };
        let fails = heard.said.event == "channel-fails";
        // All messages of a turn are planned before any of them is sent.
        let before = self.notices.failing_since[other];
        let failing_since = self.recipients[other].failing_since.or(before);
        let is_working = before.is_none() || self.recipients[other].failing_since.is_none();
        let told = self.notices.told.entry((other, heard.recipient)).or_default();
        let is_true = if fails {
            heard.said.severity == Severity::Warning
                && failing_since.is_some_and(|since| tick.at + 2000 - since >= DELAY)
        } else {
            is_working && (told.is_confirmed || told.is_uncertain)
        };
        if !is_true {
            return Err(format!("false: it fails since {failing_since:?}; {told:?}"));
        }
        if fails && told.is_confirmed && !told.is_uncertain {
            return Err("doubled".to_owned());
        }
        let believes = if is_new { fails } else { told.believes };
        match heard.answer {
            Answer::Accepted => *told = NoticeBelief { believes, is_confirmed: fails, is_uncertain: false },
            Answer::Lost | Answer::Killed(true) => (told.believes, told.is_uncertain) = (believes, true),
            Answer::Failed | Answer::Killed(false) => told.is_uncertain = true,
            Answer::Busy(_) | Answer::Rejected | Answer::Gone => {}
        }
        Ok(())
    }

    /// An edge that was killed cannot know which notices did arrive.
    pub(super) fn doubt_notices(&mut self) {
        for failing in 0..CHANNELS {
            for other in (0..CHANNELS).filter(|other| *other != failing) {
                self.notices.told.entry((failing, other)).or_default().is_uncertain = true;
            }
        }
    }

    /// Checks that somebody knows of a channel that fails while messages wait for it, and that those who were told know that it works.
    pub(super) fn check_notices(&mut self, tick: &TickPlan) -> Result<(), String> {
        for failing in 0..CHANNELS {
            let since = self.recipients[failing].failing_since;
            let belief_of =
                |other: &usize| self.notices.told.get(&(failing, *other)).copied().unwrap_or_default();
            let others: Vec<usize> = (0..CHANNELS).filter(|other| *other != failing).collect();
            let is_told = others.iter().any(|other| belief_of(other).believes);
            let may_be_told =
                |other: &usize| self.is_clear(tick, *other) && !self.script.is_quiet(*other, tick.at);
            let is_late = match since {
                // While no message waits, nobody needs the channel.
                Some(since) => {
                    tick.at - since >= DELAY + MINUTE
                        && !is_told
                        && self.has_duties(tick, failing)
                        && others.iter().any(may_be_told)
                }
                None => others.iter().any(|other| belief_of(other).believes && may_be_told(other)),
            };
            let turns = &mut self.notices.turns[failing];
            *turns = if is_late { *turns + 1 } else { 0 };
            if *turns > MOST_TURNS {
                return Err(format!("lost: nobody knows that c{failing} fails since {since:?}, or works"));
            }
        }
        Ok(())
    }
}
