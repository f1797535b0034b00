use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::monitor_config::MonitorConfig;

/// Reads monitors from their ids and dependencies.
fn monitors(list: &[(String, Vec<String>)]) -> Vec<Monitor> {
    let entry = |(id, on): &(String, Vec<String>)| json!({"id": id, "kind": "http", "url": "https://a.example", "depends-on": on});
    let entries: Vec<Value> = list.iter().map(entry).collect();
    let config = MonitorConfig::parse_entries("monitors", &entries, false, &[], entries.len());
    assert_eq!(config.problems, []);
    config.monitors
}

fn independent(ids: impl IntoIterator<Item = usize>) -> Vec<Monitor> {
    let list: Vec<_> = ids.into_iter().map(|id| (format!("m{id}"), Vec::new())).collect();
    monitors(&list)
}

/// `count` monitors, each of which depends on the one before.
fn chain(name: &str, count: usize) -> Vec<(String, Vec<String>)> {
    let id = |at: usize| format!("{name}{at}");
    (0..count).map(|at| (id(at), if at == 0 { vec![] } else { vec![id(at - 1)] })).collect()
}

fn count_by_hub(assignment: &Assignment) -> BTreeMap<usize, usize> {
    let mut load = BTreeMap::new();
    for assigned in assignment.0.iter().filter(|assigned| assigned.is_active) {
        *load.entry(assigned.hub).or_default() += 1;
    }
    load
}

#[test]
fn a_hub_has_forty_monitors() {
    let assignment = Assignment::default().reassign(&[], &independent(0..100)).unwrap();
    assert_eq!(count_by_hub(&assignment), BTreeMap::from([(0, 40), (1, 40), (2, 20)]));
    assert_eq!(assignment.hub_count(), 3);
    assert_eq!(
        (assignment.hub_of("m0"), assignment.hub_of("m99"), assignment.hub_of("m100")),
        (Some(0), Some(2), None)
    );
    let fixed = monitors(&chain("fixed", 15));
    let assignment = Assignment::default().reassign(&fixed, &independent(0..100)).unwrap();
    assert_eq!(count_by_hub(&assignment), BTreeMap::from([(0, 40), (1, 40), (2, 35)]));
    assert_eq!(assignment.hub_of("fixed14"), Some(0));
    assert_eq!(Assignment::default().hub_count(), 1);
}

#[test]
fn an_assignment_is_read_as_it_was_stored() {
    let assignment = Assignment::default()
        .reassign(&[], &independent(0..50))
        .unwrap()
        .reassign(&[], &independent(25..90))
        .unwrap();
    let text = serde_json::to_string(&assignment).unwrap();
    assert!(text.starts_with(r#"[[0,"m0",false],"#), "{text}");
    assert_eq!(serde_json::from_str::<Assignment>(&text).unwrap(), assignment);
}

#[test]
fn a_monitor_that_returns_is_assigned_to_its_old_hub() {
    let all = Assignment::default().reassign(&[], &independent(0..100)).unwrap();
    let fewer = all.reassign(&[], &independent((0..100).filter(|id| id % 3 != 0))).unwrap();
    assert_eq!((fewer.hub_of("m45"), fewer.hub_count()), (None, 3));
    let again = fewer.reassign(&[], &independent(0..100)).unwrap();
    for id in (0..100).map(|id| format!("m{id}")) {
        assert_eq!(again.hub_of(&id), all.hub_of(&id), "{id}");
    }
    // A new monitor of the same list does not take its room.
    let both = fewer.reassign(&[], &independent((0..100).chain(200..210))).unwrap();
    assert_eq!(both.hub_of("m45"), all.hub_of("m45"));
}

#[test]
fn dependent_monitors_share_a_hub() {
    let mut list: Vec<_> = (0..35).map(|id| (format!("m{id}"), vec![])).collect();
    list.extend(chain("chain", 30));
    let assignment = Assignment::default().reassign(&[], &monitors(&list)).unwrap();
    assert_eq!(count_by_hub(&assignment), BTreeMap::from([(0, 35), (1, 30)]));
    // One more joins them, although another hub has more room.
    list.push(("chain30".to_owned(), vec!["chain29".to_owned()]));
    let more = assignment.reassign(&[], &monitors(&list)).unwrap();
    assert_eq!(more.hub_of("chain30"), Some(1));
    // A dependency on a monitor of wrangler.toml assigns them to the first hub, if it has room.
    let fixed = independent([900]);
    list[35].1.push("m900".to_owned());
    let entries: Vec<_> = list[35..]
        .iter()
        .map(|(id, on)| json!({"id": id, "kind": "http", "url": "https://a.example", "depends-on": on}))
        .collect();
    let config = MonitorConfig::parse_entries("monitors", &entries, false, &[fixed[0].id.clone()], 100);
    let drawn = Assignment::default().reassign(&fixed, &config.monitors).unwrap();
    assert_eq!(drawn.hub_of("chain30"), Some(0));
    let full = Assignment::default().reassign(&independent(900..910), &config.monitors).unwrap_err();
    assert_eq!(full.position, "monitors[30]");
    assert!(full.reason.contains("wrangler.toml"), "{}", full.reason);
}

#[test]
fn a_group_without_room_is_refused() {
    let mut list: Vec<_> = (0..3).map(|id| (format!("m{id}"), vec![])).collect();
    list.extend(chain("chain", 41));
    let problem = Assignment::default().reassign(&[], &monitors(&list)).unwrap_err();
    assert_eq!(problem.position, "monitors[43]");
    assert_eq!(
        problem.reason,
        "is one of 41 monitors that depend on each other; they have to share a hub, which has room for 40"
    );
    // Groups of 21 leave room for 19 in each hub.
    let groups: Vec<_> = (0..46).flat_map(|group| chain(&format!("g{group}-"), 21)).collect();
    let problem = Assignment::default().reassign(&[], &monitors(&groups)).unwrap_err();
    assert_eq!(problem.position, "monitors[965]");
    assert!(problem.reason.starts_with("has no room: 45 hubs"), "{}", problem.reason);
}

#[test]
fn forty_five_hubs_can_be_full() {
    let assignment = Assignment::default().reassign(&[], &independent(0..1800)).unwrap();
    assert_eq!(
        (assignment.hub_count(), count_by_hub(&assignment).values().all(|load| *load == 40)),
        (45, true)
    );
    let none = assignment.reassign(&[], &[]).unwrap();
    assert_eq!(none.reassign(&[], &independent(0..1800)).unwrap(), assignment);
    let others = none.reassign(&[], &independent(2000..3800)).unwrap();
    assert_eq!(others.hub_count(), 45);
    assert_eq!(others.reassign(&[], &[]).unwrap().0.len(), MAX_REMOVED);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// After any sequence of lists of monitors without dependencies no hub has more than 40, every monitor has one hub, and those
    /// of the list before have kept theirs.
    #[test]
    fn monitors_keep_their_hub(lists in proptest::collection::vec(proptest::collection::btree_set(0_usize..400, 0..300), 1..6)) {
        let mut assignment = Assignment::default();
        for list in lists {
            let next = assignment.reassign(&[], &independent(list.iter().copied())).unwrap();
            prop_assert_eq!(next.0.iter().filter(|assigned| assigned.is_active).count(), list.len());
            prop_assert!(count_by_hub(&next).values().all(|load| *load <= 40));
            for id in list.iter().map(|id| format!("m{id}")) {
                prop_assert!(next.hub_of(&id).is_some());
                if let Some(hub) = assignment.hub_of(&id) {
                    prop_assert_eq!(next.hub_of(&id), Some(hub));
                }
            }
            prop_assert_eq!(next.reassign(&[], &independent(list.iter().copied())).unwrap(), next.clone(), "again the same");
            assignment = next;
        }
    }

    /// Groups of any shape share a hub, and no hub has more than 40.
    #[test]
    fn groups_share_a_hub(lists in proptest::collection::vec(proptest::collection::vec((1_usize..12, any::<u64>()), 1..40), 1..4)) {
        let mut assignment = Assignment::default();
        for list in lists {
            let mut all = Vec::new();
            for (group, (size, seed)) in list.iter().enumerate() {
                for member in 0..*size {
                    let on = usize::try_from(seed >> member).unwrap() % member.max(1);
                    let on = if member == 0 { vec![] } else { vec![format!("g{group}-{on}")] };
                    all.push((format!("g{group}-{member}"), on));
                }
            }
            let next = assignment.reassign(&[], &monitors(&all)).unwrap();
            prop_assert!(count_by_hub(&next).values().all(|load| *load <= 40));
            for (id, on) in &all {
                for on in on {
                    prop_assert_eq!(next.hub_of(id), next.hub_of(on));
                }
            }
            assignment = next;
        }
    }
}
