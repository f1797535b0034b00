use std::time::Duration;

use super::*;

#[test]
fn every_kind_is_read_with_its_settings() {
    let text = r#"[
        {"id":"a","kind":"webhook","secret":"A","template":"{}"},
        {"id":"b","kind":"slack","secret":"B","reminder":"4h"},
        {"id":"c","kind":"discord","secret":"C","quiet":"22:00-07:00","time-zone":"Europe/Berlin"},
        {"id":"d","kind":"telegram","secret":"D","chat":"-100123"},
        {"id":"e","kind":"pagerduty","secret":"E","endpoint":"https://events.eu.pagerduty.com"},
        {"id":"f","kind":"ntfy","secret":"F","topic":"t"},
        {"id":"g","kind":"email","secret":"G","from":"a@b.example","to":["c@d.example"]}
    ]"#;
    let channels = Channels::parse(Some(text), false);
    assert_eq!(channels.problems, []);
    assert_eq!(channels.list.len(), 7);
    assert_eq!(channels.list[1].reminder, Some(Duration::from_secs(4 * 3600)));
    assert_eq!(Channels::parse(None, false), Channels::default());
}

#[test]
fn an_invalid_entry_is_reported_and_the_others_stay() {
    let cases = [
        (r#"{"id":"A","kind":"slack","secret":"S"}"#, "id: `A` is not a valid id"),
        (r#"{"id":"a","kind":"mail","secret":"S","template":""}"#, "kind: `mail` should be one of webhook"),
        (r#"{"id":"a","kind":"email","secret":"S","from":"a@b.example","to":[1]}"#, "`to` is missing or has"),
        (r#"{"id":"a","kind":"email","secret":"S","from":"a@b.example","to":"x"}"#, "to: should be 1 to 50"),
        (r#"{"id":"a","kind":"slack","secret":"S","reminder":5}"#, "`reminder` is missing or has"),
        (r#"{"id":"a","kind":"sms","secret":"S"}"#, "kind: `sms` should be one of webhook, slack"),
        (r#"{"id":"a","kind":"slack"}"#, "`secret` is missing or has the wrong type"),
        (
            r#"{"id":"a","kind":"slack","secret":"https://hooks.slack.com/x"}"#,
            "secret: not the name of a secret",
        ),
        (
            r#"{"id":"a","kind":"slack","secret":"S","url":"x"}"#,
            "`url` is not a setting of a channel; the settings are id, kind, secret",
        ),
        (r#"{"id":"a","kind":"telegram","secret":"S"}"#, "chat: is missing; telegram needs it"),
        (
            r#"{"id":"a","kind":"slack","secret":"S","quiet":"at night"}"#,
            "quiet: `at night` should be two times of day",
        ),
        (r#"{"id":"a","kind":"slack","secret":"S","time-zone":"UTC"}"#, "time-zone: applies only to `quiet`"),
        (r#"{"id":"a","kind":"slack","secret":"S","topic":"t"}"#, "topic: is not a setting of slack"),
        (r#"{"id":"a","kind":"slack","secret":"S","reminder":"1m"}"#, "reminder: `1m` should be 5m or more"),
        (
            r#"{"id":"a","kind":"ntfy","secret":"S","topic":"t","endpoint":"http://x"}"#,
            "endpoint: `http://x` should begin",
        ),
        (
            r#"{"id":"a","kind":"webhook","secret":"S","template":"{\"a\":\"{{titel}}\"}"}"#,
            "template: `{{titel}}` is not a field",
        ),
        (
            r#"{"id":"a","kind":"webhook","secret":"S","template":"{\"a\":{{title}}}"}"#,
            "template: is not JSON once it is filled",
        ),
        (r#"{"id":"ok","kind":"slack","secret":"S"}"#, "`ok` is taken by an entry above"),
    ];
    for (entry, reason) in cases {
        let text = format!(r#"[{{"id":"ok","kind":"discord","secret":"S"}},{entry}]"#);
        let channels = Channels::parse(Some(&text), false);
        assert_eq!(channels.list.len(), 1, "{entry}");
        let problem = &channels.problems[0];
        assert_eq!(problem.position, "ALERTS[1]");
        assert!(problem.reason.starts_with(reason), "{entry}: {}", problem.reason);
    }
}

#[test]
fn every_mistake_of_an_entry_is_reported() {
    let text = r#"[{"id":"A","kind":"slack","quiet":"22-7","time-zone":"UTC","color":"red","topic":"t","reminder":"never"}]"#;
    let channels = Channels::parse(Some(text), false);
    assert_eq!(channels.list, []);
    let begins = [
        "id: `A` is not a valid id",
        "`secret` is missing",
        "`color` is not a setting of a channel",
        "topic: is not a setting of slack",
        "reminder: a duration is a number and a unit",
        "quiet: `22-7`",
    ];
    let reasons: Vec<_> = channels.problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert_eq!(reasons.len(), begins.len(), "{reasons:#?}");
    for (reason, begin) in reasons.iter().zip(begins) {
        assert!(reason.starts_with(begin), "{reason}");
    }
    assert!(channels.problems.iter().all(|problem| problem.position == "ALERTS[0]"));
}
