//! The assignment of monitors to hubs. Pure.
//!
//! A monitor stays where its history is: an assigned monitor keeps its hub, and one that was removed returns to its hub if there is
//! room. Monitors that depend on each other share a hub, since a hub evaluates dependencies by itself. All others go to the first
//! hub with room, so that there are as few hubs as possible.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::monitor_config::{ConfigProblem, MAX_HUBS, MONITORS_PER_HUB, Monitor};

/// The most removed monitors whose hub is remembered; the longest removed is forgotten first.
const MAX_REMOVED: usize = 2000;

/// The hub of a monitor. It is stored as a tuple, as there are thousands of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(usize, String, bool)", into = "(usize, String, bool)")]
pub struct AssignedMonitor {
    /// The monitor's id.
    pub id: String,
    /// The number of its hub.
    pub hub: usize,
    /// Whether the monitor exists; otherwise it was removed, and only its history is in the hub.
    pub is_active: bool,
}

impl From<(usize, String, bool)> for AssignedMonitor {
    fn from((hub, id, is_active): (usize, String, bool)) -> Self {
        AssignedMonitor { id, hub, is_active }
    }
}

impl From<AssignedMonitor> for (usize, String, bool) {
    fn from(monitor: AssignedMonitor) -> Self {
        (monitor.hub, monitor.id, monitor.is_active)
    }
}

/// The hub of every monitor, the longest removed ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment(Vec<AssignedMonitor>);

impl Assignment {
    /// Assigns all monitors to the first hub, as they are before there is a second one.
    pub fn to_first_hub<'m>(monitors: impl Iterator<Item = &'m Monitor>) -> Self {
        let assign = |monitor: &Monitor| AssignedMonitor {
            id: monitor.id.as_str().to_owned(),
            hub: 0,
            is_active: true,
        };
        Assignment(monitors.map(assign).collect())
    }

    /// Returns the hub of a monitor; `None` if it was removed or never existed.
    pub fn hub_of(&self, id: &str) -> Option<usize> {
        self.0.iter().find(|assigned| assigned.is_active && assigned.id == id).map(|assigned| assigned.hub)
    }

    /// Returns how many hubs there are, including those that have only histories.
    pub fn hub_count(&self) -> usize {
        self.0.iter().map(|assigned| assigned.hub + 1).max().unwrap_or(1)
    }

    /// Returns the assignment of a new list of monitors: `fixed` are those of `wrangler.toml`, which belong to the first hub, and
    /// `applied` the others in their order. The error names the monitor for which there is no room.
    pub fn reassign(&self, fixed: &[Monitor], applied: &[Monitor]) -> Result<Assignment, ConfigProblem> {
        let all: Vec<&Monitor> = fixed.iter().chain(applied).collect();
        let index: MonitorIndex<'_> =
            all.iter().enumerate().map(|(member, monitor)| (monitor.id.as_str(), member)).collect();
        let mut previous = vec![None; all.len()];
        let mut next = Vec::new();
        for assigned in &self.0 {
            match index.get(assigned.id.as_str()) {
                Some(member) => previous[*member] = Some((assigned.hub, assigned.is_active)),
                None => next.push(AssignedMonitor { is_active: false, ..assigned.clone() }),
            }
        }
        next.drain(..next.len().saturating_sub(MAX_REMOVED));
        let hubs = assign_groups(&all, fixed.len(), &index, &previous)?;
        // The list is ordered by when a monitor was removed, so those that exist come last.
        for (monitor, hub) in all.iter().zip(hubs) {
            next.push(AssignedMonitor { id: monitor.id.as_str().to_owned(), hub, is_active: true });
        }
        Ok(Assignment(next))
    }
}

/// The index of every monitor in the new list, by its id.
type MonitorIndex<'i> = LiteMap<&'i str, usize>;

/// The hub of a monitor in the previous assignment, and whether it was active.
type PreviousHub = Option<(usize, bool)>;

/// The order in which groups choose their hub.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// The group includes a monitor of `wrangler.toml`.
    Fixed,
    /// All of the group are in one hub already.
    Settled,
    /// Some of the group are in a hub.
    Growing,
    /// Some of the group were in a hub before they were removed.
    Returning,
    /// None of the group was ever in a hub.
    New,
}

/// Returns the hub of every monitor of the new list, whose first `fixed` ones belong to the first hub.
fn assign_groups(
    all: &[&Monitor],
    fixed: usize,
    index: &MonitorIndex<'_>,
    previous: &[PreviousHub],
) -> Result<Vec<usize>, ConfigProblem> {
    let groups = dependency_groups(all, index).into_iter().map(|group| {
        let (rank, hub) = rank_group(&group, fixed, previous);
        (rank, hub, group)
    });
    let groups: Vec<_> = groups.collect();
    let mut hubs = vec![0; all.len()];
    let mut load = [0; MAX_HUBS];
    load[0] = fixed;
    for rank in [Rank::Fixed, Rank::Settled, Rank::Growing, Rank::Returning, Rank::New] {
        for (_, preferred, group) in groups.iter().filter(|group| group.0 == rank) {
            let size = group.iter().filter(|member| **member >= fixed).count();
            let last = if rank == Rank::Fixed { 0 } else { MAX_HUBS - 1 };
            let has_room = |hub: &usize| *hub <= last && load[*hub] + size <= MONITORS_PER_HUB;
            let hub = Some(*preferred).filter(has_room).or_else(|| (0..MAX_HUBS).find(has_room));
            let hub = hub.ok_or_else(|| no_room_problem(group, fixed, rank))?;
            load[hub] += size;
            for member in group {
                hubs[*member] = hub;
            }
        }
    }
    Ok(hubs)
}

/// Returns the rank of a group, and the hub that has most of it, or had.
fn rank_group(group: &[usize], fixed: usize, previous: &[PreviousHub]) -> (Rank, usize) {
    if group[0] < fixed {
        return (Rank::Fixed, 0);
    }
    // One active monitor outweighs all removed ones.
    let active_weight = group.len() + 1;
    let (mut weights, mut preferred) = ([0; MAX_HUBS], 0);
    for (hub, is_active) in group.iter().filter_map(|member| previous[*member]) {
        if let Some(weight) = weights.get_mut(hub) {
            *weight += if is_active { active_weight } else { 1 };
            preferred = if weights[hub] > weights[preferred] { hub } else { preferred };
        }
    }
    let rank = match weights[preferred] {
        0 => Rank::New,
        weight if weight < active_weight => Rank::Returning,
        weight if weight < active_weight * group.len() => Rank::Growing,
        _ => Rank::Settled,
    };
    (rank, preferred)
}

/// Returns the groups of monitors that depend on each other, by their indices in the list. A monitor without dependencies is a group
/// of its own. Groups are ordered by their first monitor.
fn dependency_groups(all: &[&Monitor], index: &MonitorIndex<'_>) -> Vec<Vec<usize>> {
    // A disjoint-set forest; the root of a group is its first monitor.
    let mut parents: Vec<usize> = (0..all.len()).collect();
    let find_root = |parents: &[usize], mut member: usize| {
        while parents[member] != member {
            member = parents[member];
        }
        member
    };
    for (member, monitor) in all.iter().enumerate() {
        for on in monitor.depends_on.iter().filter_map(|on| index.get(on.as_str())) {
            let (a, b) = (find_root(&parents, member), find_root(&parents, *on));
            parents[a.max(b)] = a.min(b);
        }
    }
    let mut groups = vec![Vec::new(); all.len()];
    for member in 0..all.len() {
        groups[find_root(&parents, member)].push(member);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn no_room_problem(group: &[usize], fixed: usize, rank: Rank) -> ConfigProblem {
    let entry = group.get(MONITORS_PER_HUB).or(group.last()).map_or(0, |member| member.saturating_sub(fixed));
    let size = group.len();
    let reason = if size > MONITORS_PER_HUB {
        format!(
            "is one of {size} monitors that depend on each other; they have to share a hub, which has room for {MONITORS_PER_HUB}"
        )
    } else if rank == Rank::Fixed {
        format!(
            "depends on a monitor of wrangler.toml, or the other way round; they have to share the first hub, which has room for {MONITORS_PER_HUB}"
        )
    } else {
        format!(
            "has no room: {MAX_HUBS} hubs of {MONITORS_PER_HUB} monitors are full if dependent monitors share a hub"
        )
    };
    ConfigProblem { position: format!("{}[{entry}]", crate::monitor_config::applied::LIST), reason }
}

#[cfg(test)]
mod tests;
