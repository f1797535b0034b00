//! The settings of each kind of monitor.

use super::*;

/// Parses one entry.
fn parse_one(text: &str) -> Result<Monitor, Vec<String>> {
    let text = format!("[{text}]");
    let mut config = MonitorConfig::parse(Some(&text), false);
    let problems: Vec<_> = config.problems.iter().map(|p| format!("{}: {}", p.position, p.reason)).collect();
    if problems.is_empty() { Ok(config.monitors.remove(0)) } else { Err(problems) }
}

#[test]
fn the_top_route_is_published_only_if_allowed() {
    let shows_routes =
        |more: &str| parse_one(entry(more).trim_matches(['[', ']'])).map(|it| it.shows_routes());
    assert_eq!((shows_routes(""), shows_routes(r#","public-routes":true"#)), (Ok(false), Ok(true)));
    let http = r#"{"id":"a","kind":"http","url":"https://a.example/","public-routes":true}"#;
    assert!(parse_one(http).unwrap_err()[0].contains("unknown setting of a monitor of kind http"));
}

#[test]
fn an_http_monitor_sends_the_configured_request() {
    let monitor = parse_one(
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
        [("Authorization", &secret), ("Content-Type", &HeaderValue::Literal("application/json".to_owned()))]
    );
    let minimal = parse_one(r#"{"id":"a","kind":"http","url":"https://a.example/"}"#).unwrap();
    let Target::Http(check) = minimal.target else { panic!("an http monitor") };
    assert_eq!((check.method, check.follow_redirects, check.max_body), ("GET", true, 65_536));
}

#[test]
fn a_json_body_is_sent_as_json_unless_a_header_says_otherwise() {
    let content_type = |body: &str, headers: &str| {
        let text = format!(
            r#"[{{"id":"a","kind":"http","url":"https://a.example","method":"POST","body":{body}{headers}}}]"#
        );
        let config = MonitorConfig::parse(Some(&text), false);
        assert_eq!(config.problems, [], "{text}");
        let Target::Http(check) = &config.monitors[0].target else { panic!("{config:?}") };
        let found = check.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type"));
        found.map(|header| header.value.clone())
    };
    let literal = |text: &str| Some(HeaderValue::Literal(text.to_owned()));
    for (body, headers, expected) in [
        (r#""{\"query\":1}""#, "", literal("application/json")),
        (r#"" [1, 2] ""#, "", literal("application/json")),
        (
            r#""{\"query\":1}""#,
            r#","headers":{"content-TYPE":"application/graphql+json"}"#,
            literal("application/graphql+json"),
        ),
        (r#""{broken""#, "", None),
        (r#""a=b""#, "", None),
        (r#""7""#, "", None),
    ] {
        assert_eq!(content_type(body, headers), expected, "{body} {headers}");
    }
}

#[test]
fn a_tcp_monitor_has_an_address() {
    let monitor = parse_one(r#"{"id":"db","kind":"tcp","url":"tcp://db.example.com:5432"}"#).unwrap();
    assert_eq!(monitor.target, Target::Tcp("tcp://db.example.com:5432".parse().unwrap()));
    assert_eq!(monitor.conditions[0].as_str(), "[CONNECTED] == true");
}

#[test]
fn a_heartbeat_has_an_interval_or_a_schedule() {
    let every =
        parse_one(r#"{"id":"job","kind":"heartbeat","interval":"1h","grace":"10m","max-runtime":"30m"}"#)
            .unwrap();
    let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
    let expected = Heartbeat {
        schedule: HeartbeatSchedule::Every(hour),
        grace: 10 * minute,
        max_runtime: Some(30 * minute),
    };
    assert_eq!((every.target, every.interval), (Target::Heartbeat(expected), minute));
    let cron =
        parse_one(r#"{"id":"job","kind":"heartbeat","schedule":"0 3 * * *","time-zone":"Europe/Berlin"}"#)
            .unwrap();
    let Target::Heartbeat(Heartbeat {
        schedule: HeartbeatSchedule::Cron(schedule),
        grace,
        max_runtime: None,
    }) = cron.target
    else {
        panic!("a schedule")
    };
    assert_eq!((schedule.to_string().as_str(), grace), ("0 3 * * * Europe/Berlin", 5 * minute));
}

/// Expects that a monitor with these settings has one problem, which begins with the text.
fn assert_problems(cases: &[(&str, &str)]) {
    for (extra, problem) in cases {
        let problems = parse_one(&format!(r#"{{"id":"a",{extra}}}"#)).expect_err(extra);
        assert!(
            problems.len() == 1 && problems[0].starts_with(&format!("MONITORS[0].{problem}")),
            "{extra}: {problems:?}"
        );
    }
}

#[test]
fn problems_of_http_monitors_are_reported() {
    assert_problems(&[
        (
            r#""kind":"http","url":"https://a.example","method":"FETCH""#,
            "method: unknown method `FETCH`; the methods are GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
        (
            r#""kind":"http","url":"https://a.example","body":"x""#,
            "body: a GET request has no body; set method = \"POST\", or remove the body",
        ),
        (
            r#""kind":"http","url":"https://a.example","redirects":"yes""#,
            "redirects: must be \"follow\" or \"refuse\", got `yes`; with \"refuse\" a redirect is the response",
        ),
        (
            r#""kind":"http","url":"https://a.example","max-body":"1MB""#,
            "max-body: must be from 1B to 256kB, got `1MB`",
        ),
        (
            r#""kind":"http","url":"https://a.example","retries":9"#,
            "retries: must be a whole number from 0 to 3, got 9",
        ),
        (
            r#""kind":"http","url":"https://a.example","secret":"X""#,
            "secret: unknown setting of a monitor of kind http; the settings are id, name, kind, url, method, headers, body, literal-credentials, redirects, max-body, interval, timeout, retries, conditions, degraded, failure-threshold, success-threshold, group, depends-on, regions, public, alerts",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":["a"]"#,
            "headers: must be a table, such as { accept = \"text/plain\" }, got a list of 1",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"Host":"b.example"}"#,
            "headers.Host: the platform sets this header; remove it",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"a b":"x"}"#,
            "headers.a b: not a valid name of a header",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"x":"a\nb"}"#,
            "headers.x: a value must be one line of at most 1024 printable ASCII characters",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"x":{"prefix":"a"}}"#,
            "headers.x: the name of the secret is missing",
        ),
        (
            r#""kind":"http","url":"https://a.example","headers":{"x":{"secret":"A","value":"b"}}"#,
            "headers.x: unknown setting `value` of a header; the settings are secret and prefix",
        ),
    ]);
}

#[test]
fn problems_of_tcp_and_heartbeat_monitors_are_reported() {
    assert_problems(&[
        (
            r#""kind":"tcp","url":"tcp://db.example""#,
            "url: must be tcp://host:port, such as tcp://db.example.com:5432",
        ),
        (
            r#""kind":"tcp","url":"tcp://mail.example:25""#,
            "url: port 25 cannot be used, as the platform does not let a Worker connect to it",
        ),
        (
            r#""kind":"tcp","url":"tcp://127.1:22""#,
            "url: `127.1` is a private address, and a monitor could be abused to probe an internal network; set ALLOW_PRIVATE_TARGETS = \"true\" to allow it",
        ),
        (
            r#""kind":"tcp","url":"tcp://db.example:1","conditions":["[STATUS] == 200"]"#,
            "conditions[0]: a TCP connection has no [STATUS]",
        ),
        (
            r#""kind":"heartbeat""#,
            "interval: a heartbeat needs either an interval, such as \"1h\", or a schedule, such as \"0 3 * * *\"",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","schedule":"0 3 * * *""#,
            "interval: the heartbeat has both `interval` and `schedule`; remove one",
        ),
        (
            r#""kind":"heartbeat","schedule":"0 3 * *""#,
            "schedule: `0 3 * *` is not a cron expression: it has 4 fields; write five fields",
        ),
        (
            r#""kind":"heartbeat","schedule":"0 0 31 2 *""#,
            "schedule: `0 0 31 2 *` names a day that does not exist",
        ),
        (
            r#""kind":"heartbeat","schedule":"0 3 * * *","time-zone":"CET time""#,
            "time-zone: `CET time` is not a time zone; use a name such as Europe/Berlin, America/New_York or UTC",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","time-zone":"UTC""#,
            "time-zone: a time zone requires a schedule",
        ),
        (r#""kind":"heartbeat","interval":"30s""#, "interval: must be from 1m to 31d, got `30s`"),
        (
            r#""kind":"heartbeat","interval":"1h","conditions":[]"#,
            "conditions: a heartbeat reports success or failure itself, so it has no conditions; remove this setting",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","url":"https://a.example""#,
            "url: unknown setting of a monitor of kind heartbeat",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","degraded":["[STATUS] == 1"]"#,
            "degraded[0]: the only placeholder of a heartbeat is [RESPONSE_TIME], the time from start to success",
        ),
    ]);
}

#[test]
fn invalid_regions_are_refused() {
    let cases = [
        (
            r#""kind":"http","url":"https://a.example","regions":["europe"]"#,
            "regions[0]: unknown region `europe`; the regions are wnam, enam, sam, weur, eeur, apac, oc, afr, me",
        ),
        (
            r#""kind":"http","url":"https://a.example","regions":["weur","oc","weur"]"#,
            "regions: `weur` is listed twice",
        ),
        (
            r#""kind":"tcp","url":"tcp://a.example:1","regions":["wnam","enam","sam","weur","eeur","apac"]"#,
            "regions: has 6 regions; at most 5 are allowed",
        ),
        (
            r#""kind":"heartbeat","interval":"1h","regions":["weur"]"#,
            "regions: a heartbeat monitor is not probed, so it has no regions; remove this setting",
        ),
    ];
    for (entry, problem) in cases {
        let problems = parse_one(&format!(r#"{{"id":"m",{entry}}}"#)).unwrap_err();
        assert_eq!(problems, [format!("MONITORS[0].{problem}")], "{entry}");
    }
}

#[test]
fn a_credential_in_the_address_or_the_body_needs_the_owners_word() {
    let cases = [
        (
            r#""url":"https://a.example/?token=hunter2""#,
            "MONITORS[0].url: the parameter `token` looks like a credential",
        ),
        (
            r#""url":"https://a.example","method":"POST","body":"{\"password\":\"hunter2\"}""#,
            "MONITORS[0].body: the field `password` looks like a credential",
        ),
    ];
    for (settings, expected) in cases {
        let entry = |more: &str| format!(r#"{{"id":"a","kind":"http",{settings}{more}}}"#);
        let problems = parse_one(&entry("")).expect_err(settings);
        assert!(problems[0].starts_with(expected) && !problems[0].contains("hunter2"), "{problems:?}");
        assert!(parse_one(&entry(r#","literal-credentials":true"#)).is_ok(), "{settings}");
    }
}

#[test]
fn a_literal_credential_is_refused_and_not_repeated() {
    for name in ["Authorization", "cookie", "X-Api-Key", "X-Auth-Token", "Proxy-Authorization"] {
        let problems = parse_one(&format!(
            r#"{{"id":"a","kind":"http","url":"https://a.example","headers":{{"{name}":"hunter2"}}}}"#
        ))
        .expect_err(name);
        assert!(
            problems[0].contains("contains a credential") && !problems[0].contains("hunter2"),
            "{problems:?}"
        );
    }
}

#[test]
fn a_condition_that_can_never_hold_is_reported_with_its_position() {
    let cases = [
        (
            r#""conditions":["[STATUS] == 200","[STATUS] == 99999"]"#,
            "conditions[1]: can never hold: [STATUS] is a whole number",
        ),
        (
            r#""conditions":["[STATUS] == 200","[STATUS] == 201"]"#,
            "conditions[1]: can never hold together with `[STATUS] == 200`",
        ),
        (
            r#""conditions":["[STATUS] == 0"]"#,
            "conditions[0]: can never hold: [STATUS] is a whole number from 100 to 999",
        ),
        (r#""degraded":["[RESPONSE_TIME] < 0"]"#, "degraded[0]: can never hold: [RESPONSE_TIME]"),
        (
            r#""timeout":"5s","conditions":["[RESPONSE_TIME] > 6s"]"#,
            "conditions[0]: can never hold: [RESPONSE_TIME] is a whole number from 0 to 5000",
        ),
        (r#""degraded":["[STATUS] == 201"]"#, "degraded[0]: can never hold together with `[STATUS] == 200`"),
        (
            r#""conditions":["[CONNECTED] == true"],"degraded":["[CONNECTED] == false"]"#,
            "degraded[0]: can never hold",
        ),
    ];
    for (fields, problem) in cases {
        assert_problems(&[(&format!(r#""kind":"http","url":"https://a.example",{fields}"#), problem)]);
    }
    let valid = [
        r#""conditions":["[CONNECTED] == false"]"#,
        r#""conditions":["[CONNECTED] == false","[STATUS] == 0"]"#,
        r#""timeout":"30s","conditions":["[RESPONSE_TIME] > 10s"]"#,
    ];
    for fields in valid {
        let entry = format!(r#"{{"id":"a","kind":"http","url":"https://a.example",{fields}}}"#);
        assert!(parse_one(&entry).is_ok(), "{fields}");
    }
    let job = |fields: &str| {
        format!(r#""kind":"heartbeat","interval":"1h","degraded":["[RESPONSE_TIME] > 2h"]{fields}"#)
    };
    assert!(parse_one(&format!(r#"{{"id":"a",{}}}"#, job(""))).is_ok());
    assert_problems(&[(&job(r#","max-runtime":"1h""#), "degraded[0]: can never hold")]);
}

#[test]
fn a_dns_monitor_has_a_query_and_a_resolver() {
    let parsed = |fields: &str| parse_one(&format!(r#"{{"id":"a","kind":"dns",{fields}}}"#)).expect(fields);
    let plain = parsed(r#""query-name":"Example.COM.""#);
    let Target::Dns(query) = &plain.target else { panic!("a query") };
    assert_eq!((query.name.as_str(), query.record_type.as_str()), ("example.com", "A"));
    assert_eq!(query.resolver.as_str(), crate::DEFAULT_RESOLVER);
    assert_eq!(plain.conditions[0].as_str(), "[DNS_RCODE] == NOERROR");
    let full = parsed(
        r#""query-name":"_sip._tcp.example.com","query-type":"srv","resolver":"https://dns.google/resolve","conditions":["[BODY] == a:1"]"#,
    );
    let Target::Dns(query) = &full.target else { panic!("a query") };
    assert_eq!((query.record_type.as_str(), query.resolver.as_str()), ("SRV", "https://dns.google/resolve"));
    assert_problems(&[
        (r#""kind":"dns""#, "query-name: this setting is required"),
        (r#""kind":"dns","query-name":"a..b""#, "query-name: `a..b` is not a name"),
        (r#""kind":"dns","query-name":"a.example&type=ANY""#, "query-name: "),
        (r#""kind":"dns","query-name":"bücher.example""#, "query-name: `bücher.example` is not ASCII"),
        (
            r#""kind":"dns","query-name":"a.example","query-type":"ANY""#,
            "query-type: `ANY` is not a type of records",
        ),
        (
            r#""kind":"dns","query-name":"a.example","resolver":"https://10.0.0.1/""#,
            "resolver: `10.0.0.1` is a private",
        ),
        (r#""kind":"dns","query-name":"a.example","url":"8.8.8.8""#, "url: unknown setting"),
        (
            r#""kind":"dns","query-name":"a.example","conditions":["[STATUS] == 200"]"#,
            "conditions[0]: a DNS query has neither",
        ),
        (
            r#""kind":"dns","query-name":"a.example","conditions":["[DNS_RCODE] == OK"]"#,
            "conditions[0]: can never hold",
        ),
        (
            r#""kind":"http","url":"https://a.example","conditions":["[DNS_RCODE] == NOERROR"]"#,
            "conditions[0]: only a monitor of kind dns",
        ),
    ]);
}

#[test]
fn a_condition_on_the_domain_needs_one() {
    let condition = r#""conditions":["[STATUS] == 200","[DOMAIN_EXPIRATION] > 720h"]"#;
    let named =
        parse_one(&format!(r#"{{"id":"a","kind":"http","url":"https://www.example.co.uk/x",{condition}}}"#))
            .unwrap();
    assert_eq!(named.observed_domain().as_deref(), Some("example.co.uk"));
    let plain = parse_one(r#"{"id":"a","kind":"http","url":"https://www.example.com"}"#).unwrap();
    assert_eq!((plain.domain().as_deref(), plain.observed_domain()), (Some("example.com"), None));
    assert_problems(&[(
        &format!(r#""kind":"http","url":"https://8.8.8.8",{condition}"#),
        "conditions[1]: [DOMAIN_EXPIRATION] needs a target with a public domain name",
    )]);
}
