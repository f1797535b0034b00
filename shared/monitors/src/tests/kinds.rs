//! The settings of each kind of monitor.

use super::*;

/// One entry of another kind.
fn one(text: &str) -> Result<Monitor, Vec<String>> {
    let text = format!("[{text}]");
    let mut config = Config::parse(Some(&text), false);
    let problems: Vec<_> = config.problems.iter().map(|p| format!("{}: {}", p.position, p.reason)).collect();
    if problems.is_empty() { Ok(config.monitors.remove(0)) } else { Err(problems) }
}

#[test]
fn the_top_route_is_published_where_that_is_allowed() {
    let told = |more: &str| one(entry(more).trim_matches(['[', ']'])).map(|it| it.shows_routes());
    assert_eq!((told(""), told(r#","public-routes":true"#)), (Ok(false), Ok(true)));
    let http = r#"{"id":"a","kind":"http","url":"https://a.example/","public-routes":true}"#;
    assert!(one(http).unwrap_err()[0].contains("is no setting of a monitor of kind http"));
}

#[test]
fn an_http_monitor_sends_the_configured_request() {
    let monitor = one(
        r#"{"id":"a","kind":"http","url":"https://a.example/","method":"post","body":"{}","redirects":"refuse",
            "max-body":"128kB","retries":2,"headers":{"Content-Type":"application/json",
            "Authorization":{"secret":"A_TOKEN","prefix":"Bearer "}}}"#,
    )
    .unwrap();
    let Target::Http(check) = monitor.target else { panic!("an http monitor") };
    assert_eq!((check.method, check.body.as_deref(), check.follow_redirects), ("POST", Some("{}"), false));
    assert_eq!((check.max_body, monitor.retries), (131_072, 2));
    let secret = HeaderValue::Secret { name: "A_TOKEN".parse().unwrap(), prefix: "Bearer ".to_owned() };
    let headers: Vec<_> = check.headers.iter().map(|header| (header.name.as_str(), &header.value)).collect();
    assert_eq!(
        headers,
        [("Authorization", &secret), ("Content-Type", &HeaderValue::Plain("application/json".to_owned()))]
    );
    let least = one(r#"{"id":"a","kind":"http","url":"https://a.example/"}"#).unwrap();
    let Target::Http(check) = least.target else { panic!("an http monitor") };
    assert_eq!((check.method, check.follow_redirects, check.max_body), ("GET", true, 65_536));
}

#[test]
fn a_tcp_monitor_has_an_address() {
    let monitor = one(r#"{"id":"db","kind":"tcp","url":"tcp://db.example.com:5432"}"#).unwrap();
    assert_eq!(monitor.target, Target::Tcp("tcp://db.example.com:5432".parse().unwrap()));
    assert_eq!(monitor.conditions[0].as_str(), "[CONNECTED] == true");
}

#[test]
fn a_heartbeat_has_a_rhythm() {
    let every =
        one(r#"{"id":"job","kind":"heartbeat","interval":"1h","grace":"10m","longest-run":"30m"}"#).unwrap();
    let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
    let expected =
        Heartbeat { rhythm: Rhythm::Every(hour), grace: 10 * minute, longest_run: Some(30 * minute) };
    assert_eq!((every.target, every.interval), (Target::Heartbeat(expected), minute));
    let cron =
        one(r#"{"id":"job","kind":"heartbeat","schedule":"0 3 * * *","time-zone":"Europe/Berlin"}"#).unwrap();
    let Target::Heartbeat(Heartbeat { rhythm: Rhythm::Cron(schedule), grace, longest_run: None }) =
        cron.target
    else {
        panic!("a schedule")
    };
    assert_eq!((schedule.to_string().as_str(), grace), ("0 3 * * * Europe/Berlin", 5 * minute));
}

#[test]
fn mistakes_of_each_kind() {
    let cases = [
        (
            r#""kind":"http","url":"https://a.example","method":"FETCH""#,
            "method: `FETCH` is no method; those are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
        (
            r#""kind":"http","url":"https://a.example","body":"x""#,
            "body: a GET request has no body; say method = \"POST\", or take it out",
        ),
        (
            r#""kind":"http","url":"https://a.example","redirects":"yes""#,
            "redirects: `yes` should be \"follow\" or \"refuse\"; with refuse, a redirect is the answer",
        ),
        (
            r#""kind":"http","url":"https://a.example","max-body":"1MB""#,
            "max-body: `1MB` is out of range: 1B to 256kB",
        ),
        (
            r#""kind":"http","url":"https://a.example","retries":9"#,
            "retries: should be a whole number from 0 to 3, not 9",
        ),
        (
            r#""kind":"http","url":"https://a.example","secret":"X""#,
            "secret: is no setting of a monitor of kind http; those are id, name, kind, url, method, headers, body, redirects, max-body, interval, timeout, retries, conditions, degraded, failure-threshold, success-threshold, group, depends-on, regions, public, alerts",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":["a"]"#,
            "headers: should be a table, such as { accept = \"text/plain\" }, not a list of 1",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"Host":"b.example"}"#,
            "headers.Host: is the platform's to set; take it out",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"a b":"x"}"#,
            "headers.a b: is no name of a header",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"x":"a\nb"}"#,
            "headers.x: a value is one line of at most 1024 printable ASCII characters",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"x":{"prefix":"a"}}"#,
            "headers.x: names no secret",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"x":{"secret":"A","value":"b"}}"#,
            "headers.x: `value` is no setting of a header; those are secret and prefix",
        ),
        (
            r#""kind":"tcp","url":"tcp://db.example""#,
            "url: should be tcp://host:port, such as tcp://db.example.com:5432",
        ),
        (
            r#""kind":"tcp","url":"tcp://mail.example:25""#,
            "url: has port 25, which the platform does not let a Worker connect to",
        ),
        (
            r#""kind":"tcp","url":"tcp://127.1:22""#,
            "url: `127.1` is a private address, which a monitor could be abused to look into; set ALLOW_PRIVATE_TARGETS = \"true\" to allow it",
        ),
        (
            r#""kind":"tcp","url":"tcp://db.example:1","conditions":["[STATUS] == 200"]"#,
            "conditions[0]: a connection has no [STATUS]",
        ),
        (
            r#""kind":"heartbeat""#,
            "interval: a heartbeat has either an interval, such as \"1h\", or a schedule, such as \"0 3 * * *\"",
        ),
        (r#""kind":"heartbeat","schedule":"0 3 * *""#, "schedule: `0 3 * *` is no cron expression"),
        (
            r#""kind":"heartbeat","schedule":"0 0 31 2 *""#,
            "schedule: `0 0 31 2 *` never comes: there is no such day",
        ),
        (
            r#""kind":"heartbeat","schedule":"0 3 * * *","time-zone":"CET time""#,
            "time-zone: `CET time` is no time zone; one looks like Europe/Berlin, America/New_York or UTC",
        ),
        (r#""kind":"heartbeat","interval":"1h","time-zone":"UTC""#, "time-zone: goes with a schedule only"),
        (r#""kind":"heartbeat","interval":"30s""#, "interval: `30s` is out of range: 1m to 31d"),
        (
            r#""kind":"heartbeat","interval":"1h","conditions":[]"#,
            "conditions: a heartbeat tells by itself whether it went well; take the field out",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","url":"https://a.example""#,
            "url: is no setting of a monitor of kind heartbeat",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","degraded":["[STATUS] == 1"]"#,
            "degraded[0]: all that is known of a job's run is its [RESPONSE_TIME], from start to success",
        ),
    ];
    for (extra, problem) in cases {
        let problems = one(&format!(r#"{{"id":"a",{extra}}}"#)).expect_err(extra);
        assert!(
            problems.len() == 1 && problems[0].starts_with(&format!("MONITORS[0].{problem}")),
            "{extra}: {problems:?}"
        );
    }
}

#[test]
fn regions_are_places_that_there_are() {
    let cases = [
        (
            r#""kind":"http","url":"https://a.example","regions":["europe"]"#,
            "regions[0]: `europe` is no region; there are wnam, enam, sam, weur, eeur, apac, oc, afr, me",
        ),
        (
            r#""kind":"http","url":"https://a.example","regions":["weur","oc","weur"]"#,
            "regions: names `weur` twice",
        ),
        (
            r#""kind":"tcp","url":"tcp://a.example:1","regions":["wnam","enam","sam","weur","eeur","apac"]"#,
            "regions: has 6 regions; 5 are enough",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","regions":["weur"]"#,
            "regions: nobody asks a job, from wherever; take the field out",
        ),
    ];
    for (entry, problem) in cases {
        let problems = one(&format!(r#"{{"id":"m",{entry}}}"#)).unwrap_err();
        assert_eq!(problems, [format!("MONITORS[0].{problem}")], "{entry}");
    }
}

#[test]
fn a_literal_credential_is_refused_and_not_repeated() {
    for name in ["Authorization", "cookie", "X-Api-Key", "X-Auth-Token", "Proxy-Authorization"] {
        let problems = one(&format!(
            r#"{{"id":"a","kind":"http","url":"https://a.example","headers":{{"{name}":"hunter2"}}}}"#
        ))
        .expect_err(name);
        assert!(
            problems[0].contains("carries a credential") && !problems[0].contains("hunter2"),
            "{problems:?}"
        );
    }
}
