use heapbeat_shared::UnixMillis;

use serde_json::json;

use serde_json::Value;

use super::*;
use crate::domain::incident::notification::NotificationReason;
use crate::notify::Channels;

fn channel(fields: &str) -> Channel {
    let text = format!(r#"[{{"id":"ops","secret":"S",{fields}}}]"#);
    let channels = Channels::parse(Some(&text), false);
    assert_eq!(channels.problems, []);
    channels.list[0].clone()
}

fn message(reason: NotificationReason) -> Message {
    Message {
        key: "api-1767225600:1".into(),
        incident: "api-1767225600".into(),
        monitor: "api".into(),
        name: "API".into(),
        event: MessageEvent::Incident(reason),
        severity: Severity::Down,
        title: "API is down: <it> & \"that\" @everyone".into(),
        text: "Since 2026-01-01T00:00:00Z, 2 min.\n- evidence".into(),
        link: Some("https://status.example/monitors/api".into()),
        since: "2026-01-01T00:00:00Z".into(),
        at: UnixMillis(1_767_225_720_000),
        parts: vec![],
    }
}

fn request(fields: &str, reason: NotificationReason) -> (String, Vec<(&'static str, String)>, Value) {
    let call = build_call(&channel(fields), &message(reason), " s3cret\n");
    (call.url, call.headers, serde_json::from_str(&call.body).unwrap())
}

#[test]
fn slack_reads_no_markup_but_the_link() {
    let (url, _, body) = request(r#""kind":"slack""#, NotificationReason::Opened);
    assert_eq!(url, "s3cret", "the secret is the address");
    assert_eq!(body["text"], "API is down: &lt;it&gt; &amp; \"that\" @everyone");
    let blocks = body["blocks"].as_array().unwrap();
    for block in &blocks[..2] {
        assert_eq!((&block["text"]["type"], &block["text"]["emoji"]), (&json!("plain_text"), &json!(false)));
    }
    assert!(blocks[0]["text"]["text"].as_str().unwrap().ends_with(" API is down: <it> & \"that\" @everyone"));
    let link = json!({ "type": "mrkdwn", "text": "<https://status.example/monitors/api|Status page>" });
    assert_eq!(blocks[2]["elements"], json!([link]));
}

#[test]
fn discord_mentions_nobody_and_reads_no_markup() {
    let (_, _, body) = request(r#""kind":"discord""#, NotificationReason::Opened);
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(body["embeds"][0]["timestamp"], "2026-01-01T00:02:00Z");
    let content = body["content"].as_str().unwrap();
    assert!(content.ends_with(r#" API is down\: \<it\> & "that" \@everyone"#), "{content}");
    let cases = [
        ("plain text, 1.5 s", "plain text, 1.5 s"),
        ("[x](https://evil.example)", r"\[x\]\(https\://evil.example\)"),
        ("*a* _b_ ~c~ `d` ||e||", r"\*a\* \_b\_ \~c\~ \`d\` \|\|e\|\|"),
        ("# a\n- b\n > c\nd - e # f", "\\# a\n\\- b\n \\> c\nd - e # f"),
        (r"\*", r"\\\*"),
    ];
    for (text, expected) in cases {
        assert_eq!(escape_markdown(text), expected);
    }
}

#[test]
fn telegram_has_the_token_in_its_path() {
    let (url, _, body) = request(r#""kind":"telegram","chat":"-1001""#, NotificationReason::Opened);
    assert_eq!(url, "https://api.telegram.org/bots3cret/sendMessage");
    assert_eq!(body["chat_id"], "-1001");
    assert_eq!(body["parse_mode"], Value::Null, "plain text needs no escaping");
}

#[test]
fn pagerduty_keeps_one_incident_for_each_of_heapbeats() {
    let (url, _, body) = request(r#""kind":"pagerduty""#, NotificationReason::Opened);
    assert_eq!(url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(
        (&body["event_action"], &body["payload"]["severity"]),
        (&json!("trigger"), &json!("critical"))
    );
    let (_, _, end) = request(r#""kind":"pagerduty""#, NotificationReason::Recovered);
    assert_eq!(
        end,
        json!({"routing_key": "s3cret", "event_action": "resolve", "dedup_key": body["dedup_key"]})
    );
}

#[test]
fn ntfy_and_email_authorize_with_a_token() {
    let (url, headers, body) =
        request(r#""kind":"ntfy","topic":"t","endpoint":"https://n.example/""#, NotificationReason::Opened);
    assert_eq!(
        (url.as_str(), &body["topic"], &body["priority"]),
        ("https://n.example", &json!("t"), &json!(5))
    );
    assert_eq!(headers, [("authorization", "Bearer s3cret".to_owned())]);
    let (url, headers, body) =
        request(r#""kind":"email","from":"a@b.example","to":["c@d.example"]"#, NotificationReason::Opened);
    assert_eq!((url.as_str(), &body["to"]), ("https://api.resend.com/emails", &json!(["c@d.example"])));
    assert!(headers.contains(&("idempotency-key", "api-1767225600:1".to_owned())));
}

#[test]
fn a_template_is_filled_with_escaped_values() {
    let template = r#""kind":"webhook","template":"{\"msg\":\"{{ title }}\",\"since\":\"{{since}}\"}""#;
    let (_, headers, body) = request(template, NotificationReason::Opened);
    assert_eq!(
        body,
        json!({"msg": "API is down: <it> & \"that\" @everyone", "since": "2026-01-01T00:00:00Z"})
    );
    assert_eq!(headers, [("idempotency-key", "api-1767225600:1".to_owned())]);
    let (_, _, body) = request(r#""kind":"webhook""#, NotificationReason::Recovered);
    assert_eq!((&body["event"], &body["severity"]), (&json!("recovered"), &json!("down")));
    assert_eq!(body.get("incidents"), None);
}

#[test]
fn each_end_resolves_the_incident_of_pagerduty() {
    use crate::domain::incident::notification::EndReason;
    for reason in [NotificationReason::Past, NotificationReason::Ended(EndReason::Removed)] {
        let (_, _, body) = request(r#""kind":"pagerduty""#, reason);
        assert_eq!(body["event_action"], "resolve", "{reason:?}");
    }
}
