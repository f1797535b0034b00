use super::*;
use crate::domain::State;
use crate::domain::check::outcome::{ProbeResponse, ResponseBody};
use crate::domain::engine::Tick;

const MINUTE: i64 = 60_000;

/// `a` and `b` on hosts of their own, `b2` on the host of `b`, `c` that needs `a`.
fn config() -> MonitorConfig {
    let entry = |id: &str, host: &str, more: &str| {
        format!(r#"{{"id":"{id}","kind":"http","url":"https://{host}.example"{more}}}"#)
    };
    let list = [
        entry("a", "a", ""),
        entry("b", "b", ""),
        entry("b2", "b", ""),
        entry("c", "c", r#","depends-on":["a"]"#),
    ];
    let config = MonitorConfig::parse(Some(&format!("[{}]", list.join(","))), false);
    assert_eq!(config.problems, []);
    config
}

/// The probes of a minute: `a+` responds, `a-` does not, `a!` refuses, `a5` responds with status 500, `a?` was not probed.
fn probes(words: &str, minute: i64) -> Vec<ProbeResult> {
    let response = |status| {
        let latency = Duration::from_millis(5);
        Ok(ProbeResponse::new(status, latency, ResponseBody::Unread))
    };
    let probe = |word: &str| {
        let (id, finds) = word.split_at(word.len() - 1);
        let result = match finds {
            "+" => response(200),
            "5" => response(500),
            "!" => Err(Failure::ConnectionRefused.into()),
            "?" => Err(ProbeSkipped::Budget.into()),
            _ => Err(Failure::Timeout.into()),
        };
        ProbeResult { monitor: id.parse().unwrap(), received: UnixMillis(minute * MINUTE), result }
    };
    words.split_whitespace().map(probe).collect()
}

/// Runs ticks, one a minute, as the hub does. Returns the engine and whether the edge was offline in the last tick.
fn run(ticks: &[&str], check: SelfCheck) -> (Engine, bool) {
    let (config, mut engine, mut offline) = (config(), Engine::default(), false);
    for (minute, words) in (0..).zip(ticks) {
        let at = UnixMillis(minute * MINUTE);
        let mut probes = probes(words, minute);
        offline = is_suspect(&engine, &config, &probes, check != SelfCheck::NotRun)
            && mark_unobserved(&engine, &mut probes, check, at);
        let _ = engine.apply_tick(&config, Tick { at, received: at }, &probes);
    }
    (engine, offline)
}

#[test]
fn the_edge_is_suspected_if_everything_fails_at_once() {
    let cases = [
        ("two hosts at once", "a+ b+", "a- b-", [true, true]),
        ("all of them", "a+ b+ b2+ c+", "a- b- b2- c-", [true, true]),
        ("one that still responds", "a+ b+ c+", "a- b- c+", [false, false]),
        ("one with an error status was reached", "a+ b+ c+", "a- b- c5", [false, false]),
        ("a refusal comes from a machine", "a+ b+ c+", "a- b- c!", [false, false]),
        ("refusals alone", "a+ b+", "a! b!", [false, false]),
        ("only one monitor", "a+", "a-", [false, true]),
        ("two on one host", "b+ b2+", "b- b2-", [false, true]),
        ("one needs the other", "a+ c+", "a- c-", [false, true]),
        ("they were down before", "a- b-", "a- b-", [false, true]),
        ("one was down before, one goes down", "a- b+", "a- b-", [false, true]),
        ("nothing is known of before", "a? b?", "a- b-", [false, true]),
        ("a skipped probe does not count", "a+ b+ c+", "a- b- c?", [true, true]),
    ];
    for (name, before, now, expected) in cases {
        let (engine, _) = run(&[before], SelfCheck::Online);
        let suspect = |asks| is_suspect(&engine, &config(), &probes(now, 1), asks);
        assert_eq!([suspect(false), suspect(true)], expected, "{name}: without and with reference targets");
    }
}

#[test]
fn reference_targets_decide_at_once() {
    let outage = ["a+ b+", "a- b-", "a- b-", "a- b-"];
    let state = |engine: &Engine, minute: i64| {
        let view = engine.snapshot(&config(), UnixMillis(minute * MINUTE));
        (view.monitors[0].state, view.monitors[0].reason.clone())
    };
    let (engine, offline) = run(&outage, SelfCheck::Online);
    assert!(!offline);
    assert_eq!(state(&engine, 3).0, State::Down);
    let long = [&["a+ b+"], vec!["a- b-"; 60].as_slice()].concat();
    let (engine, offline) = run(&long, SelfCheck::Offline);
    assert!(offline, "for as long as no reference target responds");
    let (found, reason) = state(&engine, 60);
    assert_eq!(found, State::Unobserved);
    assert!(reason.unwrap().text.contains("all checks failed at the same time"));
}

#[test]
fn without_reference_targets_the_suspicion_ends_after_five_minutes() {
    use State::{Down, Unobserved, Up};
    let mut ticks = vec!["a+ b+"];
    let mut states = Vec::new();
    for _ in 1..=8 {
        ticks.push("a- b-");
        let (engine, offline) = run(&ticks, SelfCheck::NotRun);
        let minute = i64::try_from(ticks.len()).unwrap() - 1;
        let state = engine.snapshot(&config(), UnixMillis(minute * MINUTE)).monitors[1].state;
        states.push((offline, state));
    }
    let held = (true, Unobserved);
    // The result of minute 0 is valid for 90 s; the suspicion ends five minutes after it began.
    let believed = (false, Down);
    assert_eq!(states, [(true, Up), held, held, held, held, believed, believed, believed]);
    let (engine, _) = run(&["a+ b+", "a- b-", "a- b-", "a- b-", "a+ b+"], SelfCheck::NotRun);
    let window = Duration::from_secs(240);
    let statistics = engine.window_statistics(&"a".parse().unwrap(), window, UnixMillis(4 * MINUTE));
    assert_eq!(statistics.uptime.percent, Some(100.0), "time without a probe is not down");
    assert!((statistics.uptime.coverage - 100.0 * 90.0 / 240.0).abs() < 1e-9);
}

#[test]
fn references_are_default_or_a_list_of_addresses() {
    let hosts = |text: &str| {
        parse_references(text).map(|list| list.iter().map(|url| url.host().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(hosts("default").unwrap(), ["www.gstatic.com", "captive.apple.com"]);
    assert_eq!(hosts("https://a.example, https://b.example/x").unwrap(), ["a.example", "b.example"]);
    assert_eq!(hosts("").unwrap(), Vec::<String>::new());
    assert!(hosts("a.example").is_err());
    let many = "https://a.example ".repeat(5);
    assert_eq!(hosts(&many), Err(ReferencesError::TooMany(5)));
}
