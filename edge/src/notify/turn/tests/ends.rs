//! Messages that end an incident without a recovery.

use super::harness::{World, monitors};
use crate::domain::incident::actions::{IncidentUpdate, Note};

#[test]
fn a_monitor_that_leaves_while_it_is_down_ends_its_alerts_in_words() {
    let mut world = World::with_ids(&["api", "web"], &["ops slack", "team slack"]);
    world.run(&["dd", "dd"]);
    world.accepted.clear();
    // `api` is removed, and `web` is told to another team only.
    world.config = monitors(&[r#""id":"web","alerts":["team"]"#.to_owned()]);
    world.run(&["d", "d", "u", "u"]);
    let titles: Vec<_> = world
        .accepted
        .iter()
        .filter(|it| it.channel == "ops")
        .map(|it| (it.message.title.clone(), it.message.text.lines().last().unwrap().to_owned()))
        .collect();
    assert_eq!(
        titles,
        [
            ("web: its alerts no longer go to this channel".to_owned(), "It is still down.".to_owned()),
            ("api: monitor removed from the configuration".to_owned(), "It is still down.".to_owned()),
        ]
    );
    assert_eq!(world.take("team"), ["2 ended api", "4 recovered web"]);
}

#[test]
fn an_incident_that_is_resolved_by_hand_has_not_recovered() {
    let mut world = World::with_ids(&["api"], &["ops slack", "pager pagerduty"]);
    world.run(&["d", "d"]);
    world.accepted.clear();
    world.change_incident("api", |incident, at| {
        let note = Some(Note::try_from("it was the disk".to_owned()).unwrap());
        IncidentUpdate { resolve: true, note, ..IncidentUpdate::default() }.apply(incident, at).unwrap();
    });
    world.run(&["d", "d", "u", "u"]);
    let message = world.accepted[0].message.clone();
    assert_eq!(message.title, "api: resolved manually");
    assert!(message.text.contains("It was still down when the incident was resolved."), "{}", message.text);
    assert_eq!(world.take("ops"), ["2 ended api"]);
    assert_eq!(world.take("pager"), ["2 ended api"]);
}

#[test]
fn a_monitor_that_comes_back_to_a_channel_has_another_key() {
    let mut world = World::with_ids(&["api"], &["ops webhook"]);
    world.run(&["d"]);
    let elsewhere = monitors(&[r#""id":"api","alerts":["nobody"]"#.to_owned()]);
    let here = std::mem::replace(&mut world.config, elsewhere);
    world.run(&["d"]);
    world.config = here;
    world.run(&["d"]);
    let keys: Vec<_> = world.accepted.iter().map(|it| it.message.key.as_str()).collect();
    assert_eq!(keys, ["api-0:ops:1:down", "api-0:ops:2:over", "api-0:ops:3:down"]);
}
