//! Corrections of the past: a report may prove what happened between two probes.

use std::time::Duration;

use super::{Ledger, LedgerChanges, LedgerEntry, StateSegment};
use crate::domain::State;

impl Ledger {
    /// Replaces the state in `found` where it is better known than what was recorded. Nothing is recorded before the ledger
    /// begins, or from the last probe on.
    #[must_use]
    pub fn amend(&mut self, found: StateSegment) -> LedgerChanges {
        let Some(validity) = self.validity else { return LedgerChanges::default() };
        let from = self.entries.front().map_or(validity.at, |first| first.from.max(found.from));
        let to = found.to.min(validity.at);
        if from >= to {
            return LedgerChanges::default();
        }
        let old: Vec<StateSegment> = self.segments(validity.at.plus(Duration::from_millis(1))).collect();
        let first = self.entries.partition_point(|entry| entry.from < from);
        let before: Vec<LedgerEntry> = self.entries.iter().skip(first).copied().collect();
        self.entries.truncate(first);
        for segment in old.into_iter().filter(|segment| segment.to > from) {
            let replaces = segment.from < to && is_better_known(found.state, segment.state);
            let state = if replaces { found.state } else { segment.state };
            let pieces = [(segment.from.max(from), state), (to, segment.state)];
            for (begin, state) in pieces {
                if begin >= segment.from && begin < segment.to {
                    self.append(LedgerEntry { from: begin, state });
                }
            }
        }
        let added: Vec<LedgerEntry> = self.entries.iter().skip(first).copied().collect();
        if added == before {
            return LedgerChanges::default();
        }
        LedgerChanges { added, replace_from: Some(from), delete_before: None }
    }
}

/// Whether `found` replaces `recorded`. A proven outage replaces `up` and `unobserved`; time of which nothing is known replaces
/// `up`. Maintenance, and an outage that a probe found, stay.
fn is_better_known(found: State, recorded: State) -> bool {
    let served = matches!(recorded, State::Up | State::Degraded);
    served || found == State::Down && recorded == State::Unobserved
}
