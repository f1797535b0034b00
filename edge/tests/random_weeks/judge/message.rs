//! Whether a message about incidents is true, new, and asked for.

use super::{Judge, is_channel};
use crate::episode::{End, Why};
use crate::record::{Answer, Claim, Heard};
use crate::script::{DAY, SUBSCRIBER, TickPlan};

/// Most messages to one recipient at once that do not become one.
const MOST_SINGLE: usize = 5;

impl Judge<'_> {
    /// Applies a message about one incident, or about many.
    pub(super) fn hear_incidents(
        &mut self,
        tick: &TickPlan,
        heard: &Heard,
        is_new: bool,
    ) -> Result<(), String> {
        let is_batch = !heard.parts.is_empty();
        // Services that keep incidents by a key get one message for each.
        let may_be_batch = matches!(heard.recipient, 1 | SUBSCRIBER) && heard.parts.len() > MOST_SINGLE;
        if is_batch && !may_be_batch {
            return Err(format!("unasked: one message for {} incidents", heard.parts.len()));
        }
        let all = if is_batch { heard.parts.as_slice() } else { std::slice::from_ref(&heard.said) };
        for said in all {
            let key = Some((heard.key.clone(), self.claim(said))).filter(|_| !is_batch);
            self.hear_incident(tick, heard, said, (key, is_new))
                .map_err(|what| format!("{what}; {said:?}"))?;
        }
        Ok(())
    }

    fn hear_incident(
        &mut self,
        tick: &TickPlan,
        heard: &Heard,
        said: &Claim,
        (key, is_new): (Option<(String, String)>, bool),
    ) -> Result<(), String> {
        let recipient = heard.recipient;
        let (monitor, index) = self.find(said)?;
        let is_end = matches!(said.event.as_str(), "recovered" | "ended" | "past");
        if is_end {
            self.judge_end(tick, recipient, (monitor, index), said)?;
        } else {
            self.judge_trouble(tick, recipient, (monitor, index), said)?;
        }
        let state = Some(said.severity).filter(|_| !is_end);
        let has_cause = self.episodes[monitor][index].why.is_deep();
        let claim = self.claim(said);
        let told = &mut self.recipients[recipient].told[monitor][index];
        let repeats_on_purpose = matches!(said.event.as_str(), "reminder" | "cause");
        match heard.answer {
            Answer::Accepted | Answer::Lost | Answer::Killed(true) => {
                let is_repeated = told.believes == state && !repeats_on_purpose;
                if is_repeated && told.uncertain.is_empty() && !(is_end && told.may_be_owed) {
                    return Err(format!("doubled: {told:?}"));
                }
                if let (Some((before, said_before)), Some((key, said_now))) = (&told.key, &key)
                    && said_before == said_now
                    && before != key
                {
                    return Err(format!("doubled: with another key: {told:?}"));
                }
                let is_known = heard.answer == Answer::Accepted;
                told.accept((state, has_cause), key, (is_new, is_known), tick.at);
            }
            Answer::Failed | Answer::Killed(false) => told.doubt(state, &claim),
            // For a subscriber it is not worth a row that the message was not accepted.
            Answer::Busy(_) | Answer::Rejected if !is_channel(recipient) => told.doubt(state, &claim),
            Answer::Busy(_) | Answer::Rejected | Answer::Gone => {}
        }
        Ok(())
    }

    /// Finds the incident that a message is about.
    pub(super) fn find(&self, said: &Claim) -> Result<(usize, usize), String> {
        let number = said.monitor.strip_prefix('m').and_then(|number| number.parse::<usize>().ok());
        let opened = said.incident.rsplit_once('-').and_then(|(_, second)| second.parse::<i64>().ok());
        let (Some(monitor), Some(opened)) = (number, opened) else {
            return Err("false: not about an incident".to_owned());
        };
        let all = self.episodes.get(monitor).map_or(&[][..], Vec::as_slice);
        let index = all.iter().rposition(|it| it.opened.div_euclid(1000) == opened);
        index
            .map(|index| (monitor, index))
            .ok_or_else(|| format!("false: there is no such incident, but {:?}", all.last()))
    }

    /// A message that there is trouble: it is there, it is this bad, and the recipient is to be told of it now.
    fn judge_trouble(
        &self,
        tick: &TickPlan,
        recipient: usize,
        (monitor, index): (usize, usize),
        said: &Claim,
    ) -> Result<(), String> {
        let (episode, told) =
            (&self.episodes[monitor][index], &self.recipients[recipient].told[monitor][index]);
        let fail = |what: &str| Err(format!("{what}: {told:?}; {episode:?}"));
        let state = Some(said.severity);
        if !episode.is_open() || episode.current != state || self.monitors[monitor].is_unknown {
            return fail("false");
        }
        if !self.monitors[monitor].is_observed {
            return fail("false: nobody knows whether that is so");
        }
        let names_cause = match episode.why {
            Why::Failing(failing) => failing.words().iter().any(|words| said.title.contains(words)),
            Why::Memory | Why::OutOfMemory => said.title.contains("memory"),
            Why::Crash => said.title.contains("crash") || said.title.contains("instance"),
            Why::Unknown => true,
        };
        if !names_cause {
            return fail("false: another cause");
        }
        if !tick.wants(recipient, monitor) {
            return fail("unasked: the monitor is not this recipient's");
        }
        if self.is_quiet(tick, recipient, episode) {
            return fail("unasked: in quiet hours");
        }
        if said.event != "better" && self.is_explained(tick, recipient, monitor, true) {
            return fail("unasked: a dependency explains it");
        }
        let is_due = match said.event.as_str() {
            "opened" => told.confirmed.is_none() || told.uncertain.contains(&None),
            "worse" => told.confirmed < state || told.uncertain.iter().any(|it| *it != state),
            "better" => told.confirmed > state && self.is_steady(tick, monitor, episode),
            "cause" => told.confirmed == state && !told.confirmed_cause && episode.why.is_deep(),
            "reminder" => {
                let interval = self.script.reminders[recipient];
                told.confirmed == state
                    && !episode.is_acknowledged
                    && interval.is_some_and(|interval| tick.at + 2000 - told.at >= interval)
            }
            _ => false,
        };
        if is_due { Ok(()) } else { fail("false: not due") }
    }

    /// A message that an incident is over, for the recipient at least.
    fn judge_end(
        &self,
        tick: &TickPlan,
        recipient: usize,
        (monitor, index): (usize, usize),
        said: &Claim,
    ) -> Result<(), String> {
        let (episode, told) =
            (&self.episodes[monitor][index], &self.recipients[recipient].told[monitor][index]);
        let fail = |what: &str| Err(format!("{what}: {told:?}; {episode:?}"));
        let is_wanted = tick.wants(recipient, monitor);
        let end = episode.ended.map(|(_, end)| end);
        let is_latest = index + 1 == self.episodes[monitor].len();
        let title = said.title.as_str();
        let is_true = match said.event.as_str() {
            "recovered" => end == Some(End::Recovered) && (is_latest || !title.contains("has recovered")),
            "ended" if !is_wanted && title.contains("no longer go") => is_channel(recipient),
            "ended" if !is_wanted && title.contains("no further notifications") => !is_channel(recipient),
            "ended" if title.contains("removed from") && !tick.monitors[monitor].listed => true,
            _ => end.is_some_and(|end| names_end(title, end)),
        };
        if !is_true || said.severity != episode.worst {
            return fail("false");
        }
        if self.is_quiet(tick, recipient, episode) {
            return fail("unasked: in quiet hours");
        }
        let is_recent = episode.ended.is_some_and(|(at, _)| tick.at - at <= DAY);
        let knows = told.confirmed.is_some() || told.uncertain.iter().any(Option::is_some);
        let is_due = match said.event.as_str() {
            "past" => {
                let is_sure = told.confirmed.is_some();
                !is_sure && (is_wanted || is_channel(recipient)) && (knows || told.may_be_owed && is_recent)
            }
            // A subscriber learns nothing about a monitor that is not public any more.
            "recovered" => told.confirmed.is_some() && (is_wanted || is_channel(recipient)),
            _ => knows,
        };
        if is_due { Ok(()) } else { fail("false: not due") }
    }
}

/// Whether a title names how an incident ended.
fn names_end(title: &str, end: End) -> bool {
    let words = match end {
        End::Recovered => return !title.contains(", when "),
        End::Resolved => ["resolved manually"; 2],
        End::Maintenance => ["maintenance began"; 2],
        End::Removed => ["removed from the configuration"; 2],
        End::Rescheduled => ["another schedule", "rescheduled"],
    };
    words.iter().any(|words| title.contains(words))
}
