//! Monitors that are not watched.

use super::harness::{Fate, Service, World, monitors};
use crate::notify::circuit::Obstacle;

fn titles(world: &mut World, channel: &str) -> Vec<String> {
    let (of_channel, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.accepted).into_iter().partition(|accepted| accepted.channel == channel);
    world.accepted = others;
    of_channel.iter().map(|it| format!("{} {}", it.minute, it.message.title)).collect()
}

#[test]
fn monitors_that_are_not_asked_are_one_message_and_another_when_they_are() {
    let mut world = World::with_ids(&["a", "b", "c"], &["ops slack", "pager pagerduty"]);
    world.run(&["uuu"]);
    world.run_for(20, "uxx");
    let expected = ["11 2 monitors are not checked: b, c"];
    assert_eq!(titles(&mut world, "ops"), expected, "the first tick without a result is that of minute 1");
    let message = world.accepted[0].message.clone();
    assert_eq!(
        message.text,
        "An outage of a monitor that is not checked is not noticed.\n\
         - b: not checked: request limit reached; no result since 1970-01-01T00:00:00Z\n\
         - c: not checked: request limit reached; no result since 1970-01-01T00:00:00Z"
    );
    assert_eq!((message.event.as_str(), message.incident.as_str()), ("unwatched", "unwatched:b:0"));
    assert_eq!(titles(&mut world, "pager"), expected, "one event for all");
    world.run_for(20, "uuu");
    let message = world.accepted[0].message.clone();
    assert_eq!((message.event.as_str(), message.incident.as_str()), ("watched", "unwatched:b:0"));
    assert_eq!(titles(&mut world, "ops"), ["21 2 monitors are checked again: b, c"]);
    assert_eq!(world.rows_written, 8, "two rows for each message");
}

#[test]
fn a_channel_learns_of_changes_at_most_every_half_hour_and_of_the_end_at_once() {
    let mut world = World::with_ids(&["a", "b"], &["ops slack"]);
    world.run(&["uu"]);
    world.run_for(20, "xu");
    world.run_for(60, "xx");
    world.run_for(50, "ux");
    world.run_for(2, "uu");
    assert_eq!(
        titles(&mut world, "ops"),
        [
            "11 a: not checked: request limit reached",
            "41 2 monitors are not checked: a, b",
            "81 b: not checked: request limit reached",
            "131 b is checked again",
        ]
    );
}

#[test]
fn an_end_that_is_no_result_says_why() {
    let settings = |more: &str| vec![format!(r#""id":"a"{more}"#), r#""id":"b""#.to_owned()];
    let cases = [
        ("removed", vec![r#""id":"b""#.to_owned()], "a: monitor removed from the configuration"),
        ("moved", settings(r#","alerts":["nobody"]"#), "a: its alerts no longer go to this channel"),
        (
            "asked once a day",
            settings(r#","interval":"24h""#),
            "a: its settings changed, and no result is missing by the new ones",
        ),
    ];
    for (name, entries, title) in cases {
        let mut world = World::with_ids(&["a", "b"], &["ops slack"]);
        world.run(&["uu"]);
        world.run_for(15, "xu");
        world.accepted.clear();
        world.config = monitors(&entries);
        world.run(&[if entries.len() == 1 { "u" } else { "xu" }]);
        assert_eq!(titles(&mut world, "ops"), [format!("16 {title}")], "{name}");
    }
}

#[test]
fn nobody_is_told_of_what_maintenance_or_the_edge_itself_explains() {
    let mut world = World::with_ids(&["a", "b"], &["ops slack"]);
    world.engine.set_maintenance(vec!["a".parse().unwrap()]);
    world.run(&["uu"]);
    world.run_for(60, "xo");
    assert_eq!(titles(&mut world, "ops"), [""; 0]);
    // An alert that was sent stays in force when maintenance begins, as nobody watches then either.
    world.engine.set_maintenance(vec![]);
    world.run(&["xu"]);
    assert_eq!(titles(&mut world, "ops"), ["61 a: not checked: request limit reached"]);
    world.engine.set_maintenance(vec!["a".parse().unwrap()]);
    world.run_for(60, "xu");
    world.run_for(60, "ou");
    assert_eq!(titles(&mut world, "ops"), [""; 0]);
}

#[test]
fn an_edge_that_was_away_or_offline_alerts_nobody_with_its_first_tick() {
    let mut world = World::with_ids(&["a", "b"], &["ops slack"]);
    world.run(&["uu"]);
    world.minute += 60;
    world.run(&["ux", "uu"]);
    world.run_for(30, "oo");
    world.run(&["ux", "uu"]);
    assert_eq!(titles(&mut world, "ops"), [""; 0]);
}

#[test]
fn quiet_hours_hold_it_back_until_they_end() {
    let mut world = World::with_ids(&["a"], &["ops slack \"quiet\":\"00:00-01:00\"", "hook webhook"]);
    world.run(&["u"]);
    world.run_for(80, "x");
    assert_eq!(titles(&mut world, "hook"), ["11 a: not checked: request limit reached"]);
    assert_eq!(titles(&mut world, "ops"), ["60 a: not checked: request limit reached"]);
}

#[test]
fn a_channel_that_fails_is_told_what_is_so_when_it_works() {
    let mut world = World::with_ids(&["a", "b"], &["ops webhook"]);
    world.run(&["uu"]);
    for fate in [Service::Rejects.into(), Service::Mute.into(), Fate::KillsTheEdge] {
        let begin = world.minute;
        world.set("ops", fate);
        world.run_for(12, "xu");
        world.set("ops", Service::Works);
        // It has come and gone if nothing can have arrived, or else its end is told.
        world.run_for(45, "uu");
        let messages: Vec<_> = std::mem::take(&mut world.accepted);
        let events: Vec<_> = messages.iter().map(|it| it.message.event.as_str()).collect();
        let expected: &[&str] = if fate == Service::Rejects.into() { &[] } else { &["unwatched", "watched"] };
        let events: Vec<_> = events.into_iter().fold(Vec::new(), |mut list, event| {
            if list.last() != Some(&event) {
                list.push(event);
            }
            list
        });
        assert_eq!(events, expected, "{fate:?} at {begin}");
        let keys: Vec<_> = messages.iter().map(|it| it.message.key.as_str()).collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), expected.len(), "{keys:?}");
    }
    assert_ne!(world.book.failing_channels().next().map(|(_, it)| it.obstacle), Some(Obstacle::NoSecret));
}

#[test]
fn a_message_about_forty_monitors_is_bounded_and_says_how_many_are_left_out() {
    let ids: Vec<String> = (0..40).map(|n| format!("a-rather-long-name-of-monitor-{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::with_ids(&ids, &["ops slack"]);
    world.run_for(20, &"x".repeat(40));
    let message = &world.accepted[0].message;
    assert!(message.title.starts_with("40 monitors are not checked: ") && message.title.contains("more"));
    assert!(message.text.len() <= 1500 && message.text.ends_with(" more"), "{}", message.text);
    assert_eq!(world.accepted.len(), 1);
}

#[test]
fn an_end_names_all_that_the_channel_may_have_been_told_of_although_its_service_refused_the_first_attempt() {
    let mut world = World::with_ids(&["a", "b"], &["ops webhook"]);
    world.run(&["uu"]);
    world.run_for(20, "xu");
    world.run_for(20, "xx");
    world.set("ops", Service::Mute);
    world.run(&["xx"]);
    assert_eq!(
        titles(&mut world, "ops"),
        ["11 a: not checked: request limit reached", "41 2 monitors are not checked: a, b"]
    );
    world.set("ops", Service::Rejects);
    world.run_for(2, "uu");
    world.set("ops", Service::Works);
    world.run_for(30, "uu");
    assert_eq!(
        titles(&mut world, "ops").pop().as_deref().map(|it| &it[3..]),
        Some("2 monitors are checked again: a, b")
    );
}

#[test]
fn what_may_have_been_told_is_corrected() {
    let mut world = World::with_ids(&["a", "b"], &["ops slack"]);
    world.run(&["uu"]);
    world.run_for(20, "xu");
    world.run_for(20, "xx");
    world.set("ops", Service::Mute);
    world.run(&["xx"]);
    world.set("ops", Service::Works);
    world.run_for(30, "xu");
    assert_eq!(
        titles(&mut world, "ops"),
        [
            "11 a: not checked: request limit reached",
            "41 2 monitors are not checked: a, b",
            "42 a: not checked: request limit reached",
        ]
    );
}

#[test]
fn time_in_which_no_tick_came_is_not_that_in_which_a_monitor_was_left_out() {
    for letter in ["x", "n"] {
        let mut world = World::with_ids(&["a"], &["ops slack"]);
        world.run(&["u", letter]);
        world.minute += 60;
        world.run_for(15, letter);
        let expected = ["72 a: not checked: request limit reached"];
        assert_eq!(titles(&mut world, "ops"), expected, "ten minutes after the ticks came again");
    }
}
