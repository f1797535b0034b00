//! The requests by which each service gets a message, and the meaning of its replies.
//!
//! They follow the services' documentation of November 2026: Slack (incoming webhooks), Discord (execute webhook), Telegram (Bot API
//! `sendMessage`), `PagerDuty` (Events API v2), ntfy (publish as JSON) and, for email, Resend's HTTP API, as a Worker has no SMTP.
//! Text of others is escaped if the service would read markup or a mention in it.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::channel::{Channel, ChannelKind};
use super::http_client::HttpReply;
use super::message::{Message, cut};
use super::outbox::DeliveryResult;
use crate::domain::incident::Severity;
use crate::domain::incident::notification::NotificationReason;
use crate::domain::instant::rfc3339;

/// One request. It is never printed, as it holds the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// The URL.
    pub url: String,
    /// The headers in addition to `content-type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which is JSON.
    pub body: String,
}

/// Builds the request that sends `message` to `channel`; `secret` is the value of the channel's secret.
pub fn build_call(channel: &Channel, message: &Message, secret: &str) -> HttpCall {
    let secret = secret.trim();
    let endpoint =
        |usual: &str| channel.endpoint.as_deref().unwrap_or(usual).trim_end_matches('/').to_owned();
    let bearer = || vec![("authorization", format!("Bearer {secret}"))];
    let key = || ("idempotency-key", message.key.clone());
    let link = message.link.as_deref();
    let plain = match link {
        Some(link) => format!("{}\n{}\n{link}", message.title, message.text),
        None => format!("{}\n{}", message.title, message.text),
    };
    let (url, headers, body) = match &channel.service {
        ChannelKind::Webhook { template } => {
            let body =
                template.as_ref().map_or_else(|| default_body(message), |text| fill_template(text, message));
            (secret.to_owned(), vec![key()], body)
        }
        ChannelKind::Slack => (secret.to_owned(), vec![], slack_body(message)),
        ChannelKind::Discord => (secret.to_owned(), vec![], discord_body(message)),
        ChannelKind::Telegram { chat } => {
            let url = format!("{}/bot{secret}/sendMessage", endpoint("https://api.telegram.org"));
            let body = json!({
                "chat_id": chat,
                "text": cut(&plain, 4000),
                "link_preview_options": { "is_disabled": true },
            });
            (url, vec![], body.to_string())
        }
        ChannelKind::Pagerduty => {
            let url = format!("{}/v2/enqueue", endpoint("https://events.pagerduty.com"));
            (url, vec![], pagerduty_event(message, secret))
        }
        ChannelKind::Ntfy { topic } => {
            (endpoint("https://ntfy.sh"), bearer(), ntfy_notification(message, topic))
        }
        ChannelKind::Email { from, to } => {
            let body = json!({ "from": from, "to": to, "subject": message.title, "text": plain });
            let url = format!("{}/emails", endpoint("https://api.resend.com"));
            (url, [bearer(), vec![key()]].concat(), body.to_string())
        }
    };
    HttpCall { url, headers, body }
}

/// The fields that a template may name, and that the default body has in this order.
const FIELDS: [&str; 11] =
    ["key", "incident", "monitor", "name", "event", "severity", "title", "text", "since", "at", "link"];

/// The value of a field; `None` if there is no such field, or it is empty.
fn field_value<'m>(message: &'m Message, name: &str) -> Option<Cow<'m, str>> {
    Some(match name {
        "key" => Cow::from(&message.key),
        "incident" => Cow::from(&message.incident),
        "monitor" => Cow::from(&message.monitor),
        "name" => Cow::from(&message.name),
        "event" => Cow::from(message.reason.as_str()),
        "severity" => Cow::from(message.severity.as_str()),
        "title" => Cow::from(&message.title),
        "text" => Cow::from(&message.text),
        "since" => Cow::from(&message.since),
        "at" => Cow::from(rfc3339(message.at)),
        "link" => Cow::from(message.link.as_ref()?),
        _ => return None,
    })
}

/// Returns the body of a webhook without a template: all fields in their order.
pub(super) fn default_body(message: &Message) -> String {
    struct MessageFields<'m>(&'m Message);

    impl Serialize for MessageFields<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(FIELDS.iter().map(|name| (name, field_value(self.0, name))))
        }
    }

    // A map of texts can always be serialized.
    serde_json::to_string(&MessageFields(message)).unwrap_or_default()
}

/// Fills a template; each value is escaped for the inside of a JSON string.
fn fill_template(template: &str, message: &Message) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        // A text can always be serialized.
        let value = serde_json::to_string(&field_value(message, name.trim()).unwrap_or_default());
        let value = value.unwrap_or_default();
        filled.push_str(value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The body for Slack, which reads `&`, `<` and `>` as markup.
fn slack_body(message: &Message) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = escape(&message.title);
    let mut text = cut(&format!("{} *{title}*\n{}", status_symbol(message), escape(&message.text)), 2900);
    if let Some(link) = &message.link {
        text = format!("{text}\n<{}|Status page>", escape(link));
    }
    let block = json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    json!({ "text": title, "blocks": [block] }).to_string()
}

/// The body for Discord, in which nobody is mentioned.
fn discord_body(message: &Message) -> String {
    let recovered = message.reason == NotificationReason::Recovered;
    json!({
        "content": cut(&format!("{} {}", status_symbol(message), message.title), 1900),
        "embeds": [{
            "description": cut(&message.text, 4000),
            "url": message.link,
            "color": if recovered { 0x002e_a043_u32 } else { 0x00d7_3a49 },
            "timestamp": rfc3339(message.at),
        }],
        "allowed_mentions": { "parse": [] },
    })
    .to_string()
}

/// The event for `PagerDuty`, which keeps one incident for each of heapbeat's.
fn pagerduty_event(message: &Message, secret: &str) -> String {
    let mut event = json!({ "routing_key": secret, "dedup_key": message.incident });
    if message.reason == NotificationReason::Recovered {
        event["event_action"] = "resolve".into();
        return event.to_string();
    }
    let severity = match message.severity {
        Severity::Down => "critical",
        Severity::Crashed => "error",
        Severity::Degraded | Severity::Warning => "warning",
    };
    event["event_action"] = "trigger".into();
    event["payload"] = json!({
        "summary": cut(&message.title, 1000),
        "source": message.monitor,
        "severity": severity,
        "timestamp": rfc3339(message.at),
        "component": message.name,
        "custom_details": { "text": message.text, "since": message.since },
    });
    event["client"] = "heapbeat".into();
    if let Some(link) = &message.link {
        event["client_url"] = link.as_str().into();
        event["links"] = json!([{ "href": link, "text": "Status page" }]);
    }
    event.to_string()
}

/// The notification for ntfy.
fn ntfy_notification(message: &Message, topic: &str) -> String {
    let recovered = message.reason == NotificationReason::Recovered;
    let priority = match message.severity {
        _ if recovered => 3,
        Severity::Down | Severity::Crashed => 5,
        Severity::Degraded | Severity::Warning => 4,
    };
    let mut notification = json!({
        "topic": topic,
        "title": message.title,
        "message": message.text,
        "tags": [if recovered { "white_check_mark" } else { "rotating_light" }],
        "priority": priority,
    });
    if let Some(link) = &message.link {
        notification["click"] = link.as_str().into();
    }
    notification.to_string()
}

/// The colored symbol of a message.
fn status_symbol(message: &Message) -> &'static str {
    match (message.reason, message.severity) {
        (NotificationReason::Recovered, _) => "\u{2705}",
        (_, Severity::Down | Severity::Crashed) => "\u{1f534}",
        _ => "\u{1f7e1}",
    }
}

/// Determines the result of an attempt from the service's reply; `None` means that there was none.
pub fn classify_reply(service: &ChannelKind, reply: Option<&HttpReply>) -> DeliveryResult {
    let Some(HttpReply { status, retry_after, body }) = reply else { return DeliveryResult::Failed };
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
    match status {
        429 => {
            let header = retry_after.as_ref().and_then(|text| text.trim().parse::<f64>().ok());
            let inside = || {
                let json = parsed();
                json["parameters"]["retry_after"].as_f64().or(json["retry_after"].as_f64())
            };
            let seconds = header.or_else(inside).filter(|seconds| (0.0..1e6).contains(seconds));
            DeliveryResult::RateLimited(seconds.map(|seconds| Duration::from_secs_f64(seconds.ceil())))
        }
        // A timeout or a conflict may pass; any other 4xx is about the message or the secret.
        400..=499 if !matches!(status, 408 | 409 | 425) => DeliveryResult::Rejected(status),
        _ => DeliveryResult::Failed,
    }
}

#[cfg(test)]
mod tests;
