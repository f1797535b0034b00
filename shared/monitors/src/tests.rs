use std::time::Duration;

use super::*;

mod kinds;

/// One valid entry; a field of `extra` takes the place of one with the same name, as the later one counts.
fn entry(extra: &str) -> String {
    format!(r#"[{{"id":"api","kind":"heapbeat","url":"https://api.example.com/health"{extra}}}]"#)
}

fn problems(text: &str) -> Vec<String> {
    let config = Config::parse(Some(text), false);
    config.problems.into_iter().map(|p| format!("{}: {}", p.position, p.reason)).collect()
}

#[test]
fn a_minimal_entry_gets_the_defaults() {
    let config = Config::parse(Some(&entry("")), false);
    assert_eq!(config.problems, []);
    let monitor = &config.monitors[0];
    assert_eq!(monitor.id.as_str(), "api");
    assert_eq!(monitor.name, "api");
    let url = "https://api.example.com/health".parse().unwrap();
    assert_eq!(monitor.target, Target::Heapbeat { url, secret: None, public_routes: false });
    assert_eq!((monitor.interval, monitor.timeout), (Duration::from_secs(60), Duration::from_secs(10)));
    assert_eq!((monitor.thresholds.failure.get(), monitor.thresholds.success.get()), (1, 1));
    assert_eq!(monitor.group, None);
}

#[test]
fn every_setting_is_read() {
    let text = entry(
        r#","name":" API ","interval":"5s","timeout":"500ms","conditions":["[STATUS] < 400"],"degraded":[],"failure-threshold":3,"success-threshold":2,
            "group":"Backend","depends-on":[],"regions":["weur","oc"],"alerts":[]"#,
    );
    let config = Config::parse(Some(&text), false);
    assert_eq!(config.problems, []);
    let monitor = &config.monitors[0];
    assert_eq!(monitor.name, "API");
    assert_eq!((monitor.interval, monitor.timeout), (Duration::from_secs(5), Duration::from_millis(500)));
    assert_eq!((monitor.thresholds.failure.get(), monitor.thresholds.success.get()), (3, 2));
    assert_eq!(monitor.group.as_deref(), Some("Backend"));
    assert_eq!(monitor.regions, ["weur", "oc"]);
}

#[test]
fn each_mistake_has_its_position_and_what_would_be_right() {
    let cases = [
        (r#","interval":"1s""#, "MONITORS[0].interval: `1s` is out of range: 5s to 24h"),
        (r#","interval":"25h""#, "MONITORS[0].interval: `25h` is out of range: 5s to 24h"),
        (
            r#","interval":60"#,
            "MONITORS[0].interval: should be a duration in quotes, such as \"30s\", not 60",
        ),
        (
            r#","interval":"60""#,
            "MONITORS[0].interval: `60`: a duration is a number and a unit, such as 500ms, 30s, 5m, 24h or 7d",
        ),
        (r#","timeout":"31s""#, "MONITORS[0].timeout: `31s` is out of range: 100ms to 30s"),
        (
            r#","failure-threshold":0"#,
            "MONITORS[0].failure-threshold: should be a whole number from 1 to 100, not 0",
        ),
        (
            r#","success-threshold":"2""#,
            "MONITORS[0].success-threshold: should be a whole number from 1 to 100, not \"2\"",
        ),
        (r#","name":"""#, "MONITORS[0].name: a name is one line of 1 to 80 characters"),
        (r#","name":7"#, "MONITORS[0].name: should be a text in quotes, not 7"),
        (r#","group":"a\nb""#, "MONITORS[0].group: a group is one line of 1 to 80 characters"),
        (
            r#","id":"Api""#,
            "MONITORS[0].id: `Api` is no id: 1 to 40 of a-z, 0-9 and -, with no - at either end",
        ),
        (
            r#","kind":"ping""#,
            "MONITORS[0].kind: `ping` is no kind of monitor; use heapbeat, http, tcp or heartbeat",
        ),
        (r#","url":"ftp://x.example""#, "MONITORS[0].url: should begin with https:// or http://"),
        (
            r#","url":"https://me:s3cret@x.example""#,
            "MONITORS[0].url: holds credentials before the @; a configuration file is no place for them",
        ),
        (
            r#","url":"http://127.0.0.1:8080/health""#,
            "MONITORS[0].url: `127.0.0.1` is a private address, which a monitor could be abused to look into; \
             set ALLOW_PRIVATE_TARGETS = \"true\" to allow it",
        ),
        (
            r#","intervall":"60s""#,
            "MONITORS[0].intervall: is no setting of a monitor of kind heapbeat; did you mean `interval`?",
        ),
        (
            r#","colour":"red""#,
            "MONITORS[0].colour: is no setting of a monitor of kind heapbeat; those are id, name, kind, url, secret, public-routes, \
             interval, timeout, retries, conditions, degraded, failure-threshold, success-threshold, group, depends-on, regions, public, alerts",
        ),
        (r#","depends-on":["api"]"#, "MONITORS[0].depends-on: names the monitor itself"),
        (
            r#","depends-on":["DB"]"#,
            "MONITORS[0].depends-on[0]: `DB` is no id: 1 to 40 of a-z, 0-9 and -, with no - at either end",
        ),
        (
            r#","conditions":["[STATUS] == 200","[STATSU] == 200"]"#,
            "MONITORS[0].conditions[1]: there is no placeholder `[STATSU]`; did you mean [STATUS]?",
        ),
        (
            r#","degraded":["[IP] == 127.0.0.1"]"#,
            "MONITORS[0].degraded[0]: [IP] is what a Worker cannot see: the platform shows it neither the address \
             nor the certificate of a connection",
        ),
        (r#","conditions":[]"#, "MONITORS[0].conditions: is empty; leave it out for [\"[STATUS] == 200\"]"),
        (r#","degraded":[7]"#, "MONITORS[0].degraded[0]: should be a text in quotes, not 7"),
        (r#","conditions":"x""#, "MONITORS[0].conditions: should be a list of at most 20 texts, not \"x\""),
        (
            r#","secret":"hunter2""#,
            "MONITORS[0].secret: is no name of a secret: 1 to 64 of A-Z, 0-9 and _, with no digit first, such as \
             HEAPBEAT_SECRET; what it holds is set by `wrangler secret put NAME` and stands in no file",
        ),
        (
            r#","alerts":["Ops"]"#,
            "MONITORS[0].alerts[0]: `Ops` is no id: 1 to 40 of a-z, 0-9 and -, with no - at either end",
        ),
    ];
    for (extra, problem) in cases {
        assert_eq!(problems(&entry(extra)), [problem], "{extra}");
        assert_eq!(Config::parse(Some(&entry(extra)), false).monitors, [], "{extra}");
    }
}

#[test]
fn all_problems_of_an_entry_are_reported_at_once() {
    assert_eq!(
        problems(r#"[{"kind":"http","url":"x","timeout":"0s"}]"#),
        [
            "MONITORS[0].id: is missing",
            "MONITORS[0].url: should begin with https:// or http://",
            "MONITORS[0].timeout: `0s` is out of range: 100ms to 30s",
        ]
    );
}

#[test]
fn an_invalid_entry_does_not_affect_the_others() {
    let text = r#"[
        {"id":"a","kind":"http","url":"https://a.example"},
        7,
        {"id":"a","kind":"http","url":"https://b.example"},
        {"id":"c","kind":"http","url":"https://c.example","interval":"1s"},
        {"id":"d","kind":"http","url":"https://d.example"}
    ]"#;
    let config = Config::parse(Some(text), false);
    let ids: Vec<_> = config.monitors.iter().map(|monitor| monitor.id.as_str()).collect();
    assert_eq!(ids, ["a", "d"]);
    assert_eq!(
        problems(text),
        [
            "MONITORS[1]: should be a table of settings, not 7",
            "MONITORS[2].id: `a` is taken by an entry above; every monitor has an id of its own",
            "MONITORS[3].interval: `1s` is out of range: 5s to 24h",
        ]
    );
}

#[test]
fn a_variable_that_is_not_a_list_is_refused_with_an_example() {
    let add = r#"such as [[vars.MONITORS]] in wrangler.toml with id = "api", kind = "heapbeat" and url = "https://api.example.com/health""#;
    assert_eq!(problems("[]"), [format!("MONITORS: there is no monitor; add one, {add}")]);
    assert_eq!(problems("{}"), [format!("MONITORS: should be a list of tables, {add}")]);
    assert_eq!(problems("[{"), ["MONITORS: is not JSON: EOF while parsing an object at line 1 column 2"]);
    let missing = Config::parse(None, false);
    assert_eq!(missing.problems[0].reason, format!("there is no monitor; add one, {add}"));
    assert_eq!(problems(&" ".repeat(LONGEST_CONFIG + 1)), ["MONITORS: has 262145 bytes, more than 262144"]);
}

#[test]
fn more_than_a_hub_can_watch_is_said_once() {
    let entries: Vec<_> = (0..A_HUB + 3)
        .map(|i| format!(r#"{{"id":"m{i}","kind":"http","url":"https://m{i}.example"}}"#))
        .collect();
    let text = format!("[{}]", entries.join(","));
    assert_eq!(Config::parse(Some(&text), false).monitors.len(), A_HUB);
    assert_eq!(
        problems(&text),
        [
            "MONITORS[40]: there is room for 40 monitors here; this entry and those after it (3 in all) are left out"
        ]
    );
}

#[test]
fn a_dependency_on_an_unknown_monitor_is_reported_and_removed() {
    let text = entry(r#","depends-on":["db"],"alerts":["ops"]"#);
    assert_eq!(problems(&text), ["MONITORS: monitor `api` depends on `db`, which is not watched"]);
    let monitor = &Config::parse(Some(&text), false).monitors[0];
    assert_eq!(monitor.depends_on, []);
    assert_eq!(monitor.alerts.as_ref().unwrap()[0].as_str(), "ops");
    assert_eq!(Config::parse(Some(&entry("")), false).monitors[0].alerts, None);
}

#[test]
fn private_targets_are_the_owners_choice() {
    let text = entry(r#","url":"http://localhost:8080/health""#);
    assert_eq!(Config::parse(Some(&text), true).monitors.len(), 1);
    assert_eq!(Config::parse(Some(&text), false).monitors.len(), 0);
}

#[test]
fn the_public_form_of_a_problem_hides_values() {
    let cases = [
        ("MONITORS[3].interval", "`1 needle`", "MONITORS[3].interval"),
        ("MONITORS[3]", "x", "MONITORS[3]"),
        ("MONITORS", "monitor `needle` depends on `needle`", "MONITORS"),
        ("MONITORS[0].headers.x-needle", "is no name of a header", "MONITORS[0].headers"),
        ("MONITORS[0].conditions[2]", "x", "MONITORS[0].conditions"),
        ("MONITORS[0].needle", "is no setting of a monitor of kind http; those are id", "MONITORS[0]"),
        ("monitors[7].url", "x", "monitors[7].url"),
        ("needle.time-zone", "there is no time zone `needle`", "MONITORS"),
        ("ALERTS.needle", "x", "ALERTS.needle"),
        ("PLAN", "x", "PLAN"),
        ("VAPID_SUBJECT", "x", "VAPID_SUBJECT"),
    ];
    for (position, reason, expected) in cases {
        let told = Problem { position: position.into(), reason: reason.into() }.shown();
        assert_eq!(told.position, expected);
        assert!(!told.reason.contains("needle"));
    }
}

#[test]
fn a_monitor_is_public_by_default() {
    let read = |more: &str| {
        let text = format!(r#"[{{"id":"a","kind":"http","url":"https://a.example"{more}}}]"#);
        let config = Config::parse(Some(&text), false);
        config.monitors.first().map(|monitor| monitor.public).ok_or(config.problems)
    };
    assert_eq!(read(""), Ok(true));
    assert_eq!(read(r#","public":true"#), Ok(true));
    assert_eq!(read(r#","public":false"#), Ok(false));
    let problems = read(r#","public":"no""#).unwrap_err();
    assert_eq!(problems[0].position, "MONITORS[0].public");
    assert!(problems[0].reason.contains("true or false"));
}
