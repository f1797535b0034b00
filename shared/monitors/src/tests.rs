use std::time::Duration;

use super::*;

mod kinds;

/// Returns a list with one valid entry. A field in `extra` replaces an earlier one of the same name.
fn entry(extra: &str) -> String {
    format!(r#"[{{"id":"api","kind":"heapbeat","url":"https://api.example.com/health"{extra}}}]"#)
}

fn problems(text: &str) -> Vec<String> {
    let config = MonitorConfig::parse(Some(text), false);
    config.problems.into_iter().map(|p| format!("{}: {}", p.position, p.reason)).collect()
}

#[test]
fn a_minimal_entry_gets_the_defaults() {
    let config = MonitorConfig::parse(Some(&entry("")), false);
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
    let config = MonitorConfig::parse(Some(&text), false);
    assert_eq!(config.problems, []);
    let monitor = &config.monitors[0];
    assert_eq!(monitor.name, "API");
    assert_eq!((monitor.interval, monitor.timeout), (Duration::from_secs(5), Duration::from_millis(500)));
    assert_eq!((monitor.thresholds.failure.get(), monitor.thresholds.success.get()), (3, 2));
    assert_eq!(monitor.group.as_deref(), Some("Backend"));
    assert_eq!(monitor.regions, ["weur", "oc"]);
}

#[test]
fn every_problem_names_its_position_and_the_expected_value() {
    let cases = [
        (r#","interval":"1s""#, "MONITORS[0].interval: must be from 5s to 24h, got `1s`"),
        (r#","interval":"25h""#, "MONITORS[0].interval: must be from 5s to 24h, got `25h`"),
        (r#","interval":60"#, "MONITORS[0].interval: must be a duration in quotes, such as \"30s\", got 60"),
        (
            r#","interval":"60""#,
            "MONITORS[0].interval: `60` is not a duration: a duration is a number and a unit, such as 500ms, 30s, 5m, 1h30m or 7d",
        ),
        (r#","timeout":"31s""#, "MONITORS[0].timeout: must be from 100ms to 30s, got `31s`"),
        (
            r#","failure-threshold":0"#,
            "MONITORS[0].failure-threshold: must be a whole number from 1 to 100, got 0",
        ),
        (
            r#","success-threshold":"2""#,
            "MONITORS[0].success-threshold: must be a whole number from 1 to 100, got \"2\"",
        ),
        (r#","name":"""#, "MONITORS[0].name: must be one line of 1 to 80 characters"),
        (r#","name":7"#, "MONITORS[0].name: must be text in quotes, got 7"),
        (r#","group":"a\nb""#, "MONITORS[0].group: must be one line of 1 to 80 characters"),
        (
            r#","id":"Api""#,
            "MONITORS[0].id: `Api` is not a valid id: use 1 to 40 of a-z, 0-9 and -, with no - at either end",
        ),
        (
            r#","kind":"ping""#,
            "MONITORS[0].kind: unknown kind `ping`; the kinds are heapbeat, http, tcp, dns and heartbeat",
        ),
        (r#","url":"ftp://x.example""#, "MONITORS[0].url: must begin with https:// or http://"),
        (
            r#","url":"https://me:s3cret@x.example""#,
            "MONITORS[0].url: contains credentials before the @, which must not be in a configuration file",
        ),
        (
            r#","url":"http://127.0.0.1:8080/health""#,
            "MONITORS[0].url: `127.0.0.1` is a private address, and a monitor could be abused to probe an internal network; \
             set ALLOW_PRIVATE_TARGETS = \"true\" to allow it",
        ),
        (
            r#","intervall":"60s""#,
            "MONITORS[0].intervall: unknown setting of a monitor of kind heapbeat; did you mean `interval`?",
        ),
        (
            r#","color":"red""#,
            "MONITORS[0].color: unknown setting of a monitor of kind heapbeat; the settings are id, name, kind, url, secret, public-routes, \
             interval, timeout, retries, conditions, degraded, failure-threshold, success-threshold, group, depends-on, regions, public, alerts",
        ),
        (r#","depends-on":["api"]"#, "MONITORS[0].depends-on: a monitor cannot depend on itself"),
        (
            r#","depends-on":["DB"]"#,
            "MONITORS[0].depends-on[0]: `DB` is not a valid id: use 1 to 40 of a-z, 0-9 and -, with no - at either end",
        ),
        (
            r#","conditions":["[STATUS] == 200","[STATSU] == 200"]"#,
            "MONITORS[0].conditions[1]: unknown placeholder `[STATSU]`; did you mean [STATUS]?",
        ),
        (
            r#","degraded":["[IP] == 127.0.0.1"]"#,
            "MONITORS[0].degraded[0]: [IP] is not available in a Worker: the platform exposes neither the address \
             nor the certificate of a connection",
        ),
        (
            r#","conditions":[]"#,
            "MONITORS[0].conditions: the list is empty; remove it to use the default [\"[STATUS] == 200\"]",
        ),
        (r#","degraded":[7]"#, "MONITORS[0].degraded[0]: must be text in quotes, got 7"),
        (r#","conditions":"x""#, "MONITORS[0].conditions: must be a list of at most 20 texts, got \"x\""),
        (
            r#","secret":"hunter2""#,
            "MONITORS[0].secret: not the name of a secret: use 1 to 64 of A-Z, 0-9 and _, with no digit first, such as \
             HEAPBEAT_SECRET; set the value with `wrangler secret put NAME`, never in a file",
        ),
        (
            r#","alerts":["Ops"]"#,
            "MONITORS[0].alerts[0]: `Ops` is not a valid id: use 1 to 40 of a-z, 0-9 and -, with no - at either end",
        ),
    ];
    for (extra, problem) in cases {
        assert_eq!(problems(&entry(extra)), [problem], "{extra}");
        assert_eq!(MonitorConfig::parse(Some(&entry(extra)), false).monitors, [], "{extra}");
    }
}

#[test]
fn all_problems_of_an_entry_are_reported_at_once() {
    assert_eq!(
        problems(r#"[{"kind":"http","url":"x","timeout":"0s"}]"#),
        [
            "MONITORS[0].id: this setting is required",
            "MONITORS[0].url: must begin with https:// or http://",
            "MONITORS[0].timeout: must be from 100ms to 30s, got `0s`",
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
    let config = MonitorConfig::parse(Some(text), false);
    let ids: Vec<_> = config.monitors.iter().map(|monitor| monitor.id.as_str()).collect();
    assert_eq!(ids, ["a", "d"]);
    assert_eq!(
        problems(text),
        [
            "MONITORS[1]: must be a table of settings, got 7",
            "MONITORS[2].id: `a` is already the id of an earlier entry; ids must be unique",
            "MONITORS[3].interval: must be from 5s to 24h, got `1s`",
        ]
    );
}

#[test]
fn a_variable_that_is_not_a_list_is_refused_with_an_example() {
    let add = r#"such as [[vars.MONITORS]] in wrangler.toml with id = "api", kind = "heapbeat" and url = "https://api.example.com/health""#;
    assert_eq!(problems("[]"), [format!("MONITORS: there are no monitors; add one, {add}")]);
    assert_eq!(problems("{}"), [format!("MONITORS: must be a list of tables, {add}")]);
    assert_eq!(
        problems("[{"),
        ["MONITORS: is not valid JSON: EOF while parsing an object at line 1 column 2"]
    );
    let missing = MonitorConfig::parse(None, false);
    assert_eq!(missing.problems[0].reason, format!("there are no monitors; add one, {add}"));
    assert_eq!(
        problems(&" ".repeat(MAX_LIST_BYTES + 1)),
        ["MONITORS: has 262145 bytes; at most 262144 are allowed"]
    );
}

#[test]
fn entries_beyond_the_limit_are_reported_once() {
    let entries: Vec<_> = (0..MONITORS_PER_HUB + 3)
        .map(|i| format!(r#"{{"id":"m{i}","kind":"http","url":"https://m{i}.example"}}"#))
        .collect();
    let text = format!("[{}]", entries.join(","));
    assert_eq!(MonitorConfig::parse(Some(&text), false).monitors.len(), MONITORS_PER_HUB);
    assert_eq!(
        problems(&text),
        [
            "MONITORS[40]: the limit of 40 monitors is reached; this entry and the following ones (3 in total) are ignored"
        ]
    );
}

#[test]
fn a_dependency_on_an_unknown_monitor_is_reported_and_removed() {
    let text = entry(r#","depends-on":["db"],"alerts":["ops"]"#);
    assert_eq!(problems(&text), ["MONITORS[0].depends-on: there is no monitor `db`"]);
    let monitor = &MonitorConfig::parse(Some(&text), false).monitors[0];
    assert_eq!(monitor.depends_on, []);
    assert_eq!(monitor.alerts.as_ref().unwrap()[0].as_str(), "ops");
    assert_eq!(MonitorConfig::parse(Some(&entry("")), false).monitors[0].alerts, None);
}

#[test]
fn every_monitor_of_a_cycle_of_dependencies_is_refused_with_its_path() {
    let entry = |id: &str, on: &str| {
        format!(r#"{{"id":"{id}","kind":"http","url":"https://a.example","depends-on":[{on}]}}"#)
    };
    let list = |entries: &[(&str, &str)]| {
        format!("[{}]", entries.iter().map(|(id, on)| entry(id, on)).collect::<Vec<_>>().join(","))
    };
    let text = list(&[("a", r#""b","d""#), ("b", r#""c""#), ("c", r#""a""#), ("d", ""), ("e", r#""a""#)]);
    let reason = |path: &str| {
        format!(
            "these monitors depend on each other: {path}; none of them would alert, so remove one of the dependencies"
        )
    };
    assert_eq!(
        problems(&text),
        [
            format!("MONITORS[0].depends-on: {}", reason("a → b → c → a")),
            format!("MONITORS[1].depends-on: {}", reason("b → c → a → b")),
            format!("MONITORS[2].depends-on: {}", reason("c → a → b → c")),
        ]
    );
    let left: Vec<_> = MonitorConfig::parse(Some(&text), false)
        .monitors
        .iter()
        .map(|monitor| monitor.depends_on.iter().map(MonitorId::as_str).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(left, ["d", "", "", "", "a"], "the monitors stay, so that they are probed and alert");
    assert_eq!(problems(&list(&[("a", r#""b","c""#), ("b", r#""d""#), ("c", r#""d""#), ("d", "")])), [""; 0]);
}

#[test]
fn private_targets_need_permission() {
    let text = entry(r#","url":"http://localhost:8080/health""#);
    assert_eq!(MonitorConfig::parse(Some(&text), true).monitors.len(), 1);
    assert_eq!(MonitorConfig::parse(Some(&text), false).monitors.len(), 0);
}

#[test]
fn a_monitor_is_public_by_default() {
    let parse = |more: &str| {
        let text = format!(r#"[{{"id":"a","kind":"http","url":"https://a.example"{more}}}]"#);
        let config = MonitorConfig::parse(Some(&text), false);
        config.monitors.first().map(|monitor| monitor.public).ok_or(config.problems)
    };
    assert_eq!(parse(""), Ok(true));
    assert_eq!(parse(r#","public":true"#), Ok(true));
    assert_eq!(parse(r#","public":false"#), Ok(false));
    let problems = parse(r#","public":"no""#).unwrap_err();
    assert_eq!(problems[0].position, "MONITORS[0].public");
    assert!(problems[0].reason.contains("true or false"));
}

#[test]
fn the_default_secret_belongs_to_the_first_server() {
    let text = r#"[{"id":"api","kind":"heapbeat","url":"https://api.example.com/health"},
        {"id":"live","kind":"heapbeat","url":"https://API.example.com:443/health/live"},
        {"id":"own","kind":"heapbeat","url":"https://own.example.com/health","secret":"OWN_SECRET"},
        {"id":"stated","kind":"heapbeat","url":"https://two.example.com/health","secret":"HEAPBEAT_SECRET"},
        {"id":"web","kind":"http","url":"https://web.example.com/"},
        {"id":"other","kind":"heapbeat","url":"https://evil.example/health"},
        {"id":"port","kind":"heapbeat","url":"https://api.example.com:8443/health"}]"#;
    let config = MonitorConfig::parse(Some(text), false);
    assert_eq!(config.problems, []);
    let unsigned: Vec<_> = config.servers_without_secret().map(|monitor| monitor.id.as_str()).collect();
    assert_eq!(unsigned, ["other", "port"]);
}
