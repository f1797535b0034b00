use super::*;
use crate::domain::State;
use crate::domain::check::outcome::{ProbeResponse, ResponseBody};
use crate::domain::engine::Tick;

const MINUTE: i64 = 60_000;

/// `a` and `b` on hosts of their own, `b2` on the host of `b`, `c` that needs `a`.
fn config() -> Config {
    let entry = |id: &str, host: &str, more: &str| {
        format!(r#"{{"id":"{id}","kind":"http","url":"https://{host}.example"{more}}}"#)
    };
    let list = [
        entry("a", "a", ""),
        entry("b", "b", ""),
        entry("b2", "b", ""),
        entry("c", "c", r#","depends-on":["a"]"#),
    ];
    let config = Config::parse(Some(&format!("[{}]", list.join(","))), false);
    assert_eq!(config.problems, []);
    config
}

/// `a+` answers, `a-` does not, `a!` refuses, `a5` answers with status 500, `a?` was not looked at.
fn probes(words: &str, minute: i64) -> Vec<ProbeResult> {
    let answer = |status| {
        let latency = Duration::from_millis(5);
        Ok(ProbeResponse { status, latency, body: ResponseBody::Unread, report: None })
    };
    let probed = |word: &str| {
        let (id, finds) = word.split_at(word.len() - 1);
        let result = match finds {
            "+" => answer(200),
            "5" => answer(500),
            "!" => Err(Failure::Refused.into()),
            "?" => Err(ProbeSkipped::Budget.into()),
            _ => Err(Failure::Timeout.into()),
        };
        ProbeResult { monitor: id.parse().unwrap(), heard: UnixMillis(minute * MINUTE), result }
    };
    words.split_whitespace().map(probed).collect()
}

/// The board after these ticks, one a minute, as the hub takes them; and what the last one came to.
fn run(ticks: &[&str], sight: SelfCheck) -> (Engine, bool) {
    let (config, mut board, mut covered) = (config(), Engine::default(), false);
    for (minute, words) in (0..).zip(ticks) {
        let at = UnixMillis(minute * MINUTE);
        let mut probes = probes(words, minute);
        covered = is_suspect(&board, &config, &probes, sight != SelfCheck::Unasked)
            && cover(&board, &mut probes, sight, at);
        let _ = board.take(&config, Tick { at, came: at }, &probes);
    }
    (board, covered)
}

#[test]
fn when_it_looks_like_us() {
    let cases = [
        ("two hosts at once", "a+ b+", "a- b-", [true, true]),
        ("all of them", "a+ b+ b2+ c+", "a- b- b2- c-", [true, true]),
        ("one that still answers", "a+ b+ c+", "a- b- c+", [false, false]),
        ("one that answers badly was reached", "a+ b+ c+", "a- b- c5", [false, false]),
        ("a refusal comes from a machine", "a+ b+ c+", "a- b- c!", [false, false]),
        ("refusals alone", "a+ b+", "a! b!", [false, false]),
        ("only one is watched", "a+", "a-", [false, true]),
        ("two on one host", "b+ b2+", "b- b2-", [false, true]),
        ("one needs the other", "a+ c+", "a- c-", [false, true]),
        ("they were down before", "a- b-", "a- b-", [false, true]),
        ("one was down before, one goes down", "a- b+", "a- b-", [false, true]),
        ("nothing is known of before", "a? b?", "a- b-", [false, true]),
        ("what was not looked at says nothing", "a+ b+ c+", "a- b- c?", [true, true]),
    ];
    for (name, before, now, expected) in cases {
        let (board, _) = run(&[before], SelfCheck::Clear);
        let suspect = |asks| is_suspect(&board, &config(), &probes(now, 1), asks);
        assert_eq!([suspect(false), suspect(true)], expected, "{name}: without and with somebody to ask");
    }
}

#[test]
fn what_the_references_say_decides_at_once() {
    let outage = ["a+ b+", "a- b-", "a- b-", "a- b-"];
    let state = |board: &Engine, minute: i64| {
        let view = board.view(&config(), UnixMillis(minute * MINUTE));
        (view.monitors[0].state, view.monitors[0].reason.clone())
    };
    let (board, covered) = run(&outage, SelfCheck::Clear);
    assert!(!covered);
    assert_eq!(state(&board, 3).0, State::Down);
    let long = [&["a+ b+"], vec!["a- b-"; 60].as_slice()].concat();
    let (board, covered) = run(&long, SelfCheck::Blocked);
    assert!(covered, "for as long as no reference answers");
    let (found, reason) = state(&board, 60);
    assert_eq!(found, State::Unobserved);
    assert!(reason.unwrap().text.contains("every probe failed at once"));
}

#[test]
fn with_nobody_to_ask_it_is_believed_after_a_while() {
    use State::{Down, Unobserved, Up};
    let mut ticks = vec!["a+ b+"];
    let mut states = Vec::new();
    for _ in 1..=8 {
        ticks.push("a- b-");
        let (board, covered) = run(&ticks, SelfCheck::Unasked);
        let minute = i64::try_from(ticks.len()).unwrap() - 1;
        let state = board.view(&config(), UnixMillis(minute * MINUTE)).monitors[1].state;
        states.push((covered, state));
    }
    let held = (true, Unobserved);
    // The word of minute 0 counts for 90 s; five minutes after the first doubt nobody doubts any more.
    let believed = (false, Down);
    assert_eq!(states, [(true, Up), held, held, held, held, believed, believed, believed]);
    let (board, _) = run(&["a+ b+", "a- b-", "a- b-", "a- b-", "a+ b+"], SelfCheck::Unasked);
    let window = Duration::from_secs(240);
    let past = board.uptime(&"a".parse().unwrap(), window, UnixMillis(4 * MINUTE));
    assert_eq!(past.uptime.percent, Some(100.0), "nobody looked, so nobody was down");
    assert!((past.uptime.coverage - 100.0 * 90.0 / 240.0).abs() < 1e-9);
}

#[test]
fn words_of_the_setting() {
    let hosts = |text: &str| {
        references(text).map(|list| list.iter().map(|url| url.host().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(hosts("default").unwrap(), ["www.gstatic.com", "captive.apple.com"]);
    assert_eq!(hosts("https://a.example, https://b.example/x").unwrap(), ["a.example", "b.example"]);
    assert_eq!(hosts("").unwrap(), Vec::<String>::new());
    assert!(hosts("a.example").is_err());
    let many = "https://a.example ".repeat(5);
    assert_eq!(hosts(&many), Err("has 5 addresses; 4 are enough".to_owned()));
}
