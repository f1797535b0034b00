//! What one recipient was told about one incident, from the messages that its service got.

use std::collections::BTreeMap;

use heapbeat_edge::domain::incident::Severity;

use crate::script::MONITORS;

/// What was told about one incident. `None` as a severity says that it is over.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Belief {
    /// What the recipient believes: what its service accepted last.
    pub(crate) believes: Option<Severity>,
    /// What the edge knows that it was told: the last message whose answer arrived.
    pub(crate) confirmed: Option<Severity>,
    /// Whether the last message that was accepted, or confirmed, had a cause beyond the way in which probes fail.
    pub(crate) said_cause: bool,
    pub(crate) confirmed_cause: bool,
    /// When the last message was confirmed.
    pub(crate) at: i64,
    /// What was sent since without a known answer.
    pub(crate) uncertain: Vec<Option<Severity>>,
    /// The key of the last message that was accepted and whose answer was lost, and what it said; unless it was about many incidents, or
    /// something else was sent since that may have been accepted.
    pub(crate) key: Option<(String, String)>,
    /// Whether a turn should have told of it, and could not.
    pub(crate) is_owed: bool,
    /// The same, if everything that may hold a message back is left out.
    pub(crate) may_be_owed: bool,
    /// The turns for which nothing hindered a message that is due, and in which the recipient accepted no other one.
    pub(crate) turns: usize,
    /// The same, with the turns in which it accepted others that may come first.
    pub(crate) waited: usize,
    /// The most messages that waited for the recipient at once meanwhile.
    pub(crate) crowd: usize,
    /// As `turns` for a reminder.
    pub(crate) reminder_turns: usize,
}

impl Belief {
    /// The service accepted a message. `is_new`: it did not drop it as one that it knows. `is_known`: its answer arrived.
    pub(crate) fn accept(
        &mut self,
        (said, has_cause): (Option<Severity>, bool),
        key: Option<(String, String)>,
        (is_new, is_known): (bool, bool),
        now: i64,
    ) {
        if is_new {
            (self.believes, self.said_cause) = (said, has_cause);
        }
        self.key = key.filter(|_| !is_known);
        self.reminder_turns = 0;
        if is_known {
            (self.confirmed, self.confirmed_cause, self.at) = (said, has_cause, now);
            (self.is_owed, self.may_be_owed) = (false, false);
            self.uncertain.clear();
        } else {
            self.uncertain.push(said);
        }
    }

    /// A message was sent that may have been accepted.
    pub(crate) fn doubt(&mut self, said: Option<Severity>, claim: &str) {
        self.uncertain.push(said);
        self.key = self.key.take().filter(|(_, earlier)| earlier == claim);
    }

    /// Whether the edge is sure of what it was told, and that is this.
    pub(crate) fn is_surely(&self, said: Option<Severity>) -> bool {
        self.confirmed == said && self.uncertain.iter().all(|it| *it == said)
    }
}

/// What became of the messages with one key.
#[derive(Clone, Debug)]
pub(crate) struct KeyUse {
    /// What they say.
    pub(crate) claim: String,
    /// Whether the service accepted one, and whether its answer arrived.
    pub(crate) is_accepted: bool,
    pub(crate) is_answered: bool,
}

/// One recipient.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    /// By monitor and incident.
    pub(crate) told: Vec<Vec<Belief>>,
    /// By monitor, the number of its first incidents about which there is nothing to be told any more.
    pub(crate) settled: [usize; MONITORS],
    /// The keys that its service got.
    pub(crate) keys: BTreeMap<String, KeyUse>,
    /// Until when the edge may wait with the next attempt.
    pub(crate) blocked_until: i64,
    /// Until when the service wants no request.
    pub(crate) asked_until: i64,
    /// The first failure since the last message that was accepted.
    pub(crate) failing_since: Option<i64>,
    /// Whether its subscription has ended.
    pub(crate) is_gone: bool,
    /// How many messages about incidents wait for it after the turn.
    pub(crate) crowd: usize,
}

impl Recipient {
    /// Leaves out the incidents about which there is nothing to be told any more. The latest may begin anew.
    pub(crate) fn settle(&mut self, monitor: usize) {
        let all = &self.told[monitor];
        let is_settled = |told: &Belief| told.believes.is_none() && !told.is_owed;
        while self.settled[monitor] + 1 < all.len() && is_settled(&all[self.settled[monitor]]) {
            self.settled[monitor] += 1;
        }
    }
}

impl Default for Recipient {
    fn default() -> Self {
        Recipient {
            told: vec![Vec::new(); MONITORS],
            settled: [0; MONITORS],
            keys: BTreeMap::new(),
            blocked_until: 0,
            asked_until: 0,
            failing_since: None,
            is_gone: false,
            crowd: 0,
        }
    }
}
