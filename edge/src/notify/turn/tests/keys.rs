//! Keys: the same for every attempt to say the same, another for everything else, although answers are lost.

use std::collections::BTreeSet;

use super::harness::{Fate, Service, World, monitors};
use crate::domain::incident::cause::Cause;

/// The events and keys that a channel received, in their order.
fn keys(world: &World, channel: &str) -> Vec<(&'static str, String)> {
    let of_channel = world.accepted.iter().filter(|it| it.channel == channel);
    of_channel.map(|it| (it.message.event.as_str(), it.message.key.clone())).collect()
}

/// Runs one tick for each letter, in which the service answers like this.
fn run(world: &mut World, ticks: &[(&str, Service)]) {
    for (letters, service) in ticks {
        // What a failure delays is tried again.
        world.minute += 20;
        world.set("ops", *service);
        world.run(&[letters]);
    }
}

#[test]
fn two_outages_of_a_channel_never_share_a_key_though_neither_was_confirmed() {
    let mut world = World::with_ids(&["api"], &["slack slack", "hook webhook"]);
    for _ in 0..3 {
        world.set("slack", Service::Works);
        world.set("hook", Service::Works);
        world.run_for(60, "u");
        world.set("slack", Service::Rejects);
        world.run_for(25, "d");
        // The notices arrive, and their answers do not.
        world.set("hook", Service::Mute);
        world.run_for(20, "d");
        world.set("slack", Service::Works);
        world.run_for(60, "d");
    }
    let mut notices = keys(&world, "hook");
    notices.retain(|(event, _)| event.starts_with("channel-"));
    notices.dedup();
    let events: Vec<_> = notices.iter().map(|(event, _)| *event).collect();
    assert_eq!(events, ["channel-fails", "channel-works"].repeat(3), "{notices:?}");
    let distinct: BTreeSet<_> = notices.iter().map(|(_, key)| key).collect();
    assert_eq!(distinct.len(), 6, "{notices:?}");
}

#[test]
fn what_may_have_arrived_in_between_makes_the_same_state_another_message() {
    for lost in [Service::Mute.into(), Fate::KillsTheEdge] {
        let mut world = World::with_ids(&["api"], &["ops webhook"]);
        world.run(&["d"]);
        // It recovers and fails again within ten minutes: the same incident.
        for letters in ["u", "d", "u", "d"] {
            world.set("ops", lost);
            world.run(&[letters]);
        }
        world.set("ops", Service::Works);
        world.run_for(20, "d");
        let keys = keys(&world, "ops");
        let mut all: Vec<_> = keys.iter().map(|(_, key)| key).collect();
        all.dedup();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{lost:?}: {keys:?}");
        let belief = world.beliefs.values().next().unwrap();
        assert!(belief.is_some(), "a service that drops the keys it knows believes what is so: {keys:?}");
    }
}

#[test]
fn a_message_that_was_refused_in_between_changes_no_key() {
    for (between, is_same) in [(Service::Rejects, true), (Service::Fails, false)] {
        let mut world = World::with_ids(&["api"], &["ops webhook"]);
        run(&mut world, &[("d", Service::Mute), ("g", between), ("d", Service::Works)]);
        let keys = keys(&world, "ops");
        assert_eq!(keys.iter().map(|(event, _)| *event).collect::<Vec<_>>(), ["opened"; 2]);
        assert_eq!(keys[0].1 == keys[1].1, is_same, "{between:?}: {keys:?}");
    }
}

#[test]
fn an_incident_that_opens_again_and_gets_worse_ends_with_another_key() {
    let mut world = World::with_ids(&["api"], &["ops webhook"]);
    world.run(&["g"]);
    world.accepted.clear();
    world.set("ops", Service::Mute);
    world.run(&["u"]);
    // It is over again before the next attempt.
    world.probe("d");
    world.minute += 1;
    world.probe("u");
    world.set("ops", Service::Works);
    world.notify();
    let keys = keys(&world, "ops");
    assert_eq!(keys.iter().map(|(event, _)| *event).collect::<Vec<_>>(), ["recovered"; 2]);
    assert_ne!(keys[0].1, keys[1].1, "a service that drops the second one never learns of the outage");
}

#[test]
fn a_cause_that_becomes_known_while_an_answer_is_lost_has_a_key_of_its_own() {
    let mut world = World::with_ids(&["api"], &["ops webhook"]);
    world.set("ops", Service::Mute);
    world.run(&["d"]);
    world.change_incident("api", |incident, _| incident.cause = Cause::OutOfMemory);
    world.set("ops", Service::Works);
    world.notify();
    let keys = keys(&world, "ops");
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_ne!(keys[0].1, keys[1].1, "a service that drops the second one never learns of the cause");
}

#[test]
fn other_names_of_monitors_that_are_not_watched_are_another_message() {
    let mut world = World::with_ids(&["a", "b"], &["ops webhook"]);
    world.run(&["uu"]);
    for letters in ["xu", "xx", "xu"] {
        world.set("ops", Service::Works);
        world.run_for(45, letters);
        world.set("ops", Service::Mute);
        world.run_for(15, letters);
    }
    let keys = keys(&world, "ops");
    let mut distinct: Vec<_> = keys.iter().map(|(_, key)| key).collect();
    distinct.dedup();
    let sorted: BTreeSet<_> = distinct.iter().collect();
    assert!(distinct.len() >= 3 && sorted.len() == distinct.len(), "{keys:?}");
}

#[test]
fn a_channel_that_was_removed_and_is_back_is_told_with_other_keys() {
    let mut world = World::with_ids(&["api"], &["ops webhook"]);
    world.run(&["d"]);
    world.book.retain(|_| false);
    world.run(&["d"]);
    let keys = keys(&world, "ops");
    assert!(keys.len() == 2 && keys[0].1 != keys[1].1, "{keys:?}");
}

#[test]
fn a_clock_that_is_set_back_uses_no_key_again() {
    let mut world = World::with_ids(&["api", "web"], &["ops webhook"]);
    world.minute = 100;
    world.run(&["du"]);
    world.minute = 50;
    for config in [r#""id":"api","alerts":["nobody"]"#, r#""id":"api""#] {
        world.config = monitors(&[config.to_owned(), r#""id":"web""#.to_owned()]);
        world.notify();
    }
    let keys = keys(&world, "ops");
    let distinct: BTreeSet<_> = keys.iter().map(|(_, key)| key).collect();
    assert_eq!((keys.len(), distinct.len()), (3, 3), "{keys:?}");
}
