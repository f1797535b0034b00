//! How each service wants a message, and what its answers mean.
//!
//! After the services' own documentation, read in November 2026: Slack (incoming webhooks), Discord (execute webhook),
//! Telegram (Bot API `sendMessage`), Pager Duty (Events API v2), ntfy (publish as JSON) and, for email, Resend's HTTP
//! API, as a Worker has no SMTP. Foreign text is escaped where the service would read markup or a mention in it.

use std::time::Duration;

use serde_json::{Value, json};

use super::channel::{Channel, Service};
use super::message::{Message, cut};
use super::outbox::Answered;
use crate::instant::rfc3339;
use crate::watch::incident::{Occasion, Severity};

/// One request, ready to be sent. Never printed: it holds the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Where to.
    pub url: String,
    /// The headers beside `content-type: application/json`.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: String,
}

/// The request for `message` to `channel`; `secret` is what the channel's secret holds.
pub fn call(channel: &Channel, message: &Message, secret: &str) -> Call {
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
        Service::Webhook { template } => {
            let body = template.as_ref().map_or_else(|| own(message).to_string(), |text| fill(text, message));
            return Call { url: secret.to_owned(), headers: vec![key()], body };
        }
        Service::Slack => (secret.to_owned(), vec![], slack(message)),
        Service::Discord => (secret.to_owned(), vec![], discord(message)),
        Service::Telegram { chat } => (
            format!("{}/bot{secret}/sendMessage", endpoint("https://api.telegram.org")),
            vec![],
            json!({
                "chat_id": chat,
                "text": cut(&plain, 4000),
                "link_preview_options": { "is_disabled": true },
            }),
        ),
        Service::Pagerduty => (
            format!("{}/v2/enqueue", endpoint("https://events.pagerduty.com")),
            vec![],
            pagerduty(message, secret),
        ),
        Service::Ntfy { topic } => (endpoint("https://ntfy.sh"), bearer(), ntfy(message, topic)),
        Service::Email { from, to } => (
            format!("{}/emails", endpoint("https://api.resend.com")),
            [bearer(), vec![key()]].concat(),
            json!({ "from": from, "to": to, "subject": message.title, "text": plain }),
        ),
    };
    Call { url, headers, body: body.to_string() }
}

/// Our own JSON, for a webhook without a template.
fn own(message: &Message) -> Value {
    json!({
        "key": message.key,
        "incident": message.incident,
        "monitor": message.monitor,
        "name": message.name,
        "event": message.occasion,
        "severity": message.severity,
        "title": message.title,
        "text": message.text,
        "since": message.since,
        "at": rfc3339(message.at),
        "link": message.link,
    })
}

/// Puts a message into a template; each value is escaped for the inside of a JSON string.
fn fill(template: &str, message: &Message) -> String {
    let own = own(message);
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        let value = own.get(name.trim()).and_then(Value::as_str).unwrap_or_default();
        let quoted = Value::from(value).to_string();
        filled.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// `&`, `<` and `>` are all that Slack reads as markup of its own in what it is sent.
fn slack(message: &Message) -> Value {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = escape(&message.title);
    let mut text = cut(&format!("{} *{title}*\n{}", sign(message), escape(&message.text)), 2900);
    if let Some(link) = &message.link {
        text = format!("{text}\n<{}|Status page>", escape(link));
    }
    json!({
        "text": title,
        "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": text } }],
    })
}

fn discord(message: &Message) -> Value {
    json!({
        "content": cut(&format!("{} {}", sign(message), message.title), 1900),
        "embeds": [{
            "description": cut(&message.text, 4000),
            "url": message.link,
            "color": if message.occasion == Occasion::Recovered { 0x002e_a043 } else { 0x00d7_3a49 },
            "timestamp": rfc3339(message.at),
        }],
        "allowed_mentions": { "parse": [] },
    })
}

fn pagerduty(message: &Message, secret: &str) -> Value {
    let mut event = json!({
        "routing_key": secret,
        "event_action": if message.occasion == Occasion::Recovered { "resolve" } else { "trigger" },
        "dedup_key": message.incident,
    });
    if message.occasion != Occasion::Recovered {
        event["payload"] = json!({
            "summary": cut(&message.title, 1000),
            "source": message.monitor,
            "severity": match message.severity {
                Severity::Down => "critical",
                Severity::Crashed => "error",
                Severity::Degraded | Severity::Warning => "warning",
            },
            "timestamp": rfc3339(message.at),
            "component": message.name,
            "custom_details": { "text": message.text, "since": message.since },
        });
        event["client"] = json!("heapbeat");
        if let Some(link) = &message.link {
            event["client_url"] = json!(link);
            event["links"] = json!([{ "href": link, "text": "Status page" }]);
        }
    }
    event
}

fn ntfy(message: &Message, topic: &str) -> Value {
    let recovered = message.occasion == Occasion::Recovered;
    let mut body = json!({
        "topic": topic,
        "title": message.title,
        "message": message.text,
        "tags": [if recovered { "white_check_mark" } else { "rotating_light" }],
        "priority": match message.severity {
            _ if recovered => 3,
            Severity::Down | Severity::Crashed => 5,
            Severity::Degraded | Severity::Warning => 4,
        },
    });
    if let Some(link) = &message.link {
        body["click"] = json!(link);
    }
    body
}

fn sign(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Recovered, _) => "\u{2705}",
        (_, Severity::Down | Severity::Crashed) => "\u{1f534}",
        _ => "\u{1f7e1}",
    }
}

/// What an answer means. `retry_after`: the header of that name, in seconds.
pub fn answered(channel: &Channel, status: u16, retry_after: Option<&str>, body: &str) -> Answered {
    let json = || serde_json::from_str::<Value>(body).unwrap_or_default();
    let taken = match channel.service {
        Service::Slack => status == 200 && body.trim() == "ok",
        Service::Telegram { .. } => status == 200 && json()["ok"] == true,
        Service::Pagerduty => status == 202,
        _ => (200..300).contains(&status),
    };
    if taken {
        return Answered::Taken;
    }
    match status {
        429 => {
            let header = retry_after.and_then(|text| text.trim().parse::<f64>().ok());
            let inside = || {
                let json = json();
                json["parameters"]["retry_after"].as_f64().or(json["retry_after"].as_f64())
            };
            let seconds = header.or_else(inside).filter(|seconds| (0.0..1e6).contains(seconds));
            Answered::Busy(seconds.map(|seconds| Duration::from_secs_f64(seconds.ceil())))
        }
        // A timeout and a conflict pass; every other 4xx is about the message or the secret.
        400..=499 if !matches!(status, 408 | 409 | 425) => Answered::Refused(status),
        _ => Answered::Failed,
    }
}

#[cfg(test)]
mod tests;
