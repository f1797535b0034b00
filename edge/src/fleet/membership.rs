//! What a hub knows of the other hubs.

use serde::{Deserialize, Serialize};

use super::assignment::Assignment;

/// A hub's own number, how many hubs there are, and at the first hub which hub watches which monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The hub's number.
    pub number: usize,
    /// How many hubs there are.
    pub hub_count: usize,
    /// Hubs that have not taken over their part of the present lists; the first hub repeats it with every tick.
    pub out_of_sync: Vec<usize>,
    /// Which hub watches which monitor; empty at all hubs but the first.
    pub assignment: Assignment,
}

impl Default for Membership {
    /// The first hub, alone.
    fn default() -> Self {
        Membership { number: 0, hub_count: 1, out_of_sync: Vec::new(), assignment: Assignment::default() }
    }
}

impl Membership {
    /// Notes that all other hubs have to take over a change.
    pub fn mark_out_of_sync(&mut self) {
        self.out_of_sync = (1..self.hub_count).collect();
    }
}
