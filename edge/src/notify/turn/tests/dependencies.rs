//! Monitors that depend on others.

use super::harness::World;
use crate::domain::incident::actions::IncidentUpdate;

/// `db`, and `api` that depends on it; `db` has further settings.
fn pair(of_database: &str, list: &[&str]) -> World {
    let database = format!(r#""id":"db"{of_database}"#);
    World::new(&[database, r#""id":"api","depends-on":["db"]"#.to_owned()], list)
}

#[test]
fn an_outage_that_a_dependency_explains_is_told_with_the_dependency() {
    let mut world = pair("", &["ops slack"]);
    world.run(&["uu", "dd", "dd", "dd", "uu", "uu"]);
    let opened = world.accepted[0].message.text.clone();
    assert!(opened.contains("1 monitor that depends on it is affected: api."), "{opened}");
    assert_eq!(world.take("ops"), ["1 opened db", "4 recovered db"]);
}

#[test]
fn an_outage_is_told_at_once_when_the_dependency_does_not_explain_it_any_more() {
    // (name, settings of the dependency, channels, ticks of `db` and `api`, what `ops` is told)
    type Case<'c> = (&'c str, &'c str, &'c [&'c str], &'c [&'c str], &'c [&'c str]);
    let all: &[&str] = &["ops slack", "team slack"];
    let cases: [Case<'_>; 6] = [
        ("it lasts longer", "", all, &["dd", "dd", "ud"], &["0 opened db", "2 recovered db", "2 opened api"]),
        ("the dependency is only slow", "", all, &["gd", "gd"], &["0 opened db", "0 opened api"]),
        ("both are slow", "", all, &["gg", "gg"], &["0 opened db"]),
        ("nobody is told of it", r#","alerts":[]"#, all, &["dd"], &["0 opened api"]),
        ("another team is told", r#","alerts":["team"]"#, all, &["dd"], &["0 opened api"]),
        (
            "it fails first",
            "",
            all,
            &["ud", "dd", "uu"],
            &["0 opened api", "1 opened db", "2 recovered db", "2 recovered api"],
        ),
    ];
    for (name, settings, list, ticks, expected) in cases {
        let mut world = pair(settings, list);
        world.run(ticks);
        assert_eq!(world.take("ops"), expected, "{name}");
    }
}

#[test]
fn an_outage_is_told_when_the_incident_of_the_dependency_is_resolved_by_hand() {
    let mut world = pair("", &["ops slack"]);
    world.run(&["dd", "dd"]);
    world.change_incident("db", |incident, at| {
        IncidentUpdate { resolve: true, ..IncidentUpdate::default() }.apply(incident, at).unwrap();
    });
    world.run(&["dd", "dd"]);
    assert_eq!(world.take("ops"), ["0 opened db", "2 ended db", "2 opened api"]);
}

#[test]
fn a_dependency_of_a_dependency_explains_an_outage_as_well() {
    let entries = [
        r#""id":"web","depends-on":["api"]"#.to_owned(),
        r#""id":"api","depends-on":["db"],"alerts":[]"#.to_owned(),
        r#""id":"db""#.to_owned(),
    ];
    let mut world = World::new(&entries, &["ops slack"]);
    world.run(&["uuu", "ddd", "ddd"]);
    assert!(world.accepted[0].message.text.contains("1 monitor that depends on it is affected: web."));
    assert_eq!(world.take("ops"), ["1 opened db"]);
}

#[test]
fn a_child_that_comes_and_goes_behind_its_dependency_is_not_told_afterwards() {
    let mut world = pair("", &["ops slack"]);
    world.run(&["du", "dd", "du", "uu", "uu"]);
    assert_eq!(world.take("ops"), ["0 opened db", "3 recovered db"]);
}
