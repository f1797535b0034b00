use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;

/// Monitors by their ids, each with what it depends on.
fn monitors(list: &[(String, Vec<String>)]) -> Vec<Monitor> {
    let entry = |(id, on): &(String, Vec<String>)| json!({"id": id, "kind": "http", "url": "https://a.example", "depends-on": on});
    let entries: Vec<Value> = list.iter().map(entry).collect();
    let config = Config::parse_entries("monitors", &entries, false, &[], entries.len());
    assert_eq!(config.problems, []);
    config.monitors
}

fn alone(ids: impl IntoIterator<Item = usize>) -> Vec<Monitor> {
    let list: Vec<_> = ids.into_iter().map(|id| (format!("m{id}"), Vec::new())).collect();
    monitors(&list)
}

/// `count` monitors, each of which depends on the one before.
fn chain(name: &str, count: usize) -> Vec<(String, Vec<String>)> {
    let id = |at: usize| format!("{name}{at}");
    (0..count).map(|at| (id(at), if at == 0 { vec![] } else { vec![id(at - 1)] })).collect()
}

fn by_hub(places: &Assignment) -> BTreeMap<usize, usize> {
    let mut load = BTreeMap::new();
    for place in places.0.iter().filter(|place| place.watched) {
        *load.entry(place.hub).or_default() += 1;
    }
    load
}

#[test]
fn forty_to_a_hub() {
    let places = Assignment::default().next(&[], &alone(0..100)).unwrap();
    assert_eq!(by_hub(&places), BTreeMap::from([(0, 40), (1, 40), (2, 20)]));
    assert_eq!(places.hubs(), 3);
    assert_eq!((places.hub_of("m0"), places.hub_of("m99"), places.hub_of("m100")), (Some(0), Some(2), None));
    let fixed = monitors(&chain("fixed", 15));
    let places = Assignment::default().next(&fixed, &alone(0..100)).unwrap();
    assert_eq!(by_hub(&places), BTreeMap::from([(0, 40), (1, 40), (2, 35)]));
    assert_eq!(places.hub_of("fixed14"), Some(0));
    assert_eq!(Assignment::default().hubs(), 1);
}

#[test]
fn an_assignment_is_stored_whole() {
    let assignment =
        Assignment::default().next(&[], &alone(0..50)).unwrap().next(&[], &alone(25..90)).unwrap();
    let text = serde_json::to_string(&assignment).unwrap();
    assert!(text.starts_with(r#"[[0,"m0",false],"#), "{text}");
    assert_eq!(serde_json::from_str::<Assignment>(&text).unwrap(), assignment);
}

#[test]
fn who_returns_finds_the_place_again() {
    let all = Assignment::default().next(&[], &alone(0..100)).unwrap();
    let fewer = all.next(&[], &alone((0..100).filter(|id| id % 3 != 0))).unwrap();
    assert_eq!((fewer.hub_of("m45"), fewer.hubs()), (None, 3));
    let again = fewer.next(&[], &alone(0..100)).unwrap();
    for id in (0..100).map(|id| format!("m{id}")) {
        assert_eq!(again.hub_of(&id), all.hub_of(&id), "{id}");
    }
    // Somebody who was never there leaves the room to who was, in one list.
    let both = fewer.next(&[], &alone((0..100).chain(200..210))).unwrap();
    assert_eq!(both.hub_of("m45"), all.hub_of("m45"));
}

#[test]
fn dependents_are_together() {
    let mut list: Vec<_> = (0..35).map(|id| (format!("m{id}"), vec![])).collect();
    list.extend(chain("chain", 30));
    let places = Assignment::default().next(&[], &monitors(&list)).unwrap();
    assert_eq!(by_hub(&places), BTreeMap::from([(0, 35), (1, 30)]));
    // One more joins them, wherever there is more room.
    list.push(("chain30".to_owned(), vec!["chain29".to_owned()]));
    let more = places.next(&[], &monitors(&list)).unwrap();
    assert_eq!(more.hub_of("chain30"), Some(1));
    // What is fixed draws them to the first hub, while there is room.
    let fixed = alone([900]);
    list[35].1.push("m900".to_owned());
    let entries: Vec<_> = list[35..]
        .iter()
        .map(|(id, on)| json!({"id": id, "kind": "http", "url": "https://a.example", "depends-on": on}))
        .collect();
    let config = Config::parse_entries("monitors", &entries, false, &[fixed[0].id.clone()], 100);
    let drawn = Assignment::default().next(&fixed, &config.monitors).unwrap();
    assert_eq!(drawn.hub_of("chain30"), Some(0));
    let full = Assignment::default().next(&alone(900..910), &config.monitors).unwrap_err();
    assert_eq!(full.position, "monitors[30]");
    assert!(full.reason.contains("wrangler.toml"), "{}", full.reason);
}

#[test]
fn too_many_that_depend_on_one_another() {
    let mut list: Vec<_> = (0..3).map(|id| (format!("m{id}"), vec![])).collect();
    list.extend(chain("chain", 41));
    let problem = Assignment::default().next(&[], &monitors(&list)).unwrap_err();
    assert_eq!(problem.position, "monitors[43]");
    assert_eq!(
        problem.reason,
        "is one of 41 monitors that depend on one another; one hub watches them all, and has room for 40"
    );
    // Groups of 21 leave 19 places of each hub to others.
    let groups: Vec<_> = (0..46).flat_map(|group| chain(&format!("g{group}-"), 21)).collect();
    let problem = Assignment::default().next(&[], &monitors(&groups)).unwrap_err();
    assert_eq!(problem.position, "monitors[965]");
    assert!(problem.reason.starts_with("finds no room: 45 hubs"), "{}", problem.reason);
}

#[test]
fn as_many_as_there_can_be() {
    let places = Assignment::default().next(&[], &alone(0..1800)).unwrap();
    assert_eq!((places.hubs(), by_hub(&places).values().all(|load| *load == 40)), (45, true));
    let none = places.next(&[], &[]).unwrap();
    assert_eq!(none.next(&[], &alone(0..1800)).unwrap(), places);
    let others = none.next(&[], &alone(2000..3800)).unwrap();
    assert_eq!(others.hubs(), 45);
    assert_eq!(others.next(&[], &[]).unwrap().0.len(), MOST_REMOVED);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Lists of monitors without dependencies, one after the other: no hub has more than 40, everybody has one place, and
    /// whoever was in the list before is where they were.
    #[test]
    fn nobody_moves_without_need(lists in proptest::collection::vec(proptest::collection::btree_set(0_usize..400, 0..300), 1..6)) {
        let mut places = Assignment::default();
        for list in lists {
            let next = places.next(&[], &alone(list.iter().copied())).unwrap();
            prop_assert_eq!(next.0.iter().filter(|place| place.watched).count(), list.len());
            prop_assert!(by_hub(&next).values().all(|load| *load <= 40));
            for id in list.iter().map(|id| format!("m{id}")) {
                prop_assert!(next.hub_of(&id).is_some());
                if let Some(hub) = places.hub_of(&id) {
                    prop_assert_eq!(next.hub_of(&id), Some(hub));
                }
            }
            prop_assert_eq!(next.next(&[], &alone(list.iter().copied())).unwrap(), next.clone(), "again the same");
            places = next;
        }
    }

    /// Groups of any shape: together, never more than 40, and with the hubs that they need at most twice.
    #[test]
    fn groups_stay_whole(lists in proptest::collection::vec(proptest::collection::vec((1_usize..12, any::<u64>()), 1..40), 1..4)) {
        let mut places = Assignment::default();
        for list in lists {
            let mut all = Vec::new();
            for (group, (size, seed)) in list.iter().enumerate() {
                for member in 0..*size {
                    let on = usize::try_from(seed >> member).unwrap() % member.max(1);
                    let on = if member == 0 { vec![] } else { vec![format!("g{group}-{on}")] };
                    all.push((format!("g{group}-{member}"), on));
                }
            }
            let next = places.next(&[], &monitors(&all)).unwrap();
            prop_assert!(by_hub(&next).values().all(|load| *load <= 40));
            for (id, on) in &all {
                for on in on {
                    prop_assert_eq!(next.hub_of(id), next.hub_of(on));
                }
            }
            places = next;
        }
    }
}
