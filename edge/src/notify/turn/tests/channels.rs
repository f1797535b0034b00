//! Channels that do not accept messages.

use super::harness::{Fate, Service, World};
use crate::domain::incident::notification::NotificationState;
use crate::notify::turn::MAX_PAST;

fn forty() -> Vec<String> {
    (0..40).map(|n| format!("m{n}")).collect()
}

fn count(messages: &[String], event: &str) -> usize {
    messages.iter().filter(|message| message.split(' ').nth(1) == Some(event)).count()
}

#[test]
fn a_dead_channel_holds_back_only_itself() {
    let ids = forty();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (down, up) = ("d".repeat(40), "u".repeat(40));
    for broken in [vec![("dead", Service::Fails.into())], vec![("dead", Fate::Unset), ("gone", Fate::Unset)]]
    {
        let mut world = World::with_ids(
            &ids,
            &[r#"dead slack "reminder":"5m""#, r#"gone discord "reminder":"5m""#, "live webhook"],
        );
        for (channel, service) in &broken {
            world.set(channel, *service);
        }
        world.run_for(180, &down);
        let opened = world.take("live");
        assert_eq!(count(&opened, "opened"), 40, "{opened:?}");
        let last: i64 = opened[39].split(' ').next().unwrap().parse().unwrap();
        assert!(
            last <= 12,
            "the last of forty after {last} min, with five requests a minute for all channels"
        );
        world.run_for(15, &up);
        assert_eq!(count(&world.take("live"), "recovered"), 40);
        world.run_for(30, &up);
        world.run_for(15, &down);
        assert_eq!(count(&world.take("live"), "opened"), 40, "a new outage");
        if broken.len() == 2 {
            assert_eq!(world.take("dead"), [""; 0]);
        }
    }
}

#[test]
fn a_channel_that_was_away_gets_what_is_so_and_nothing_stale() {
    let mut world = World::with_ids(&["api"], &[r#"ops slack "reminder":"5m""#]);
    world.set("ops", Service::Fails);
    world.run_for(120, "d");
    world.set("ops", Service::Works);
    world.run_for(16, "d");
    let messages = world.take("ops");
    assert_eq!((count(&messages, "opened"), messages.len() <= 4), (1, true), "{messages:?}");
    assert!(messages[0].ends_with(" opened api"), "{messages:?}");
    world.run_for(2, "u");
    assert_eq!(world.take("ops"), ["136 recovered api"]);
}

#[test]
fn what_came_and_went_while_a_channel_was_away_is_one_message_of_the_past() {
    let mut world = World::with_ids(&["api", "web"], &["ops slack", "pager pagerduty"]);
    for channel in ["ops", "pager"] {
        world.set(channel, Service::Rejects);
    }
    world.run(&["uu", "du", "du", "uu", "uu"]);
    for channel in ["ops", "pager"] {
        world.set(channel, Service::Works);
    }
    world.run_for(20, "uu");
    let titles: Vec<_> = world.accepted.iter().map(|it| it.message.title.clone()).collect();
    let title = "api was down from 1970-01-01T00:01:00Z to 1970-01-01T00:03:00Z: connection refused";
    assert_eq!(titles, [title; 2]);
    assert!(world.accepted.iter().all(|it| it.message.event.as_str() == "past"));
    world.run_for(1600, "uu");
    assert_eq!(world.accepted.len(), 2);
}

#[test]
fn an_outage_of_the_day_before_yesterday_is_not_told() {
    let mut world = World::with_ids(&["api"], &["ops slack"]);
    world.set("ops", Service::Rejects);
    world.run(&["d", "d", "u"]);
    world.run_for(1500, "u");
    world.set("ops", Service::Works);
    world.run_for(60, "u");
    assert_eq!(world.take("ops"), [""; 0]);
    assert_eq!(world.book.failing_channels().count(), 1, "it has accepted nothing since");
}

#[test]
fn an_end_that_is_told_late_does_not_say_that_all_is_well() {
    let mut world = World::with_ids(&["api"], &["ops slack"]);
    world.run(&["d"]);
    world.set("ops", Service::Fails);
    world.run_for(30, "u");
    world.run(&["d"]);
    world.set("ops", Service::Works);
    world.run_for(20, "d");
    let titles: Vec<_> = world.accepted.iter().map(|it| it.message.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "api is down: connection refused",
            "api was down from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z: connection refused",
            "api is down: connection refused"
        ]
    );
}

#[test]
fn a_lost_answer_repeats_the_message_with_its_key() {
    for lost in [Service::Mute.into(), Fate::KillsTheEdge] {
        let mut world = World::with_ids(&["api"], &["ops webhook"]);
        world.set("ops", lost);
        world.run(&["d"]);
        world.set("ops", Service::Works);
        world.run(&["d", "d", "u", "u"]);
        let keys: Vec<_> = world.accepted.iter().map(|it| it.message.key.as_str()).collect();
        assert_eq!(keys, ["api-0:ops:1:down", "api-0:ops:1:down", "api-0:ops:180000:over"], "{lost:?}");
    }
}

#[test]
fn an_outage_whose_message_may_have_arrived_gets_its_end() {
    for lost in [Service::Mute.into(), Fate::KillsTheEdge] {
        let mut world = World::with_ids(&["api"], &["ops pagerduty"]);
        world.set("ops", lost);
        world.run(&["d"]);
        world.set("ops", Service::Works);
        world.run(&["u", "u"]);
        assert_eq!(world.take("ops"), ["0 opened api", "1 past api"], "{lost:?}");
        // The recovery may have arrived as well, and then the monitor is down again.
        world.run(&["d"]);
        world.set("ops", lost);
        world.run(&["u"]);
        world.set("ops", Service::Works);
        world.run(&["d", "d", "d"]);
        let messages = world.take("ops");
        assert_eq!(messages, ["3 opened api", "4 recovered api", "5 opened api"], "{lost:?}");
    }
}

#[test]
fn retry_after_belongs_to_the_channel() {
    let mut world = World::with_ids(&["api", "web"], &["ops slack"]);
    world.set("ops", Service::Busy(600));
    world.run(&["du"]);
    world.set("ops", Service::Works);
    world.run_for(12, "dd");
    assert_eq!(world.take("ops"), ["10 opened api", "11 opened web"]);
    assert_eq!(world.requests, 3);
}

#[test]
fn the_owner_learns_of_a_channel_that_fails_by_another_one() {
    let mut world =
        World::with_ids(&["api"], &["slack slack", "mail email \"from\":\"a@b.c\",\"to\":[\"d@e.f\"]"]);
    world.set("slack", Service::Rejects);
    world.run_for(40, "d");
    assert_eq!(
        world.take("mail"),
        ["0 opened api", "30 channel-fails slack has refused alerts for 30 min: status 404"]
    );
    let problems = world.book.list_problems(world.now());
    assert_eq!(problems[0].position, "ALERTS.slack");
    assert_eq!(
        problems[0].reason,
        "the service has refused alerts since 1970-01-01T00:00:00Z: status 404; is the secret right?"
    );
    world.set("slack", Service::Works);
    world.run_for(10, "d");
    assert_eq!(world.take("slack"), ["45 opened api"]);
    assert_eq!(world.take("mail"), ["46 channel-works slack accepts alerts again"]);
    assert_eq!(world.book.list_problems(world.now()), []);
    world.run_for(60, "d");
    assert!(world.accepted.is_empty());
}

#[test]
fn a_channel_without_a_secret_is_told_of_and_costs_no_request() {
    let mut world = World::with_ids(&["api"], &["slack slack", "hook webhook"]);
    world.set("slack", Fate::Unset);
    world.run_for(33, "d");
    assert_eq!(world.requests, 2);
    let title = "slack could not be used for 30 min: the Worker does not have its secret";
    assert_eq!(world.take("hook"), ["0 opened api".to_owned(), format!("30 channel-fails {title}")]);
    world.set("slack", Service::Works);
    world.run_for(3, "d");
    assert_eq!(world.take("slack"), ["33 opened api"]);
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let mut world = World::with_ids(&["api", "web"], &["ops slack", "hook webhook"]);
    world.run_for(30, "uu");
    assert_eq!(world.rows_written, 0);
    world.run(&["du"]);
    assert_eq!(world.rows_written, 4, "each channel: what is sent, and that it was accepted");
    world.run_for(30, "du");
    assert_eq!(world.rows_written, 4);
    world.run_for(30, "uu");
    assert_eq!(world.rows_written, 8);
}

#[test]
fn what_came_and_went_is_bounded_and_holds_up_nothing_that_goes_on() {
    let ids = forty();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut world = World::with_ids(&ids, &["hook webhook", "ops slack"]);
    for channel in ["hook", "ops"] {
        world.set(channel, Service::Rejects);
    }
    world.run(&[&"u".repeat(40)]);
    // All of them fail again and again, each time as another incident.
    for _ in 0..8 {
        world.run(&[&"d".repeat(40)]);
        world.run_for(35, &"u".repeat(40));
    }
    let waiting = |world: &World, channel: &str| {
        let record = world.book.record(&channel.parse().unwrap()).unwrap();
        let is_owed = |state: &NotificationState| state.owed_since.is_some() && !state.knows_trouble();
        record.incidents().filter(|(.., state)| is_owed(state)).count()
    };
    for channel in ["hook", "ops"] {
        assert_eq!(waiting(&world, channel), MAX_PAST, "{channel}");
        world.set(channel, Service::Works);
    }
    // Something happens now, after both have been tried again.
    world.run_for(16, &"u".repeat(40));
    world.accepted.clear();
    let begin = world.minute;
    let one_down = ["d".to_owned(), "u".repeat(39)].concat();
    world.run_for(3, &one_down);
    let told = world.take("hook");
    assert_eq!(told[0], format!("{begin} opened m0"), "{told:?}");
    assert!(told[1].contains(" past "), "the rest follows: {told:?}");
}
