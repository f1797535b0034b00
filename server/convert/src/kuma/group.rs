//! The groups of Uptime Kuma. A group is a monitor itself: it can be paused, be within another group, and alert when one of its monitors is
//! down.

use std::collections::BTreeMap;

use super::monitor::is_paused;
use crate::cursor::Cursor;

/// The most groups within each other. More can only be a circle.
const MAX_DEPTH: usize = 16;

/// A group.
#[derive(Debug)]
struct Group {
    name: String,
    parent: Option<String>,
    paused: bool,
}

/// The groups of an input, by the numbers that Kuma gives them.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<String, Group>);

impl Groups {
    /// Reads the groups among the monitors.
    pub(super) fn read(monitors: &[Cursor<'_>]) -> Self {
        let groups = monitors.iter().filter(|it| it.text("type") == Some("group")).filter_map(|group| {
            let name = group.text("name").unwrap_or_default().to_owned();
            let parent = group.text("parent").map(str::to_owned);
            Some((group.text("id")?.to_owned(), Group { name, parent, paused: is_paused(group) }))
        });
        Groups(groups.collect())
    }

    /// Returns the names of the groups that a monitor is in, the outermost first.
    pub(super) fn names_of(&self, monitor: &Cursor<'_>) -> Vec<&str> {
        let mut names: Vec<_> = self.around(monitor).map(|group| group.name.as_str()).collect();
        names.reverse();
        names
    }

    /// Returns whether a monitor is not checked because a group that it is in is paused.
    pub(super) fn is_paused(&self, monitor: &Cursor<'_>) -> bool {
        self.around(monitor).any(|group| group.paused)
    }

    /// The groups that a monitor is in, the innermost first.
    fn around(&self, monitor: &Cursor<'_>) -> impl Iterator<Item = &Group> {
        let first = monitor.text("parent").and_then(|parent| self.0.get(parent));
        let next = |group: &&Group| group.parent.as_ref().and_then(|parent| self.0.get(parent));
        std::iter::successors(first, next).take(MAX_DEPTH)
    }
}
