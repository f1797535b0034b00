//! Which hub watches which monitor. Pure.
//!
//! A monitor stays where its history is: whoever has a place keeps it, and whoever was removed gets it again on return, as
//! long as there is room. What depends on one another is together, since a hub judges what it watches itself. Everybody
//! else goes to the first hub that has room, so that there are as few hubs as can be.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::config::{MAX_HUBS, MONITORS_PER_HUB, Monitor, Problem};

/// Monitors that were removed and whose place is remembered; whoever was removed first is forgotten first.
const MOST_REMOVED: usize = 2000;

/// Which hub watches a monitor, or watched it last. It is stored as a tuple, as there are thousands of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(usize, String, bool)", into = "(usize, String, bool)")]
pub struct AssignedMonitor {
    /// The monitor's id.
    pub id: String,
    /// The number of its hub.
    pub hub: usize,
    /// Whether it is watched; otherwise its history is there.
    pub watched: bool,
}

impl From<(usize, String, bool)> for AssignedMonitor {
    fn from((hub, id, watched): (usize, String, bool)) -> Self {
        AssignedMonitor { id, hub, watched }
    }
}

impl From<AssignedMonitor> for (usize, String, bool) {
    fn from(monitor: AssignedMonitor) -> Self {
        (monitor.hub, monitor.id, monitor.watched)
    }
}

/// The hub of every monitor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment(Vec<AssignedMonitor>);

impl Assignment {
    /// Everybody at the first hub: how it was before there were more.
    pub fn at_the_first<'m>(monitors: impl Iterator<Item = &'m Monitor>) -> Self {
        let place =
            |monitor: &Monitor| AssignedMonitor { id: monitor.id.as_str().to_owned(), hub: 0, watched: true };
        Assignment(monitors.map(place).collect())
    }

    /// The hub that watches this monitor.
    pub fn hub_of(&self, id: &str) -> Option<usize> {
        self.0.iter().find(|place| place.watched && place.id == id).map(|place| place.hub)
    }

    /// How many hubs there are. One that has only histories is among them.
    pub fn hubs(&self) -> usize {
        self.0.iter().map(|place| place.hub + 1).max().unwrap_or(1)
    }

    /// Gives everybody a place: `fixed` are the monitors of `wrangler.toml`, which are the first hub's, `wanted` those that
    /// were applied, in their order. The error says which of them has none.
    pub fn next(&self, fixed: &[Monitor], wanted: &[Monitor]) -> Result<Assignment, Problem> {
        let mut all: Vec<&Monitor> = Vec::new();
        all.extend(fixed);
        all.extend(wanted);
        let mut index = Index::new();
        for (member, monitor) in all.iter().enumerate() {
            index.insert(monitor.id.as_str(), member);
        }
        let mut old = vec![None; all.len()];
        let mut next = Vec::new();
        for place in &self.0 {
            match index.get(place.id.as_str()) {
                Some(member) => old[*member] = Some((place.hub, place.watched)),
                None => next.push(AssignedMonitor { watched: false, ..place.clone() }),
            }
        }
        next.drain(..next.len().saturating_sub(MOST_REMOVED));
        let mut hubs = vec![0; all.len()];
        let mut load = [0; MAX_HUBS];
        load[0] = fixed.len();
        let mut groups = Vec::new();
        for group in groups_of(&all, &index) {
            let (rank, home) = rank_of(&group, fixed.len(), &old);
            groups.push((rank, home, group));
        }
        for rank in [Rank::Fixed, Rank::Settled, Rank::Growing, Rank::Returning, Rank::New] {
            for (_, home, group) in groups.iter().filter(|group| group.0 == rank) {
                let size = group.iter().filter(|member| **member >= fixed.len()).count();
                let last = if rank == Rank::Fixed { 0 } else { MAX_HUBS - 1 };
                let room = |hub: &usize| *hub <= last && load[*hub] + size <= MONITORS_PER_HUB;
                let hub = Some(*home).filter(room).or_else(|| (0..MAX_HUBS).find(room));
                let hub = hub.ok_or_else(|| homeless(group, fixed.len(), rank))?;
                load[hub] += size;
                for member in group {
                    hubs[*member] = hub;
                }
            }
        }
        // Behind those that were removed before.
        for (monitor, hub) in all.iter().zip(hubs) {
            next.push(AssignedMonitor { id: monitor.id.as_str().to_owned(), hub, watched: true });
        }
        Ok(Assignment(next))
    }
}

/// Where an id stands in a list.
type Index<'i> = LiteMap<&'i str, usize>;

/// Who chooses first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// With a monitor of `wrangler.toml` among them.
    Fixed,
    /// They are together already.
    Settled,
    /// Some have a place.
    Growing,
    /// Some had one.
    Returning,
    New,
}

/// The rank of a group, and the hub where it belongs: where most of them are, or were.
fn rank_of(group: &[usize], fixed: usize, old: &[Option<(usize, bool)>]) -> (Rank, usize) {
    if group[0] < fixed {
        return (Rank::Fixed, 0);
    }
    // One that is watched weighs more than all that were.
    let (mut weights, mut home) = ([0; MAX_HUBS], 0);
    for (hub, watched) in group.iter().filter_map(|member| old[*member]) {
        if let Some(weight) = weights.get_mut(hub) {
            *weight += if watched { all_of(group) } else { 1 };
            home = if weights[hub] > weights[home] { hub } else { home };
        }
    }
    let rank = match weights[home] {
        0 => Rank::New,
        weight if weight < all_of(group) => Rank::Returning,
        weight if weight < all_of(group) * group.len() => Rank::Growing,
        _ => Rank::Settled,
    };
    (rank, home)
}

/// More than any number of its members.
fn all_of(group: &[usize]) -> usize {
    group.len() + 1
}

/// Who depends on one another, by their places in the list; each group in order, by its first.
fn groups_of(all: &[&Monitor], index: &Index<'_>) -> Vec<Vec<usize>> {
    // The first of the group, or somebody nearer to it.
    let mut before: Vec<usize> = (0..all.len()).collect();
    let first = |before: &[usize], mut of: usize| {
        while before[of] != of {
            of = before[of];
        }
        of
    };
    for (place, monitor) in all.iter().enumerate() {
        for on in monitor.depends_on.iter().filter_map(|on| index.get(on.as_str())) {
            let (a, b) = (first(&before, place), first(&before, *on));
            before[a.max(b)] = a.min(b);
        }
    }
    let mut groups = vec![Vec::new(); all.len()];
    for place in 0..all.len() {
        groups[first(&before, place)].push(place);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn homeless(group: &[usize], fixed: usize, rank: Rank) -> Problem {
    let entry = group.get(MONITORS_PER_HUB).or(group.last()).map_or(0, |member| member.saturating_sub(fixed));
    let size = group.len();
    let reason = if size > MONITORS_PER_HUB {
        format!(
            "is one of {size} monitors that depend on one another; one hub watches them all, and has room for {MONITORS_PER_HUB}"
        )
    } else if rank == Rank::Fixed {
        format!(
            "depends on what stands in wrangler.toml, or the other way round; one hub watches it all, and has room for {MONITORS_PER_HUB}"
        )
    } else {
        format!(
            "finds no room: {MAX_HUBS} hubs of {MONITORS_PER_HUB} monitors are full where what depends on one another is together"
        )
    };
    Problem { position: format!("{}[{entry}]", crate::config::applied::LIST), reason }
}

#[cfg(test)]
mod tests;
