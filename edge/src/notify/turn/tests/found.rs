//! Faults that random weeks found.

use std::time::Duration;

use super::harness::{Service, World};

fn titles(world: &World, channel: &str) -> Vec<String> {
    let of_channel = world.accepted.iter().filter(|it| it.channel == channel);
    of_channel.map(|it| format!("{} {}", it.minute, it.message.title)).collect()
}

/// Runs until a channel that failed is tried again.
fn run_past_retry(world: &mut World, letters: &str) {
    world.run_for(20, letters);
}

#[test]
fn what_was_planned_behind_a_message_that_failed_is_known_not_to_have_arrived() {
    let mut world = World::with_ids(&["api", "web"], &["ops webhook"]);
    world.set("ops", Service::Rejects);
    world.run(&["dd", "uu"]);
    let record = world.book.record(&"ops".parse().unwrap()).unwrap();
    let knows: Vec<_> = record.incidents().map(|(.., state)| state.knows_trouble()).collect();
    assert_eq!(knows, [false, false], "the second was not even sent");
    // A day later neither is worth a message. What may have arrived would be told for a week.
    world.run_for(1500, "uu");
    world.set("ops", Service::Works);
    world.run_for(60, "uu");
    assert_eq!(world.take("ops"), [""; 0]);
}

#[test]
fn a_turn_begins_no_message_after_its_window_and_tells_the_rest_in_the_next() {
    let mut world = World::with_ids(&["a", "b", "c", "d", "e"], &["ops webhook", "hook webhook"]);
    world.budget = 15;
    world.send_time = Duration::from_secs(6);
    world.run(&["ddddd"]);
    assert_eq!(world.take("ops"), ["0 opened a", "0 opened b", "0 opened c"], "those begun within 15 s");
    assert_eq!(world.take("hook").len(), 3, "the window is one channel's own");
    // What was not sent cannot have arrived: if it is over, there is nothing that has to end.
    world.run(&["dddud"]);
    assert_eq!(world.take("ops"), ["1 opened e", "1 past d"]);
    assert_eq!(world.book.record(&"ops".parse().unwrap()).unwrap().circuit, None, "slow is not failing");
}

#[test]
fn the_past_is_told_once_although_the_store_fails_when_it_is_accepted() {
    let mut world = World::with_ids(&["api"], &["ops slack"]);
    world.set("ops", Service::Rejects);
    world.run(&["d", "u"]);
    world.set("ops", Service::Works);
    world.store_fails = true;
    run_past_retry(&mut world, "u");
    assert_eq!(world.take("ops"), ["15 past api"]);
    world.store_fails = false;
    world.run(&["u"]);
    world.restart();
    run_past_retry(&mut world, "u");
    assert_eq!(world.take("ops"), [""; 0], "that it was told is stored, although nothing else is left of it");
}

#[test]
fn a_channel_that_fails_again_is_named_although_the_answer_to_its_recovery_was_lost() {
    let mut world = World::with_ids(&["api"], &["slack slack", "hook webhook"]);
    world.set("slack", Service::Rejects);
    world.run_for(40, "d");
    // The edge does not learn that the other channel got the news.
    world.set("hook", Service::Mute);
    world.set("slack", Service::Works);
    run_past_retry(&mut world, "d");
    world.set("slack", Service::Rejects);
    world.run_for(2, "u");
    world.set("hook", Service::Works);
    let begin = titles(&world, "hook").len();
    world.run_for(60, "u");
    let told = titles(&world, "hook")[begin..].join(", ");
    assert!(told.contains("slack has refused alerts"), "{told}");
}

#[test]
fn a_channel_that_works_again_is_told_of_one_that_fails_though_another_one_is_tried_more_often() {
    let mut world = World::with_ids(&["api"], &["slack slack", "busy webhook", "hook webhook"]);
    world.set("busy", Service::Busy(60));
    world.set("slack", Service::Rejects);
    world.set("hook", Service::Fails);
    world.run_for(20, "d");
    // It fails no more, and has nothing to be told about the monitor when it is tried again.
    world.run_for(20, "u");
    world.set("hook", Service::Works);
    world.run_for(70, "u");
    let told = titles(&world, "hook").join(", ");
    assert!(told.contains("slack has refused alerts"), "{told}");
}
