//! Messages that end an incident without a recovery.

use super::harness::{Service, World, monitors};
use crate::domain::engine::Engine;
use crate::domain::incident::actions::{IncidentUpdate, Note};
use crate::domain::incident::{Incident, Severity};
use crate::notify::subscriber::{Delivery, Subscriber, Subscription};

/// A way by which an incident of the monitor `a` ends; the other monitor is `b`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Recovered,
    Removed,
    MadePrivate,
    /// It is told to another channel, or to none.
    Moved,
    Disabled,
    Maintenance,
    Rescheduled,
    OtherTarget,
    Resolved,
}

impl End {
    /// Lets it happen, and returns the letters of the ticks that follow.
    fn happen(self, world: &mut World) -> &'static str {
        let configure = |world: &mut World, more: &str| {
            world.config = monitors(&[format!(r#""id":"a"{more}"#), r#""id":"b""#.to_owned()]);
        };
        match self {
            End::Recovered => return "uu",
            End::Removed => {
                world.config = monitors(&[r#""id":"b""#.to_owned()]);
                return "u";
            }
            End::MadePrivate => configure(world, r#","public":false"#),
            End::Moved => configure(world, r#","alerts":["team"]"#),
            End::Disabled => configure(world, r#","alerts":[]"#),
            End::Maintenance => world.engine.set_maintenance(vec!["a".parse().unwrap()]),
            End::Rescheduled => return "hu",
            End::OtherTarget => {
                configure(world, r#","url":"https://b.example""#);
                return "uu";
            }
            End::Resolved => world.change_incident("a", |incident, at| {
                let update = IncidentUpdate { resolve: true, ..IncidentUpdate::default() };
                update.apply(incident, at).unwrap();
            }),
        }
        "du"
    }
}

fn world_with_subscriber() -> World {
    let mut world = World::with_ids(&["a", "b"], &["ops slack", "team slack"]);
    let delivery = Delivery::Webhook { secret: "whsec_AAAA".into() };
    let subscription =
        Subscription { url: "https://a.example/".into(), delivery, monitors: vec![], client: 0 };
    world.subscribers = vec![Subscriber::new(subscription).unwrap()];
    world
}

#[test]
fn every_end_has_its_own_true_sentence() {
    let job = "a: job is new or has another schedule, and has not reported since";
    let silent = "a: no further notifications about this monitor";
    // (what happens, what the channel `ops` is told, what a subscriber is told)
    let cases = [
        (End::Recovered, "a has recovered", "a has recovered"),
        (End::Removed, "a: monitor removed from the configuration", silent),
        (End::MadePrivate, "", silent),
        (End::Moved, "a: its alerts no longer go to this channel", ""),
        (End::Disabled, "a: its alerts no longer go to this channel", ""),
        (End::Maintenance, "a: scheduled maintenance began", "a: scheduled maintenance began"),
        (End::Rescheduled, job, job),
        (End::OtherTarget, "a has recovered", "a has recovered"),
        (End::Resolved, "a: resolved manually", "a: resolved manually"),
    ];
    for (end, channel, subscriber) in cases {
        let mut world = world_with_subscriber();
        let id = world.subscribers[0].id.to_string();
        world.run(&["uu", "du", "du"]);
        world.accepted.clear();
        let letters = end.happen(&mut world);
        world.run_for(4, letters);
        for (recipient, title) in [("ops", channel), (&*id, subscriber)] {
            let told = world.accepted.iter().filter(|it| it.channel == recipient);
            let titles: Vec<_> = told.map(|it| it.message.title.as_str()).collect();
            let expected: &[&str] = if title.is_empty() { &[] } else { &[title] };
            assert_eq!(titles, expected, "{end:?} {recipient}");
        }
    }
}

#[test]
fn what_came_and_went_while_a_channel_was_dead_says_how_it_ended() {
    let range = "a was down from 1970-01-01T00:01:00Z to 1970-01-01T00";
    let cases = [
        (End::Recovered, ":03:00Z: connection refused"),
        (End::Maintenance, ":03:00Z, when scheduled maintenance began: connection refused"),
        (End::Rescheduled, ":03:00Z, when the job was added again or rescheduled: connection refused"),
        (End::Resolved, ":03:00Z, when the incident was resolved manually: connection refused"),
    ];
    for (end, rest) in cases {
        let mut world = world_with_subscriber();
        world.set("ops", Service::Rejects);
        world.run(&["uu", "du", "du"]);
        let letters = end.happen(&mut world);
        world.run_for(4, letters);
        world.set("ops", Service::Works);
        world.run_for(20, &letters.replace('h', "u"));
        let told = world.accepted.iter().filter(|it| it.channel == "ops");
        let titles: Vec<_> = told.map(|it| it.message.title.as_str()).collect();
        assert_eq!(titles, [[range, rest].concat()], "{end:?}");
    }
}

#[test]
fn an_incident_that_a_later_one_supersedes_ends_with_it() {
    let mut world = World::with_ids(&["a", "b"], &["ops slack", "pager pagerduty"]);
    world.run(&["uu", "du", "du"]);
    world.accepted.clear();
    // An import brings a later incident of the monitor, and the edge loads everything again.
    let told = world.engine.latest_incident(&"a".parse().unwrap()).unwrap().clone();
    let later = Incident::new(told.monitor.clone(), world.now(), Severity::Down);
    world.engine = Engine::default();
    for incident in world.engine.restore_incidents(vec![told, later.clone()]).into_iter().chain([later]) {
        world.incidents.insert((incident.monitor.to_string(), incident.opened.0 / 1000), incident);
    }
    world.restart();
    world.run(&["du", "uu"]);
    assert_eq!(world.accepted[0].message.title, "a: continued by a later incident");
    for channel in ["ops", "pager"] {
        assert_eq!(world.take(channel), ["3 ended a", "3 opened a", "4 recovered a"], "{channel}");
    }
}

/// What happens between the last turn in which an incident was open and the first one after a worse one replaced it.
#[test]
fn the_end_of_an_incident_is_told_though_another_one_replaced_it_between_two_turns() {
    let resolve = |world: &mut World| {
        world.change_incident("a", |incident, at| {
            let update = IncidentUpdate { resolve: true, ..IncidentUpdate::default() };
            update.apply(incident, at).unwrap();
        });
    };
    // (the ticks without a turn; before a single one, somebody resolves the incident; whether the edge is restarted; whether the
    // store fails at first)
    let cases = [
        ("d", false, false),
        ("d", true, false),
        ("d", false, true),
        ("ud", false, false),
        ("uud", true, false),
    ];
    for (ticks, is_restarted, store_fails) in cases {
        let mut world = World::with_ids(&["a"], &["ops slack", "pager pagerduty"]);
        world.run(&["u", "g", "g"]);
        world.accepted.clear();
        world.store_fails = store_fails;
        for (index, letter) in ticks.char_indices() {
            if ticks.len() == 1 {
                resolve(&mut world);
            }
            if index + 1 == ticks.len() {
                // Afterwards the edge was away, or still sent the messages of an earlier turn.
                world.minute += 60;
            }
            world.probe(&letter.to_string());
            world.minute += 1;
        }
        if is_restarted {
            world.restart();
        }
        world.run(&["d"]);
        world.store_fails = false;
        world.run_for(3, "d");
        for channel in ["ops", "pager"] {
            let told: Vec<_> = world.accepted.iter().filter(|it| it.channel == channel).collect();
            let mut events: Vec<_> = told.iter().map(|it| it.message.event.as_str()).collect();
            events.sort_unstable();
            let end = if ticks == "d" { "ended" } else { "recovered" };
            let mut expected = [end, "opened"];
            expected.sort_unstable();
            assert_eq!(events, expected, "{ticks} {is_restarted} {store_fails} {channel}: {told:?}");
        }
    }
}

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
    assert_eq!(keys, ["api-0:ops:1:down", "api-0:ops:60000:over", "api-0:ops:120000:down"]);
}
