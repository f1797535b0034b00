//! Reads a backup of Uptime Kuma (JSON), or the rows of its table `monitor` (`sqlite3 -json kuma.db 'select * from monitor'`).

mod checks;
mod group;
mod monitor;
mod notification;
mod times;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use self::group::Groups;
use crate::builder::{MonitorBuilder, format_millis};
use crate::cursor::{Cursor, Ledger};
use crate::names::make_ids;
use crate::note::{Note, NoteKind};
use crate::tree::{Node, from_json};
use crate::{ConvertError, InputFile, Options, Reading};

/// What the conversion of every monitor needs.
#[derive(Debug, Default)]
struct Context {
    /// The ids of channels, by the numbers that Kuma gives its notifications.
    channels: BTreeMap<String, String>,
    /// The groups.
    groups: Groups,
    /// The shortest time between reminders of each channel, in milliseconds.
    reminders: BTreeMap<String, i64>,
    /// Whether a monitor follows ten redirects, as Kuma does by default.
    follows_ten_redirects: bool,
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
        notification::convert(&notification, file, &mut context, &mut blocks, reading);
    }
    let list = cursor.get("monitorList");
    let mut monitors = list.as_ref().map(Cursor::items).unwrap_or_default();
    monitors.extend(list.iter().flat_map(Cursor::entries).map(|(_, monitor)| monitor));
    context.groups = Groups::read(&monitors);
    let names: Vec<_> = monitors
        .iter()
        .map(|monitor| {
            let group = context.groups.names_of(monitor).last().copied().unwrap_or_default();
            vec![group.to_owned(), monitor.text("name").unwrap_or_default().to_owned()]
        })
        .collect();
    for (cursor, id) in monitors.iter().zip(&make_ids(&names)) {
        let name = cursor.text("name").unwrap_or_default();
        if cursor.text("type") == Some("group") {
            note_group(cursor, name, file, &context, reading);
            cursor.mark_whole_read();
            continue;
        }
        let group = context.groups.names_of(cursor).join(" / ");
        let mut builder = MonitorBuilder::new(id, name, &group, (file.to_owned(), cursor.line()));
        monitor::convert(cursor, &mut builder, &mut context);
        if !builder.is_left_out() {
            builder.note_unread(cursor, &cursor.find_unread());
        }
        cursor.mark_whole_read();
        reading.monitors.push(builder.finish(options.keep_private));
    }
    if context.follows_ten_redirects {
        note(
            reading,
            NoteKind::Changed,
            file,
            "maxredirects: at most five redirects are followed, and not ten".to_owned(),
        );
    }
    for mut block in blocks {
        let reminder = block["id"].as_str().and_then(|id| context.reminders.get(id));
        if let Some(reminder) = reminder {
            block.insert("reminder".to_owned(), json!(format_millis((*reminder).max(monitor::MIN_REMINDER))));
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

/// Notes that a group alerts by itself, which no group of heapbeat does.
fn note_group(group: &Cursor<'_>, name: &str, file: &str, context: &Context, reading: &mut Reading) {
    if monitor::is_paused(group) || context.groups.is_paused(group) {
        return; // Its monitors are left out.
    }
    let channels = monitor::find_channels(group, context);
    let text = match channels {
        Some(channels) if channels.is_empty() => return,
        Some(channels) => format!(
            "the group {name} is no monitor of its own: it does not alert {} when one of its monitors is down",
            channels.join(", ")
        ),
        None => format!(
            "the group {name} is no monitor of its own, and does not alert when one of its monitors is down"
        ),
    };
    note(reading, NoteKind::Changed, file, text);
}
