use heapbeat_shared::UnixMillis;

use serde_json::json;

use super::*;
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
        reason,
        severity: Severity::Down,
        title: "API is down: <it> & \"that\" @everyone".into(),
        text: "Since 2026-01-01T00:00:00Z, 2 min.\n- evidence".into(),
        link: Some("https://status.example/monitors/api".into()),
        since: "2026-01-01T00:00:00Z".into(),
        at: UnixMillis(1_767_225_720_000),
    }
}

fn request(fields: &str, reason: NotificationReason) -> (String, Vec<(&'static str, String)>, Value) {
    let call = build_call(&channel(fields), &message(reason), " s3cret\n");
    (call.url, call.headers, serde_json::from_str(&call.body).unwrap())
}

#[test]
fn slack_reads_three_characters_as_markup() {
    let (url, _, body) = request(r#""kind":"slack""#, NotificationReason::Opened);
    assert_eq!(url, "s3cret", "the secret is the address");
    assert_eq!(body["text"], "API is down: &lt;it&gt; &amp; \"that\" @everyone");
    let block = body["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(block.ends_with("\n<https://status.example/monitors/api|Status page>"), "{block}");
    assert_eq!(body["blocks"][0]["text"]["type"], "mrkdwn");
}

#[test]
fn discord_mentions_nobody() {
    let (_, _, body) = request(r#""kind":"discord""#, NotificationReason::Opened);
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(body["embeds"][0]["timestamp"], "2026-01-01T00:02:00Z");
    assert!(body["content"].as_str().unwrap().len() <= 2000);
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
    let template = r#""kind":"webhook","template":"{\"msg\":\"{{ title }}\",\"since\":\"{{since}}\",\"x\":\"{{nothing}}\"}""#;
    let (_, headers, body) = request(template, NotificationReason::Opened);
    assert_eq!(
        body,
        json!({"msg": "API is down: <it> & \"that\" @everyone", "since": "2026-01-01T00:00:00Z", "x": ""})
    );
    assert_eq!(headers, [("idempotency-key", "api-1767225600:1".to_owned())]);
    let (_, _, body) = request(r#""kind":"webhook""#, NotificationReason::Recovered);
    assert_eq!((&body["event"], &body["severity"]), (&json!("recovered"), &json!("down")));
}

#[test]
fn a_reply_says_whether_the_message_was_accepted() {
    use DeliveryResult::{Accepted, Failed, RateLimited, Rejected};
    let secs = |seconds| RateLimited(Some(Duration::from_secs(seconds)));
    let slack = r#""kind":"slack""#;
    let telegram = r#""kind":"telegram","chat":"1""#;
    let cases = [
        (slack, 200, None, "ok", Accepted),
        (slack, 200, None, "<html>a login page", Failed),
        (slack, 404, None, "no_service", Rejected(404)),
        (slack, 429, Some("30"), "", secs(30)),
        (r#""kind":"discord""#, 204, None, "", Accepted),
        (r#""kind":"discord""#, 429, None, r#"{"retry_after":0.3}"#, secs(1)),
        (telegram, 200, None, r#"{"ok":true}"#, Accepted),
        (telegram, 401, None, r#"{"ok":false}"#, Rejected(401)),
        (telegram, 429, None, r#"{"ok":false,"parameters":{"retry_after":7}}"#, secs(7)),
        (r#""kind":"pagerduty""#, 202, None, "", Accepted),
        (r#""kind":"pagerduty""#, 200, None, "", Failed),
        (r#""kind":"pagerduty""#, 400, None, "", Rejected(400)),
        (r#""kind":"webhook""#, 500, None, "", Failed),
        (r#""kind":"webhook""#, 429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), "", RateLimited(None)),
        (r#""kind":"webhook""#, 302, None, "", Failed),
        (r#""kind":"webhook""#, 408, None, "", Failed),
    ];
    for (kind, status, retry_after, body, expected) in cases {
        let reply = HttpReply { status, retry_after: retry_after.map(str::to_owned), body: body.to_owned() };
        assert_eq!(classify_reply(&channel(kind).service, Some(&reply)), expected, "{kind} {status} {body}");
    }
}
