//! Dependencies between the monitors of a list: each must exist, and none may lead back to its monitor.
//!
//! A monitor sends no alert while one that it depends on has an incident. In a cycle each would wait for the others, so none would
//! ever send one.

use std::collections::{BTreeMap, VecDeque};

use super::{ConfigProblem, Monitor, MonitorId, problem};

/// The most ids of a cycle that a problem lists.
const MAX_SHOWN: usize = 10;

/// Removes the dependencies that do not exist or are part of a cycle, and reports them. `positions` are those of the monitors;
/// `known` are the ids that exist besides them, such as those of entries that have another problem.
pub(super) fn check_dependencies(
    monitors: &mut [Monitor],
    positions: &[String],
    known: &[MonitorId],
) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let index: BTreeMap<MonitorId, usize> =
        monitors.iter().enumerate().map(|(at, monitor)| (monitor.id.clone(), at)).collect();
    let edges: Vec<Vec<usize>> = monitors
        .iter()
        .map(|monitor| monitor.depends_on.iter().filter_map(|on| index.get(on).copied()).collect())
        .collect();
    let ids: Vec<MonitorId> = monitors.iter().map(|monitor| monitor.id.clone()).collect();
    for (at, (monitor, position)) in monitors.iter_mut().zip(positions).enumerate() {
        let position = format!("{position}.depends-on");
        let mut cycle = None;
        monitor.depends_on.retain(|on| {
            let Some(&target) = index.get(on) else {
                if !known.contains(on) {
                    problems.push(problem(&position, format!("there is no monitor `{on}`")));
                }
                return known.contains(on);
            };
            let path = find_path(&edges, target, at);
            let is_free = path.is_none();
            cycle = cycle.take().or(path);
            is_free
        });
        if let Some(path) = cycle {
            problems.push(problem(&position, describe_cycle(&ids, at, &path)));
        }
    }
    problems
}

/// Describes the cycle that begins at the monitor `at` and leads along `path` back to it.
fn describe_cycle(ids: &[MonitorId], at: usize, path: &[usize]) -> String {
    let mut names: Vec<&str> =
        [at].iter().chain(path).filter_map(|&at| ids.get(at)).map(MonitorId::as_str).collect();
    if names.len() > MAX_SHOWN {
        names.splice(MAX_SHOWN - 2..names.len() - 1, ["…"]);
    }
    format!(
        "these monitors depend on each other: {}; none of them would alert, so remove one of the dependencies",
        names.join(" → ")
    )
}

/// Returns a shortest path along `edges` from one monitor to another, with both; `None` if there is none.
fn find_path(edges: &[Vec<usize>], from: usize, to: usize) -> Option<Vec<usize>> {
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::from([(from, from)]);
    let mut pending = VecDeque::from([from]);
    while let Some(at) = pending.pop_front() {
        if at == to {
            let mut path = vec![at];
            let mut last = at;
            while let Some(&previous) = came_from.get(&last).filter(|&&previous| previous != last) {
                path.push(previous);
                last = previous;
            }
            path.reverse();
            return Some(path);
        }
        for &next in edges.get(at).into_iter().flatten() {
            came_from.entry(next).or_insert_with(|| {
                pending.push_back(next);
                at
            });
        }
    }
    None
}
