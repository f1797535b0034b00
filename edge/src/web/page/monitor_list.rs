//! The monitors on the status page. A short page has a card for each; on a long one, those that need no attention are rows, in groups
//! that fold.

use crate::domain::State;
use crate::view::{MemoryDayView, MonitorView, StatusPageView};

/// Most cards of a page; with fifty, it has 40 kB.
const MAX_CARDS: usize = 50;

/// All monitors, in groups.
pub(super) struct MonitorList<'a> {
    /// In the order in which the groups first appear; monitors without a group come first.
    pub(super) groups: Vec<MonitorGroup<'a>>,
    /// Whether there are more than [`MAX_CARDS`], so that groups fold.
    pub(super) is_long: bool,
}

/// The monitors of a group.
#[derive(Default)]
pub(super) struct MonitorGroup<'a> {
    /// `None` for monitors without a group.
    pub(super) name: Option<&'a str>,
    pub(super) cards: Vec<MonitorCard<'a>>,
    pub(super) rows: Vec<&'a MonitorView>,
}

/// A monitor as a card.
pub(super) struct MonitorCard<'a> {
    pub(super) view: &'a MonitorView,
    pub(super) memory_day: Option<&'a MemoryDayView>,
}

impl<'a> MonitorList<'a> {
    pub(super) fn new(view: &'a StatusPageView) -> Self {
        let monitors = &view.status.monitors;
        let is_long = monitors.len() > MAX_CARDS;
        let mut groups: Vec<MonitorGroup<'a>> = Vec::new();
        let mut cards = 0;
        for monitor in monitors {
            let name = monitor.group.as_deref();
            let position = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
                let position = if name.is_none() { 0 } else { groups.len() };
                groups.insert(position, MonitorGroup { name, ..MonitorGroup::default() });
                position
            });
            if is_long && (cards == MAX_CARDS || !needs_attention(monitor)) {
                groups[position].rows.push(monitor);
            } else {
                let memory_day = view.memory_days.iter().find(|day| day.monitor == monitor.id);
                groups[position].cards.push(MonitorCard { view: monitor, memory_day });
                cards += 1;
            }
        }
        MonitorList { groups, is_long }
    }

    /// Returns whether a group is unfolded at first: it has a monitor that needs attention, or it is the only one.
    pub(super) fn is_open(&self, group: &MonitorGroup<'_>) -> bool {
        let needs_attention = group.rows.iter().any(|monitor| needs_attention(monitor));
        self.groups.len() == 1 || !group.cards.is_empty() || needs_attention
    }
}

impl MonitorGroup<'_> {
    /// Returns how many monitors have each state that occurs.
    pub(super) fn counts(&self) -> Vec<(State, usize)> {
        let states =
            || self.cards.iter().map(|card| card.view.state).chain(self.rows.iter().map(|it| it.state));
        let count = |state: State| (state, states().filter(|it| *it == state).count());
        State::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect()
    }
}

/// Returns whether a monitor is in trouble, or expected to run out of memory.
fn needs_attention(monitor: &MonitorView) -> bool {
    let is_leaking = monitor.forecast.as_ref().is_some_and(|forecast| forecast.reaches_limit.is_some());
    monitor.state.is_trouble() || is_leaking
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;
    use crate::domain::snapshot::{MonitorSnapshot, StatusSnapshot};
    use crate::view::StatusView;

    /// A page with monitors of these groups and states; their ids are their positions.
    fn page_of(monitors: &[(Option<&str>, State)]) -> StatusPageView {
        let snapshot = |(index, (group, state)): (usize, &(Option<&str>, State))| MonitorSnapshot {
            id: index.to_string(),
            group: group.map(str::to_owned),
            state: *state,
            ..MonitorSnapshot::default()
        };
        let monitors = monitors.iter().enumerate().map(snapshot).collect();
        let status = StatusView::from(&StatusSnapshot { monitors, ..StatusSnapshot::default() });
        StatusPageView { now: UnixMillis(0), status, memory_days: Vec::new(), incidents: Vec::new() }
    }

    /// The groups of a page with the ids of their cards and rows: `a: cards 1 2, rows 3`, and `folded`.
    fn list(page: &StatusPageView) -> Vec<String> {
        let list = MonitorList::new(page);
        let lines = list.groups.iter().map(|group| {
            let cards = group.cards.iter().map(|card| card.view.id.as_str()).collect::<Vec<_>>().join(" ");
            let rows = group.rows.iter().map(|view| view.id.as_str()).collect::<Vec<_>>().join(" ");
            let folded = if list.is_open(group) { "" } else { ", folded" };
            format!("{}: cards {cards}, rows {rows}{folded}", group.name.unwrap_or("-"))
        });
        lines.collect()
    }

    #[test]
    fn a_short_page_has_a_card_for_each_monitor() {
        let page = page_of(&[(Some("a"), State::Up), (None, State::Down), (Some("a"), State::Unobserved)]);
        assert_eq!(list(&page), ["-: cards 1, rows ", "a: cards 0 2, rows "]);
        assert!(!MonitorList::new(&page).is_long);
    }

    #[test]
    fn on_a_long_page_only_monitors_in_trouble_have_cards_and_groups_without_any_are_folded() {
        let mut monitors = vec![(Some("a"), State::Up); MAX_CARDS];
        monitors.extend([(Some("b"), State::Down), (Some("b"), State::Up), (Some("c"), State::Unobserved)]);
        let page = page_of(&monitors);
        let groups = list(&page);
        assert!(
            groups[0].starts_with("a: cards , rows 0 1 2 ") && groups[0].ends_with(" 49, folded"),
            "{groups:?}"
        );
        assert_eq!(groups[1..], ["b: cards 50, rows 51", "c: cards , rows 52, folded"]);
        let counts = MonitorList::new(&page).groups[1].counts();
        assert_eq!(counts, [(State::Up, 1), (State::Down, 1)]);
    }

    #[test]
    fn a_long_page_in_trouble_has_a_bounded_number_of_cards_and_unfolds_the_rest() {
        let groups = ["a", "b", "c"];
        let monitors: Vec<_> = groups.iter().flat_map(|name| vec![(Some(*name), State::Down); 30]).collect();
        let page = page_of(&monitors);
        let list_of_page = MonitorList::new(&page);
        let sum =
            |count: fn(&MonitorGroup<'_>) -> usize| list_of_page.groups.iter().map(count).sum::<usize>();
        let (cards, rows) = (sum(|group| group.cards.len()), sum(|group| group.rows.len()));
        assert_eq!((cards, rows), (MAX_CARDS, 90 - MAX_CARDS));
        assert!(list(&page).iter().all(|group| !group.ends_with("folded")), "{:?}", list(&page));
        let alone = page_of(&vec![(None, State::Up); 60]);
        assert!(!list(&alone)[0].ends_with("folded"), "the only group");
    }
}
