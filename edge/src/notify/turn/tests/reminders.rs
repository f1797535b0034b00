//! Reminders and quiet hours.

use super::harness::{Service, World};

#[test]
fn each_channel_is_reminded_at_its_own_pace() {
    let list = [r#"fast slack "reminder":"10m""#, r#"slow slack "reminder":"25m""#, "never slack"];
    let mut world = World::with_ids(&["api"], &list);
    world.run_for(56, "d");
    assert_eq!(
        world.take("fast"),
        [
            "0 opened api",
            "10 reminder api",
            "20 reminder api",
            "30 reminder api",
            "40 reminder api",
            "50 reminder api"
        ]
    );
    assert_eq!(world.take("slow"), ["0 opened api", "25 reminder api", "50 reminder api"]);
    assert_eq!(world.take("never"), ["0 opened api"]);
    world.run_for(30, "u");
    assert_eq!(world.take("fast"), ["56 recovered api"], "nothing about what is over");
}

#[test]
fn a_change_goes_before_any_reminder() {
    let ids: Vec<String> = (0..40).map(|n| format!("m{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).chain(["api"]).collect();
    // PagerDuty gets one message for each monitor, and one request a minute.
    let mut world = World::with_ids(&ids[1..], &[r#"pager pagerduty "reminder":"5m""#]);
    world.budget = 1;
    world.run_for(60, &format!("{}u", "g".repeat(39)));
    world.take("pager");
    world.run(&[&format!("{}d", "g".repeat(39))]);
    assert_eq!(world.take("pager"), ["60 opened api"]);
}

#[test]
fn an_outage_in_quiet_hours_is_told_at_once_and_what_else_is_so_when_they_end() {
    let mut world = World::with_ids(&["api"], &[r#"ops slack "reminder":"5m","quiet":"22:00-07:00""#]);
    let minute = |hour: i64, minute: i64| hour * 60 + minute;
    world.minute = minute(22, 0);
    world.run_for(6, "u");
    world.run_for(minute(27, 0) - world.minute, "g");
    assert_eq!(world.take("ops"), [""; 0], "slow at night");
    world.run_for(4, "d");
    assert_eq!(world.take("ops"), ["1620 opened api"], "down at three");
    world.run_for(4, "u");
    assert_eq!(world.take("ops"), ["1624 recovered api"]);
    world.run_for(minute(31, 10) - world.minute, "u");
    assert_eq!(world.take("ops"), [""; 0], "nothing is said in the morning");
}

#[test]
fn trouble_that_lasts_until_the_morning_is_told_then_and_what_came_and_went_is_not() {
    let mut world = World::with_ids(&["api", "web"], &[r#"ops slack "quiet":"22:00-07:00""#]);
    world.minute = 22 * 60;
    world.run(&["uu"]);
    world.run_for(30, "gg");
    world.run_for(31 * 60 - world.minute, "gu");
    assert_eq!(world.take("ops"), [""; 0]);
    world.run_for(2, "gu");
    assert_eq!(world.take("ops"), ["1860 opened api"]);
}

#[test]
fn what_a_channel_owed_before_its_quiet_hours_is_told_after_them() {
    let mut world = World::with_ids(&["api"], &[r#"ops slack "quiet":"22:00-07:00""#]);
    world.set("ops", Service::Fails);
    world.minute = 22 * 60 - 5;
    world.run(&["u", "g", "g"]);
    world.run_for(60, "u");
    world.set("ops", Service::Works);
    world.run_for(31 * 60 + 2 - world.minute, "u");
    assert_eq!(world.take("ops"), ["1860 past api"]);
}

#[test]
fn an_improvement_is_told_once_it_lasts() {
    let mut world = World::with_ids(&["api"], &[r#"ops slack "reminder":"10m""#]);
    world.run(&["d", "d"]);
    world.run_for(20, "g");
    world.run(&["u", "u"]);
    assert_eq!(world.take("ops"), ["0 opened api", "4 better api", "14 reminder api", "22 recovered api"]);
    let mut world = World::with_ids(&["api"], &["ops slack"]);
    for _ in 0..20 {
        world.run(&["d", "g"]);
    }
    assert_eq!(world.take("ops"), ["0 opened api"], "down and slow in turns");
}
