//! Converts a notification of Uptime Kuma to a sketch of a channel.

use serde_json::{Map, Value as Json, json};

use super::Context;
use crate::Reading;
use crate::cursor::Cursor;
use crate::names::{make_id, secret_name};
use crate::note::{Note, NoteKind};
use crate::output::channel_fields;

/// Settings of every notification that say nothing of the messages.
const COMMON: [&str; 8] = ["name", "type", "isDefault", "applyExisting", "id", "userId", "active", "config"];

/// The settings of a kind that are converted, are its credential, or belong to the server that heapbeat does not use.
fn read_settings(kind: &str) -> &'static [&'static str] {
    match kind {
        "slack" => &["slackwebhookURL"],
        "discord" => &["discordWebhookUrl"],
        "telegram" => &["telegramBotToken", "telegramChatID", "telegramServerUrl"],
        "pagerduty" => &["pagerdutyIntegrationKey", "pagerdutyIntegrationUrl"],
        "ntfy" => &["ntfytopic", "ntfyserverurl", "ntfyaccesstoken"],
        "email" => &[
            "smtpFrom",
            "smtpTo",
            "smtpHost",
            "smtpPort",
            "smtpUsername",
            "smtpPassword",
            "smtpSecure",
            "smtpIgnoreTLSError",
            "smtpIgnoreSTARTTLS",
        ],
        _ => &[],
    }
}

/// Makes a sketch of the channel of a notification.
pub(super) fn convert(
    notification: &Cursor<'_>,
    file: &str,
    context: &mut Context,
    blocks: &mut Vec<Map<String, Json>>,
    reading: &mut Reading,
) {
    let mut note = |kind, text: String| reading.general.push(Note::at(kind, file, 1, text));
    let (number, name) =
        (notification.text("id").unwrap_or_default(), notification.text("name").unwrap_or("alerts"));
    let config: Json =
        notification.text("config").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let provider = config["type"].as_str().unwrap_or("unknown").to_ascii_lowercase();
    let inactive = matches!(notification.text("active"), Some("false" | "0"));
    notification.mark_whole_read();
    if inactive {
        note(NoteKind::Dropped, format!("the notification {name} is not active"));
        return;
    }
    let (id, secret) = (make_id(&[name]), secret_name("ALERT_", &[name]));
    let kind = match provider.as_str() {
        "slack" | "discord" | "telegram" | "pagerduty" | "ntfy" => provider.as_str(),
        "smtp" => "email",
        _ => "webhook",
    };
    let mut fields = channel_fields(&id, kind, &secret);
    let text = |key: &str| match &config[key] {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    let mut set_endpoint = |address: String, usual: &str| {
        let address = address.trim_end_matches('/');
        if !address.is_empty() && address != usual {
            fields.insert("endpoint".to_owned(), json!(address));
        }
    };
    match kind {
        "telegram" => {
            set_endpoint(text("telegramServerUrl"), "https://api.telegram.org");
            fields.insert("chat".to_owned(), json!(text("telegramChatID")));
        }
        "pagerduty" => {
            let address = text("pagerdutyIntegrationUrl");
            set_endpoint(address.trim_end_matches("/v2/enqueue").to_owned(), "https://events.pagerduty.com");
        }
        "ntfy" => {
            set_endpoint(text("ntfyserverurl"), "https://ntfy.sh");
            fields.insert("topic".to_owned(), json!(text("ntfytopic")));
        }
        "email" => {
            fields.insert("from".to_owned(), json!(text("smtpFrom")));
            fields.insert("to".to_owned(), text("smtpTo").split(',').map(|to| json!(to.trim())).collect());
        }
        _ => {}
    }
    note(
        NoteKind::Todo,
        format!(
            "channel {id}: the credential of the notification {name} is not written; set it with `wrangler secret put {secret}`"
        ),
    );
    if kind == "webhook" {
        note(
            NoteKind::Changed,
            format!(
                "channel {id}: {provider} becomes a webhook with JSON of heapbeat, or of a `template`; no other setting of it is converted"
            ),
        );
    } else {
        if kind == "email" {
            note(
                NoteKind::Changed,
                format!("channel {id}: email is sent by Resend, whose key is the secret, and not by SMTP"),
            );
        }
        let rest = find_rest(&config, kind);
        if !rest.is_empty() {
            let rest = rest.join(", ");
            note(
                NoteKind::Changed,
                format!("channel {id}: these settings of the notification have no counterpart: {rest}"),
            );
        }
    }
    context.channels.insert(number.to_owned(), id);
    blocks.push(fields);
}

/// Returns the settings of a notification that have a value and are not converted.
fn find_rest<'a>(config: &'a Json, kind: &str) -> Vec<&'a str> {
    let has_value =
        |value: &Json| !matches!(value, Json::Null | Json::Bool(false)) && value.as_str() != Some("");
    let is_read = |key: &str| COMMON.contains(&key) || read_settings(kind).contains(&key);
    let entries = config.as_object().into_iter().flatten();
    entries.filter(|(key, value)| !is_read(key) && has_value(value)).map(|(key, _)| key.as_str()).collect()
}
