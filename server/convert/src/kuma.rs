//! Reads a backup of Uptime Kuma (JSON), or the rows of its table `monitor` (`sqlite3 -json kuma.db 'select * from monitor'`).

mod checks;
mod monitor;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::builder::{MonitorBuilder, format_millis};
use crate::cursor::{Cursor, Ledger};
use crate::names::{make_id, make_ids, secret_name};
use crate::note::{Note, NoteKind};
use crate::output::channel_fields;
use crate::tree::{Node, from_json};
use crate::{ConvertError, InputFile, Options, Reading};

/// What the conversion of every monitor needs.
#[derive(Debug, Default)]
struct Context {
    /// The ids of channels, by the numbers that Kuma gives its notifications.
    channels: BTreeMap<String, String>,
    /// The names of groups, by their numbers.
    groups: BTreeMap<String, String>,
    /// The shortest time between reminders of each channel, in milliseconds.
    reminders: BTreeMap<String, i64>,
}

/// Reads the files.
pub(crate) fn read(files: &[InputFile], options: &Options) -> Result<Reading, ConvertError> {
    let mut reading = Reading::default();
    for file in files {
        let refused = |reason: &str| ConvertError { file: file.name.clone(), reason: reason.to_owned() };
        let json: Json = serde_json::from_str(file.text.trim_start_matches('\u{feff}'))
            .map_err(|error| refused(&format!("the file is not JSON: {error}; a database is read by `sqlite3 -json kuma.db 'select * from monitor'`")))?;
        // The rows of a table are a list, as are several monitors alone.
        let json = if json.is_array() { json!({ "monitorList": json }) } else { json };
        if !json["monitorList"].is_array() && !json["monitorList"].is_object() {
            return Err(refused("there is no `monitorList`; the file must be a backup of Uptime Kuma"));
        }
        let mut root = from_json(&json);
        let ledger = Ledger::of(&mut root);
        read_file(&root, &ledger, &file.name, options, &mut reading);
    }
    Ok(reading)
}

fn read_file(root: &Node, ledger: &Ledger, file: &str, options: &Options, reading: &mut Reading) {
    let cursor = Cursor::new(root, ledger);
    let mut context = Context::default();
    let mut blocks = Vec::new();
    for notification in cursor.list("notificationList") {
        read_notification(&notification, file, &mut context, &mut blocks, reading);
    }
    let list = cursor.get("monitorList");
    let mut monitors = list.as_ref().map(Cursor::items).unwrap_or_default();
    monitors.extend(list.iter().flat_map(Cursor::entries).map(|(_, monitor)| monitor));
    for group in &monitors {
        if group.text("type") == Some("group")
            && let (Some(id), Some(name)) = (group.text("id"), group.text("name"))
        {
            context.groups.insert(id.to_owned(), name.to_owned());
        }
    }
    let group_of = |monitor: &Cursor<'_>| {
        monitor.text("parent").and_then(|parent| context.groups.get(parent)).cloned().unwrap_or_default()
    };
    let names: Vec<_> = monitors
        .iter()
        .map(|monitor| vec![group_of(monitor), monitor.text("name").unwrap_or_default().to_owned()])
        .collect();
    for ((cursor, names), id) in monitors.iter().zip(&names).zip(&make_ids(&names)) {
        let (group, name) =
            (names.first().map_or("", String::as_str), cursor.text("name").unwrap_or_default());
        let mut builder = MonitorBuilder::new(id, name, group, (file.to_owned(), cursor.line()));
        if cursor.text("type") == Some("group") {
            cursor.mark_whole_read();
            continue;
        }
        monitor::convert(cursor, &mut builder, &mut context);
        if !builder.is_left_out() {
            builder.note_unread(cursor, &cursor.find_unread());
        }
        cursor.mark_whole_read();
        reading.monitors.push(builder.finish(options.keep_private));
    }
    for mut block in blocks {
        let reminder = block["id"].as_str().and_then(|id| context.reminders.get(id));
        if let Some(reminder) = reminder {
            block.insert("reminder".to_owned(), json!(format_millis((*reminder).max(300_000))));
        }
        reading.sketch.blocks.push(("ALERTS", block, String::new()));
    }
    for (key, reason) in
        [("version", "it is that of Uptime Kuma"), ("proxyList", "requests do not go through a proxy")]
    {
        if cursor.mark_read(key) {
            note(reading, NoteKind::Dropped, file, format!("{key}: {reason}"));
        }
    }
    reading.note_unread(&cursor, file);
}

fn note(reading: &mut Reading, kind: NoteKind, file: &str, text: String) {
    reading.general.push(Note::at(kind, file, 1, text));
}

/// Makes a sketch of a channel of a notification.
fn read_notification(
    notification: &Cursor<'_>,
    file: &str,
    context: &mut Context,
    blocks: &mut Vec<Map<String, Json>>,
    reading: &mut Reading,
) {
    let (number, name) =
        (notification.text("id").unwrap_or_default(), notification.text("name").unwrap_or("alerts"));
    let config: Json =
        notification.text("config").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let provider = config["type"].as_str().unwrap_or("unknown").to_ascii_lowercase();
    let inactive = matches!(notification.text("active"), Some("false" | "0"));
    notification.mark_whole_read();
    if inactive {
        note(reading, NoteKind::Dropped, file, format!("the notification {name} is not active"));
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
    match kind {
        "telegram" => drop(fields.insert("chat".to_owned(), json!(text("telegramChatID")))),
        "ntfy" => {
            fields.insert("topic".to_owned(), json!(text("ntfytopic")));
            fields.insert("endpoint".to_owned(), json!(text("ntfyserverurl")));
        }
        "email" => {
            fields.insert("from".to_owned(), json!(text("smtpFrom")));
            fields.insert("to".to_owned(), text("smtpTo").split(',').map(|to| json!(to.trim())).collect());
        }
        _ => {}
    }
    note(
        reading,
        NoteKind::Todo,
        file,
        format!(
            "channel {id}: the credential of the notification {name} is not written; set it with `wrangler secret put {secret}`"
        ),
    );
    if kind == "webhook" {
        note(
            reading,
            NoteKind::Changed,
            file,
            format!("channel {id}: {provider} becomes a webhook with JSON of heapbeat, or of a `template`"),
        );
    } else if kind == "email" {
        note(
            reading,
            NoteKind::Changed,
            file,
            format!("channel {id}: email is sent by Resend, whose key is the secret, and not by SMTP"),
        );
    }
    context.channels.insert(number.to_owned(), id);
    blocks.push(fields);
}
