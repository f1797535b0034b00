//! Writes a `monitors.toml`: the notes as comments, the settings that belong into `wrangler.toml` as a sketch in comments, and the monitors.

use std::collections::BTreeMap;

use heapbeat_shared::text::single_line;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::builder::Converted;
use crate::environment::as_written;
use crate::note::{Note, NoteKind};

/// Keys that come first, in this order; the others follow.
const FIRST_KEYS: [&str; 7] = ["id", "name", "title", "group", "kind", "url", "secret"];

/// Settings for `wrangler.toml`, which the user copies.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    /// Blocks of a list: its name, such as `ALERTS`, its settings, and a remark.
    pub(crate) blocks: Vec<(&'static str, Map<String, Value>, String)>,
    /// Variables and their values.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The settings of the page.
    pub(crate) page: Option<Map<String, Value>>,
}

/// Returns the settings that every channel has.
pub(crate) fn channel_fields(id: &str, kind: &str, secret: &str) -> Map<String, Value> {
    let fields = [("id", id), ("kind", kind), ("secret", secret)];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

/// Returns the id of a maintenance window by its place, from 0.
pub(crate) fn window_id(index: usize) -> String {
    if index == 0 { "maintenance".to_owned() } else { format!("maintenance-{}", index + 1) }
}

/// A file with one monitor: `[[monitors]]` and its keys.
#[derive(Serialize)]
struct Document<'a> {
    monitors: [Ordered<'a>; 1],
}

/// A table whose keys are written in the usual order.
struct Ordered<'a>(&'a Map<String, Value>);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ordered(fields) = self;
        let first = FIRST_KEYS.iter().filter_map(|key| fields.get_key_value(*key));
        let rest = fields.iter().filter(|(key, _)| !FIRST_KEYS.contains(&key.as_str()));
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (key, value) in first.chain(rest) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Whether a text is in the result: in a monitor, in the sketch, or in a note.
pub(crate) fn is_in_result(text: &str, general: &[Note], sketch: &Sketch, monitors: &[Converted]) -> bool {
    let of_notes = |notes: &[Note]| notes.iter().any(|note| note.to_string().contains(text));
    let of_table = |table: &Map<String, Value>| table.values().any(|value| is_in_value(text, value));
    of_notes(general)
        || monitors.iter().any(|it| of_notes(&it.notes) || it.entry.as_ref().is_some_and(of_table))
        || sketch.blocks.iter().any(|(_, fields, remark)| of_table(fields) || remark.contains(text))
        || sketch.variables.iter().any(|(_, value)| value.contains(text))
        || sketch.page.as_ref().is_some_and(of_table)
}

/// Whether a text is in a value or in those within it.
fn is_in_value(text: &str, value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| is_in_value(text, item)),
        Value::Object(table) => {
            table.iter().any(|(key, value)| key.contains(text) || is_in_value(text, value))
        }
        Value::String(value) => value.contains(text),
        other => other.to_string().contains(text),
    }
}

/// Formats the complete file.
pub(crate) fn format_file(source: &str, general: &[Note], sketch: &Sketch, monitors: &[Converted]) -> String {
    let mut text = format!(
        "# Converted from a configuration of {source} by `heapbeat convert`. docs/monitors.md describes all settings.\n"
    );
    if !general.is_empty() {
        text.push('\n');
    }
    for note in general {
        push_note(&mut text, note);
    }
    push_sketch(&mut text, sketch);
    for Converted { entry, notes } in monitors {
        text.push('\n');
        for note in notes {
            push_note(&mut text, note);
        }
        if let Some(entry) = entry {
            // Text, numbers, lists and tables can all be written.
            text += &toml::to_string(&Document { monitors: [Ordered(entry)] }).unwrap_or_default();
        }
    }
    if monitors.iter().all(|monitor| monitor.entry.is_none()) {
        text += "\nmonitors = []\n";
    }
    text
}

fn push_note(text: &mut String, Note { kind, monitor, text: reason, .. }: &Note) {
    let monitor = monitor.as_ref().map_or_else(String::new, |monitor| format!("{monitor}: "));
    let label = if *kind == NoteKind::Dropped { "" } else { kind.label() };
    let separator = if label.is_empty() { "" } else { ": " };
    text.extend(["# ", &single_line(&format!("{label}{separator}{monitor}{reason}")), "\n"]);
}

fn push_sketch(text: &mut String, sketch: &Sketch) {
    if sketch.blocks.is_empty() && sketch.variables.is_empty() && sketch.page.is_none() {
        return;
    }
    *text += "\n# For wrangler.toml:\n";
    if !sketch.variables.is_empty() {
        *text += "#\n#   [vars]\n";
        for (name, value) in &sketch.variables {
            text.extend([
                "#   ",
                &single_line(&format!("{name} = {}", Value::String(as_written(value)))),
                "\n",
            ]);
        }
    }
    if let Some(page) = &sketch.page {
        *text += "#\n";
        push_block(text, &BTreeMap::from([("vars", BTreeMap::from([("PAGE", Ordered(page))]))]));
    }
    for (list, fields, remark) in &sketch.blocks {
        text.extend(["#\n#   [[vars.", list, "]]\n"]);
        push_block(text, &Ordered(fields));
        if !remark.is_empty() {
            text.extend(["#   # ", &single_line(remark), "\n"]);
        }
    }
}

fn push_block(text: &mut String, block: &impl Serialize) {
    let block = toml::to_string(block).unwrap_or_default();
    for line in as_written(&block).lines().filter(|line| !line.is_empty()) {
        text.extend(["#   ", &single_line(line), "\n"]);
    }
}
