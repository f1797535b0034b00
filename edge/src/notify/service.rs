//! The requests by which each service gets a message.
//!
//! They follow the services' documentation of November 2026: Slack (incoming webhooks), Discord (execute webhook), Telegram (Bot API
//! `sendMessage`), `PagerDuty` (Events API v2), ntfy (publish as JSON) and, for email, Resend's HTTP API, as a Worker has no SMTP.
//! Text of others is escaped if the service would read markup or a mention in it.

mod reply;

use serde_json::json;

use super::channel::{Channel, ChannelKind};
use super::message::{Message, MessageEvent};
use super::template::{default_body, fill_template};
use crate::domain::incident::Severity;
use crate::domain::instant::rfc3339;
use heapbeat_shared::text::shorten;

pub use reply::{classify_reply, describe_reply};

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
            // Without `parse_mode` the text is plain.
            let body = json!({
                "chat_id": chat,
                "text": shorten(&plain, 4000),
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

/// The body for Slack. The blocks are plain text, in which nothing is markup; only the link is ours. `text` is for notifications.
fn slack_body(message: &Message) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let plain = |text: String| json!({ "type": "plain_text", "text": text, "emoji": false });
    let title = format!("{} {}", status_symbol(message), message.title);
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(shorten(&title, 150)) }),
        json!({ "type": "section", "text": plain(shorten(&format!("{title}\n{}", message.text), 2900)) }),
    ];
    if let Some(link) = &message.link {
        let link = format!("<{}|Status page>", escape(link));
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] }));
    }
    json!({ "text": escape(&message.title), "blocks": blocks }).to_string()
}

/// The body for Discord, in which nobody is mentioned and nothing but the link is markup.
fn discord_body(message: &Message) -> String {
    let title = escape_markdown(&message.title);
    json!({
        "content": shorten(&format!("{} {title}", status_symbol(message)), 1900),
        "embeds": [{
            "description": shorten(&escape_markdown(&message.text), 4000),
            "url": message.link,
            "color": if message.event.is_end() { 0x002e_a043_u32 } else { 0x00d7_3a49 },
            "timestamp": rfc3339(message.at),
        }],
        "allowed_mentions": { "parse": [] },
    })
    .to_string()
}

/// Escapes what Discord reads as markup: styles, quotes, lists, links, mentions, and addresses, which would become links.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut begins_line = true;
    for c in text.chars() {
        let is_markup =
            matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '[' | ']' | '(' | ')' | '<' | '>' | '@')
                || c == ':'
                || begins_line && matches!(c, '#' | '-' | '+');
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(c);
        begins_line = c == '\n' || begins_line && c == ' ';
    }
    escaped
}

/// The event for `PagerDuty`, which keeps one incident for each of heapbeat's.
fn pagerduty_event(message: &Message, secret: &str) -> String {
    let mut event = json!({ "routing_key": secret, "dedup_key": message.incident });
    if message.event.is_end() {
        event["event_action"] = "resolve".into();
        return event.to_string();
    }
    let severity = match message.severity {
        _ if message.event == MessageEvent::Test => "info",
        Severity::Down => "critical",
        Severity::Crashed => "error",
        Severity::Degraded | Severity::Warning => "warning",
    };
    event["event_action"] = "trigger".into();
    event["payload"] = json!({
        "summary": shorten(&message.title, 1000),
        "source": if message.monitor.is_empty() { "heapbeat" } else { &message.monitor },
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

/// The notification for ntfy, which reads markup only if it is asked to.
fn ntfy_notification(message: &Message, topic: &str) -> String {
    let is_end = message.event.is_end();
    let priority = match message.severity {
        _ if is_end || message.event == MessageEvent::Test => 3,
        Severity::Down | Severity::Crashed => 5,
        Severity::Degraded | Severity::Warning => 4,
    };
    let mut notification = json!({
        "topic": topic,
        "title": shorten(&message.title, 250),
        "message": message.text,
        "tags": [if is_end { "white_check_mark" } else { "rotating_light" }],
        "priority": priority,
    });
    if let Some(link) = &message.link {
        notification["click"] = link.as_str().into();
    }
    notification.to_string()
}

/// The colored symbol of a message.
fn status_symbol(message: &Message) -> &'static str {
    match (message.event, message.severity) {
        (event, _) if event.is_end() => "\u{2705}",
        (_, Severity::Down | Severity::Crashed) => "\u{1f534}",
        _ => "\u{1f7e1}",
    }
}

#[cfg(test)]
mod tests;
