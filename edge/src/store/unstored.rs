//! The changes of ticks that a full store did not take. They are written with the first tick that it takes.

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;

use crate::domain::engine::TickChanges;
use crate::domain::history::ledger::LedgerChanges;
use crate::domain::incident::Incident;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// The most changes that are kept, some 2 MB: forty monitors that change their state every minute for eight hours.
const MAX_CHANGES: usize = 20_000;

/// What is not stored yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct UnstoredChanges {
    /// The last tick that is stored; `None` if there is none.
    pub(super) last_stored: Option<UnixMillis>,
    /// The first tick that is not.
    pub(super) since: UnixMillis,
    ledgers: LiteMap<MonitorId, LedgerChanges>,
    incidents: Vec<Incident>,
    recordings: Vec<(MonitorId, UnixMillis, Vec<SampleRun>)>,
}

impl UnstoredChanges {
    /// Takes the changes of a tick that could not be stored after the tick `last_stored`. What is kept of them is what no later tick has:
    /// the probes are not.
    pub(super) fn of(commit: &TickChanges, last_stored: Option<UnixMillis>, since: UnixMillis) -> Self {
        UnstoredChanges {
            last_stored,
            since,
            ledgers: commit.ledgers.iter().cloned().collect(),
            incidents: commit.incidents.clone(),
            recordings: commit.recordings.clone(),
        }
    }

    /// Puts the changes before those of a later tick.
    pub(super) fn put_before(self, commit: &mut TickChanges) {
        let mut ledgers = self.ledgers;
        for (monitor, later) in std::mem::take(&mut commit.ledgers) {
            let earlier = ledgers.remove(&monitor).unwrap_or_default();
            ledgers.insert(monitor, earlier.followed_by(later));
        }
        commit.ledgers = ledgers.into_iter().collect();
        let is_later = |incident: &Incident, later: &[Incident]| {
            later.iter().any(|it| it.monitor == incident.monitor && it.opened == incident.opened)
        };
        let mut incidents = self.incidents;
        incidents.retain(|incident| !is_later(incident, &commit.incidents));
        incidents.append(&mut commit.incidents);
        commit.incidents = incidents;
        let mut recordings = self.recordings;
        recordings.append(&mut commit.recordings);
        commit.recordings = recordings;
    }

    /// Replaces an incident that was changed by hand.
    pub(super) fn replace_incident(&mut self, incident: &Incident) {
        let same = |it: &&mut Incident| it.monitor == incident.monitor && it.opened == incident.opened;
        if let Some(known) = self.incidents.iter_mut().find(same) {
            known.clone_from(incident);
        }
    }

    /// Whether there are more changes than are kept.
    pub(super) fn is_too_much(&self) -> bool {
        let entries: usize = self.ledgers.values().map(|changes| changes.added.len()).sum();
        entries + self.incidents.len() + 100 * self.recordings.len() > MAX_CHANGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;
    use crate::domain::engine::Tick;
    use crate::domain::history::ledger::LedgerEntry;
    use crate::domain::quota::QuotaUsage;

    fn entry(at: i64, state: State) -> LedgerEntry {
        LedgerEntry { from: UnixMillis(at), state }
    }

    fn commit(at: i64, ledgers: &[(&str, LedgerChanges)]) -> TickChanges {
        TickChanges {
            tick: Tick { at: UnixMillis(at), received: UnixMillis(at) },
            probes: Vec::new(),
            persisted_states: vec![u8::try_from(at).unwrap()],
            ledgers: ledgers.iter().map(|(id, changes)| (id.parse().unwrap(), changes.clone())).collect(),
            incidents: Vec::new(),
            recordings: vec![("a".parse().unwrap(), UnixMillis(at), Vec::new())],
            events: Vec::new(),
            usage: QuotaUsage::default(),
        }
    }

    fn added(entries: &[LedgerEntry]) -> LedgerChanges {
        LedgerChanges { added: entries.to_vec(), ..LedgerChanges::default() }
    }

    #[test]
    fn what_ticks_changed_is_stored_with_a_later_one_in_their_order() {
        let (down, up) = (entry(1, State::Down), entry(3, State::Up));
        let first = commit(1, &[("a", added(&[down])), ("b", added(&[down]))]);
        let mut second = commit(2, &[]);
        let stored = Some(UnixMillis(0));
        UnstoredChanges::of(&first, stored, UnixMillis(1)).put_before(&mut second);
        let unstored = UnstoredChanges::of(&second, stored, UnixMillis(1));
        assert_eq!((unstored.last_stored, unstored.since), (stored, UnixMillis(1)));
        let amended =
            LedgerChanges { replace_from: Some(UnixMillis(1)), ..added(&[entry(2, State::Down), up]) };
        let mut third = commit(3, &[("b", amended), ("a", added(&[up]))]);
        unstored.put_before(&mut third);
        assert_eq!(third.persisted_states, [3], "the states are those of the last tick");
        let ledgers: LiteMap<MonitorId, LedgerChanges> = third.ledgers.into_iter().collect();
        let added_to =
            |id: &str| ledgers.iter().find(|(known, _)| known.as_str() == id).unwrap().1.added.clone();
        assert_eq!(added_to("a"), [down, up]);
        assert_eq!(added_to("b"), [entry(2, State::Down), up]);
        assert_eq!(third.recordings.iter().map(|(_, at, _)| at.0).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let many: Vec<LedgerEntry> = (0..20_000).map(|at| entry(at, State::Up)).collect();
        let mut commit = commit(1, &[("a", added(&many[..19_000]))]);
        assert!(!UnstoredChanges::of(&commit, None, UnixMillis(1)).is_too_much());
        commit.ledgers[0].1 = added(&many);
        assert!(UnstoredChanges::of(&commit, None, UnixMillis(1)).is_too_much());
    }
}
