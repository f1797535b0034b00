//! Monitors that are not watched while something is, or was, wrong with them.

use super::harness::{Service, World};

#[test]
fn nothing_is_said_about_trouble_of_which_nobody_knows_whether_it_lasts() {
    // The minutes without a result after ten of outage, what is found then, and what is told from the tenth minute on.
    let cases: [(i64, &str, &[&str]); 4] = [
        (8, "d", &["10 reminder a", "18 reminder a"]),
        (8, "u", &["10 reminder a", "18 recovered a"]),
        (15, "d", &["10 reminder a", "20 unwatched a", "25 watched a is checked again", "25 reminder a"]),
        (15, "u", &["10 reminder a", "20 unwatched a", "25 recovered a", "25 watched a is checked again"]),
    ];
    for (gap, found, expected) in cases {
        let mut world = World::with_ids(&["a"], &["ops slack \"reminder\":\"5m\""]);
        world.run_for(10, "d");
        assert_eq!(world.take("ops"), ["0 opened a", "5 reminder a"]);
        world.run_for(gap, "x");
        world.run(&[found]);
        assert_eq!(world.take("ops"), expected, "{gap} minutes, {found}");
    }
}

#[test]
fn an_outage_that_could_not_be_told_before_its_result_expired_is_named_as_that() {
    let mut world = World::with_ids(&["a"], &["ops slack"]);
    world.run(&["u"]);
    world.set("ops", Service::Rejects);
    world.run(&["d"]);
    world.run_for(3, "x");
    world.set("ops", Service::Works);
    world.run_for(30, "x");
    let message = world.accepted[0].message.clone();
    assert_eq!(
        world.take("ops"),
        ["16 unwatched a"],
        "the service is tried again after a quarter of an hour"
    );
    let line =
        "- a: not checked: request limit reached; no result since 1970-01-01T00:01:00Z, when it was down";
    assert!(message.text.ends_with(line), "{}", message.text);
    // It was down, and is well: the channel learns of both when somebody knows.
    world.run(&["u"]);
    let told = world.take("ops");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|it| it == "35 past a"), "{told:?}");
}

#[test]
fn the_end_of_what_was_seen_to_end_is_told_though_the_monitor_is_not_watched_any_more() {
    let mut world = World::with_ids(&["a"], &["ops webhook"]);
    world.run(&["d"]);
    world.set("ops", Service::Rejects);
    world.run(&["u"]);
    world.set("ops", Service::Works);
    world.accepted.clear();
    world.run_for(20, "x");
    assert_eq!(world.take("ops"), ["16 recovered a", "17 unwatched a"]);
}

#[test]
fn a_dependency_that_nobody_watches_explains_nothing() {
    let entries = [r#""id":"base""#.to_owned(), r#""id":"app","depends-on":["base"]"#.to_owned()];
    let mut world = World::new(&entries, &["ops slack"]);
    world.run_for(3, "dd");
    assert_eq!(world.take("ops"), ["0 opened base"]);
    world.run_for(5, "xd");
    assert_eq!(
        world.take("ops"),
        ["4 opened app"],
        "the last result of the dependency was valid for a minute and a half"
    );
    world.run_for(3, "dd");
    assert_eq!(world.take("ops"), [""; 0]);
}

#[test]
fn an_improvement_of_which_nobody_knows_whether_it_holds_is_not_told() {
    let mut world = World::with_ids(&["a"], &["ops slack"]);
    world.run_for(3, "d");
    world.run(&["g"]);
    assert_eq!(world.take("ops"), ["0 opened a"]);
    world.run_for(6, "x");
    assert_eq!(world.take("ops"), [""; 0]);
    world.run_for(3, "g");
    assert_eq!(world.take("ops"), ["12 better a"], "two minutes after it was found again");
}

#[test]
fn an_edge_that_was_offline_when_a_monitor_recovered_tells_that_though_there_is_no_room_for_it_now() {
    let mut world = World::with_ids(&["a", "b"], &["ops webhook"]);
    world.run(&["du"]);
    world.set("ops", Service::Fails);
    world.run(&["uu", "oo"]);
    world.set("ops", Service::Works);
    world.accepted.clear();
    world.run_for(5, "nu");
    assert_eq!(world.take("ops"), ["3 recovered a"]);
}
