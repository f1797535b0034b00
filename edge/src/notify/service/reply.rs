//! The meaning of a service's reply.

use std::time::Duration;

use chrono::DateTime;
use heapbeat_shared::UnixMillis;
use serde_json::Value;

use crate::notify::channel::ChannelKind;
use crate::notify::circuit::DeliveryResult;
use crate::notify::http_client::HttpReply;
use heapbeat_shared::text::{shorten, single_line};

/// Determines the result of an attempt at `now`, by the edge's own clock, from the service's reply; `None` means that there was none.
pub fn classify_reply(service: &ChannelKind, reply: Option<&HttpReply>, now: UnixMillis) -> DeliveryResult {
    let Some(HttpReply { status, retry_after, body }) = reply else { return DeliveryResult::Failed(None) };
    let status = *status;
    let parsed = || serde_json::from_str::<Value>(body).unwrap_or_default();
    let accepted = match service {
        ChannelKind::Slack => status == 200 && body.trim() == "ok",
        ChannelKind::Telegram { .. } => status == 200 && parsed()["ok"] == true,
        ChannelKind::Pagerduty => status == 202,
        _ => (200..300).contains(&status),
    };
    if accepted {
        return DeliveryResult::Accepted;
    }
    let header = retry_after.as_deref().and_then(|text| parse_retry_after(text, now));
    match status {
        429 => {
            let inside = || {
                let json = parsed();
                seconds(json["parameters"]["retry_after"].as_f64().or(json["retry_after"].as_f64())?)
            };
            DeliveryResult::Deferred(status, header.or_else(inside))
        }
        503 if header.is_some() => DeliveryResult::Deferred(status, header),
        // A timeout or a conflict may pass; any other 4xx is about the message or the secret.
        400..=499 if !matches!(status, 408 | 409 | 425) => DeliveryResult::Rejected(status),
        _ => DeliveryResult::Failed(Some(status)),
    }
}

/// The most bytes of a reply that the owner sees.
const MAX_SHOWN: usize = 200;

/// Returns the beginning of a reply for the owner, in one line and without the secret.
pub fn describe_reply(body: &str, secret: &str) -> String {
    let secret = secret.trim();
    let hidden = if secret.is_empty() { body.to_owned() } else { body.replace(secret, "…") };
    shorten(&single_line(hidden.trim()), MAX_SHOWN)
}

/// Parses `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date of HTTP. Some services send fractions of a second.
fn parse_retry_after(text: &str, now: UnixMillis) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(UnixMillis(date.timestamp_millis()).since(now))
}

/// A number of seconds, rounded up; `None` if it is none.
fn seconds(number: f64) -> Option<Duration> {
    (0.0..1e6).contains(&number).then(|| Duration::from_secs_f64(number.ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_says_whether_the_message_was_accepted() {
        use DeliveryResult::{Accepted, Deferred, Failed, Rejected};
        let secs = |seconds| Some(Duration::from_secs(seconds));
        let slack = ChannelKind::Slack;
        let telegram = ChannelKind::Telegram { chat: "1".into() };
        let webhook = ChannelKind::Webhook { template: None };
        let date = Some("Thu, 01 Jan 2026 00:01:30 GMT");
        let cases = [
            (&slack, 200, None, "ok", Accepted),
            (&slack, 200, None, "<html>a login page", Failed(Some(200))),
            (&slack, 404, None, "no_service", Rejected(404)),
            (&slack, 429, Some("30"), "", Deferred(429, secs(30))),
            (&ChannelKind::Discord, 204, None, "", Accepted),
            (&ChannelKind::Discord, 429, None, r#"{"retry_after":0.3}"#, Deferred(429, secs(1))),
            (&telegram, 200, None, r#"{"ok":true}"#, Accepted),
            (&telegram, 401, None, r#"{"ok":false}"#, Rejected(401)),
            (&telegram, 429, None, r#"{"ok":false,"parameters":{"retry_after":7}}"#, Deferred(429, secs(7))),
            (&ChannelKind::Pagerduty, 202, None, "", Accepted),
            (&ChannelKind::Pagerduty, 200, None, "", Failed(Some(200))),
            (&ChannelKind::Pagerduty, 400, None, "", Rejected(400)),
            (&webhook, 500, None, "", Failed(Some(500))),
            (&webhook, 500, Some("30"), "", Failed(Some(500))),
            (&webhook, 503, None, "", Failed(Some(503))),
            (&webhook, 503, Some("120"), "", Deferred(503, secs(120))),
            (&webhook, 503, date, "", Deferred(503, secs(90))),
            (&webhook, 429, date, "", Deferred(429, secs(90))),
            (&webhook, 429, Some("Wed, 31 Dec 2025 00:00:00 GMT"), "", Deferred(429, secs(0))),
            (&webhook, 429, Some("1.5"), "", Deferred(429, secs(2))),
            (&webhook, 429, Some("soon"), "", Deferred(429, None)),
            (&webhook, 429, Some("-1"), "", Deferred(429, None)),
            (&webhook, 503, Some("soon"), "", Failed(Some(503))),
            (&webhook, 302, None, "", Failed(Some(302))),
            (&webhook, 408, None, "", Failed(Some(408))),
        ];
        let now = UnixMillis(1_767_225_600_000);
        for (service, status, retry_after, body, expected) in cases {
            let retry_after = retry_after.map(str::to_owned);
            let reply = HttpReply { status, retry_after: retry_after.clone(), body: body.to_owned() };
            let result = classify_reply(service, Some(&reply), now);
            assert_eq!(result, expected, "{service:?} {status} {retry_after:?} {body}");
        }
        assert_eq!(classify_reply(&webhook, None, now), Failed(None));
    }

    #[test]
    fn a_reply_is_shown_without_the_secret() {
        assert_eq!(describe_reply("no\nsuch: https://x/s3cret ", " https://x/s3cret\n"), "no such: …");
        assert_eq!(describe_reply("ok", ""), "ok");
        assert!(describe_reply(&"x".repeat(4096), "s").len() <= MAX_SHOWN);
    }
}
