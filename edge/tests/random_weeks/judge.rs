//! Holds the record of a week against its script.
//!
//! The judge knows what was so ([`crate::truth`], [`crate::episode`]), and from the record what each recipient believes. It knows nothing of
//! the engine. These are its verdicts:
//!
//! - **false**: a message says what is not so.
//! - **lost**: a recipient whose service works believes what is not so, for more turns than [`duties::MOST_TURNS`].
//! - **doubled**: the same is said twice, and the answer to the first was not lost; or with another key, though nothing else was sent in
//!   between that may have arrived.
//! - **shared**: two messages that say different things have one key. Services that process each key once drop the second one, here too.
//! - **unasked**: in quiet hours, of what a dependency explains, too early a reminder, or before a service wanted another request.

mod duties;
mod message;
mod notices;
mod told;
mod unwatched;

use heapbeat_edge::domain::incident::Severity;

use crate::episode::{self, Episode};
use crate::record::{Acted, Answer, Claim, Heard, Record};
use crate::script::{
    Action, CHANNELS, JOB, MINUTE, MONITORS, RECIPIENTS, SUBSCRIBER, Script, Service, TickKind, TickPlan,
};
use crate::truth::Monitor;

use self::notices::Notices;
use self::told::{Belief, KeyUse, Recipient};
use self::unwatched::WatchBelief;

pub(crate) use self::duties::MOST_TURNS;

/// The longest time between two attempts, unless the service asks for more.
const LONGEST_RETRY: i64 = 15 * MINUTE;

/// The recipients whose service processes each key once: webhooks. The others show a message again, or know its incident by another name.
const PROCESS_KEYS_ONCE: [usize; 2] = [0, SUBSCRIBER];

/// What a week had.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) incidents: usize,
    pub(crate) messages: usize,
    /// How many messages came in the first turn in which nothing hindered them, in the second, and so on.
    pub(crate) turns: [usize; MOST_TURNS + 1],
    /// The most turns for which a message waited beyond the number of messages that waited for the same recipient.
    pub(crate) longest: usize,
    /// How many messages there were of each event.
    pub(crate) events: std::collections::BTreeMap<String, usize>,
}

/// What is so, and what each recipient believes.
pub(crate) struct Judge<'s> {
    script: &'s Script,
    monitors: Vec<Monitor>,
    episodes: Vec<Vec<Episode>>,
    recipients: Vec<Recipient>,
    notices: Notices,
    /// What each channel was told of monitors that are not watched.
    watch: [WatchBelief; CHANNELS],
    /// Whether each recipient accepted a message in this turn, and whether one that was not of the past.
    served: [bool; RECIPIENTS],
    served_news: [bool; RECIPIENTS],
    summary: Summary,
}

impl<'s> Judge<'s> {
    pub(crate) fn new(script: &'s Script) -> Self {
        Judge {
            script,
            monitors: vec![Monitor::default(); MONITORS],
            episodes: vec![Vec::new(); MONITORS],
            recipients: vec![Recipient::default(); RECIPIENTS],
            notices: Notices::default(),
            watch: Default::default(),
            served: [false; RECIPIENTS],
            served_news: [false; RECIPIENTS],
            summary: Summary::default(),
        }
    }

    /// Judges a week.
    pub(crate) fn judge(mut self, record: &Record) -> Result<Summary, String> {
        let (mut heard, mut acted) = (record.heard.as_slice(), record.acted.as_slice());
        for (number, tick) in self.script.ticks.iter().enumerate() {
            let (now, later) = heard.split_at(heard.partition_point(|it| it.tick <= number));
            heard = later;
            let (acts, later) = acted.split_at(acted.partition_point(|it| it.tick <= number));
            acted = later;
            let result =
                self.judge_tick(tick, now).and_then(|()| acts.iter().try_for_each(|it| self.act(tick, it)));
            result.map_err(|what| format!("tick {number}: {what}"))?;
        }
        self.summary.incidents = self.episodes.iter().map(Vec::len).sum();
        self.summary.messages = record.heard.len();
        Ok(self.summary)
    }

    fn judge_tick(&mut self, tick: &TickPlan, heard: &[Heard]) -> Result<(), String> {
        if tick.kind == TickKind::Missed {
            return if heard.is_empty() { Ok(()) } else { Err("false: a message without a tick".to_owned()) };
        }
        if tick.subscribes && self.recipients[SUBSCRIBER].is_gone {
            let keys = std::mem::take(&mut self.recipients[SUBSCRIBER].keys);
            self.recipients[SUBSCRIBER] = Recipient { keys, ..Recipient::default() };
        }
        for monitor in 0..MONITORS {
            if let Some(reading) = self.monitors[monitor].observe(self.script, tick, monitor) {
                episode::observe(&mut self.episodes[monitor], tick.at, &reading);
            }
            let known = self.episodes[monitor].len();
            for recipient in &mut self.recipients {
                recipient.told[monitor].resize(known, Belief::default());
            }
        }
        let is_served = |it: &Heard, recipient| it.recipient == recipient && it.answer == Answer::Accepted;
        self.served = std::array::from_fn(|recipient| heard.iter().any(|it| is_served(it, recipient)));
        self.served_news = std::array::from_fn(|recipient| {
            heard.iter().any(|it| is_served(it, recipient) && it.said.event != "past")
        });
        let is_killed = heard.iter().any(|it| matches!(it.answer, Answer::Killed(_)));
        self.record_duties(tick, is_killed);
        self.notices.failing_since = std::array::from_fn(|channel| self.recipients[channel].failing_since);
        if let Some(last) = heard.last().filter(|_| is_killed) {
            self.doubt_messages(is_channel(last.recipient));
            self.doubt_notices();
            if is_channel(last.recipient) {
                self.doubt_unwatched(tick);
            }
        }
        for message in heard {
            *self.summary.events.entry(message.said.event.clone()).or_default() += 1;
            self.hear(tick, message)?;
        }
        if !is_killed {
            self.check_duties(tick)?;
            self.check_notices(tick)?;
            self.check_unwatched(tick)?;
        }
        if let Some(report) = tick.report {
            self.monitors[JOB].job.report(self.script, tick.at, report);
        }
        Ok(())
    }

    /// An edge that is killed cannot know which of the messages that it meant to send did arrive.
    fn doubt_messages(&mut self, to_channels: bool) {
        for recipient in (0..RECIPIENTS).filter(|it| is_channel(*it) == to_channels) {
            for (monitor, episodes) in self.episodes.iter().enumerate() {
                for (episode, told) in episodes.iter().zip(&mut self.recipients[recipient].told[monitor]) {
                    if !told.is_surely(episode.current) {
                        // Nobody knows what it would have said.
                        told.doubt(episode.current, "");
                    }
                }
            }
        }
    }

    /// Applies a message that a service got, and its answer.
    fn hear(&mut self, tick: &TickPlan, heard: &Heard) -> Result<(), String> {
        let recipient = heard.recipient;
        let describe = |what: &str| {
            let Heard { key, said, answer, .. } = heard;
            format!("{what}: {} to r{recipient}: {:?}, {key}, {answer:?}", said.event, said.title)
        };
        if self.recipients[recipient].is_gone {
            return Err(describe("unasked: the subscription has ended"));
        }
        // Two seconds are the time that a tick may take.
        if recipient != SUBSCRIBER && tick.at + 2000 < self.recipients[recipient].asked_until {
            return Err(describe("unasked: the service wanted no request yet"));
        }
        let is_accepted = matches!(heard.answer, Answer::Accepted | Answer::Lost | Answer::Killed(true));
        let claim = self.claim_of(heard);
        let known = self.recipients[recipient].keys.get(&heard.key);
        if let Some(known) = known.filter(|known| known.claim != claim) {
            return Err(describe(&format!("shared: the key is that of {:?}", known.claim)));
        }
        if is_accepted && known.is_some_and(|known| known.is_answered) {
            return Err(describe("doubled: the same key once more"));
        }
        let was_accepted = known.is_some_and(|known| known.is_accepted);
        let is_new = !(was_accepted && PROCESS_KEYS_ONCE.contains(&recipient));
        if heard.said.event.starts_with("channel-") {
            self.hear_notice(tick, heard, is_new).map_err(|what| describe(&what))?;
        } else if heard.said.event.ends_with("watched") {
            self.hear_unwatched(tick, heard, is_new).map_err(|what| describe(&what))?;
        } else {
            self.hear_incidents(tick, heard, is_new).map_err(|what| describe(&what))?;
        }
        let state = &mut self.recipients[recipient];
        let use_of_key = KeyUse {
            claim,
            is_accepted: is_accepted || was_accepted,
            is_answered: heard.answer == Answer::Accepted,
        };
        state.keys.insert(heard.key.clone(), use_of_key);
        match heard.answer {
            Answer::Accepted => {
                (state.blocked_until, state.asked_until, state.failing_since) = (0, 0, None);
            }
            Answer::Killed(_) => {}
            Answer::Gone => state.is_gone = true,
            answer => {
                let delay = if let Answer::Busy(seconds) = answer {
                    i64::from(seconds.max(1)) * 1000
                } else {
                    LONGEST_RETRY
                };
                state.blocked_until = tick.at + delay;
                state.asked_until = if matches!(answer, Answer::Busy(_)) { state.blocked_until } else { 0 };
                state.failing_since.get_or_insert(tick.at);
                state.told.iter_mut().flatten().for_each(|told| (told.turns, told.waited) = (0, 0));
            }
        }
        Ok(())
    }

    /// What a message says, as far as it makes it another one.
    fn claim_of(&self, heard: &Heard) -> String {
        if heard.parts.is_empty() {
            return self.claim(&heard.said);
        }
        heard.parts.iter().map(|part| self.claim(part)).collect::<Vec<_>>().join(", ")
    }

    fn claim(&self, said: &Claim) -> String {
        let Claim { incident, event, severity, title, .. } = said;
        if event == "unwatched" {
            return format!("{event} {incident} {:?}", unwatched::named_in(title));
        }
        let Ok((monitor, index)) = self.find(said) else { return format!("{event} {incident}") };
        let episode = &self.episodes[monitor][index];
        let state = match event.as_str() {
            // An incident that opened again may end once more.
            "recovered" | "past" => format!("{:?} {:?}", episode.worst, episode.ended),
            "ended" => format!("{title} {:?}", episode.ended.map(|end| (episode.worst, end))),
            _ => format!("{severity:?}"),
        };
        format!("{event} {incident} {state} {}", episode.why.is_deep())
    }

    /// Applies what somebody did.
    fn act(&mut self, tick: &TickPlan, acted: &Acted) -> Result<(), String> {
        let id = format!("m{}", acted.monitor);
        let open = self.episodes[acted.monitor].last_mut().filter(|it| it.is_open());
        let expected = open.as_ref().map(|it| format!("{id}-{}", it.opened / 1000));
        if expected != acted.incident {
            return Err(format!("false: {:?} is open instead of {expected:?}", acted.incident));
        }
        if let (Some(episode), Some((_, action))) = (open, tick.action) {
            match action {
                Action::Acknowledge => episode.is_acknowledged = true,
                Action::Resolve => episode.resolve(tick.at),
            }
        }
        Ok(())
    }

    /// Whether nothing hinders a message to a recipient: its service works, and no delay of a failure lasts.
    fn is_clear(&self, tick: &TickPlan, recipient: usize) -> bool {
        tick.services[recipient] == Service::Works && tick.at >= self.recipients[recipient].blocked_until
    }

    /// Whether quiet hours keep a recipient from being told of an incident.
    fn is_quiet(&self, tick: &TickPlan, recipient: usize, episode: &Episode) -> bool {
        self.script.is_quiet(recipient, tick.at) && episode.worst != Severity::Down
    }

    /// The monitors that another one depends on, directly or indirectly.
    fn dependencies(&self, tick: &TickPlan, monitor: usize) -> Vec<usize> {
        let mut all = Vec::new();
        let mut next = self.script.dependency(tick, monitor);
        while let Some(on) = next {
            all.push(on);
            next = self.script.dependency(tick, on);
        }
        all
    }
}

/// Whether the recipient is one of the owner's channels.
fn is_channel(recipient: usize) -> bool {
    recipient < CHANNELS
}
