//! A sketch of `[[vars.ALERTS]]` for each provider. A credential becomes the name of a secret.

use serde_json::{Map, Value, json};

use crate::cursor::Cursor;
use crate::environment::{as_written, unknown_names};
use crate::names::{make_id, secret_name};
use crate::note::NoteKind;
use crate::output::channel_fields;

/// A channel as it would be configured.
#[derive(Debug)]
pub(super) struct ChannelSketch {
    /// The id.
    pub(super) id: String,
    /// The settings.
    pub(super) fields: Map<String, Value>,
    /// Where the value of the secret is.
    pub(super) remark: String,
}

/// The providers that heapbeat has as well: the kind, and the setting that is the secret.
const KINDS: [(&str, &str, &str); 7] = [
    ("slack", "slack", "webhook-url"),
    ("discord", "discord", "webhook-url"),
    ("telegram", "telegram", "token"),
    ("pagerduty", "pagerduty", "integration-key"),
    ("ntfy", "ntfy", "token"),
    ("email", "email", "password"),
    ("custom", "webhook", "url"),
];

/// Makes the sketch of a provider, or of what it has for a group.
pub(super) fn sketch(
    provider: &str,
    group: Option<&str>,
    settings: &Cursor<'_>,
    note: &mut impl FnMut(NoteKind, String),
) -> ChannelSketch {
    let parts: Vec<&str> = [Some(provider), group].into_iter().flatten().collect();
    let (id, secret) = (make_id(&parts), secret_name("ALERT_", &parts));
    let known = KINDS.iter().find(|(name, ..)| *name == provider);
    let (_, kind, setting) = known.copied().unwrap_or((provider, "webhook", "webhook-url"));
    let mut fields = channel_fields(&id, kind, &secret);
    let source = format!("{}.{setting}", settings.path());
    settings.text(setting);
    let mut remark = format!("{secret} is what {source} has: wrangler secret put {secret}");
    let mut copy = |from: &str, to: &str| {
        if let Some(text) = settings.text(from).filter(|text| !text.is_empty()) {
            let value = if unknown_names(text).is_empty() { text.to_owned() } else { as_written(text) };
            fields.insert(to.to_owned(), json!(value));
        }
    };
    match provider {
        "telegram" => {
            copy("id", "chat");
            copy("api-url", "endpoint");
        }
        "ntfy" => {
            copy("topic", "topic");
            copy("url", "endpoint");
        }
        "email" => {
            copy("from", "from");
            let to = settings.text("to").unwrap_or_default();
            fields.insert("to".to_owned(), to.split(',').map(|to| json!(as_written(to.trim()))).collect());
            for smtp in ["username", "host", "port"] {
                settings.text(smtp);
            }
            remark = format!("{secret} is a key of Resend: wrangler secret put {secret}");
            note(
                NoteKind::Changed,
                format!(
                    "channel {id}: email is sent by Resend and not by the SMTP server, which a Worker cannot reach"
                ),
            );
        }
        _ => {}
    }
    if known.is_none() {
        remark = format!(
            "{secret} is the address of a webhook that passes messages on to {provider}: wrangler secret put {secret}"
        );
        note(
            NoteKind::Changed,
            format!(
                "channel {id}: heapbeat has no channel for {provider}; the sketch is a webhook with JSON of heapbeat, or of a `template`"
            ),
        );
    } else if provider == "custom" {
        note(
            NoteKind::Changed,
            format!(
                "channel {id}: a webhook sends JSON of heapbeat, or of a `template`, by POST; method, headers, body and placeholders were not converted"
            ),
        );
    }
    note_rest(&id, settings, note);
    ChannelSketch { id, fields, remark }
}

/// Notes the settings of a provider that have no counterpart.
fn note_rest(id: &str, settings: &Cursor<'_>, note: &mut impl FnMut(NoteKind, String)) {
    const READ: [&str; 16] = [
        "webhook-url",
        "token",
        "integration-key",
        "password",
        "url",
        "id",
        "api-url",
        "topic",
        "from",
        "to",
        "username",
        "host",
        "port",
        "group",
        "overrides",
        "default-alert",
    ];
    let mut rest = Vec::new();
    for (key, value) in settings.entries() {
        if matches!(key, "overrides" | "default-alert") {
            continue; // They are read by the caller, item by item.
        }
        if READ.contains(&key) {
            // A value of another type stays unread, and is noted.
            value.as_text();
        } else {
            rest.push(key);
            value.mark_whole_read();
        }
    }
    if !rest.is_empty() {
        note(
            NoteKind::Changed,
            format!("channel {id}: these settings have no counterpart: {}", rest.join(", ")),
        );
    }
}
