//! The membership of a hub in the fleet.

use serde::{Deserialize, Serialize};

use super::assignment::Assignment;

/// A hub's own number, how many hubs there are, and in the first hub which hub has which monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The hub's number.
    pub number: usize,
    /// How many hubs there are.
    pub hub_count: usize,
    /// The numbers of the hubs that have not stored their part of the current lists; the first hub sends it again with every tick.
    pub out_of_sync: Vec<usize>,
    /// Whether some other hub does not have the present subscriptions.
    #[serde(default)]
    pub subscriptions_changed: bool,
    /// Which hub has which monitor; empty in all hubs but the first.
    pub assignment: Assignment,
}

impl Default for Membership {
    /// Returns the membership of the only hub.
    fn default() -> Self {
        Membership {
            number: 0,
            hub_count: 1,
            out_of_sync: Vec::new(),
            subscriptions_changed: false,
            assignment: Assignment::default(),
        }
    }
}

impl Membership {
    /// Marks all other hubs as out of sync.
    pub fn mark_out_of_sync(&mut self) {
        self.out_of_sync = (1..self.hub_count).collect();
    }
}
