//! How each service wants a message, and what its answers mean.
//!
//! After the services' own documentation, read in November 2026: Slack (incoming webhooks), Discord (execute webhook),
//! Telegram (Bot API `sendMessage`), Pager Duty (Events API v2), ntfy (publish as JSON) and, for email, Resend's HTTP
//! API, as a Worker has no SMTP. Foreign text is escaped where the service would read markup or a mention in it.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::channel::{Channel, Service};
use super::http_client::Said;
use super::message::{Message, cut};
use super::outbox::Answered;
use crate::domain::incident::{Occasion, Severity};
use crate::domain::instant::rfc3339;
use crate::json::{object, quoted};

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
            let body = template.as_ref().map_or_else(|| own(message), |text| fill(text, message));
            (secret.to_owned(), vec![key()], body)
        }
        Service::Slack => (secret.to_owned(), vec![], slack(message)),
        Service::Discord => (secret.to_owned(), vec![], discord(message)),
        Service::Telegram { chat } => {
            let url = format!("{}/bot{secret}/sendMessage", endpoint("https://api.telegram.org"));
            let body = object(|o| {
                o.set("chat_id", chat);
                o.set("text", &cut(&plain, 4000));
                o.object("link_preview_options", |o| o.set("is_disabled", true));
            });
            (url, vec![], body)
        }
        Service::Pagerduty => {
            let url = format!("{}/v2/enqueue", endpoint("https://events.pagerduty.com"));
            (url, vec![], pagerduty(message, secret))
        }
        Service::Ntfy { topic } => (endpoint("https://ntfy.sh"), bearer(), ntfy(message, topic)),
        Service::Email { from, to } => {
            let body = object(|o| {
                o.set("from", from);
                o.texts("to", to.iter().map(String::as_str));
                o.set("subject", &message.title);
                o.set("text", &plain);
            });
            let url = format!("{}/emails", endpoint("https://api.resend.com"));
            (url, [bearer(), vec![key()]].concat(), body)
        }
    };
    Call { url, headers, body }
}

/// What a template may name, and our own JSON has, in this order.
const FIELDS: [&str; 11] =
    ["key", "incident", "monitor", "name", "event", "severity", "title", "text", "since", "at", "link"];

fn field<'m>(message: &'m Message, name: &str) -> Option<Cow<'m, str>> {
    Some(match name {
        "key" => Cow::from(&message.key),
        "incident" => Cow::from(&message.incident),
        "monitor" => Cow::from(&message.monitor),
        "name" => Cow::from(&message.name),
        "event" => Cow::from(message.occasion.as_str()),
        "severity" => Cow::from(message.severity.as_str()),
        "title" => Cow::from(&message.title),
        "text" => Cow::from(&message.text),
        "since" => Cow::from(&message.since),
        "at" => Cow::from(rfc3339(message.at)),
        "link" => Cow::from(message.link.as_ref()?),
        _ => return None,
    })
}

/// Our own JSON, for a webhook without a template.
pub(super) fn own(message: &Message) -> String {
    object(|o| FIELDS.iter().for_each(|name| o.set(name, field(message, name).as_deref())))
}

/// Puts a message into a template; each value is escaped for the inside of a JSON string.
fn fill(template: &str, message: &Message) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        let value = quoted(&field(message, name.trim()).unwrap_or_default());
        filled.push_str(value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// `&`, `<` and `>` are all that Slack reads as markup of its own in what it is sent.
fn slack(message: &Message) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = escape(&message.title);
    let mut text = cut(&format!("{} *{title}*\n{}", sign(message), escape(&message.text)), 2900);
    if let Some(link) = &message.link {
        text = format!("{text}\n<{}|Status page>", escape(link));
    }
    object(|o| {
        o.set("text", &title);
        o.list("blocks", |list| {
            list.object(|o| {
                o.set("type", "section");
                o.object("text", |o| {
                    o.set("type", "mrkdwn");
                    o.set("text", &text);
                });
            });
        });
    })
}

fn discord(message: &Message) -> String {
    object(|o| {
        o.set("content", &cut(&format!("{} {}", sign(message), message.title), 1900));
        o.list("embeds", |list| {
            list.object(|o| {
                o.set("description", &cut(&message.text, 4000));
                o.set("url", message.link.as_ref());
                let recovered = message.occasion == Occasion::Recovered;
                o.set("color", if recovered { 0x002e_a043_u32 } else { 0x00d7_3a49 });
                o.set("timestamp", &rfc3339(message.at));
            });
        });
        o.object("allowed_mentions", |o| o.list("parse", |_| ()));
    })
}

fn pagerduty(message: &Message, secret: &str) -> String {
    object(|o| {
        o.set("routing_key", secret);
        o.set("dedup_key", &message.incident);
        if message.occasion == Occasion::Recovered {
            o.set("event_action", "resolve");
            return;
        }
        o.set("event_action", "trigger");
        o.object("payload", |o| {
            o.set("summary", &cut(&message.title, 1000));
            o.set("source", &message.monitor);
            let severity = match message.severity {
                Severity::Down => "critical",
                Severity::Crashed => "error",
                Severity::Degraded | Severity::Warning => "warning",
            };
            o.set("severity", severity);
            o.set("timestamp", &rfc3339(message.at));
            o.set("component", &message.name);
            o.object("custom_details", |o| {
                o.set("text", &message.text);
                o.set("since", &message.since);
            });
        });
        o.set("client", "heapbeat");
        if let Some(link) = &message.link {
            o.set("client_url", link);
            o.list("links", |list| {
                list.object(|o| {
                    o.set("href", link);
                    o.set("text", "Status page");
                });
            });
        }
    })
}

fn ntfy(message: &Message, topic: &str) -> String {
    let recovered = message.occasion == Occasion::Recovered;
    object(|o| {
        o.set("topic", topic);
        o.set("title", &message.title);
        o.set("message", &message.text);
        o.texts("tags", [if recovered { "white_check_mark" } else { "rotating_light" }]);
        let priority: u32 = match message.severity {
            _ if recovered => 3,
            Severity::Down | Severity::Crashed => 5,
            Severity::Degraded | Severity::Warning => 4,
        };
        o.set("priority", priority);
        if let Some(link) = &message.link {
            o.set("click", link);
        }
    })
}

fn sign(message: &Message) -> &'static str {
    match (message.occasion, message.severity) {
        (Occasion::Recovered, _) => "\u{2705}",
        (_, Severity::Down | Severity::Crashed) => "\u{1f534}",
        _ => "\u{1f7e1}",
    }
}

/// What an answer means.
pub fn answered(service: &Service, said: Option<&Said>) -> Answered {
    let Some(Said { status, retry_after, body }) = said else { return Answered::Failed };
    let status = *status;
    let json = || serde_json::from_str::<Value>(body).unwrap_or_default();
    let taken = match service {
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
            let header = retry_after.as_ref().and_then(|text| text.trim().parse::<f64>().ok());
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
