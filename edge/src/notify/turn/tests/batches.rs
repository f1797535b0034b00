//! Many incidents at once.

use super::harness::{Service, World};
use crate::monitor_config::MonitorId;
use crate::notify::subscriber::{Delivery, Subscriber, Subscription};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("monitor-{n}")).collect()
}

fn world(count: usize, list: &[&str]) -> World {
    let ids = ids(count);
    World::with_ids(&ids.iter().map(String::as_str).collect::<Vec<_>>(), list)
}

#[test]
fn a_service_that_keeps_incidents_gets_an_event_for_each_monitor() {
    for kind in ["pagerduty", "webhook"] {
        let mut world = world(6, &[&format!("pager {kind}")]);
        world.run_for(2, "dddddd");
        let mut incidents: Vec<_> = world.accepted.iter().map(|it| it.message.incident.clone()).collect();
        incidents.sort();
        incidents.dedup();
        assert_eq!((world.accepted.len(), incidents.len()), (6, 6));
        world.accepted.clear();
        world.run_for(2, "uddddd");
        assert_eq!(world.take("pager"), ["2 recovered monitor-0"], "the others are still down");
    }
}

#[test]
fn a_text_channel_gets_one_message_for_many() {
    let mut world = world(40, &["ops slack"]);
    world.run(&["d".repeat(40).as_str()]);
    let message = &world.accepted[0].message;
    assert!(message.title.starts_with("40 monitors are affected: monitor-0, monitor-1"), "{}", message.title);
    assert!(message.title.ends_with(" more"), "{}", message.title);
    let shown = message.text.lines().count() - 1;
    assert_eq!(message.text.lines().last(), Some(format!("and {} more", 40 - shown).as_str()));
    assert_eq!((message.parts.len(), message.incident.as_str()), (40, ""));
    world.run_for(2, &"d".repeat(40));
    assert_eq!(world.accepted.len(), 1);
    world.accepted.clear();
    world.run_for(2, &format!("u{}", "d".repeat(39)));
    assert_eq!(world.take("ops"), ["3 recovered monitor-0"], "its success is what is known of each");
    world.run_for(2, &"u".repeat(40));
    assert!(world.take("ops")[0].starts_with("5 recovered 39 monitors have recovered: monitor-1, "));
}

#[test]
fn five_are_told_one_by_one() {
    let mut world = world(5, &["ops slack"]);
    world.run(&["ddddd"]);
    assert_eq!(world.take("ops").len(), 5);
}

#[test]
fn a_batch_that_fails_lets_no_recovery_overtake_the_outage() {
    for failure in [Service::Fails, Service::Rejects, Service::Mute] {
        let mut world = world(8, &["ops slack"]);
        world.set("ops", failure);
        world.run(&["dddddddd"]);
        world.accepted.clear();
        world.set("ops", Service::Works);
        world.run_for(30, "uddddddd");
        let messages = world.take("ops");
        let about_first: Vec<_> = messages.iter().filter(|it| it.ends_with(" monitor-0")).collect();
        assert_eq!(about_first.len(), 1, "{messages:?}");
        assert!(about_first[0].contains(" past "), "{failure:?}: {messages:?}");
        assert!(
            messages.iter().any(|it| it.contains("7 monitors are affected: monitor-1, ")),
            "{messages:?}"
        );
    }
}

#[test]
fn the_requests_of_a_turn_are_shared() {
    let list: Vec<String> = (0..8).map(|n| format!("pager-{n} pagerduty")).collect();
    let mut world = world(10, &list.iter().map(String::as_str).collect::<Vec<_>>());
    world.run_for(2, "dddddddddd");
    for n in 0..8 {
        let count = world.accepted.iter().filter(|it| it.channel == format!("pager-{n}")).count();
        assert!((1..=2).contains(&count), "pager-{n}: {count}");
    }
    world.run_for(14, "dddddddddd");
    assert_eq!(world.accepted.len(), 80, "and none is told twice");
}

#[test]
fn subscribers_get_what_is_public() {
    let entries = [r#""id":"api""#.to_owned(), r#""id":"hidden","public":false"#.to_owned()];
    let mut world = World::new(&entries, &[]);
    let delivery = Delivery::Webhook { secret: "whsec_AAAA".into() };
    let url = "https://subscriber.example/".to_owned();
    world.subscribers =
        vec![Subscriber::new(Subscription { url, delivery, monitors: vec![], client: 0 }).unwrap()];
    let id = world.subscribers[0].id.to_string();
    world.run(&["dd", "dd"]);
    assert_eq!(world.take(&id), ["0 opened api"]);
    let api: MonitorId = "api".parse().unwrap();
    for monitor in world.config.monitors.iter_mut().filter(|monitor| monitor.id == api) {
        monitor.public = false;
    }
    world.run(&["dd", "uu"]);
    let last = world.accepted.last().unwrap().message.clone();
    assert_eq!(world.take(&id), ["2 ended api"], "and not that it has recovered");
    assert_eq!(last.title, "api: no further notifications about this monitor");
}
